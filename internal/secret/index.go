package secret

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// index is what is known of all parameters without reading them: everything but
// their values. Readers have an immutable snapshot.
type index struct {
	change  sync.Mutex // one change at a time
	current atomic.Pointer[snapshot]
}

// snapshot is all parameters, by name. It never changes.
type snapshot struct {
	records  []*record
	advanced int // how many are of that tier
}

func (x *index) load() *snapshot {
	if s := x.current.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// place is where the parameter of a name is, or would be.
func (s *snapshot) place(name string) (i int, found bool) {
	return slices.BinarySearchFunc(s.records, name, func(r *record, name string) int { return strings.Compare(r.Name, name) })
}

// fill puts in what there is at the start.
func (x *index) fill(all []record) {
	s := &snapshot{}
	for _, r := range all {
		s.records = append(s.records, r.known())
		s.count(&r, 1)
	}
	slices.SortFunc(s.records, func(a, b *record) int { return strings.Compare(a.Name, b.Name) })
	x.current.Store(s)
}

// known is a parameter without its values.
func (r record) known() *record {
	r.Versions = slices.Clone(r.Versions)
	for i := range r.Versions {
		r.Versions[i].Value = nil
	}
	return &r
}

func (s *snapshot) count(r *record, n int) {
	if r.last().Tier == advanced {
		s.advanced += n
	}
}

// set puts a parameter in, over the one of the same name.
func (x *index) set(r record) {
	x.change.Lock()
	defer x.change.Unlock()
	next := *x.load()
	next.records = slices.Clone(next.records)
	i, found := next.place(r.Name)
	if found {
		next.count(next.records[i], -1)
		next.records[i] = r.known()
	} else {
		next.records = slices.Insert(next.records, i, r.known())
	}
	next.count(&r, 1)
	x.current.Store(&next)
}

// remove takes a parameter out.
func (x *index) remove(name string) {
	x.change.Lock()
	defer x.change.Unlock()
	next := *x.load()
	i, found := next.place(name)
	if !found {
		return
	}
	next.count(next.records[i], -1)
	next.records = slices.Delete(slices.Clone(next.records), i, i+1)
	x.current.Store(&next)
}

// get returns a parameter that has not expired. What it points to never changes.
func (x *index) get(name string) (*record, bool) {
	s := x.load()
	i, found := s.place(name)
	if !found || s.records[i].expired() {
		return nil, false
	}
	return s.records[i], true
}

// counts returns how many parameters are of each tier.
func (x *index) counts() (ofStandard, ofAdvanced int) {
	s := x.load()
	return len(s.records) - s.advanced, s.advanced
}

// after returns up to n parameters whose names begin with prefix and come after a
// name, in order, of those that match, and whether there are more.
func (x *index) after(prefix, name string, n int, match func(*record) bool) (found []*record, more bool) {
	s := x.load()
	from, exact := s.place(max(prefix, name))
	if exact && name != "" && name >= prefix {
		from++
	}
	for _, r := range s.records[from:] {
		if !strings.HasPrefix(r.Name, prefix) {
			break
		}
		if r.expired() || !match(r) {
			continue
		}
		if len(found) == n {
			return found, true
		}
		found = append(found, r)
	}
	return found, false
}

// expiring returns the names of parameters that have expired, and when the next
// one will.
func (x *index) expiring() (names []string, next time.Time) {
	for _, r := range x.load().records {
		switch {
		case r.expired():
			names = append(names, r.Name)
		case !r.Expires.IsZero() && (next.IsZero() || r.Expires.Before(next)):
			next = r.Expires
		}
	}
	return names, next
}
