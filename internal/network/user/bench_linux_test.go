package user_test

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

// What the engine costs: the same exchanges over loopback and from a function
// through the engine, in one run.
func BenchmarkTCP(b *testing.B) {
	if !networktest.Isolate(b) {
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				kind := make([]byte, 1)
				if _, err := io.ReadFull(c, kind); err != nil {
					return
				}
				switch kind[0] {
				case 'e': // echo
					_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				case 's': // sink, then the answer that all has arrived
					_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
					_, _ = c.Write(kind)
				}
			}()
		}
	}()
	at := l.Addr().(*net.TCPAddr).AddrPort()
	ns := networktest.New(b, "function")
	port := &network.Port{ID: "i-1", Address: netip.MustParseAddr("10.0.1.10")}
	e := &user.Engine{Decide: to(at)}
	defer e.Close()
	if _, err := e.Attach(b.Context(), port, network.Namespace{TUN: ns.TUN(b, port.Address, network.MTU)}); err != nil {
		b.Fatal(err)
	}
	here := func() (net.Conn, error) { return net.Dial("tcp4", at.String()) }
	through := func() (c net.Conn, err error) {
		err = ns.Do(func() error { c, err = net.Dial("tcp4", "10.9.0.10:6379"); return err })
		return c, err
	}
	for _, way := range []struct {
		name string
		dial func() (net.Conn, error)
	}{{"loopback", here}, {"engine", through}} {
		b.Run("connect/"+way.name, func(b *testing.B) { connects(b, way.dial) })
		b.Run("roundtrip/"+way.name, func(b *testing.B) { roundTrips(b, way.dial) })
		b.Run("throughput/"+way.name, func(b *testing.B) { throughput(b, way.dial) })
	}
}

func connects(b *testing.B, dial func() (net.Conn, error)) {
	for b.Loop() {
		c, err := dial()
		if err != nil {
			b.Fatal(err)
		}
		_ = c.(*net.TCPConn).SetLinger(0) // no port waits for its reuse
		_ = c.Close()
	}
}

func roundTrips(b *testing.B, dial func() (net.Conn, error)) {
	c, err := dial()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("e"))
	p := make([]byte, 64)
	for b.Loop() {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, p); err != nil {
			b.Fatal(err)
		}
	}
}

func throughput(b *testing.B, dial func() (net.Conn, error)) {
	c, err := dial()
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write([]byte("s"))
	p := make([]byte, 256<<10)
	b.SetBytes(int64(len(p)))
	b.ResetTimer()
	for range b.N {
		if _, err := c.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if _, err := io.ReadFull(c, p[:1]); err != nil {
		b.Fatal(err)
	}
}
