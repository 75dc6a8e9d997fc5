package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// flow is a flow of the proxy while it runs.
type flow struct {
	start          network.FlowRecord
	sent, received atomic.Int64
}

func newFlow(t target, protocol network.Protocol, from, to netip.AddrPort) *flow {
	f := &flow{start: recordOf(t.port, protocol, from, to)}
	f.start.Reason = t.reason
	return f
}

func recordOf(p *port, protocol network.Protocol, from, to netip.AddrPort) network.FlowRecord {
	return network.FlowRecord{
		Time: time.Now(), Function: p.Function, Port: p.ID, VPC: p.VPC,
		Protocol: protocol, Source: from, Destination: to,
	}
}

// reason words what the kernel has decided as Decide does. Where the two differ,
// and for what is no flow of the port's own, the kernel's reason stands.
func (e *Engine) reason(p *port, r network.FlowRecord, kernel string) string {
	if e.Decide == nil || kernel == reasonSpoofed || kernel == reasonInbound || kernel == reasonInvalid {
		return kernel
	}
	if v := e.Decide(p.Port, r.Protocol, r.Destination); v.Accepted() == r.Accepted {
		return v.Reason
	}
	return kernel
}

func (f *flow) end(refused string) network.FlowRecord {
	r := f.start
	r.Accepted = refused == "" || refused == reasonDial
	if refused != "" {
		r.Reason = refused
	}
	r.Sent, r.Received, r.Duration = f.sent.Load(), f.received.Load(), time.Since(r.Time)
	return r
}

// flows hears from a router's kernel which packets were refused, by nfnetlink_log,
// and which flows are over, by the events of conntrack.
type flows struct {
	router  *router
	refused *netlink.Conn
	ended   *netlink.Conn
	closed  atomic.Bool
	tasks   sync.WaitGroup
	seen    map[refusal]time.Time // of the goroutine that reads refusals
}

// refusal is what makes two refused packets the same flow.
type refusal struct {
	device   uint32
	protocol byte
	from, to netip.AddrPort
}

// Of linux/netfilter/nfnetlink_log.h and nfnetlink_conntrack.h.
const (
	messagePacket  = unix.NFNL_SUBSYS_ULOG << 8
	messageConfig  = unix.NFNL_SUBSYS_ULOG<<8 | 1
	messageDeleted = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2

	configCommand, configMode, configThreshold = 1, 2, 5
	commandBind                                = 1
	copyPacket                                 = 2

	packetDevice, packetPayload, packetPrefix = 4, 9, 10

	groupDestroyed = 3

	trackOriginal, trackSentBytes, trackReceivedBytes, trackTimes = 1, 9, 10, 20
	tupleAddresses, tupleProtocol                                 = 1, 2
	counterBytes                                                  = 2
	timeStart, timeStop                                           = 1, 2
)

const (
	refusalMemory = time.Minute
	maxRefusals   = 4096
)

// listenFlows runs on the router's thread.
func listenFlows(r *router) (_ *flows, err error) {
	f := &flows{router: r, seen: map[refusal]time.Time{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("flow records: %w", err), f.close())
		}
	}()
	if f.refused, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); err != nil {
		return nil, err
	}
	if err := f.bind(); err != nil {
		return nil, err
	}
	if f.ended, err = netlink.Dial(unix.NETLINK_NETFILTER, nil); err != nil {
		return nil, err
	}
	return f, f.ended.JoinGroup(groupDestroyed)
}

// bind asks for the packets of the log group: their first bytes, each at once.
func (f *flows) bind() error {
	for _, a := range []netlink.Attribute{
		{Type: configCommand, Data: []byte{commandBind}},
		{Type: configMode, Data: []byte{0, 0, 0, 64, copyPacket, 0}},
		{Type: configThreshold, Data: []byte{0, 0, 0, 1}},
	} {
		data, err := netlink.MarshalAttributes([]netlink.Attribute{a})
		if err != nil {
			return err
		}
		header := []byte{unix.AF_UNSPEC, 0, 0, logGroup} // nfgenmsg
		_, err = f.refused.Execute(netlink.Message{
			Header: netlink.Header{Type: messageConfig, Flags: netlink.Request | netlink.Acknowledge},
			Data:   append(header, data...),
		})
		if err != nil {
			return fmt.Errorf("nfnetlink_log: %w", err)
		}
	}
	return nil
}

func (f *flows) run() {
	f.tasks.Go(func() { f.receive(f.refused, messagePacket, f.refusal) })
	f.tasks.Go(func() { f.receive(f.ended, messageDeleted, f.destroyed) })
}

func (f *flows) close() error {
	f.closed.Store(true)
	var errs []error
	for _, c := range []*netlink.Conn{f.refused, f.ended} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	f.tasks.Wait()
	return errors.Join(errs...)
}

// receive hands on messages of a kind until the socket is closed.
func (f *flows) receive(c *netlink.Conn, kind netlink.HeaderType, take func(*netlink.AttributeDecoder) error) {
	for {
		messages, err := c.Receive()
		if errors.Is(err, unix.ENOBUFS) {
			continue // more than we read in time; those are lost
		}
		if err != nil {
			if !f.closed.Load() {
				f.router.engine.log().Error("flow records of a network end", "vpc", f.router.vpc, "err", err)
			}
			return
		}
		for _, m := range messages {
			if m.Header.Type != kind || len(m.Data) < 4 {
				continue
			}
			d, err := netlink.NewAttributeDecoder(m.Data[4:])
			if err == nil {
				d.ByteOrder = binary.BigEndian
				err = take(d)
			}
			if err != nil {
				f.router.engine.log().Warn("a flow record is unreadable", "vpc", f.router.vpc, "err", err)
			}
		}
	}
}

func (f *flows) refusal(d *netlink.AttributeDecoder) error {
	var device uint32
	var packet []byte
	var reason string
	for d.Next() {
		switch d.Type() {
		case packetDevice:
			device = d.Uint32()
		case packetPayload:
			packet = d.Bytes()
		case packetPrefix:
			reason = strings.TrimRight(d.String(), "\x00")
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	key, ok := readPacket(packet)
	if !ok || device == 0 {
		return nil
	}
	key.device = device
	p, ok := f.router.index.port(device)
	if !ok {
		p, ok = f.router.index.from(key.from.Addr())
	}
	if !ok || !f.first(key) {
		return nil
	}
	record := recordOf(p, protocolOf(key.protocol), key.from, key.to)
	record.Reason = f.router.engine.reason(p, record, reason)
	f.router.engine.record(record)
	return nil
}

// first reports whether the flow's last refusal is more than a minute ago.
func (f *flows) first(key refusal) bool {
	now := time.Now()
	if last, ok := f.seen[key]; ok && now.Sub(last) < refusalMemory {
		return false
	}
	if len(f.seen) >= maxRefusals {
		for k, t := range f.seen {
			if now.Sub(t) >= refusalMemory {
				delete(f.seen, k)
			}
		}
		if len(f.seen) >= maxRefusals {
			clear(f.seen)
		}
	}
	f.seen[key] = now
	return true
}

// readPacket reads the addresses and ports of an IPv4 packet.
func readPacket(b []byte) (refusal, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return refusal{}, false
	}
	var fromPort, toPort uint16
	header := int(b[0]&0xf) * 4
	if (b[9] == unix.IPPROTO_TCP || b[9] == unix.IPPROTO_UDP) && len(b) >= header+4 {
		fromPort, toPort = binary.BigEndian.Uint16(b[header:]), binary.BigEndian.Uint16(b[header+2:])
	}
	return refusal{
		protocol: b[9],
		from:     netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), fromPort),
		to:       netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), toPort),
	}, true
}

// protocolOf names a protocol; one without a name is its number.
func protocolOf(number byte) network.Protocol {
	switch number {
	case unix.IPPROTO_TCP:
		return network.TCP
	case unix.IPPROTO_UDP:
		return network.UDP
	case unix.IPPROTO_ICMP:
		return network.ICMP
	}
	return network.Protocol(fmt.Sprint(number))
}

// destroyed records a flow that went through NAT. What the proxy has carried it
// records itself.
func (f *flows) destroyed(d *netlink.AttributeDecoder) error {
	var key refusal
	var sent, received uint64
	var start, stop int64
	for d.Next() {
		switch d.Type() {
		case trackOriginal:
			d.Nested(key.tuple)
		case trackSentBytes:
			d.Nested(bytesInto(&sent))
		case trackReceivedBytes:
			d.Nested(bytesInto(&received))
		case trackTimes:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					switch d.Type() {
					case timeStart:
						start = int64(d.Uint64())
					case timeStop:
						stop = int64(d.Uint64())
					}
				}
				return d.Err()
			})
		}
	}
	if err := d.Err(); err != nil {
		return err
	}
	p, ok := f.router.index.own(key.from.Addr())
	if !ok || !f.router.index.outside(key.to.Addr()) {
		return nil
	}
	record := recordOf(p, protocolOf(key.protocol), key.from, key.to)
	record.Accepted, record.Sent, record.Received = true, int64(sent), int64(received)
	if start > 0 {
		record.Time = time.Unix(0, start)
		record.Duration = max(time.Duration(stop-start), 0)
	}
	record.Reason = f.router.engine.reason(p, record, "")
	f.router.engine.record(record)
	return nil
}

func bytesInto(n *uint64) func(*netlink.AttributeDecoder) error {
	return func(d *netlink.AttributeDecoder) error {
		for d.Next() {
			if d.Type() == counterBytes {
				*n = d.Uint64()
			}
		}
		return d.Err()
	}
}

// tuple reads the two ends of a tracked flow.
func (k *refusal) tuple(d *netlink.AttributeDecoder) error {
	var from, to netip.Addr
	var ports [2]uint16
	for d.Next() {
		switch d.Type() {
		case tupleAddresses:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					a, _ := netip.AddrFromSlice(d.Bytes())
					switch d.Type() {
					case 1:
						from = a
					case 2:
						to = a
					}
				}
				return d.Err()
			})
		case tupleProtocol:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					switch d.Type() {
					case 1:
						k.protocol = d.Uint8()
					case 2, 3:
						ports[d.Type()-2] = d.Uint16()
					}
				}
				return d.Err()
			})
		}
	}
	k.from, k.to = netip.AddrPortFrom(from, ports[0]), netip.AddrPortFrom(to, ports[1])
	return d.Err()
}

// own is the port of this network that has an address.
func (x *index) own(a netip.Addr) (*port, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	p, ok := x.byAddr[a]
	return p, ok
}

// outside reports whether an address is of no private network.
func (x *index) outside(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	for _, p := range private {
		if p.Contains(a) {
			return false
		}
	}
	for _, v := range x.networks().VPCs {
		for _, c := range v.CIDRs {
			if c.Contains(a) {
				return false
			}
		}
	}
	return true
}
