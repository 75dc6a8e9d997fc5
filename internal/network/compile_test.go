package network_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
)

func TestCheck(t *testing.T) {
	rows := map[string]struct {
		spoil func(*network.Model)
		want  string
	}{
		"nothing wrong":        {func(*network.Model) {}, ""},
		"unknown VPC":          {func(m *network.Model) { m.Subnets[0].VPC = "vpc-z" }, `a-app: VPC "vpc-z" does not exist`},
		"block too wide":       {func(m *network.Model) { m.VPCs[1].CIDRs[0] = prefix("10.0.0.0/8") }, "vpc-b: CIDR block 10.0.0.0/8 is out of range"},
		"subnet outside":       {func(m *network.Model) { m.Subnets[2].CIDR = prefix("10.1.0.0/24") }, "b-app: CIDR block 10.1.0.0/24 is not in"},
		"subnets overlap":      {func(m *network.Model) { m.Subnets[1].CIDR = prefix("10.0.0.0/22") }, "a-app: CIDR block 10.0.1.0/24 overlaps"},
		"peers overlap":        {func(m *network.Model) { m.Peerings[0].B = "vpc-b" }, "pcx: VPCs vpc-a and vpc-b cannot be peered"},
		"unknown peering":      {func(m *network.Model) { m.Subnets[0].Routes[1].Peering = "pcx-2" }, `peering "pcx-2" does not exist`},
		"reserved, first":      {func(m *network.Model) { m.Interfaces[0].Address = addr("10.9.0.3") }, "eni-mongo: address 10.9.0.3 is reserved"},
		"reserved, last":       {func(m *network.Model) { m.Interfaces[0].Address = addr("10.9.0.255") }, "eni-mongo: address 10.9.0.255 is reserved"},
		"address outside":      {func(m *network.Model) { m.Interfaces[0].Address = addr("10.9.5.9") }, "eni-mongo: address 10.9.5.9 is outside"},
		"address twice":        {func(m *network.Model) { m.Interfaces[0].Address = addr("10.9.0.11") }, "eni-redis: address 10.9.0.11 is that of eni-mongo"},
		"ports backwards":      {func(m *network.Model) { m.Groups[4].Ingress[0].From = 30000 }, "sg-mongo: ingress rule 1: ports 30000 to 27017"},
		"unknown group":        {func(m *network.Model) { m.Groups[4].Ingress[0].Group = "sg-z" }, `sg-mongo: ingress rule 1: security group "sg-z" does not exist`},
		"group of no peer":     {func(m *network.Model) { m.Groups[4].Ingress[0].Group = "sg-b" }, "which is not peered with vpc-d"},
		"ID twice":             {func(m *network.Model) { m.Groups[0].ID = "a-app" }, "a-app: the ID is used twice"},
		"zone name":            {func(m *network.Model) { m.Zones[0].Name = "Internal.example" }, "is not in lower case"},
		"record out of zone":   {func(m *network.Model) { m.Zones[0].Records[0].Name = "db.example" }, "is not in zone internal.example"},
		"record value":         {func(m *network.Model) { m.Zones[0].Records[0].Values[0] = "::1" }, `value "::1" is not an address`},
		"record type":          {func(m *network.Model) { m.Zones[0].Records[0].Type = "NS" }, `type "NS" is none of`},
		"nothing to attach":    {func(m *network.Model) { m.Interfaces[0].Attach = netip.Addr{} }, "eni-mongo: names no host"},
		"both block and group": {func(m *network.Model) { m.Groups[4].Ingress[0].CIDR = prefix("10.0.0.0/16") }, "names both"},
	}
	for name, row := range rows {
		m := world(true)
		row.spoil(&m)
		n := &network.Networks{Log: slog.New(slog.DiscardHandler)}
		err := n.Replace("s", m)
		switch {
		case row.want == "":
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), row.want):
			t.Errorf("%s: got %v, want %s", name, err, row.want)
		case len(n.Model().VPCs) != 0:
			t.Errorf("%s: a refused model is in force", name)
		}
	}
}

func TestStacks(t *testing.T) {
	n := networks(t, world(true))
	err := n.Replace("other", network.Model{VPCs: world(true).VPCs[:1]})
	var problems network.Problems
	if !errors.As(err, &problems) || problems[0].Resource != "vpc-a" {
		t.Errorf("an ID of another stack: got %v", err)
	}
	zone := network.Model{Zones: []network.Zone{{Name: "b.example", VPCs: []string{"vpc-b"}}}}
	if err := n.Replace("zones", zone); err != nil {
		t.Errorf("a zone for another stack's VPC: %v", err)
	}
	if err := n.Replace("test", network.Model{}); fault.KindOf(err) != fault.Invalid || len(n.Model().VPCs) != 3 {
		t.Errorf("removing what another stack needs: got %v", err)
	}
	for _, stack := range []string{"zones", "test"} {
		if err := n.Replace(stack, network.Model{}); err != nil {
			t.Errorf("remove %s: %v", stack, err)
		}
	}
	if len(n.Model().VPCs) != 0 {
		t.Error("removed stacks are in force")
	}
}

func TestConnect(t *testing.T) {
	m := network.Model{
		VPCs:       []network.VPC{{ID: "v", CIDRs: []netip.Prefix{prefix("10.0.0.0/16")}}},
		Subnets:    []network.Subnet{{ID: "s", VPC: "v", CIDR: prefix("10.0.0.0/28")}, {ID: "t", VPC: "v", CIDR: prefix("10.0.1.0/28")}},
		Groups:     []network.SecurityGroup{{ID: "g", VPC: "v", EgressAll: true}},
		Interfaces: []network.Interface{{ID: "eni", Subnet: "s", Address: addr("10.0.0.5"), Attach: addr("127.0.0.1")}},
	}
	n := networks(t, m)
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[netip.Addr]*network.Port{}
	for range 21 { // 11 of each subnet, less the interface's
		wg.Go(func() {
			p, err := n.Connect("i", "f", []string{"s", "t"}, []string{"g"})
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if got[p.Address] != nil || p.Address == addr("10.0.0.5") || p.VPC != "v" {
				t.Errorf("address %s is given twice, or an interface's", p.Address)
			}
			got[p.Address] = p
		})
	}
	wg.Wait()
	if _, err := n.Connect("i", "f", []string{"s", "t"}, []string{"g"}); fault.CodeOf(err) != "SubnetIPAddressLimitReachedException" {
		t.Errorf("a full subnet: got %v", err)
	}
	for a, p := range got {
		if p.Subnet == "s" && a != addr("10.0.0.14") {
			n.Release(p)
		}
	}
	first, _ := n.Connect("i", "f", []string{"s"}, []string{"g"})
	n.Release(first)
	n.Release(first)
	second, err := n.Connect("i", "f", []string{"s"}, []string{"g"})
	if err != nil || second.Address == first.Address {
		t.Errorf("an address comes back at once: %v, %v", second, err)
	}
	m.Interfaces = append([]network.Interface{{ID: "new", Subnet: "s", Address: addr("10.0.0.14"), Attach: addr("127.0.0.1")}}, m.Interfaces...)
	if err := n.Replace("test", m); fault.KindOf(err) != fault.Conflict {
		t.Errorf("an interface with an instance's address: got %v", err)
	}
	for code, args := range map[string][2][]string{
		"InvalidSubnetIDException":        {{"x"}, {"g"}},
		"InvalidSecurityGroupIDException": {{"s"}, {"x"}},
		"InvalidParameterValueException":  {{"s"}, nil},
	} {
		if _, err := n.Connect("i", "f", args[0], args[1]); fault.CodeOf(err) != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	if p, err := n.Connect("i", "f", nil, nil); err != nil || p.VPC != "" || !p.Address.IsLinkLocalUnicast() {
		t.Errorf("no VPC: got %v, %v", p, err)
	}
}

func TestFlows(t *testing.T) {
	f, start := &network.Flows{Max: 3}, time.Now()
	refused := network.FlowRecord{Time: start, Function: "f", Destination: at("10.0.0.1:80"), Reason: "no host"}
	for _, after := range []time.Duration{0, 30 * time.Second, 59 * time.Second, 61 * time.Second} {
		r := refused
		r.Time = start.Add(after)
		f.Record(r)
	}
	got := f.List(network.FlowFilter{Rejected: true})
	if len(got) != 2 || got[0].Count != 3 || got[0].Duration != 59*time.Second || got[1].Count != 1 {
		t.Errorf("refusals: got %+v", got)
	}
	for range 3 {
		f.Record(network.FlowRecord{Time: start.Add(time.Hour), Function: "g", VPC: "v", Accepted: true})
	}
	if got := f.List(network.FlowFilter{}); len(got) != 3 || got[0].Function != "g" {
		t.Errorf("the oldest are kept: %+v", got)
	}
	f.Record(refused) // its old record is overwritten: a new one
	got = f.List(network.FlowFilter{Limit: 1})
	if len(got) != 1 || got[0].Function != "f" || got[0].Count != 1 {
		t.Errorf("the latest: got %+v", got)
	}
	if got := f.List(network.FlowFilter{Since: start.Add(time.Minute), VPC: "v", Function: "g"}); len(got) != 2 {
		t.Errorf("filtered: got %+v", got)
	}
}

func FuzzReplace(f *testing.F) {
	seed, err := json.Marshal(world(true))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m network.Model
		if json.Unmarshal(b, &m) != nil {
			return
		}
		n := &network.Networks{Log: slog.New(slog.DiscardHandler), Upstream: upstream, Own: func(netip.Addr) bool { return false }}
		if n.Replace("s", m) != nil {
			return
		}
		for _, s := range m.Subnets {
			p := &network.Port{VPC: s.VPC, Subnet: s.ID, Address: s.CIDR.Addr().Next()}
			for _, g := range m.Groups {
				p.Groups = append(p.Groups, g.ID)
			}
			for _, i := range m.Interfaces {
				n.Decide(p, network.TCP, netip.AddrPortFrom(i.Address, 80))
			}
			if v := n.Decide(p, network.TCP, at("127.0.0.1:80")); v.Accepted() {
				t.Fatalf("loopback: %+v", v)
			}
		}
	})
}
