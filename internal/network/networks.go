package network

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/fault"
)

// Networks is the networks of all stacks: it takes their models, hands out
// addresses, decides about flows and answers names. The zero value is ready: it
// knows no VPC. Its fields are set before the first call; its methods may be
// called concurrently.
type Networks struct {
	// Own reports whether an address is one of this machine's, which no function
	// reaches unless an Interface is attached to it. Nil asks the operating system
	// for the addresses of its devices.
	Own func(netip.Addr) bool
	// Upstream answers the names that are not private. Nil asks the servers of
	// this machine's resolv.conf.
	Upstream func(context.Context, *dns.Msg) (*dns.Msg, error)
	// Region is part of the endpoints' private names; empty means us-east-1.
	Region string
	// Services is where a port finds the platform by the names of AWS's services,
	// unless its VPC has an endpoint or a private zone for them: an address of the
	// function's own loopback device. The zero Addr leaves the names to Upstream.
	Services netip.Addr
	// Permissive turns every drop into an accept. It is for control runs of tests,
	// which show what the rules are worth, and for nothing else.
	Permissive bool
	Log        *slog.Logger // nil: slog.Default

	current atomic.Pointer[tables]
	own     ownAddresses
	servers resolvConf

	mu     sync.Mutex
	stacks map[string]Model
	leases leases
}

var none = &tables{}

func (n *Networks) tables() *tables {
	if t := n.current.Load(); t != nil {
		return t
	}
	return none
}

func (n *Networks) log() *slog.Logger {
	if n.Log == nil {
		return slog.Default()
	}
	return n.Log
}

// Model is the networks of all stacks at this moment. It must not be changed.
func (n *Networks) Model() *Model { return &n.tables().model }

// Replace makes m the networks of a stack, all at once; an empty model removes
// the stack's. References may lead to other stacks' resources, and IDs are unique
// over all of them. Flows that have been accepted go on. The model becomes the
// networks': it must not be changed afterwards.
//
// An error is of kind Invalid and made of Problems, or of kind Conflict when a
// running instance has an address that m declares; nothing has changed then.
func (n *Networks) Replace(stack string, m Model) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	stacks, t, err := n.next(stack, m)
	if err != nil {
		return err
	}
	n.stacks = stacks
	n.current.Store(t)
	n.log().Info("networks replaced", "stack", stack, "vpcs", len(m.VPCs), "interfaces", len(m.Interfaces))
	return nil
}

// Load makes stacks the networks of all, as Replace would one after the other if
// none referred to one that comes later.
func (n *Networks) Load(stacks map[string]Model) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	t, err := n.tablesOf(stacks)
	if err != nil {
		return err
	}
	n.stacks = maps.Clone(stacks)
	n.current.Store(t)
	return nil
}

// Use is a function's place in the networks.
type Use struct {
	Function        string
	Subnets, Groups []string
}

// Admit reports whether Replace would take m, and every use would then have its
// place; nothing changes. Its errors are those of Replace and Check.
func (n *Networks) Admit(stack string, m Model, uses []Use) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, t, err := n.next(stack, m)
	if err != nil {
		return err
	}
	for _, u := range uses {
		if _, err := t.common(u.Subnets, u.Groups); err != nil {
			return fmt.Errorf("function %s: %w", u.Function, err)
		}
	}
	return nil
}

// next is what the networks would be with m as those of a stack; the lock is held.
func (n *Networks) next(stack string, m Model) (map[string]Model, *tables, error) {
	stacks := maps.Clone(n.stacks)
	if stacks == nil {
		stacks = map[string]Model{}
	}
	if delete(stacks, stack); !m.Empty() {
		stacks[stack] = m
	}
	t, err := n.tablesOf(stacks)
	if err == nil {
		err = n.leases.clash(t)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("networks of stack %s: %w", stack, err)
	}
	return stacks, t, nil
}

// tablesOf checks and unites models.
func (n *Networks) tablesOf(stacks map[string]Model) (*tables, error) {
	owners := map[string]string{}
	var problems Problems
	var union Model
	for _, name := range slices.Sorted(maps.Keys(stacks)) {
		each := stacks[name]
		for id := range each.ids() {
			if other, taken := owners[id]; taken && other != name {
				problems = append(problems, Problem{id, fmt.Sprintf("declared by stack %s and by stack %s; IDs are unique over all stacks", other, name)})
			}
			owners[id] = name
		}
		union = union.with(each)
	}
	if len(problems) > 0 {
		return nil, fault.Errorf(fault.Invalid, "%w", problems)
	}
	t, problems := compile(union, n.region())
	if len(problems) > 0 {
		return nil, fault.Errorf(fault.Invalid, "%w", problems)
	}
	return t, nil
}

func (n *Networks) region() string {
	if n.Region == "" {
		return "us-east-1"
	}
	return strings.ToLower(n.Region)
}

// Empty reports whether the model declares nothing.
func (m Model) Empty() bool {
	return len(m.VPCs)+len(m.Subnets)+len(m.Groups)+len(m.Interfaces)+len(m.Peerings)+len(m.Zones)+len(m.Endpoints) == 0
}

// with is both models. The slices are new: neither model is written to.
func (m Model) with(o Model) Model {
	return Model{
		VPCs:       slices.Concat(m.VPCs, o.VPCs),
		Subnets:    slices.Concat(m.Subnets, o.Subnets),
		Groups:     slices.Concat(m.Groups, o.Groups),
		Interfaces: slices.Concat(m.Interfaces, o.Interfaces),
		Peerings:   slices.Concat(m.Peerings, o.Peerings),
		Zones:      slices.Concat(m.Zones, o.Zones),
		Endpoints:  slices.Concat(m.Endpoints, o.Endpoints),
	}
}

// Over is m and what old has more.
func (m Model) Over(old Model) Model {
	have := maps.Collect(func(yield func(string, bool) bool) {
		m.ids()(func(id string) bool { return yield(id, true) })
	})
	for _, z := range m.Zones {
		have["zone "+z.Name] = true
	}
	return m.with(Model{
		VPCs:       lacking(have, old.VPCs, func(v VPC) string { return v.ID }),
		Subnets:    lacking(have, old.Subnets, func(s Subnet) string { return s.ID }),
		Groups:     lacking(have, old.Groups, func(g SecurityGroup) string { return g.ID }),
		Interfaces: lacking(have, old.Interfaces, func(i Interface) string { return i.ID }),
		Peerings:   lacking(have, old.Peerings, func(p Peering) string { return p.ID }),
		Zones:      lacking(have, old.Zones, func(z Zone) string { return "zone " + z.Name }),
		Endpoints:  lacking(have, old.Endpoints, func(e Endpoint) string { return e.ID }),
	})
}

func lacking[T any](have map[string]bool, all []T, key func(T) string) (list []T) {
	for _, one := range all {
		if !have[key(one)] {
			list = append(list, one)
		}
	}
	return list
}

// ids yields the ID of every resource that has one; zones have names instead.
func (m Model) ids() func(yield func(string) bool) {
	return func(yield func(string) bool) {
		_ = each(m.VPCs, func(v VPC) bool { return yield(v.ID) }) &&
			each(m.Subnets, func(s Subnet) bool { return yield(s.ID) }) &&
			each(m.Groups, func(g SecurityGroup) bool { return yield(g.ID) }) &&
			each(m.Interfaces, func(i Interface) bool { return yield(i.ID) }) &&
			each(m.Peerings, func(p Peering) bool { return yield(p.ID) }) &&
			each(m.Endpoints, func(e Endpoint) bool { return yield(e.ID) })
	}
}

func each[T any](all []T, visit func(T) bool) bool {
	for _, one := range all {
		if !visit(one) {
			return false
		}
	}
	return true
}
