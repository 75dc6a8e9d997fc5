package network

import (
	"net/netip"
	"slices"
)

// Resolver is the address at which every port finds the platform's resolver,
// with or without a VPC; a VPC's base plus two is another. It is AWS's.
var Resolver = netip.MustParseAddr("169.254.169.253")

var metadata = netip.MustParseAddr("169.254.169.254")

const domain = 53

// The reasons of verdicts.
const (
	reasonPublic    = "public internet"
	reasonNAT       = "nat gateway"
	reasonResolver  = "resolver"
	reasonInterface = "interface"
	reasonEndpoint  = "endpoint"
	reasonControl   = "control run"

	reasonNotPublic = "not public"
	reasonOwn       = "address of this machine"
	reasonMetadata  = "metadata"
	reasonLinkLocal = "link-local"
	reasonProtocol  = "protocol"
	reasonSubnet    = "no such subnet"
	reasonEgress    = "security group: egress"
	reasonIngress   = "security group: ingress"
	reasonNoRoute   = "no route"
	reasonBlackhole = "blackhole"
	reasonNoReturn  = "no route back"
	reasonNoHost    = "no host"
)

func drop(reason string) Verdict { return Verdict{Action: Drop, Reason: reason} }

// Decide says what becomes of a flow of a port to an address. It follows AWS:
// rules only allow, a port's groups add up, the longest prefix routes, and no
// group stands between a port and its resolver. It takes no locks and allocates
// nothing. For ICMP, the port of to is ignored.
func (n *Networks) Decide(p *Port, proto Protocol, to netip.AddrPort) Verdict {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	v := n.decide(p, proto, to)
	if n.Permissive && !v.Accepted() {
		return n.tables().permit(p, to)
	}
	return v
}

func (n *Networks) decide(p *Port, proto Protocol, to netip.AddrPort) Verdict {
	if proto != TCP && proto != UDP && proto != ICMP {
		return drop(reasonProtocol)
	}
	var sub *subnet
	if p.VPC != "" {
		sub = n.tables().subnets[p.Subnet]
		if sub == nil || sub.vpc.id != p.VPC {
			return drop(reasonSubnet)
		}
	}
	switch addr := to.Addr(); {
	case proto != ICMP && to.Port() == domain && (addr == Resolver || sub != nil && addr == sub.vpc.resolver):
		return Verdict{Action: Resolve, Reason: reasonResolver}
	case addr == metadata:
		return drop(reasonMetadata)
	case addr.IsLinkLocalUnicast():
		return drop(reasonLinkLocal)
	}
	if sub == nil {
		return n.outside(to, reasonPublic)
	}
	return n.inside(p, sub, proto, to)
}

// outside is for flows to the public internet.
func (n *Networks) outside(to netip.AddrPort, reason string) Verdict {
	if !public(to.Addr()) {
		return drop(reasonNotPublic)
	}
	own := n.Own
	if own == nil {
		own = n.own.has
	}
	if own(to.Addr()) {
		return drop(reasonOwn)
	}
	return Verdict{Action: Dial, To: to, Reason: reason}
}

// inside is for flows of ports in a VPC.
func (n *Networks) inside(p *Port, sub *subnet, proto Protocol, to netip.AddrPort) Verdict {
	r := sub.lookup(to.Addr())
	var at *host
	if r != nil {
		at = r.host(sub, to.Addr())
	}
	switch {
	case !n.tables().leaves(p, sub.vpc, proto, to, at):
		return drop(reasonEgress)
	case r == nil:
		return drop(reasonNoRoute)
	case r.target == NAT:
		return n.outside(to, reasonNAT)
	case r.target == Blackhole:
		return drop(reasonBlackhole)
	case at == nil: // instances take no connections
		return drop(reasonNoHost)
	case r.target == Peered && !at.subnet.returns(r.peering, p.Address):
		return drop(reasonNoReturn)
	case !at.admits(p, proto, to.Port()):
		return drop(reasonIngress)
	case at.service != "":
		return Verdict{Action: Serve, Service: at.service, Reason: reasonEndpoint}
	}
	return Verdict{Action: Dial, To: netip.AddrPortFrom(at.attach, to.Port()), Reason: reasonInterface}
}

// host finds who answers at an address that the route leads to.
func (r *route) host(from *subnet, to netip.Addr) *host {
	switch r.target {
	case local:
		return from.vpc.hosts[to]
	case Peered:
		return r.peer.hosts[to]
	}
	return nil
}

// returns reports whether answers to an address find back by the peering.
func (s *subnet) returns(peering string, to netip.Addr) bool {
	r := s.lookup(to)
	return r != nil && r.target == Peered && r.peering == peering
}

// leaves reports whether a group of the port lets a flow out. at is the host of
// the destination, if it is one.
func (t *tables) leaves(p *Port, from *vpc, proto Protocol, to netip.AddrPort, at *host) bool {
	for _, id := range p.Groups {
		g := t.groups[id]
		if g == nil || g.vpc != from {
			continue
		}
		if g.all {
			return true
		}
		for i := range g.egress {
			r := &g.egress[i]
			if r.covers(proto, to.Port()) && (r.CIDR.Contains(to.Addr()) || at != nil && r.Group != "" && at.member(r.Group)) {
				return true
			}
		}
	}
	return false
}

// admits reports whether a group of the host lets a port's flow in.
func (h *host) admits(p *Port, proto Protocol, port uint16) bool {
	for _, g := range h.groups {
		for i := range g.ingress {
			r := &g.ingress[i]
			if r.covers(proto, port) && (r.CIDR.Contains(p.Address) || r.Group != "" && slices.Contains(p.Groups, r.Group)) {
				return true
			}
		}
	}
	return false
}

func (h *host) member(id string) bool {
	for _, g := range h.groups {
		if g.id == id {
			return true
		}
	}
	return false
}

func (r *Rule) covers(proto Protocol, port uint16) bool {
	switch r.Protocol {
	case Any:
		return true
	case ICMP:
		return proto == ICMP
	}
	return r.Protocol == proto && r.From <= port && port <= r.To
}

// permit is the verdict of control runs: to whatever stands behind the address,
// in any VPC, else to the address itself.
func (t *tables) permit(p *Port, to netip.AddrPort) Verdict {
	at := (*host)(nil)
	if v := t.vpcs[p.VPC]; v != nil {
		at = v.hosts[to.Addr()]
	}
	for _, v := range t.vpcs {
		if at == nil {
			at = v.hosts[to.Addr()]
		}
	}
	switch {
	case at == nil:
		return Verdict{Action: Dial, To: to, Reason: reasonControl}
	case at.service != "":
		return Verdict{Action: Serve, Service: at.service, Reason: reasonControl}
	}
	return Verdict{Action: Dial, To: netip.AddrPortFrom(at.attach, to.Port()), Reason: reasonControl}
}
