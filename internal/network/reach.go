package network

import (
	"fmt"
	"net/http"
	"net/netip"
	"syscall"
)

// unrouted are networks that are not the internet, and ways around to them, beside
// those that have names of their own.
var unrouted = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// clouds are where clouds keep their secrets, besides link-local addresses.
var clouds = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// MayReach says whether the platform may connect to an address for somebody who has
// named the host: that of the internet always, a private one or loopback only for who
// may reach inside, and where clouds keep secrets for nobody. It is to be asked of what
// is connected to, not of what a name meant some time before.
func MayReach(a netip.Addr, inside bool) error {
	a = a.Unmap().WithZone("")
	never := a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	for _, c := range clouds {
		never = never || a == c
	}
	if never {
		return fmt.Errorf("%s is an address that nobody reaches through the platform", a)
	}
	private := a.IsLoopback() || a.IsPrivate()
	for _, p := range unrouted {
		private = private || p.Contains(a)
	}
	if private && !inside {
		return fmt.Errorf("%s is not on the internet; only the administrator reaches such addresses through the platform", a)
	}
	return nil
}

// Guard is the Control of a net.Dialer that connects to what MayReach allows.
func Guard(inside bool) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return MayReach(at.Addr(), inside)
	}
}

// Proxied says whether a request has come through a proxy, by the headers that they
// add: then the address that it comes from is not its client's.
func Proxied(h http.Header) bool {
	for _, by := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if _, there := h[by]; there {
			return true
		}
	}
	return false
}
