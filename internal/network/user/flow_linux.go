package user

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/dropstack/dropstack/internal/network"
)

// flow is one conversation of the function, and what was decided about it.
type flow struct {
	start    time.Time
	protocol network.Protocol
	from, to netip.AddrPort
	accepted bool
	reason   string
}

func newFlow(protocol network.Protocol, id stack.TransportEndpointID) flow {
	return flow{
		start: time.Now(), protocol: protocol,
		from: netip.AddrPortFrom(netip.AddrFrom4(id.RemoteAddress.As4()), id.RemotePort),
		to:   netip.AddrPortFrom(netip.AddrFrom4(id.LocalAddress.As4()), id.LocalPort),
	}
}

// refuse records a flow that came to nothing, unless it has been lately.
func (a *attachment) refuse(f flow) {
	if a.refusals.first(f) {
		a.record(f, 0, 0)
	}
}

func (a *attachment) record(f flow, sent, received int64) {
	if a.engine.Record == nil {
		return
	}
	a.engine.Record(network.FlowRecord{
		Time: f.start, Function: a.port.Function, Port: a.port.ID, VPC: a.port.VPC,
		Protocol: f.protocol, Source: f.from, Destination: f.to,
		Accepted: f.accepted, Reason: f.reason,
		Sent: sent, Received: received, Duration: time.Since(f.start),
	})
}

// target says where a flow goes: an address to dial, or the resolver. Neither
// means that the flow is refused, and f says why.
func (a *attachment) target(f *flow) (dial netip.AddrPort, resolve bool) {
	v := a.engine.Decide(a.port, f.protocol, f.to)
	f.accepted, f.reason = v.Accepted(), v.Reason
	switch v.Action {
	case network.Dial:
		if v.To.IsValid() {
			return v.To, false
		}
		f.reason = "no address to dial"
	case network.Resolve:
		if a.engine.Answer != nil {
			return dial, true
		}
		f.reason = "no resolver"
	case network.Serve:
		if to, ok := a.service(v.Service, f.to.Port()); ok && f.protocol == network.TCP {
			return to, false
		}
		f.reason = "no such service"
	}
	f.accepted = false
	return dial, false
}

func (a *attachment) service(name string, port uint16) (netip.AddrPort, bool) {
	if a.engine.Service == nil {
		return netip.AddrPort{}, false
	}
	return a.engine.Service(name, port)
}

// tcp takes the first segment of a connection; it runs on a goroutine of its own.
func (a *attachment) tcp(r *tcp.ForwarderRequest) {
	f := newFlow(network.TCP, r.ID())
	if f.reason = a.enter(); f.reason != "" {
		r.Complete(false)
		a.refuse(f)
		return
	}
	defer a.leave()
	to, resolve := a.target(&f)
	switch {
	case resolve:
		if c := a.accept(r); c != nil {
			sent, received := a.engine.answerTCP(a.ctx, a.port, c, dnsIdle)
			a.record(f, sent, received)
		}
		return
	case !f.accepted:
		r.Complete(false) // silently
		a.refuse(f)
		return
	}
	out, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(a.ctx, "tcp", to.String())
	if err != nil {
		// Refused is the other's answer and passed on; silence stays silence, and
		// the function's kernel gives up when it would anyway.
		r.Complete(errors.Is(err, syscall.ECONNREFUSED))
		f.reason = "unreachable"
		a.refuse(f)
		a.complain(f, err)
		return
	}
	end := outer{out.(*net.TCPConn)}
	in := a.accept(r)
	if in == nil { // the function has given up, or has reset what it had just made
		end.Abort()
		a.refuse(f) // accepted, but bounded like a refusal: it costs the function one packet
		return
	}
	sent, received := splice(a.ctx, in, end)
	a.record(f, sent, received)
}

// complain logs that dialling failed for want of something of this machine's.
func (a *attachment) complain(f flow, err error) {
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			a.engine.log().Warn("flow not connected", "instance", a.port.ID, "function", a.port.Function, "to", f.to, "err", err)
		}
	}
}

// accept completes the function's handshake; nil means that it did not take part.
func (a *attachment) accept(r *tcp.ForwarderRequest) *inner {
	c := &inner{}
	done := a.shaking(&c.queue)
	ep, err := r.CreateEndpoint(&c.queue)
	done()
	r.Complete(false)
	if err != nil {
		return nil
	}
	options := ep.SocketOptions()
	options.SetDelayOption(false)
	// A function may close a connection whose other end never does. Its kernel
	// forgets the half that is left and answers the probe with a reset.
	options.SetKeepAlive(true)
	idle := tcpip.KeepaliveIdleOption(time.Minute)
	_ = ep.SetSockOpt(&idle) // it has no way to fail
	c.ep, c.TCPConn = ep, gonet.NewTCPConn(&c.queue, ep)
	return c
}

// inner is the function's end of a TCP flow.
type inner struct {
	*gonet.TCPConn
	ep    tcpip.Endpoint
	queue waiter.Queue
}

// Read tells a reset from an end: the stack reports the error of a connection once,
// to whoever asks first, and the end of it to others.
func (c *inner) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if errors.Is(err, io.EOF) && tcp.EndpointState(c.ep.State()) == tcp.StateError {
		err = syscall.ECONNRESET
	}
	return n, err
}

// Abort resets the connection.
func (c *inner) Abort() { c.ep.Abort() }

// udp takes the first datagram of a flow. It runs on the reader's goroutine.
func (a *attachment) udp(r *udp.ForwarderRequest) bool {
	f := newFlow(network.UDP, r.ID())
	if f.reason = a.enter(); f.reason != "" {
		a.refuse(f)
		return true
	}
	to, resolve := a.target(&f)
	if !f.accepted {
		a.leave()
		a.refuse(f)
		return true
	}
	queue := &waiter.Queue{}
	ep, err := r.CreateEndpoint(queue)
	if err != nil {
		a.leave() // a second datagram overtook the first one's registration
		return true
	}
	ep.SocketOptions().SetReceiveBufferSize(udpBuffer, true)
	ep.SocketOptions().SetSendBufferSize(udpBuffer, true)
	in := gonet.NewUDPConn(queue, ep)
	go func() {
		defer a.leave()
		if resolve {
			sent, received := a.engine.answerUDP(a.ctx, a.port, in, dnsIdle)
			a.record(f, sent, received)
			return
		}
		a.relay(f, in, to)
	}()
	return true
}

func (a *attachment) relay(f flow, in net.Conn, to netip.AddrPort) {
	out, err := (&net.Dialer{}).DialContext(a.ctx, "udp", to.String())
	if err != nil {
		_ = in.Close()
		f.reason = "unreachable"
		a.refuse(f)
		a.complain(f, err)
		return
	}
	idle := udpIdle
	if f.to.Port() == 53 {
		idle = dnsIdle
	}
	sent, received := relay(a.ctx, in, out, idle)
	a.record(f, sent, received)
}
