package logs

import (
	"log/slog"
	"sync"
	"time"
)

// maxUntold is how many records may wait for a subscriber.
const maxUntold = 1 << 16

// subscribers are told of records as they come.
type subscribers struct {
	mu    sync.Mutex
	all   map[*subscriber]bool
	lost  uint64
	ended sync.WaitGroup
}

// subscriber has a goroutine of its own.
type subscriber struct {
	log  *slog.Logger
	fn   func([]Record)
	wake chan struct{}
	end  chan struct{}

	mu      sync.Mutex
	waiting [][]Record
	count   int
	lost    int
	told    time.Time // that some were lost
}

// Subscribe has fn called with records once they are stored, those of a group in their
// order; imported ones are not among them. They are not fn's to change. When fn is slow
// records wait for it, and when too many wait those that come are lost to it, which the
// log tells. cancel returns when fn does not run any more; fn is not to call it.
func (s *Store) Subscribe(fn func([]Record)) (cancel func()) {
	sub := &subscriber{log: s.Log, fn: fn, wake: make(chan struct{}, 1), end: make(chan struct{})}
	ended := make(chan struct{})
	a := &s.subscribers
	a.mu.Lock()
	if a.all == nil {
		a.all = map[*subscriber]bool{}
	}
	a.all[sub] = true
	a.mu.Unlock()
	a.ended.Go(func() {
		defer close(ended)
		sub.run()
	})
	return func() {
		a.cancel(sub)
		<-ended
	}
}

func (a *subscribers) cancel(sub *subscriber) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all[sub] {
		delete(a.all, sub)
		close(sub.end)
	}
}

// end ends all subscriptions when they have been told of everything.
func (a *subscribers) end() {
	a.mu.Lock()
	for sub := range a.all {
		delete(a.all, sub)
		close(sub.end)
	}
	a.mu.Unlock()
	a.ended.Wait()
}

// tell hands records to all.
func (a *subscribers) tell(records []Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for sub := range a.all {
		a.lost += uint64(sub.put(records))
	}
}

// put has records wait, and says how many were lost.
func (s *subscriber) put(records []Record) (lost int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count > 0 && s.count+len(records) > maxUntold {
		s.lost += len(records)
		return len(records)
	}
	s.waiting, s.count = append(s.waiting, records), s.count+len(records)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return 0
}

func (s *subscriber) run() {
	for last := false; !last; {
		select {
		case <-s.wake:
		case <-s.end:
			last = true
		}
		for _, records := range s.take(last) {
			s.fn(records)
		}
	}
}

// take returns what waits, and tells once in a minute, or at last, what was lost.
func (s *subscriber) take(last bool) (records [][]Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records = s.waiting
	s.waiting, s.count = nil, 0
	if now := time.Now(); s.lost > 0 && (last || now.Sub(s.told) > time.Minute) {
		s.log.Warn("log records did not reach a subscriber: it is too slow", "count", s.lost)
		s.lost, s.told = 0, now
	}
	return records
}
