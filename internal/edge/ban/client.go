package ban

import (
	"net/netip"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// How wide a prefix may be, as bits of IPv4 and IPv6: a slip of the pen must not turn
// half of the network away, nor open the door to it.
var (
	widestBan     = [2]int{16, 32}
	widestAllowed = [2]int{8, 8}
)

// ClientOf is the client behind an address: of IPv4 the address, of IPv6 its /64,
// which is what one customer has.
func ClientOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// ParseClient reads an address or a prefix. An IPv6 prefix longer than /64 is its /64.
func ParseClient(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return ClientOf(a), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Zone() != "" {
		return p, fault.Errorf(fault.Invalid, "client %q is neither an address nor a prefix, such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/64", text)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.Addr().Is6() && p.Bits() > 64 {
		p = netip.PrefixFrom(p.Addr(), 64)
	}
	return p.Masked(), nil
}

// narrow refuses prefixes that are wider than these.
func narrow(p netip.Prefix, widest [2]int) error {
	least := widest[0]
	if p.Addr().Is6() {
		least = widest[1]
	}
	if p.Bits() < least {
		return fault.Errorf(fault.Invalid, "%s takes in too many clients; the widest prefix is /%d of IPv4 and /%d of IPv6", p, widest[0], widest[1])
	}
	return nil
}

// bannable refuses what no client comes from, and the machine itself.
func (b *Bans) bannable(p netip.Prefix) error {
	if err := narrow(p, widestBan); err != nil {
		return err
	}
	switch a := p.Addr(); {
	case !b.Loopback && (a.IsLoopback() || p.Contains(netip.IPv6Loopback())):
		return fault.Errorf(fault.Invalid, "%s is the machine itself, which is never banned", p)
	case a.IsMulticast() || a.Is4() && a.IsUnspecified():
		return fault.Errorf(fault.Invalid, "%s is the address of no client", p)
	}
	for _, t := range b.Trusted {
		if t.Overlaps(p) && t.Bits() <= p.Bits() {
			return fault.Errorf(fault.Invalid, "%s is a trusted proxy (%s), which is never banned", p, t)
		}
	}
	return nil
}
