package accesslog_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

// BenchmarkSinks says what a record costs in all, on whichever core: the encoding, the
// file and the object; with the log store; with a reader.
func BenchmarkSinks(b *testing.B) {
	for _, c := range []struct {
		name        string
		store, read bool
	}{{"objects", false, false}, {"and the log store", true, false}, {"and a reader", true, true}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld()
			w.invoke = func(context.Context, function.Invocation) (function.Result, error) { return function.Result{}, nil }
			l := newLog(b, w, b.TempDir())
			l.Logs = nowhere{}
			if c.store {
				streams := enginetest.Streams(b)
				s := &logs.Store{Dir: b.TempDir(), Streams: streams, State: streams, Log: quiet}
				if err := s.Open(b.Context()); err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				l.Logs = s
			}
			if c.read {
				if err := l.Replace("abuse", []accesslog.Reader{banner}); err != nil {
					b.Fatal(err)
				}
			}
			end := run(l)
			before, n := used(), 0
			for b.Loop() {
				l.Record(whole)
				if n++; n%1000 == 0 {
					time.Sleep(10 * time.Millisecond) // 100,000 a second at most: none is lost
				}
			}
			end()
			b.ReportMetric(float64(used()-before)/float64(n), "cpu-ns/op")
			if len(w.lost) > 0 {
				b.Errorf("lost %v", w.lost)
			}
		})
	}
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type nowhere struct{}

func (nowhere) Append(logs.Record) {}
