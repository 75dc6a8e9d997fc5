package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// Records of a batch, and how long it may take to fill, as Lambda has it for streams.
const (
	DefaultBatch = 100
	MaxBatch     = 10_000
	MaxWindow    = 5 * time.Minute
)

// Check says what is wrong with the readers of a stack.
func Check(list []Reader) error {
	var faults []error
	ids := map[string]bool{}
	for _, r := range list {
		switch {
		case r.ID == "" || r.Function == "":
			faults = append(faults, fmt.Errorf("reader %q of the stream %s has no id or no function", r.ID, Stream))
		case ids[r.ID]:
			faults = append(faults, fmt.Errorf("two readers of the stream %s have the id %q", Stream, r.ID))
		}
		ids[r.ID] = true
		if r.Batch < 0 || r.Batch > MaxBatch {
			faults = append(faults, fmt.Errorf("reader %q: a batch of %d records; it has 1 to %d", r.ID, r.Batch, MaxBatch))
		}
		if r.Window < 0 || r.Window > MaxWindow {
			faults = append(faults, fmt.Errorf("reader %q: a window of %v; it is at most %v", r.ID, r.Window, MaxWindow))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Err: errors.Join(faults...)}
}

// readers are those of all stacks.
type readers struct {
	log  *Log
	some atomic.Bool // there are any that are not disabled
	last uint64      // the sequence number given last; of send alone

	mu     sync.Mutex
	stacks map[string][]Reader
	feeds  map[string]*feed // by ID; nil while Run does not run
	work   context.Context  // of invocations, which a reader that is removed does not cut off
	cut    context.CancelFunc
	done   sync.WaitGroup
}

// Replace makes list the readers of a stack, instead of those before; none removes
// them. A reader that stays keeps what waits for it, also when it is changed; one that
// is removed or disabled lets it go, and gets what comes once it is back.
func (l *Log) Replace(stack string, list []Reader) error {
	if err := Check(list); err != nil {
		return err
	}
	r := &l.readers
	r.mu.Lock()
	defer r.mu.Unlock()
	next := maps.Clone(r.stacks)
	if next == nil {
		next = map[string][]Reader{}
	}
	delete(next, stack)
	for other, have := range next {
		for _, reader := range have {
			if slices.ContainsFunc(list, func(o Reader) bool { return o.ID == reader.ID }) {
				return fault.Errorf(fault.Conflict, "the reader %s of the stream %s is of stack %q already", reader.ID, Stream, other)
			}
		}
	}
	if len(list) > 0 {
		next[stack] = slices.Clone(list)
	}
	r.stacks = next
	r.tend()
	return nil
}

// tend makes the feeds those of the readers that there are; the lock is held.
func (r *readers) tend() {
	want := map[string]Reader{}
	for _, list := range r.stacks {
		for _, reader := range list {
			if !reader.Disabled {
				want[reader.ID] = reader
			}
		}
	}
	r.some.Store(len(want) > 0)
	if r.feeds == nil {
		return
	}
	for id, f := range r.feeds {
		if reader, ok := want[id]; ok {
			f.mu.Lock()
			f.reader = reader
			f.mu.Unlock()
			f.signal()
			continue
		}
		f.stop()
		delete(r.feeds, id)
	}
	for id, reader := range want {
		if r.feeds[id] != nil {
			continue
		}
		ctx, stop := context.WithCancel(context.Background())
		f := &feed{readers: r, reader: reader, wake: make(chan struct{}, 1), stop: stop}
		r.feeds[id] = f
		r.done.Go(func() {
			defer stop()
			f.run(ctx)
		})
	}
}

// start begins to feed.
func (r *readers) start(l *Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log, r.feeds = l, map[string]*feed{}
	r.work, r.cut = context.WithCancel(context.Background())
	r.last = uint64(time.Now().UnixNano()) // beyond what an earlier process has given
	r.tend()
}

// send appends records to the stream.
func (r *readers) send(records []*edge.AccessRecord) {
	if len(records) == 0 {
		return
	}
	entries, now := make([]entry, 0, len(records)), time.Now()
	var line []byte
	for _, record := range records {
		r.last++
		line = AppendRealTime(line[:0], record)
		entries = append(entries, entry{r.last, now, record.Request, bytes.Clone(line)})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.feeds {
		f.add(entries)
	}
}

// end has what waits delivered, and what cannot be in time lost.
func (r *readers) end() {
	r.mu.Lock()
	feeds := r.feeds
	r.feeds = nil
	for _, f := range feeds {
		f.mu.Lock()
		f.closing = true
		f.mu.Unlock()
		f.signal()
	}
	r.mu.Unlock()
	late := time.AfterFunc(grace, func() {
		for _, f := range feeds {
			f.stop()
		}
		r.cut()
	})
	defer late.Stop()
	r.done.Wait()
	r.cut()
}
