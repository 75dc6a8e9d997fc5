package accesslog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

var banner = accesslog.Reader{Stack: "abuse", ID: "r1", Function: arn.Function(arn.Region, "ban")}

// calls are invocations of a function that reads: how many records, and whose.
type calls struct {
	mu     sync.Mutex
	events []events.KinesisEvent
	of     []string
	fail   func(n int) error // of the n-th invocation; may wait
}

func (c *calls) invoke(_ context.Context, inv function.Invocation) (function.Result, error) {
	var e events.KinesisEvent
	if err := json.Unmarshal(inv.Payload, &e); err != nil {
		return function.Result{}, err
	}
	c.mu.Lock()
	c.events, c.of = append(c.events, e), append(c.of, inv.Function)
	n, fail := len(c.events), c.fail
	c.mu.Unlock()
	if fail != nil {
		return function.Result{}, fail(n)
	}
	return function.Result{}, nil
}

// requests are the ids of the records that each invocation had.
func (c *calls) requests() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		var ids []string
		for _, r := range e.Records {
			ids = append(ids, strings.Split(string(r.Kinesis.Data), "\t")[11])
		}
		list = append(list, strings.Join(ids, " "))
	}
	return list
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.events)
}

func record(l *accesslog.Log, names ...string) {
	for _, name := range names {
		r := whole
		r.Request = name
		l.Record(r)
	}
}

// reading is a log with a reader, in a bubble.
func reading(t *testing.T, readers []accesslog.Reader, test func(w *world, l *accesslog.Log, c *calls)) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWorld(), &calls{}
		w.invoke = c.invoke
		l := newLog(t, w, t.TempDir())
		if err := l.Replace("abuse", readers); err != nil {
			t.Fatal(err)
		}
		end := run(l)
		synctest.Wait()
		test(w, l, c)
		end()
	})
}

func TestEventIsAsKinesisSendsIt(t *testing.T) {
	reading(t, []accesslog.Reader{banner}, func(_ *world, l *accesslog.Log, c *calls) {
		record(l, "a", "b")
		pass(time.Second)
		if len(c.events) != 1 || len(c.events[0].Records) != 2 || c.of[0] != banner.Function {
			t.Fatalf("got %+v of %v", c.events, c.of)
		}
		first, second := c.events[0].Records[0], c.events[0].Records[1]
		came := time.Date(2000, 1, 1, 0, 0, 0, 50e6, time.UTC)
		if d := first.Kinesis.ApproximateArrivalTimestamp.Sub(came); d < -time.Microsecond || d > time.Microsecond {
			t.Errorf("came at %v", first.Kinesis.ApproximateArrivalTimestamp)
		}
		want := whole
		want.Request = "a"
		if got := string(first.Kinesis.Data); got != string(accesslog.AppendRealTime(nil, &want)) {
			t.Errorf("data %q", got)
		}
		if a, b := first.Kinesis.SequenceNumber, second.Kinesis.SequenceNumber; len(a) != 56 || a >= b {
			t.Errorf("sequence numbers %s, %s", a, b)
		}
		number := first.Kinesis.SequenceNumber
		first.Kinesis.ApproximateArrivalTimestamp, first.Kinesis.Data = events.SecondsEpochTime{}, nil
		if diff := cmp.Diff(events.KinesisEventRecord{
			AwsRegion: "us-east-1", EventID: "shardId-000000000000:" + number, EventName: "aws:kinesis:record", EventSource: "aws:kinesis",
			EventSourceArn: "arn:aws:kinesis:us-east-1:000000000000:stream/edge-access", EventVersion: "1.0",
			InvokeIdentityArn: "arn:aws:iam::000000000000:role/r",
			Kinesis:           events.KinesisRecord{PartitionKey: "a", SequenceNumber: number, KinesisSchemaVersion: "1.0"},
		}, first); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestBatches(t *testing.T) {
	small, slow, off := banner, banner, banner
	small.Batch = 2
	slow.ID, slow.Window = "r2", 10*time.Second
	off.ID, off.Disabled = "r3", true
	reading(t, []accesslog.Reader{small}, func(_ *world, l *accesslog.Log, c *calls) {
		record(l, "a", "b", "c")
		pass(100 * time.Millisecond) // within the window: only what fills a batch
		if diff := cmp.Diff([]string{"a b"}, c.requests()); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		pass(time.Second)
		if diff := cmp.Diff([]string{"a b", "c"}, c.requests()); diff != "" {
			t.Errorf("after the window (-want +got):\n%s", diff)
		}
	})
	reading(t, []accesslog.Reader{slow, off}, func(_ *world, l *accesslog.Log, c *calls) {
		record(l, "a")
		pass(9 * time.Second)
		record(l, "b")
		if c.count() != 0 {
			t.Errorf("before the window is over: %v", c.requests())
		}
		pass(2 * time.Second)
		if diff := cmp.Diff([]string{"a b"}, c.requests()); diff != "" {
			t.Errorf("after it (-want +got):\n%s", diff)
		}
	})
}

func TestFailuresAreRetriedInOrder(t *testing.T) {
	for name, err := range map[string]error{
		"an error":    errors.New("broken"),
		"no room yet": fault.Errorf(fault.Throttled, "no room"),
	} {
		reading(t, []accesslog.Reader{banner}, func(w *world, l *accesslog.Log, c *calls) {
			c.fail = func(n int) error {
				if n <= 4 {
					return err
				}
				return nil
			}
			record(l, "a")
			pass(time.Second)
			record(l, "b")
			pass(3 * time.Second)
			if diff := cmp.Diff([]string{"a", "a", "a", "a", "a", "b"}, c.requests()); diff != "" || len(w.lost) > 0 {
				t.Errorf("%s: lost %v (-want +got):\n%s", name, w.lost, diff)
			}
		})
	}
}

func TestFunctionErrorIsAFailure(t *testing.T) {
	reading(t, []accesslog.Reader{banner}, func(w *world, l *accesslog.Log, c *calls) {
		w.invoke = func(ctx context.Context, inv function.Invocation) (function.Result, error) {
			_, _ = c.invoke(ctx, inv)
			if c.count() == 1 {
				return function.Result{FunctionError: "Unhandled", ErrorType: "Oops"}, nil
			}
			return function.Result{}, nil
		}
		record(l, "a")
		pass(5 * time.Second)
		if diff := cmp.Diff([]string{"a", "a"}, c.requests()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestPoisonIsGivenUp(t *testing.T) {
	reading(t, []accesslog.Reader{banner}, func(w *world, l *accesslog.Log, c *calls) {
		c.fail = func(n int) error {
			if n <= 10 {
				return errors.New("broken")
			}
			return nil
		}
		record(l, "a")
		pass(time.Second)
		record(l, "b")
		pass(time.Hour)
		got := c.requests()
		if len(got) != 11 || got[9] != "a" || got[10] != "b" || w.lost["r1"] != 1 {
			t.Errorf("got %v, lost %v", got, w.lost)
		}
	})
}

func TestReaderThatIsTooSlow(t *testing.T) {
	reading(t, []accesslog.Reader{banner}, func(w *world, l *accesslog.Log, c *calls) {
		l.Waiting = 1000
		held := make(chan struct{})
		c.fail = func(n int) error {
			if n == 1 {
				<-held
			}
			return nil
		}
		record(l, "first")
		pass(time.Second)
		const more = 2500
		for i := range more {
			record(l, fmt.Sprintf("%05d", i))
			if i%500 == 499 {
				pass(100 * time.Millisecond)
			}
		}
		pass(time.Second)
		close(held)
		pass(time.Minute)
		got := strings.Fields(strings.Join(c.requests(), " "))
		if got[0] != "first" || got[len(got)-1] != fmt.Sprintf("%05d", more-1) || !slices.IsSorted(got[1:]) {
			t.Errorf("got %s, %s ... %s", got[0], got[1], got[len(got)-1])
		}
		if lost := w.lost["r1"]; lost != 1500 || lost+len(got) != more+1 || got[1] != fmt.Sprintf("%05d", lost) {
			t.Errorf("got %d from %s, lost %v", len(got), got[1], w.lost)
		}
	})
}

func TestReplaceReaders(t *testing.T) {
	other := accesslog.Reader{Stack: "other", ID: "r2", Function: arn.Function(arn.Region, "other")}
	reading(t, []accesslog.Reader{banner}, func(w *world, l *accesslog.Log, c *calls) {
		replace := func(stack string, list ...accesslog.Reader) {
			t.Helper()
			if err := l.Replace(stack, list); err != nil {
				t.Fatal(err)
			}
		}
		replace("other", other)
		record(l, "a")
		pass(time.Second)
		if c.count() != 2 {
			t.Errorf("two readers: %v of %v", c.requests(), c.of)
		}
		replace("other")
		changed := banner
		changed.Function = arn.Function(arn.Region, "ban2")
		record(l, "b")
		pass(100 * time.Millisecond) // it waits for its window
		replace("abuse", changed)
		pass(time.Second)
		if got := c.requests(); len(got) != 3 || got[2] != "b" || c.of[2] != changed.Function {
			t.Errorf("a changed reader: %v of %v", got, c.of)
		}
		replace("abuse")
		record(l, "c")
		pass(time.Second)
		if c.count() != 3 || len(w.lost) > 0 {
			t.Errorf("no readers: %v, lost %v", c.requests(), w.lost)
		}
		replace("abuse", banner)
		record(l, "d")
		pass(time.Second)
		if got := c.requests(); len(got) != 4 || got[3] != "d" {
			t.Errorf("one that is back: %v", got)
		}
	})
}

func TestReplaceRefuses(t *testing.T) {
	l := newLog(t, newWorld(), t.TempDir())
	if err := l.Replace("abuse", []accesslog.Reader{banner}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		reader accesslog.Reader
		kind   fault.Kind
	}{
		"another stack's": {accesslog.Reader{ID: "r1", Function: "f"}, fault.Conflict},
		"no id":           {accesslog.Reader{Function: "f"}, fault.Invalid},
		"no function":     {accesslog.Reader{ID: "x"}, fault.Invalid},
		"large batch":     {accesslog.Reader{ID: "x", Function: "f", Batch: 10_001}, fault.Invalid},
		"long window":     {accesslog.Reader{ID: "x", Function: "f", Window: time.Hour}, fault.Invalid},
	} {
		if err := l.Replace("other", []accesslog.Reader{c.reader}); fault.KindOf(err) != c.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := l.Replace("other", []accesslog.Reader{{ID: "x", Function: "f"}, {ID: "x", Function: "f"}}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("twice: got %v", err)
	}
}

// TestEndDeliversWhatWaits is a shutdown with a batch that waits for its window, and
// one with a function that does not answer.
func TestEndDeliversWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := newWorld(), &calls{}
		w.invoke = c.invoke
		l := newLog(t, w, t.TempDir())
		slow := banner
		slow.Window = time.Minute
		if err := l.Replace("abuse", []accesslog.Reader{slow}); err != nil {
			t.Fatal(err)
		}
		end := run(l)
		record(l, "a", "b")
		end()
		if diff := cmp.Diff([]string{"a b"}, c.requests()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}

		w.invoke = func(ctx context.Context, _ function.Invocation) (function.Result, error) {
			<-ctx.Done()
			return function.Result{}, ctx.Err()
		}
		began := time.Now()
		end = run(l)
		record(l, "c", "d", "e")
		end()
		if took := time.Since(began); took > 11*time.Second || w.lost["r1"] != 3 {
			t.Errorf("ended after %v, lost %v", took, w.lost)
		}
	})
}

// pass lets time pass in a bubble, and what is due in it happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
