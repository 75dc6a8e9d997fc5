package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

const (
	// sessionIdle ends a flow of datagrams, which has no end of its own.
	sessionIdle = 60 * time.Second
	// maxSessions of a router at once; further flows of datagrams are refused.
	maxSessions = 4096
	datagram    = 65535 // bytes at most
)

// session is a flow of datagrams: the function's side, a socket of the router with
// the address that the function has sent to, and the host's side.
type session struct {
	in, out *net.UDPConn
	flow    *flow
	last    atomic.Int64 // of the last datagram, in nanoseconds since 1970
	once    sync.Once
}

// Close ends both directions.
func (s *session) Close() (err error) {
	s.once.Do(func() { err = errors.Join(s.in.Close(), s.out.Close()) })
	return err
}

// readUDP receives the first datagrams of every flow; once its session has a socket of
// its own, the kernel brings the others there.
func (p *proxy) readUDP() {
	buf, oob := make([]byte, datagram), make([]byte, 128)
	for {
		n, m, _, from, err := p.udp.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			continue // an ICMP error of an earlier datagram
		}
		to, ok := originalDestination(oob[:m])
		if !ok {
			continue
		}
		ends := pair{netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), to}
		if s := p.session(ends); s != nil {
			s.send(buf[:n])
		}
	}
}

// originalDestination reads the control message IP_ORIGDSTADDR, a sockaddr_in.
func originalDestination(oob []byte) (netip.AddrPort, bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.AddrPort{}, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_ORIGDSTADDR && len(m.Data) >= 8 {
			addr := netip.AddrFrom4([4]byte(m.Data[4:8]))
			return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(m.Data[2:4])), true
		}
	}
	return netip.AddrPort{}, false
}

// session returns the flow's session, nil when it is refused.
func (p *proxy) session(ends pair) *session {
	p.mu.Lock()
	s, ok := p.sessions[ends]
	full := len(p.sessions) >= maxSessions
	p.mu.Unlock()
	if ok {
		return s
	}
	t, known := p.target(network.UDP, ends.from, ends.to)
	if !known {
		return nil
	}
	flow := newFlow(t, network.UDP, ends.from, ends.to)
	if full {
		t.refused = "too many flows"
	}
	if t.refused == "" {
		var err error
		if s, err = p.open(ends, t, flow); err == nil {
			return s
		}
		p.router.engine.log().Info("an outside host of a network cannot be sent to",
			"vpc", p.router.vpc, "function", t.port.Function, "to", t.to, "err", err)
		t.refused = reasonDial
	}
	p.router.engine.record(flow.end(t.refused))
	return nil
}

func (p *proxy) open(ends pair, t target, flow *flow) (*session, error) {
	out, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(t.to))
	if err != nil {
		return nil, err
	}
	s := &session{out: out, flow: flow}
	err = p.router.thread.do(func() error {
		d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(ends.to), Control: transparent}
		c, err := d.DialContext(p.ctx, "udp4", ends.from.String())
		if err != nil {
			return err
		}
		s.in = c.(*net.UDPConn)
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("answer from %s: %w", ends.to, err), out.Close())
	}
	s.touch()
	if !t.port.hold(s) {
		return nil, errors.Join(errThreadClosed, s.Close())
	}
	p.mu.Lock()
	p.sessions[ends] = s
	p.mu.Unlock()
	if p.ctx.Err() != nil {
		s.Close() //nolint:errcheck // the proxy has closed those it saw
	}
	p.tasks.Go(func() { p.carryDatagrams(ends, t, s) })
	return s, nil
}

func (p *proxy) carryDatagrams(ends pair, t target, s *session) {
	var back sync.WaitGroup
	back.Go(func() { s.pump(s.in, s.out, &s.flow.received) })
	s.pump(s.out, s.in, &s.flow.sent)
	back.Wait()
	s.Close() //nolint:errcheck // datagrams have no end to hand on
	t.port.release(s)
	p.mu.Lock()
	delete(p.sessions, ends)
	p.mu.Unlock()
	p.router.engine.record(s.flow.end(""))
}

func (s *session) touch() { s.last.Store(time.Now().UnixNano()) }

func (s *session) send(b []byte) {
	s.touch()
	count(&s.flow.sent, s.out, b)
}

// count writes a datagram. It is counted first: who has read it may look at the
// flow at once.
func count(bytes *atomic.Int64, to *net.UDPConn, b []byte) {
	bytes.Add(int64(len(b)))
	if _, err := to.Write(b); err != nil {
		bytes.Add(-int64(len(b)))
	}
}

// pump copies datagrams until the session is closed or neither side has sent one
// for a while.
func (s *session) pump(to, from *net.UDPConn, bytes *atomic.Int64) {
	buf := make([]byte, datagram)
	for {
		from.SetReadDeadline(time.Unix(0, s.last.Load()).Add(sessionIdle)) //nolint:errcheck // closed: Read tells
		n, err := from.Read(buf)
		var timeout net.Error
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.As(err, &timeout) && timeout.Timeout():
			if time.Since(time.Unix(0, s.last.Load())) < sessionIdle {
				continue // the other side has been busy
			}
			s.Close() //nolint:errcheck
			return
		case err != nil:
			continue // "port unreachable" about an earlier one; UDP goes on
		}
		s.touch()
		count(bytes, to, buf[:n])
	}
}
