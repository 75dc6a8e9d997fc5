package metric

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// back is how far the clock may be behind what was written last before that counts
// as the future, which nobody waits for.
const back = time.Minute

// oldest is how old a datum may be when it comes: CloudWatch's two weeks.
const oldest = 14 * 24 * time.Hour

// Store keeps time series in a directory. Open it before use.
type Store struct {
	Dir      string
	Log      *slog.Logger
	MaxAge   time.Duration // 0: 30 days
	MaxBytes int64         // of closed blocks, the oldest go first; 0: 2 GB

	db        *tsdb.DB
	evaluator *promql.Engine
	registry  *prometheus.Registry // of the database's own measurements
	foreign   foreign
	ended     sync.Once
	stop      chan struct{}
	done      chan struct{}
	epoch     atomic.Uint64 // grows when instruments have retired

	mu     sync.Mutex
	known  map[string]instrument // by name and labels; the same for whoever asks
	active map[instrument]struct{}
	scopes map[string]int // active instruments by scope

	flushing sync.Mutex
	flushed  int64 // when, milliseconds

	data data
}

// Open opens the database, reads its log and begins to write instruments.
func (s *Store) Open() error {
	opts := tsdb.DefaultOptions()
	opts.RetentionDuration = s.Retention().Milliseconds()
	if opts.MaxBytes = s.MaxBytes; opts.MaxBytes == 0 {
		opts.MaxBytes = 2 << 30
	}
	opts.OutOfOrderTimeWindow = (oldest + 3*time.Hour).Milliseconds() // beyond data that is two hours ahead
	opts.NoLockfile = true                                            // whoever opened us has locked the whole directory
	opts.StripeSize = 1 << 10
	opts.WALSegmentSize = 16 << 20
	opts.MaxExemplars = 0
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("open the metrics: %w", err)
	}
	s.registry = prometheus.NewRegistry()
	db, err := tsdb.Open(s.Dir, s.Log.With("engine", "metrics"), s.registry, opts, nil)
	if err != nil {
		return fmt.Errorf("open the metrics in %s: %w", s.Dir, err)
	}
	if err := anchor(context.Background(), db, time.Now()); err != nil {
		return errors.Join(fmt.Errorf("open the metrics in %s: %w", s.Dir, err), db.Close())
	}
	s.db, s.evaluator = db, newEvaluator()
	s.known, s.active, s.scopes = map[string]instrument{}, map[instrument]struct{}{}, map[string]int{}
	s.data.open(db.Head().MaxTime())
	s.foreign = foreign{active: map[uint64]*visitor{}, sizes: map[string]int{}, refused: map[uint64]bool{}, described: map[string]Description{}}
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	go s.tick()
	return nil
}

// Retention is for how long samples are kept, as long as they fit.
func (s *Store) Retention() time.Duration { return or(s.MaxAge, 30*24*time.Hour) }

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Close writes what was measured and closes the database. Once is enough.
func (s *Store) Close() (err error) {
	s.ended.Do(func() {
		if s.db == nil {
			return
		}
		close(s.stop)
		<-s.done
		err = errors.Join(s.Flush(context.Background()), s.db.Close())
	})
	return err
}

// tick writes at whole multiples of the interval.
func (s *Store) tick() {
	defer close(s.done)
	for {
		now := time.Now()
		select {
		case <-s.stop:
			return
		case <-time.After(now.Truncate(every).Add(every).Sub(now)):
		}
		if err := s.flush(context.Background(), time.Now().Truncate(every), true); err != nil {
			s.Log.Error("metrics are not written", "err", err)
		}
	}
}

// Flush writes what the instruments have measured until now. Its samples are not later
// than its return, so that a question about that moment sees them.
func (s *Store) Flush(ctx context.Context) error {
	err := s.flush(ctx, time.Now(), false)
	s.flushing.Lock()
	at := s.flushed
	s.flushing.Unlock()
	// A millisecond, if there was a flush in this one already; of a clock that was set
	// back a little nobody waits for the rest.
	time.Sleep(min(time.Until(time.UnixMilli(at)), time.Second))
	return err
}

// flush writes every instrument that has changed, and at a tick those that have
// not for too long.
func (s *Store) flush(ctx context.Context, now time.Time, tick bool) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	at := now.UnixMilli()
	if s.flushed-at < back.Milliseconds() { // else the clock was set back, and what comes is of now
		at = max(at, s.flushed+1)
	}
	s.flushed = at
	s.mu.Lock()
	list := make([]instrument, 0, len(s.active))
	for in := range s.active {
		list = append(list, in)
	}
	s.mu.Unlock()
	app := appender{AppenderV2: s.db.AppenderV2(ctx)}
	for _, in := range list {
		idle := in.write(&app, at)
		if tick && idle >= retire.Milliseconds() {
			s.retire(in)
		}
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	if app.failed != nil {
		return fmt.Errorf("write metrics: %w", app.failed)
	}
	return nil
}

// appender keeps the first error, so that one series does not spoil the others.
type appender struct {
	storage.AppenderV2
	failed error
}

func (a *appender) add(ref *storage.SeriesRef, l labels.Labels, at int64, v float64) {
	next, err := a.Append(*ref, l, 0, at, v, nil, nil, storage.AppendV2Options{})
	a.keep(ref, next, l, err)
}

func (a *appender) keep(ref *storage.SeriesRef, next storage.SeriesRef, l labels.Labels, err error) {
	if err != nil {
		if a.failed == nil {
			a.failed = fmt.Errorf("%s: %w", l, err)
		}
		return
	}
	*ref = next
}

// Record writes one sample of a series now. t may be up to two weeks old, and come
// in any order.
func (s *Store) Record(ctx context.Context, name string, l Labels, t time.Time, v float64) error {
	app := appender{AppenderV2: s.db.AppenderV2(ctx)}
	var ref storage.SeriesRef
	app.add(&ref, l.set(name), t.UnixMilli(), v)
	if app.failed != nil {
		return errors.Join(fmt.Errorf("record %w", app.failed), app.Rollback())
	}
	if err := app.Commit(); err != nil {
		return fmt.Errorf("record %s: %w", name, err)
	}
	return nil
}
