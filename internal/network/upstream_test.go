package network

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// serve runs a name server at a free port of loopback, over both transports.
func serve(t *testing.T, udp, tcp dns.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		_ = l.Close()
		t.Skipf("not run: the same port for UDP: %v", err)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: tcp}, {PacketConn: pc, Handler: udp}} {
		started, done := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(started) }
		go func() { done <- s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() {
			_ = s.Shutdown()
			<-done
		})
	}
	return l.Addr().String()
}

// says answers with an address, or with nothing but a code.
func says(code int, truncated bool) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg).SetRcode(q, code)
		if a.Truncated = truncated; code == dns.RcodeSuccess && !truncated {
			a.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(192, 0, 2, 1)}}
		}
		_ = w.WriteMsg(a)
	}
}

func TestExchange(t *testing.T) {
	good := serve(t, says(dns.RcodeSuccess, false), says(dns.RcodeRefused, false))
	large := serve(t, says(dns.RcodeSuccess, true), says(dns.RcodeSuccess, false))
	failing := serve(t, says(dns.RcodeServerFailure, false), says(dns.RcodeServerFailure, false))
	refusing := serve(t, says(dns.RcodeRefused, false), says(dns.RcodeRefused, false))
	missing := serve(t, says(dns.RcodeNameError, false), says(dns.RcodeNameError, false))
	const deaf = "127.0.0.1:0" // no port to dial
	for what, row := range map[string]struct {
		servers []string
		code    int // -1: an error
		answers int
	}{
		"over TCP what UDP has no room for":    {[]string{large}, dns.RcodeSuccess, 1},
		"the next when one cannot be asked":    {[]string{deaf, good}, dns.RcodeSuccess, 1},
		"the next when one fails":              {[]string{failing, refusing, good}, dns.RcodeSuccess, 1},
		"no name is an answer":                 {[]string{missing, good}, dns.RcodeNameError, 0},
		"the first failure when all fail":      {[]string{refusing, failing}, dns.RcodeRefused, 0},
		"a failure rather than nothing at all": {[]string{failing, deaf}, dns.RcodeServerFailure, 0},
		"an error when none could be asked":    {[]string{deaf, deaf}, -1, 0},
	} {
		in, err := exchange(t.Context(), new(dns.Msg).SetQuestion("a.example.", dns.TypeA), row.servers)
		if row.code < 0 {
			if err == nil {
				t.Errorf("%s: got %v, want an error", what, in)
			}
		} else if err != nil || in.Rcode != row.code || len(in.Answer) != row.answers {
			t.Errorf("%s: got %v, %v", what, in, err)
		}
	}
}

// A query goes all the way: bytes, tables, a server on the wire, bytes.
func TestAnswerFromServers(t *testing.T) {
	addr := serve(t, says(dns.RcodeSuccess, true), says(dns.RcodeSuccess, false))
	n := &Networks{Upstream: func(ctx context.Context, q *dns.Msg) (*dns.Msg, error) {
		return exchange(ctx, q, []string{addr})
	}}
	q := new(dns.Msg).SetQuestion("WWW.example.", dns.TypeA)
	b, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var a dns.Msg
	if err := a.Unpack(n.Answer(t.Context(), &Port{}, b)); err != nil || a.Id != q.Id || len(a.Answer) != 1 || a.Answer[0].Header().Name != "WWW.example." || a.IsEdns0() != nil {
		t.Errorf("got %s (%v)", &a, err)
	}
}

func TestOwnAddressesAreTheMachines(t *testing.T) {
	all, err := net.InterfaceAddrs()
	if err != nil || len(all) == 0 {
		t.Skipf("not run: this machine has no addresses: %v", err)
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
