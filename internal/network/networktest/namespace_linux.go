package networktest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const isolated = "NETWORKTEST_ISOLATED"

// Isolate runs the calling test or benchmark again in a process with network and
// mount namespaces of its own, whose output goes to this one's log, and returns
// false; in that process it returns true. So a test begins
//
//	if !networktest.Isolate(t) {
//		return
//	}
//
// It skips where it can't make namespaces and TUN devices.
func Isolate(t testing.TB) bool {
	t.Helper()
	if os.Getenv(isolated) == t.Name() {
		if err := setUp(&netlink.Handle{}, "lo"); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("not run: it takes root, for network namespaces and /dev/net/tun")
	}
	if f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0); err != nil {
		t.Skipf("not run: no TUN devices: %v", err)
	} else {
		_ = f.Close()
	}
	rerun(t)
	return false
}

func rerun(t testing.TB) {
	t.Helper()
	var names []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		names = append(names, "^"+regexp.QuoteMeta(part)+"$")
	}
	name := strings.Join(names, "/")
	args := []string{"-test.v", "-test.count=1", "-test.run=" + name}
	if _, ok := t.(*testing.B); ok {
		args = []string{"-test.run=^$", "-test.bench=" + name, "-test.benchtime=" + benchtime()}
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), isolated+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	runtime.LockOSThread() // Pdeathsig is of the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skipf("not run: no network namespaces: %v", err)
		}
		t.Fatal(err)
	}
	skipped, why := false, ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		skipped = skipped || strings.HasPrefix(lines.Text(), "--- SKIP: "+t.Name())
		if _, text, ok := strings.Cut(lines.Text(), "not run: "); ok {
			why = text
		}
		t.Log(lines.Text())
	}
	if err := errors.Join(lines.Err(), cmd.Wait()); err != nil {
		t.Fatalf("in namespaces of its own: %v", err)
	}
	if skipped {
		t.Skipf("not run: %s", why)
	}
}

// Namespace is a network namespace that lasts as long as the test.
type Namespace struct {
	Name string
	File *os.File
	link *netlink.Handle
}

// New makes a network namespace with its loopback device up.
func New(t testing.TB, name string) *Namespace {
	t.Helper()
	n := &Namespace{Name: name}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		n.File = f
		return err
	})
	if err != nil {
		t.Fatalf("network namespace %s: %v", name, err)
	}
	t.Cleanup(func() { _ = n.File.Close() })
	if n.link, err = netlink.NewHandleAt(netns.NsHandle(n.File.Fd())); err != nil {
		t.Fatalf("network namespace %s: %v", name, err)
	}
	t.Cleanup(n.link.Close)
	if err := setUp(n.link, "lo"); err != nil {
		t.Fatalf("network namespace %s: %v", name, err)
	}
	return n
}

// Do runs f on a thread inside the namespace. Sockets that f makes stay in it;
// goroutines that f starts do not.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.File.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter %s: %w", n.Name, err)
		}
		return f()
	})
}

// onThread runs f on a thread that ends with it, because it may have been moved.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// TUN makes a device in the namespace as a sandbox's init does: MTU mtu, address
// its only one, and the default route to it. The file is closed with the test.
func (n *Namespace) TUN(t testing.TB, address netip.Addr, mtu int) *os.File {
	t.Helper()
	var f *os.File
	err := n.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f = os.NewFile(uintptr(fd), "tun")
		req, err := unix.NewIfreq("eth0")
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		return unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	})
	if f != nil {
		t.Cleanup(func() { _ = f.Close() })
	}
	if err != nil {
		t.Fatalf("TUN of %s: %v", n.Name, err)
	}
	link, err := n.link.LinkByName("eth0")
	if err == nil {
		err = errors.Join(
			n.link.LinkSetMTU(link, mtu),
			addAddress(n.link, "eth0", netip.PrefixFrom(address, address.BitLen())),
			n.link.LinkSetUp(link),
		)
	}
	if err == nil {
		err = n.link.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: ipNet(everywhere)})
	}
	if err != nil {
		t.Fatalf("TUN of %s: %v", n.Name, err)
	}
	return f
}

// Join connects the namespace to the one of this process by a pair of devices:
// here, with address host, there eth0 with address own and the default route to
// host.
func (n *Namespace) Join(t testing.TB, device string, host, own netip.Prefix) {
	t.Helper()
	pair := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: device}, PeerName: "eth0",
		PeerNamespace: netlink.NsFd(int(n.File.Fd())),
	}
	here := &netlink.Handle{} // zero: the namespace of this process
	err := here.LinkAdd(pair)
	if err == nil {
		t.Cleanup(func() { _ = here.LinkDel(pair) })
		err = errors.Join(
			addAddress(here, device, host), setUp(here, device),
			addAddress(n.link, "eth0", own), setUp(n.link, "eth0"),
		)
	}
	if err == nil {
		err = n.link.RouteAdd(&netlink.Route{Gw: host.Addr().AsSlice(), Dst: ipNet(everywhere)})
	}
	if err != nil {
		t.Fatalf("join %s: %v", n.Name, err)
	}
}

func setUp(h *netlink.Handle, device string) error {
	link, err := h.LinkByName(device)
	if err == nil {
		err = h.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("set up %s: %w", device, err)
	}
	return nil
}

func addAddress(h *netlink.Handle, device string, a netip.Prefix) error {
	link, err := h.LinkByName(device)
	if err == nil {
		err = h.AddrAdd(link, &netlink.Addr{IPNet: ipNet(a)})
	}
	if err != nil {
		return fmt.Errorf("address %s of %s: %w", a, device, err)
	}
	return nil
}

// addHostAddress gives the loopback device of this process's namespace one more
// address until the test ends.
func addHostAddress(t testing.TB, a netip.Addr) {
	t.Helper()
	h, p := &netlink.Handle{}, netip.PrefixFrom(a, a.BitLen())
	if err := addAddress(h, "lo", p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if lo, err := h.LinkByName("lo"); err == nil {
			_ = h.AddrDel(lo, &netlink.Addr{IPNet: ipNet(p)})
		}
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func benchtime() string { return flag.Lookup("test.benchtime").Value.String() }
