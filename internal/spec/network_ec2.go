package spec

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/network"
)

func (r *reader) vpcResource(d declared) {
	v := network.VPC{ID: d.id}
	if !r.need(d, "CidrBlock") {
		return
	}
	r.object(d.props, d.what(), keys{
		"CidrBlock":        func(n *node) { v.CIDRs = append(v.CIDRs, r.cidr(n, d.what()+".CidrBlock")) },
		"EnableDnsSupport": nil, "EnableDnsHostnames": nil, "InstanceTenancy": nil, "Tags": nil,
	}, effects{})
	r.svc.Network.VPCs = append(r.svc.Network.VPCs, v)
}

func (r *reader) moreCIDR(d declared) {
	var in string
	var block netip.Prefix
	if !r.need(d, "VpcId", "CidrBlock") {
		return
	}
	r.object(d.props, d.what(), keys{
		"VpcId":     func(n *node) { in = r.member(n, d.what()+".VpcId", "AWS::EC2::VPC") },
		"CidrBlock": func(n *node) { block = r.cidr(n, d.what()+".CidrBlock") },
	}, effects{})
	for i := range r.svc.Network.VPCs {
		if v := &r.svc.Network.VPCs[i]; v.ID == in {
			v.CIDRs = append(v.CIDRs, block)
			return
		}
	}
	r.fail(d.pos, "%s: a block can be added to a VPC of this service alone", d.what())
}

func (r *reader) subnetResource(d declared) {
	s := network.Subnet{ID: d.id}
	if !r.need(d, "VpcId", "CidrBlock") {
		return
	}
	r.object(d.props, d.what(), keys{
		"VpcId":            func(n *node) { s.VPC = r.member(n, d.what()+".VpcId", "AWS::EC2::VPC") },
		"CidrBlock":        func(n *node) { s.CIDR = r.cidr(n, d.what()+".CidrBlock") },
		"AvailabilityZone": nil, "AvailabilityZoneId": nil, "MapPublicIpOnLaunch": nil, "Tags": nil,
	}, effects{})
	r.svc.Network.Subnets = append(r.svc.Network.Subnets, s)
}

func (r *reader) peeringResource(d declared) {
	p := network.Peering{ID: d.id}
	if !r.need(d, "VpcId", "PeerVpcId") {
		return
	}
	r.object(d.props, d.what(), keys{
		"VpcId":       func(n *node) { p.A = r.member(n, d.what()+".VpcId", "AWS::EC2::VPC") },
		"PeerVpcId":   func(n *node) { p.B = r.member(n, d.what()+".PeerVpcId", "AWS::EC2::VPC") },
		"PeerOwnerId": nil, "PeerRegion": nil, "PeerRoleArn": nil, "Tags": nil,
	}, effects{})
	r.svc.Network.Peerings = append(r.svc.Network.Peerings, p)
}

func (r *reader) association(d declared) {
	var subnet, table string
	if !r.need(d, "SubnetId", "RouteTableId") {
		return
	}
	r.object(d.props, d.what(), keys{
		"SubnetId":     func(n *node) { subnet = r.member(n, d.what()+".SubnetId", "AWS::EC2::Subnet") },
		"RouteTableId": func(n *node) { table = r.member(n, d.what()+".RouteTableId", "AWS::EC2::RouteTable") },
	}, effects{})
	if other, twice := r.nets.table[subnet]; twice && other != table {
		r.fail(d.pos, "%s: the subnet has a route table already", d.what())
	}
	r.nets.table[subnet] = table
}

// routeResource adds a route to every subnet of its table.
func (r *reader) routeResource(d declared) {
	var table string
	var route network.Route
	targets := 0
	to := func(target network.Target, typ string) func(*node) {
		return func(n *node) {
			id := r.member(n, d.what(), typ)
			if route.Target = target; target == network.Peered {
				route.Peering = id
			}
			targets++
		}
	}
	if !r.need(d, "RouteTableId") {
		return
	}
	if d.props.get("DestinationIpv6CidrBlock") != nil {
		r.warn(d.pos, "%s has no effect: private networks are IPv4 only", d.what())
		return
	}
	const elsewhere = "nothing would be reached that way"
	r.object(d.props, d.what(), keys{
		"RouteTableId":         func(n *node) { table = r.member(n, d.what()+".RouteTableId", "AWS::EC2::RouteTable") },
		"DestinationCidrBlock": func(n *node) { route.Destination = r.cidr(n, d.what()+".DestinationCidrBlock") },
		"NatGatewayId":         to(network.NAT, "AWS::EC2::NatGateway"),
		// A function has no public address: an internet gateway takes it nowhere.
		"GatewayId":              to(network.Blackhole, "AWS::EC2::InternetGateway"),
		"VpcPeeringConnectionId": to(network.Peered, "AWS::EC2::VPCPeeringConnection"),
	}, effects{
		"TransitGatewayId": elsewhere, "InstanceId": elsewhere, "NetworkInterfaceId": elsewhere, "VpcEndpointId": elsewhere,
		"CarrierGatewayId": elsewhere, "LocalGatewayId": elsewhere, "CoreNetworkArn": elsewhere, "DestinationPrefixListId": elsewhere,
	})
	if targets != 1 || !route.Destination.IsValid() {
		r.fail(d.pos, "%s needs a DestinationCidrBlock and one of NatGatewayId, GatewayId and VpcPeeringConnectionId", d.what())
		return
	}
	for i := range r.svc.Network.Subnets {
		if s := &r.svc.Network.Subnets[i]; r.nets.table[s.ID] == table {
			s.Routes = append(s.Routes, route)
		}
	}
}

func (r *reader) groupResource(d declared) {
	g := network.SecurityGroup{ID: d.id, EgressAll: true}
	if !r.need(d, "VpcId") {
		return
	}
	r.object(d.props, d.what(), keys{
		"VpcId":     func(n *node) { g.VPC = r.member(n, d.what()+".VpcId", "AWS::EC2::VPC") },
		"GroupName": func(n *node) { g.Name = r.value(n, d.what()+".GroupName") },
		"SecurityGroupIngress": func(n *node) {
			r.each(n, d.what()+".SecurityGroupIngress", func(i *node) {
				g.Ingress = append(g.Ingress, r.rule(i, d.what()+".SecurityGroupIngress", "Source")...)
			})
		},
		"SecurityGroupEgress": func(n *node) {
			g.EgressAll = false
			r.each(n, d.what()+".SecurityGroupEgress", func(i *node) {
				g.Egress = append(g.Egress, r.rule(i, d.what()+".SecurityGroupEgress", "Destination")...)
			})
		},
		"GroupDescription": nil, "Tags": nil,
	}, effects{})
	r.svc.Network.Groups = append(r.svc.Network.Groups, g)
}

func (r *reader) ingressResource(d declared) {
	if g := r.groupOf(d); g != nil {
		g.Ingress = append(g.Ingress, r.rule(d.props, d.what(), "Source")...)
	}
}

// egressResource adds a rule; with one, all that is not declared is refused.
func (r *reader) egressResource(d declared) {
	if g := r.groupOf(d); g != nil {
		g.EgressAll = false
		g.Egress = append(g.Egress, r.rule(d.props, d.what(), "Destination")...)
	}
}

// groupOf is the group that a rule of its own belongs to.
func (r *reader) groupOf(d declared) *network.SecurityGroup {
	if !r.need(d, "GroupId") {
		return nil
	}
	id := r.member(d.props.get("GroupId"), d.what()+".GroupId", "AWS::EC2::SecurityGroup")
	for i := range r.svc.Network.Groups {
		if g := &r.svc.Network.Groups[i]; g.ID == id {
			return g
		}
	}
	r.fail(d.pos, "%s: a rule can be added to a group of this service alone", d.what())
	return nil
}

// protocols are the names and numbers that IpProtocol may be.
var protocols = map[string]network.Protocol{
	"-1": network.Any, "tcp": network.TCP, "6": network.TCP, "udp": network.UDP, "17": network.UDP, "icmp": network.ICMP, "1": network.ICMP,
}

// rule reads a rule whose other side is Source… or Destination…; none when it is
// about IPv6.
func (r *reader) rule(n *node, what, side string) []network.Rule {
	rule, from, to, peers := network.Rule{}, -1, -1, 0
	peer := side + "SecurityGroupId"
	port := func(into *int, key string) func(*node) {
		return func(n *node) { *into = r.integer(n, what+"."+key, -1, 65535) }
	}
	six := false
	const other = "the rule would allow nothing; name a block or a group's id"
	r.object(n, what, keys{
		"IpProtocol": func(v *node) {
			name := strings.ToLower(r.str(v, what+".IpProtocol"))
			known := false
			if rule.Protocol, known = protocols[name]; !known && name != "" {
				six = name == "icmpv6" || name == "58"
				if !six {
					r.fail(v.pos, "%s.IpProtocol must be tcp, udp, icmp or -1, not %s", what, name)
				}
			}
		},
		"FromPort": port(&from, "FromPort"), "ToPort": port(&to, "ToPort"), "Description": nil, "GroupId": nil,
		"CidrIp":   func(v *node) { rule.CIDR, peers = r.cidr(v, what+".CidrIp"), peers+1 },
		"CidrIpv6": func(*node) { six = true },
		peer:       func(v *node) { rule.Group, peers = r.member(v, what+"."+peer, "AWS::EC2::SecurityGroup"), peers+1 },

		side + "SecurityGroupOwnerId": nil,
	}, effects{side + "PrefixListId": other, side + "SecurityGroupName": other})
	switch {
	case six:
		r.warn(n.pos, "%s: the rule has no effect: private networks are IPv4 only", what)
		return nil
	case peers != 1:
		r.fail(n.pos, "%s needs exactly one of CidrIp and %s", what, peer)
	case n.get("IpProtocol") == nil:
		r.fail(n.pos, "%s needs an IpProtocol", what)
	case rule.Protocol == network.TCP || rule.Protocol == network.UDP:
		if from < 0 || to < from {
			r.fail(n.pos, "%s needs FromPort and ToPort, 0 to 65535, the lower first", what)
			return nil
		}
		rule.From, rule.To = uint16(from), uint16(to)
	}
	return []network.Rule{rule}
}

// attach is the key of Metadata that makes an interface stand for a host outside.
const attach = "dropstack:attach"

func (r *reader) interfaceResource(d declared) {
	i := network.Interface{ID: d.id}
	if !r.need(d, "SubnetId") {
		return
	}
	r.object(d.props, d.what(), keys{
		"SubnetId":         func(n *node) { i.Subnet = r.member(n, d.what()+".SubnetId", "AWS::EC2::Subnet") },
		"PrivateIpAddress": func(n *node) { i.Address = r.address(n, d.what()+".PrivateIpAddress") },
		"GroupSet": func(n *node) {
			r.each(n, d.what()+".GroupSet", func(g *node) {
				i.Groups = append(i.Groups, r.member(g, d.what()+".GroupSet", "AWS::EC2::SecurityGroup"))
			})
		},
		"Description": nil, "SourceDestCheck": nil, "InterfaceType": nil, "Tags": nil,
	}, effects{})
	host := (*node)(nil)
	if d.meta != nil && r.is(d.meta, object, d.what()+".Metadata") {
		host = d.meta.get(attach)
	}
	if host == nil {
		r.fail(d.pos, `%s stands for nothing; say which host it is, as this machine reaches it: "Metadata: {%s: 192.168.1.20}"`, d.what(), attach)
		return
	}
	if d.props.get("PrivateIpAddress") == nil {
		r.fail(d.pos, "%s has no PrivateIpAddress: functions need to know where to find it", d.what())
		return
	}
	i.Attach = r.address(host, d.what()+".Metadata."+attach)
	r.names[d.key].atts["PrimaryPrivateIpAddress"] = i.Address.String()
	r.svc.Network.Interfaces = append(r.svc.Network.Interfaces, i)
}

func (r *reader) endpointResource(d declared) {
	e := network.Endpoint{ID: d.id, PrivateDNS: true}
	kind, service := "Gateway", ""
	var subnets []string
	if !r.need(d, "ServiceName", "VpcId") {
		return
	}
	r.object(d.props, d.what(), keys{
		"VpcEndpointType": func(n *node) { kind = r.str(n, d.what()+".VpcEndpointType") },
		"ServiceName":     func(n *node) { service = r.value(n, d.what()+".ServiceName") },
		"VpcId":           func(n *node) { r.member(n, d.what()+".VpcId", "AWS::EC2::VPC") },
		"SubnetIds": func(n *node) {
			r.each(n, d.what()+".SubnetIds", func(s *node) {
				subnets = append(subnets, r.member(s, d.what()+".SubnetIds", "AWS::EC2::Subnet"))
			})
		},
		"SecurityGroupIds": func(n *node) {
			r.each(n, d.what()+".SecurityGroupIds", func(g *node) {
				e.Groups = append(e.Groups, r.member(g, d.what()+".SecurityGroupIds", "AWS::EC2::SecurityGroup"))
			})
		},
		"PrivateDnsEnabled": func(n *node) { e.PrivateDNS = r.boolean(n, d.what()+".PrivateDnsEnabled") },
		"RouteTableIds":     nil, "Tags": nil,
	}, effects{"PolicyDocument": "it would refuse nothing"})
	if kind != "Interface" {
		r.warn(d.pos, "%s is not deployed: an endpoint of type %s has no address; make it an Interface", d.what(), kind)
		return
	}
	if len(subnets) == 0 {
		r.fail(d.pos, "%s needs SubnetIds", d.what())
		return
	}
	e.Service, e.Subnet = service[strings.LastIndex(service, ".")+1:], subnets[0]
	if e.Address = r.topAddress(e.Subnet); !e.Address.IsValid() {
		r.fail(d.pos, "%s: its first subnet is not one of this service, or has no room", d.what())
		return
	}
	r.svc.Network.Endpoints = append(r.svc.Network.Endpoints, e)
}

// topAddress is the last address of a subnet that is free: functions get theirs
// from below.
func (r *reader) topAddress(subnet string) netip.Addr {
	for _, s := range r.svc.Network.Subnets {
		if s.ID != subnet || !s.CIDR.IsValid() {
			continue
		}
		base := s.CIDR.Addr().As4()
		size := uint32(1) << (32 - s.CIDR.Bits())
		first := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(base[2])<<8 | uint32(base[3])
		for n := first + size - 2; n > first+3; n-- { // the last is nobody's, nor are the first four
			a := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
			if !r.taken(a, subnet) {
				return a
			}
		}
	}
	return netip.Addr{}
}

func (r *reader) taken(a netip.Addr, subnet string) bool {
	m := r.svc.Network
	return slices.ContainsFunc(m.Interfaces, func(i network.Interface) bool { return i.Subnet == subnet && i.Address == a }) ||
		slices.ContainsFunc(m.Endpoints, func(e network.Endpoint) bool { return e.Subnet == subnet && e.Address == a })
}

// cidr reads a block of IPv4 addresses.
func (r *reader) cidr(n *node, what string) netip.Prefix {
	s := r.value(n, what)
	c, err := netip.ParsePrefix(s)
	if err != nil || !c.Addr().Is4() || c != c.Masked() {
		r.fail(n.pos, "%s %q is not an IPv4 block such as 10.0.0.0/16, without bits beyond its length", what, s)
		return netip.Prefix{}
	}
	return c
}

func (r *reader) address(n *node, what string) netip.Addr {
	s := r.value(n, what)
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is4() {
		r.fail(n.pos, "%s %q is not an IPv4 address such as 10.0.1.20", what, s)
		return netip.Addr{}
	}
	return a
}
