package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// internet is a namespace with a server at 203.0.113.10:443.
func internet(t testing.TB) *networktest.Namespace {
	t.Helper()
	ns := networktest.New(t, "internet")
	ns.Join(t, "wan0", netip.MustParsePrefix("203.0.113.1/24"), netip.MustParsePrefix("203.0.113.10/24"))
	err := ns.Do(func() error {
		serve(t, "203.0.113.10:443", "internet")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestWithoutNetworkOnlyTheInternet(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	serve(t, "0.0.0.0:9400", "platform")
	e, records := start(t, small())
	e.Answer = func(_ context.Context, p *network.Port, query []byte) []byte {
		return append([]byte(p.ID+" "), query...)
	}
	address := netip.MustParseAddr("10.255.0.2") // every one of them believes to have it
	one, _ := attach(t, e, &network.Port{ID: "one", Function: "f", Address: address})
	two, detach := attach(t, e, &network.Port{ID: "two", Function: "g", Address: address})
	for _, ns := range []*networktest.Namespace{one, two} {
		greeted(t, ns, "203.0.113.10:443", "internet")
		if got, want := ask(t, ns, "udp4", "?"), ns.Name+" ?"; got != want {
			t.Errorf("resolver by UDP: got %q, want %q", got, want)
		}
		if got, want := ask(t, ns, "tcp4", "?"), ns.Name+" ?"; got != want {
			t.Errorf("resolver by TCP: got %q, want %q", got, want)
		}
	}
	refused(t, one, records, "203.0.113.1:9400", reasonOwn)
	refused(t, one, records, "10.0.0.50:5432", reasonPrivate)
	refused(t, one, records, "169.254.64.1:9400", reasonLinkLocal)
	refused(t, one, records, "100.64.0.1:8080", reasonPrivate)
	if err := detach(); err != nil {
		t.Fatal(err)
	}
	r := records.await(t, "the flow to the internet", func(r network.FlowRecord) bool { return r.Port == "two" && r.Accepted })
	if r.Destination.String() != "203.0.113.10:443" || r.Received == 0 || r.Sent == 0 {
		t.Errorf("the flow's record: got %+v, want bytes both ways", r)
	}
}

// ask sends a query to the resolver that is the same everywhere.
func ask(t *testing.T, ns *networktest.Namespace, protocol, query string) string {
	t.Helper()
	c, err := dial(ns, protocol, "169.254.169.253:53", patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := []byte(query)
	if protocol == "tcp4" {
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)
	}
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 512)
	if protocol == "tcp4" {
		if _, err := io.ReadFull(c, got[:2]); err != nil {
			t.Fatal(err)
		}
		got = got[:binary.BigEndian.Uint16(got)]
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	n, err := c.Read(got)
	if err != nil {
		t.Fatal(err)
	}
	return string(got[:n])
}

// TestApplyHasNoGap changes the model again and again while a flow goes on and
// another is tried that no version of the model allows.
func TestApplyHasNoGap(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	serve(t, "127.0.0.1:5432", "database of a")
	serve(t, "127.0.0.1:22", "secrets")
	m := small()
	e, _ := start(t, m)
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	flow := greeted(t, a, "10.0.0.50:5432", "database of a")
	stop := make(chan struct{})
	var attempts sync.WaitGroup
	attempts.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if c, err := dial(a, "tcp4", "10.0.0.50:22", 5*time.Millisecond); err == nil {
				t.Error("a refused flow passed while the model changed")
				c.Close()
			}
		}
	})
	for i := range 50 {
		next := *m
		next.Groups = slices.Clone(m.Groups)
		if i%2 == 0 { // revoked
			next.Groups[1].Ingress = nil
		}
		if err := e.Apply(&next); err != nil {
			t.Fatalf("apply %d: %v", i, err)
		}
		if _, err := flow.Write([]byte("ping")); err != nil {
			t.Fatalf("the flow after change %d: %v", i, err)
		}
		if _, err := io.ReadFull(flow, make([]byte, 4)); err != nil {
			t.Fatalf("the flow after change %d: %v", i, err)
		}
	}
	close(stop)
	attempts.Wait()
}

// TestApplyChangesTheShape lets networks, peerings and addresses come and go.
func TestApplyChangesTheShape(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	serve(t, "127.0.0.1:5432", "first")
	serve(t, "127.0.0.3:5432", "peered")
	m := small()
	e, records := start(t, m)
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	greeted(t, a, "10.0.0.50:5432", "first")
	refused(t, a, records, "10.7.0.50:5432", reasonPrivate)

	prefix, more := netip.MustParsePrefix, *m
	more.VPCs = append(slices.Clone(m.VPCs), network.VPC{ID: "c", CIDRs: []netip.Prefix{prefix("10.7.0.0/16")}})
	more.Subnets = slices.Clone(m.Subnets)
	more.Subnets[0].Routes = append(slices.Clone(m.Subnets[0].Routes),
		network.Route{Destination: prefix("10.7.0.0/16"), Target: network.Peered, Peering: "pcx"})
	more.Subnets = append(more.Subnets, network.Subnet{ID: "c1", VPC: "c", CIDR: prefix("10.7.0.0/24"), Routes: []network.Route{
		{Destination: prefix("10.0.0.0/16"), Target: network.Peered, Peering: "pcx"},
	}})
	more.Groups = append(slices.Clone(m.Groups), network.SecurityGroup{ID: "db-c", VPC: "c", Ingress: []network.Rule{
		{Protocol: network.Any, Group: "app-a"},
	}})
	more.Interfaces = append(slices.Clone(m.Interfaces), network.Interface{
		ID: "db-c", Subnet: "c1", Address: netip.MustParseAddr("10.7.0.50"),
		Groups: []string{"db-c"}, Attach: netip.MustParseAddr("127.0.0.3"),
	})
	more.Peerings = []network.Peering{{ID: "pcx", A: "c", B: "a"}}
	if err := e.Apply(&more); err != nil {
		t.Fatal(err)
	}
	late, _ := attach(t, e, member("a", "10.0.0.11")) // joins a group that a peered network names
	peered := greeted(t, a, "10.7.0.50:5432", "peered")
	greeted(t, late, "10.7.0.50:5432", "peered")

	if err := e.Apply(m); err != nil {
		t.Fatal(err)
	}
	refused(t, a, records, "10.7.0.50:5433", reasonPrivate)
	if err := peered.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := peered.Read(make([]byte, 1)); err == nil {
		t.Errorf("a flow of an ended peering still brings %d bytes", n)
	}
	greeted(t, a, "10.0.0.50:5432", "first")
	if err := e.Apply(&network.Model{}); err != nil { // everything is gone, the function not yet
		t.Fatal(err)
	}
	refused(t, a, records, "203.0.113.10:443", reasonRoute)
}

// TestAddressIsNotInherited gives an address to a second function, which must not
// go on with what the first was allowed.
func TestAddressIsNotInherited(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	m := small()
	m.Groups = append(m.Groups, network.SecurityGroup{ID: "quiet", VPC: "a"})
	e, records := start(t, m)
	first, detach := attach(t, e, member("a", "10.0.0.10"))
	old := greeted(t, first, "203.0.113.10:443", "internet")
	port := old.LocalAddr().(*net.TCPAddr).Port
	if err := detach(); err != nil {
		t.Fatal(err)
	}
	quiet := member("a", "10.0.0.10")
	quiet.ID, quiet.Groups = "i-quiet", []string{"quiet"}
	second, _ := attach(t, e, quiet)
	// The same five numbers as the flow of the first function.
	err := second.Do(func() error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}, Timeout: 200 * time.Millisecond}
		c, err := d.Dial("tcp4", "203.0.113.10:443")
		if err == nil {
			return fmt.Errorf("connected from %s", c.LocalAddr())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	records.await(t, "the refusal", func(r network.FlowRecord) bool { return r.Port == "i-quiet" && r.Reason == reasonGroup })
}
