package user_test

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

// The rule matrix holds, and the control run shows which rows test a rule.
func TestRuleMatrix(t *testing.T) {
	var results, control []networktest.Result
	if !networktest.Isolate(t) {
		return
	}
	t.Run("rules", func(t *testing.T) { results = networktest.Run(t, config(false)) })
	t.Run("control", func(t *testing.T) { control = networktest.Run(t, config(true)) })
	t.Log("\n" + networktest.Table(results, control))
	for _, r := range results {
		if !r.Holds() {
			t.Errorf("%s: reachable: got %v (%s), want %v", r.Row, r.Got, r.How, r.Want)
		}
	}
}

func config(permissive bool) networktest.Config {
	return networktest.Config{
		Permissive: permissive,
		Networks: func(m network.Model, host []netip.Addr) (networktest.Networks, func(network.Model) error, error) {
			r := &rules{host: host}
			r.model.Store(&m)
			return r, func(m network.Model) error { r.model.Store(&m); return nil }, nil
		},
		Engine: func(s networktest.Setup) (network.Engine, error) {
			return &user.Engine{Decide: s.Networks.Decide, Answer: s.Networks.Answer}, nil
		},
	}
}

type rules struct {
	model atomic.Pointer[network.Model]
	host  []netip.Addr
}

func (r *rules) Decide(p *network.Port, proto network.Protocol, to netip.AddrPort) network.Verdict {
	m := r.model.Load()
	drop := func(reason string) network.Verdict { return network.Verdict{Action: network.Drop, Reason: reason} }
	if to == netip.MustParseAddrPort("10.0.0.2:53") {
		return network.Verdict{Action: network.Resolve}
	}
	var route network.Target
	for _, s := range m.Subnets {
		if s.ID == p.Subnet {
			for _, rt := range s.Routes {
				if rt.Destination.Contains(to.Addr()) {
					route = rt.Target
				}
			}
		}
	}
	allowed := false
	for _, g := range m.Groups {
		if slices.Contains(p.Groups, g.ID) {
			allowed = allowed || g.EgressAll
			for _, rule := range g.Egress {
				in := rule.Group == "sg-mongo" && to.Addr().String() == "10.9.0.10" || rule.CIDR.IsValid() && rule.CIDR.Contains(to.Addr())
				allowed = allowed || in && rule.Protocol == proto && rule.From <= to.Port() && to.Port() <= rule.To
			}
		}
	}
	switch {
	case route == "":
		return drop("no route")
	case !allowed:
		return drop("security group")
	}
	for _, i := range m.Interfaces {
		if i.Address == to.Addr() && route == network.Peered {
			if to.Port() == 22 {
				return drop("security group")
			}
			return network.Verdict{Action: network.Dial, To: netip.AddrPortFrom(i.Attach, to.Port())}
		}
	}
	if to.Addr().IsPrivate() || to.Addr().IsLinkLocalUnicast() || slices.Contains(r.host, to.Addr()) {
		return drop("not public")
	}
	return network.Verdict{Action: network.Dial, To: to}
}

func (r *rules) Answer(_ context.Context, p *network.Port, query []byte) []byte {
	var q dns.Msg
	if q.Unpack(query) != nil {
		return nil
	}
	a := new(dns.Msg).SetRcode(&q, dns.RcodeNameError)
	if p.VPC == "vpc-a" {
		for _, rec := range r.model.Load().Zones[0].Records {
			if rec.Name+"." == q.Question[0].Name && dns.StringToType[rec.Type] == q.Question[0].Qtype {
				v := rec.Values[0]
				if rec.Type == "SRV" {
					v += "."
				}
				rr, err := dns.NewRR(rec.Name + ". 60 IN " + rec.Type + " " + v)
				if err != nil {
					panic(err)
				}
				a.Rcode, a.Answer = 0, append(a.Answer, rr)
			}
		}
	}
	b, _ := a.Pack()
	return b
}
