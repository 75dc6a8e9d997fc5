package certificate_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/testkit/pebble"
)

// TestCertificatesAreObtained at the first handshake, by either way to show that a
// name leads here, once for all who wait for it.
func TestCertificatesAreObtained(t *testing.T) {
	a := pebble.Start(t)
	streams := streamsOf(t)
	for _, challenge := range []string{certificate.HTTP01, certificate.TLSALPN01} {
		name := challenge + ".example.com"
		w := open(t, streams, sites{name: {}}, by(a, challenge))
		a.Lead(w.HTTP.Listener.Addr().String(), w.address())
		before := a.Orders()
		var clients sync.WaitGroup
		for range 5 {
			clients.Go(func() {
				cert, err := w.shake(name, func(c *tls.Config) { c.InsecureSkipVerify, c.RootCAs = false, a.Issued })
				if err != nil || cert.VerifyHostname(name) != nil {
					t.Errorf("%s: %v", challenge, err)
				}
			})
		}
		clients.Wait()
		if got := a.Orders() - before; got != 1 {
			t.Errorf("%s: got %d orders for five clients, want 1", challenge, got)
		}
		w.stop()
	}
}

// TestOthersAreRefused in the handshake, and the authority never hears of them.
func TestOthersAreRefused(t *testing.T) {
	a := pebble.Start(t)
	asked := make(chan string, 10)
	w := open(t, streamsOf(t), sites{"shop.example.com": {}, "*.wild.example.com": {}}, func(k *certificate.Keeper) {
		by(a, "")(k)
		k.Ask = func(_ context.Context, name string) (bool, error) {
			asked <- name
			return name == "yes.wild.example.com", nil
		}
	})
	a.Lead(w.HTTP.Listener.Addr().String(), w.address())
	for _, name := range []string{"other.example.com", "www.shop.example.com", "no.wild.example.com", "wild.example.com", "a.b.wild.example.com", "_x.wild.example.com"} {
		if _, err := w.shake(name); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: got %v, want that the name is not known", name, err)
		}
	}
	if got := a.Orders(); got != 0 {
		t.Errorf("got %d orders for names that nothing allows", got)
	}
	if _, err := w.shake("yes.wild.example.com"); err != nil {
		t.Errorf("a host below a wildcard that is allowed: %v", err)
	}
	if _, err := w.shake("no.wild.example.com"); err == nil {
		t.Error("the second time no is yes")
	}
	close(asked)
	var names []string
	for name := range asked {
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "no.wild.example.com yes.wild.example.com yes.wild.example.com" && got != "no.wild.example.com yes.wild.example.com" {
		t.Errorf("asked for %s", got)
	}
	if got := a.Orders(); got != 1 {
		t.Errorf("got %d orders, want that of the host that is allowed", got)
	}
}

// TestStoredCertificatesAreServed after a restart without an order, also while the
// authority cannot be reached, and renewed in time while connections go on.
func TestStoredCertificatesAreServed(t *testing.T) {
	a := pebble.Start(t)
	streams := streamsOf(t)
	s := sites{"shop.example.com": {}, "new.example.com": {}}
	w := open(t, streams, s, by(a, ""))
	a.Lead(w.HTTP.Listener.Addr().String(), w.address())
	first, err := w.shake("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	w.stop()

	a.Down(true)
	w = open(t, streams, s, by(a, ""))
	a.Lead(w.HTTP.Listener.Addr().String(), w.address())
	again, err := w.shake("shop.example.com")
	if err != nil || again.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Fatalf("while the authority is away: %v", err)
	}
	for range 3 { // an order, and two that come too early for another
		if _, err := w.shake("new.example.com"); err == nil {
			t.Fatal("a certificate came from nowhere")
		}
	}
	if got := w.log.count("no certificate could be got"); got != 1 {
		t.Errorf("a failure is told %d times, want once", got)
	}
	status, err := w.Status(t.Context())
	if err != nil || len(status.Failures) != 1 || status.Failures[0].Host != "new.example.com" || status.Failures[0].Tries != 1 || status.Failures[0].Advice == "" {
		t.Errorf("got failures %+v, %v", status.Failures, err)
	}
	if got := a.Orders(); got != 1 {
		t.Errorf("got %d orders, want the first alone", got)
	}
	w.stop()

	a.Down(false)
	w = open(t, streams, s, func(k *certificate.Keeper) {
		by(a, "")(k)
		k.Soon(50*time.Millisecond, 1) // every certificate is due
	})
	a.Lead(w.HTTP.Listener.Addr().String(), w.address())
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{ServerName: "shop.example.com", RootCAs: a.Issued}}}
	defer client.CloseIdleConnections()
	get := func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example.com"
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
			t.Fatalf("got %s by %s", resp.Status, resp.Proto)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		get()
		now, err := w.shake("shop.example.com", func(c *tls.Config) { c.InsecureSkipVerify, c.RootCAs = false, a.Issued })
		if err != nil {
			t.Fatal(err)
		}
		if now.SerialNumber.Cmp(first.SerialNumber) != 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the certificate was not renewed")
		}
	}
	get()
}

// TestRenewedByCommand gets a new certificate though the old one is good.
func TestRenewedByCommand(t *testing.T) {
	a := pebble.Start(t)
	s := sites{"shop.example.com": {}}
	w := open(t, streamsOf(t), s, by(a, certificate.HTTP01))
	a.Lead(w.HTTP.Listener.Addr().String(), w.address())
	first, err := w.shake("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Renew(t.Context(), "shop.example.com"); err != nil {
		t.Fatal(err)
	}
	next, err := w.shake("shop.example.com")
	if err != nil || next.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Errorf("the certificate is the same: %v", err)
	}
	if err := w.Renew(t.Context(), "other.example.com"); err == nil || !strings.Contains(err.Error(), "no alias") {
		t.Errorf("of a name that nothing allows: got %v", err)
	}
	a.Lead("127.0.0.1:1", "127.0.0.1:1") // the name leads elsewhere now
	if err := w.Renew(t.Context(), "shop.example.com"); err == nil || !strings.Contains(err.Error(), "shop.example.com") {
		t.Errorf("when the name cannot be validated: got %v", err)
	}
	status, err := w.Status(t.Context())
	if err != nil || len(status.Failures) != 1 || !strings.Contains(status.Failures[0].Advice, "port 80") {
		t.Errorf("got %+v, %v", status.Failures, err)
	}
	if now, err := w.shake("shop.example.com"); err != nil || now.SerialNumber.Cmp(next.SerialNumber) != 0 {
		t.Errorf("the certificate that there was is gone: %v", err)
	}
}
