package server

import (
	"context"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/metric/promapi"
	"github.com/dropstack/dropstack/internal/topic"
)

// openAlerts opens the rules and the alarms; both are asked once everything serves.
func (r *rooms) openAlerts(ctx context.Context, cfg Config) error {
	r.filters = &alarm.Filters{Logs: r.logs, Metrics: r.metrics, Log: cfg.Log}
	r.opened = append(r.opened, r.filters.Close)
	r.alerts = &alert.Watcher{Metrics: r.metrics, Logs: searcher{r.logs}, Log: cfg.Log, Files: cfg.Rules, Without: cfg.WithoutRules, Notify: r.news(cfg)}
	if err := r.alerts.Open(); err != nil {
		return err
	}
	r.prometheus.Rules = func() promapi.Rules { return r.alerts }
	r.alarms = &alarm.Alarms{
		Metrics: r.metrics, Streams: r.eng.Streams, Region: cfg.Region, Log: cfg.Log, Notify: r.news(cfg),
		Publish: func(ctx context.Context, topicARN, subject, message string) error {
			_, err := r.topics.Publish(ctx, topic.PublishInput{TopicArn: topicARN, Subject: subject, Message: message})
			return err
		},
		Invoke: func(ctx context.Context, functionARN, id string, event []byte) error {
			return r.invoker.Enqueue(ctx, function.Invocation{ID: id, Function: functionARN, Payload: event, Marshalled: true})
		},
	}
	return r.alarms.Open(ctx)
}

// news tells people of alerts, and the log that there is one.
func (r *rooms) news(cfg Config) func(ctx context.Context, alerts ...alert.Alert) {
	return func(ctx context.Context, alerts ...alert.Alert) {
		for _, a := range alerts {
			cfg.Log.Debug("alert", "rule", a.Rule, "labels", a.Labels, "starts", a.Starts, "ends", a.Ends)
		}
		if r.people != nil {
			r.people(ctx, r.witnessed(ctx, alerts)...)
		}
	}
}

// searcher has rules ask the logs.
type searcher struct{ source query.Source }

// Rows are those of an answer. Records are one row: that there are some, and how many;
// a number that is zero is nothing to alarm anybody.
func (s searcher) Rows(ctx context.Context, text string, groups []string, start, end time.Time) ([]alert.Row, error) {
	q, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	result, err := query.Run(ctx, s.source, q, query.Range{Groups: groups, Start: start, End: end}, nil)
	if err != nil || len(result.Rows) == 0 {
		return nil, err
	}
	if slices.Contains(result.Columns, logs.FieldMessage) {
		return []alert.Row{{Value: float64(len(result.Rows))}}, nil
	}
	var list []alert.Row
	for _, values := range result.Rows {
		row, found := alert.Row{Labels: map[string]string{}, Value: 1}, false
		for i, v := range values {
			n, numeric := v.Float()
			switch kind := v.Kind(); {
			case kind == query.Number && numeric && !found:
				row.Value, found = n, true
			case kind == query.Text:
				row.Labels[result.Columns[i]] = v.String()
			}
		}
		if row.Value != 0 {
			list = append(list, row)
		}
	}
	return list, nil
}

// alarmEditor makes what calls of CloudWatch change the next revision of a stack.
type alarmEditor struct{ *deploy.Deployer }

func (e alarmEditor) EditAlarms(ctx context.Context, stack string, change func([]alarm.Alarm) ([]alarm.Alarm, error)) error {
	if stack == "" {
		stack = deploy.APIStack
	}
	// a client that leaves must not cut a change in two
	_, err := e.Edit(context.WithoutCancel(ctx), stack, func(r *deploy.Revision) (err error) {
		r.Alarms, err = change(r.Alarms)
		return err
	})
	return err
}

// expiryName is the series that says how long a certificate is still good.
const expiryName = "dropstack_certificate_expiry_seconds"

// countDown measures when certificates end, until ctx ends.
func (r *rooms) countDown(ctx context.Context) error {
	for {
		if list, err := r.certificates.List(ctx); err == nil {
			for _, c := range list {
				for _, host := range c.Names {
					r.metrics.Gauge(expiryName, metric.Labels{"host": host}).Set(time.Until(c.NotAfter).Seconds())
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Minute):
		}
	}
}
