package certificate_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

func write(t *testing.T, dir, name string, chain, key []byte) {
	t.Helper()
	for end, doc := range map[string][]byte{".crt": chain, ".key": key} {
		if err := os.WriteFile(filepath.Join(dir, name+end), doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFilesAreServed, wildcards for one label, and taken up again when they change; a
// change that is broken leaves what was there.
func TestFilesAreServed(t *testing.T) {
	w := open(t, streamsOf(t), sites{}, nil)
	chain, key := pair(t, time.Hour, "shop.example.com")
	write(t, w.Dir, "shop", chain, key)
	wild, wildKey := pair(t, time.Hour, "*.example.com")
	write(t, w.Dir, "wild", wild, wildKey)
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown := func(name string) string {
		t.Helper()
		cert, err := w.shake(name)
		if err != nil {
			return "none"
		}
		return strings.Join(cert.DNSNames, " ")
	}
	for name, want := range map[string]string{
		"shop.example.com": "shop.example.com", "SHOP.example.com": "shop.example.com", "a.example.com": "*.example.com",
		"a.b.example.com": "none", "example.com": "none", "localhost": "localhost", "x-dev.localhost": "x-dev.localhost",
		"d1.cloudfront.localhost": "d1.cloudfront.localhost", "": "", "localhost.example.org": "none",
	} {
		if got := shown(name); got != want {
			t.Errorf("%q: got the certificate of %q, want %q", name, got, want)
		}
	}

	longer, longerKey := pair(t, 2*time.Hour, "shop.example.com", "www.shop.example.com")
	write(t, w.Dir, "shop", longer, key) // half of a change
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := shown("shop.example.com"); got != "shop.example.com" {
		t.Errorf("with half of a change: got %q", got)
	}
	status, err := w.Status(t.Context())
	if err != nil || status.Faults["shop"] == "" || strings.Contains(status.Faults["shop"], string(key)) {
		t.Errorf("got faults %v, %v", status.Faults, err)
	}
	write(t, w.Dir, "shop", longer, longerKey)
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := shown("www.shop.example.com"); got != "shop.example.com www.shop.example.com" {
		t.Errorf("after a change: got %q", got)
	}
	if err := os.Remove(filepath.Join(w.Dir, "shop.crt")); err != nil {
		t.Fatal(err)
	}
	if list, err := w.List(t.Context()); err != nil || len(list) != 1 || list[0].ID != "wild" || list[0].Source != certificate.FromFile {
		t.Errorf("after one was removed: got %+v, %v", list, err)
	}
}

// TestOneThatHasEnded is shown only where there is none that has not.
func TestOneThatHasEnded(t *testing.T) {
	w := open(t, streamsOf(t), sites{"named.example.com": {Certificate: "named"}}, nil)
	for file, name := range map[string]string{"old": "shop.example.com", "named": "named.example.com", "alone": "example.org"} {
		chain, key := pair(t, -time.Minute, name)
		write(t, w.Dir, file, chain, key)
	}
	wild, wildKey := pair(t, time.Hour, "*.example.com")
	write(t, w.Dir, "wild", wild, wildKey)
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"shop.example.com": "*.example.com", "named.example.com": "*.example.com", "example.org": "example.org"} {
		if cert, err := w.shake(name); err != nil || cert.DNSNames[0] != want {
			t.Errorf("%s: got %v, %v, want the certificate of %s", name, cert, err, want)
		}
	}
}

// TestImportedAreSealed, survive a restart, and are chosen by their ARN.
func TestImportedAreSealed(t *testing.T) {
	streams := streamsOf(t)
	s := sites{"shop.example.com": {}, "other.example.com": {}}
	w := open(t, streams, s, nil)
	chain, key := pair(t, time.Hour, "*.example.com")
	first, err := w.Import(t.Context(), certificate.ImportInput{Certificate: string(chain), Key: string(key)})
	if err != nil || !strings.HasPrefix(first.ARN, "arn:aws:acm:us-east-1:000000000000:certificate/") {
		t.Fatalf("got %+v, %v", first, err)
	}
	later, laterKey := pair(t, 3*time.Hour, "*.example.com")
	second, err := w.Import(t.Context(), certificate.ImportInput{Certificate: string(later), Key: string(laterKey)})
	if err != nil || second.ARN == first.ARN {
		t.Fatalf("got %+v, %v", second, err)
	}
	s["shop.example.com"] = certificate.Site{Certificate: first.ARN}
	w.stop()

	bucket, err := store.Open(t.Context(), streams, "certificates")
	if err != nil {
		t.Fatal(err)
	}
	all, err := bucket.Load(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d records, %v", len(all), err)
	}
	for _, r := range all {
		if bytes.Contains(r.Value, []byte("PRIVATE")) || bytes.Contains(r.Value, []byte("chain")) {
			t.Error("a key lies open")
		}
	}

	w = open(t, streams, s, nil)
	serial := func(name string) string {
		t.Helper()
		cert, err := w.shake(name)
		if err != nil {
			t.Fatal(err)
		}
		return cert.SerialNumber.Text(16)
	}
	if got := serial("shop.example.com"); got != first.Serial {
		t.Errorf("named by its ARN: got %s, want %s", got, first.Serial)
	}
	if got := serial("other.example.com"); got != second.Serial {
		t.Errorf("of two: got %s, want the one that is valid longer, %s", got, second.Serial)
	}
	again, err := w.Import(t.Context(), certificate.ImportInput{ARN: first.ARN, Certificate: string(later), Key: string(laterKey)})
	if err != nil || again.ARN != first.ARN || serial("shop.example.com") != second.Serial {
		t.Errorf("in its place: got %+v, %v", again, err)
	}
	if doc, err := json.Marshal(again); err != nil || bytes.Contains(doc, []byte("PRIVATE")) {
		t.Errorf("the answer has the key, or %v", err)
	}
	for _, arn := range []string{first.ARN, second.ID} {
		if err := w.Remove(t.Context(), arn); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.shake("shop.example.com"); err == nil {
		t.Error("a certificate that was removed is shown")
	}
	if err := w.Remove(t.Context(), first.ARN); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removed twice: got %v", err)
	}
	status, err := w.Status(t.Context())
	if err != nil || len(status.Missing) != 1 || len(status.Without) != 2 {
		t.Errorf("got missing %v, without %v, %v", status.Missing, status.Without, err)
	}
}

func TestWrongCertificatesAreRefused(t *testing.T) {
	w := open(t, streamsOf(t), sites{}, nil)
	chain, key := pair(t, time.Hour, "a.example.com")
	other, otherKey := pair(t, -time.Minute, "a.example.com")
	nameless, namelessKey := pair(t, time.Hour)
	for name, c := range map[string]struct {
		in   certificate.ImportInput
		want string
	}{
		"another's key": {certificate.ImportInput{Certificate: string(chain), Key: string(otherKey)}, "match"},
		"no PEM":        {certificate.ImportInput{Certificate: "hello", Key: string(key)}, "PEM"},
		"it has ended":  {certificate.ImportInput{Certificate: string(other), Key: string(otherKey)}, "ended"},
		"no names":      {certificate.ImportInput{Certificate: string(nameless), Key: string(namelessKey)}, "subjectAltName"},
		"a passphrase":  {certificate.ImportInput{Certificate: string(chain), Key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"}, "passphrase"},
		"not there":     {certificate.ImportInput{ARN: "arn:aws:acm:us-east-1:000000000000:certificate/x", Certificate: string(chain), Key: string(key)}, "no certificate was imported"},
	} {
		if _, err := w.Import(t.Context(), c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want words of %q", name, err, c.want)
		}
	}
	if list, err := w.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("got %v, %v", list, err)
	}
}

// TestTheLeastVersion is that of the distribution, by the name that is asked for.
func TestTheLeastVersion(t *testing.T) {
	w := open(t, streamsOf(t), sites{
		"old.localhost": {Minimum: "TLSv1_2016"}, "modern.localhost": {Minimum: "TLSv1.2_2021"}, "strict.localhost": {Minimum: "TLSv1.3_2025"},
	}, nil)
	only := func(version uint16, suites ...uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, suites }
	}
	cbc := uint16(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)
	for _, c := range []struct {
		name string
		with func(*tls.Config)
		want bool
	}{
		{"old.localhost", only(tls.VersionTLS11), false},
		{"old.localhost", only(tls.VersionTLS12, cbc), true},
		{"modern.localhost", only(tls.VersionTLS12, cbc), false},
		{"modern.localhost", only(tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), true},
		{"modern.localhost", only(tls.VersionTLS13), true},
		{"strict.localhost", only(tls.VersionTLS12), false},
		{"strict.localhost", only(tls.VersionTLS13), true},
	} {
		if _, err := w.shake(c.name, c.with); (err == nil) != c.want {
			t.Errorf("%s: got %v, want it to be taken: %v", c.name, err, c.want)
		}
	}
}

// TestAnotherHostOnTheSameConnection is answered where the certificate covers it and
// its distribution asks for no more.
func TestAnotherHostOnTheSameConnection(t *testing.T) {
	w := open(t, streamsOf(t), sites{"a.example.com": {}, "b.example.com": {}, "strict.example.com": {Minimum: "TLSv1.3_2025"}, "a.localhost": {}}, nil)
	chain, key := pair(t, time.Hour, "*.example.com")
	write(t, w.Dir, "wild", chain, key)
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sni, host string
		version   uint16
		want      int
	}{
		{"a.example.com", "a.example.com", tls.VersionTLS13, 200},
		{"a.example.com", "b.example.com", tls.VersionTLS13, 200},
		{"a.example.com", "strict.example.com", tls.VersionTLS13, 200},
		{"a.example.com", "strict.example.com", tls.VersionTLS12, 421},
		{"a.example.com", "a.localhost", tls.VersionTLS13, 421},
		{"a.example.com", "bank.test", tls.VersionTLS13, 421},
		{"a.localhost", "a.example.com", tls.VersionTLS13, 421},
		{"", "127.0.0.1", tls.VersionTLS13, 200},
		{"", "a.localhost", tls.VersionTLS13, 421},
	} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
			ServerName: c.sni, InsecureSkipVerify: true, MinVersion: c.version, MaxVersion: c.version,
		}}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+w.address(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		client.CloseIdleConnections()
		if resp.StatusCode != c.want {
			t.Errorf("opened for %q and asked for %q: got %d, want %d", c.sni, c.host, resp.StatusCode, c.want)
		}
	}
}

// TestLocks exclude each other, among processes too, and outlive nobody for long.
func TestLocks(t *testing.T) {
	streams := streamsOf(t)
	one, other := open(t, streams, sites{}, nil), open(t, streams, sites{}, nil)
	a, b := certificate.StorageOf(one.Keeper, time.Second), certificate.StorageOf(other.Keeper, time.Second)
	if err := a.Lock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := a.Lock(t.Context(), "y"); err != nil {
		t.Fatalf("another lock: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second/2) // longer than the lease, which is renewed
	defer cancel()
	if err := b.Lock(short, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("while it is held: got %v", err)
	}
	if err := a.Unlock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := b.Lock(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	certificate.Forget(one.Keeper, "y") // as a crash does
	if err := b.Lock(t.Context(), "y"); err != nil {
		t.Fatalf("after its holder is gone: %v", err)
	}
	for _, name := range []string{"x", "y"} {
		if err := b.Unlock(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStorageIsAFileSystem, as certmagic expects.
func TestStorageIsAFileSystem(t *testing.T) {
	s := certificate.StorageOf(open(t, streamsOf(t), sites{}, nil).Keeper, time.Minute)
	ctx := t.Context()
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: got %v", err)
	}
	if _, err := s.List(ctx, "a", false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: got %v", err)
	}
	for _, path := range []string{"a/b/c", "a/b/d", "a/e@f.g", "ab/c"} {
		for _, value := range []string{"first", path} {
			if err := s.Store(ctx, path, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := s.Load(ctx, "a/e@f.g"); err != nil || string(got) != "a/e@f.g" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := s.List(ctx, "a", false); err != nil || len(got) != 2 {
		t.Errorf("the directory: got %q, %v", got, err)
	}
	if got, err := s.List(ctx, "a", true); err != nil || len(got) != 3 {
		t.Errorf("and below: got %q, %v", got, err)
	}
	if info, err := s.Stat(ctx, "a/b"); err != nil || info.IsTerminal {
		t.Errorf("got %+v, %v", info, err)
	}
	if info, err := s.Stat(ctx, "a/b/c"); err != nil || !info.IsTerminal {
		t.Errorf("got %+v, %v", info, err)
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Fatal(err)
	}
	if s.Exists(ctx, "a/b/c") || s.Exists(ctx, "a/b") || !s.Exists(ctx, "a") || !s.Exists(ctx, "ab/c") {
		t.Error("a directory went with too little or too much")
	}
	if err := s.Delete(ctx, "a/b"); err != nil {
		t.Errorf("twice: %v", err)
	}
}
