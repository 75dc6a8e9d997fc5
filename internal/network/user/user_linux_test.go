package user_test

import (
	"bytes"
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

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

// patience bounds what only a broken engine waits for.
const patience = 60 * time.Second

// function is a function's namespace joined to an engine whose host is this
// process's own, fresh namespace.
type function struct {
	*networktest.Namespace
	t       *testing.T
	tun     *os.File
	port    *network.Port
	detach  func() error
	records chan network.FlowRecord
}

// attach joins a function; the engine's Record is the function's.
func attach(t *testing.T, e *user.Engine) *function {
	t.Helper()
	f := &function{Namespace: networktest.New(t, "function"), t: t, records: make(chan network.FlowRecord, 4096)}
	f.port = &network.Port{ID: "i-1", Function: "orders", VPC: "vpc-a", Address: netip.MustParseAddr("10.0.1.10")}
	f.tun = f.TUN(t, f.port.Address, network.MTU)
	e.Record = func(r network.FlowRecord) { f.records <- r }
	var err error
	if f.detach, err = e.Attach(t.Context(), f.port, network.Namespace{TUN: f.tun}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.detach(); err != nil {
			t.Errorf("detach: %v", err)
		}
	})
	return f
}

// dial connects from inside the function.
func (f *function) dial(proto, to string) (net.Conn, error) {
	var c net.Conn
	err := f.Do(func() (err error) {
		c, err = (&net.Dialer{Timeout: patience}).DialContext(f.t.Context(), proto, to)
		return err
	})
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
		f.t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

// record waits for a record of the protocol.
func (f *function) record(p network.Protocol) network.FlowRecord {
	f.t.Helper()
	late := time.After(patience)
	for {
		select {
		case r := <-f.records:
			if r.Protocol == p {
				return r
			}
		case <-late:
			f.t.Fatalf("no record of a %s flow", p)
		}
	}
}

// serve accepts TCP connections on this process's loopback.
func serve(t *testing.T, each func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go each(c.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.Close()
}

// to decides that everything goes to one address.
func to(addr netip.AddrPort) func(*network.Port, network.Protocol, netip.AddrPort) network.Verdict {
	return func(*network.Port, network.Protocol, netip.AddrPort) network.Verdict {
		return network.Verdict{Action: network.Dial, To: addr, Reason: "security group"}
	}
}

func drop(*network.Port, network.Protocol, netip.AddrPort) network.Verdict {
	return network.Verdict{Action: network.Drop, Reason: "security group"}
}

func TestFlowIsCarriedAndRecorded(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{Decide: to(serve(t, echo))})
	c, err := f.dial("tcp", "10.9.0.10:6379")
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than all buffers on the way
	go func() {
		_, _ = c.Write(want)
		_ = c.(*net.TCPConn).CloseWrite() // half: the echo is still to come
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("echo of %d bytes: got %d", len(want), len(got))
	}
	r := f.record(network.TCP)
	if !r.Accepted || r.Sent != int64(len(want)) || r.Received != int64(len(want)) || r.Duration <= 0 {
		t.Errorf("record: got %+v, want an accepted flow of %d bytes each way", r, len(want))
	}
	if got, want := fmt.Sprintln(r.Function, r.Port, r.VPC, r.Source.Addr(), r.Destination, r.Reason), fmt.Sprintln("orders", "i-1", "vpc-a", "10.0.1.10", "10.9.0.10:6379", "security group"); got != want {
		t.Errorf("record: got %s, want %s", got, want)
	}
}

// The outside may end its direction first, too.
func TestOutsideClosesFirst(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	said := make(chan string, 1)
	f := attach(t, &user.Engine{Decide: to(serve(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		said <- string(b)
		_ = c.Close()
	}))})
	c, err := f.dial("tcp", "10.9.0.10:6379")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "bye" || err != nil {
		t.Fatalf("read: got %q, %v", b, err)
	}
	if _, err := io.WriteString(c, "thanks"); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if got := <-said; got != "thanks" {
		t.Errorf("after closing its direction, the outside got %q, want thanks", got)
	}
}

func TestResetsPass(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	outside := make(chan error, 1)
	f := attach(t, &user.Engine{Decide: to(serve(t, func(c *net.TCPConn) {
		var b [1]byte
		_, err := io.ReadFull(c, b[:])
		if b[0] == 'r' {
			_ = c.SetLinger(0)
			_ = c.Close()
			return
		}
		if err == nil { // a reset may overtake the byte, and is reported once
			_, err = c.Read(b[:])
		}
		outside <- err
		_ = c.Close()
	}))})
	c, err := f.dial("tcp", "10.9.0.10:6379")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte("r"))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the outside resets: function got %v, want ECONNRESET", err)
	}
	if c, err = f.dial("tcp", "10.9.0.10:6379"); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte("x"))
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	if err := <-outside; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the function resets: outside got %v, want ECONNRESET", err)
	}
}

func TestRefusalArrivesAsRefusal(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{Decide: to(netip.MustParseAddrPort("127.0.0.1:1"))})
	if _, err := f.dial("tcp", "10.9.0.10:6379"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: got %v, want ECONNREFUSED", err)
	}
	if r := f.record(network.TCP); !r.Accepted || r.Reason != "unreachable" {
		t.Errorf("record: got %+v, want an accepted one that is unreachable", r)
	}
}

func TestServicesOfThePlatform(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	at := serve(t, echo)
	f := attach(t, &user.Engine{
		Decide: func(_ *network.Port, _ network.Protocol, to netip.AddrPort) network.Verdict {
			return network.Verdict{Action: network.Serve, Service: map[uint16]string{443: "ssm", 444: "none", 445: "ssm"}[to.Port()]}
		},
		Service: func(name string, port uint16) (netip.AddrPort, bool) { return at, name == "ssm" && port == 443 },
	})
	c, err := f.dial("tcp", "10.0.1.50:443")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Write([]byte("ping"))
	b := make([]byte, 4)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "ping" {
		t.Errorf("service: got %q, %v", b, err)
	}
	for _, to := range []string{"10.0.1.50:444", "10.0.1.50:445"} {
		f.send(tcpSYN(f.port.Address, to))
		if r := f.record(network.TCP); r.Accepted || r.Reason != "no such service" {
			t.Errorf("%s: got %+v", to, r)
		}
	}
}

func TestTooManyFlows(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{Decide: to(serve(t, echo)), MaxFlows: 3})
	for i := range 3 {
		if _, err := f.dial("tcp", "10.9.0.10:6379"); err != nil {
			t.Fatalf("flow %d: %v", i+1, err)
		}
	}
	f.send(tcpSYN(f.port.Address, "10.9.0.10:6379"))
	if r := f.record(network.TCP); r.Accepted || r.Reason != "too many flows" {
		t.Errorf("fourth flow: got %+v", r)
	}
	u, err := f.dial("udp", "10.9.0.10:6379")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = u.Write([]byte("x"))
	if r := f.record(network.UDP); r.Accepted || r.Reason != "too many flows" {
		t.Errorf("over UDP: got %+v", r)
	}
}

func TestDatagrams(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := l.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = l.WriteTo(b[:n], from)
		}
	}()
	f := attach(t, &user.Engine{Decide: to(l.LocalAddr().(*net.UDPAddr).AddrPort())})
	c, err := f.dial("udp", "10.9.0.10:8125")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 1400, 60000} {
		want := bytes.Repeat([]byte{'u'}, size)
		if _, err := c.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1<<16)
		n, err := c.Read(got)
		if err != nil || !bytes.Equal(got[:n], want) {
			t.Fatalf("echo of %d bytes: got %d, %v", size, n, err)
		}
	}
	if err := f.detach(); err != nil {
		t.Fatal(err)
	}
	if r := f.record(network.UDP); !r.Accepted || r.Sent != 61401 || r.Received != 61401 {
		t.Errorf("record: got %+v, want 61401 bytes each way", r)
	}
}

func TestQueries(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	f := attach(t, &user.Engine{
		Decide: func(*network.Port, network.Protocol, netip.AddrPort) network.Verdict {
			return network.Verdict{Action: network.Resolve}
		},
		Answer: func(_ context.Context, port *network.Port, query []byte) []byte {
			var q dns.Msg
			if q.Unpack(query) != nil {
				return nil
			}
			a := new(dns.Msg).SetReply(&q)
			for range 40 { // about 1,500 bytes
				a.Answer = append(a.Answer, &dns.TXT{
					Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
					Txt: []string{port.ID + strings.Repeat("x", 20)},
				})
			}
			b, _ := a.Pack()
			return b
		},
	})
	for _, c := range []struct {
		name, net string
		edns      uint16
		truncated bool
	}{{"UDP", "udp", 0, true}, {"UDP with room", "udp", 4096, false}, {"TCP", "tcp", 0, false}} {
		q := new(dns.Msg).SetQuestion("db.internal.example.", dns.TypeTXT)
		if c.edns > 0 {
			q.SetEdns0(c.edns, false)
		}
		err := f.Do(func() error {
			client := &dns.Client{Net: c.net, Timeout: patience}
			a, _, err := client.Exchange(q, "10.0.0.2:53")
			if err == nil && (a.Truncated != c.truncated || (len(a.Answer) == 40) == c.truncated) {
				err = fmt.Errorf("got %d records, truncated: %v", len(a.Answer), a.Truncated)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := f.detach(); err != nil {
		t.Fatal(err)
	}
	if r := f.record(network.UDP); !r.Accepted || r.Sent == 0 || r.Received == 0 {
		t.Errorf("record: got %+v", r)
	}
}

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
