package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// peer makes a veth for every peering of the model whose networks both have a
// router, and removes the veths of the others.
func (e *Engine) peer(m *network.Model) error {
	var errs []error
	wanted := map[string]bool{}
	for _, p := range m.Peerings {
		a, b := e.routers[p.A], e.routers[p.B]
		if a == nil || b == nil || a == b {
			continue
		}
		l := e.links[p.ID]
		if l != nil && (l.a != a || l.b != b) {
			errs = append(errs, e.unpeer(p.ID))
			l = nil
		}
		wanted[p.ID] = true
		if l == nil {
			errs = append(errs, e.join(p.ID, a, b))
		}
	}
	for id := range e.links {
		if !wanted[id] {
			errs = append(errs, e.unpeer(id))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) join(id string, a, b *router) error {
	e.next++
	l := &link{a: a, b: b, device: "x" + strconv.Itoa(e.next)}
	veth, err := addVeth(a.nl, l.device, l.device, b.ns)
	if err != nil {
		return fmt.Errorf("peering %s: %w", id, err)
	}
	e.links[id] = l
	other, err := b.nl.LinkByName(l.device)
	if err != nil {
		return fmt.Errorf("peering %s: %w", id, err)
	}
	here, there := veth.Attrs().Index, other.Attrs().Index
	err = errors.Join(
		a.nl.LinkSetUp(veth), neighbour(a.nl, here, macPeer, gateway),
		b.nl.LinkSetUp(other), neighbour(b.nl, there, macRouter, gateway))
	if err == nil {
		err = carries(a.nl, here)
	}
	if err != nil {
		return fmt.Errorf("peering %s: %w", id, err)
	}
	a.index.door(uint32(here), b)
	b.index.door(uint32(there), a)
	return nil
}

// unpeer ends a peering and its flows.
func (e *Engine) unpeer(id string) error {
	l := e.links[id]
	delete(e.links, id)
	l.a.forget(l.device)
	l.b.forget(l.device)
	l.a.index.shut(l.b)
	l.b.index.shut(l.a)
	return removeDevice(l.a.nl, l.device)
}

func (x *index) door(device uint32, to *router) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.doors[device] = to
}

func (x *index) shut(to *router) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for device, r := range x.doors {
		if r == to {
			delete(x.doors, device)
		}
	}
}

// doors are the peerings of a router.
func (e *Engine) doors(r *router) []door {
	var doors []door
	for id, l := range e.links {
		other := l.b
		if l.b == r {
			other = l.a
		} else if l.a != r {
			continue
		}
		vpc, known := other.network(e.model)
		if known {
			doors = append(doors, door{peering: id, other: vpc, device: l.device})
		}
	}
	slices.SortFunc(doors, func(a, b door) int { return cmp.Compare(a.peering, b.peering) })
	for i := range doors {
		doors[i].mark = markNAT + 1 + uint32(i)
	}
	return doors
}

// forgetFlows makes the kernel forget the flows of an address, so that the next
// port that has it does not inherit what the last one was allowed.
func (r *router) forgetFlows(a netip.Addr) {
	filter := &netlink.ConntrackFilter{}
	if err := filter.AddIP(netlink.ConntrackOrigSrcIP, a.AsSlice()); err != nil {
		r.engine.log().Error("flows of an address are not forgotten", "address", a, "err", err)
		return
	}
	_, err := r.nl.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filter)
	if err != nil {
		r.engine.log().Error("flows of an address are not forgotten", "address", a, "err", err)
		return
	}
	delete(r.dirty, a)
}
