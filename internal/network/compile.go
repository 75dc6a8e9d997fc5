package network

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Problem is what is wrong with one resource of a Model.
type Problem struct {
	Resource string // ID, or of zones and records what they are and their name
	Message  string
}

func (p Problem) Error() string { return p.Resource + ": " + p.Message }

// Problems is an error made of problems, in the order of the model.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, each := range p {
		lines[i] = each.Error()
	}
	return strings.Join(lines, "\n")
}

// Check returns what is wrong with a model; nil means nothing. The model must
// hold all that it refers to.
func (m Model) Check() Problems {
	c := checker{
		model: m, ids: map[string]bool{}, vpcs: map[string]VPC{}, subnets: map[string]Subnet{},
		groups: map[string]SecurityGroup{}, peerings: map[string]Peering{},
	}
	c.index()
	c.checkVPCs()
	c.checkPeerings()
	c.checkSubnets()
	c.checkGroups()
	c.checkHosts()
	c.checkZones()
	return c.problems
}

func compile(m Model, region string) (*tables, Problems) {
	if problems := m.Check(); len(problems) > 0 {
		return nil, problems
	}
	return build(m, region), nil
}

type checker struct {
	model    Model
	ids      map[string]bool
	vpcs     map[string]VPC
	subnets  map[string]Subnet
	groups   map[string]SecurityGroup
	peerings map[string]Peering
	problems Problems
}

func (c *checker) bad(resource, format string, args ...any) {
	c.problems = append(c.problems, Problem{resource, fmt.Sprintf(format, args...)})
}

func (c *checker) index() {
	for id := range c.model.ids() {
		switch {
		case id == "":
			c.bad("(no ID)", "a resource has no ID")
		case c.ids[id]:
			c.bad(id, "the ID is used twice; IDs are unique over all kinds of resources")
		}
		c.ids[id] = true
	}
	for _, v := range c.model.VPCs {
		c.vpcs[v.ID] = v
	}
	for _, s := range c.model.Subnets {
		c.subnets[s.ID] = s
	}
	for _, g := range c.model.Groups {
		c.groups[g.ID] = g
	}
	for _, p := range c.model.Peerings {
		c.peerings[p.ID] = p
	}
}

// unusable are blocks that AWS allows no VPC to have.
var unusable = prefixes("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")

func (c *checker) checkVPCs() {
	for _, v := range c.model.VPCs {
		if len(v.CIDRs) == 0 {
			c.bad(v.ID, "the VPC has no CIDR block; give it one, such as 10.0.0.0/16")
		}
		for i, block := range v.CIDRs {
			if !c.block(v.ID, block) {
				continue
			}
			if j := slices.IndexFunc(unusable, block.Overlaps); j >= 0 {
				c.bad(v.ID, "CIDR block %s overlaps %s, which no VPC can have", block, unusable[j])
			}
			if j := slices.IndexFunc(v.CIDRs[:i], block.Overlaps); j >= 0 {
				c.bad(v.ID, "CIDR blocks %s and %s overlap", v.CIDRs[j], block)
			}
		}
	}
}

// block checks a block of a VPC or subnet.
func (c *checker) block(id string, block netip.Prefix) bool {
	switch {
	case !block.IsValid() || !block.Addr().Is4():
		c.bad(id, "CIDR block %s is not an IPv4 block such as 10.0.0.0/16", block)
	case block.Bits() < 16 || block.Bits() > 28:
		c.bad(id, "CIDR block %s is out of range: /16 to /28 are possible", block)
	case block != block.Masked():
		c.bad(id, "CIDR block %s begins at %s", block, block.Masked())
	default:
		return true
	}
	return false
}

func (c *checker) checkPeerings() {
	joined := map[[2]string]string{}
	for _, p := range c.model.Peerings {
		a, knownA := c.vpcs[p.A]
		b, knownB := c.vpcs[p.B]
		switch {
		case !knownA:
			c.bad(p.ID, "VPC %q does not exist", p.A)
		case !knownB:
			c.bad(p.ID, "VPC %q does not exist", p.B)
		case p.A == p.B:
			c.bad(p.ID, "VPC %s cannot be peered with itself", p.A)
		}
		pair := [2]string{min(p.A, p.B), max(p.A, p.B)}
		if other, twice := joined[pair]; twice {
			c.bad(p.ID, "VPCs %s and %s are peered by %s already", p.A, p.B, other)
		}
		joined[pair] = p.ID
		for _, block := range a.CIDRs {
			if i := slices.IndexFunc(b.CIDRs, block.Overlaps); i >= 0 && p.A != p.B {
				c.bad(p.ID, "VPCs %s and %s cannot be peered: %s overlaps %s", p.A, p.B, block, b.CIDRs[i])
			}
		}
	}
}

func (c *checker) checkSubnets() {
	var sorted []Subnet
	for _, s := range c.model.Subnets {
		v, known := c.vpcs[s.VPC]
		switch {
		case !known:
			c.bad(s.ID, "VPC %q does not exist", s.VPC)
		case !c.block(s.ID, s.CIDR):
		case !slices.ContainsFunc(v.CIDRs, func(b netip.Prefix) bool { return b.Bits() <= s.CIDR.Bits() && b.Contains(s.CIDR.Addr()) }):
			c.bad(s.ID, "CIDR block %s is not in those of VPC %s, %s", s.CIDR, v.ID, join(v.CIDRs))
		default:
			sorted = append(sorted, s)
		}
		c.checkRoutes(s)
	}
	// Blocks either nest or are apart, so after sorting, whoever overlaps another
	// overlaps the widest that began before it.
	slices.SortStableFunc(sorted, func(a, b Subnet) int {
		return cmpOr(strings.Compare(a.VPC, b.VPC), a.CIDR.Addr().Compare(b.CIDR.Addr()), a.CIDR.Bits()-b.CIDR.Bits())
	})
	var widest Subnet
	for _, s := range sorted {
		if s.VPC == widest.VPC && widest.CIDR.Overlaps(s.CIDR) {
			c.bad(s.ID, "CIDR block %s overlaps %s of subnet %s", s.CIDR, widest.CIDR, widest.ID)
			continue
		}
		widest = s
	}
}

func cmpOr(orders ...int) int {
	for _, o := range orders {
		if o != 0 {
			return o
		}
	}
	return 0
}

func join(blocks []netip.Prefix) string {
	texts := make([]string, len(blocks))
	for i, b := range blocks {
		texts[i] = b.String()
	}
	return strings.Join(texts, ", ")
}

func (c *checker) checkRoutes(s Subnet) {
	seen := map[netip.Prefix]bool{}
	for _, r := range s.Routes {
		to := r.Destination
		switch {
		case !to.IsValid():
			c.bad(s.ID, "a route has no destination block")
			continue
		case to != to.Masked():
			c.bad(s.ID, "route to %s: the block begins at %s", to, to.Masked())
		case seen[to]:
			c.bad(s.ID, "route to %s: there are two", to)
		case slices.Contains(c.vpcs[s.VPC].CIDRs, to):
			c.bad(s.ID, "route to %s: that is the VPC itself, whose route is implied", to)
		}
		seen[to] = true
		switch r.Target {
		case NAT, Blackhole:
		case Peered:
			if p, known := c.peerings[r.Peering]; !known {
				c.bad(s.ID, "route to %s: peering %q does not exist", to, r.Peering)
			} else if p.A != s.VPC && p.B != s.VPC {
				c.bad(s.ID, "route to %s: peering %s joins %s and %s, not VPC %s", to, p.ID, p.A, p.B, s.VPC)
			}
		default:
			c.bad(s.ID, "route to %s: target %q is none of %s, %s, %s", to, r.Target, NAT, Peered, Blackhole)
		}
	}
}

func (c *checker) checkGroups() {
	peers := map[[2]string]bool{}
	for _, p := range c.model.Peerings {
		peers[[2]string{p.A, p.B}], peers[[2]string{p.B, p.A}] = true, true
	}
	names := map[[2]string]string{}
	for _, g := range c.model.Groups {
		if _, known := c.vpcs[g.VPC]; !known {
			c.bad(g.ID, "VPC %q does not exist", g.VPC)
		}
		if key := [2]string{g.VPC, g.Name}; g.Name != "" {
			if other, twice := names[key]; twice {
				c.bad(g.ID, "security group %s of VPC %s has the name %q already", other, g.VPC, g.Name)
			}
			names[key] = g.ID
		}
		for i, r := range g.Ingress {
			c.checkRule(g, fmt.Sprintf("ingress rule %d", i+1), r, peers)
		}
		for i, r := range g.Egress {
			c.checkRule(g, fmt.Sprintf("egress rule %d", i+1), r, peers)
		}
	}
}

func (c *checker) checkRule(g SecurityGroup, where string, r Rule, peers map[[2]string]bool) {
	switch r.Protocol {
	case Any, ICMP:
	case TCP, UDP:
		if r.From > r.To {
			c.bad(g.ID, "%s: ports %d to %d run backwards", where, r.From, r.To)
		}
	default:
		c.bad(g.ID, "%s: protocol %q is none of tcp, udp, icmp, -1", where, r.Protocol)
	}
	switch {
	case r.Group == "" && !r.CIDR.IsValid():
		c.bad(g.ID, "%s: names neither a block nor a group", where)
	case r.Group != "" && r.CIDR.IsValid():
		c.bad(g.ID, "%s: names both block %s and group %s; make it two rules", where, r.CIDR, r.Group)
	case r.Group == "":
		if r.CIDR != r.CIDR.Masked() {
			c.bad(g.ID, "%s: block %s begins at %s", where, r.CIDR, r.CIDR.Masked())
		}
	default:
		other, known := c.groups[r.Group]
		if !known {
			c.bad(g.ID, "%s: security group %q does not exist", where, r.Group)
		} else if other.VPC != g.VPC && !peers[[2]string{g.VPC, other.VPC}] {
			c.bad(g.ID, "%s: security group %s is of VPC %s, which is not peered with %s", where, r.Group, other.VPC, g.VPC)
		}
	}
}
