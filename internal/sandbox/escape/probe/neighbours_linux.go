package probe

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// neighbours are attacks on what listens elsewhere: the machine, other functions.
var neighbours = []Assertion{
	{ID: "network/host-loopback", Control: Network, What: "reach ports of the machine's loopback device", try: func(w *world) error {
		return w.dial(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(w.Host.Port)))
	}},
	{ID: "network/host-loopback-any", Control: Network, What: "reach them by the address 0.0.0.0", try: func(w *world) error {
		return w.dial(netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(w.Host.Port)))
	}},
	{ID: "network/host-loopback-mapped", Control: Network, What: "reach them by an address of IPv6", try: func(w *world) error {
		return w.dial6(netip.MustParseAddr("::ffff:127.0.0.1"), w.Host.Port)
	}},
	{ID: "network/host-loopback-device", Control: Network, What: "reach them by sending to the loopback address through its network", try: throughDevice},
	{ID: "network/host-address", Control: Network, What: "reach the machine by its own address", try: func(w *world) error {
		at, err := netip.ParseAddrPort(w.Host.Address)
		if err != nil {
			return w.skip("the machine has no other address")
		}
		return w.dial(at)
	}},
	{ID: "network/spoofed-source", Control: Network, What: "send from an address that is not its own", Unsafe: true, try: spoofs},
	{ID: "network/metadata", Control: Network, What: "reach the cloud's metadata service", Unsafe: true, try: func(w *world) error {
		return w.dial(netip.MustParseAddrPort("169.254.169.254:80"))
	}},
	{ID: "network/host-listeners", Control: Network, What: "see what listens on the machine", try: seesListeners},
	{ID: "network/host-abstract", Control: Network, What: "reach abstract sockets of the machine", try: func(w *world) error { return w.dialUnix("@" + w.Host.Abstract) }},
	{ID: "network/host-abstract-list", Control: Network, What: "see sockets of the machine", try: seesSockets},
	{ID: "network/host-socket", Control: Network, What: "reach a socket of the machine by its path", try: func(w *world) error { return w.dialUnix(w.Host.Socket) }},
	{ID: "network/daemons", Control: Network, What: "reach docker, containerd, dbus or systemd", try: daemons},
	{ID: "network/other-port", Control: Network, What: "reach what another function listens on", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.dial(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(w.Other.Port)))
	}},
	{ID: "network/other-abstract", Control: Network, What: "reach an abstract socket of another function", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.dialUnix("@" + w.Other.Abstract)
	}},
	{ID: "network/runtime-port", Control: Network, What: "take the place of the Runtime API", try: takesPort("127.0.0.1", 9001)},
	{ID: "network/runtime-port-any", Control: Network, What: "take its place on all addresses", try: takesPort("0.0.0.0", 9001)},
	{ID: "network/names-port", Control: Network, What: "take the place of AWS's services", try: takesPort("127.0.0.2", 443)},
	{ID: "files/other-tmp-read", Control: Files, What: "read another function's temporary files", try: func(w *world) error {
		if w.Other == nil {
			return w.skip("there is no other function")
		}
		return w.read(w.Other.Tmp + "/secret")
	}},
	{ID: "files/other-tmp-look-alike", Control: Files, What: "find another function's secret in its own /tmp", try: ownTmp},
}

// throughDevice has the kernel send what is for its own loopback device through
// the other one, to whoever carries its packets. It takes no right.
func throughDevice(w *world) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	if err := unix.BindToDevice(fd, "eth0"); err != nil {
		return w.stopped(err, "")
	}
	return w.connect(fd, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(w.Host.Port)))
}

// spoofs takes an address that may become its own one day, which takes no right.
func spoofs(w *world) error {
	at, err := netip.ParseAddrPort(w.Host.Address)
	if err != nil {
		return w.skip("the machine has no other address")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: at.Addr().As4()})
	}
	if err != nil {
		return w.stopped(err, "")
	}
	return w.connect(fd, at)
}

// dial connects: an address that does not answer at all is not reached.
func (w *world) dial(at netip.AddrPort) error {
	if at.Port() == 0 {
		return w.skip("nothing listens there")
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	return w.connect(fd, at)
}

func (w *world) connect(fd int, at netip.AddrPort) error {
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	err := unix.Connect(fd, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())})
	if errors.Is(err, unix.EINPROGRESS) {
		w.how = "nothing answers"
		return nil
	}
	return w.stopped(err, "can connect to %s", at)
}

func (w *world) dial6(at netip.Addr, port int) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	return w.stopped(unix.Connect(fd, &unix.SockaddrInet6{Addr: at.As16(), Port: port}), "can connect to %s, port %d", at, port)
}

func (w *world) dialUnix(name string) error {
	if name == "" || name == "@" {
		return w.skip("nothing listens there")
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	return w.stopped(unix.Connect(fd, &unix.SockaddrUnix{Name: name}), "can connect to %s", name)
}

func daemons(w *world) error {
	for _, path := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/notify", "/run/snapd.socket"} {
		if err := w.dialUnix(path); err != nil {
			return err
		}
	}
	return nil
}

// seesListeners looks for the machine's port in the list of sockets.
func seesListeners(w *world) error {
	port := fmt.Sprintf(":%04X 00000000:0000 0A", w.Host.Port)
	for _, name := range []string{"/proc/self/net/tcp", "/proc/1/net/tcp", "/proc/net/tcp"} {
		if text, _ := os.ReadFile(name); bytes.Contains(text, []byte(port)) {
			return fmt.Errorf("%s shows port %d of the machine", name, w.Host.Port)
		}
	}
	w.how = "its lists have its own alone"
	return nil
}

func seesSockets(w *world) error {
	for _, name := range []string{"/proc/self/net/unix", "/proc/1/net/unix"} {
		if text, _ := os.ReadFile(name); bytes.Contains(text, []byte(w.Host.Abstract)) {
			return fmt.Errorf("%s shows sockets of the machine", name)
		}
	}
	w.how = "its lists have its own alone"
	return nil
}

// takesPort binds beside who is there, with all that allows it.
func takesPort(address string, port int) func(*world) error {
	return func(w *world) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return w.stopped(err, "")
		}
		defer unix.Close(fd)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(address).As4(), Port: port})
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		return w.stopped(err, "can listen on %s", address+":"+strconv.Itoa(port))
	}
}

// ownTmp reads all that is in its own temporary directory.
func ownTmp(w *world) error {
	names, err := os.ReadDir("/tmp")
	if err != nil {
		return w.stopped(err, "")
	}
	for _, n := range names {
		st, err := n.Info()
		if err != nil || !st.Mode().IsRegular() || st.Size() > 1<<20 {
			continue
		}
		if text, _ := os.ReadFile("/tmp/" + n.Name()); bytes.Contains(text, []byte(w.Secret)) {
			return errors.New("finds the secret in /tmp/" + n.Name())
		}
	}
	w.how = "only its own files are there"
	return nil
}
