package kernel

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/network"
)

// uplink is the name of a router's device to the host.
const uplink = "up"

// gateway is the first hop of everything; no interface has this address, packets
// find their way by permanent neighbours.
var gateway = netip.MustParseAddr("169.254.1.1")

// Both ends of every veth have the same hardware addresses everywhere: each veth is a
// network of its own.
var (
	macRouter = net.HardwareAddr{0x02, 0xd5, 0, 0, 0, 1}
	macPeer   = net.HardwareAddr{0x02, 0xd5, 0, 0, 0, 2}
)

func ipnet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func single(a netip.Addr) *net.IPNet { return ipnet(netip.PrefixFrom(a, a.BitLen())) }

// addVeth makes a pair whose other end is born in another namespace, which avoids
// moving it there under the kernel's global lock.
func addVeth(nl *netlink.Handle, device, peer string, in *os.File) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.HardwareAddr = device, network.MTU, macRouter
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerMTU, veth.PeerHardwareAddr = peer, network.MTU, macPeer
	veth.PeerNamespace = netlink.NsFd(int(in.Fd()))
	if err := nl.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("add veth %s: %w", device, err)
	}
	if veth.Index == 0 {
		return nl.LinkByName(device)
	}
	return veth, nil
}

// wire brings a device up and makes the addresses behind it reachable: by routes
// of the main table and a permanent neighbour each.
func wire(nl *netlink.Handle, index int, mac net.HardwareAddr, behind ...netip.Addr) error {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
	if err := nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring device %d up: %w", index, err)
	}
	for _, a := range behind {
		if err := neighbour(nl, index, mac, a); err != nil {
			return err
		}
		route := netlink.Route{LinkIndex: index, Dst: single(a), Scope: netlink.SCOPE_LINK}
		if err := nl.RouteReplace(&route); err != nil {
			return fmt.Errorf("route to %s: %w", a, err)
		}
	}
	return nil
}

func neighbour(nl *netlink.Handle, index int, mac net.HardwareAddr, a netip.Addr) error {
	err := nl.NeighSet(&netlink.Neigh{
		LinkIndex: index, Family: unix.AF_INET, State: netlink.NUD_PERMANENT,
		IP: a.AsSlice(), HardwareAddr: mac,
	})
	if err != nil {
		return fmt.Errorf("neighbour %s: %w", a, err)
	}
	return nil
}

// equip sets up the sandbox's end: its address, and everything else by the gateway.
func equip(ns *os.File, device string, addr netip.Addr) error {
	return inNamespace(ns, func() error {
		nl, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("netlink of the sandbox: %w", err)
		}
		defer nl.Close()
		link, err := nl.LinkByName(device)
		if err != nil {
			return fmt.Errorf("the sandbox's %s: %w", device, err)
		}
		index := link.Attrs().Index
		if err := nl.AddrAdd(link, &netlink.Addr{IPNet: single(addr)}); err != nil {
			return fmt.Errorf("the sandbox's address %s: %w", addr, err)
		}
		if err := wire(nl, index, macRouter, gateway); err != nil {
			return fmt.Errorf("the sandbox's %s: %w", device, err)
		}
		err = nl.RouteAdd(&netlink.Route{LinkIndex: index, Gw: gateway.AsSlice(), Flags: int(netlink.FLAG_ONLINK)})
		if err != nil {
			return fmt.Errorf("the sandbox's default route: %w", err)
		}
		return nil
	})
}

const (
	// carrierWait is what only a kernel that is stuck uses up.
	carrierWait = 10 * time.Second
	carrierPoll = time.Millisecond
)

// carries waits until a device sends whose pair has come up after it. The kernel
// gives such a device its queue in a task of its own, some time after both ends are
// up, and until then drops what the device is to send: the first answers to whoever is
// behind it, for which UDP would not come again. Since Linux 6.8 the question for the
// device does the task's work; before, it is asked again until the task has run.
func carries(nl *netlink.Handle, index int) error {
	for end := time.Now().Add(carrierWait); ; time.Sleep(carrierPoll) {
		link, err := nl.LinkByIndex(index)
		if err != nil {
			return fmt.Errorf("carrier of device %d: %w", index, err)
		}
		state := link.Attrs().OperState
		if state == netlink.OperUp {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("device %s is still %s %v after both its ends were brought up", link.Attrs().Name, state, carrierWait)
		}
	}
}

// removeDevice deletes a device and its pair. One that is gone, with a sandbox's
// namespace for example, is fine.
func removeDevice(nl *netlink.Handle, name string) error {
	link, err := nl.LinkByName(name)
	if err == nil {
		err = nl.LinkDel(link)
	}
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone || errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}
