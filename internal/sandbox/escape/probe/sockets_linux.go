package probe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sockets are attacks by kinds of sockets and by what configures the network.
var sockets = []Assertion{
	{ID: "network/packet", Control: Network, What: "read and write raw packets (AF_PACKET)", try: makesSocket(unix.AF_PACKET, unix.SOCK_RAW, 0x0300)},
	{ID: "network/raw-icmp", Control: Network, What: "send raw ICMP", try: makesSocket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
	{ID: "network/raw-tcp", Control: Network, What: "forge TCP packets", try: makesSocket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)},
	{ID: "network/raw-ipv6", Control: Network, What: "send raw packets of IPv6", try: makesSocket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)},
	{ID: "network/vsock", Control: Network, What: "talk to the machine's hypervisor (AF_VSOCK)", try: makesSocket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
	{ID: "network/alg", Control: Network, What: "use the kernel's ciphers (AF_ALG)", try: makesSocket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
	{ID: "network/key", Control: Network, What: "use the kernel's IPsec (AF_KEY)", Unsafe: true, try: makesSocket(unix.AF_KEY, unix.SOCK_RAW, 2)},
	{ID: "network/xdp", Control: Network, What: "use AF_XDP", try: makesSocket(unix.AF_XDP, unix.SOCK_RAW, 0)},
	{ID: "network/can", Control: Network, What: "use AF_CAN", Unsafe: true, try: makesSocket(unix.AF_CAN, unix.SOCK_RAW, 1)},
	{ID: "network/tipc", Control: Network, What: "use AF_TIPC", Unsafe: true, try: makesSocket(unix.AF_TIPC, unix.SOCK_STREAM, 0)},
	{ID: "network/rds", Control: Network, What: "use AF_RDS", Unsafe: true, try: makesSocket(unix.AF_RDS, unix.SOCK_SEQPACKET, 0)},
	{ID: "network/bluetooth", Control: Network, What: "use AF_BLUETOOTH", Unsafe: true, try: makesSocket(unix.AF_BLUETOOTH, unix.SOCK_RAW, 1)},
	{ID: "network/other-families", Control: Network, What: "use any other family of sockets", Unsafe: true, try: otherFamilies},
	{ID: "network/netlink-others", Control: Network, What: "use netlink for more than routes", Unsafe: true, try: otherNetlink},
	{ID: "network/netlink-address", Control: Network, What: "add an address to a device", try: addAddress},
	{ID: "network/netlink-route", Control: Network, What: "add a route", try: addRoute},
	{ID: "network/netlink-link", Control: Network, What: "add a device", try: addLink},
	{ID: "network/device-down", Control: Network, What: "switch a device off", Unsafe: true, try: deviceDown},
	{ID: "network/firewall", Control: Network, What: "change the kernel's firewall", try: firewall},
	{ID: "network/mark", Control: Network, What: "mark its packets for others' rules", try: option(unix.SOL_SOCKET, unix.SO_MARK, 1)},
	{ID: "network/transparent", Control: Network, What: "use addresses that are not its own", try: option(unix.SOL_IP, unix.IP_TRANSPARENT, 1)},
	{ID: "network/buffers", Control: Network, What: "take more of the kernel's memory than sockets may", try: option(unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)},
	{ID: "network/repair", Control: Network, What: "forge the state of connections", try: option(unix.SOL_TCP, unix.TCP_REPAIR, 1)},
	{ID: "network/credentials", Control: Network, What: "pretend to be another process on a socket", try: forgedCredentials},
	{ID: "network/devices", Control: Network, What: "see the machine's network devices", try: seesDevices},
	{ID: "network/promiscuous", Control: Network, What: "listen in on a device", Unsafe: true, try: promiscuous},
}

func makesSocket(family, kind, protocol int) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
		}
		return w.stopped(err, "gets a socket of family %d, kind %d", family, kind)
	}
}

// knownFamilies are those that functions need, and those with a row of their own.
var knownFamilies = []int{
	unix.AF_INET6, unix.AF_NETLINK,
	unix.AF_PACKET, unix.AF_VSOCK, unix.AF_ALG, unix.AF_KEY, unix.AF_XDP, unix.AF_CAN, unix.AF_TIPC, unix.AF_RDS, unix.AF_BLUETOOTH,
}

func otherFamilies(w *world) error {
	for family := 3; family < 46; family++ {
		if slices.Contains(knownFamilies, family) {
			continue
		}
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			if err := makesSocket(family, kind, 0)(w); err != nil {
				return err
			}
		}
	}
	return nil
}

func otherNetlink(w *world) error {
	for protocol := 1; protocol < 23; protocol++ {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			unix.Close(fd)
			return fmt.Errorf("gets a netlink socket of protocol %d", protocol)
		}
		w.how = err.Error()
	}
	return nil
}

// asksNetlink sends one request and returns the kernel's answer. The payload
// follows the header, which is filled in.
func asksNetlink(kind uint16, flags uint16, payload []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})
	msg := make([]byte, unix.NLMSG_HDRLEN, unix.NLMSG_HDRLEN+len(payload))
	put32(msg[0:], uint32(unix.NLMSG_HDRLEN+len(payload)))
	put16(msg[4:], kind)
	put16(msg[6:], flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	if err := unix.Sendto(fd, append(msg, payload...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.NLMSG_HDRLEN+4 {
		return errors.New("the kernel answers with too little")
	}
	if code := int32(get32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return syscall.Errno(-code)
	}
	return nil
}

// The machine's byte order is the little one on all processors that we build for.
func put16(b []byte, v uint16) { b[0], b[1] = byte(v), byte(v>>8) }

func put32(b []byte, v uint32) {
	put16(b, uint16(v))
	put16(b[2:], uint16(v>>16))
}

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func attribute(kind uint16, value []byte) []byte {
	b := make([]byte, 4, 4+len(value))
	put16(b, uint16(4+len(value)))
	put16(b[2:], kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// ownNetwork makes sure that what is configured outside of a sandbox ends with the
// thread.
func (w *world) ownNetwork() error {
	if w.Sandboxed {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return w.skip("no network of its own: " + cause(err))
	}
	return nil
}

func addAddress(w *world) error {
	if err := w.ownNetwork(); err != nil {
		return err
	}
	payload := []byte{unix.AF_INET, 32, 0, 0, 1, 0, 0, 0} // struct ifaddrmsg of device 1, lo
	payload = append(payload, attribute(unix.IFA_LOCAL, []byte{10, 11, 12, 13})...)
	return w.stopped(asksNetlink(unix.RTM_NEWADDR, unix.NLM_F_CREATE, payload), "can add an address")
}

func addRoute(w *world) error {
	if err := w.ownNetwork(); err != nil {
		return err
	}
	// struct rtmsg: 10.99.0.0/16 in the main table, static, a blackhole.
	payload := []byte{unix.AF_INET, 16, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, unix.RT_SCOPE_UNIVERSE, unix.RTN_BLACKHOLE, 0, 0, 0, 0}
	payload = append(payload, attribute(unix.RTA_DST, []byte{10, 99, 0, 0})...)
	return w.stopped(asksNetlink(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, payload), "can add a route")
}

func addLink(w *world) error {
	if err := w.ownNetwork(); err != nil {
		return err
	}
	payload := make([]byte, 16) // struct ifinfomsg
	payload = append(payload, attribute(unix.IFLA_IFNAME, []byte("escape0\x00"))...)
	payload = append(payload, attribute(unix.IFLA_LINKINFO, attribute(unix.IFLA_INFO_KIND, []byte("bridge\x00")))...)
	return w.stopped(asksNetlink(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, payload), "can add a device")
}

func deviceDown(w *world) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	return w.stopped(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr), "can switch lo off")
}

// firewall asks for the table's description, for which it takes the same right.
func firewall(w *world) error {
	if err := w.ownNetwork(); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	const replace = 64 // IPT_SO_SET_REPLACE
	return w.shut(unix.SetsockoptString(fd, unix.SOL_IP, replace, strings.Repeat("\x00", 96)), "replacing the firewall's table", unix.ENOPROTOOPT)
}

func option(level, name, value int) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return w.stopped(err, "")
		}
		defer unix.Close(fd)
		return w.shut(unix.SetsockoptInt(fd, level, name, value), fmt.Sprintf("the option %d/%d of sockets", level, name))
	}
}

func forgedCredentials(w *world) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	forged := unix.UnixCredentials(&unix.Ucred{Pid: 1, Uid: 0, Gid: 0})
	return w.shut(unix.Sendmsg(pair[0], []byte("x"), forged, nil, 0), "sending others' credentials")
}

func seesDevices(w *world) error {
	text, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return w.stopped(err, "")
	}
	for line := range strings.Lines(string(text)) {
		name, _, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); ok && name != "lo" && name != "eth0" {
			return fmt.Errorf("sees the device %s", name)
		}
	}
	routes, _ := os.ReadFile("/proc/self/net/arp")
	if strings.Count(string(routes), "\n") > 1 {
		return errors.New("sees the machine's neighbours")
	}
	w.how = "it sees its own"
	return nil
}

func promiscuous(w *world) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_PROMISC)
	return w.stopped(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr), "can listen in on lo")
}
