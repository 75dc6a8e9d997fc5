package escape_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/user"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/testkit"
)

// attacked runs the quick attacks from a sandbox whose packets an engine carries.
func attacked(t *testing.T, decide func(*network.Port, network.Protocol, netip.AddrPort) network.Verdict, port *network.Port) escape.Report {
	t.Helper()
	m := testkit.Maker(t, sandbox.Full)
	engine := &user.Engine{Decide: decide, Log: m.Log}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{Level: m.Level, Network: &sandbox.Network{
		Address: port.Address,
		Attach: func(ctx context.Context, tun, namespace *os.File) (func() error, error) {
			return engine.Attach(ctx, port, network.Namespace{TUN: tun, Net: namespace})
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// reaching are the rows that a network has to stop, where there is one.
var reaching = []string{"network/host-address", "network/host-loopback", "network/host-loopback-any", "network/host-loopback-mapped", "network/host-loopback-device", "network/spoofed-source", "network/metadata"}

// TestNothingEscapesByTheNetwork has the platform's own rules for a function
// without a VPC decide.
func TestNothingEscapesByTheNetwork(t *testing.T) {
	n := &network.Networks{}
	port, err := n.Connect("i-escape", "escape", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := attacked(t, n.Decide, port)
	for _, id := range reaching {
		row, _ := r.Row(id)
		if row.State != escape.On {
			t.Errorf("%s: got %q, %s, want it stopped", id, row.State, row.Detail)
		}
		t.Logf("%s: %s", id, row.Detail)
	}
}

// TestAnEngineWithoutRulesIsFound has everything carried to this machine: the rows
// test rules.
func TestAnEngineWithoutRulesIsFound(t *testing.T) {
	port := &network.Port{ID: "i-escape", Address: netip.MustParseAddr("169.254.100.2")}
	carry := func(_ *network.Port, _ network.Protocol, to netip.AddrPort) network.Verdict {
		if !own(to.Addr()) { // nothing leaves this machine
			return network.Verdict{Action: network.Drop}
		}
		return network.Verdict{Action: network.Dial, To: to}
	}
	r := attacked(t, carry, port)
	var found []string
	for _, id := range reaching {
		row, _ := r.Row(id)
		if row.State == escape.Off {
			found = append(found, id)
		}
		t.Logf("%s: %s, %s", id, row.State, row.Detail)
	}
	if row, _ := r.Row("network/host-address"); row.State == escape.NotRun {
		t.Skip("not run: this machine has no address besides its loopback device's")
	}
	if !slices.Contains(found, "network/host-address") {
		t.Errorf("got %v, want the machine to be reached by its address", found)
	}
}

func own(a netip.Addr) bool {
	list, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(list, func(of net.Addr) bool {
		prefix, err := netip.ParsePrefix(of.String())
		return err == nil && prefix.Addr() == a
	})
}
