package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// proxy answers at the addresses of a router: for outside hosts and endpoints by
// passing bytes on, for the resolver by itself. The router's rules have let through
// whoever arrives here.
type proxy struct {
	router *router
	port   uint16 // on the router's loopback, for both protocols
	tcp    net.Listener
	udp    *net.UDPConn

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu        sync.Mutex
	resolvers map[netip.Addr]*resolver
	sessions  map[pair]*session
}

// pair is both ends of a flow.
type pair struct{ from, to netip.AddrPort }

const (
	dialTimeout = 10 * time.Second
	// reasonDial is of flows that were allowed and whose host did not answer.
	reasonDial = "unreachable"
)

// listenProxy runs on the router's thread.
func listenProxy(r *router) (*proxy, error) {
	p := &proxy{router: r, resolvers: map[netip.Addr]*resolver{}, sessions: map[pair]*session{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	lc := net.ListenConfig{Control: transparent, KeepAlive: 30 * time.Second}
	lc.SetMultipathTCP(false)
	tcp, err := lc.Listen(p.ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen in the router: %w", err)
	}
	addr := tcp.Addr().(*net.TCPAddr).AddrPort()
	udp, err := lc.ListenPacket(p.ctx, "udp4", addr.String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen in the router: %w", err), tcp.Close())
	}
	p.tcp, p.udp, p.port = tcp, udp.(*net.UDPConn), addr.Port()
	return p, nil
}

// transparent lets a socket accept packets for addresses that are not its own, and
// tell which.
func transparent(_, _ string, c syscall.RawConn) (err error) {
	controlErr := c.Control(func(fd uintptr) {
		err = errors.Join(
			unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVORIGDSTADDR, 1),
			unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	})
	return errors.Join(controlErr, err)
}

func (p *proxy) run() {
	p.tasks.Go(p.acceptTCP)
	p.tasks.Go(p.readUDP)
}

func (p *proxy) close() {
	p.cancel()
	p.tcp.Close() //nolint:errcheck // listeners have nothing to lose
	p.udp.Close() //nolint:errcheck
	p.mu.Lock()
	for _, r := range p.resolvers {
		r.close()
	}
	for _, s := range p.sessions {
		s.Close() //nolint:errcheck
	}
	p.mu.Unlock()
	p.tasks.Wait()
}

func (p *proxy) acceptTCP() {
	for {
		c, err := p.tcp.Accept()
		if err != nil {
			if p.ctx.Err() != nil {
				return
			}
			p.router.engine.log().Warn("accept in a router", "vpc", p.router.vpc, "err", err)
			select {
			case <-time.After(50 * time.Millisecond): // out of descriptors; others will end
			case <-p.ctx.Done():
			}
			continue
		}
		p.tasks.Go(func() { p.serveTCP(c.(*net.TCPConn)) })
	}
}

// target is where a flow to one of the router's addresses goes on to.
type target struct {
	port   *port
	to     netip.AddrPort
	reason string // why it passes
	// refused says why not.
	refused string
}

// target finds the port that a flow is from and the host that it is for.
func (p *proxy) target(protocol network.Protocol, from, to netip.AddrPort) (t target, known bool) {
	e := p.router.engine
	t.port, known = p.router.index.from(from.Addr())
	if !known {
		return t, false
	}
	if e.Decide != nil && !e.permissive {
		switch v := e.Decide(t.port.Port, protocol, to); v.Action {
		case network.Dial:
			t.to, t.reason = v.To, v.Reason
			return t, true
		case network.Serve:
			t.reason = v.Reason
			t.to, t.refused = p.service(v.Service, to.Port())
			return t, true
		default:
			t.refused = v.Reason
			return t, true
		}
	}
	m := p.router.index.networks()
	for _, i := range m.Interfaces {
		if i.Address == to.Addr() && p.mine(m, i.Subnet) {
			t.to = netip.AddrPortFrom(i.Attach, to.Port())
			return t, true
		}
	}
	for _, n := range m.Endpoints {
		if n.Address == to.Addr() && p.mine(m, n.Subnet) {
			t.to, t.refused = p.service(n.Service, to.Port())
			return t, true
		}
	}
	t.refused = reasonUnreachable
	return t, true
}

func (p *proxy) mine(m *network.Model, subnet string) bool {
	for _, s := range m.Subnets {
		if s.ID == subnet {
			return s.VPC == p.router.vpc
		}
	}
	return false
}

func (p *proxy) service(service string, port uint16) (netip.AddrPort, string) {
	if p.router.engine.Service != nil {
		if to, ok := p.router.engine.Service(service, port); ok {
			return to, ""
		}
	}
	return netip.AddrPort{}, reasonDial
}

// from is the port that has an address, in this network or in a peered one.
func (x *index) from(a netip.Addr) (*port, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if p, ok := x.byAddr[a]; ok {
		return p, true
	}
	for _, r := range x.doors {
		r.index.mu.RLock()
		p, ok := r.index.byAddr[a]
		r.index.mu.RUnlock()
		if ok {
			return p, true
		}
	}
	return nil, false
}

func (x *index) port(device uint32) (*port, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	p, ok := x.byDevice[device]
	return p, ok
}

func (x *index) networks() *network.Model {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.model
}

func (p *proxy) serveTCP(in *net.TCPConn) {
	defer in.Close() //nolint:errcheck // both directions have ended or failed
	from, to := addrPort(in.RemoteAddr()), addrPort(in.LocalAddr())
	t, known := p.target(network.TCP, from, to)
	if !known {
		return
	}
	flow := newFlow(t, network.TCP, from, to)
	defer func() { p.router.engine.record(flow.end(t.refused)) }()
	if t.refused == "" {
		t.refused = p.carry(in, t, flow)
	}
	if t.refused != "" {
		in.SetLinger(0) //nolint:errcheck // a reset, as from a host that is not there
	}
}

// carry connects and copies until both directions have ended. It returns why not.
func (p *proxy) carry(in *net.TCPConn, t target, flow *flow) string {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	both := &joined{in: in, cancel: cancel}
	if !t.port.hold(both) {
		return reasonDial
	}
	defer t.port.release(both)
	stop := context.AfterFunc(p.ctx, func() { both.Close() }) //nolint:errcheck
	defer stop()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", t.to.String())
	if err != nil {
		p.router.engine.log().Info("an outside host of a network does not answer",
			"vpc", p.router.vpc, "function", t.port.Function, "to", t.to, "err", err)
		return reasonDial
	}
	out := c.(*net.TCPConn)
	defer out.Close() //nolint:errcheck
	if !both.with(out) {
		return ""
	}
	var back sync.WaitGroup
	back.Go(func() { flow.received.Add(pass(in, out)) })
	flow.sent.Add(pass(out, in))
	back.Wait()
	return ""
}

// pass copies one direction and hands on its end; an error ends both.
func pass(to, from *net.TCPConn) int64 {
	n, err := io.Copy(to, from)
	if err != nil {
		to.SetLinger(0)   //nolint:errcheck
		to.Close()        //nolint:errcheck
		from.SetLinger(0) //nolint:errcheck
		from.Close()      //nolint:errcheck
		return n
	}
	to.CloseWrite() //nolint:errcheck // it may have closed the other way already
	return n
}

// joined is the two connections of a flow, to be closed from outside.
type joined struct {
	in     *net.TCPConn
	cancel context.CancelFunc

	mu     sync.Mutex
	out    *net.TCPConn
	closed bool
}

func (j *joined) with(out *net.TCPConn) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.out = out
	return !j.closed
}

func (j *joined) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.cancel()
	j.in.SetLinger(0) //nolint:errcheck
	err := j.in.Close()
	if j.out != nil {
		err = errors.Join(err, j.out.Close())
	}
	return err
}

func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
