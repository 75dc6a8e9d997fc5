package user_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/user"
)

var (
	fuzzedPort = &network.Port{ID: "i-1", Function: "f", Address: netip.MustParseAddr("10.0.1.10")}
	resolverAt = netip.MustParseAddr("10.0.0.2")
	echoesAt   = netip.MustParseAddr("10.9.9.9") // ICMP is allowed to it, and to nobody else
)

// FuzzPackets has a function write what it likes to its device: packets of any bytes,
// or with an IPv4 header before them that gets them further. The engine outlives it,
// answers none but the function, lets no other source through, and ends without a
// flow left.
func FuzzPackets(f *testing.F) {
	other := netip.MustParseAddr("10.9.0.10")
	segment := func(flags header.TCPFlags) []byte {
		h := header.TCP(make([]byte, header.TCPMinimumSize+8))
		h.Encode(&header.TCPFields{SrcPort: 40001, DstPort: 53, SeqNum: 7, AckNum: 9, DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 1024})
		return h
	}
	seed := func(packets ...[]byte) (script []byte) {
		for _, p := range packets {
			script = append(append(script, p[0], byte(len(p)-1)), p[1:]...)
		}
		return script
	}
	f.Add([]byte{})
	f.Add(seed(append([]byte{raw}, tcpSYN(fuzzedPort.Address, "10.9.0.10:80")...)))
	f.Add(seed(append([]byte{raw}, tcpSYN(other, "10.0.1.10:80")...)))
	f.Add(seed(append([]byte{inTCP}, segment(header.TCPFlagSyn)...), append([]byte{inTCP}, segment(header.TCPFlagAck)...), append([]byte{inTCP}, segment(header.TCPFlagFin|header.TCPFlagRst)...)))
	f.Add(seed(append([]byte{inTCP}, segment(header.TCPFlagSyn)...))) // its handshake begins while the port is detached
	f.Add(seed(append([]byte{inUDP}, 0x9c, 0x40, 0, 53, 0, 12, 0, 0, 'a', 'b', 'c', 'd')))
	f.Add(seed(append([]byte{inICMP}, 8, 0, 0xf7, 0xff, 0, 0, 0, 0)))
	f.Fuzz(func(t *testing.T, script []byte) {
		var mu sync.Mutex
		var records []network.FlowRecord
		e := &user.Engine{
			Decide: func(_ *network.Port, p network.Protocol, to netip.AddrPort) network.Verdict {
				switch {
				case p == network.ICMP && to.Addr() == echoesAt, to.Addr() == resolverAt && to.Port() == 53:
					return network.Verdict{Action: network.Resolve}
				case p == network.TCP && to.Port() == 443:
					return network.Verdict{Action: network.Serve, Service: "none"}
				}
				return network.Verdict{Action: network.Drop, Reason: "security group"}
			},
			Answer:   func(_ context.Context, _ *network.Port, query []byte) []byte { return query },
			Service:  func(string, uint16) (netip.AddrPort, bool) { return netip.AddrPort{}, false },
			Record:   func(r network.FlowRecord) { mu.Lock(); records = append(records, r); mu.Unlock() },
			MaxFlows: 8,
		}
		ours, theirs := pair(t)
		detach, err := e.Attach(t.Context(), fuzzedPort, network.Namespace{TUN: theirs})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range packets(script) {
			if _, err := ours.Write(p); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		}
		answered(t, ours)
		if err := detach(); err != nil {
			t.Errorf("detach: %v", err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range records {
			if r.Source.Addr() != fuzzedPort.Address && (r.Accepted || r.Reason != "spoofed source") {
				t.Errorf("a flow of another source: %+v", r)
			}
		}
	})
}

// Kinds of packets of a script.
const (
	raw = iota
	inTCP
	inUDP
	inICMP
	kinds
)

// packets reads a script: a kind, a length and so many bytes each.
func packets(script []byte) (list [][]byte) {
	for len(script) >= 2 && len(list) < 64 {
		kind, body := script[0]%kinds, script[2:]
		body = body[:min(int(script[1]), len(body))]
		script = script[2+len(body):]
		if kind == raw {
			if len(body) > 0 {
				list = append(list, slices.Clone(body))
			}
			continue
		}
		protocol := []tcpip.TransportProtocolNumber{inTCP: header.TCPProtocolNumber, inUDP: header.UDPProtocolNumber, inICMP: header.ICMPv4ProtocolNumber}[kind]
		list = append(list, ipv4(fuzzedPort.Address, resolverAt, protocol, body))
	}
	return list
}

// pair stands for a device: each write is a packet of the other end.
func pair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	_ = ours.SetDeadline(time.Now().Add(patience))
	return ours, theirs
}

// answered asks for an echo, which comes when all that was written before has been
// read, and looks at everything that comes until then.
func answered(t *testing.T, ours *os.File) {
	t.Helper()
	const mark = 0xD509
	ask := header.ICMPv4(make([]byte, 8))
	ask.SetType(header.ICMPv4Echo)
	ask.SetIdent(mark)
	ask.SetChecksum(^checksum.Checksum(ask, 0))
	if _, err := ours.Write(ipv4(fuzzedPort.Address, echoesAt, header.ICMPv4ProtocolNumber, ask)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, network.MTU+header.IPv4MaximumHeaderSize)
	for {
		n, err := ours.Read(b)
		if err != nil {
			t.Fatalf("the engine does not answer any more: %v", err)
		}
		p := header.IPv4(b[:n])
		if n < header.IPv4MinimumSize || !p.IsValid(n) {
			t.Fatalf("the engine sends what is no packet: %x", b[:n])
		}
		if to := netip.AddrFrom4(p.DestinationAddress().As4()); to != fuzzedPort.Address {
			t.Errorf("the engine sends to %s", to)
		}
		if h := header.ICMPv4(p.Payload()); p.TransportProtocol() == header.ICMPv4ProtocolNumber && len(h) >= 8 && h.Type() == header.ICMPv4EchoReply && h.Ident() == mark {
			return
		}
	}
}
