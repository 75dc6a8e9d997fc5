package waf

import (
	"net/netip"
	"slices"
	"strings"
)

// Ranges is a set of addresses that does not change.
type Ranges []netip.Prefix // in order, none within another

// MakeRanges makes a set of prefixes in any order.
func MakeRanges(prefixes []netip.Prefix) Ranges {
	sorted := make([]netip.Prefix, 0, len(prefixes))
	for _, p := range prefixes {
		sorted = append(sorted, netip.PrefixFrom(p.Addr().Unmap(), bits(p)).Masked())
	}
	slices.SortFunc(sorted, netip.Prefix.Compare)
	out := sorted[:0]
	for _, p := range sorted {
		if last := len(out) - 1; last < 0 || !out[last].Overlaps(p) { // what overlaps is inside: the wider one comes first
			out = append(out, p)
		}
	}
	return Ranges(out)
}

// bits is the length of a prefix whose IPv4 address may be written as an IPv6 one.
func bits(p netip.Prefix) int {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return p.Bits() - 96
	}
	return p.Bits()
}

// Contains says whether the address is in the set.
func (r Ranges) Contains(client netip.Addr) bool {
	client = client.Unmap().WithZone("")
	at, found := slices.BinarySearchFunc(r, client, func(p netip.Prefix, a netip.Addr) int { return p.Addr().Compare(a) })
	if found {
		return true
	}
	return at > 0 && r[at-1].Contains(client)
}

// client matches when the client's address is in the set.
type client struct{ set Addresses }

func (m client) match(x *exam) bool {
	if !m.set.Contains(x.q.Client) {
		return false
	}
	x.found = finding{name: "client", text: x.q.Client.String()}
	return true
}

// forwarded matches when addresses of a header are in the set.
type forwarded struct {
	set      Addresses
	header   string
	fallback bool   // what becomes of a header that has no address
	position string // FIRST, LAST or ANY
}

// maxForwarded is how many addresses of a header are looked at.
const maxForwarded = 10

func (m forwarded) match(x *exam) bool {
	addrs, ok := forwardedAddrs(x, m.header)
	if !ok {
		return len(x.http.Header.Values(m.header)) > 0 && m.fallback
	}
	switch m.position {
	case "FIRST":
		addrs = addrs[:1]
	case "LAST":
		addrs = addrs[len(addrs)-1:]
	}
	for _, a := range addrs {
		if m.set.Contains(a) {
			x.found = finding{name: child("headers", strings.ToLower(m.header)), text: a.String()}
			return true
		}
	}
	return false
}

// forwardedAddrs reads the addresses of a header, of which each has to be one.
func forwardedAddrs(x *exam, header string) (addrs []netip.Addr, ok bool) {
	for _, line := range x.http.Header.Values(header) {
		for text := range strings.SplitSeq(line, ",") {
			a, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil {
				return nil, false
			}
			if addrs = append(addrs, a.Unmap()); len(addrs) == maxForwarded {
				return addrs, true
			}
		}
	}
	return addrs, len(addrs) > 0
}

// child is the name of a value within a place.
func child(place, name string) string {
	if name == "" {
		return place
	}
	return place + "." + name
}
