package certificate_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/ca"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/testkit/pebble"
)

// sites is the distributions there are, by alias.
type sites map[string]certificate.Site

func (s sites) Site(name string) (certificate.Site, bool) {
	if site, ok := s[name]; ok {
		site.Alias = name
		return site, true
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if site, ok := s["*."+parent]; ok {
			site.Alias = "*." + parent
			return site, true
		}
	}
	site, ok := s[""]
	return site, ok
}

func (s sites) Aliases() (all []string) {
	for alias := range s {
		if alias != "" {
			all = append(all, alias)
		}
	}
	return all
}

// turned seals by turning bits around.
type turned struct{}

func (turned) Seal(plain, context []byte) ([]byte, error) {
	return append(append([]byte{}, context...), flip(plain)...), nil
}

func (turned) Open(sealed, context []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(sealed, context)
	if !ok {
		return nil, errors.New("it was sealed for something else")
	}
	return flip(rest), nil
}

func flip(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

// world is one keeper behind two listeners, as the edge has it.
type world struct {
	*certificate.Keeper
	t       *testing.T
	streams jetstream.JetStream
	ca      *ca.Authority
	log     *lines

	HTTP, HTTPS *httptest.Server
	stop        func()
}

// lines is a log that tests look into.
type lines struct {
	t  *testing.T
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.t.Output().Write(b)
	return l.b.Write(b)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), words)
}

// open starts a keeper and its listeners. change may set what it likes before.
func open(t *testing.T, streams jetstream.JetStream, s sites, change func(*certificate.Keeper)) *world {
	t.Helper()
	w := &world{t: t, streams: streams, log: &lines{t: t}}
	bucket, err := store.Open(t.Context(), streams, "certificates")
	if err != nil {
		t.Fatal(err)
	}
	if w.ca, err = ca.Open(t.TempDir(), turned{}); err != nil {
		t.Fatal(err)
	}
	w.Keeper = &certificate.Keeper{
		Dir: t.TempDir(), Bucket: bucket, Seal: turned{}, CA: w.ca, Sites: s, Region: "us-east-1",
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	quiet := log.New(io.Discard, "", 0)
	w.HTTP = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.Challenge(rw, r) {
			http.NotFound(rw, r)
		}
	}))
	w.HTTPS = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		host, _, _ := strings.Cut(r.Host, ":")
		if !w.Covers(r.TLS, local, host) {
			rw.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		_, _ = io.WriteString(rw, r.Proto)
	}))
	w.HTTP.Config.ErrorLog, w.HTTPS.Config.ErrorLog = quiet, quiet
	if change != nil {
		change(w.Keeper)
	}
	if a := w.ACME; a != nil {
		a.HTTP, a.HTTPS = netip.MustParseAddrPort(w.HTTP.Listener.Addr().String()), netip.MustParseAddrPort(w.HTTPS.Listener.Addr().String())
	}
	if err := w.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.HTTP.Start()
	w.HTTPS.Listener = tls.NewListener(w.HTTPS.Listener, w.Config())
	w.HTTPS.Start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, w.Close()); err != nil {
			t.Error(err)
		}
		w.HTTP.Close()
		w.HTTPS.Close()
	})
	t.Cleanup(w.stop)
	return w
}

// by returns a setting of ACME by an authority.
func by(a *pebble.Authority, challenge string) func(*certificate.Keeper) {
	return func(k *certificate.Keeper) {
		k.ACME = &certificate.ACME{Directory: a.Directory, Email: "you@example.com", Roots: a.Roots, Challenge: challenge}
	}
}

func (w *world) address() string { return w.HTTPS.Listener.Addr().String() }

// shake shakes hands for a name and returns the certificate that was shown.
func (w *world) shake(name string, change ...func(*tls.Config)) (*x509.Certificate, error) {
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}} // what it is the test looks at
	for _, c := range change {
		c(config)
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 20 * time.Second}, "tcp", w.address(), config)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// pair makes a certificate for names, signed by itself.
func pair(t *testing.T, life time.Duration, names ...string) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "a test's"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

var streamsOf = enginetest.Streams
