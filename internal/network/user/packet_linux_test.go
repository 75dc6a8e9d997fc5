package user_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

// send writes a packet of the function's own making.
func (f *function) send(packet header.IPv4) {
	f.t.Helper()
	err := f.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, packet, 0, &unix.SockaddrInet4{Addr: packet.DestinationAddress().As4()})
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func ipv4(from, to netip.Addr, protocol tcpip.TransportProtocolNumber, payload []byte) header.IPv4 {
	p := header.IPv4(make([]byte, header.IPv4MinimumSize+len(payload)))
	p.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(p)), TTL: 64, Protocol: uint8(protocol), ID: 1,
		SrcAddr: tcpip.AddrFrom4(from.As4()), DstAddr: tcpip.AddrFrom4(to.As4()),
	})
	p.SetChecksum(^p.CalculateChecksum())
	copy(p[header.IPv4MinimumSize:], payload)
	return p
}

func tcpSYN(from netip.Addr, to string) header.IPv4 {
	dst := netip.MustParseAddrPort(to)
	h := header.TCP(make([]byte, header.TCPMinimumSize))
	h.Encode(&header.TCPFields{SrcPort: 40001, DstPort: dst.Port(), SeqNum: 7, DataOffset: header.TCPMinimumSize, Flags: header.TCPFlagSyn, WindowSize: 1024})
	pseudo := header.PseudoHeaderChecksum(header.TCPProtocolNumber, tcpip.AddrFrom4(from.As4()), tcpip.AddrFrom4(dst.Addr().As4()), uint16(len(h)))
	h.SetChecksum(^h.CalculateChecksum(pseudo))
	return ipv4(from, dst.Addr(), header.TCPProtocolNumber, h)
}

func TestForbiddenPacketsAreRecorded(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{Decide: drop})
	own, other := f.port.Address, netip.MustParseAddr("10.9.0.10")
	fragment := tcpSYN(own, "10.9.0.10:80")
	fragment.SetFlagsFragmentOffset(header.IPv4FlagMoreFragments, 0)
	later := ipv4(own, other, header.UDPProtocolNumber, make([]byte, 16))
	later.SetFlagsFragmentOffset(0, 800)
	for _, c := range []struct {
		name   string
		packet header.IPv4
		proto  network.Protocol
		reason string
	}{
		{"dropped", tcpSYN(own, "10.9.0.10:80"), network.TCP, "security group"},
		{"forged source", tcpSYN(netip.MustParseAddr("10.0.1.99"), "10.9.0.10:80"), network.TCP, "spoofed source"},
		{"the resolver's own address as source", ipv4(netip.MustParseAddr("10.0.0.2"), other, header.UDPProtocolNumber, make([]byte, 8)), network.UDP, "spoofed source"},
		{"first fragment", fragment, network.TCP, "fragment"},
		{"later fragment", later, network.UDP, "fragment"},
		{"GRE", ipv4(own, other, 47, make([]byte, 8)), "47", "protocol"},
		{"broadcast", ipv4(own, netip.MustParseAddr("224.0.0.5"), header.UDPProtocolNumber, make([]byte, 8)), network.UDP, "no route"},
		{"echo request", ipv4(own, other, header.ICMPv4ProtocolNumber, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}), network.ICMP, "security group"},
	} {
		f.send(c.packet)
		if r := f.record(c.proto); r.Accepted || r.Reason != c.reason {
			t.Errorf("%s: got accepted %v, %q; want it refused with %q", c.name, r.Accepted, r.Reason, c.reason)
		}
	}
	f.send(tcpSYN(own, "10.9.0.10:80")) // a retry of the first
	f.send(tcpSYN(own, "10.9.0.10:81"))
	if r := f.record(network.TCP); r.Destination.Port() != 81 {
		t.Errorf("a retry was recorded again: %+v", r)
	}
}

func TestEcho(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{Decide: func(_ *network.Port, p network.Protocol, to netip.AddrPort) network.Verdict {
		if p == network.ICMP && to.Addr() == netip.MustParseAddr("10.9.0.10") {
			return network.Verdict{Action: network.Dial, To: to, Reason: "security group"}
		}
		return network.Verdict{Action: network.Drop, Reason: "no route"}
	}})
	var c net.PacketConn
	if err := f.Do(func() (err error) { c, err = net.ListenPacket("ip4:icmp", "10.0.1.10"); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := header.ICMPv4(append(make([]byte, 8), "payload"...))
	ask.SetType(header.ICMPv4Echo)
	ask.SetIdent(77)
	ask.SetChecksum(^checksum.Checksum(ask, 0))
	for _, to := range []string{"10.9.0.11", "10.9.0.10"} { // the first stays unanswered
		if _, err := c.WriteTo(ask, &net.IPAddr{IP: net.ParseIP(to)}); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	b := make([]byte, 128)
	n, from, err := c.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	if got := header.ICMPv4(b[:n]); got.Type() != header.ICMPv4EchoReply || got.Ident() != 77 || string(b[8:n]) != "payload" || from.String() != "10.9.0.10" {
		t.Errorf("got type %d, %q from %s", got.Type(), b[8:n], from)
	}
	if r := f.record(network.ICMP); r.Accepted || r.Destination.Addr().String() != "10.9.0.11" {
		t.Errorf("record: got %+v, want the refused one first", r)
	}
}
