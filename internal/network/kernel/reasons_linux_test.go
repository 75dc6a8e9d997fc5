package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// ruled is an engine under the platform's own rules for a model.
func ruled(t *testing.T, m network.Model) (e *Engine, records *recorder, replace func(network.Model)) {
	t.Helper()
	n := &network.Networks{Upstream: networktest.Nameless, Log: logger(t)}
	if err := n.Replace("test", m); err != nil {
		t.Fatal(err)
	}
	e, records = start(t, &m)
	e.Model, e.Decide, e.Answer = n.Model, n.Decide, n.Answer
	return e, records, func(m network.Model) {
		t.Helper()
		if err := n.Replace("test", m); err != nil {
			t.Fatal(err)
		}
		if err := e.Apply(n.Model()); err != nil {
			t.Fatal(err)
		}
	}
}

// oneWay is small with a network c that a's subnet has a route to and that has none
// back.
func oneWay() network.Model {
	prefix, m := netip.MustParsePrefix, *small()
	m.VPCs = append(m.VPCs, network.VPC{ID: "c", CIDRs: []netip.Prefix{prefix("10.7.0.0/16")}})
	m.Subnets[0].Routes = append(m.Subnets[0].Routes, network.Route{Destination: prefix("10.7.0.0/16"), Target: network.Peered, Peering: "pcx"})
	m.Subnets = append(m.Subnets, network.Subnet{ID: "c1", VPC: "c", CIDR: prefix("10.7.0.0/24")})
	m.Groups = append(m.Groups, network.SecurityGroup{ID: "db-c", VPC: "c", Ingress: []network.Rule{{Protocol: network.Any, CIDR: prefix("10.0.0.0/16")}}})
	m.Interfaces = append(m.Interfaces, network.Interface{
		ID: "eni-c", Subnet: "c1", Address: netip.MustParseAddr("10.7.0.50"), Groups: []string{"db-c"}, Attach: netip.MustParseAddr("127.0.0.3"),
	})
	m.Peerings = []network.Peering{{ID: "pcx", A: "a", B: "c"}}
	return m
}

// TestReasonsAreTheRules words refusals as the platform's rules do, and so as the
// engine in user space does.
func TestReasonsAreTheRules(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	e, records, _ := ruled(t, oneWay())
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	for to, reason := range map[string]string{
		"10.0.0.50:22":       "security group: ingress",
		"10.0.0.51:5432":     "no host",
		"10.0.0.1:5432":      "no host",
		"10.0.0.2:80":        "no host",
		"169.254.169.254:80": "metadata",
		"169.254.1.1:80":     "link-local",
		"192.168.1.1:80":     "not public",
		"203.0.113.1:9400":   "address of this machine",
	} {
		refused(t, a, records, to, reason)
	}
	greeted(t, a, "203.0.113.10:443", "internet")
}

// TestNoRouteBack is a flow whose answers would not find back.
func TestNoRouteBack(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	serve(t, "127.0.0.3:5432", "database of c")
	m := oneWay()
	e, records, back := ruled(t, m)
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	refused(t, a, records, "10.7.0.50:5432", reasonNoReturn)
	m.Subnets[len(m.Subnets)-1].Routes = []network.Route{
		{Destination: netip.MustParsePrefix("10.0.0.0/24"), Target: network.Peered, Peering: "pcx"},
		{Destination: netip.MustParsePrefix("10.0.0.128/25"), Target: network.NAT}, // for others
	}
	back(m)
	greeted(t, a, "10.7.0.50:5432", "database of c")
	other, _ := attach(t, e, member("a", "10.0.0.200"))
	refused(t, other, records, "10.7.0.50:5432", reasonNoReturn)
}

// TestAnswersFitTheQuestion: what a query over UDP has no room for is cut and marked,
// so that the asker comes again over TCP.
func TestAnswersFitTheQuestion(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e, _ := start(t, small())
	e.Answer = func(_ context.Context, port *network.Port, query []byte) []byte {
		var q dns.Msg
		if q.Unpack(query) != nil {
			return nil
		}
		a := new(dns.Msg).SetReply(&q)
		for range 40 { // about 1,500 bytes
			a.Answer = append(a.Answer, &dns.TXT{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
				Txt: []string{port.VPC + strings.Repeat("x", 24)},
			})
		}
		b, _ := a.Pack()
		return b
	}
	a, _ := attach(t, e, member("a", "10.0.0.10"))
	for _, c := range []struct {
		name, net string
		edns      uint16
		truncated bool
	}{{"UDP", "udp", 0, true}, {"UDP with little room", "udp", 600, true}, {"UDP with room", "udp", 4096, false}, {"TCP", "tcp", 0, false}} {
		q := new(dns.Msg).SetQuestion("db.internal.example.", dns.TypeTXT)
		if c.edns > 0 {
			q.SetEdns0(c.edns, false)
		}
		err := a.Do(func() error {
			client := &dns.Client{Net: c.net, Timeout: patience}
			answer, _, err := client.Exchange(q, "10.0.0.2:53")
			if err == nil && (answer.Truncated != c.truncated || (len(answer.Answer) == 40) == c.truncated) {
				err = fmt.Errorf("got %d records, truncated: %v", len(answer.Answer), answer.Truncated)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
