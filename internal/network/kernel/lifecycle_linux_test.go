package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

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
	e.Answer = func(_ context.Context, p *network.Port, query []byte) []byte { return append([]byte(p.ID+" "), query...) }
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

// TestNothingStays attaches and detaches many ports and closes the engine.
func TestNothingStays(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	// One round first: libraries open what they keep.
	round(t, 2, false)
	before := census(t)
	round(t, 20, false)
	round(t, 5, true)
	end := time.Now().Add(patience)
	after := census(t)
	for after != before && time.Now().Before(end) { // threads and namespaces end after their last user
		time.Sleep(5 * time.Millisecond)
		after = census(t)
	}
	if after != before {
		t.Errorf("what is there after Close:\n%s\nand was before:\n%s", after, before)
	}
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, s := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(s, "network/kernel.(*") {
			t.Errorf("a goroutine stays:\n%s", s)
		}
	}
}

func round(t *testing.T, ports int, forget bool) {
	t.Helper()
	serve(t, "127.0.0.1:0", "unused")
	m := small()
	e := &Engine{Model: func() *network.Model { return m }, Log: logger(t)}
	var detaches []func() error
	var spaces []*networktest.Namespace
	for i := range ports {
		vpc := []string{"a", "b"}[i%2]
		ns, detach := attach(t, e, member(vpc, fmt.Sprintf("10.0.0.%d", 100+i)))
		greeted(t, ns, "203.0.113.10:443", "internet").Close()
		detaches, spaces = append(detaches, detach), append(spaces, ns)
	}
	for _, d := range detaches {
		if forget { // a crash of the sandboxes' owner
			break
		}
		if err := d(); err != nil {
			t.Fatal(err)
		}
		if err := d(); err != nil {
			t.Errorf("detached twice: %v", err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if n := e.Leftovers(); n != 0 {
		t.Errorf("got %d leftovers after Close, want none", n)
	}
	if _, err := e.Attach(t.Context(), member("a", "10.0.0.10"), network.Namespace{Net: spaces[0].File}); err == nil {
		t.Error("a closed engine attaches")
	}
	for _, ns := range spaces {
		_ = ns.File.Close()
	}
}

// census counts what an engine makes.
func census(t *testing.T) string {
	t.Helper()
	runtime.GC()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Attrs().Name)
	}
	slices.Sort(names)
	nft, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := nft.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := os.ReadFile(forwardAll)
	if err != nil {
		t.Fatal(err)
	}
	spaces := map[string]bool{}
	tasks, _ := filepath.Glob("/proc/self/task/*/ns/net")
	for _, path := range tasks {
		if space, err := os.Readlink(path); err == nil {
			spaces[space] = true
		}
	}
	opened := map[string]int{}
	files, _ := filepath.Glob("/proc/self/fd/*")
	for _, path := range files {
		if to, err := os.Readlink(path); err == nil {
			kind, _, _ := strings.Cut(to, ":")
			opened[kind]++
		}
	}
	return fmt.Sprintf("devices %v\ntables %d\nroutes %d\nforwarding %q\nnamespaces of threads %d\nnetlink and other sockets %d, namespaces open %d",
		names, len(tables), len(routes), forward, len(spaces), opened["socket"], opened["net"])
}

// TestForwardingIsPutBack keeps a device's own setting and takes over from a
// process that died.
func TestForwardingIsPutBack(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	loopback := "/proc/sys/net/ipv4/conf/lo/forwarding"
	if err := os.WriteFile(loopback, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	content := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	for _, dead := range []bool{false, true} {
		if dead {
			// What a killed process leaves: its table, which says that it had turned
			// forwarding on.
			nft, err := nftables.New()
			if err != nil {
				t.Fatal(err)
			}
			table := nft.AddTable(&nftables.Table{Name: tablePrefix + "4194305", Family: nftables.TableFamilyINet})
			nft.AddChain(&nftables.Chain{Name: chainForwards, Table: table})
			if err := nft.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(forwardAll, []byte("1"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m := small()
		e := &Engine{Model: func() *network.Model { return m }, Log: logger(t)}
		ns, _ := attach(t, e, member("a", "10.0.0.10"))
		greeted(t, ns, "203.0.113.10:443", "internet")
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(forwardAll); got != "0" {
			t.Errorf("ip_forward after Close: got %s, want 0", got)
		}
		if got := content(loopback); !dead && got != "1" {
			t.Errorf("a device's own setting after Close: got %s, want 1", got)
		}
		nft, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		if tables, err := nft.ListTables(); err != nil || len(tables) != 0 {
			t.Errorf("tables after Close: got %d, %v, want none", len(tables), err)
		}
	}
}
