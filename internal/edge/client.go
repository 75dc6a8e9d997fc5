package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf is the address in a RemoteAddr, with its port; of servers that are not
// on a network it is not valid.
func addressOf(remote string) netip.AddrPort {
	a, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(plain(a.Addr()), a.Port())
}

// plain is an address as it is compared: IPv4 as such, without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func (s *Server) trusted(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(s.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// client is the address of whoever asks: the peer, or behind trusted proxies the
// last hop that is not one of them. A hop that is no address ends the search, since
// what is before it may be made up.
func (s *Server) client(from netip.Addr, r *http.Request) netip.Addr {
	if !s.trusted(from) {
		return from
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		addr, err := netip.ParseAddr(hop)
		if err != nil { // some proxies write the port too
			with, err := netip.ParseAddrPort(hop)
			if err != nil {
				return from
			}
			addr = with.Addr()
		}
		if from = plain(addr); !s.trusted(from) {
			return from
		}
	}
	return from
}
