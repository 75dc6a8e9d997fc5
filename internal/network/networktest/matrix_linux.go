package networktest

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

type world struct {
	t        testing.TB
	internet *Namespace
	database *Namespace
	fn       map[*network.Port]*Namespace
	marks    chan string // payloads of datagrams that reached the internet
	replace  func(network.Model) error
	nat      netip.Addr
	results  []Result
}

// Run builds the world, joins the functions to it and tries every row. It must
// be called in a process that Isolate has made.
func Run(t testing.TB, cfg Config) []Result {
	t.Helper()
	w := build(t)
	m := model(true)
	host := []netip.Addr{wanAddr, lanAddr, natAddr, netip.MustParseAddr("127.0.0.1")}
	nets, replace, err := cfg.Networks(m, host)
	if err != nil {
		t.Fatalf("compile the model: %v", err)
	}
	w.replace = replace
	if cfg.Permissive {
		nets = permissive{nets}
	}
	engine, err := cfg.Engine(Setup{Networks: nets, Model: m, Host: host, Permissive: cfg.Permissive})
	if err != nil {
		t.Fatalf("start the engine: %v", err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("close the engine: %v", err)
		}
	})
	for _, port := range ports {
		ns := network.Namespace{Net: w.fn[port].File}
		if !cfg.Kernel {
			ns.TUN = w.fn[port].TUN(t, port.Address, network.MTU)
		}
		detach, err := engine.Attach(t.Context(), port, ns)
		if err != nil {
			t.Fatalf("attach %s: %v", port.ID, err)
		}
		t.Cleanup(func() {
			if err := detach(); err != nil {
				t.Errorf("detach %s: %v", port.ID, err)
			}
		})
		listen(t, w.fn[port], netip.AddrPortFrom(netip.IPv4Unspecified(), functionPort), port.ID)
	}
	w.nat = natAddr
	if cfg.NATGateway != nil {
		w.nat = cfg.NATGateway()
	}
	w.reachable()
	w.blocked()
	w.private()
	w.spoofed()
	w.revoked()
	return w.results
}

func build(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, internet: New(t, "internet"), database: New(t, "databases"),
		fn: map[*network.Port]*Namespace{}, marks: make(chan string, 64),
	}
	w.internet.Join(t, "wan0", netip.PrefixFrom(wanAddr, 24), netip.PrefixFrom(internetAddr, 24))
	w.database.Join(t, "lan0", netip.PrefixFrom(lanAddr, 24), netip.PrefixFrom(databaseAddr, 24))
	addHostAddress(t, natAddr)
	any4 := netip.IPv4Unspecified()
	listen(t, nil, netip.AddrPortFrom(any4, adminPort), "platform")
	listen(t, w.internet, netip.AddrPortFrom(any4, 80), "internet-80")
	listen(t, w.internet, netip.AddrPortFrom(any4, 443), "internet-443")
	listen(t, w.database, netip.AddrPortFrom(any4, 27017), "mongo")
	listen(t, w.database, netip.AddrPortFrom(any4, 6379), "redis")
	listen(t, w.database, netip.AddrPortFrom(any4, 22), "ssh")
	w.metadata()
	w.collect()
	for _, port := range ports {
		w.fn[port] = New(t, port.ID)
	}
	return w
}

// metadata is a service at the cloud's well-known address, reachable from the
// host: what a function must never see.
func (w *world) metadata() {
	addHostAddress(w.t, metadataAddr)
	listen(w.t, nil, netip.AddrPortFrom(metadataAddr, 80), "metadata-80")
	listen(w.t, nil, netip.AddrPortFrom(metadataAddr, 443), "metadata-443")
}

// collect gathers the datagrams that arrive on the internet's UDP port 443.
func (w *world) collect() {
	var c net.PacketConn
	err := w.internet.Do(func() (err error) {
		c, err = net.ListenPacket("udp4", ":443")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			select {
			case w.marks <- string(b[:n]):
			default: // nobody waits for so many
			}
		}
	}()
}

func (w *world) row(name string, n *Namespace, to netip.AddrPort, who string, want bool) {
	w.results = append(w.results, tcp(name, n, to, who, want))
}

func (w *world) reachable() {
	at := netip.AddrPortFrom
	w.row("function → Mongo 27017 across peering", w.fn[portA], at(mongoAddr, 27017), "mongo", true)
	w.row("function → Redis 6379 across peering", w.fn[portA], at(redisAddr, 6379), "redis", true)
	w.row("function → internet 443 by NAT", w.fn[portA], at(internetAddr, 443), "internet-443", true)
	w.row("VPC B → internet 443 by its own NAT", w.fn[portB], at(internetAddr, 443), "internet-443", true)
}

func (w *world) blocked() {
	at := netip.AddrPortFrom
	a := w.fn[portA]
	rows := []struct {
		name string
		from *Namespace
		to   netip.AddrPort
		who  string
	}{
		{"function → database port 22", a, at(mongoAddr, 22), "ssh"},
		{"function without a rule → Mongo", w.fn[portNoRules], at(mongoAddr, 27017), "mongo"},
		{"subnet without peering → Mongo", w.fn[portFar], at(mongoAddr, 27017), "mongo"},
		{"VPC B → Mongo", w.fn[portB], at(mongoAddr, 27017), "mongo"},
		{"function → internet 80 without a rule", a, at(internetAddr, 80), "internet-80"},
		{"subnet without NAT → internet 443", w.fn[portFar], at(internetAddr, 443), "internet-443"},
		{"function → metadata 80", a, at(metadataAddr, 80), "metadata-80"},
		{"function → metadata 443", a, at(metadataAddr, 443), "metadata-443"},
		{"VPC B → platform by NAT gateway's address", w.fn[portB], at(w.nat, adminPort), "platform"},
		{"VPC B → platform by wan address", w.fn[portB], at(wanAddr, adminPort), "platform"},
		{"VPC B → platform by 127.0.0.1", w.fn[portB], at(netip.MustParseAddr("127.0.0.1"), adminPort), "platform"},
		{"VPC B → platform by router's address", w.fn[portB], at(routerAddr, adminPort), "platform"},
		{"VPC B → platform by resolver's address", w.fn[portB], at(resolverAddr, adminPort), "platform"},
		{"function → neighbour in its subnet", a, at(portNext.Address, functionPort), portNext.ID},
		{"function → function in another subnet", a, at(portFar.Address, functionPort), portFar.ID},
		{"VPC B → function in VPC A", w.fn[portB], at(portNext.Address, functionPort), portNext.ID},
		{"internet → function", w.internet, at(portA.Address, functionPort), portA.ID},
		{"database → function", w.database, at(portA.Address, functionPort), portA.ID},
	}
	// At once: each may take all of bounded.
	results := make([]Result, len(rows))
	var wg sync.WaitGroup
	for i, row := range rows {
		wg.Go(func() { results[i] = tcp(row.name, row.from, row.to, row.who, false) })
	}
	wg.Wait()
	w.results = append(w.results, results...)
}

// private asks for names of the private zone.
func (w *world) private() {
	ask := func(port *network.Port, name string, typ uint16) (*dns.Msg, error) {
		var in *dns.Msg
		err := w.fn[port].Do(func() (err error) {
			q := new(dns.Msg).SetQuestion(name, typ)
			in, _, err = (&dns.Client{Timeout: patient}).Exchange(q, netip.AddrPortFrom(resolverAddr, 53).String())
			return err
		})
		return in, err
	}
	row := func(name string, port *network.Port, question string, typ uint16, want bool, right func(*dns.Msg) bool) {
		in, err := ask(port, question, typ)
		r := Result{Row: name, Want: want, How: outcome(err)}
		if err == nil {
			r.Got, r.How = right(in), dns.RcodeToString[in.Rcode]
			if len(in.Answer) > 0 {
				r.How = strings.TrimPrefix(in.Answer[0].String(), in.Answer[0].Header().String())
			}
		}
		w.results = append(w.results, r)
	}
	isAddress := func(in *dns.Msg) bool {
		a, ok := first(in).(*dns.A)
		return ok && a.A.String() == mongoAddr.String()
	}
	row("private zone: A, in VPC A", portA, "db."+zoneName+".", dns.TypeA, true, isAddress)
	row("private zone: SRV, in VPC A", portA, "_mongodb._tcp.db."+zoneName+".", dns.TypeSRV, true, func(in *dns.Msg) bool {
		s, ok := first(in).(*dns.SRV)
		return ok && s.Port == 27017 && s.Target == "db."+zoneName+"."
	})
	row("private zone: NXDOMAIN, in VPC A", portA, "nothing."+zoneName+".", dns.TypeA, true, func(in *dns.Msg) bool {
		return in.Rcode == dns.RcodeNameError
	})
	row("private zone: A, in VPC B", portB, "db."+zoneName+".", dns.TypeA, false, isAddress)
}

func first(in *dns.Msg) dns.RR {
	if len(in.Answer) == 0 {
		return nil
	}
	return in.Answer[0]
}

// spoofed sends a datagram with a forged source and, after it, an honest one by
// the same raw socket. The honest one must arrive: otherwise the row would hold
// for the wrong reason.
func (w *world) spoofed() {
	r := Result{Row: "function with a forged source → internet", How: "the honest datagram did not arrive either", Got: true}
	err := w.fn[portA].Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := netip.AddrPortFrom(internetAddr, 443)
		for _, source := range []netip.Addr{forgedAddr, portA.Address} {
			p := datagram(netip.AddrPortFrom(source, 40000), to, source.String())
			if err := unix.Sendto(fd, p, 0, &unix.SockaddrInet4{Addr: to.Addr().As4()}); err != nil {
				return fmt.Errorf("send as %s: %w", source, err)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatalf("forge a source: %v", err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patient)
	defer cancel()
	var late <-chan time.Time // runs from the arrival of the honest one
	for {
		select {
		case mark := <-w.marks:
			if mark == forgedAddr.String() {
				r.How = "arrived"
				w.results = append(w.results, r)
				return
			}
			late = time.After(bounded)
		case <-late:
			r.Got, r.How = false, "never arrived, the honest one did"
			w.results = append(w.results, r)
			return
		case <-ctx.Done():
			w.results = append(w.results, r)
			return
		}
	}
}

// revoked takes Redis's rule away while a flow to it is open.
func (w *world) revoked() {
	at := netip.AddrPortFrom(redisAddr, 6379)
	open, _, err := connect(w.fn[portA], at, patient)
	if err != nil {
		w.t.Errorf("before the revocation: %v", err)
		return
	}
	defer open.Close()
	if err := w.replace(model(false)); err != nil {
		w.t.Fatalf("revoke: %v", err)
	}
	w.row("new flow after its rule is revoked", w.fn[portA], at, "redis", false)
	r := Result{Row: "established flow after its rule is revoked", Want: true}
	_ = open.SetDeadline(time.Now().Add(patient))
	b := make([]byte, 4)
	if _, err = open.Write([]byte("ping")); err == nil {
		_, err = open.Read(b)
	}
	r.Got, r.How = err == nil && string(b) == "ping", outcome(err)
	w.results = append(w.results, r)
	if err := w.replace(model(true)); err != nil {
		w.t.Fatalf("restore: %v", err)
	}
}
