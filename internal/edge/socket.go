package edge

import (
	"bufio"
	"context"
	"net"
	"sync"
)

// sockets are the connections that have switched protocols. The server that accepted
// them does not know them any more.
type sockets struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	busy   sync.WaitGroup
}

// add keeps a connection until leave; false: we are shutting down.
func (s *sockets) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.open == nil {
		s.open = map[net.Conn]bool{}
	}
	s.open[c] = true
	s.busy.Add(1)
	return true
}

func (s *sockets) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[c] {
		delete(s.open, c)
		s.busy.Done()
	}
}

// close ends every connection: nobody could tell when one is done.
func (s *sockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.open {
		_ = c.Close() // whoever copies notices
	}
}

// wait returns when the last record has been written.
func (s *sockets) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// Hijack hands the connection over for a switch of protocols.
func (v *visit) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := v.reply.Hijack()
	if err != nil {
		return nil, nil, err
	}
	if !v.server.sockets.add(c) {
		_ = c.Close()
		return nil, nil, net.ErrClosed
	}
	v.switched = c
	return c, rw, nil
}
