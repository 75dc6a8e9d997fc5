package network

import (
	"net/netip"
	"slices"
)

// tables is a checked model, arranged for lookups. It is never written to after
// compile.
type tables struct {
	model   Model
	vpcs    map[string]*vpc
	subnets map[string]*subnet
	groups  map[string]*group
}

type vpc struct {
	id       string
	cidrs    []netip.Prefix
	resolver netip.Addr // base of the first block plus two
	hosts    map[netip.Addr]*host
	zones    map[string]*zone // by name
	names    map[string][]netip.Addr
}

type subnet struct {
	id     string
	vpc    *vpc
	cidr   netip.Prefix
	routes []route // the longest prefix first
}

type route struct {
	to      netip.Prefix
	target  Target
	peering string
	peer    *vpc // at the other end of the peering
}

// group is a security group. Its rules are the model's.
type group struct {
	id              string
	vpc             *vpc
	ingress, egress []Rule
	all             bool // EgressAll
}

// host is what answers at an address: an interface or an endpoint.
type host struct {
	id      string
	subnet  *subnet
	groups  []*group
	attach  netip.Addr
	service string // of an endpoint
}

const local Target = "local"

// build arranges a model that check has passed.
func build(m Model, region string) *tables {
	t := &tables{model: m, vpcs: map[string]*vpc{}, subnets: map[string]*subnet{}, groups: map[string]*group{}}
	for _, v := range m.VPCs {
		t.vpcs[v.ID] = &vpc{
			id: v.ID, cidrs: v.CIDRs, resolver: offset(v.CIDRs[0].Addr(), 2),
			hosts: map[netip.Addr]*host{}, zones: map[string]*zone{}, names: map[string][]netip.Addr{},
		}
	}
	for _, g := range m.Groups {
		t.groups[g.ID] = &group{id: g.ID, vpc: t.vpcs[g.VPC], ingress: g.Ingress, egress: g.Egress, all: g.EgressAll}
	}
	t.route(m)
	for _, i := range m.Interfaces {
		s := t.subnets[i.Subnet]
		s.vpc.hosts[i.Address] = &host{id: i.ID, subnet: s, groups: t.members(i.Groups), attach: i.Attach.Unmap()}
	}
	for _, e := range m.Endpoints {
		s := t.subnets[e.Subnet]
		s.vpc.hosts[e.Address] = &host{id: e.ID, subnet: s, groups: t.members(e.Groups), service: e.Service}
		for _, name := range e.dnsNames(region) {
			s.vpc.names[name] = append(s.vpc.names[name], e.Address)
		}
	}
	for _, z := range m.Zones {
		compiled := newZone(z)
		for _, id := range z.VPCs {
			t.vpcs[id].zones[z.Name] = compiled
		}
	}
	return t
}

func (t *tables) route(m Model) {
	peerings := map[string]Peering{}
	for _, p := range m.Peerings {
		peerings[p.ID] = p
	}
	for _, s := range m.Subnets {
		sub := &subnet{id: s.ID, vpc: t.vpcs[s.VPC], cidr: s.CIDR}
		for _, block := range sub.vpc.cidrs {
			sub.routes = append(sub.routes, route{to: block, target: local})
		}
		for _, r := range s.Routes {
			to := route{to: r.Destination, target: r.Target, peering: r.Peering}
			if r.Target == Peered {
				p := peerings[r.Peering]
				if p.A == s.VPC {
					to.peer = t.vpcs[p.B]
				} else {
					to.peer = t.vpcs[p.A]
				}
			}
			sub.routes = append(sub.routes, to)
		}
		slices.SortStableFunc(sub.routes, func(a, b route) int { return b.to.Bits() - a.to.Bits() })
		t.subnets[s.ID] = sub
	}
}

func (t *tables) members(ids []string) []*group {
	groups := make([]*group, len(ids))
	for i, id := range ids {
		groups[i] = t.groups[id]
	}
	return groups
}

// lookup finds the route to an address, nil if there is none.
func (s *subnet) lookup(to netip.Addr) *route {
	for i := range s.routes {
		if s.routes[i].to.Contains(to) {
			return &s.routes[i]
		}
	}
	return nil
}

// assignable reports whether an address is none of AWS's own: the first four of
// a subnet and its last.
func assignable(in netip.Prefix, a netip.Addr) bool {
	first, size := number(in.Masked().Addr()), uint64(1)<<(32-in.Bits())
	at := uint64(number(a)) - uint64(first)
	return in.Contains(a) && at >= 4 && at < size-1
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func offset(a netip.Addr, by uint32) netip.Addr {
	n := number(a) + by
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
