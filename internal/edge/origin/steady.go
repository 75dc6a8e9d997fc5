package origin

import (
	"io"
	"sync/atomic"
	"time"
)

// steady is a body that may not be silent for longer than patience. Only waiting for
// the origin counts: a slow client takes its time between two reads.
type steady struct {
	io.ReadCloser
	patience time.Duration
	timer    *time.Timer
	asked    *Asked
	err      error // the first, other than the end
	ended    bool
}

func (s *steady) Read(p []byte) (int, error) {
	s.timer.Reset(s.patience)
	n, err := s.ReadCloser.Read(p)
	s.timer.Stop()
	switch {
	case err == io.EOF:
		s.ended = true
	case err != nil && s.err == nil:
		s.err = err
		s.asked.Failed("OriginReadError")
	}
	return n, err
}

func (s *steady) Close() error {
	s.timer.Stop()
	return s.ReadCloser.Close()
}

func (s *steady) broken() bool { return s.err != nil }

type readWriteCloser interface {
	io.Reader
	io.Writer
	io.Closer
}

// socket is the connection to an origin after a switch of protocols: closed when
// neither side has said anything for a while, counted for the record.
type socket struct {
	readWriteCloser
	idle  time.Duration
	timer *time.Timer
	asked *Asked
}

func newSocket(c readWriteCloser, idle time.Duration, asked *Asked) *socket {
	s := &socket{readWriteCloser: c, idle: idle, asked: asked}
	s.timer = time.AfterFunc(idle, func() { _ = c.Close() })
	return s
}

func (s *socket) Read(p []byte) (int, error) {
	n, err := s.readWriteCloser.Read(p)
	s.asked.received.Add(int64(n))
	s.moved(err)
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.readWriteCloser.Write(p)
	s.asked.sent.Add(int64(n))
	s.moved(err)
	return n, err
}

func (s *socket) moved(err error) {
	if err == nil {
		s.timer.Reset(s.idle)
	}
}

func (s *socket) Close() error {
	s.timer.Stop()
	return s.readWriteCloser.Close()
}

// traffic is the bytes of a switched protocol.
type traffic struct{ received, sent atomic.Int64 }

// Traffic is how many bytes a WebSocket's two ends have sent: the origin and the
// client.
func (t *traffic) Traffic() (fromOrigin, fromClient int64) {
	return t.received.Load(), t.sent.Load()
}
