// Package ca is the installation's own certificate authority.
//
// It vouches for names that only this installation answers: AWS's host names for
// clients that cannot be told another endpoint, and *.localhost. It cannot vouch for
// others: whoever trusts it trusts the platform for these names. Stored, below DIR/ca:
//
//	ca.pem      the certificate, for those who are to trust it
//	key.sealed  its key, sealed
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/durable"
	"github.com/dropstack/dropstack/internal/fault"
)

const (
	certificateFile = "ca.pem"
	keyFile         = "key.sealed"

	// ownLife is how long the authority itself is valid.
	ownLife = 10 * 365 * 24 * time.Hour
	// leafLife is how long a name's certificate is; a new one is made well before.
	leafLife = 30 * 24 * time.Hour
	renewal  = 7 * 24 * time.Hour
	// maxLeaves bounds the certificates that are kept: their names come from
	// whoever connects.
	maxLeaves = 1000
)

// names and addresses are all that the authority can vouch for, so that a key that
// was stolen is of no use for anything else.
var (
	names     = []string{"amazonaws.com", "localhost"}
	addresses = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
)

// purpose is what the key's seal is bound to.
var purpose = []byte("certificate authority")

// Sealer keeps the key from whoever has only the data directory.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	dir    string
	seal   Sealer
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	public []byte // the certificate as PEM

	mu     sync.Mutex // guards leaves
	leaves map[string]*tls.Certificate
}

// Open reads the authority of a data directory, and makes it at the first start.
func Open(dir string, seal Sealer) (*Authority, error) {
	a := &Authority{dir: filepath.Join(dir, "ca"), seal: seal, leaves: map[string]*tls.Certificate{}}
	err := a.read()
	if errors.Is(err, os.ErrNotExist) {
		if err = a.create(); err == nil {
			err = a.read()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, nil
}

// PEM is the certificate that clients are to trust.
func (a *Authority) PEM() []byte { return a.public }

// Path is the file of that certificate.
func (a *Authority) Path() string { return filepath.Join(a.dir, certificateFile) }

func (a *Authority) read() error {
	sealed, err := os.ReadFile(filepath.Join(a.dir, keyFile))
	if err != nil {
		return err
	}
	if a.public, err = os.ReadFile(a.Path()); err != nil {
		return err
	}
	der, err := a.seal.Open(sealed, purpose)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Join(a.dir, keyFile), err)
	}
	if a.key, err = x509.ParseECPrivateKey(der); err != nil {
		return err
	}
	block, _ := pem.Decode(a.public)
	if block == nil {
		return fault.Errorf(fault.Invalid, "%s is no certificate; restore it from a backup, or remove the directory to make a new authority", a.Path())
	}
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Errorf("%s: %w", a.Path(), err)
	}
	if !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return fault.Errorf(fault.Invalid, "%s is not the certificate of the key beside it; restore both from a backup, or remove the directory to make a new authority", a.Path())
	}
	return nil
}

// create writes the certificate first: without a key it is made again.
func (a *Authority) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := newSerial()
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "dropstack " + fmt.Sprintf("%x", serial.Bytes()[:4]), Organization: []string{"dropstack"}},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(ownLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: addresses,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	if err := durable.WriteFile(a.Path(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644); err != nil {
		return err
	}
	return a.store(key)
}

func (a *Authority) store(key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	sealed, err := a.seal.Seal(der, purpose)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(a.dir, keyFile), sealed, 0o600)
}

// GetCertificate is tls.Config's: a certificate for the name that a client asks
// for. allowed says which names there are.
func (a *Authority) GetCertificate(allowed func(name string) bool) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
		if name == "" {
			if host, _, err := net.SplitHostPort(hello.Conn.LocalAddr().String()); err == nil {
				name = host
			}
		}
		if !allowed(name) {
			return nil, fmt.Errorf("no certificate for %q", name)
		}
		return a.Certificate(name)
	}
}

// Certificate is one for a host name or an address, made when first asked for.
func (a *Authority) Certificate(name string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if leaf := a.leaves[name]; leaf != nil && now.Before(leaf.Leaf.NotAfter.Add(-renewal)) {
		return leaf, nil
	}
	leaf, err := a.issue(name, now)
	if err != nil {
		return nil, fmt.Errorf("certificate for %s: %w", name, err)
	}
	if len(a.leaves) >= maxLeaves {
		clear(a.leaves)
	}
	a.leaves[name] = leaf
	return leaf, nil
}

func (a *Authority) issue(name string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: short(name)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// short is a name as a common name may have it: 64 characters at most.
func short(name string) string {
	if len(name) > 64 {
		return ""
	}
	return name
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return serial.SetBit(serial, 126, 1), nil // as long as others
}
