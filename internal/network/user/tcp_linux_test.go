package user_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

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

// TestTooManyFlowsOfAll: what one function holds another lacks, until it ends.
func TestTooManyFlowsOfAll(t *testing.T) {
	if !networktest.Isolate(t) {
		return
	}
	e := &user.Engine{Decide: to(serve(t, echo)), MaxAll: 2}
	one := attach(t, e)
	for i := range 2 {
		if _, err := one.dial("tcp", "10.9.0.10:6379"); err != nil {
			t.Fatalf("flow %d: %v", i+1, err)
		}
	}
	two := attach(t, e)
	two.send(tcpSYN(two.port.Address, "10.9.0.10:6379"))
	if r := two.record(network.TCP); r.Accepted || r.Reason != "too many flows of all functions" {
		t.Errorf("the third flow: got %+v", r)
	}
	if err := one.detach(); err != nil {
		t.Fatal(err)
	}
	if _, err := two.dial("tcp", "10.9.0.10:6379"); err != nil {
		t.Errorf("after the others have ended: %v", err)
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
