package network_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/dropstack/dropstack/internal/network"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	at     = netip.MustParseAddrPort
)

// world is VPC A (app subnet with NAT and peering, far subnet with neither), B of
// the same block with NAT, and D with the databases, peered with A.
func world(redis bool) network.Model {
	nat := network.Route{Destination: prefix("0.0.0.0/0"), Target: network.NAT}
	toD := network.Route{Destination: prefix("10.9.0.0/16"), Target: network.Peered, Peering: "pcx"}
	egress := []network.Rule{
		{Protocol: network.TCP, From: 27017, To: 27017, Group: "sg-mongo"},
		{Protocol: network.TCP, From: 22, To: 22, CIDR: prefix("10.9.0.0/16")},
		{Protocol: network.TCP, From: 443, To: 443, CIDR: prefix("0.0.0.0/0")},
	}
	if redis {
		egress = append(egress, network.Rule{Protocol: network.TCP, From: 6379, To: 6379, CIDR: prefix("10.9.0.0/16")})
	}
	return network.Model{
		VPCs: []network.VPC{
			{ID: "vpc-a", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}},
			{ID: "vpc-b", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}},
			{ID: "vpc-d", CIDRs: []netip.Prefix{prefix("10.9.0.0/16")}},
		},
		Subnets: []network.Subnet{
			{ID: "a-app", VPC: "vpc-a", CIDR: prefix("10.0.1.0/24"), Routes: []network.Route{nat, toD}},
			{ID: "a-far", VPC: "vpc-a", CIDR: prefix("10.0.2.0/24")},
			{ID: "b-app", VPC: "vpc-b", CIDR: prefix("10.0.1.0/24"), Routes: []network.Route{nat}},
			{ID: "d-db", VPC: "vpc-d", CIDR: prefix("10.9.0.0/24"), Routes: []network.Route{{Destination: prefix("10.0.0.0/16"), Target: network.Peered, Peering: "pcx"}}},
			{ID: "d-oneway", VPC: "vpc-d", CIDR: prefix("10.9.1.0/24")},
		},
		Groups: []network.SecurityGroup{
			{ID: "sg-app", VPC: "vpc-a", Egress: egress},
			{ID: "sg-none", VPC: "vpc-a"},
			{ID: "sg-all", VPC: "vpc-a", EgressAll: true},
			{ID: "sg-b", VPC: "vpc-b", EgressAll: true},
			{ID: "sg-mongo", VPC: "vpc-d", Ingress: []network.Rule{{Protocol: network.TCP, From: 27017, To: 27017, Group: "sg-app"}}},
			{ID: "sg-redis", VPC: "vpc-d", Ingress: []network.Rule{{Protocol: network.TCP, From: 6379, To: 6379, CIDR: prefix("10.0.0.0/16")}}},
			{ID: "sg-open", VPC: "vpc-d", Ingress: []network.Rule{{Protocol: network.Any, CIDR: prefix("0.0.0.0/0")}}},
			{ID: "sg-ssm", VPC: "vpc-a", Ingress: []network.Rule{{Protocol: network.TCP, From: 443, To: 443, CIDR: prefix("10.0.1.0/24")}}},
		},
		Interfaces: []network.Interface{
			{ID: "eni-mongo", Subnet: "d-db", Address: addr("10.9.0.10"), Groups: []string{"sg-mongo"}, Attach: addr("127.0.0.1")},
			{ID: "eni-redis", Subnet: "d-db", Address: addr("10.9.0.11"), Groups: []string{"sg-redis"}, Attach: addr("192.168.50.10")},
			{ID: "eni-oneway", Subnet: "d-oneway", Address: addr("10.9.1.10"), Groups: []string{"sg-open"}, Attach: addr("192.168.50.10")},
		},
		Peerings:  []network.Peering{{ID: "pcx", A: "vpc-a", B: "vpc-d"}},
		Endpoints: []network.Endpoint{{ID: "vpce", Subnet: "a-app", Service: "ssm", Address: addr("10.0.1.20"), Groups: []string{"sg-ssm"}, PrivateDNS: true}},
		Zones: []network.Zone{{Name: "internal.example", VPCs: []string{"vpc-a"}, Records: []network.Record{
			{Name: "db.internal.example", Type: "A", TTL: 60, Values: []string{"10.9.0.10"}},
			{Name: "db.internal.example", Type: "TXT", TTL: 60, Values: []string{`"a" "b"`, "it's"}},
			{Name: "_mongodb._tcp.db.internal.example", Type: "SRV", TTL: 60, Values: []string{"0 0 27017 db.internal.example"}},
			{Name: "aws.internal.example", Type: "CNAME", TTL: 60, Values: []string{"kms.us-east-1.amazonaws.com."}},
			{Name: "alias.internal.example", Type: "CNAME", TTL: 60, Values: []string{"db.internal.example."}},
			{Name: "out.internal.example", Type: "CNAME", TTL: 60, Values: []string{"www.example.org"}},
			{Name: "circle.internal.example", Type: "CNAME", TTL: 60, Values: []string{"circle.internal.example"}},
			{Name: "*.wild.internal.example", Type: "A", TTL: 60, Values: []string{"10.9.0.11"}},
			{Name: "x.b.wild.internal.example", Type: "AAAA", TTL: 60, Values: []string{"2001:db8::1"}},
			{Name: "internal.example", Type: "MX", TTL: 60, Values: []string{"10 db.internal.example"}},
		}}},
	}
}

var ports = map[string]*network.Port{
	"app":     {ID: "1", Function: "orders", VPC: "vpc-a", Subnet: "a-app", Groups: []string{"sg-app"}, Address: addr("10.0.1.10")},
	"norules": {ID: "2", Function: "thumbs", VPC: "vpc-a", Subnet: "a-app", Groups: []string{"sg-none"}, Address: addr("10.0.1.12")},
	"all":     {ID: "3", Function: "tools", VPC: "vpc-a", Subnet: "a-app", Groups: []string{"sg-none", "sg-all"}, Address: addr("10.0.1.13")},
	"far":     {ID: "4", Function: "reports", VPC: "vpc-a", Subnet: "a-far", Groups: []string{"sg-app"}, Address: addr("10.0.2.10")},
	"b":       {ID: "5", Function: "other", VPC: "vpc-b", Subnet: "b-app", Groups: []string{"sg-b"}, Address: addr("10.0.1.10")},
	"public":  {ID: "6", Function: "hello", Address: addr("169.254.100.2")},
	"gone":    {ID: "7", Function: "old", VPC: "vpc-x", Subnet: "x", Groups: []string{"sg-b"}, Address: addr("10.0.1.10")},
}

func networks(t testing.TB, m network.Model) *network.Networks {
	t.Helper()
	own := func(a netip.Addr) bool { return a == addr("203.0.113.1") || a == addr("127.0.0.1") }
	n := &network.Networks{Own: own, Log: slog.New(slog.DiscardHandler)}
	if err := n.Replace("test", m); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRuleMatrix(t *testing.T) {
	open, revoked := networks(t, world(true)), networks(t, world(false))
	loose := networks(t, world(true))
	loose.Permissive = true
	rows := []struct {
		name, port, to, want string // want: the reason
		accepted             bool
	}{
		{"function → Mongo 27017 across peering", "app", "10.9.0.10:27017", "interface", true},
		{"function → Redis 6379 across peering", "app", "10.9.0.11:6379", "interface", true},
		{"function → internet 443 by NAT", "app", "203.0.113.10:443", "nat gateway", true},
		{"VPC B → internet 443 by its own NAT", "b", "203.0.113.10:443", "nat gateway", true},
		{"function → database port 22", "app", "10.9.0.10:22", "security group: ingress", false},
		{"function without a rule → Mongo", "norules", "10.9.0.10:27017", "security group: egress", false},
		{"subnet without peering → Redis", "far", "10.9.0.11:6379", "no route", false},
		{"VPC B → Mongo", "b", "10.9.0.10:27017", "not public", false},
		{"function → internet 80 without a rule", "app", "203.0.113.10:80", "security group: egress", false},
		{"subnet without NAT → internet 443", "far", "203.0.113.10:443", "no route", false},
		{"function → metadata 80", "app", "169.254.169.254:80", "metadata", false},
		{"function → metadata 443", "app", "169.254.169.254:443", "metadata", false},
		{"platform by NAT gateway's address", "b", "100.64.0.1:9400", "not public", false},
		{"platform by wan address", "b", "203.0.113.1:9400", "address of this machine", false},
		{"platform by 127.0.0.1", "b", "127.0.0.1:9400", "not public", false},
		{"platform by router's address", "b", "10.0.0.1:9400", "no host", false},
		{"platform by resolver's address", "b", "10.0.0.2:9400", "no host", false},
		{"function → neighbour in its subnet", "all", "10.0.1.11:8080", "no host", false},
		{"function → function in another subnet", "all", "10.0.2.10:8080", "no host", false},
		{"VPC B → function in VPC A", "b", "10.0.1.11:8080", "no host", false},
		{"new flow after its rule is revoked", "revoked", "10.9.0.11:6379", "security group: egress", false},
		{"resolver, past a group without rules", "norules", "10.0.0.2:53", "resolver", true},
		{"no VPC → private database", "public", "10.9.0.10:27017", "not public", false},
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tverdict\treason\tcontrol run")
	for _, row := range rows {
		n, p := open, ports[row.port]
		if row.port == "revoked" {
			n, p = revoked, ports["app"]
		}
		v := n.Decide(p, network.TCP, at(row.to))
		c := loose.Decide(p, network.TCP, at(row.to))
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\n", row.name, v.Action, v.Reason, c.Action, c.To)
		if v.Accepted() != row.accepted || v.Reason != row.want {
			t.Errorf("%s: got %v (%s), want accepted %v (%s)", row.name, v.Action, v.Reason, row.accepted, row.want)
		}
		if !c.Accepted() {
			t.Errorf("%s: the control run drops it: %s", row.name, c.Reason)
		}
	}
	_ = w.Flush()
	t.Log("\n" + b.String())
}

func TestDecide(t *testing.T) {
	n := networks(t, world(true))
	rows := []struct {
		port   string
		proto  network.Protocol
		to     string
		action network.Action
		dial   string
		reason string
	}{
		{"app", network.TCP, "10.9.0.10:27017", network.Dial, "127.0.0.1:27017", "interface"},
		{"app", network.TCP, "[::ffff:10.9.0.10]:27017", network.Dial, "127.0.0.1:27017", "interface"},
		{"app", network.UDP, "10.9.0.10:27017", network.Drop, "", "security group: egress"},
		{"all", network.TCP, "10.9.0.10:27017", network.Drop, "", "security group: ingress"},
		{"all", network.TCP, "10.9.1.10:80", network.Drop, "", "no route back"},
		{"all", network.ICMP, "198.51.100.1:0", network.Dial, "198.51.100.1:0", "nat gateway"},
		{"all", "47", "198.51.100.1:0", network.Drop, "", "protocol"},
		{"app", network.TCP, "10.0.1.20:443", network.Serve, "", "endpoint"},
		{"all", network.TCP, "10.0.1.20:80", network.Drop, "", "security group: ingress"},
		{"all", network.TCP, "192.168.50.10:80", network.Drop, "", "not public"},
		{"all", network.TCP, "[2001:db8::1]:80", network.Drop, "", "no route"},
		{"norules", network.UDP, "169.254.169.253:53", network.Resolve, "", "resolver"},
		{"norules", network.TCP, "169.254.169.253:80", network.Drop, "", "link-local"},
		{"public", network.UDP, "169.254.169.253:53", network.Resolve, "", "resolver"},
		{"public", network.UDP, "10.0.0.2:53", network.Drop, "", "not public"},
		{"public", network.TCP, "198.51.100.1:443", network.Dial, "198.51.100.1:443", "public internet"},
		{"gone", network.TCP, "198.51.100.1:443", network.Drop, "", "no such subnet"},
	}
	for _, bad := range []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "172.16.0.1", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:1::1", "fc00::1", "fec0::1", "ff02::1", "2600::1%eth0",
	} {
		rows = append(rows, struct {
			port   string
			proto  network.Protocol
			to     string
			action network.Action
			dial   string
			reason string
		}{"public", network.TCP, netip.AddrPortFrom(addr(bad), 80).String(), network.Drop, "", "not public"})
	}
	for _, row := range rows {
		v := n.Decide(ports[row.port], row.proto, at(row.to))
		dial := ""
		if v.To.IsValid() {
			dial = v.To.String()
		}
		if v.Action != row.action || v.Reason != row.reason || dial != row.dial {
			t.Errorf("%s → %s %s: got %+v, want %s %s (%s)", row.port, row.proto, row.to, v, row.action, row.dial, row.reason)
		}
	}
	if allocs := testing.AllocsPerRun(100, func() { n.Decide(ports["app"], network.TCP, at("10.9.0.11:6379")) }); allocs != 0 {
		t.Errorf("allocations: got %v, want none", allocs)
	}
}

func BenchmarkDecide(b *testing.B) {
	n := networks(b, world(true))
	for _, to := range []string{"10.9.0.11:6379", "203.0.113.10:443", "10.9.0.10:22"} {
		b.Run(to, func(b *testing.B) {
			b.ReportAllocs()
			dst := at(to)
			for b.Loop() {
				n.Decide(ports["app"], network.TCP, dst)
			}
		})
	}
}
