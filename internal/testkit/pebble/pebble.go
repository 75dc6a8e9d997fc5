// Package pebble gives tests an ACME authority: Let's Encrypt's own test server, in
// the process, which really validates every name.
//
// All names lead to this machine. The ports that the authority validates at are its
// own and lead on to listeners that are named later, so that what is tested may
// choose its ports and start again on others.
package pebble

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// Authority is a running ACME server.
type Authority struct {
	Directory string         // URL
	RootFile  string         // what vouches for its own server, as PEM
	Roots     *x509.CertPool // likewise
	Issued    *x509.CertPool // vouches for the certificates that it gives

	down      atomic.Bool
	orders    atomic.Int64
	http, tls *door
}

// Start starts an authority, which ends with the test. Its certificates are valid for
// 90 days.
func Start(t testing.TB) *Authority {
	t.Helper()
	for name, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0",
	} {
		before, had := os.LookupEnv(name)
		if err := os.Setenv(name, value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if had {
				_ = os.Setenv(name, before)
				return
			}
			_ = os.Unsetenv(name)
		})
	}
	a := &Authority{http: openDoor(t), tls: openDoor(t), Roots: x509.NewCertPool(), Issued: x509.NewCertPool()}
	quiet := log.New(io.Discard, "", 0)
	if testing.Verbose() {
		quiet = log.New(t.Output(), "", 0)
	}
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "90 days", ValidityPeriod: 90 * 24 * 3600}})
	front := wfe.New(quiet, store, va.New(quiet, a.http.port(), a.tls.port(), false, names(t), store), issuer, []string{"pebble.test"}, false, false, 0, 0)
	a.Issued.AddCert(issuer.GetRootCert(0).Cert)
	inner := front.Handler()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if strings.HasPrefix(r.URL.Path, "/order-plz") {
			a.orders.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	srv.Config.ErrorLog = quiet
	srv.StartTLS()
	t.Cleanup(srv.Close)
	a.Directory = srv.URL + wfe.DirectoryPath
	a.Roots.AddCert(srv.Certificate())
	a.RootFile = filepath.Join(t.TempDir(), "root.pem")
	doc := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(a.RootFile, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Lead has the ports at which names are validated lead to these addresses.
func (a *Authority) Lead(http, tls string) {
	a.http.to.Store(&http)
	a.tls.to.Store(&tls)
}

// Orders is how many orders were asked for.
func (a *Authority) Orders() int { return int(a.orders.Load()) }

// Down has the authority cut connections off, or answer again.
func (a *Authority) Down(down bool) { a.down.Store(down) }

// door is a port that leads on to another.
type door struct {
	l  net.Listener
	to atomic.Pointer[string]
}

func openDoor(t testing.TB) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{l: l}
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			work.Go(func() { d.join(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	return d
}

func (d *door) port() int { return d.l.Addr().(*net.TCPAddr).Port }

func (d *door) join(in net.Conn) {
	defer in.Close()
	to := d.to.Load()
	if to == nil {
		return
	}
	out, err := net.Dial("tcp", *to)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(in, out)
	_ = in.Close()
	<-done
}

// names starts a name server that gives this machine for every name, and returns its
// address.
func names(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	srv := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			answer.Answer = append(answer.Answer, &dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1),
			})
		}
		_ = w.WriteMsg(answer)
	})}
	done := make(chan error, 1)
	go func() { done <- srv.ActivateAndServe() }()
	<-ready
	t.Cleanup(func() {
		_ = srv.Shutdown()
		<-done
	})
	return l.Addr().String()
}
