package kernel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// patience is what only a broken engine uses up.
const patience = 20 * time.Second

// recorder keeps flow records.
type recorder struct {
	mu      sync.Mutex
	records []network.FlowRecord
	more    chan struct{}
}

func newRecorder() *recorder { return &recorder{more: make(chan struct{}, 1)} }

func (r *recorder) record(f network.FlowRecord) {
	r.mu.Lock()
	r.records = append(r.records, f)
	r.mu.Unlock()
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// await returns the first record that fits.
func (r *recorder) await(t *testing.T, what string, fits func(network.FlowRecord) bool) network.FlowRecord {
	t.Helper()
	end := time.After(patience)
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.records, fits)
		if i >= 0 {
			defer r.mu.Unlock()
			return r.records[i]
		}
		all := slices.Clone(r.records)
		r.mu.Unlock()
		select {
		case <-r.more:
		case <-end:
			t.Fatalf("no record of %s; got %+v", what, all)
		}
	}
}

// small is two networks with the same block; each has a host at 10.0.0.50 that is
// a different one on this machine's loopback.
func small() *network.Model {
	prefix, m := netip.MustParsePrefix, &network.Model{}
	for _, v := range []string{"a", "b"} {
		to := map[string]string{"a": "127.0.0.1", "b": "127.0.0.2"}[v]
		m.VPCs = append(m.VPCs, network.VPC{ID: v, CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}})
		m.Subnets = append(m.Subnets, network.Subnet{ID: v + "1", VPC: v, CIDR: prefix("10.0.0.0/24"), Routes: []network.Route{
			{Destination: prefix("0.0.0.0/0"), Target: network.NAT},
		}})
		m.Groups = append(m.Groups,
			network.SecurityGroup{ID: "app-" + v, VPC: v, EgressAll: true},
			network.SecurityGroup{ID: "db-" + v, VPC: v, Ingress: []network.Rule{
				{Protocol: network.TCP, From: 5000, To: 5999, Group: "app-" + v},
				{Protocol: network.UDP, From: 5000, To: 5999, CIDR: prefix("10.0.0.0/24")},
			}})
		m.Interfaces = append(m.Interfaces, network.Interface{
			ID: "eni-" + v, Subnet: v + "1", Address: netip.MustParseAddr("10.0.0.50"),
			Groups: []string{"db-" + v}, Attach: netip.MustParseAddr(to),
		})
	}
	m.Endpoints = []network.Endpoint{{
		ID: "vpce-ssm", Subnet: "a1", Service: "ssm",
		Address: netip.MustParseAddr("10.0.0.60"), Groups: []string{"db-a"},
	}}
	return m
}

func member(vpc, addr string) *network.Port {
	return &network.Port{
		ID: "i-" + vpc + addr, Function: "f-" + vpc, VPC: vpc, Subnet: vpc + "1",
		Groups: []string{"app-" + vpc}, Address: netip.MustParseAddr(addr),
	}
}

// start is an engine over m that is closed with the test.
func start(t testing.TB, m *network.Model) (*Engine, *recorder) {
	t.Helper()
	records := newRecorder()
	e := &Engine{Model: func() *network.Model { return m }, Record: records.record, Log: logger(t)}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e, records
}

// attach joins a new namespace as port.
func attach(t testing.TB, e *Engine, p *network.Port) (*networktest.Namespace, func() error) {
	t.Helper()
	ns := networktest.New(t, p.ID)
	detach, err := e.Attach(t.Context(), p, network.Namespace{Net: ns.File})
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	return ns, detach
}

// serve answers every connection with name and an echo until the test ends.
func serve(t testing.TB, address, name string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := io.WriteString(c, name); err == nil {
					_, _ = io.Copy(c, c)
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func dial(ns *networktest.Namespace, protocol, to string, wait time.Duration) (c net.Conn, err error) {
	err = ns.Do(func() (err error) {
		c, err = net.DialTimeout(protocol, to, wait)
		return err
	})
	if err == nil {
		err = c.SetDeadline(time.Now().Add(patience))
	}
	return c, err
}

// greeted dials and reads as many bytes as want has.
func greeted(t *testing.T, ns *networktest.Namespace, to, want string) net.Conn {
	t.Helper()
	c, err := dial(ns, "tcp4", to, patience)
	if err != nil {
		t.Fatalf("%s: %v", to, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("%s: got %q, %v, want %q", to, got, err, want)
	}
	return c
}

// refused waits for the record of a refusal while a connection is tried; that it
// is recorded shows that it was not only slow.
func refused(t *testing.T, ns *networktest.Namespace, records *recorder, to, reason string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- ns.Do(func() error {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp4", to)
			if err == nil {
				err = errors.Join(c.Close(), errReached)
			}
			return err
		})
	}()
	r := records.await(t, "refused "+to, func(r network.FlowRecord) bool {
		return !r.Accepted && r.Destination.String() == to
	})
	cancel()
	if err := <-done; errors.Is(err, errReached) {
		t.Errorf("%s: reached, want it refused: %s", to, reason)
	}
	if r.Reason != reason {
		t.Errorf("%s: got reason %q, want %q", to, r.Reason, reason)
	}
}

var errReached = errors.New("reached")

func TestOverlappingNetworksHaveTheirOwnHosts(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	serve(t, "127.0.0.1:5432", "database of a")
	serve(t, "127.0.0.2:5432", "database of b")
	e, records := start(t, small())
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	b, detach := attach(t, e, member("b", "10.0.0.10"))
	greeted(t, a, "10.0.0.50:5432", "database of a")
	c := greeted(t, b, "10.0.0.50:5432", "database of b")
	refused(t, a, records, "10.0.0.50:22", reasonGroup)
	refused(t, a, records, "10.0.0.51:5432", reasonUnreachable)
	refused(t, a, records, "10.0.0.1:5432", reasonUnreachable)
	refused(t, a, records, "10.0.0.2:80", reasonResolver)
	refused(t, a, records, "169.254.169.254:80", reasonMetadata)
	refused(t, a, records, "192.168.1.1:80", reasonPrivate)
	refused(t, b, records, "10.0.0.60:5432", reasonUnreachable)
	if err := detach(); err != nil {
		t.Fatalf("detach: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a detached port's flow goes on")
	}
	r := records.await(t, "the flow of b", func(r network.FlowRecord) bool { return r.VPC == "b" && r.Accepted })
	if r.Received != int64(len("database of b")) || r.Port != "i-b10.0.0.10" || r.Protocol != network.TCP || r.Source.Addr().String() != "10.0.0.10" {
		t.Errorf("the flow's record: got %+v", r)
	}
}

func TestHostThatDoesNotAnswer(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e, records := start(t, small())
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	c, err := dial(a, "tcp4", "10.0.0.50:5433", patience)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("nobody listens there, and yet an answer")
	}
	r := records.await(t, "the failed flow", func(r network.FlowRecord) bool { return r.Destination.Port() == 5433 })
	if !r.Accepted || r.Reason != reasonDial {
		t.Errorf("got accepted %v with reason %q, want an accepted one that is %q", r.Accepted, r.Reason, reasonDial)
	}
}

func TestEndpointIsTheService(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	to, secure := serve(t, "127.0.0.1:0", "parameters"), serve(t, "127.0.0.1:0", "parameters over TLS")
	e, _ := start(t, small())
	e.Service = func(name string, port uint16) (netip.AddrPort, bool) {
		if port == 5444 {
			return secure, name == "ssm"
		}
		return to, name == "ssm"
	}
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	greeted(t, a, "10.0.0.60:5443", "parameters")
	greeted(t, a, "10.0.0.60:5444", "parameters over TLS")
}

func TestDecideIsASecondLock(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	serve(t, "127.0.0.1:5432", "database of a")
	e, records := start(t, small())
	e.Decide = func(p *network.Port, protocol network.Protocol, to netip.AddrPort) network.Verdict {
		if p.ID == "i-a10.0.0.10" && protocol == network.TCP && to.Port() == 5432 {
			return network.Verdict{Action: network.Dial, To: netip.MustParseAddrPort("127.0.0.1:5432")}
		}
		return network.Verdict{Action: network.Drop, Reason: "by decision"}
	}
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	greeted(t, a, "10.0.0.50:5432", "database of a")
	c, err := dial(a, "tcp4", "10.0.0.50:5434", patience)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("the decision was not asked")
	}
	r := records.await(t, "the refused flow", func(r network.FlowRecord) bool { return r.Destination.Port() == 5434 })
	if r.Accepted || r.Reason != "by decision" {
		t.Errorf("got %+v, want it refused by decision", r)
	}
}

func TestDatagrams(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	echo, err := net.ListenPacket("udp4", "127.0.0.1:5353")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	go func() {
		b := make([]byte, datagram)
		for {
			n, from, err := echo.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(b[:n], from)
		}
	}()
	e, records := start(t, small())
	a, detach := attach(t, e, member("a", "10.0.0.10"))
	c, err := dial(a, "udp4", "10.0.0.50:5353", patience)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two", "three"} {
		got := make([]byte, 16)
		if _, err := c.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(got)
		if err != nil || string(got[:n]) != want {
			t.Fatalf("got %q, %v, want %q", got[:n], err, want)
		}
	}
	if err := detach(); err != nil {
		t.Fatal(err)
	}
	r := records.await(t, "the datagrams", func(r network.FlowRecord) bool { return r.Protocol == network.UDP })
	if !r.Accepted || r.Sent != 11 || r.Received != 11 {
		t.Errorf("got %+v, want 11 bytes both ways", r)
	}
}

func TestAttachRefusesWhatHasNoPlace(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e, _ := start(t, small())
	ns, _ := attach(t, e, member("a", "10.0.0.10"))
	outside, elsewhere := member("a", "10.0.9.9"), member("a", "10.0.0.11")
	elsewhere.Subnet = "b1"
	for _, c := range []struct {
		name string
		port *network.Port
		kind fault.Kind
	}{
		{"an address twice", member("a", "10.0.0.10"), fault.Conflict},
		{"an address outside of its subnet", outside, fault.Invalid},
		{"a subnet of another network", elsewhere, fault.Invalid},
		{"a network that does not exist", member("c", "10.0.0.10"), fault.Invalid},
	} {
		_, err := e.Attach(t.Context(), c.port, network.Namespace{Net: ns.File})
		if err == nil || fault.KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want a fault that is %s", c.name, err, c.kind)
		}
	}
	if _, err := e.Attach(t.Context(), member("a", "10.0.0.12"), network.Namespace{Net: ns.File}); err == nil {
		t.Error("a namespace was attached twice")
	}
}
