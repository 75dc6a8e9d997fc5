package metric

import "sync"

const failuresInRowName = "dropstack_function_consecutive_failures"

// Streaks measures how many invocations of each function have failed since the last
// one that did not: what a ratio cannot say of a function that is called rarely.
type Streaks struct {
	Store *Store

	mu    sync.Mutex
	names map[string]*streak
}

type streak struct {
	gauge *Gauge
	n     int
}

// Ran counts an invocation. Of a function that has never failed nothing is kept.
func (s *Streaks) Ran(function string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.names[function]
	switch {
	case k == nil && !failed:
		return
	case k == nil:
		if s.names == nil {
			s.names = map[string]*streak{}
		}
		k = &streak{gauge: s.Store.Gauge(failuresInRowName, Labels{"function": function})}
		s.names[function] = k
	case !failed && k.n == 0:
		return
	}
	if k.n++; !failed {
		k.n = 0
	}
	k.gauge.Set(float64(k.n))
}
