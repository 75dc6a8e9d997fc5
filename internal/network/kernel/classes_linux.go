package kernel

import (
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/dropstack/dropstack/internal/network"
)

// Reasons of refused flows.
const (
	reasonGroup       = "security group"
	reasonRoute       = "no route"
	reasonNoReturn    = "no route back"
	reasonUnreachable = "no interface"
	reasonPrivate     = "private"
	reasonOwn         = "own address"
	reasonMetadata    = "metadata"
	reasonLinkLocal   = "link-local"
	reasonResolver    = "resolver"
	reasonProtocol    = "protocol"
	reasonSpoofed     = "spoofed source"
	reasonInbound     = "inbound"
	reasonInvalid     = "invalid"
)

// class writes the chain of a port's class once.
func (w *writer) class(p *network.Port) {
	chain := class(p)
	if w.classes[chain] {
		return
	}
	w.classes[chain] = true
	rules := []matcher{
		all(toSet(w.resolvers), goTo("resolver")),
		all(toPrefix(metadata), w.refuse(reasonMetadata)),
		all(toPrefix(linkLocal), w.refuse(reasonLinkLocal)),
	}
	if w.public() {
		w.chain(chain, append(rules, goTo("nat"))...)
		return
	}
	subnet := slices.ContainsFunc(w.model.Subnets, func(s network.Subnet) bool { return s.ID == p.Subnet && s.VPC == w.vpc.ID })
	if !subnet {
		w.chain(chain, append(rules, w.refuse(reasonRoute))...)
		return
	}
	onward := goTo(name("subnet", p.Subnet))
	for _, id := range p.Groups {
		if g, ok := w.group(id); ok && g.VPC == w.vpc.ID {
			rules = append(rules, w.egress(g, onward)...)
		}
	}
	w.chain(chain, append(rules, w.refuse(reasonGroup))...)
}

func (w *writer) egress(g network.SecurityGroup, onward matcher) []matcher {
	if g.EgressAll {
		return []matcher{onward}
	}
	var rules []matcher
	for _, r := range g.Egress {
		if to, ok := w.peer(r, offsetDestination); ok {
			rules = append(rules, all(to, protocolIs(r.Protocol), ports(r), onward))
		}
	}
	return rules
}

// resolver writes what may be sent to the resolver: queries, whatever the groups say.
func (w *writer) resolver() {
	w.chain("resolver",
		all(protocolIs(network.UDP), portsAre(53, 53), accept()),
		all(protocolIs(network.TCP), portsAre(53, 53), accept()),
		w.refuse(reasonResolver))
}

// entry writes what every packet meets first.
func (w *writer) entry() {
	w.chain("uplink", all(established(), accept()), w.refuse(reasonInbound))
	bindings, entries := w.bindings()
	rules := []matcher{
		all(familyIsNot4(), matcher{&expr.Counter{}, &expr.Verdict{Kind: w.deny}}),
		all(inputIs("lo"), accept()),
		all(inputIs(uplink), goTo("uplink")),
	}
	for _, d := range w.doors {
		chain := name("from", d.peering)
		w.chain(chain, w.arrivals(d)...)
		rules = append(rules, all(inputIs(d.device), goTo(chain)))
	}
	spoofed := w.refuse(reasonSpoofed)
	rules = append(rules,
		all(matcher{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1},
			loadAddress(offsetSource, reg2),
			&expr.Lookup{SourceRegister: reg1, SetName: bindings.Name, SetID: bindings.ID, Invert: true},
		}, spoofed),
		all(established(), accept()),
		all(invalid(), w.refuse(reasonInvalid)),
	)
	rules = append(rules, w.allowedProtocols()...)
	rules = append(rules, matcher{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: reg1},
		&expr.Lookup{SourceRegister: reg1, IsDestRegSet: true, SetName: entries.Name, SetID: entries.ID},
	})
	w.base("prerouting", nftables.ChainHookPrerouting, *nftables.ChainPriorityMangle, rules...)
}

// bindings writes which interface is which port's.
func (w *writer) bindings() (who, where *nftables.Set) {
	var identities, classes []nftables.SetElement
	for _, p := range w.view.ports {
		identities = append(identities, p.identity())
		classes = append(classes, p.entry())
	}
	who = w.set(bindingsSet(), identities...)
	where = w.set(portsMap(), classes...)
	return who, where
}

func bindingsSet() *nftables.Set {
	return &nftables.Set{
		Name: setBindings, Concatenation: true,
		KeyType: nftables.MustConcatSetType(nftables.TypeIFName, nftables.TypeIPAddr),
	}
}

func portsMap() *nftables.Set {
	return &nftables.Set{Name: mapPorts, IsMap: true, KeyType: nftables.TypeIFName, DataType: nftables.TypeVerdict}
}

// allowedProtocols returns from what may not pass at all.
func (w *writer) allowedProtocols() []matcher {
	other := matcher{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: reg1}}
	for _, n := range []byte{6, 17, 1} {
		other = append(other, &expr.Cmp{Op: expr.CmpOpNeq, Register: reg1, Data: []byte{n}})
	}
	return []matcher{all(other, w.refuse(reasonProtocol))}
}

// arrivals are the rules for packets that come through a peering.
func (w *writer) arrivals(d door) []matcher {
	var rules []matcher
	known := name("arrived", d.peering)
	for _, c := range d.other.CIDRs {
		rules = append(rules, all(fromPrefix(c), goTo(known)))
	}
	var local []matcher
	local = append(local, all(established(), accept()), all(invalid(), w.refuse(reasonInvalid)))
	local = append(local, w.allowedProtocols()...)
	for _, s := range w.model.Subnets {
		if s.VPC == w.vpc.ID {
			local = append(local, w.returns(s, d)...)
		}
	}
	w.chain(known, append(local, goTo("local"))...)
	return append(rules, w.refuse(reasonSpoofed))
}

// returns refuses what a subnet's routes lead no answer back to by a peering.
func (w *writer) returns(s network.Subnet, d door) []matcher {
	chain := name("back", d.peering, s.ID)
	var rules []matcher
	for _, r := range sorted(s.Routes) {
		back := w.refuse(reasonNoReturn)
		if r.Target == network.Peered && r.Peering == d.peering {
			back = goTo("local")
		}
		rules = append(rules, all(fromPrefix(r.Destination), back))
	}
	w.chain(chain, append(rules, w.refuse(reasonNoReturn))...)
	return []matcher{all(toPrefix(s.CIDR), goTo(chain))}
}

// exits writes the proxy's part and what may leave by which door.
func (w *writer) exits() {
	var proxy []matcher
	if w.proxy != 0 {
		proxy = []matcher{
			all(toSet(w.proxied), protocolIs(network.TCP), toProxy(w.proxy)),
			all(toSet(w.proxied), protocolIs(network.UDP), toProxy(w.proxy)),
		}
	}
	w.watching("proxy", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, priorityProxy, proxy...)
	forward := []matcher{
		all(established(), accept()),
		all(outputIs(uplink), markIs(markNAT), accept()),
	}
	for _, d := range w.doors {
		forward = append(forward, all(outputIs(d.device), markIs(d.mark), accept()))
	}
	w.base("forward", nftables.ChainHookForward, *nftables.ChainPriorityFilter, append(forward, w.refuse(reasonInbound))...)
	w.watching("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource,
		all(outputIs(uplink), matcher{&expr.Masq{}}))
}
