package metric

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Family finds the instruments of one name that are told apart by what K says. To
// find one that there is takes no lock and allocates nothing, so that the way of every
// request may do it. Make, which makes another, is required.
type Family[K comparable, I any] struct {
	Make func(K) I

	known atomic.Pointer[map[K]I]
	mu    sync.Mutex // held by who makes one
}

// maxFamily is how many instruments are found fast. Whoever has more has to ask the
// store, which bounds them.
const maxFamily = 4096

// Of is the instrument for k.
func (f *Family[K, I]) Of(k K) I {
	if known := f.known.Load(); known != nil {
		if in, ok := (*known)[k]; ok {
			return in
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known := map[K]I{}
	if old := f.known.Load(); old != nil {
		if in, ok := (*old)[k]; ok {
			return in
		}
		if len(*old) >= maxFamily {
			return f.Make(k)
		}
		known = maps.Clone(*old)
	}
	known[k] = f.Make(k)
	f.known.Store(&known)
	return known[k]
}
