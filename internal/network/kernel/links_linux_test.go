package kernel

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// rounds is how often a test makes what the kernel finishes late only now and then.
const rounds = 40

// TestFirstAnswerArrives: a port's devices carry packets as soon as it is attached, so
// that one question is enough, by a protocol that asks once.
func TestFirstAnswerArrives(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e, _ := start(t, small())
	e.Answer = func(_ context.Context, p *network.Port, query []byte) []byte {
		return append([]byte(p.ID+" "), query...)
	}
	asked := map[string]net.Conn{}
	for i := range rounds {
		p := member("a", fmt.Sprintf("10.0.0.%d", 100+i))
		ns, _ := attach(t, e, p)
		c, err := dial(ns, "udp4", "10.0.0.2:53", patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		asked[p.ID] = c
	}
	for id, c := range asked {
		got := make([]byte, 64)
		n, err := c.Read(got)
		if want := id + " ?"; err != nil || string(got[:n]) != want {
			t.Errorf("the first question of %s: got %q, %v, want %q", id, got[:n], err, want)
		}
	}
}

// TestDoorsCarryAtOnce is the same for the veths between routers and to the host. It
// looks at the ends that come up first; the kernel finishes the second ones at once.
func TestDoorsCarryAtOnce(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e, _ := start(t, small())
	attach(t, e, member("a", "10.0.0.10"))
	attach(t, e, member("b", "10.0.0.10"))
	e.mu.Lock()
	defer e.mu.Unlock()
	a, b := e.routers["a"], e.routers["b"]
	for i := range rounds {
		if err := e.join("pcx", a, b); err != nil {
			t.Fatal(err)
		}
		carrying(t, a.nl, e.links["pcx"].device)
		if err := e.unpeer("pcx"); err != nil {
			t.Fatal(err)
		}
		device := "again" + strconv.Itoa(i)
		if err := removeDevice(a.nl, uplink); err != nil {
			t.Fatal(err)
		}
		if _, err := e.host.connect(a, device); err != nil {
			t.Fatal(err)
		}
		carrying(t, e.host.nl, device)
	}
}

// carrying looks a device up among all of them: the question for one would make the
// kernel finish it.
func carrying(t *testing.T, nl *netlink.Handle, device string) {
	t.Helper()
	all, err := nl.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range all {
		if l.Attrs().Name == device {
			if l.Attrs().OperState != netlink.OperUp {
				t.Errorf("device %s is %s, want it up", device, l.Attrs().OperState)
			}
			return
		}
		names = append(names, l.Attrs().Name)
	}
	t.Errorf("device %s: not among %s", device, strings.Join(names, ", "))
}
