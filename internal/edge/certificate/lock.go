package certificate

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// lease is how long a lock outlives a holder that has crashed. One that lives
// renews its lock three times in that time.
const lease = 30 * time.Second

// patience is how long a shutdown waits for orders under way to give their locks
// back; what is left then runs out by itself.
const patience = 5 * time.Second

// lockRecord is who holds a lock. It holds no secret and is not sealed.
type lockRecord struct {
	Holder string    `json:"holder"`
	Until  time.Time `json:"until"`
}

// held is a lock of this process.
type held struct {
	holder string
	stop   context.CancelFunc // of its renewal
	done   chan struct{}
}

// Lock implements certmagic.Locker, among all processes that share the bucket.
func (s *storage) Lock(ctx context.Context, name string) error {
	key, holder := store.Key(kindLock, name), rand.Text()
	for {
		taken, err := s.take(ctx, key, holder)
		if err != nil {
			return err
		}
		if taken {
			return s.hold(name, key, holder)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(s.lease / 30): // nobody tells of a holder who has gone
		}
	}
}

// take writes a lock unless somebody holds it.
func (s *storage) take(ctx context.Context, key, holder string) (bool, error) {
	at, err := s.bucket.Get(ctx, key)
	if err != nil && !errors.Is(err, store.ErrMissing) {
		return false, err
	}
	if err == nil {
		var now lockRecord
		if json.Unmarshal(at.Value, &now) == nil && now.Holder != holder && time.Now().Before(now.Until) {
			return false, nil
		}
	}
	doc, err := json.Marshal(lockRecord{holder, time.Now().Add(s.lease)})
	if err != nil {
		return false, err
	}
	_, err = s.bucket.Update(ctx, key, doc, at.Revision)
	if errors.Is(err, store.ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// hold renews a lock until it is given back.
func (s *storage) hold(name, key, holder string) error {
	ctx, stop := context.WithCancel(context.Background())
	h := &held{holder: holder, stop: stop, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		stop()
		return errors.Join(errClosed, s.erase(context.Background(), key))
	}
	if s.held == nil {
		s.held = map[string]*held{}
	}
	s.held[name] = h
	go func() {
		defer close(h.done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(s.lease / 3):
				_, _ = s.take(ctx, key, holder) // else it runs out, which locks are made for
			}
		}
	}()
	return nil
}

// errClosed says that the platform is shutting down.
var errClosed = fault.Errorf(fault.Unavailable, "the platform is shutting down")

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if h == nil {
		return nil
	}
	h.stop()
	<-h.done
	key := store.Key(kindLock, name)
	at, err := s.bucket.Get(ctx, key)
	var now lockRecord
	if err != nil || json.Unmarshal(at.Value, &now) != nil || now.Holder != h.holder {
		return nil // it ran out, and may be another's
	}
	if err := s.bucket.Erase(ctx, key, at.Revision); err != nil && !errors.Is(err, store.ErrChanged) {
		return err
	}
	return nil
}

// close lets nobody lock any more and waits a little for those who have.
func (s *storage) close() error {
	s.mu.Lock()
	s.closed = true
	var names []string
	var done []chan struct{}
	for name, h := range s.held {
		names, done = append(names, name), append(done, h.done)
	}
	s.mu.Unlock()
	late := time.After(patience)
	for _, one := range done {
		select {
		case <-one:
		case <-late:
			return s.giveBack(names)
		}
	}
	return nil
}

// giveBack ends the renewal of locks whose holders take too long, so that a process
// that starts next need not wait for them to run out.
func (s *storage) giveBack(names []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	for _, name := range names {
		errs = append(errs, s.Unlock(ctx, name))
	}
	return errors.Join(errs...)
}
