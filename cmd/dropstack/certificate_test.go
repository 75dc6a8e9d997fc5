package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/testkit/pebble"
)

// TestHTTPS obtains, serves, renews and keeps certificates of a real authority, by
// the program as operators run it.
func TestHTTPS(t *testing.T) {
	authority := pebble.Start(t)
	dir := testkit.Dir(t)
	flags := []string{
		"--services", "none", "--acme", "on", "--acme-email", "you@example.com",
		"--acme-directory", authority.Directory, "--acme-ca-root", authority.RootFile,
	}
	p := testkit.Start(t, dir, flags...)
	authority.Lead(hostPort(t, p.HTTP), hostPort(t, p.HTTPS))
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Proto"))
	}))
	t.Cleanup(origin.Close)
	service := t.TempDir()
	doc := fmt.Sprintf(shopFront, origin.Listener.Addr().(*net.TCPAddr).Port)
	if err := os.WriteFile(filepath.Join(service, "serverless.yml"), []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, p, "deploy", service)

	first := shown(t, p, "shop.example.com", authority.Issued)
	if got := authority.Orders(); got != 1 {
		t.Errorf("got %d orders for the first client, want 1", got)
	}
	for _, name := range []string{"other.example.com", "a.example.org"} {
		if conn, err := tls.Dial("tcp", hostPort(t, p.HTTPS), &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil {
			_ = conn.Close()
			t.Errorf("%s: a name that nothing allows got a certificate", name)
		}
	}
	if got := authority.Orders(); got != 1 {
		t.Errorf("got %d orders, want none for names that nothing allows", got)
	}
	own := x509.NewCertPool()
	root, err := os.ReadFile(filepath.Join(dir, "ca", "ca.pem"))
	if err != nil || !own.AppendCertsFromPEM(root) {
		t.Fatalf("the installation's own authority: %v", err)
	}
	shown(t, p, "shop.localhost", own)
	misdirected := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own, ServerName: "x.localhost"}}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.HTTPS, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.example.com"
	if resp, err := misdirected.Do(req); err != nil || resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a host that the connection was not opened for: got %v, %v", resp, err)
	}
	misdirected.CloseIdleConnections()
	if req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, p.HTTP+"/a?b=c", nil); err != nil {
		t.Fatal(err)
	}
	req.Host = "shop.localhost"
	resp, err := visitor.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	_, port, _ := net.SplitHostPort(hostPort(t, p.HTTPS))
	if got, want := resp.Header.Get("Location"), "https://shop.localhost:"+port+"/a?b=c"; got != want {
		t.Errorf("by HTTP: led to %q, want %q", got, want)
	}
	must(t, p, "edge", "certificate", "renew", "shop.example.com")
	second := shown(t, p, "shop.example.com", authority.Issued)
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("the certificate was not renewed")
	}

	out := must(t, p, "doctor")
	for _, words := range []string{"acme", "alias *.example.org has none", "DNS-01", "shop.example.com, acme, until", "HTTPS: " + p.HTTPS} {
		if !strings.Contains(out, words) {
			t.Errorf("doctor does not say %q:\n%s", words, out)
		}
	}

	cert, key := wildcard(t, "*.example.org")
	out = must(t, p, "edge", "certificate", "import", "--certificate", cert, "--key", key, "--json")
	var imported certificate.Info
	if err := json.Unmarshal([]byte(out), &imported); err != nil || !strings.HasPrefix(imported.ARN, "arn:aws:acm:") {
		t.Fatalf("got %s, %v", out, err)
	}
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(cert); err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	shown(t, p, "a.example.org", pool)
	if trail := must(t, p, "audit", "list"); strings.Contains(trail, "PRIVATE") {
		t.Error("the audit log has a key")
	}

	if code := p.Stop(t); code != exitDone {
		t.Errorf("exit code %d\n%s", code, p.Log())
	}
	authority.Down(true)
	p = testkit.Start(t, dir, flags...)
	if again := shown(t, p, "shop.example.com", authority.Issued); again.SerialNumber.Cmp(second.SerialNumber) != 0 {
		t.Error("after a restart it is another")
	}
	shown(t, p, "a.example.org", pool)
	if got := authority.Orders(); got != 2 {
		t.Errorf("got %d orders, want the first and the renewal", got)
	}
	must(t, p, "edge", "certificate", "remove", imported.ARN)
	if out := must(t, p, "edge", "certificate", "list"); strings.Contains(out, "example.org") || !strings.Contains(out, "shop.example.com") {
		t.Errorf("got %s", out)
	}
}

// shopFront is a distribution in front of a web server on a port.
const shopFront = `service: shop
provider: {name: aws, runtime: provided.al2023}
custom:
  dropstack:
    distributions:
      - name: web
        aliases: [shop.example.com, "*.example.org", shop.localhost]
        origins: [{id: web, url: "http://127.0.0.1:%d"}]
        behaviours: [{path: "*", origin: web, viewer: redirect-to-https, forward: all}]
        certificate: {id: "arn:aws:acm:us-east-1:123456789012:certificate/of-another-account", minimum: TLSv1.2_2021}
`

// must runs a command that is to succeed, and returns what it prints.
func must(t *testing.T, p *testkit.Platform, args ...string) string {
	t.Helper()
	out, errs, code := p.Run(t, "", args...)
	if code != exitDone {
		t.Fatalf("dropstack %s: exit code %d\n%s%s\n%s", strings.Join(args, " "), code, out, errs, p.Log())
	}
	return out
}

func hostPort(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// shown asks a name by HTTPS, as a client who trusts an authority, and returns the
// certificate that was shown. What answers learns that the client came by HTTPS.
func shown(t *testing.T, p *testkit.Platform, name string, trust *x509.CertPool) *x509.Certificate {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: trust},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, hostPort(t, p.HTTPS))
		},
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + name + "/")
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, p.Log())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != "https" || resp.ProtoMajor != 2 {
		t.Fatalf("%s: got %s by %s: %q, %v", name, resp.Status, resp.Proto, body, err)
	}
	return resp.TLS.PeerCertificates[0]
}

// wildcard writes a certificate and its key into files.
func wildcard(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
