package server

import (
	"context"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
)

// reader reads the metrics that functions log, on the way of their lines to the store.
type reader struct {
	logs.Appender
	metrics *metric.Embedded
}

// Append passes a record on.
func (e *reader) Append(r logs.Record) {
	e.Appender.Append(r)
	if metric.IsEmbedded(r.Message) {
		e.metrics.Line(metric.Line{
			Function: strings.TrimPrefix(r.Group, "/aws/lambda/"), Message: r.Message,
			Group: r.Group, Stream: r.Stream, Request: r.Request,
		})
	}
}

// openEmbedded has metrics in the lines of functions kept: from before the first is
// written until after the last.
func (r *rooms) openEmbedded() logs.Appender {
	embedded := &metric.Embedded{Store: r.metrics, Complain: func(l metric.Line, text string) {
		r.logs.Append(logs.Record{
			Time: time.Now(), Group: l.Group, Stream: l.Stream, Request: l.Request,
			Message: "[dropstack] metrics of a line in the Embedded Metric Format are not kept: " + text,
		})
	}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		embedded.Run(ctx)
	}()
	r.opened = append(r.opened, func() error {
		cancel()
		<-done
		return nil
	})
	return &reader{r.logs, embedded}
}
