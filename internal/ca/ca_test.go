package ca_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/ca"
)

// mirror seals by turning bytes around, and remembers for what.
type mirror struct{ wrong bool }

func (m mirror) Seal(plaintext, context []byte) ([]byte, error) {
	return append(append([]byte{}, context...), turned(plaintext)...), nil
}

func (m mirror) Open(sealed, context []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, context)
	if !ok || m.wrong {
		return nil, errors.New("sealed under another key")
	}
	return turned(rest), nil
}

func turned(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return out
}

func TestClientsThatTrustTheAuthorityTrustItsNames(t *testing.T) {
	dir := t.TempDir()
	first, err := ca.Open(dir, mirror{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := ca.Open(dir, mirror{})
	if err != nil || !bytes.Equal(first.PEM(), again.PEM()) {
		t.Fatalf("after a restart it is another: %v", err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	srv.TLS = &tls.Config{GetCertificate: again.GetCertificate(func(name string) bool { return strings.HasSuffix(name, ".localhost") || name == "example.com" })}
	srv.Config.ErrorLog = log.New(t.Output(), "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(first.PEM()) {
		t.Fatal("the certificate is none")
	}
	get := func(name string, trust *x509.CertPool) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust, ServerName: name}}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(srv.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for _, name := range []string{"a.localhost", "b.LOCALHOST"} {
		if err := get(name, pool); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := get("a.localhost", x509.NewCertPool()); err == nil {
		t.Error("somebody who does not trust the authority was convinced")
	}
	if err := get("example.com", pool); err == nil || !strings.Contains(err.Error(), "not permitted") {
		t.Errorf("a name that is none of ours: got %v", err)
	}
	if err := get("bank.test", pool); err == nil {
		t.Error("a name that is not allowed got a certificate")
	}
}

func TestTheKeyIsSealed(t *testing.T) {
	dir := t.TempDir()
	if _, err := ca.Open(dir, mirror{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ca", "key.sealed")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.ParseECPrivateKey(content); err == nil || bytes.Contains(content, []byte("PRIVATE KEY")) {
		t.Error("the key is there for everybody to read")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := ca.Open(dir, mirror{wrong: true}); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another root key: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca", "ca.pem"), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Open(dir, mirror{}); err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("with a broken certificate: got %v", err)
	}
}

// TestCertificatesAreRenewed a week before they end, and shared until then.
func TestCertificatesAreRenewed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a, err := ca.Open(dir, mirror{})
		if err != nil {
			t.Fatal(err)
		}
		first, err := a.Certificate("a.localhost")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(22 * 24 * time.Hour)
		if same, err := a.Certificate("a.localhost"); err != nil || same != first {
			t.Errorf("three weeks later it is another: %v", err)
		}
		time.Sleep(2 * 24 * time.Hour)
		next, err := a.Certificate("a.localhost")
		if err != nil || next == first || !next.Leaf.NotAfter.After(first.Leaf.NotAfter) {
			t.Errorf("a week before its end it is the same: %v", err)
		}
	})
}
