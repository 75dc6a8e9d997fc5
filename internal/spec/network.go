package spec

import (
	"net/netip"
	"slices"

	"github.com/dropstack/dropstack/internal/network"
)

// VPC is where a function's instances are attached; both lists have IDs of
// Service.Network and at least one.
type VPC struct{ Subnets, Groups []string }

// networkReaders are the resources of private networks, in the order in which
// they depend on each other.
var networkReaders = []struct {
	typ, id string // id: the attribute that is the ID, as Ref is
	read    func(*reader, field, *node)
}{
	{"AWS::EC2::VPC", "VpcId", (*reader).netVPC},
	{"AWS::EC2::Subnet", "SubnetId", (*reader).subnet},
	{"AWS::EC2::SecurityGroup", "GroupId", (*reader).group},
}

// networkHarm are types without which a network would allow more than declared.
var networkHarm = effects{
	"AWS::EC2::SecurityGroupEgress": "its group would allow all traffic out; declare the rule in SecurityGroupEgress of the group",
	"AWS::EC2::NetworkAcl":          "it would refuse nothing; use security groups",
}

// nameNetwork makes a resource known to others before any is read; false when
// the type is none of networks.
func (r *reader) nameNetwork(typ string, f field) bool {
	if harm := networkHarm[typ]; harm != "" {
		r.fail(f.pos, "resource %s of type %s is not supported yet: %s", f.key, typ, harm)
		return true
	}
	for _, known := range networkReaders {
		if known.typ == typ {
			id := r.svc.Stack() + "-" + f.key
			r.names[f.key] = resource{id, id, map[string]string{known.id: id}}
			r.nets[typ] = append(r.nets[typ], f)
			return true
		}
	}
	return false
}

func (r *reader) networks() {
	for _, known := range networkReaders {
		for _, f := range r.nets[known.typ] {
			what := "resource " + f.key
			r.object(f.value, what, keys{
				"Type": nil, "DependsOn": nil, "DeletionPolicy": nil, "UpdateReplacePolicy": nil, "Metadata": nil, "Properties": nil,
			}, effects{})
			if p := r.vars.resolve(r.vars.resolve(f.value).get("Properties")); p != nil && p.kind == object {
				known.read(r, f, p)
			} else {
				r.fail(f.pos, "%s has no Properties", what)
			}
		}
	}
}

func (r *reader) netVPC(f field, p *node) {
	v, what := network.VPC{ID: r.names[f.key].ref}, "resource "+f.key
	r.object(p, what, keys{
		"CidrBlock": func(n *node) {
			c := r.cidr(n, what+".CidrBlock")
			if c.IsValid() && (c.Bits() < 16 || c.Bits() > 28) {
				r.fail(n.pos, "%s.CidrBlock %s: a VPC is a /16 to a /28", what, c)
			}
			v.CIDRs = append(v.CIDRs, c)
		},
		"EnableDnsSupport": nil, "EnableDnsHostnames": nil, "InstanceTenancy": nil, "Tags": nil,
	}, effects{})
	if len(v.CIDRs) == 0 {
		r.fail(f.pos, "%s has no CidrBlock", what)
	}
	r.svc.Network.VPCs = append(r.svc.Network.VPCs, v)
}

func (r *reader) subnet(f field, p *node) {
	s, what := network.Subnet{ID: r.names[f.key].ref}, "resource "+f.key
	r.object(p, what, keys{
		"VpcId":            func(n *node) { s.VPC = r.ofVPC(n, what) },
		"CidrBlock":        func(n *node) { s.CIDR = r.cidr(n, what+".CidrBlock") },
		"AvailabilityZone": nil, "MapPublicIpOnLaunch": nil, "Tags": nil,
	}, effects{})
	if p.get("VpcId") == nil || p.get("CidrBlock") == nil {
		r.fail(f.pos, "%s needs VpcId and CidrBlock", what)
	}
	for _, v := range r.svc.Network.VPCs {
		inside := func(c netip.Prefix) bool { return c.Bits() <= s.CIDR.Bits() && c.Contains(s.CIDR.Addr()) }
		if v.ID == s.VPC && s.CIDR.IsValid() && !slices.ContainsFunc(v.CIDRs, inside) {
			r.fail(f.pos, "%s: %s is outside of its VPC", what, s.CIDR)
		}
	}
	r.svc.Network.Subnets = append(r.svc.Network.Subnets, s)
}

func (r *reader) group(f field, p *node) {
	what := "resource " + f.key
	g := network.SecurityGroup{ID: r.names[f.key].ref, Name: r.names[f.key].name, EgressAll: true}
	r.object(p, what, keys{
		"VpcId":     func(n *node) { g.VPC = r.ofVPC(n, what) },
		"GroupName": func(n *node) { g.Name = r.value(n, what+".GroupName") },
		"SecurityGroupIngress": func(n *node) {
			r.each(n, what+".SecurityGroupIngress", func(i *node) {
				g.Ingress = append(g.Ingress, r.rule(i, what+".SecurityGroupIngress", "SourceSecurityGroupId"))
			})
		},
		"SecurityGroupEgress": func(n *node) {
			g.EgressAll = false
			r.each(n, what+".SecurityGroupEgress", func(i *node) {
				g.Egress = append(g.Egress, r.rule(i, what+".SecurityGroupEgress", "DestinationSecurityGroupId"))
			})
		},
		"GroupDescription": nil, "Tags": nil,
	}, effects{})
	if p.get("VpcId") == nil {
		r.fail(f.pos, "%s needs a VpcId", what)
	}
	r.svc.Network.Groups = append(r.svc.Network.Groups, g)
}

func (r *reader) rule(n *node, what, peer string) network.Rule {
	rule, from, to := network.Rule{}, -1, -1
	port := func(into *int) func(*node) {
		return func(n *node) { *into = r.integer(n, what+": a port", -1, 65535) }
	}
	r.object(n, what, keys{
		"IpProtocol": func(v *node) {
			rule.Protocol = network.Protocol(r.str(v, what+".IpProtocol"))
			if !slices.Contains([]network.Protocol{network.Any, network.TCP, network.UDP, network.ICMP}, rule.Protocol) {
				r.fail(v.pos, "%s.IpProtocol must be tcp, udp, icmp or -1, not %s", what, rule.Protocol)
			}
		},
		"FromPort": port(&from), "ToPort": port(&to), "Description": nil,
		"CidrIp": func(v *node) { rule.CIDR = r.cidr(v, what+".CidrIp") },
		peer:     func(v *node) { rule.Group = r.member(v, what+"."+peer, "AWS::EC2::SecurityGroup") },
	}, effects{})
	if (n.get("CidrIp") == nil) == (n.get(peer) == nil) {
		r.fail(n.pos, "%s needs exactly one of CidrIp and %s", what, peer)
	}
	if rule.Protocol == "" {
		r.fail(n.pos, "%s needs an IpProtocol", what)
	}
	if rule.Protocol == network.TCP || rule.Protocol == network.UDP {
		if from < 0 || to < from {
			r.fail(n.pos, "%s needs FromPort and ToPort, 0 to 65535, the lower first", what)
			return rule
		}
		rule.From, rule.To = uint16(from), uint16(to)
	}
	return rule
}

func (r *reader) cidr(n *node, what string) netip.Prefix {
	s := r.value(n, what)
	c, err := netip.ParsePrefix(s)
	if s != "" && (err != nil || !c.Addr().Is4() || c != c.Masked()) {
		r.fail(n.pos, "%s %q is not an IPv4 block such as 10.0.0.0/16, without bits beyond its length", what, s)
		return netip.Prefix{}
	}
	return c
}

func (r *reader) ofVPC(n *node, what string) string {
	return r.member(n, what+".VpcId", "AWS::EC2::VPC")
}

// member reads the ID of a resource of a type.
func (r *reader) member(n *node, what, typ string) string {
	id := r.value(n, what)
	is := func(f field) bool { return r.names[f.key].ref == id }
	if id != "" && !slices.ContainsFunc(r.nets[typ], is) {
		r.fail(n.pos, "%s: %q is no %s of this service's resources", what, id, typ)
	}
	return id
}

// functionVPC is the function's own vpc or, where it says nothing, the
// provider's. An empty one is none.
func (r *reader) functionVPC(f field) *VPC {
	n, what := r.vars.resolve(f.value.get("vpc")), "functions."+f.key+".vpc"
	if n == nil {
		n, what = r.defaults.vpc, "provider.vpc"
	}
	if n == nil || n.kind == null || n.kind == broken {
		return nil
	}
	v := &VPC{}
	ids := func(into *[]string, key, typ string) func(*node) {
		return func(n *node) {
			r.each(n, what+"."+key, func(i *node) { *into = append(*into, r.member(i, what+"."+key, typ)) })
		}
	}
	r.object(n, what, keys{
		"subnetIds":        ids(&v.Subnets, "subnetIds", "AWS::EC2::Subnet"),
		"securityGroupIds": ids(&v.Groups, "securityGroupIds", "AWS::EC2::SecurityGroup"),
	}, effects{"ipv6AllowedForDualStack": "private networks are IPv4 only"})
	if len(v.Subnets) == 0 && len(v.Groups) == 0 {
		return nil
	}
	if len(v.Subnets) == 0 || len(v.Groups) == 0 {
		r.fail(n.pos, "%s needs both subnetIds and securityGroupIds", what)
	}
	return v
}
