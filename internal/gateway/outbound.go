package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// transport carries what the gateway asks of others: issuers' keys, and the routes
// that lead to a URL. It uses no proxy, and looks at the addresses that it connects
// to and not at names, which may mean something else by then.
func (g *Gateway) transport() *http.Transport {
	g.outbound.Do(func() {
		dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return checkAddress(at.Addr())
		}}
		g.carrier = &http.Transport{
			DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		}
	})
	return g.carrier
}

// metadata is where clouds keep their secrets, besides link-local addresses.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// checkAddress refuses addresses where no API or issuer is, but the secrets of the
// machine that we run on may be.
func checkAddress(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	never := a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	for _, m := range metadata {
		never = never || a == m
	}
	if never {
		return fmt.Errorf("%s is an address that no route and no issuer may be at", a)
	}
	return nil
}
