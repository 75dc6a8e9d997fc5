package user

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
)

// attachment is a port with its stack, from Attach to detach.
type attachment struct {
	engine *Engine
	port   *network.Port
	link   *link
	stack  *stack.Stack
	ctx    context.Context // ends the flows
	cancel context.CancelFunc
	detach func() error

	mu       sync.Mutex
	closed   bool
	flows    int
	halves   map[*waiter.Queue]struct{} // of handshakes that are under way
	running  sync.WaitGroup             // one a flow; Add under mu, while not closed
	refusals refusals
}

const nic tcpip.NICID = 1

var _ network.Engine = (*Engine)(nil)

// Attach serves ns.TUN as port. The device is set to non-blocking mode, which
// the caller's file shares; nobody else may read from it until detach returns.
// ns.Net is not used.
func (e *Engine) Attach(_ context.Context, port *network.Port, ns network.Namespace) (func() error, error) {
	if !port.Address.Is4() {
		return nil, fault.Errorf(fault.Invalid, "port %s: address %s: functions have IPv4 addresses", port.ID, port.Address)
	}
	if ns.TUN == nil {
		return nil, fault.Errorf(fault.Invalid, "port %s: its namespace has no TUN device", port.ID)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, fault.Errorf(fault.Unavailable, "port %s: the network is shutting down", port.ID)
	}
	tun, err := duplicate(ns.TUN)
	if err != nil {
		return nil, fmt.Errorf("port %s: TUN device: %w", port.ID, err)
	}
	a := &attachment{engine: e, port: port}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	a.detach = sync.OnceValue(a.end)
	a.link = &link{tun: tun, admit: a.admit}
	if err := a.start(); err != nil {
		a.cancel()
		return nil, errors.Join(fmt.Errorf("port %s: %w", port.ID, err), tun.Close())
	}
	if e.attached == nil {
		e.attached = map[*attachment]struct{}{}
	}
	e.attached[a] = struct{}{}
	return a.detach, nil
}

// duplicate gives the engine a descriptor of its own, which it may close to wake
// its reader.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	if cerr := raw.Control(func(orig uintptr) { fd, err = unix.FcntlInt(orig, unix.F_DUPFD_CLOEXEC, 3) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (a *attachment) start() error {
	a.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	if err := a.configure(); err != nil {
		a.stack.Destroy()
		return errors.New(err.String())
	}
	syns := tcp.NewForwarder(a.stack, tcpBuffer, maxHalfOpen, a.tcp)
	a.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, syns.HandlePacket)
	a.stack.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(a.stack, a.udp).HandlePacket)
	a.link.start()
	return nil
}

func (a *attachment) configure() tcpip.Error {
	sack := tcpip.TCPSACKEnabled(true)
	retries := tcpip.TCPSynRetriesOption(3) // SYN-ACKs to a function that doesn't complete its handshake
	wait := tcpip.TCPTimeWaitTimeoutOption(time.Second)
	rcv := tcpip.TCPReceiveBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: tcpBuffer, Max: tcpBuffer}
	snd := tcpip.TCPSendBufferSizeRangeOption{Min: tcp.MinBufferSize, Default: tcpBuffer, Max: tcpBuffer}
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &retries, &wait, &rcv, &snd} {
		if err := a.stack.SetTransportProtocolOption(tcp.ProtocolNumber, option); err != nil {
			return err
		}
	}
	if err := a.stack.CreateNIC(nic, a.link); err != nil {
		return err
	}
	// Promiscuous: it receives for every address; spoofing: it answers as any.
	if err := a.stack.SetPromiscuousMode(nic, true); err != nil {
		return err
	}
	if err := a.stack.SetSpoofing(nic, true); err != nil {
		return err
	}
	a.stack.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return nil
}

// end ends all flows and returns when no goroutine and no descriptor of the port
// is left.
func (a *attachment) end() error {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	err := a.link.stopReading() // no new flows from here on
	a.cancel()
	a.stack.Close() // resets what is open, which the device must still carry
	a.wait()
	a.stack.Wait()
	err = errors.Join(err, a.link.tun.Close())
	if left := a.refusals.unrecorded(); left > 0 {
		a.engine.log().Warn("refused flows not recorded", "instance", a.port.ID, "function", a.port.Function, "flows", left)
	}
	a.engine.mu.Lock()
	delete(a.engine.attached, a)
	a.engine.mu.Unlock()
	return err
}

// wait returns when no flow is left. The stack resets the connections that it knows,
// but waits a minute for the end of a handshake that begins while it closes.
func (a *attachment) wait() {
	done := make(chan struct{})
	go func() { defer close(done); a.running.Wait() }()
	for {
		a.mu.Lock()
		for queue := range a.halves {
			queue.Notify(waiter.WritableEvents) // it looks, and finds that it is not connected
		}
		a.mu.Unlock()
		select {
		case <-done:
			return
		case <-time.After(5 * time.Millisecond): // it may not have listened yet
		}
	}
}

// shaking has a handshake be broken off when the port is detached.
func (a *attachment) shaking(queue *waiter.Queue) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.halves == nil {
		a.halves = map[*waiter.Queue]struct{}{}
	}
	a.halves[queue] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.halves, queue)
	}
}

// enter counts a flow in, unless the port is being detached, or there are too many.
func (a *attachment) enter() (reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return "detached"
	case a.flows >= a.engine.maxFlows():
		return "too many flows"
	case !a.engine.take():
		return "too many flows of all functions"
	}
	a.flows++
	a.running.Add(1)
	return ""
}

func (a *attachment) leave() {
	a.mu.Lock()
	a.flows--
	a.mu.Unlock()
	a.engine.give()
	a.running.Done()
}
