package user_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

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
