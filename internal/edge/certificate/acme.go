package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"
)

// Directories of Let's Encrypt.
const (
	LetsEncrypt = certmagic.LetsEncryptProductionCA
	Staging     = certmagic.LetsEncryptStagingCA // whose certificates nobody trusts, to try things out
)

// Ways to show that a name leads here.
const (
	HTTP01    = "http-01"
	TLSALPN01 = "tls-alpn-01"
)

// ACME is where certificates are got, and how.
type ACME struct {
	Directory string         // URL
	Email     string         // that the authority writes to; optional
	Roots     *x509.CertPool // that vouch for the directory's own server; nil: the system's
	Challenge string         // HTTP01 or TLSALPN01; "": whichever works
	HTTP      netip.AddrPort // where the edge listens, which answers challenges
	HTTPS     netip.AddrPort
}

// How long an order may take, and how long a client waits for one in its handshake.
const (
	orderTime = 3 * time.Minute
	waitTime  = 30 * time.Second
)

// maxCached is how many certificates are in memory; others are read when they are
// asked for.
const maxCached = 20_000

// magic gets and renews certificates by certmagic: none of its globals is set, and
// nothing is left to its own retries, which would hold handshakes up.
type magic struct {
	keeper *Keeper
	acme   *ACME
	config *certmagic.Config
	cache  *certmagic.Cache
	issuer *certmagic.ACMEIssuer
	log    *zap.Logger

	ctx   context.Context // of orders: they outlive the client who has caused them
	stop  context.CancelFunc
	work  sync.WaitGroup
	order singleflight.Group // by name

	failures failures

	mu      sync.Mutex      // guards managed
	managed map[string]bool // names whose certificates are in the cache
}

func newMagic(k *Keeper) *magic {
	m := &magic{keeper: k, acme: k.ACME, log: quiet(k.Log), managed: map[string]bool{}}
	m.ctx, m.stop = context.WithCancel(context.Background())
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return m.config, nil },
		RenewCheckInterval: k.renewing.every, Capacity: maxCached, Logger: m.log,
	})
	m.config = certmagic.New(m.cache, certmagic.Config{
		Storage: k.storage, Logger: m.log, OnEvent: m.happened, RenewalWindowRatio: k.renewing.ratio,
		KeySource: certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
	})
	// The ports are those of the edge's own listeners: certmagic sees that they are
	// taken and leaves the answers to us.
	m.issuer = certmagic.NewACMEIssuer(m.config, certmagic.ACMEIssuer{
		CA: m.acme.Directory, Email: m.acme.Email, TrustedRoots: m.acme.Roots, Logger: m.log,
		Agreed:               true, // who switches ACME on agrees, as the flag says
		DisableHTTPChallenge: m.acme.Challenge == TLSALPN01, DisableTLSALPNChallenge: m.acme.Challenge == HTTP01,
		ListenHost: m.acme.HTTP.Addr().String(), AltHTTPPort: int(m.acme.HTTP.Port()), AltTLSALPNPort: int(m.acme.HTTPS.Port()),
		DisableDistributedSolvers: true, CertObtainTimeout: orderTime,
	})
	m.config.Issuers = []certmagic.Issuer{m.issuer}
	return m
}

func (m *magic) close() {
	m.stop()
	m.cache.Stop()
	m.work.Wait()
}

// challenge reports whether a client is an authority that validates a name.
func challenge(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}

// challenge is the certificate that answers one under way.
func (m *magic) challenge(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if _, active := certmagic.GetACMEChallenge(hello.ServerName); !active {
		return nil, nil
	}
	return m.config.GetCertificate(hello)
}

// Challenge answers a validation by HTTP-01 that is under way, and reports whether
// the request was one.
func (k *Keeper) Challenge(w http.ResponseWriter, r *http.Request) bool {
	if k.magic == nil || !certmagic.LooksLikeHTTPChallenge(r) {
		return false
	}
	active, ok := certmagic.GetACMEChallenge(r.Host)
	return ok && certmagic.SolveHTTPChallenge(k.magic.log, w, r, active.Challenge)
}

// cached is the certificate of a name in memory, nil if there is none.
func (m *magic) cached(name string, hello *tls.ClientHelloInfo) *tls.Certificate {
	all := slices.DeleteFunc(m.cache.AllMatchingCertificates(name), func(c certmagic.Certificate) bool { return c.Leaf == nil })
	if len(all) == 0 {
		return nil
	}
	best := all[0]
	for _, one := range all[1:] {
		if one.Leaf.NotAfter.After(best.Leaf.NotAfter) && (hello == nil || hello.SupportsCertificate(&one.Certificate) == nil) {
			best = one
		}
	}
	return &best.Certificate
}

// obtain takes a certificate from the bucket or orders one. Clients who ask for the
// same name wait for the same order, but not for longer than clients do.
func (m *magic) obtain(ctx context.Context, name string, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := m.cached(name, hello); cert != nil {
		return cert, nil
	}
	if err := m.failures.waiting(name); err != nil {
		return nil, err
	}
	late := time.NewTimer(waitTime)
	defer late.Stop()
	select {
	case done := <-m.order.DoChan(name, func() (any, error) { return nil, m.manage(name) }):
		if done.Err != nil {
			return nil, done.Err
		}
		if cert := m.cached(name, hello); cert != nil {
			return cert, nil
		}
		return nil, fmt.Errorf("the certificate for %s is gone again", name)
	case <-late.C:
		return nil, fmt.Errorf("the certificate for %s is still being got", name)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// manage brings the certificate of a name into the cache, where it is looked after.
func (m *magic) manage(name string) error {
	m.work.Add(1)
	defer m.work.Done()
	if m.ctx.Err() != nil {
		return errClosed
	}
	ctx, cancel := context.WithTimeout(m.ctx, orderTime)
	defer cancel()
	if err := m.load(ctx, name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.try(ctx, name, func(ctx context.Context) error { return m.config.ObtainCertAsync(ctx, name) }); err != nil {
		return err
	}
	return m.load(ctx, name)
}

// load takes the certificate of a name from the bucket. What is there is served even
// when it has ended: it is renewed as soon as that can be done.
func (m *magic) load(ctx context.Context, name string) error {
	if _, err := m.config.CacheManagedCertificate(ctx, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.managed[name] = true
	return nil
}

// attempt is one try to get a certificate, in the context of what is done for it.
type attempt struct {
	cancel context.CancelFunc
	err    error
}

type attemptKey struct{}

// abandon ends the attempt that a context is of.
func abandon(ctx context.Context, err error) {
	if a, ok := ctx.Value(attemptKey{}).(*attempt); ok {
		a.err = err
		a.cancel()
	}
}

// try does what gets a certificate, once: certmagic would go on for weeks in the
// place of whoever waits.
func (m *magic) try(ctx context.Context, name string, get func(context.Context) error) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &attempt{cancel: cancel}
	err := get(context.WithValue(within, attemptKey{}, a))
	switch {
	case a.err != nil:
		return a.err
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("there was no answer within %v", orderTime)
	}
	return m.failed(name, err)
}

// happened is told by certmagic of what it does. An error keeps it from doing it.
func (m *magic) happened(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	switch event {
	case "cert_obtaining":
		if err := m.keeper.stillAllowed(ctx, name); err != nil {
			abandon(ctx, err)
			return err
		}
	case "cert_obtained":
		m.failures.clear(name)
		m.keeper.Log.Info("a certificate was obtained", "host", name, "renewal", data["renewal"] == true)
	case "cert_failed":
		err, _ := data["error"].(error)
		abandon(ctx, m.failed(name, err))
	}
	return nil
}

// failed remembers that a name's certificate could not be got, and says so: once,
// until something else is wrong.
func (m *magic) failed(name string, err error) error {
	if m.ctx.Err() != nil {
		return err // the platform ends
	}
	f, news := m.failures.add(name, err, time.Now())
	if news {
		m.keeper.Log.Error("no certificate could be got", "host", name, "again", f.Until.UTC().Format(time.RFC3339), "err", f.Problem, "advice", f.Advice)
	}
	return fmt.Errorf("the certificate for %s: %s", name, f.Problem)
}

// resume takes up the certificates that were obtained before, so that they are
// renewed though nobody asks for them.
func (m *magic) resume(ctx context.Context) {
	for _, name := range m.stored(ctx) {
		if m.keeper.claimed(name) {
			if err := m.load(ctx, name); err != nil && ctx.Err() == nil {
				m.keeper.Log.Error("a stored certificate cannot be read", "host", name, "err", err)
			}
		}
	}
}

// stored is the names of certificates in the bucket.
func (m *magic) stored(ctx context.Context) []string {
	prefix := certmagic.StorageKeys.CertsPrefix(m.issuer.IssuerKey())
	paths, err := m.keeper.storage.List(ctx, prefix, false)
	if err != nil {
		return nil // there are none yet, or ctx ends
	}
	var names []string
	for _, path := range paths {
		names = append(names, path[strings.LastIndex(path, "/")+1:])
	}
	return names
}

// tidy leaves off renewing what is not allowed any more, and removes what ended long
// ago.
func (m *magic) tidy(ctx context.Context) {
	m.failures.forget(time.Now())
	m.mu.Lock()
	var gone []certmagic.SubjectIssuer
	for name := range m.managed {
		if !m.keeper.claimed(name) {
			delete(m.managed, name)
			gone = append(gone, certmagic.SubjectIssuer{Subject: name})
		}
	}
	m.mu.Unlock()
	m.cache.RemoveManaged(gone)
	err := certmagic.CleanStorage(ctx, m.keeper.storage, certmagic.CleanStorageOptions{
		Logger: m.log, OCSPStaples: true, ExpiredCerts: true, ExpiredCertGracePeriod: 30 * 24 * time.Hour, Interval: 24 * time.Hour,
	})
	if err != nil && ctx.Err() == nil {
		m.keeper.Log.Warn("certificates that have ended cannot be removed", "err", err)
	}
}

// renew gets a new certificate for a name, due or not. The old one is used until it
// is there.
func (m *magic) renew(ctx context.Context, name string) error {
	m.work.Add(1)
	defer m.work.Done()
	before := m.cache.AllMatchingCertificates(name)
	ctx, cancel := context.WithTimeout(ctx, orderTime)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	if err := m.try(ctx, name, func(ctx context.Context) error { return m.config.RenewCertAsync(ctx, name, true) }); err != nil {
		return err
	}
	if err := m.load(ctx, name); err != nil {
		return err
	}
	var old []string
	for _, c := range before {
		old = append(old, c.Hash())
	}
	m.cache.Remove(old)
	return nil
}
