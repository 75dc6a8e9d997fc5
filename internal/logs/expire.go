package logs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	keepEvery   = 10 * time.Minute
	expireEvery = time.Hour
	// retryAfter is how long the keeper waits when a disk fails.
	retryAfter = 10 * time.Second
)

// keep makes blocks, merges them and lets go of what is old, until Close.
func (s *Store) keep() {
	expired := time.Now()
	wait := time.NewTimer(keepEvery)
	defer wait.Stop()
	for {
		select {
		case <-s.tend:
			return
		case <-s.kept:
		case <-wait.C:
		}
		now, next := time.Now(), keepEvery
		var err error
		if now.Sub(expired) >= expireEvery {
			expired = now
			err = s.Expire(context.Background())
		} else if err = s.archive.tend(now, false); err == nil {
			err = s.shrink()
		}
		if err != nil {
			next = retryAfter
			s.Log.Error("log records are not put into blocks, or old ones are not removed", "err", err)
		}
		wait.Reset(next)
	}
}

// Expire removes what is older than its group's retention, now, and what is more than
// there may be: whole blocks. What else is too old is hidden from readers.
func (s *Store) Expire(context.Context) error {
	cutoffs, all := s.index.expire(s.maxAge())
	errs := []error{s.archive.tend(time.Now(), false), s.archive.forget(all)}
	for _, name := range s.archive.groups() {
		cutoff, own := cutoffs[name]
		if !own {
			cutoff = all
		}
		errs = append(errs, s.archive.expire(name, cutoff))
	}
	return errors.Join(append(errs, s.shrink())...)
}

// expire forgets old streams and returns the moments before which everything goes: of
// groups that have a retention of their own, and of all others.
func (x *index) expire(age time.Duration) (own map[string]time.Time, all time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	own, all = map[string]time.Time{}, time.Now().Add(-age)
	for name, g := range x.known {
		cutoff := all
		if g.Retention > 0 {
			if t := time.Now().AddDate(0, 0, -g.Retention); t.After(cutoff) {
				cutoff = t
			}
			own[name] = cutoff
		}
		for stream, st := range g.streams {
			if st.Last != 0 && max(st.Last, st.Came) < cutoff.UnixMilli() {
				delete(g.streams, stream)
			}
		}
	}
	return own, all
}

// future is how much later than it came a record may say that it was made, and be
// believed: what is of a time that will never come must go as well.
const future = 24 * time.Hour

// expire removes the blocks of a group of which everything is older than a moment.
func (a *archive) expire(group string, cutoff time.Time) error {
	return a.removeBlocks(group, func(b *block) bool {
		return min(b.Max, b.Made+int64(future)) < cutoff.UnixNano()
	})
}

// removeBlocks removes those of a group that are to go.
func (a *archive) removeBlocks(group string, goes func(b *block) bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.held[group]
	if h == nil {
		return nil
	}
	c := &change{Next: a.manifest.next}
	for _, b := range h.blocks {
		if goes(b) {
			c.Remove = append(c.Remove, b.ID)
		}
	}
	if len(c.Remove) == 0 {
		return nil
	}
	if err := a.manifest.commit(c); err != nil {
		return fmt.Errorf("expire the log of %s: %w", group, err)
	}
	a.discard(h, func(b *block) bool { return slices.Contains(c.Remove, b.ID) })
	return nil
}

// shrink removes the oldest blocks of the edge's groups, and those of all others, until
// they are not larger than they may be.
func (s *Store) shrink() error {
	var errs []error
	for _, edge := range []bool{true, false} {
		for _, b := range s.archive.beyond(s.maxBytes(), func(group string) bool { return ofEdge(group) == edge }) {
			errs = append(errs, s.archive.removeBlocks(b.Group, func(o *block) bool { return o == b }))
		}
	}
	return errors.Join(errs...)
}

// beyond are the oldest blocks of groups that are too many for a size.
func (a *archive) beyond(size int64, of func(group string) bool) (list []*block) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*block
	for name, h := range a.held {
		if of(name) {
			all = append(all, h.blocks...)
		}
	}
	slices.SortFunc(all, func(a, b *block) int { return cmp.Or(cmp.Compare(b.Max, a.Max), cmp.Compare(b.Last, a.Last)) })
	for i, b := range all {
		if size -= b.Bytes; size < 0 {
			return all[i:]
		}
	}
	return nil
}

// The edge's groups: of its distributions, and of requests that none answers.
const (
	DistributionGroup = "/aws/cloudfront/" // and the ID
	EdgeGroup         = "/dropstack/edge"
)

// ofEdge says whether a group is the edge's: a line for every request would push out
// what functions have said.
func ofEdge(group string) bool {
	return group == EdgeGroup || strings.HasPrefix(group, DistributionGroup)
}

// forget lets go of IDs that were imported before a moment: should they come again,
// what they have is too old to be kept.
func (a *archive) forget(before time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.manifest.imported)
	maps.DeleteFunc(a.manifest.imported, func(_ string, at int64) bool { return at < before.Add(-future).UnixNano() })
	if len(a.manifest.imported) == n {
		return nil
	}
	return a.manifest.rewrite()
}

// drop removes all that there is of a group.
func (a *archive) drop(group string) error {
	a.mu.Lock()
	h := a.held[group]
	a.mu.Unlock()
	if h == nil {
		return nil
	}
	h.feeding.Lock()
	defer h.feeding.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	c := &change{Next: a.manifest.next}
	for _, b := range h.blocks {
		c.Remove = append(c.Remove, b.ID)
	}
	if n := len(h.chunks); n > 0 {
		c.Upto = map[string]uint64{group: h.chunks[n-1].last()}
	}
	if err := a.manifest.commit(c); err != nil {
		return fmt.Errorf("delete the log of %s: %w", group, err)
	}
	a.discard(h, func(*block) bool { return true })
	for _, c := range h.chunks {
		a.bytes -= c.bytes
	}
	h.chunks, h.rows, h.making, h.fed = nil, 0, nil, 0
	return nil
}

// span are the first place of a group and the last.
func (a *archive) span(group string) (first, last uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.held[group]
	if h == nil {
		return 0, 0
	}
	if n := len(h.chunks); n > 0 {
		first, last = h.chunks[0].first, h.chunks[n-1].last()
	}
	if n := len(h.blocks); n > 0 {
		first, last = h.blocks[0].First, max(last, h.blocks[n-1].Last)
	}
	return first, last
}

// due says whether there is something for the keeper.
func (a *archive) due() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.unseen >= background
}

// room waits until not too much is in no block.
func (a *archive) room(most time.Duration) error {
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	for {
		a.mu.Lock()
		if a.bytes < maxUnsealed {
			a.mu.Unlock()
			return nil
		}
		if a.eased == nil {
			a.eased = make(chan struct{})
		}
		eased := a.eased
		a.mu.Unlock()
		select {
		case <-eased:
		case <-timeout.C:
			return fmt.Errorf("%d bytes wait to be put into blocks already", maxUnsealed)
		}
	}
}
