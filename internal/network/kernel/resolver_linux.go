package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

const (
	// maxQueries of one resolver at once; what comes while so many wait is not answered,
	// and clients ask again.
	maxQueries = 256
	// queryIdle ends a connection to the resolver.
	queryIdle = 10 * time.Second
)

// resolver is the sockets of DNS at one address of a router.
type resolver struct {
	proxy *proxy
	udp   net.PacketConn
	tcp   net.Listener
	slots chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil: closed
}

// resolve answers at the wanted addresses, which the router has.
func (p *proxy) resolve(wanted []netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	keep := map[netip.Addr]bool{}
	for _, a := range wanted {
		keep[a] = true
		if p.resolvers[a] != nil {
			continue
		}
		r := &resolver{proxy: p, slots: make(chan struct{}, maxQueries), conns: map[net.Conn]struct{}{}}
		if err := p.router.thread.do(func() error { return r.listen(p.ctx, a) }); err != nil {
			return fmt.Errorf("resolver %s of %s: %w", a, p.router.name(), err)
		}
		p.resolvers[a] = r
		p.tasks.Go(r.datagrams)
		p.tasks.Go(r.streams)
	}
	for a, r := range p.resolvers {
		if !keep[a] {
			r.close()
			delete(p.resolvers, a)
		}
	}
	return nil
}

func (r *resolver) listen(ctx context.Context, a netip.Addr) (err error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	at := netip.AddrPortFrom(a, 53).String()
	if r.udp, err = lc.ListenPacket(ctx, "udp4", at); err != nil {
		return err
	}
	if r.tcp, err = lc.Listen(ctx, "tcp4", at); err != nil {
		return errors.Join(err, r.udp.Close())
	}
	return nil
}

func (r *resolver) close() {
	r.udp.Close() //nolint:errcheck // nothing is lost that clients do not ask for again
	r.tcp.Close() //nolint:errcheck
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close() //nolint:errcheck
	}
	r.conns = nil
}

func (r *resolver) answer(from netip.AddrPort, query []byte) []byte {
	e := r.proxy.router.engine
	p, ok := r.proxy.router.index.from(from.Addr())
	if !ok || e.Answer == nil {
		return nil
	}
	return e.Answer(r.proxy.ctx, p.Port, query)
}

func (r *resolver) datagrams() {
	buf := make([]byte, datagram)
	for {
		n, from, err := r.udp.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error about an earlier answer
		}
		select {
		case r.slots <- struct{}{}:
		default:
			continue
		}
		query := append([]byte(nil), buf[:n]...)
		r.proxy.tasks.Go(func() {
			defer func() { <-r.slots }()
			if answer := network.Fit(query, r.answer(addrPort(from), query)); answer != nil {
				r.udp.WriteTo(answer, from) //nolint:errcheck // lost answers are asked for again
			}
		})
	}
}

func (r *resolver) streams() {
	for {
		c, err := r.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-time.After(50 * time.Millisecond): // out of descriptors; others will end
			case <-r.proxy.ctx.Done():
			}
			continue
		}
		r.proxy.tasks.Go(func() { r.stream(c) })
	}
}

// stream answers queries of a connection in turn: two bytes of length, then the
// message (RFC 1035, 4.2.2).
func (r *resolver) stream(c net.Conn) {
	defer c.Close() //nolint:errcheck
	if !r.hold(c) {
		return
	}
	defer r.release(c)
	var length [2]byte
	for {
		c.SetDeadline(time.Now().Add(queryIdle)) //nolint:errcheck // closed: the read tells
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		answer := r.answer(addrPort(c.RemoteAddr()), query)
		if answer == nil || len(answer) > datagram {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := c.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

// hold keeps a connection until the resolver closes; false when it has, or when
// there are too many.
func (r *resolver) hold(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conns == nil || len(r.conns) >= maxQueries {
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *resolver) release(c net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}
