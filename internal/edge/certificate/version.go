package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strings"

	"github.com/mholt/acmez/v3"
)

// Strengths of a connection. TLS 1.2 is the least that anybody gets, also where a
// distribution names something older.
const (
	ordinary = iota // TLS 1.2 with the cipher suites that Go takes for safe
	modern          // TLS 1.2 with forward secrecy and authenticated encryption alone
	strict          // TLS 1.3
	strengths
)

// strengthOf is what CloudFront's name for a minimum asks for.
func strengthOf(minimum string) int {
	switch {
	case strings.HasPrefix(minimum, "TLSv1.3"):
		return strict
	case minimum == "TLSv1.2_2021" || minimum == "TLSv1.2_2025":
		return modern
	}
	return ordinary
}

// modernSuites are TLSv1.2_2021's; those of TLS 1.3 are not configured.
var modernSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Config is what the edge's listener is to use. Each connection gets the strength
// that the distribution of its name asks for.
func (k *Keeper) Config() *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: k.GetCertificate}
	var by [strengths]*tls.Config
	for i := range by {
		by[i] = base.Clone()
	}
	by[modern].CipherSuites = modernSuites
	by[strict].MinVersion = tls.VersionTLS13
	validation := base.Clone()
	validation.NextProtos = []string{acmez.ACMETLS1Protocol}
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if challenge(hello) {
			return validation, nil
		}
		return by[k.strength(nameOf(hello.ServerName, hello.Conn.LocalAddr()))], nil
	}
	return base
}

func (k *Keeper) strength(name string) int {
	site, _ := k.Sites.Site(name)
	return strengthOf(site.Minimum)
}

// Covers reports whether a connection may be used for a host: it is the one that the
// client came for, or the certificate that was shown covers it too and its
// distribution asks for no more than the connection has. A client that opens a
// connection for one name and asks for another's pages is answered 421 otherwise.
func (k *Keeper) Covers(conn *tls.ConnectionState, local net.Addr, host string) bool {
	name := nameOf(conn.ServerName, local)
	if host == name {
		return true
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().String() == name {
		return true
	}
	cert, err := k.find(context.Background(), name, nil, false)
	if err != nil || cert == nil || leaf(cert).VerifyHostname(host) != nil {
		return false
	}
	need := k.strength(host)
	return need == ordinary || need == modern && modernly(conn) || conn.Version >= tls.VersionTLS13
}

func modernly(conn *tls.ConnectionState) bool {
	for _, suite := range modernSuites {
		if conn.CipherSuite == suite {
			return true
		}
	}
	return false
}

func leaf(cert *tls.Certificate) *x509.Certificate {
	if cert.Leaf != nil {
		return cert.Leaf
	}
	one, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return &x509.Certificate{}
	}
	return one
}
