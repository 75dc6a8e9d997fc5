package server

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/store"
)

// ACME is how certificates are got from an authority. It is off unless the operator
// says otherwise, who thereby agrees to the authority's terms.
type ACME struct {
	Mode      string // on, off, which "" means too, or staging: Let's Encrypt's authority for trying things out
	Email     string // that the authority writes to; optional
	Directory string // URL of another authority than Let's Encrypt
	Root      string // file of certificates, as PEM, that vouch for the directory's server; "": the system's
	Challenge string // http-01, tls-alpn-01, or auto, which "" means too
}

// checkTLS checks what there is to say about HTTPS.
func (c *Config) checkTLS() error {
	if c.HTTPS == "off" {
		c.HTTPS = ""
	}
	a := &c.ACME
	switch a.Mode {
	case "", "off":
		a.Mode = ""
	case "on", "staging":
		if c.HTTPS == "" {
			return fault.Errorf(fault.Invalid, "--acme %s: certificates are of no use with --https off", a.Mode)
		}
	default:
		return fault.Errorf(fault.Invalid, "--acme %q: on, off or staging", a.Mode)
	}
	if a.Mode == "staging" && a.Directory != "" {
		return fault.Errorf(fault.Invalid, "--acme staging is Let's Encrypt's; with --acme-directory say --acme on")
	}
	if a.Directory != "" {
		if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
			return fault.Errorf(fault.Invalid, "--acme-directory %q is not an https URL, such as %s", a.Directory, certificate.LetsEncrypt)
		}
	}
	if a.Challenge == "auto" {
		a.Challenge = ""
	}
	if a.Challenge != "" && a.Challenge != certificate.HTTP01 && a.Challenge != certificate.TLSALPN01 {
		return fault.Errorf(fault.Invalid, "--acme-challenge %q: auto, %s or %s; %s", a.Challenge, certificate.HTTP01, certificate.TLSALPN01,
			"dns-01 is not supported: import a certificate of your own for wildcards")
	}
	if a.Email != "" && (!strings.Contains(a.Email, "@") || strings.ContainsAny(a.Email, " ,<>")) {
		return fault.Errorf(fault.Invalid, "--acme-email %q is not an address such as you@example.com", a.Email)
	}
	if c.TLSAsk != "" {
		if _, err := certificate.AskURL(c.TLSAsk); err != nil {
			return fault.Errorf(fault.Invalid, "--tls-ask %w", err)
		}
	}
	_, err := a.roots()
	return err
}

// roots are the authorities that vouch for the directory's server, besides the
// system's.
func (a *ACME) roots() (*x509.CertPool, error) {
	if a.Root == "" {
		return nil, nil
	}
	doc, err := os.ReadFile(a.Root)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "--acme-ca-root: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(doc) {
		return nil, fault.Errorf(fault.Invalid, "--acme-ca-root %s holds no certificate as PEM", a.Root)
	}
	return pool, nil
}

// openCertificates opens the certificates of the edge.
func (r *rooms) openCertificates(ctx context.Context, cfg Config, ls *listeners) error {
	bucket, err := store.Open(ctx, r.eng.Streams, "certificates")
	if err != nil {
		return err
	}
	k := &certificate.Keeper{
		Dir: filepath.Join(cfg.Dir, "certificates"), Bucket: bucket, Seal: r.secrets.kept.Sealer("certificates"),
		CA: r.secrets.ca, Sites: sites{r.edge}, Region: cfg.Region, Log: cfg.Log,
	}
	if cfg.TLSAsk != "" {
		if k.Ask, err = certificate.AskURL(cfg.TLSAsk); err != nil {
			return err
		}
	}
	if cfg.ACME.Mode != "" {
		if k.ACME, err = cfg.ACME.open(ls); err != nil {
			return err
		}
	}
	if err := k.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, k.Close)
	r.certificates, r.edge.Secure = k, k
	if ls.https != nil {
		r.edge.HTTPSPort = ls.https.Addr().(*net.TCPAddr).Port
		if ls.quic != nil {
			r.edge.HTTP3Port = r.edge.HTTPSPort
		}
	}
	return nil
}

func (a *ACME) open(ls *listeners) (*certificate.ACME, error) {
	roots, err := a.roots()
	if err != nil {
		return nil, err
	}
	out := &certificate.ACME{Directory: a.Directory, Email: a.Email, Roots: roots, Challenge: a.Challenge}
	switch {
	case a.Mode == "staging":
		out.Directory = certificate.Staging
	case a.Directory == "":
		out.Directory = certificate.LetsEncrypt
	}
	var errs [2]error
	out.HTTP, errs[0] = netip.ParseAddrPort(ls.http.Addr().String())
	out.HTTPS, errs[1] = netip.ParseAddrPort(ls.https.Addr().String())
	return out, errors.Join(errs[:]...)
}

// sites says of the edge what certificates need, in their words.
type sites struct{ *edge.Server }

// Site is the distribution that answers for a host name.
func (s sites) Site(host string) (certificate.Site, bool) {
	site, ok := s.Server.Site(host)
	return certificate.Site(site), ok
}
