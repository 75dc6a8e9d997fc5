// Package metric keeps what is measured, as time series on the Prometheus engine,
// and answers for it as CloudWatch does.
//
// Rooms hold instruments (Counter, Gauge, Histogram) whose values are written
// every ten seconds, and before every question; clients put data of their own
// with PutMetricData, which is written before it is answered. Stored, below Dir:
//
//	dropstack_…          series of the platform, named as Prometheus has it
//	cloudwatch_value     what clients put: one sample a value …
//	cloudwatch_weight    … and how many times, at the same moment, unless once
//	cloudwatch_min, _max, _sum, _count   statistic sets, at the same moment
//
// The latter have the labels namespace, metric, unit and dimension_NAME. The moment
// of their samples is the minute (or second) of the datum and a place within it,
// so that any number of data of one minute stand side by side.
//
// A killed process loses at most what its instruments counted since they were last
// written, ten seconds' worth; a machine that loses power, what the kernel had not
// written yet of the engine's log, usually half a minute's worth.
package metric

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

const (
	// every is how often instruments are written. It divides a minute, so that the
	// ends of CloudWatch's periods fall on writings.
	every = 10 * time.Second
	// refresh is how often an instrument is written that has not changed.
	refresh = time.Minute
	// retire is when an instrument that does not change is not written any more.
	retire = 3 * time.Hour

	// MaxPerScope is how many series may be active for one function, or for one
	// metric that belongs to none.
	MaxPerScope = 500
	// MaxPerNamespace is how many metrics clients may have active in a namespace.
	MaxPerNamespace = 10_000
	// maxActive bounds the series of everything together.
	maxActive = 200_000
)

// nameLabel is the label that has a series' name.
const nameLabel = "__name__"

// Labels tell the series of one name apart.
type Labels map[string]string

// set is the labels with the name, as the engine wants them.
func (l Labels) set(name string) labels.Labels {
	b := labels.NewScratchBuilder(len(l) + 1)
	b.Add(nameLabel, name)
	for k, v := range l {
		b.Add(k, v)
	}
	b.Sort()
	return b.Labels()
}

// scope is what the number of series is bounded for.
func (l Labels) scope(name string) string {
	if fn := l["function"]; fn != "" {
		return "function/" + fn
	}
	return name
}
