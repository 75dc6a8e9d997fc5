package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	nfnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// router is the network namespace of a VPC.
type router struct {
	engine *Engine
	vpc    string // "": of the ports without one
	thread *thread
	ns     *os.File
	nl     *netlink.Handle
	nft    *nftables.Conn
	flows  *flows
	proxy  *proxy

	// What follows is guarded by the engine's lock.
	model   *network.Model // of the last write
	classes map[string]bool
	groups  map[string]bool // that have a set
	ports   map[string]*port
	dirty   map[netip.Addr]bool // addresses whose flows the kernel still knows
	up      *uplinkEnd
	routes  routes

	index index
}

// index is what the goroutines that read packets look up.
type index struct {
	mu       sync.RWMutex
	byAddr   map[netip.Addr]*port // the last one that had the address
	byDevice map[uint32]*port     // by number of the router's device
	doors    map[uint32]*router   // who is behind a peering's device
	model    *network.Model
}

// port is an attached port.
type port struct {
	*network.Port
	addr   netip.Addr // of the sandbox's device
	device string     // the router's end
	number int        // of the device

	mu     sync.Mutex
	gone   bool
	active map[closer]struct{} // flows of the proxy
}

type closer interface{ Close() error }

func (p *port) identity() nftables.SetElement {
	return nftables.SetElement{Key: append(ifname(p.device), p.addr.AsSlice()...)}
}

func (p *port) entry() nftables.SetElement {
	return nftables.SetElement{
		Key:         ifname(p.device),
		VerdictData: &expr.Verdict{Kind: expr.VerdictGoto, Chain: class(p.Port)},
	}
}

// hold keeps a flow until the port goes; false when it has gone.
func (p *port) hold(c closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone {
		return false
	}
	if p.active == nil {
		p.active = map[closer]struct{}{}
	}
	p.active[c] = struct{}{}
	return true
}

func (p *port) release(c closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.active, c)
}

// end closes the port's flows in the proxy.
func (p *port) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for c := range p.active {
		c.Close() //nolint:errcheck // whoever copies reports
	}
}

// routerSettings are written before the first device, so that devices inherit them.
var routerSettings = [][2]string{
	{"ipv6/conf/all/disable_ipv6", "1"},
	{"ipv6/conf/default/disable_ipv6", "1"},
	{"ipv4/ip_forward", "1"},
	{"ipv4/conf/all/rp_filter", "0"}, // the nft set of bindings is stricter
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/send_redirects", "0"},
	{"ipv4/conf/all/accept_redirects", "0"},
	{"ipv4/conf/all/arp_ignore", "8"}, // nobody is told anything
	{"ipv4/conf/all/arp_announce", "2"},
	{"netfilter/nf_conntrack_acct", "1"}, // bytes of flow records
	{"netfilter/nf_conntrack_timestamp", "1"},
}

// newRouter makes an empty router that lets nothing through.
func newRouter(e *Engine, vpc string) (_ *router, err error) {
	r := &router{
		engine: e, vpc: vpc, ports: map[string]*port{}, dirty: map[netip.Addr]bool{}, routes: newRoutes(),
		index: index{byAddr: map[netip.Addr]*port{}, byDevice: map[uint32]*port{}, doors: map[uint32]*router{}},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("router of %s: %w", r.name(), err), r.close())
		}
	}()
	r.thread, err = newThread(r.enter)
	if err != nil {
		return nil, err
	}
	r.proxy.run()
	r.flows.run()
	return r, nil
}

func (r *router) name() string {
	if r.vpc == "" {
		return "functions without a VPC"
	}
	return r.vpc
}

// enter runs on the router's thread: it makes the namespace and opens everything
// that has to be of it.
func (r *router) enter() (err error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w (the kernel engine needs root)", err)
	}
	if r.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	for _, s := range routerSettings {
		err := sysctl(s[0], s[1])
		if errors.Is(err, os.ErrNotExist) && s[0][:4] == "ipv6" {
			continue // a kernel without it
		}
		if err != nil {
			return fmt.Errorf("set %s: %w", s[0], err)
		}
	}
	if r.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	if r.nft, err = nftables.New(nftables.AsLasting(), nftables.WithSockOptions(roomy)); err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	if err := r.nl.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1}}); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	if r.flows, err = listenFlows(r); err != nil {
		return err
	}
	if r.proxy, err = listenProxy(r); err != nil {
		return err
	}
	return nil
}

// roomy gives a table of many rules room in the socket, both ways.
func roomy(c *nfnetlink.Conn) error {
	const size = 4 << 20
	return errors.Join(c.SetWriteBuffer(size), c.SetReadBuffer(size))
}

func (r *router) close() error {
	var errs []error
	if r.proxy != nil {
		r.proxy.close()
	}
	if r.flows != nil {
		errs = append(errs, r.flows.close())
	}
	if r.nft != nil {
		errs = append(errs, r.nft.CloseLasting())
	}
	if r.nl != nil {
		r.nl.Close()
	}
	if r.ns != nil {
		errs = append(errs, r.ns.Close())
	}
	if r.thread != nil {
		r.thread.close()
	}
	return errors.Join(errs...)
}

// network returns the router's VPC in m; false when m has it no more.
func (r *router) network(m *network.Model) (network.VPC, bool) {
	for _, v := range m.VPCs {
		if v.ID == r.vpc {
			return v, true
		}
	}
	return network.VPC{}, r.vpc == ""
}

// write makes the router's addresses, rules and routes what the model says. The
// rules change in one moment, and before the routes.
func (r *router) write(m *network.Model, doors []door, members map[string][]netip.Addr, own []netip.Addr) error {
	vpc, known := r.network(m)
	if !known {
		vpc = network.VPC{ID: r.vpc} // its ports reach nothing
	}
	served := served(m, r.vpc)
	if err := r.addresses(append(addrsOf(served), resolvers(vpc)...)); err != nil {
		return err
	}
	if err := r.connect(m); err != nil {
		return err
	}
	v := view{
		vpc: vpc, model: m, doors: doors, members: members, own: own,
		proxy: r.proxy.port, verdict: r.engine.deny(),
	}
	r.classes, r.groups = map[string]bool{}, map[string]bool{}
	for _, p := range r.ports {
		v.ports = append(v.ports, p)
		r.classes[class(p.Port)] = true
	}
	for _, g := range v.referenced() {
		r.groups[g] = true
	}
	if err := v.write(&batch{conn: r.nft}); err != nil {
		return fmt.Errorf("rules of %s: %w", r.name(), err)
	}
	r.model = m
	r.index.mu.Lock()
	r.index.model = m
	r.index.mu.Unlock()
	if err := r.proxy.resolve(resolvers(vpc)); err != nil {
		return err
	}
	if err := r.reroute(m, vpc, doors); err != nil {
		return fmt.Errorf("routes of %s: %w", r.name(), err)
	}
	return nil
}

func addrsOf(served []address) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range served {
		if a.addr.Is4() {
			addrs = append(addrs, a.addr)
		}
	}
	return addrs
}
