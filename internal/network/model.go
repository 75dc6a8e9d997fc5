// Package network is the private networks of functions: what exists, who may
// reach whom, and the engines that carry packets accordingly.
//
// A Model is what the resources of a stack declare, in AWS's words; Networks checks
// and unites those of all stacks. Its Decide is the one place that says whether a flow may pass and where it goes; it looks at
// addresses only, never at names. An engine moves the packets: package user, in
// user space, at every level of isolation from userns up; package kernel, with
// routes and nftables of network namespaces, for root that asks for it.
//
//	function's packet → engine: first of a flow? → Networks.Decide → carried or refused → flow record
package network

import "net/netip"

// Model is the private networks at one moment. It is immutable once Replace has
// taken it; a deployment replaces it whole.
type Model struct {
	VPCs       []VPC
	Subnets    []Subnet
	Groups     []SecurityGroup
	Interfaces []Interface
	Peerings   []Peering
	Zones      []Zone
	Endpoints  []Endpoint
}

// VPC is a private network (AWS::EC2::VPC). The blocks of two VPCs may overlap
// unless they are peered.
type VPC struct {
	ID    string
	CIDRs []netip.Prefix // IPv4, /16 to /28
}

// Subnet is a part of a VPC (AWS::EC2::Subnet with the routes of its table).
// AWS's own addresses are kept: the first four and the last are nobody's, the
// VPC's base plus two is its resolver.
type Subnet struct {
	ID, VPC string
	CIDR    netip.Prefix
	Routes  []Route // besides the implied one to the VPC itself; the longest prefix wins
}

// Target says where a route leads.
type Target string

// The targets of routes.
const (
	NAT       Target = "nat"       // a NAT gateway: the public internet, as seen from this machine
	Peered    Target = "peering"   // the peering named by Route.Peering
	Blackhole Target = "blackhole" // nowhere; also what an internet gateway is to a function, which has no public address
)

// Route is a route of a subnet (AWS::EC2::Route).
type Route struct {
	Destination netip.Prefix
	Target      Target
	Peering     string // ID, with Peered
}

// SecurityGroup is rules that allow (AWS::EC2::SecurityGroup). No ingress rule
// allows nothing in; EgressAll, AWS's default, allows all out.
type SecurityGroup struct {
	ID, VPC, Name string
	Ingress       []Rule
	Egress        []Rule
	EgressAll     bool // no egress was declared
}

// Protocol of a flow or a rule.
type Protocol string

// The protocols that pass. Any is of rules alone (IpProtocol -1).
const (
	Any  Protocol = "-1"
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	ICMP Protocol = "icmp"
)

// Rule allows a protocol and a range of ports from or to a block or the members
// of a group; exactly one of CIDR and Group is set.
type Rule struct {
	Protocol Protocol
	From, To uint16 // ports, both included; ignored for Any and ICMP
	CIDR     netip.Prefix
	Group    string // ID of a group of this VPC or of a peered one
}

// Interface is an address of a subnet that stands for a host outside of the
// platform, such as a database on this machine or on its LAN
// (AWS::EC2::NetworkInterface with dropstack:attach in its Metadata). The
// interfaces of instances are Ports and not part of the model.
type Interface struct {
	ID, Subnet string
	Address    netip.Addr // in the subnet
	Groups     []string
	Attach     netip.Addr // the host's address as this machine reaches it; any, loopback included
}

// Peering joins two VPCs (AWS::EC2::VPCPeeringConnection); routes on both sides
// make use of it.
type Peering struct{ ID, A, B string }

// Zone is a private hosted zone (AWS::Route53::HostedZone with VPCs).
type Zone struct {
	Name    string   // lower case, without the final dot
	VPCs    []string // that see it
	Records []Record
}

// Record is a set of values of a name and type (AWS::Route53::RecordSet).
type Record struct {
	Name   string // lower case, absolute, without the final dot; a first label * matches any
	Type   string // A, AAAA, CNAME, TXT, SRV, MX
	TTL    uint32 // seconds
	Values []string
}

// Endpoint is an interface endpoint (AWS::EC2::VPCEndpoint): an address of the
// VPC at which a service of the platform answers.
type Endpoint struct {
	ID, Subnet string
	Service    string // ssm, kms, s3, sns, lambda, logs, …
	Address    netip.Addr
	Groups     []string
	PrivateDNS bool // SERVICE.REGION.amazonaws.com is this endpoint, in this VPC
	Names      []string
}

// Port is the network interface of one instance of a function: who a packet is
// from. A port without a VPC reaches the public internet and nothing else.
type Port struct {
	ID       string // of the instance; in flow records
	Function string
	VPC      string // "": none
	Subnet   string
	Groups   []string
	Address  netip.Addr // in the subnet; any private one without a VPC
}

// Action is what becomes of a flow.
type Action string

// The actions.
const (
	Drop    Action = "drop"     // silently, as AWS does
	Dial    Action = "dial"     // to Verdict.To, from this machine's network
	Resolve Action = "resolve"  // the platform's resolver answers
	Serve   Action = "endpoint" // the platform's own service Verdict.Service answers
)

// Verdict is the decision about a flow.
type Verdict struct {
	Action  Action
	To      netip.AddrPort // with Dial: where this machine connects to
	Service string         // with Serve
	Reason  string         // of flow records: "security group", "no route", "metadata", …
}

// Accepted reports whether the flow passes.
func (v Verdict) Accepted() bool { return v.Action != Drop }
