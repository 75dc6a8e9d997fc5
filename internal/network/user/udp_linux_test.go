package user_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
	"github.com/dropstack/dropstack/internal/network/user"
)

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
