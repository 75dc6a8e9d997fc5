package function_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// recorder writes down what it is told.
type recorder struct {
	mu    sync.Mutex
	told  []string
	now   int
	fresh chan struct{} // a place: something was told
}

func (r *recorder) tell(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, fmt.Sprintf(format, args...))
	select {
	case r.fresh <- struct{}{}:
	default:
	}
}

func (r *recorder) Ran(run function.Run) {
	r.tell("ran %s %s %s by:%s %s took:%t cold:%t memory:%t", run.Function, run.Version, run.Qualifier, run.Trigger, run.ErrorType, run.Duration > 0, run.Init > 0, run.Memory > 0)
}

func (r *recorder) Throttled(function, version, qualifier string) {
	r.tell("throttled %s %s %s", function, version, qualifier)
}

func (r *recorder) Running(_ string, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now += more
}

func (r *recorder) Waited(function string, age time.Duration) {
	r.tell("waited %s %t", function, age > 0)
}

func (r *recorder) Buried(function string, lost bool) { r.tell("buried %s %t", function, lost) }

func (r *recorder) until(t *testing.T, line string) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		found := slices.Contains(r.told, line)
		r.mu.Unlock()
		if found {
			return
		}
		select {
		case <-r.fresh:
		case <-timeout:
			t.Fatalf("never told %q, but %q", line, r.told)
		}
	}
}

func TestInvocationsAreRecorded(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	rec := &recorder{fresh: make(chan struct{}, 1)}
	i.Recorder, i.RetryDelays = rec, []time.Duration{}
	i.Publish = func(context.Context, string, []byte, map[string]string) error {
		return fault.Errorf(fault.NotFound, "no such topic")
	}
	a, none := fn("a"), fn("none")
	a.DeadLetter = "arn:aws:sns:us-east-1:000000000000:gone"
	none.Concurrency = new(int)
	replace(t, i, a, none)
	for _, payload := range []string{`{"mode":"context"}`, `{"mode":"fail"}`} {
		if _, err := i.Invoke(t.Context(), function.Invocation{Function: "a:$LATEST", Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := i.Invoke(t.Context(), function.Invocation{Function: "none"})
	if _, throttled := errors.AsType[*function.Throttle](err); !throttled {
		t.Fatalf("got %v, want a throttle", err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	_, err = i.Invoke(left, function.Invocation{Function: "a"}) // never begins
	if err == nil {
		t.Error("an invocation without its caller succeeded")
	}
	run(t, i)
	enqueue(t, i, "a", "id", `{"mode":"fail"}`)
	rec.until(t, "buried a false")
	rec.mu.Lock()
	defer rec.mu.Unlock()
	want := []string{
		"ran a $LATEST $LATEST by:api  took:true cold:true memory:true",
		"ran a $LATEST $LATEST by:api errorString took:true cold:false memory:true",
		"throttled none $LATEST ",
		"waited a true",
		"ran a $LATEST  by:async errorString took:true cold:false memory:true",
		"buried a true",
		"buried a false",
	}
	if diff := cmp.Diff(want, rec.told); diff != "" {
		t.Error(diff)
	}
	if rec.now != 0 {
		t.Errorf("%d invocations are running still", rec.now)
	}
}
