package cache

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// spool is a body that grows while others read it, each at its own pace: in memory
// first, from a certain size or when memory is short in a file, and when there is no
// room at all as a window that moves with its slowest reader, which is the one case in
// which a reader slows the origin and the others down.
//
// Bytes [0, base) are in the file, [base, base+len(buf)) in memory.
type spool struct {
	cache *Cache

	mu       sync.Mutex
	wake     chan struct{} // closed at the next change; nil while nobody waits
	buf      []byte
	base     int64
	file     *writing
	window   bool  // not to be stored any more
	reserved int64 // of memory
	flushes  int   // how often the origin has asked for what there is to be sent
	done     bool
	err      error
	readers  map[*reader]bool
	stop     <-chan struct{} // closed when the fetch is to end
	alone    func()          // called when the last reader has left and more is to come
	object   *object
	settled  bool
}

// windowSize is how far ahead of its slowest reader a body is that cannot be stored.
const windowSize = 256 << 10

// errNobody ends the fetch of a body that cannot be stored and has no readers.
var errNobody = errors.New("nobody waits for the response")

// newSpool makes the spool of a body of size bytes, -1 when that is not known, for the
// readers that wait already.
func (c *Cache) newSpool(size int64, readers map[*reader]bool) *spool {
	s := &spool{cache: c, readers: readers}
	for r := range readers {
		r.spool = s
	}
	if size > 0 && size <= c.maxInMemory() && c.memory.reserve(size) {
		s.buf, s.reserved = make([]byte, 0, size), size
	}
	return s
}

func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := len(p)
	for len(p) > 0 {
		n := 0
		switch {
		case s.window && (len(s.readers) == 0 || s.stopped()):
			return all - len(p), errNobody
		case s.window:
			s.slide()
			n = min(len(p), max(0, windowSize-len(s.buf)))
			if n == 0 {
				s.wait(s.stop, nil) // readers say what they have read, and that they leave
				continue
			}
			s.buf = append(s.buf, p[:n]...)
		case s.file != nil:
			n = min(len(p), blockSize-len(s.buf))
			s.buf = append(s.buf, p[:n]...)
			if len(s.buf) == blockSize {
				s.flushBlock()
			}
		case s.grow(len(p)):
			s.buf = append(s.buf, p...)
			n = len(p)
		default:
			s.leaveMemory()
			continue
		}
		p = p[n:]
		s.signal()
	}
	return all, nil
}

// grow makes room for n more bytes in memory; false: they have to go elsewhere.
func (s *spool) grow(n int) bool {
	need, most := int64(len(s.buf)+n), s.cache.maxInMemory()
	if need <= int64(cap(s.buf)) {
		return true
	}
	size := max(need, min(2*int64(cap(s.buf)), most), min(4<<10, most))
	if size > most || !s.cache.memory.reserve(size) {
		return false
	}
	s.cache.memory.unreserve(s.reserved)
	s.buf, s.reserved = append(make([]byte, 0, size), s.buf...), size
	return true
}

// leaveMemory moves what there is to a file, or, without one, stops storing. Readers
// may hold parts of the old buffer, which therefore is not used again.
func (s *spool) leaveMemory() {
	file, err := s.cache.disk.begin()
	rest := s.buf
	for err == nil && len(rest) >= blockSize {
		err = file.write(rest[:blockSize])
		rest = rest[blockSize:]
	}
	if err != nil {
		s.cache.noRoom(err)
		file.close()
		s.window = true
		return
	}
	s.file, s.base = file, int64(len(s.buf)-len(rest))
	s.buf = append(make([]byte, 0, blockSize), rest...)
	s.cache.memory.unreserve(s.reserved)
	s.reserved = 0
}

// flushBlock moves a full block to the file. When that fails the block stays where it
// is, the first of the window; the file goes on to serve what is in it.
func (s *spool) flushBlock() {
	if err := s.file.write(s.buf); err != nil {
		s.cache.noRoom(err)
		s.window = true
		s.buf = append([]byte(nil), s.buf...) // readers get parts of it from now on
		return
	}
	s.base += int64(len(s.buf))
	s.buf = s.buf[:0]
}

func (s *spool) stopped() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// slide drops what every reader has had.
func (s *spool) slide() {
	slowest := s.base + int64(len(s.buf))
	for r := range s.readers {
		slowest = min(slowest, r.at)
	}
	if n := slowest - s.base; n >= int64(len(s.buf)+1)/2 {
		s.buf = append(make([]byte, 0, windowSize), s.buf[n:]...)
		s.base = slowest
	}
}

// flush asks for readers' clients to get what there is.
func (s *spool) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flushes++
	s.signal()
}

// end says that the body is complete, or, with an error, that it never will be.
func (s *spool) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done, s.err = true, err
	s.signal()
}

// settle lets go of memory and file when nobody needs them any more: the fetch has
// ended and the last reader has left. It needs s.mu.
func (s *spool) settle() {
	if !s.done || s.settled || len(s.readers) > 0 {
		return
	}
	s.settled = true
	if s.object != nil {
		s.cache.memory.release(s.object)
	} else {
		s.cache.memory.unreserve(s.reserved)
	}
	s.file.close()
	s.buf = nil
}

// finish is called once, after end.
func (s *spool) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
}

func (s *spool) signal() {
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// hesitation is how long a body may pause before clients are sent what has come of it,
// the head among it. Bodies that come in one go are sent in one go.
const hesitation = 5 * time.Millisecond

// patience waits for as long; true: nothing has changed.
func (s *spool) patience(stop <-chan struct{}) bool {
	timer := time.NewTimer(hesitation)
	defer timer.Stop()
	return s.wait(stop, timer.C)
}

// wait lets go of s.mu until something changes, or stop is closed, or, then it says
// true, the time has come.
func (s *spool) wait(stop <-chan struct{}, at <-chan time.Time) (late bool) {
	if s.wake == nil {
		s.wake = make(chan struct{})
	}
	wake := s.wake
	s.mu.Unlock()
	select {
	case <-wake:
	case <-stop:
	case <-at:
		late = true
	}
	s.mu.Lock()
	return late
}

// reader is one who is sent a spool's body.
type reader struct {
	spool   *spool
	at      int64
	flushes int    // of the spool's, those that have been done
	sent    bool   // the client has everything up to at, and the head
	idle    bool   // nothing more has come for a while
	block   []byte // of those parts that are in a file
}

// attach adds a reader; false when what it needs is gone already.
func (s *spool) attach(r *reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window || s.settled || s.err != nil {
		return false
	}
	r.spool = s
	s.readers[r] = true
	return true
}

// leave ends the reading.
func (r *reader) leave() {
	s := r.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.readers, r)
	s.signal()
	s.settle()
	if len(s.readers) == 0 && !s.done && s.alone != nil {
		s.alone()
	}
}

// next returns more of the body, from r.at on, good until it is called again; no bytes
// when what was written before is to be sent on; io.EOF at the end. It moves r.at, but
// not over limit, which is -1 for none.
func (r *reader) next(ctx context.Context, limit int64) ([]byte, error) {
	s := r.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch end := s.base + int64(len(s.buf)); {
		case s.err != nil:
			return nil, s.err // at once: the sooner the client knows the better
		case r.at < s.base:
			r.sent = false
			return r.fromFile(limit)
		case r.at < end:
			p := r.upTo(limit, s.buf[r.at-s.base:])
			if s.file != nil && !s.window { // the buffer is used again
				p = append(r.block[:0], p...)
				r.block = p
			}
			r.at += int64(len(p))
			r.sent = false
			if s.window {
				s.signal()
			}
			return p, nil
		case s.done:
			return nil, io.EOF
		}
		if r.flushes < s.flushes || r.idle {
			r.flushes, r.idle, r.sent = s.flushes, false, true
			return nil, nil
		}
		if r.sent {
			s.wait(ctx.Done(), nil)
		} else {
			r.idle = s.patience(ctx.Done())
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
}

// fromFile reads what of one block follows r.at. It lets go of the lock meanwhile.
func (r *reader) fromFile(limit int64) ([]byte, error) {
	s := r.spool
	file := s.file
	s.mu.Unlock()
	block, err := file.read(r.at/blockSize, r.block)
	s.mu.Lock()
	if err != nil {
		return nil, err
	}
	r.block = block[:0]
	p := r.upTo(limit, block[r.at%blockSize:])
	r.at += int64(len(p))
	return p, nil
}

// upTo cuts what follows r.at off at the limit.
func (r *reader) upTo(limit int64, p []byte) []byte {
	if limit < 0 {
		return p
	}
	return p[:min(int64(len(p)), limit-r.at)]
}
