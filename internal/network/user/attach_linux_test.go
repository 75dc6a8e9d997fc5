package user_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

func TestAttachSaysWhatIsWrong(t *testing.T) {
	e := &user.Engine{Decide: drop}
	v4 := netip.MustParseAddr("10.0.0.4")
	for _, c := range []struct {
		name string
		addr netip.Addr
		want string
	}{{"no device", v4, "no TUN device"}, {"IPv6", netip.IPv6LinkLocalAllNodes(), "IPv4"}, {"no address", netip.Addr{}, "IPv4"}} {
		_, err := e.Attach(t.Context(), &network.Port{ID: "i-1", Address: c.addr}, network.Namespace{})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %v, want it invalid and %q", c.name, err, c.want)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := e.Attach(t.Context(), &network.Port{ID: "i-1", Address: v4}, network.Namespace{TUN: os.Stdin})
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: got %v, want it unavailable", err)
	}
}

// Whatever a flow is doing, detach ends it and leaves neither a goroutine nor a
// descriptor.
func TestDetachLeavesNothing(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	held := make(chan struct{}, 8)
	busy := serve(t, func(c *net.TCPConn) {
		held <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	})
	silent := silentAddress(t)
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	e := &user.Engine{
		Decide: func(_ *network.Port, p network.Protocol, to netip.AddrPort) network.Verdict {
			switch {
			case to.Port() == 53:
				return network.Verdict{Action: network.Resolve}
			case p == network.UDP:
				return network.Verdict{Action: network.Dial, To: l.LocalAddr().(*net.UDPAddr).AddrPort()}
			case to.Port() == 81:
				return network.Verdict{Action: network.Dial, To: silent}
			}
			return network.Verdict{Action: network.Dial, To: busy}
		},
		Answer: func(context.Context, *network.Port, []byte) []byte { return []byte("a") },
	}
	f := attach(t, e) // warms up what lasts: the poller, gVisor's pools
	if err := f.detach(); err != nil {
		t.Fatal(err)
	}
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	if f.detach, err = e.Attach(t.Context(), f.port, network.Namespace{TUN: f.tun}); err != nil {
		t.Fatal(err)
	}
	open, err := f.dial("tcp", "10.9.0.10:80")
	if err != nil {
		t.Fatal(err)
	}
	<-held
	f.send(tcpSYN(netip.MustParseAddr("10.0.1.10"), "10.9.0.10:80")) // the handshake's last step never comes
	<-held
	f.send(tcpSYN(f.port.Address, "10.9.0.10:81")) // being dialled
	for _, at := range []string{"10.9.0.10:5000", "10.0.0.2:53"} {
		u, err := f.dial("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = u.Write([]byte("x"))
	}
	if _, _, err := l.ReadFrom(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if err := f.detach(); err != nil {
		t.Errorf("detach: %v", err)
	}
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an open flow: got %v, want ECONNRESET", err)
	}
	if err := f.detach(); err != nil {
		t.Errorf("second detach: %v", err)
	}
	_ = open.Close()
	settle(t, "goroutines", runtime.NumGoroutine, goroutines)
	settle(t, "descriptors", func() int { return descriptors(t) }, fds+2) // the UDP sockets of this test
	if _, err := f.tun.Stat(); err != nil {
		t.Errorf("the caller's TUN: %v", err)
	}
}

// settle waits until a count has come down to want.
func settle(t *testing.T, what string, count func() int, want int) {
	t.Helper()
	for end := time.Now().Add(patience); count() > want; runtime.Gosched() {
		if time.Now().After(end) {
			b := make([]byte, 1<<20)
			t.Errorf("%s: got %d, want %d at most\n%s", what, count(), want, b[:runtime.Stack(b, true)])
			return
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(d)
}

// silentAddress listens but accepts nothing, with its backlog full, so that
// further connections wait.
func silentAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*unix.SockaddrInet4).Port))
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return at
}
