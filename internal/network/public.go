package network

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// notPublic is what a function may reach through an attached Interface only:
// the blocks of the IANA special-purpose registries that lead to this machine,
// its networks, or many hosts at once, and those that carry an IPv4 address in
// an IPv6 one (NAT64, Teredo, 6to4), which would be a way round the others.
var notPublic4, notPublic6 = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
	"172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"224.0.0.0/4", "240.0.0.0/4",
), prefixes(
	"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64",
	"2001::/32", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// public reports whether an unmapped address is one of the public internet.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" { // no block contains an address with a zone
		return false
	}
	blocks := notPublic6
	if a.Is4() {
		blocks = notPublic4
	}
	for _, block := range blocks {
		if block.Contains(a) {
			return false
		}
	}
	return true
}

// ownAge is how long the addresses of this machine are believed.
const ownAge = 10 * time.Second

// ownAddresses remembers the addresses of this machine's devices.
type ownAddresses struct{ current atomic.Pointer[ownSet] }

type ownSet struct {
	read  time.Time
	addrs map[netip.Addr]bool
	known bool
}

// has reports whether an address is this machine's. When the machine will not
// say, every address is.
func (o *ownAddresses) has(a netip.Addr) bool {
	set := o.current.Load()
	if set == nil || time.Since(set.read) > ownAge {
		set = &ownSet{read: time.Now(), addrs: map[netip.Addr]bool{}}
		if all, err := net.InterfaceAddrs(); err == nil {
			set.known = true
			for _, each := range all {
				if block, ok := each.(*net.IPNet); ok {
					addr, _ := netip.AddrFromSlice(block.IP)
					set.addrs[addr.Unmap()] = true
				}
			}
		}
		o.current.Store(set)
	}
	return !set.known || set.addrs[a]
}
