package edge

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/dropstack/dropstack/internal/network"
)

// isOwner says whether a request comes from the person who runs this machine, who
// needs no sign-in (DESIGN 3.5). Being on the same machine is not enough, because
// browsers here run other people's pages:
//
//   - the Host must be a name that only ever means this machine, or a page of
//     another site that points its own name at 127.0.0.1 (DNS rebinding) would do;
//   - the request must not be sent by a page of another origin, which browsers
//     tell us by Sec-Fetch-Site and Origin. "same-site" is refused as well, since
//     pages of strangers live next door, on the content host;
//   - the content host itself (content.*) is nobody's: what runs there is uploaded;
//   - it must not have come through a proxy, whose own address is loopback.
func isOwner(listener net.Addr, r *http.Request) bool {
	if listener == nil || !loopback(hostOf(listener.String())) || !loopback(hostOf(r.RemoteAddr)) {
		return false
	}
	host := hostOf(r.Host)
	if !localHost(host) || strings.HasPrefix(host, "content.") {
		return false
	}
	if network.Proxied(r.Header) {
		return false
	}
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	for _, origin := range r.Header["Origin"] {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	return true
}

func localHost(name string) bool {
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || loopback(name)
}

// loopback says whether an address is of 127.0.0.0/8 or ::1.
func loopback(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && addr.Unmap().IsLoopback()
}
