//go:build linux

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/nftables"

	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestAKilledPlatformLeavesTheNetworkClean kills a platform whose functions use the
// kernel's engine. The next start, with whichever engine, takes back what that has
// left in the machine's network, which here is one of this test's own.
func TestAKilledPlatformLeavesTheNetworkClean(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	service, data := demanding(t), testkit.Dir(t)
	for _, next := range []string{"user", "kernel"} {
		p := testkit.Start(t, data, "--services", "none", "--network", "kernel")
		if _, errs, code := p.Run(t, "", "deploy", service); code != 0 {
			t.Fatalf("deploy: exit %d, %s", code, errs)
		}
		invoke(t, p, "demanding-dev-df", "{}", nil)
		p.Kill()
		if tables, forwarding := left(t); len(tables) != 1 || forwarding != "1" {
			t.Fatalf("the killed platform has left tables %q and ip_forward %s: this test sweeps nothing", tables, forwarding)
		}
		p = testkit.Start(t, data, "--services", "none", "--network", next)
		if tables, forwarding := left(t); len(tables) > 0 || forwarding != "0" {
			t.Errorf("after a start with the engine %s: tables %q, ip_forward %s", next, tables, forwarding)
		}
		invoke(t, p, "demanding-dev-df", "{}", nil)
		if code := p.Stop(t); code != 0 {
			t.Errorf("exit code %d: %s", code, p.Log())
		}
		if tables, forwarding := left(t); len(tables) > 0 || forwarding != "0" {
			t.Errorf("after the engine %s has ended: tables %q, ip_forward %s", next, tables, forwarding)
		}
	}
}

// left is what there is of tables, and whether the machine forwards packets.
func left(t *testing.T) (tables []string, forwarding string) {
	t.Helper()
	nft, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	list, err := nft.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range list {
		tables = append(tables, table.Name)
	}
	value, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	return tables, strings.TrimSpace(string(value))
}
