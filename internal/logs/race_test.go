package logs_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

// TestEverythingAtOnce appends, puts, imports, makes blocks and reads at the same time.
// A reader never sees a record twice, nor a put in part.
func TestEverythingAtOnce(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "/put", "s")
	const rounds = 40
	var writers, readers sync.WaitGroup
	ended := make(chan struct{})
	writers.Go(func() {
		for range rounds {
			fill(s, "/appended", 500)
			if err := s.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Go(func() {
		for i := range rounds {
			var list []logs.InputLogEvent
			for k := range 100 {
				list = append(list, logs.InputLogEvent{Timestamp: time.Now().UnixMilli(), Message: fmt.Sprintf(`{"put":%d,"event":%d}`, i, k)})
			}
			put(t, s, "/put", "s", list)
		}
	})
	writers.Go(func() {
		for i := range rounds {
			if _, _, err := s.Import(t.Context(), fmt.Sprint(i), sequence(at(0, "/imported", fmt.Sprint(i)))); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Go(func() {
		for range rounds {
			if err := s.Expire(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2 {
		readers.Go(func() {
			for last := false; !last; {
				select {
				case <-ended:
					last = true
				default:
				}
				if err := consistent(t, s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(ended)
	readers.Wait()
	for name, want := range map[string]int{"/appended": 500 * rounds, "/put": 100 * rounds, "/imported": rounds} {
		if got := len(messages(t, s, logs.Filter{Group: name, Limit: 1999})); got != want {
			t.Errorf("%s: got %d records, want %d", name, got, want)
		}
	}
	if st := s.Stats(); st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// consistent reads what was put, and says what is wrong with it.
func consistent(t *testing.T, s *logs.Store) error {
	events := map[string]int{}
	for b, err := range s.Batches(t.Context(), logs.Selection{Groups: []string{"/put"}, Columns: []string{"put"}}) {
		if err != nil {
			return err
		}
		c := b.Column("put")
		for i := range b.Len() {
			v, ok := c.At(i)
			if !ok {
				return errors.New("a record has no number")
			}
			events[v]++
		}
	}
	for id, n := range events {
		if n != 100 {
			return fmt.Errorf("put %s has %d events", id, n)
		}
	}
	return nil
}
