package kernel

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// Numbers of routing tables and of the rules that choose one. The main table has
// the ports and ends in the network's own blocks; what it does not know is looked
// up in the table of the subnet that the packet is from.
const (
	priorityMain   = 90
	prioritySubnet = 100
	tableMain      = unix.RT_TABLE_MAIN
	tableFirst     = 1000
)

// routes is what has been installed in a router.
type routes struct {
	addrs   map[netip.Addr]bool
	tables  map[string]int // of subnets
	rules   map[netip.Prefix]int
	entries map[entry]hop
}

// entry is a line of a routing table.
type entry struct {
	table int
	to    netip.Prefix
}

// hop is where an entry leads: by a device, or nowhere when that is "".
type hop struct{ device string }

func newRoutes() routes {
	return routes{
		addrs: map[netip.Addr]bool{}, tables: map[string]int{},
		rules: map[netip.Prefix]int{}, entries: map[entry]hop{},
	}
}

// addresses makes the router's own addresses the wanted ones.
func (r *router) addresses(wanted []netip.Addr) error {
	loopback := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1}}
	keep := map[netip.Addr]bool{}
	for _, a := range wanted {
		keep[a] = true
		if r.routes.addrs[a] {
			continue
		}
		if err := r.nl.AddrReplace(loopback, &netlink.Addr{IPNet: single(a)}); err != nil {
			return fmt.Errorf("address %s of %s: %w", a, r.name(), err)
		}
		r.routes.addrs[a] = true
	}
	for a := range r.routes.addrs {
		if keep[a] {
			continue
		}
		if err := r.nl.AddrDel(loopback, &netlink.Addr{IPNet: single(a)}); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove address %s of %s: %w", a, r.name(), err)
		}
		delete(r.routes.addrs, a)
	}
	return nil
}

// needsUplink reports whether anything of the network leads to the internet.
func needsUplink(m *network.Model, vpc string) bool {
	if vpc == "" {
		return true
	}
	for _, s := range m.Subnets {
		for _, route := range s.Routes {
			if s.VPC == vpc && route.Target == network.NAT {
				return true
			}
		}
	}
	return false
}

// connect gives the router its door to the host when it needs one.
func (r *router) connect(m *network.Model) error {
	if r.up != nil || !needsUplink(m, r.vpc) {
		return nil
	}
	up, err := r.engine.connect(r)
	if err != nil {
		return fmt.Errorf("connect %s to the host: %w", r.name(), err)
	}
	r.up = up
	return nil
}

// reroute makes the routing tables the wanted ones.
func (r *router) reroute(m *network.Model, vpc network.VPC, doors []door) error {
	entries, rules := map[entry]hop{}, map[netip.Prefix]int{}
	if r.vpc == "" {
		entries[entry{tableMain, netip.PrefixFrom(netip.IPv4Unspecified(), 0)}] = hop{uplink}
	}
	for _, c := range vpc.CIDRs {
		entries[entry{tableMain, c.Masked()}] = hop{}
	}
	for _, s := range m.Subnets {
		if s.VPC != vpc.ID || r.vpc == "" {
			continue
		}
		table := r.table(s.ID)
		rules[s.CIDR.Masked()] = table
		for _, route := range sorted(s.Routes) {
			entries[entry{table, route.Destination.Masked()}] = r.hop(route, doors)
		}
	}
	for e, h := range entries {
		if err := r.install(e, h); err != nil {
			return err
		}
	}
	if err := r.chooseTables(rules); err != nil {
		return err
	}
	return r.withdraw(entries)
}

func (r *router) table(subnet string) int {
	table, ok := r.routes.tables[subnet]
	if !ok {
		table = tableFirst + len(r.routes.tables)
		r.routes.tables[subnet] = table
	}
	return table
}

func (r *router) hop(route network.Route, doors []door) hop {
	switch route.Target {
	case network.NAT:
		return hop{uplink}
	case network.Peered:
		for _, d := range doors {
			if d.peering == route.Peering {
				return hop{d.device}
			}
		}
	}
	return hop{}
}

func (r *router) install(e entry, h hop) error {
	if had, ok := r.routes.entries[e]; ok && had == h {
		return nil
	}
	route := netlink.Route{Table: e.table, Dst: ipnet(e.to)}
	if h.device == "" {
		route.Type = unix.RTN_BLACKHOLE
	} else {
		link, err := r.nl.LinkByName(h.device)
		if err != nil {
			return fmt.Errorf("route %s by %s: %w", e.to, h.device, err)
		}
		route.LinkIndex, route.Gw, route.Flags = link.Attrs().Index, gateway.AsSlice(), int(netlink.FLAG_ONLINK)
	}
	if err := r.nl.RouteReplace(&route); err != nil {
		return fmt.Errorf("route %s by %q: %w", e.to, h.device, err)
	}
	r.routes.entries[e] = h
	return nil
}

func (r *router) withdraw(keep map[entry]hop) error {
	for e, h := range r.routes.entries {
		if _, ok := keep[e]; ok {
			continue
		}
		route := netlink.Route{Table: e.table, Dst: ipnet(e.to)}
		if h.device == "" {
			route.Type = unix.RTN_BLACKHOLE
		}
		if err := r.nl.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("withdraw route %s: %w", e.to, err)
		}
		delete(r.routes.entries, e)
	}
	return nil
}

// forget is for a door that went, and its routes with it.
func (r *router) forget(device string) {
	for e, h := range r.routes.entries {
		if h.device == device {
			delete(r.routes.entries, e)
		}
	}
}

func (r *router) chooseTables(wanted map[netip.Prefix]int) error {
	if len(r.routes.rules) == 0 && len(wanted) > 0 {
		main := netlink.NewRule()
		main.Priority, main.Table, main.Family = priorityMain, tableMain, unix.AF_INET
		if err := r.nl.RuleAdd(main); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("rule of the main table: %w", err)
		}
	}
	for from, table := range wanted {
		if r.routes.rules[from] == table {
			continue
		}
		if err := r.nl.RuleAdd(subnetRule(from, table)); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("rule of subnet %s: %w", from, err)
		}
		r.routes.rules[from] = table
	}
	for from, table := range r.routes.rules {
		if wanted[from] == table {
			continue
		}
		if err := r.nl.RuleDel(subnetRule(from, table)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove rule of subnet %s: %w", from, err)
		}
		delete(r.routes.rules, from)
	}
	return nil
}

func subnetRule(from netip.Prefix, table int) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Priority, rule.Table, rule.Family, rule.Src = prioritySubnet, table, unix.AF_INET, ipnet(from)
	return rule
}
