package function_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestRedrive(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	i.RetryDelays = []time.Duration{time.Millisecond}
	failing := fn("a")
	failing.Environment = map[string]string{"PROBE_INIT": "exit"}
	replace(t, i, failing)
	stop := run(t, i)
	file := filepath.Join(shared(t), "file")
	for n := range 5 {
		enqueue(t, i, "a", fmt.Sprint("event-", n), fmt.Sprintf(`{"mode":"append","n":%d,"text":%q}`, n, file))
	}
	wait(t, "five dead letters", func() bool { return len(letters(t, i, "a")) == 5 })

	replace(t, i, fn("a")) // mended
	if n, err := i.Redrive(t.Context(), "a", "event-3"); err != nil || n != 1 {
		t.Fatalf("redrive of one: %d, %v", n, err)
	}
	wait(t, "the one to run", func() bool { return slices.Equal(lines(file), []string{"3"}) })
	if _, err := i.Redrive(t.Context(), "a", "event-3"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("redrive of what is gone: got %v, want not found", err)
	}
	stop()
	if n, err := i.Redrive(t.Context(), "a", ""); err != nil || n != 4 {
		t.Fatalf("redrive of all: %d, %v", n, err)
	}
	if left := letters(t, i, "a"); len(left) > 0 {
		t.Errorf("%d dead letters left", len(left))
	}
	run(t, i)
	wait(t, "all to run", func() bool { return len(lines(file)) == 5 })
	if _, err := i.Redrive(t.Context(), "nobody", ""); fault.KindOf(err) != fault.NotFound {
		t.Errorf("unknown function: got %v, want not found", err)
	}
}
