package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// host is our part of the machine's own network namespace.
type host struct {
	ns       *os.File
	nl       *netlink.Handle
	nft      *nftables.Conn
	table    *nftables.Table
	forwards *forwarding // nil when the host forwarded already
	next     netip.Addr
}

// uplinkEnd is a router's veth to the host.
type uplinkEnd struct {
	device string     // the host's end
	addr   netip.Addr // the router's, as the host knows it
}

// uplinks is where the routers' addresses on their veths to the host come from.
// Nobody but the host sees them; they are link-local so that they are no network
// that anybody could have.
var uplinks = netip.MustParsePrefix("169.254.64.0/18")

const (
	tablePrefix = "dropstack-"
	// chainForwards and setForwarders are in a table of ours exactly when ip_forward was
	// off before us; the set has the devices that forwarded by themselves.
	chainForwards = "forwarding was off"
	setForwarders = "forwarded"
	setUplinks    = "uplinks"
	setGateways   = "gateways"
)

// openHost makes the table and lets the host forward packets.
func openHost(deny expr.VerdictKind) (_ *host, err error) {
	h := &host{next: uplinks.Addr().Next()}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close(nil))
		}
	}()
	if h.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return nil, err
	}
	if h.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return nil, fmt.Errorf("netlink of the host: %w", err)
	}
	if h.nft, err = nftables.New(nftables.AsLasting()); err != nil {
		return nil, fmt.Errorf("nftables of the host: %w", err)
	}
	was, _, err := bury(h.nft)
	if err != nil {
		return nil, err
	}
	if h.forwards, err = forward(was); err != nil {
		return nil, err
	}
	if err := h.write(deny); err != nil {
		return nil, fmt.Errorf("nftables of the host: %w", err)
	}
	return h, nil
}

func (h *host) write(deny expr.VerdictKind) error {
	b := &batch{conn: h.nft, deny: deny}
	b.replace(tablePrefix + strconv.Itoa(os.Getpid()))
	h.table = b.table
	up := b.set(uplinksSet())
	gateways := b.addresses(setGateways)
	var ranges []nftables.SetElement
	for _, p := range private {
		ranges = append(ranges,
			nftables.SetElement{Key: p.Addr().AsSlice()},
			nftables.SetElement{Key: after(p), IntervalEnd: true})
	}
	private := b.set(&nftables.Set{Name: "private", KeyType: nftables.TypeIPAddr, Interval: true}, ranges...)
	drop := matcher{&expr.Counter{}, &expr.Verdict{Kind: deny}}
	b.watching("input", nftables.ChainTypeFilter, nftables.ChainHookInput, *nftables.ChainPriorityMangle,
		all(named(expr.MetaKeyIIFNAME, up), drop))
	b.chain("out", all(named(expr.MetaKeyOIFNAME, up), drop), all(toSet(private), drop), accept())
	b.chain("in", all(established(), accept()), drop)
	forward := []matcher{
		all(named(expr.MetaKeyIIFNAME, up), goTo("out")),
		all(named(expr.MetaKeyOIFNAME, up), goTo("in")),
	}
	if h.forwards != nil {
		b.chain(chainForwards, drop)
		var names []nftables.SetElement
		for _, device := range h.forwards.devices {
			names = append(names, nftables.SetElement{Key: ifname(device)})
		}
		b.set(forwardersSet(), names...)
	}
	if h.forwards != nil && len(h.forwards.devices) == 0 {
		// Without us this machine forwarded nothing, and it still forwards nothing else.
		forward = append(forward, goTo(chainForwards))
	}
	b.watching("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, *nftables.ChainPriorityMangle, forward...)
	b.watching("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource,
		all(inSet(offsetSource, gateways), matcher{&expr.Masq{}}))
	return b.flush()
}

func forwardersSet() *nftables.Set {
	return &nftables.Set{Name: setForwarders, KeyType: nftables.TypeIFName}
}

func uplinksSet() *nftables.Set {
	return &nftables.Set{Name: setUplinks, KeyType: nftables.TypeIFName}
}

func named(key expr.MetaKey, s *nftables.Set) matcher {
	return matcher{
		&expr.Meta{Key: key, Register: reg1},
		&expr.Lookup{SourceRegister: reg1, SetName: s.Name, SetID: s.ID},
	}
}

// connect makes a router's veth to the host.
func (e *Engine) connect(r *router) (*uplinkEnd, error) {
	if e.host == nil {
		h, err := openHost(e.deny())
		if err != nil {
			return nil, err
		}
		e.host = h
	}
	return e.host.connect(r, fmt.Sprintf("ds%d-%d", os.Getpid(), len(e.routers)+e.next))
}

func (h *host) connect(r *router, device string) (*uplinkEnd, error) {
	veth, err := addVeth(r.nl, uplink, device, h.ns)
	if err != nil {
		return nil, err
	}
	end, err := h.nl.LinkByName(device)
	if err != nil {
		return nil, fmt.Errorf("the host's %s: %w", device, err)
	}
	addr, err := h.claim(end)
	if err != nil {
		return nil, err
	}
	here, there := end.Attrs().Index, veth.Attrs().Index
	err = errors.Join(
		neighbour(h.nl, here, macRouter, addr),
		r.nl.LinkSetUp(veth),
		r.nl.AddrAdd(veth, &netlink.Addr{IPNet: single(addr)}),
		neighbour(r.nl, there, macPeer, gateway))
	if err == nil {
		err = carries(h.nl, here)
	}
	if err != nil {
		return nil, err
	}
	return &uplinkEnd{device: device, addr: addr}, h.admit(device, addr)
}

// claim takes the first address that nobody on this host has a route to, another
// engine included.
func (h *host) claim(end netlink.Link) (netip.Addr, error) {
	if err := h.nl.LinkSetUp(end); err != nil {
		return netip.Addr{}, err
	}
	for ; uplinks.Contains(h.next); h.next = h.next.Next() {
		route := netlink.Route{LinkIndex: end.Attrs().Index, Dst: single(h.next), Scope: netlink.SCOPE_LINK}
		err := h.nl.RouteAdd(&route)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return netip.Addr{}, fmt.Errorf("the host's route to %s: %w", h.next, err)
		}
		claimed := h.next
		h.next = h.next.Next()
		return claimed, nil
	}
	return netip.Addr{}, fmt.Errorf("all addresses of %s are taken on this host", uplinks)
}

func (h *host) admit(device string, addr netip.Addr) error {
	up := uplinksSet()
	gateways := &nftables.Set{Name: setGateways, KeyType: nftables.TypeIPAddr, Table: h.table}
	up.Table = h.table
	err := errors.Join(
		h.nft.SetAddElements(up, []nftables.SetElement{{Key: ifname(device)}}),
		h.nft.SetAddElements(gateways, addressElements([]netip.Addr{addr})))
	if err != nil {
		return err
	}
	if err := h.nft.Flush(); err != nil {
		return fmt.Errorf("admit %s to the host's table: %w", device, err)
	}
	return nil
}

// close removes the veths first, so that nothing is forwarded without the rules.
func (h *host) close(routers []*router) error {
	var errs []error
	for _, r := range routers {
		if r.up != nil {
			errs = append(errs, removeDevice(h.nl, r.up.device))
		}
	}
	if h.table != nil {
		h.nft.DelTable(h.table)
		errs = append(errs, h.nft.Flush())
	}
	errs = append(errs, h.forwards.putBack())
	if h.nft != nil {
		errs = append(errs, h.nft.CloseLasting())
	}
	if h.nl != nil {
		h.nl.Close()
	}
	if h.ns != nil {
		errs = append(errs, h.ns.Close())
	}
	return errors.Join(errs...)
}

// own are the host's addresses, to which NAT does not lead.
func (e *Engine) own() []netip.Addr {
	list, err := netlink.AddrList(nil, unix.AF_INET)
	if err != nil {
		// The host's own table refuses them nevertheless; only the reason is lost.
		e.log().Warn("the host's addresses are not known", "err", err)
	}
	var own []netip.Addr
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP.To4()); ok {
			own = append(own, ip)
		}
	}
	return own
}
