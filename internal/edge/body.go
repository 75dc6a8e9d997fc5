package edge

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// body is a request's body that is counted, bounded, and given up when too little
// arrives. Who reads it may be another than who answers, and go on when the answer
// is out.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	limits  *Limits
	limit   int64 // 0: none; set before anybody reads

	armed time.Time // of who reads
	pace  pace

	mu   sync.Mutex
	is   arrival
	done bool // the connection is somebody else's from now on
}

// arrival is what became of a body so far.
type arrival struct {
	bytes int64
	over  bool  // it is larger than its limit
	err   error // the first, other than the end
}

// explains says whether it is the reason for an answer with a status: of a body that is
// too large for any, of one that breaks off for what the origin could not do then.
func (a arrival) explains(status int) bool {
	return a.over || a.err != nil && status >= http.StatusInternalServerError
}

// broken says to the client what was wrong with its body.
func (b *body) broken(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{http.StatusRequestTimeout, "Too slow", fmt.Sprintf("Too little arrived within %v.", b.limits.stall())}
	}
	return &refusal{http.StatusBadRequest, "Incomplete", "The request's body could not be read to its end."}
}

// clientError is that a client's body cannot be read: nothing that an origin has done.
type clientError struct{ error }

func (e clientError) Unwrap() error { return e.error }

// state says what became of the body so far.
func (b *body) state() arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.is
}

// end keeps a reader that goes on from doing anything to the connection.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
}

func (b *body) Read(p []byte) (int, error) {
	start := time.Now()
	if err := b.begin(start); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	return b.take(n, err, time.Since(start))
}

// begin says why nothing is read any more, or gives the next bytes their time.
func (b *body) begin(now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.is.over:
		return &http.MaxBytesError{Limit: b.limit}
	case b.is.err != nil:
		return b.is.err
	case b.done:
		return http.ErrBodyReadAfterClose
	}
	if now.Sub(b.armed) > b.limits.stall()/10 {
		b.armed = now
		_ = b.control.SetReadDeadline(now.Add(b.limits.stall())) // not supported: nothing to stall
	}
	return nil
}

// take counts what was read.
func (b *body) take(n int, err error, took time.Duration) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.is.bytes += int64(n)
	switch {
	case b.limit > 0 && b.is.bytes > b.limit:
		b.is.over = true
		return 0, &http.MaxBytesError{Limit: b.limit}
	case err == io.EOF:
		// From here on the server watches the connection for the client leaving,
		// which may be a long time.
		if !b.done {
			_ = b.control.SetReadDeadline(time.Time{})
		}
	case err != nil:
		b.is.err = clientError{err}
		return n, b.is.err
	case !b.pace.step(n, took, b.limits):
		b.is.err = clientError{fmt.Errorf("the client sends less than %d bytes in %v: %w", b.limits.enough(), b.limits.stall(), os.ErrDeadlineExceeded)}
		return n, b.is.err
	}
	return n, err
}
