package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// The names of a router's table and of what is changed in it between two writes.
const (
	routerTable = "router"
	setBindings = "bindings" // interface and source address of every port
	mapPorts    = "ports"    // interface → chain of its class
)

// logGroup is the number under which a router's kernel sends us refused packets;
// each network namespace has its own.
const logGroup = 1

// priorityProxy is after the rules and before the kernel routes.
const priorityProxy = -140

// markNAT is the door to the internet; doors to peered networks are the numbers after it.
const markNAT = 1

var (
	linkLocal   = netip.MustParsePrefix("169.254.0.0/16")
	resolverAll = netip.MustParseAddr("169.254.169.253")
	// metadata is the address at which clouds hand out their machines' credentials.
	metadata = netip.MustParsePrefix("169.254.169.254/32")
)

// private is what NAT never leads to: this host, its neighbours, and what is not
// an address of the internet.
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"), // for measurements (RFC 2544)
	netip.MustParsePrefix("224.0.0.0/3"),
}

// view is all that a router's table is made from.
type view struct {
	vpc     network.VPC // zero for the router of ports without one
	model   *network.Model
	doors   []door
	ports   []*port
	members map[string][]netip.Addr // of groups, in all networks
	own     []netip.Addr            // the host's
	proxy   uint16                  // port of the proxy on the router's loopback
	verdict expr.VerdictKind        // of refusals
}

// door is a peering, seen from one side.
type door struct {
	peering string
	other   network.VPC
	device  string
	mark    uint32
}

func (v view) public() bool { return v.vpc.ID == "" }

// resolvers are the addresses of DNS: the block's base plus two and the one that
// is everywhere.
func resolvers(vpc network.VPC) []netip.Addr {
	found := []netip.Addr{resolverAll}
	for _, c := range vpc.CIDRs {
		found = append(found, c.Masked().Addr().Next().Next())
	}
	return found
}

// class is what decides about a port's flows; ports of the same class share a chain.
func class(p *network.Port) string {
	groups := slices.Sorted(slices.Values(p.Groups))
	return name("class", p.VPC, p.Subnet, strings.Join(slices.Compact(groups), "\x00"))
}

// name is a name for nftables, which takes 255 bytes at most.
func name(parts ...string) string {
	n := strings.Join(parts, " ")
	if len(parts) < 3 && len(n) < 128 {
		return n
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return parts[0] + " " + hex.EncodeToString(sum[:12])
}

// write makes the router's whole table.
func (v view) write(b *batch) error {
	b.deny = v.verdict
	b.replace(routerTable)
	w := &writer{view: v, batch: b, refusals: map[string]bool{}, groups: map[string]*nftables.Set{}, classes: map[string]bool{}}
	w.sets()
	w.resolver()
	w.interfaces()
	w.routes()
	for _, p := range v.ports {
		w.class(p.Port)
	}
	w.entry()
	w.exits()
	return b.flush()
}

type writer struct {
	view
	*batch
	refusals map[string]bool
	groups   map[string]*nftables.Set
	classes  map[string]bool

	resolvers, own, private *nftables.Set
	proxied, services       *nftables.Set
}

// refuse goes to the chain that logs, counts and drops for a reason.
func (w *writer) refuse(reason string) matcher {
	chain := "refuse " + reason
	if !w.refusals[reason] {
		w.refusals[reason] = true
		w.chain(
			chain,
			matcher{
				&expr.Limit{Type: expr.LimitTypePkts, Rate: 500, Unit: expr.LimitTimeSecond, Burst: 500},
				&expr.Log{
					Key:   1<<unix.NFTA_LOG_GROUP | 1<<unix.NFTA_LOG_PREFIX | 1<<unix.NFTA_LOG_SNAPLEN,
					Group: logGroup, Snaplen: 64, Data: []byte(reason),
				},
			},
			matcher{&expr.Counter{}, &expr.Verdict{Kind: w.deny}},
		)
	}
	return goTo(chain)
}

func (w *writer) sets() {
	w.resolvers = w.addresses("resolvers", resolvers(w.vpc)...)
	w.own = w.addresses("own", w.view.own...)
	var ranges []nftables.SetElement
	for _, p := range private {
		ranges = append(ranges,
			nftables.SetElement{Key: p.Addr().AsSlice()},
			nftables.SetElement{Key: after(p), IntervalEnd: true})
	}
	w.private = w.set(&nftables.Set{Name: "private", KeyType: nftables.TypeIPAddr, Interval: true}, ranges...)
	for _, g := range w.referenced() {
		w.groups[g] = w.addresses(name("group", g), w.members[g]...)
	}
}

// after is the first address behind p; behind the last there is 0.0.0.0, which
// nftables reads as the end.
func after(p netip.Prefix) []byte {
	a := p.Masked().Addr().As4()
	for i := p.Bits() - 1; i >= 0; i-- {
		bit := byte(0x80) >> (i % 8)
		a[i/8] ^= bit
		if a[i/8]&bit != 0 {
			break
		}
	}
	return a[:]
}

// referenced are the groups that rules of this network's groups name.
func (v view) referenced() []string {
	var ids []string
	for _, g := range v.model.Groups {
		if v.public() || g.VPC != v.vpc.ID {
			continue
		}
		for _, r := range slices.Concat(g.Ingress, g.Egress) {
			if r.Group != "" {
				ids = append(ids, r.Group)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (v view) group(id string) (network.SecurityGroup, bool) {
	for _, g := range v.model.Groups {
		if g.ID == id {
			return g, true
		}
	}
	return network.SecurityGroup{}, false
}

// address is an address of the router at which somebody else answers.
type address struct {
	addr   netip.Addr
	groups []string
}

// served are the interfaces and endpoints of a network.
func served(m *network.Model, vpc string) []address {
	of := map[string]string{}
	for _, s := range m.Subnets {
		of[s.ID] = s.VPC
	}
	var found []address
	for _, i := range m.Interfaces {
		if vpc != "" && of[i.Subnet] == vpc {
			found = append(found, address{i.Address, i.Groups})
		}
	}
	for _, p := range m.Endpoints {
		if vpc != "" && of[p.Subnet] == vpc {
			found = append(found, address{p.Address, p.Groups})
		}
	}
	return found
}

// interfaces writes who may reach the router's served addresses: the union of the
// ingress rules of each one's groups.
func (w *writer) interfaces() {
	var addrs []netip.Addr
	var entries []nftables.SetElement
	for _, a := range served(w.model, w.vpc.ID) {
		if !a.addr.Is4() || slices.Contains(addrs, a.addr) {
			continue
		}
		addrs = append(addrs, a.addr)
		chain := name("interface", a.addr.String())
		var rules []matcher
		for _, id := range a.groups {
			g, ok := w.group(id)
			if !ok || g.VPC != w.vpc.ID {
				continue
			}
			for _, r := range g.Ingress {
				if from, ok := w.peer(r, offsetSource); ok {
					rules = append(rules, all(from, protocolIs(r.Protocol), ports(r), accept()))
				}
			}
		}
		w.chain(chain, append(rules, w.refuse(reasonGroup))...)
		entries = append(entries, nftables.SetElement{
			Key: a.addr.AsSlice(), VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: chain},
		})
	}
	w.proxied = w.addresses("proxied", addrs...)
	w.services = w.set(&nftables.Set{Name: "interfaces", IsMap: true, KeyType: nftables.TypeIPAddr, DataType: nftables.TypeVerdict}, entries...)
	w.chain("local",
		matcher{
			loadAddress(offsetDestination, reg1),
			&expr.Lookup{SourceRegister: reg1, IsDestRegSet: true, SetName: w.services.Name, SetID: w.services.ID},
		},
		w.refuse(reasonUnreachable))
}

func ports(r network.Rule) matcher {
	if r.Protocol != network.TCP && r.Protocol != network.UDP {
		return nil
	}
	return portsAre(r.From, r.To)
}

// peer matches the other side of a rule's flows; false when nobody can be it. A
// member of a peered network's group also has to come through that peering,
// because another peered network may use the same addresses.
func (w *writer) peer(r network.Rule, offset uint32) (matcher, bool) {
	if r.Group == "" {
		if !r.CIDR.IsValid() || !r.CIDR.Addr().Is4() {
			return nil, false
		}
		return inPrefix(offset, r.CIDR), true
	}
	set := w.groups[r.Group]
	g, ok := w.group(r.Group)
	if set == nil || !ok {
		return nil, false
	}
	if g.VPC == w.vpc.ID || offset == offsetDestination {
		return inSet(offset, set), true
	}
	for _, d := range w.doors {
		if d.other.ID == g.VPC {
			return all(inputIs(d.device), inSet(offset, set)), true
		}
	}
	return nil, false
}

// routes writes a chain per subnet, longest prefix first, and the doors they lead to.
func (w *writer) routes() {
	w.chain("nat",
		all(toSet(w.private), w.refuse(reasonPrivate)),
		all(toSet(w.own), w.refuse(reasonOwn)),
		all(setMark(markNAT), accept()))
	for _, d := range w.doors {
		w.chain(name("door", d.peering), all(setMark(d.mark), accept()))
	}
	for _, s := range w.model.Subnets {
		if s.VPC != w.vpc.ID || w.public() {
			continue
		}
		var rules []matcher
		for _, c := range w.vpc.CIDRs {
			rules = append(rules, all(toPrefix(c), goTo("local")))
		}
		for _, r := range sorted(s.Routes) {
			rules = append(rules, w.route(r)...)
		}
		w.chain(name("subnet", s.ID), append(rules, w.refuse(reasonRoute))...)
	}
}

// sorted is routes with the longest prefix first.
func sorted(routes []network.Route) []network.Route {
	routes = slices.Clone(routes)
	slices.SortStableFunc(routes, func(a, b network.Route) int { return b.Destination.Bits() - a.Destination.Bits() })
	return slices.DeleteFunc(routes, func(r network.Route) bool { return !r.Destination.Addr().Is4() })
}

func (w *writer) route(r network.Route) []matcher {
	to := toPrefix(r.Destination)
	switch r.Target {
	case network.NAT:
		return []matcher{all(to, goTo("nat"))}
	case network.Peered:
		var rules []matcher
		for _, d := range w.doors {
			if d.peering != r.Peering {
				continue
			}
			for _, c := range d.other.CIDRs {
				rules = append(rules, all(to, toPrefix(c), goTo(name("door", d.peering))))
			}
		}
		return append(rules, all(to, w.refuse(reasonRoute)))
	}
	return []matcher{all(to, w.refuse(reasonRoute))}
}
