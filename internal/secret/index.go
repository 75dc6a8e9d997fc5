package secret

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// index is what is known of all parameters without reading them: everything but
// their values.
type index struct {
	mu       sync.RWMutex // guards what follows
	byName   map[string]*record
	names    []string // sorted
	advanced int      // how many are of that tier
}

// set puts a parameter in, over the one of the same name.
func (x *index) set(r record) {
	r.Versions = slices.Clone(r.Versions)
	for i := range r.Versions {
		r.Versions[i].Value = nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byName == nil {
		x.byName = map[string]*record{}
	}
	old, known := x.byName[r.Name]
	if !known {
		i, _ := slices.BinarySearch(x.names, r.Name)
		x.names = slices.Insert(x.names, i, r.Name)
	} else if old.last().Tier == advanced {
		x.advanced--
	}
	if r.last().Tier == advanced {
		x.advanced++
	}
	x.byName[r.Name] = &r
}

// remove takes a parameter out.
func (x *index) remove(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old, known := x.byName[name]
	if !known {
		return
	}
	if old.last().Tier == advanced {
		x.advanced--
	}
	delete(x.byName, name)
	if i, found := slices.BinarySearch(x.names, name); found {
		x.names = slices.Delete(x.names, i, i+1)
	}
}

// get returns a parameter that has not expired. What it points to never changes.
func (x *index) get(name string) (*record, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	r, ok := x.byName[name]
	return r, ok && !r.expired()
}

// counts returns how many parameters are of each tier.
func (x *index) counts() (ofStandard, ofAdvanced int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.names) - x.advanced, x.advanced
}

// after returns up to n parameters whose names begin with prefix and come after a
// name, in order, of those that match, and whether there are more.
func (x *index) after(prefix, name string, n int, match func(*record) bool) (found []*record, more bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	from, exact := slices.BinarySearch(x.names, max(prefix, name))
	if exact && name >= prefix && name != "" {
		from++
	}
	for _, name := range x.names[from:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		r := x.byName[name]
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
	x.mu.RLock()
	defer x.mu.RUnlock()
	for name, r := range x.byName {
		switch {
		case r.expired():
			names = append(names, name)
		case !r.Expires.IsZero() && (next.IsZero() || r.Expires.Before(next)):
			next = r.Expires
		}
	}
	return names, next
}
