package network_test

import (
	"net/netip"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
)

func TestWhatThePlatformMayReach(t *testing.T) {
	const never, inside, everybody = 0, 1, 2
	for address, want := range map[string]int{
		"8.8.8.8": everybody, "2606:4700::1111": everybody,
		"127.0.0.1": inside, "::1": inside, "10.1.2.3": inside, "172.16.0.1": inside, "192.168.1.1": inside, "fd00::1": inside,
		"100.64.0.1": inside, "::ffff:10.0.0.1": inside, "198.18.0.1": inside, "255.255.255.255": inside, "0.1.2.3": inside,
		"64:ff9b::a00:1": inside, "2002:a00:1::": inside,
		"169.254.169.254": never, "::ffff:169.254.169.254": never, "fe80::1": never, "fe80::1%lo": never, "fd00:ec2::254": never,
		"100.100.100.200": never, "0.0.0.0": never, "::": never, "224.0.0.1": never, "ff02::1": never,
	} {
		a := netip.MustParseAddr(address)
		if got := network.MayReach(a, true) == nil; got != (want >= inside) {
			t.Errorf("%s from inside: allowed %v", address, got)
		}
		if got := network.MayReach(a, false) == nil; got != (want == everybody) {
			t.Errorf("%s from outside: allowed %v", address, got)
		}
	}
}
