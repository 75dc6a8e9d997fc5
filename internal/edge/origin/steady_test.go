package origin

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestSocketsThatNobodyUsesAreClosed: speaking, in either direction, keeps one open.
func TestSocketsThatNobodyUsesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s, start := newSocket(ours, 10*time.Minute, &Asked{}), time.Now()
		ended := make(chan time.Duration)
		go func() {
			_, _ = io.Copy(io.Discard, s)
			ended <- time.Since(start)
		}()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		for range 3 {
			time.Sleep(9 * time.Minute)
			if _, err := theirs.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(9 * time.Minute)
			if _, err := s.Write([]byte("y")); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := <-ended, (54+10)*time.Minute; got != want {
			t.Errorf("closed after %v, want %v", got, want)
		}
		if from, to := s.asked.Traffic(); from != 3 || to != 3 {
			t.Errorf("counted %d and %d", from, to)
		}
	})
}
