package metric

import (
	"context"
	"sync"
	"time"
)

const (
	// maxLines is how many lines may wait to be read before they are not.
	maxLines = 1024
	// complainEvery is how often a function is told of the same flaw in its lines.
	complainEvery = time.Minute
)

const (
	embeddedName = "dropstack_emf_events_total"
	flawedName   = "dropstack_emf_errors_total"
)

// Embedded keeps the metrics that functions log in CloudWatch's Embedded Metric
// Format. Store is required; Run takes what Line is given.
type Embedded struct {
	Store *Store
	// Complain says to whoever owns a function what is wrong with a line that it has
	// logged, which is told once a minute for each reason.
	Complain func(line Line, text string)

	once  sync.Once
	lines chan Line
	told  map[complaint]time.Time
}

// Line is one line of a function's log.
type Line struct {
	Function      string
	Message       string
	Group, Stream string // of the log
	Request       string
}

type complaint struct{ function, reason string }

func (e *Embedded) queue() chan Line {
	e.once.Do(func() { e.lines, e.told = make(chan Line, maxLines), map[complaint]time.Time{} })
	return e.lines
}

// Line takes a line of which IsEmbedded is true, and its metrics soon. It never waits: what comes faster than it
// can be kept is counted as lost.
func (e *Embedded) Line(l Line) {
	select {
	case e.queue() <- l:
	default:
		e.count(l.Function, "overload")
	}
}

// Run keeps metrics until ctx ends, and those of the lines that have come by then.
func (e *Embedded) Run(ctx context.Context) {
	for {
		select {
		case l := <-e.queue():
			e.keep(l)
		case <-ctx.Done():
			for {
				select {
				case l := <-e.queue():
					e.keep(l)
				default:
					return
				}
			}
		}
	}
}

func (e *Embedded) keep(l Line) {
	list, err := parseEmbedded(l.Message, time.Now())
	if len(list) > 0 || err != nil {
		e.Store.Counter(embeddedName, Labels{"function": l.Function}).Add(1)
	}
	for _, b := range list {
		if e.Store.putFor(context.Background(), l.Function, b.namespace, b.data) == nil {
			continue
		}
		// each by itself: one that is over a limit does not take the others with it
		for _, d := range b.data {
			if failed := e.Store.putFor(context.Background(), l.Function, b.namespace, []MetricDatum{d}); failed != nil && err == nil {
				err = failed
			}
		}
	}
	if err == nil {
		return
	}
	reason := reasonOf(err)
	e.count(l.Function, reason)
	c := complaint{l.Function, reason}
	if now := time.Now(); e.Complain != nil && now.Sub(e.told[c]) >= complainEvery {
		if len(e.told) > maxLines {
			clear(e.told)
		}
		e.told[c] = now
		e.Complain(l, err.Error())
	}
}

func (e *Embedded) count(function, reason string) {
	e.Store.Counter(flawedName, Labels{"function": function, "reason": reason}).Add(1)
}
