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
	stacks := maps.Clone(n.stacks)
	if stacks == nil {
		stacks = map[string]Model{}
	}
	if delete(stacks, stack); !m.empty() {
		stacks[stack] = m
	}
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
		return fault.Errorf(fault.Invalid, "networks of stack %s: %w", stack, problems)
	}
	t, problems := compile(union, n.region())
	if len(problems) > 0 {
		return fault.Errorf(fault.Invalid, "networks of stack %s: %w", stack, problems)
	}
	if err := n.leases.clash(t); err != nil {
		return fmt.Errorf("networks of stack %s: %w", stack, err)
	}
	n.stacks = stacks
	n.current.Store(t)
	n.log().Info("networks replaced", "stack", stack, "vpcs", len(m.VPCs), "interfaces", len(m.Interfaces))
	return nil
}

func (n *Networks) region() string {
	if n.Region == "" {
		return "us-east-1"
	}
	return strings.ToLower(n.Region)
}

func (m Model) empty() bool {
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
