package networktest

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
)

// The addresses of the world.
var (
	internetAddr = netip.MustParseAddr("203.0.113.10")
	wanAddr      = netip.MustParseAddr("203.0.113.1")
	lanAddr      = netip.MustParseAddr("192.168.50.1")
	databaseAddr = netip.MustParseAddr("192.168.50.10")
	natAddr      = netip.MustParseAddr("100.64.0.1")
	mongoAddr    = netip.MustParseAddr("10.9.0.10")
	redisAddr    = netip.MustParseAddr("10.9.0.11")
	routerAddr   = netip.MustParseAddr("10.0.0.1")
	resolverAddr = netip.MustParseAddr("10.0.0.2")
	metadataAddr = netip.MustParseAddr("169.254.169.254")
	forgedAddr   = netip.MustParseAddr("10.0.1.99")
)

const (
	adminPort    = 9400 // of the platform, on every address of the host
	functionPort = 8080 // functions listen there, for those who try to reach them
	zoneName     = "internal.example"
)

var everywhere = netip.MustParsePrefix("0.0.0.0/0")

// The functions' ports.
var (
	portA       = &network.Port{ID: "i-a", Function: "orders", VPC: "vpc-a", Subnet: "subnet-a-app", Groups: []string{"sg-app"}, Address: netip.MustParseAddr("10.0.1.10")}
	portNext    = &network.Port{ID: "i-next", Function: "mails", VPC: "vpc-a", Subnet: "subnet-a-app", Groups: []string{"sg-app"}, Address: netip.MustParseAddr("10.0.1.11")}
	portNoRules = &network.Port{ID: "i-norules", Function: "thumbs", VPC: "vpc-a", Subnet: "subnet-a-app", Groups: []string{"sg-none"}, Address: netip.MustParseAddr("10.0.1.12")}
	portFar     = &network.Port{ID: "i-far", Function: "reports", VPC: "vpc-a", Subnet: "subnet-a-far", Groups: []string{"sg-app"}, Address: netip.MustParseAddr("10.0.2.10")}
	portB       = &network.Port{ID: "i-b", Function: "other", VPC: "vpc-b", Subnet: "subnet-b-app", Groups: []string{"sg-b"}, Address: netip.MustParseAddr("10.0.1.10")}
	ports       = []*network.Port{portA, portNext, portNoRules, portFar, portB}
)

// model is the rules of the world. Each negative row of the matrix lacks exactly
// one thing: a function that must not reach a port has the route, one without a
// route has the security group, and so on, so that the row tests that thing.
func model(redis bool) network.Model {
	prefix := netip.MustParsePrefix
	d := prefix("10.9.0.0/16")
	nat := network.Route{Destination: everywhere, Target: network.NAT}
	toD := network.Route{Destination: d, Target: network.Peered, Peering: "pcx-ad"}
	egress := []network.Rule{
		{Protocol: network.TCP, From: 27017, To: 27017, Group: "sg-mongo"},
		{Protocol: network.TCP, From: 22, To: 22, CIDR: d},
		{Protocol: network.TCP, From: 443, To: 443, CIDR: everywhere},
		{Protocol: network.UDP, From: 443, To: 443, CIDR: everywhere},
	}
	if redis {
		egress = append(egress, network.Rule{Protocol: network.TCP, From: 6379, To: 6379, CIDR: d})
	}
	return network.Model{
		VPCs: []network.VPC{
			{ID: "vpc-a", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}},
			{ID: "vpc-b", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}},
			{ID: "vpc-d", CIDRs: []netip.Prefix{d}},
		},
		Subnets: []network.Subnet{
			{ID: "subnet-a-app", VPC: "vpc-a", CIDR: prefix("10.0.1.0/24"), Routes: []network.Route{nat, toD}},
			{ID: "subnet-a-far", VPC: "vpc-a", CIDR: prefix("10.0.2.0/24")},
			{ID: "subnet-b-app", VPC: "vpc-b", CIDR: prefix("10.0.1.0/24"), Routes: []network.Route{nat}},
			{ID: "subnet-d-db", VPC: "vpc-d", CIDR: prefix("10.9.0.0/24"), Routes: []network.Route{
				{Destination: prefix("10.0.0.0/16"), Target: network.Peered, Peering: "pcx-ad"},
			}},
		},
		Groups: []network.SecurityGroup{
			{ID: "sg-app", VPC: "vpc-a", Name: "app", Egress: egress},
			{ID: "sg-none", VPC: "vpc-a", Name: "none"},
			{ID: "sg-b", VPC: "vpc-b", Name: "b", EgressAll: true},
			{ID: "sg-mongo", VPC: "vpc-d", Name: "mongo", EgressAll: true, Ingress: []network.Rule{
				{Protocol: network.TCP, From: 27017, To: 27017, Group: "sg-app"},
			}},
			{ID: "sg-redis", VPC: "vpc-d", Name: "redis", EgressAll: true, Ingress: []network.Rule{
				{Protocol: network.TCP, From: 6379, To: 6379, CIDR: prefix("10.0.0.0/16")},
			}},
		},
		Interfaces: []network.Interface{
			{ID: "eni-mongo", Subnet: "subnet-d-db", Address: mongoAddr, Groups: []string{"sg-mongo"}, Attach: databaseAddr},
			{ID: "eni-redis", Subnet: "subnet-d-db", Address: redisAddr, Groups: []string{"sg-redis"}, Attach: databaseAddr},
		},
		Peerings: []network.Peering{{ID: "pcx-ad", A: "vpc-a", B: "vpc-d"}},
		Zones: []network.Zone{{Name: zoneName, VPCs: []string{"vpc-a"}, Records: []network.Record{
			{Name: "db." + zoneName, Type: "A", TTL: 60, Values: []string{mongoAddr.String()}},
			{Name: "_mongodb._tcp.db." + zoneName, Type: "SRV", TTL: 60, Values: []string{"0 0 27017 db." + zoneName}},
		}}},
	}
}

// permissive turns every drop into an accept: to the address asked for, or for
// that of an attached host to where this machine reaches it. Every VPC sees A's
// zone.
type permissive struct{ Networks }

func (p permissive) Decide(port *network.Port, proto network.Protocol, to netip.AddrPort) network.Verdict {
	v := p.Networks.Decide(port, proto, to)
	if v.Accepted() {
		return v
	}
	if to.Addr() == mongoAddr || to.Addr() == redisAddr {
		to = netip.AddrPortFrom(databaseAddr, to.Port())
	}
	return network.Verdict{Action: network.Dial, To: to, Reason: "control run"}
}

func (p permissive) Answer(ctx context.Context, _ *network.Port, query []byte) []byte {
	return p.Networks.Answer(ctx, portA, query)
}

// Nameless is an internet without names: what private zones do not have is nowhere.
func Nameless(_ context.Context, q *dns.Msg) (*dns.Msg, error) {
	return new(dns.Msg).SetRcode(q, dns.RcodeNameError), nil
}
