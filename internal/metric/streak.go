package metric

import (
	"context"
	"sync"
	"time"
)

const failuresInRowName = "dropstack_function_consecutive_failures"

// Streaks measures how many invocations of each function have failed since the last
// one that did not: what a ratio cannot say of a function that is called rarely.
type Streaks struct {
	Store *Store

	mu    sync.Mutex
	names map[string]*streak // nil: what was stored before the start has not been read
}

type streak struct {
	gauge *Gauge
	n     int
}

// Ran counts an invocation. Of a function that has never failed nothing is kept.
func (s *Streaks) Ran(function string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resume()
	k := s.names[function]
	switch {
	case k == nil && !failed, k != nil && !failed && k.n == 0:
		return
	case k == nil:
		k = s.begin(function, 0)
	}
	if k.n++; !failed {
		k.n = 0
	}
	k.gauge.Set(float64(k.n))
}

// resume goes on from where the last run of the platform ended, as far back as rules
// look: a restart is no success, and a success after one must be seen as such.
func (s *Streaks) resume() {
	if s.names != nil {
		return
	}
	s.names = map[string]*streak{}
	list, err := s.Store.Instant(context.Background(), "last_over_time("+failuresInRowName+"[1d])", time.Now())
	if err != nil {
		s.Store.Log.Warn("how often functions failed in a row before the start is not known", "err", err)
	}
	for _, was := range list {
		for _, p := range was.Points {
			s.begin(was.Labels["function"], int(p.Value))
		}
	}
}

func (s *Streaks) begin(function string, n int) *streak {
	k := &streak{gauge: s.Store.Gauge(failuresInRowName, Labels{"function": function}), n: n}
	s.names[function] = k
	return k
}
