package network

import (
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

func TestExchangeTurnsToTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Skipf("the same port for UDP: %v", err)
	}
	answer := func(truncated bool) dns.HandlerFunc {
		return func(w dns.ResponseWriter, q *dns.Msg) {
			a := new(dns.Msg).SetReply(q)
			if a.Truncated = truncated; !truncated {
				a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}}
			}
			_ = w.WriteMsg(a)
		}
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: answer(false)}, {PacketConn: pc, Handler: answer(true)}} {
		started, done := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(started) }
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-done
		})
	}
	in, err := exchange(t.Context(), new(dns.Msg).SetQuestion("a.example.", dns.TypeA), []string{l.Addr().String()})
	if err != nil || len(in.Answer) != 1 {
		t.Errorf("got %v, %v", in, err)
	}
}

func TestOwnAddressesAreTheMachines(t *testing.T) {
	all, err := net.InterfaceAddrs()
	if err != nil || len(all) == 0 {
		t.Skipf("this machine has no addresses: %v", err)
	}
	var own ownAddresses
	for _, each := range all {
		a, _ := netip.AddrFromSlice(each.(*net.IPNet).IP)
		if !own.has(a.Unmap()) {
			t.Errorf("%s is not own", a)
		}
	}
	if own.has(netip.MustParseAddr("192.0.2.1")) {
		t.Error("192.0.2.1 is own")
	}
}
