package edge

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Limits keep clients that ask for too much at once, or take too long over it, from
// taking the machine from everybody else. What is 0 is the default, which suits one
// machine.
type Limits struct {
	Connections int           // open at the same time; default 10,000
	PerClient   int           // of those, of one address, of IPv6 of one /64; trusted proxies have no such limit; default 1,000
	Streams     int           // requests at the same time on one HTTP/2 connection; default 100
	Headers     int           // header lines of a request; default 200
	Head        time.Duration // for a request's head to arrive; default 15 s
	Idle        time.Duration // between two requests of one connection; default 2 minutes
	Stall       time.Duration // without a byte moving, in either direction; default 1 minute
	Rate        int           // bytes a second that a body must move, in either direction, over each Stall of waiting; default 200; negative: any
}

func (l Limits) connections() int    { return cmp.Or(l.Connections, 10_000) }
func (l Limits) perClient() int      { return cmp.Or(l.PerClient, 1_000) }
func (l Limits) streams() int        { return cmp.Or(l.Streams, 100) }
func (l Limits) headers() int        { return cmp.Or(l.Headers, 200) }
func (l Limits) head() time.Duration { return cmp.Or(l.Head, 15*time.Second) }
func (l Limits) idle() time.Duration { return cmp.Or(l.Idle, 2*time.Minute) }
func (l Limits) stall() time.Duration {
	return cmp.Or(l.Stall, time.Minute)
}

// enough is how many bytes have to move while one stall is waited for.
func (l Limits) enough() int64 {
	rate := cmp.Or(l.Rate, 200)
	if rate < 0 {
		return 0
	}
	return int64(float64(rate) * l.stall().Seconds())
}

// Check says which limits cannot be meant.
func (l Limits) Check() error {
	for _, c := range []struct {
		name string
		n    int64
	}{
		{"connections", int64(l.Connections)},
		{"connections of one client", int64(l.PerClient)},
		{"streams", int64(l.Streams)},
		{"headers", int64(l.Headers)},
		{"time for a head", int64(l.Head)},
		{"idle time", int64(l.Idle)},
		{"stall time", int64(l.Stall)},
	} {
		if c.n < 0 {
			return fault.Errorf(fault.Invalid, "limits: %s must not be negative; 0 is the default", c.name)
		}
	}
	if l.Stall > 0 && l.Stall < time.Second {
		return fault.Errorf(fault.Invalid, "limits: the stall time is %v; with less than a second every pause would end a connection", l.Stall)
	}
	return nil
}

// pace watches how fast one direction of a connection or a body moves. Only the time
// that is spent waiting for the client counts. It is for one goroutine at a time.
type pace struct {
	moved  int64
	waited time.Duration
}

// step adds what has moved and how long that took; false: the client is too slow.
func (p *pace) step(n int, took time.Duration, l *Limits) bool {
	p.moved, p.waited = p.moved+int64(n), p.waited+took
	if p.waited < l.stall() {
		return true
	}
	ok := p.moved >= l.enough()
	p.moved, p.waited = 0, 0
	return ok
}

// gate counts connections, of all listeners of a server.
type gate struct {
	mu     sync.Mutex
	open   int
	of     map[netip.Prefix]int
	turned int       // away since it was last said
	said   time.Time // when that was
}

// enter lets a connection in, unless there are too many.
func (g *gate) enter(s *Server, from netip.Addr) (netip.Prefix, bool) {
	who := clientOf(from)
	limited := from.IsValid() && !s.trusted(from)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open >= s.Limits.connections() || limited && g.of[who] >= s.Limits.perClient() {
		g.turned++
		if now := time.Now(); now.Sub(g.said) > time.Minute {
			s.Log.Warn("connections turned away", "count", g.turned, "open", g.open, "last", from.String())
			g.turned, g.said = 0, now
		}
		return who, false
	}
	g.open++
	if g.of == nil {
		g.of = map[netip.Prefix]int{}
	}
	g.of[who]++
	return who, true
}

func (g *gate) leave(who netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if g.of[who]--; g.of[who] == 0 {
		delete(g.of, who)
	}
}

// clientOf is what is taken for one client: an IPv4 address, the /64 of IPv6.
func clientOf(a netip.Addr) netip.Prefix {
	bits := 64
	if a.Is4() {
		bits = 32
	}
	p, _ := a.Prefix(bits) // of an invalid address: the zero prefix, which all of those share
	return p
}

// door is a listener behind the gate. Its connections give up clients that take
// nothing.
type door struct {
	net.Listener
	server *Server
}

func (d door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		who, ok := d.server.gate.enter(d.server, addressOf(c.RemoteAddr().String()).Addr())
		if ok {
			return &conn{Conn: c, server: d.server, who: who}, nil
		}
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // nothing stays behind of it
		}
		_ = c.Close()
	}
}

// conn is a client's connection. What is written to it has to be taken within the
// limits, whichever protocol runs over it.
type conn struct {
	net.Conn
	server *Server
	who    netip.Prefix
	closed sync.Once

	mu    sync.Mutex // one write at a time
	pace  pace
	armed atomic.Int64 // when the write deadline was last set; 0: somebody else has set it
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	limits, total := &c.server.Limits, 0
	for {
		start := time.Now()
		if start.UnixNano()-c.armed.Load() > int64(limits.stall()/10) {
			c.armed.Store(start.UnixNano())
			if err := c.Conn.SetWriteDeadline(start.Add(limits.stall())); err != nil {
				return total, err
			}
		}
		n, err := c.Conn.Write(p[total:])
		total += n
		if !c.pace.step(n, time.Since(start), limits) {
			return total, fmt.Errorf("the client takes less than %d bytes in %v", limits.enough(), limits.stall())
		}
		t, timeout := err.(net.Error)
		if err == nil || !timeout || !t.Timeout() || n == 0 {
			return total, err
		}
		c.armed.Store(0) // slow, but it moves
	}
}

// SetWriteDeadline is for the server, which means what it says.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.armed.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline likewise.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.Conn.SetReadDeadline(t)
}

// CloseWrite lets the server end a connection so that the client gets the last answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *conn) Close() error {
	c.closed.Do(func() { c.server.gate.leave(c.who) })
	return c.Conn.Close()
}
