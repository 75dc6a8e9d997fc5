package user

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/dropstack/dropstack/internal/network"
)

// admit says whether a packet of the function may reach the stack, and records
// those that tried what no rule can allow. What isn't IPv4 is dropped without a
// record: kernels multicast over IPv6 unasked.
func (a *attachment) admit(packet []byte) bool {
	if len(packet) < header.IPv4MinimumSize || packet[0]>>4 != 4 {
		return false
	}
	ip := header.IPv4(packet)
	if !ip.IsValid(len(packet)) {
		return false
	}
	f := flowOf(ip)
	switch {
	case f.from.Addr() != a.port.Address:
		f.reason = "spoofed source"
	case ip.More() || ip.FragmentOffset() != 0:
		f.reason = "fragment"
	case !f.to.Addr().IsGlobalUnicast() && !f.to.Addr().IsLinkLocalUnicast():
		f.reason = "no route" // loopback, multicast, broadcast, nobody
	default:
		switch ip.TransportProtocol() {
		case header.TCPProtocolNumber, header.UDPProtocolNumber:
			return true
		case header.ICMPv4ProtocolNumber:
			a.icmp(ip, f)
			return false
		}
		f.reason = "protocol"
	}
	a.refuse(f)
	return false
}

// flowOf reads who talks to whom; ports are 0 where there are none.
func flowOf(ip header.IPv4) flow {
	f := flow{start: time.Now(), protocol: network.Protocol(strconv.Itoa(int(ip.Protocol())))}
	src, _ := netip.AddrFromSlice(ip.SourceAddressSlice())
	dst, _ := netip.AddrFromSlice(ip.DestinationAddressSlice())
	var from, to uint16
	switch ip.TransportProtocol() {
	case header.TCPProtocolNumber:
		f.protocol = network.TCP
	case header.UDPProtocolNumber:
		f.protocol = network.UDP
	case header.ICMPv4ProtocolNumber:
		f.protocol = network.ICMP
	}
	if p := ip.Payload(); len(p) >= 4 && ip.FragmentOffset() == 0 && (f.protocol == network.TCP || f.protocol == network.UDP) {
		from, to = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
	}
	f.from, f.to = netip.AddrPortFrom(src, from), netip.AddrPortFrom(dst, to)
	return f
}

// icmp answers an echo request where ICMP is allowed; that tells the function of
// the rules, not of the host, which is not asked. Everything else of ICMP is
// dropped: it could only mislead the stack.
func (a *attachment) icmp(ip header.IPv4, f flow) {
	h := header.ICMPv4(ip.Payload())
	if len(h) < header.ICMPv4MinimumSize || h.Type() != header.ICMPv4Echo {
		return
	}
	v := a.engine.Decide(a.port, network.ICMP, f.to)
	if !v.Accepted() {
		f.reason = v.Reason
		a.refuse(f)
		return
	}
	src, dst := ip.SourceAddress(), ip.DestinationAddress()
	ip.SetSourceAddress(dst) // swapping leaves the header's checksum right
	ip.SetDestinationAddress(src)
	h.SetType(header.ICMPv4EchoReply)
	h.SetChecksum(0)
	h.SetChecksum(^checksum.Checksum(h, 0))
	_ = a.link.write([][]byte{ip[:ip.TotalLength()]}) // lost like any packet
	f.accepted, f.reason = true, v.Reason
	if a.refusals.first(f) { // the same bound: a ping each second is one record
		a.record(f, int64(len(h)), int64(len(h)))
	}
}

// refusals bounds what a function can make us record: each flow once and
// maxRefusals flows at most in a window.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	seen  map[refusal]struct{}
	left  int // not recorded
}

type refusal struct {
	protocol network.Protocol
	from, to netip.AddrPort
	reason   string
}

// first reports whether the flow has not been seen in this window yet and there
// is room to record it.
func (r *refusals) first(f flow) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || f.start.Sub(r.since) > refusalWindow {
		r.seen, r.since = map[refusal]struct{}{}, f.start
	}
	key := refusal{f.protocol, f.from, f.to, f.reason}
	if _, seen := r.seen[key]; seen {
		return false
	}
	if len(r.seen) >= maxRefusals {
		r.left++
		return false
	}
	r.seen[key] = struct{}{}
	return true
}

func (r *refusals) unrecorded() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}
