package certificate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/wire"
)

// CertificateDetail is everything that ACM tells of a certificate.
type CertificateDetail struct {
	CertificateArn          string
	DomainName              string
	SubjectAlternativeNames []string
	Serial                  string
	Subject                 string
	Issuer                  string
	CreatedAt, ImportedAt   wire.Time
	Status                  string
	NotBefore, NotAfter     wire.Time
	KeyAlgorithm            string
	SignatureAlgorithm      string
	InUseBy                 []string
	Type                    string
	KeyUsages               []named
	ExtendedKeyUsages       []extended
	RenewalEligibility      string
	Options                 struct{ CertificateTransparencyLoggingPreference string }
}

type named struct{ Name string }

type extended struct {
	Name string
	OID  string
}

// CertificateSummary is a line of a list.
type CertificateSummary struct {
	CertificateArn                       string
	DomainName                           string
	SubjectAlternativeNameSummaries      []string
	HasAdditionalSubjectAlternativeNames bool
	Status                               string
	Type                                 string
	KeyAlgorithm                         string
	KeyUsages                            []string
	ExtendedKeyUsages                    []string
	InUse                                bool
	RenewalEligibility                   string
	CreatedAt, ImportedAt                wire.Time
	NotBefore, NotAfter                  wire.Time
}

func statusOf(o *owned) string {
	if expired(o) {
		return "EXPIRED"
	}
	return "ISSUED"
}

func detailOf(o *owned, by []string) CertificateDetail {
	at := o.cert.Leaf
	names := namesOf(at)
	d := CertificateDetail{
		CertificateArn: o.arn, DomainName: names[0], SubjectAlternativeNames: names, Serial: serialOf(at),
		Subject: at.Subject.String(), Issuer: issuerOf(at), CreatedAt: wire.At(o.added), ImportedAt: wire.At(o.added),
		Status: statusOf(o), NotBefore: wire.At(at.NotBefore), NotAfter: wire.At(at.NotAfter),
		KeyAlgorithm: algorithmOf(at), SignatureAlgorithm: strings.ReplaceAll(strings.ToUpper(at.SignatureAlgorithm.String()), "-", ""),
		InUseBy: by, Type: "IMPORTED", RenewalEligibility: "INELIGIBLE", KeyUsages: []named{}, ExtendedKeyUsages: []extended{},
	}
	for _, u := range usagesOf(at) {
		d.KeyUsages = append(d.KeyUsages, named{u})
	}
	for _, u := range at.ExtKeyUsage {
		if e, ok := extendedUsages[u]; ok {
			d.ExtendedKeyUsages = append(d.ExtendedKeyUsages, e)
		}
	}
	d.Options.CertificateTransparencyLoggingPreference = "DISABLED"
	return d
}

// maxSummary is how many names a line of a list has.
const maxSummary = 100

func summaryOf(o *owned, used bool) CertificateSummary {
	d := detailOf(o, nil)
	s := CertificateSummary{
		CertificateArn: d.CertificateArn, DomainName: d.DomainName, SubjectAlternativeNameSummaries: d.SubjectAlternativeNames,
		Status: d.Status, Type: d.Type, KeyAlgorithm: d.KeyAlgorithm, KeyUsages: usagesOf(o.cert.Leaf), ExtendedKeyUsages: []string{},
		InUse: used, RenewalEligibility: d.RenewalEligibility, CreatedAt: d.CreatedAt, ImportedAt: d.ImportedAt, NotBefore: d.NotBefore, NotAfter: d.NotAfter,
	}
	if len(s.SubjectAlternativeNameSummaries) > maxSummary {
		s.SubjectAlternativeNameSummaries, s.HasAdditionalSubjectAlternativeNames = s.SubjectAlternativeNameSummaries[:maxSummary], true
	}
	for _, e := range d.ExtendedKeyUsages {
		s.ExtendedKeyUsages = append(s.ExtendedKeyUsages, e.Name)
	}
	return s
}

// serialOf is a serial number as bytes with colons between them.
func serialOf(at *x509.Certificate) string {
	var parts []string
	for _, b := range at.SerialNumber.Bytes() {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// algorithmOf is ACM's name of a key's kind.
func algorithmOf(at *x509.Certificate) string {
	switch key := at.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA_%d", key.N.BitLen())
	case *ecdsa.PublicKey:
		switch bits := key.Params().BitSize; bits {
		case 256:
			return "EC_prime256v1"
		default:
			return fmt.Sprintf("EC_secp%dr1", bits)
		}
	case ed25519.PublicKey:
		return "ED25519" // which ACM does not have
	}
	return at.PublicKeyAlgorithm.String()
}

var keyUsages = []struct {
	bit  x509.KeyUsage
	name string
}{
	{x509.KeyUsageDigitalSignature, "DIGITAL_SIGNATURE"},
	{x509.KeyUsageContentCommitment, "NON_REPUDIATION"},
	{x509.KeyUsageKeyEncipherment, "KEY_ENCIPHERMENT"},
	{x509.KeyUsageDataEncipherment, "DATA_ENCIPHERMENT"},
	{x509.KeyUsageKeyAgreement, "KEY_AGREEMENT"},
	{x509.KeyUsageCertSign, "CERTIFICATE_SIGNING"},
	{x509.KeyUsageCRLSign, "CRL_SIGNING"},
	{x509.KeyUsageEncipherOnly, "ENCIPHER_ONLY"},
	{x509.KeyUsageDecipherOnly, "DECIPHER_ONLY"},
}

func usagesOf(at *x509.Certificate) []string {
	list := []string{}
	for _, u := range keyUsages {
		if at.KeyUsage&u.bit != 0 {
			list = append(list, u.name)
		}
	}
	return list
}

var extendedUsages = map[x509.ExtKeyUsage]extended{
	x509.ExtKeyUsageAny:             {"ANY", "2.5.29.37.0"},
	x509.ExtKeyUsageServerAuth:      {"TLS_WEB_SERVER_AUTHENTICATION", "1.3.6.1.5.5.7.3.1"},
	x509.ExtKeyUsageClientAuth:      {"TLS_WEB_CLIENT_AUTHENTICATION", "1.3.6.1.5.5.7.3.2"},
	x509.ExtKeyUsageCodeSigning:     {"CODE_SIGNING", "1.3.6.1.5.5.7.3.3"},
	x509.ExtKeyUsageEmailProtection: {"EMAIL_PROTECTION", "1.3.6.1.5.5.7.3.4"},
	x509.ExtKeyUsageTimeStamping:    {"TIME_STAMPING", "1.3.6.1.5.5.7.3.8"},
	x509.ExtKeyUsageOCSPSigning:     {"OCSP_SIGNING", "1.3.6.1.5.5.7.3.9"},
}
