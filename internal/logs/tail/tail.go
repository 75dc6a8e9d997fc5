// Package tail follows logs while they are written: many groups at once, with a filter.
package tail

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/dropstack/dropstack/internal/logs"
)

// maxWaiting is how many records wait for who follows; of more, the oldest go.
const maxWaiting = 5000

// Records is what following needs of the log store.
type Records interface {
	// Subscribe has fn called with records as they are stored.
	Subscribe(fn func([]logs.Record)) (cancel func())
}

// Hub lets others follow. Its methods may be called at the same time.
type Hub struct {
	Records Records
	// Done is closed when the platform ends: then nobody follows any longer.
	Done <-chan struct{}
}

// Filter says which records are wanted; the zero value wants all.
type Filter struct {
	Groups  []string // names, or what they begin with and "*"
	Streams []string // names, or what they begin with and "*"
	Pattern *logs.Pattern
}

func (f *Filter) wants(r *logs.Record) bool {
	return anyOf(f.Groups, r.Group) && anyOf(f.Streams, r.Stream) && f.Pattern.Match(r.Message)
}

// anyOf says whether a name is one of those that are wanted.
func anyOf(wanted []string, name string) bool {
	return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool {
		prefix, open := strings.CutSuffix(w, "*")
		return w == name || open && strings.HasPrefix(name, prefix)
	})
}

// Follower is one who follows.
type Follower struct {
	filter Filter
	done   <-chan struct{}
	wake   chan struct{}
	cancel func()

	mu      sync.Mutex
	waiting []logs.Record
	lost    int
}

// Follow begins to follow. End it.
func (h *Hub) Follow(f Filter) *Follower {
	w := &Follower{filter: f, done: h.Done, wake: make(chan struct{}, 1)}
	w.cancel = h.Records.Subscribe(w.take)
	return w
}

// End ends following.
func (w *Follower) End() { w.cancel() }

func (w *Follower) take(records []logs.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range records {
		if w.filter.wants(&records[i]) {
			w.waiting = append(w.waiting, records[i])
		}
	}
	if over := len(w.waiting) - maxWaiting; over > 0 {
		w.lost += over
		w.waiting = slices.Delete(w.waiting, 0, over)
	}
	if len(w.waiting) == 0 {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default: // a wake is pending
	}
}

// Next waits for records and returns those that there are, and how many were lost
// before them because they came too fast. ok is false when ctx or the platform ends.
func (w *Follower) Next(ctx context.Context) (records []logs.Record, lost int, ok bool) {
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return nil, 0, false
		case <-w.done:
			return nil, 0, false
		}
		w.mu.Lock()
		records, lost = w.waiting, w.lost
		w.waiting, w.lost = nil, 0
		w.mu.Unlock()
		if len(records) > 0 {
			return records, lost, true
		}
	}
}
