package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
)

type state struct {
	mu      sync.Mutex
	closed  bool
	model   *network.Model
	routers map[string]*router
	links   map[string]*link // by peering
	host    *host
	next    int // number of the next device

	leftovers atomic.Int64
	deleting  sync.WaitGroup

	// permissive turns every refusal into an accept, to see in a control run which
	// of them matter.
	permissive bool
}

// link is the veth of a peering.
type link struct {
	a, b   *router
	device string // its name on both sides
}

func (e *Engine) deny() expr.VerdictKind {
	if e.permissive {
		return expr.VerdictAccept
	}
	return expr.VerdictDrop
}

// Attach joins ns.Net, whose device eth0 it makes. The first port of a network
// makes its router. Without a VPC the sandbox has port.Address if no other has
// it, else another. It fails with fault.Invalid for a port that the networks have
// no place for, fault.Conflict for an address that another port of the VPC has.
func (e *Engine) Attach(ctx context.Context, p *network.Port, ns network.Namespace) (detach func() error, err error) {
	if ns.Net == nil {
		return nil, fault.Errorf(fault.Invalid, "attach %s: the kernel engine needs the network namespace", p.ID)
	}
	r, joined, err := e.admit(p)
	if err != nil {
		return nil, fmt.Errorf("attach %s of %s: %w", p.ID, p.Function, err)
	}
	fail := func(err error) (func() error, error) {
		return nil, errors.Join(fmt.Errorf("attach %s of %s: %w", p.ID, p.Function, err), e.remove(r, joined))
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	veth, err := addVeth(r.nl, joined.device, sandboxDevice, ns.Net)
	if err != nil {
		return fail(err)
	}
	joined.number = veth.Attrs().Index
	if err := wire(r.nl, joined.number, macPeer, joined.addr); err != nil {
		return fail(err)
	}
	if err := equip(ns.Net, sandboxDevice, joined.addr); err != nil {
		return fail(err)
	}
	if err := carries(r.nl, joined.number); err != nil {
		return fail(err)
	}
	if err := e.enter(r, joined); err != nil {
		return fail(err)
	}
	return sync.OnceValue(func() error { return e.remove(r, joined) }), nil
}

// sandboxDevice is the name of the device in the sandbox.
const sandboxDevice = "eth0"

// admit finds the port's router and reserves its address there.
func (e *Engine) admit(p *network.Port) (*router, *port, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, nil, fault.Errorf(fault.Unavailable, "the kernel engine is closed")
	}
	if e.model == nil {
		e.model = e.Model()
	}
	if err := valid(e.model, p); err != nil {
		return nil, nil, err
	}
	if e.routers[p.VPC] == nil {
		if err := e.settle(e.model, p.VPC); err != nil {
			return nil, nil, err
		}
	}
	r := e.routers[p.VPC]
	addr, err := r.free(p)
	if err != nil {
		return nil, nil, err
	}
	if r.dirty[addr] {
		r.forgetFlows(addr)
	}
	e.next++
	joined := &port{Port: p, addr: addr, device: "p" + strconv.Itoa(e.next)}
	r.ports[joined.device] = joined
	return r, joined, nil
}

func valid(m *network.Model, p *network.Port) error {
	if p.VPC == "" {
		return nil
	}
	for _, s := range m.Subnets {
		if s.ID != p.Subnet || s.VPC != p.VPC {
			continue
		}
		if !s.CIDR.Contains(p.Address) || !p.Address.Is4() {
			return fault.Errorf(fault.Invalid, "address %s is not in subnet %s, %s", p.Address, s.ID, s.CIDR)
		}
		return nil
	}
	return fault.Errorf(fault.Invalid, "subnet %q of VPC %q does not exist", p.Subnet, p.VPC)
}

// spare is where ports without a VPC get their addresses when theirs is taken.
var spare = netip.MustParsePrefix("100.64.0.0/16")

func (r *router) free(p *network.Port) (netip.Addr, error) {
	taken := map[netip.Addr]bool{}
	for _, other := range r.ports {
		taken[other.addr] = true
	}
	if p.Address.Is4() && !taken[p.Address] {
		return p.Address, nil
	}
	if p.VPC != "" {
		return netip.Addr{}, fault.Errorf(fault.Conflict, "address %s of VPC %s is another port's", p.Address, p.VPC)
	}
	for a := spare.Addr().Next(); spare.Contains(a); a = a.Next() {
		if !taken[a] {
			return a, nil
		}
	}
	return netip.Addr{}, fault.Errorf(fault.Unavailable, "all addresses of %s are taken", spare)
}

// enter lets the port's packets through.
func (e *Engine) enter(r *router, p *port) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return fault.Errorf(fault.Unavailable, "the kernel engine is closed")
	}
	r.index.mu.Lock()
	r.index.byAddr[p.addr] = p
	r.index.byDevice[uint32(p.number)] = p
	r.index.mu.Unlock()
	if !r.classes[class(p.Port)] {
		if err := e.write(r); err != nil { // has the port in it
			return err
		}
	} else if err := r.change(p, (*nftables.Conn).SetAddElements); err != nil {
		return err
	}
	return e.membership(p, (*nftables.Conn).SetAddElements)
}

// change adds the port to the router's table or deletes it there.
func (r *router) change(p *port, how func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error) error {
	table := &nftables.Table{Name: routerTable, Family: nftables.TableFamilyINet}
	who, where := bindingsSet(), portsMap()
	who.Table, where.Table = table, table
	err := errors.Join(
		how(r.nft, where, []nftables.SetElement{p.entry()}),
		how(r.nft, who, []nftables.SetElement{p.identity()}))
	if err != nil {
		return err
	}
	if err := r.nft.Flush(); err != nil {
		return fmt.Errorf("rules of %s: %w", r.name(), err)
	}
	return nil
}

// membership makes the port a member of its groups in every router whose rules
// name them, or no member any more.
func (e *Engine) membership(p *port, how func(*nftables.Conn, *nftables.Set, []nftables.SetElement) error) error {
	for _, r := range e.routers {
		changed := false
		for _, g := range p.Groups {
			if !r.groups[g] {
				continue
			}
			set := &nftables.Set{
				Table: &nftables.Table{Name: routerTable, Family: nftables.TableFamilyINet},
				Name:  name("group", g), KeyType: nftables.TypeIPAddr,
			}
			if err := how(r.nft, set, addressElements([]netip.Addr{p.addr})); err != nil {
				return err
			}
			changed = true
		}
		if !changed {
			continue
		}
		if err := r.nft.Flush(); err != nil {
			return fmt.Errorf("groups of %s: %w", r.name(), err)
		}
	}
	return nil
}

// remove ends the port. No packet of it passes when it returns; the kernel takes
// 20 ms to delete a veth, which nobody waits for.
func (e *Engine) remove(r *router, p *port) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil // and the router with it
	}
	delete(r.ports, p.device)
	r.dirty[p.addr] = true
	_, entered := r.index.port(uint32(p.number))
	var err error
	if entered {
		err = errors.Join(r.change(p, (*nftables.Conn).SetDeleteElements), e.membership(p, (*nftables.Conn).SetDeleteElements))
	}
	if err != nil {
		err = errors.Join(err, e.write(r)) // whole, without it
	}
	e.leftovers.Add(1)
	e.deleting.Add(1)
	e.mu.Unlock()
	p.end()
	go e.clean(r, p)
	return err
}

func (e *Engine) clean(r *router, p *port) {
	defer e.deleting.Done()
	if err := removeDevice(r.nl, p.device); err != nil {
		e.log().Error("a sandbox's network device stays behind", "device", p.device, "function", p.Function, "err", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, again := r.taken(p.addr); !again && r.dirty[p.addr] {
		r.forgetFlows(p.addr)
	}
	r.index.mu.Lock()
	delete(r.index.byDevice, uint32(p.number))
	r.index.mu.Unlock()
	e.leftovers.Add(-1)
}

func (r *router) taken(a netip.Addr) (*port, bool) {
	for _, p := range r.ports {
		if p.addr == a {
			return p, true
		}
	}
	return nil, false
}

// Leftovers is the number of ports that are detached and whose devices the kernel
// has not deleted yet, or could not.
func (e *Engine) Leftovers() int { return int(e.leftovers.Load()) }

// Apply makes the networks the model's, router by router, each in one moment. Flows
// that run stay, also those that the new rules would refuse, as with AWS; those of a
// peering or an address that is gone end. When a router fails, the others are
// changed nevertheless, and that one keeps its last rules.
func (e *Engine) Apply(m *network.Model) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.model = m
	if e.closed || len(e.routers) == 0 {
		return nil
	}
	return e.settle(m)
}

// settle makes routers and peerings what the model needs for the networks that have
// a router and for added, and writes them.
func (e *Engine) settle(m *network.Model, added ...string) error {
	if e.routers == nil {
		e.routers, e.links = map[string]*router{}, map[string]*link{}
	}
	wanted := slices.AppendSeq(added, maps.Keys(e.routers))
	for _, id := range wanted {
		for _, id := range append(peersOf(m, id), id) {
			if err := e.ensure(id); err != nil {
				return err
			}
		}
	}
	errs := []error{e.peer(m)}
	for _, r := range e.routers {
		errs = append(errs, e.write(r))
	}
	return errors.Join(errs...)
}

func (e *Engine) ensure(vpc string) error {
	if e.routers[vpc] != nil {
		return nil
	}
	r, err := newRouter(e, vpc)
	if err != nil {
		return err
	}
	e.routers[vpc] = r
	return nil
}

// peersOf are the networks peered with one.
func peersOf(m *network.Model, vpc string) []string {
	var ids []string
	for _, p := range m.Peerings {
		switch vpc {
		case p.A:
			ids = append(ids, p.B)
		case p.B:
			ids = append(ids, p.A)
		}
	}
	return ids
}

// write writes one router by the model.
func (e *Engine) write(r *router) error {
	members := map[string][]netip.Addr{}
	for _, other := range e.routers {
		for _, p := range other.ports {
			for _, g := range p.Groups {
				members[g] = append(members[g], p.addr)
			}
		}
	}
	for _, v := range e.model.VPCs {
		for _, a := range served(e.model, v.ID) {
			for _, g := range a.groups {
				members[g] = append(members[g], a.addr)
			}
		}
	}
	return r.write(e.model, e.doors(r), members, e.own())
}

// Close takes everything back that the engine has made, once the last deletion is done.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.deleting.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, r := range e.routers {
		for _, p := range r.ports {
			p.end()
			errs = append(errs, removeDevice(r.nl, p.device))
		}
	}
	for id := range e.links {
		errs = append(errs, e.unpeer(id))
	}
	if e.host != nil {
		errs = append(errs, e.host.close(slices.Collect(maps.Values(e.routers))))
	}
	for _, r := range e.routers {
		errs = append(errs, r.close())
	}
	e.routers, e.links, e.host = nil, nil, nil
	return errors.Join(errs...)
}
