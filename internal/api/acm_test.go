package api_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/testkit"
)

// oneSite is one alias that names a certificate.
type oneSite struct{ certificate string }

func (s *oneSite) Site(string) (certificate.Site, bool) {
	return certificate.Site{Alias: "shop.example.com", Certificate: s.certificate, Distribution: arn.Distribution("E1")}, true
}
func (s *oneSite) Aliases() []string { return []string{"shop.example.com"} }

type bare struct{}

func (bare) Seal(plain, _ []byte) ([]byte, error)         { return plain, nil }
func (bare) Open(sealed, _ []byte) ([]byte, error)        { return sealed, nil }
func (bare) Certificate(string) (*tls.Certificate, error) { return nil, nil }

func selfSigned(t *testing.T, names ...string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x0a1b), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

func TestCertificatesByAWSsClient(t *testing.T) {
	bucket, err := store.Open(t.Context(), enginetest.Streams(t), "certificates")
	if err != nil {
		t.Fatal(err)
	}
	site := &oneSite{}
	k := &certificate.Keeper{Dir: t.TempDir(), Bucket: bucket, Seal: bare{}, CA: bare{}, Sites: site, Region: arn.Region, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := k.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	w := serve(t, &api.Server{Services: []*api.Service{api.ACM(certificate.ACM{Keeper: k})}})
	c, ctx := acm.New(acm.Options{
		Region: arn.Region, BaseEndpoint: &w.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(w.keys.Admin()),
	}), t.Context()

	cert, key := selfSigned(t, "shop.example.com", "*.example.org")
	made, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	at := made.CertificateArn
	for _, e := range w.trail.take() {
		doc, err := json.Marshal(e)
		if err != nil || strings.Contains(string(doc), "PRIVATE") || strings.Contains(string(doc), "LS0tLS1CRUdJTiBFQyBQUklW") {
			t.Errorf("the record has the key, or %v", err)
		}
	}
	got, err := c.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: at})
	if err != nil {
		t.Fatal(err)
	}
	d := got.Certificate
	if *d.DomainName != "shop.example.com" || len(d.SubjectAlternativeNames) != 2 || d.Status != types.CertificateStatusIssued || d.Type != types.CertificateTypeImported ||
		*d.Serial != "0a:1b" || d.KeyAlgorithm != types.KeyAlgorithmEcPrime256v1 || len(d.InUseBy) != 0 || d.NotAfter == nil || d.ImportedAt == nil ||
		d.KeyUsages[0].Name != types.KeyUsageNameDigitalSignature || *d.ExtendedKeyUsages[0].OID != "1.3.6.1.5.5.7.3.1" || *d.SignatureAlgorithm != "ECDSASHA256" {
		t.Errorf("got %+v", d)
	}
	if out, err := c.GetCertificate(ctx, &acm.GetCertificateInput{CertificateArn: at}); err != nil || *out.Certificate != string(cert) || out.CertificateChain != nil {
		t.Errorf("got %+v, %v", out, err)
	}
	list, err := c.ListCertificates(ctx, &acm.ListCertificatesInput{CertificateStatuses: []types.CertificateStatus{types.CertificateStatusIssued}})
	if err != nil || len(list.CertificateSummaryList) != 1 || *list.CertificateSummaryList[0].CertificateArn != *at {
		t.Errorf("got %+v, %v", list, err)
	}
	if list, err := c.ListCertificates(ctx, &acm.ListCertificatesInput{CertificateStatuses: []types.CertificateStatus{types.CertificateStatusExpired}}); err != nil || len(list.CertificateSummaryList) != 0 {
		t.Errorf("those that have ended: got %+v, %v", list, err)
	}
	if _, err := c.AddTagsToCertificate(ctx, &acm.AddTagsToCertificateInput{CertificateArn: at, Tags: []types.Tag{{Key: aws.String("b")}}}); err != nil {
		t.Error(err)
	}
	if _, err := c.RemoveTagsFromCertificate(ctx, &acm.RemoveTagsFromCertificateInput{CertificateArn: at, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("2")}, {Key: aws.String("b")}}}); err != nil {
		t.Error(err)
	}
	other, otherKey := selfSigned(t, "shop.example.com")
	if again, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{CertificateArn: at, Certificate: other, PrivateKey: otherKey}); err != nil || *again.CertificateArn != *at {
		t.Errorf("in its place: got %+v, %v", again, err)
	}
	if tags, err := c.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: at}); err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "1" {
		t.Errorf("got %+v, %v", tags, err)
	}
	if _, err := c.ImportCertificate(ctx, &acm.ImportCertificateInput{Certificate: cert, PrivateKey: otherKey}); code(err) != "ValidationException" {
		t.Errorf("another's key: got %v", err)
	}
	site.certificate = *at
	if _, err := c.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: at}); code(err) != "ResourceInUseException" || !strings.Contains(err.Error(), "distribution/E1") {
		t.Errorf("while a distribution names it: got %v", err)
	}
	site.certificate = ""
	if _, err := c.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: at}); err != nil {
		t.Error(err)
	}
	if _, err := c.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: at}); code(err) != "ResourceNotFoundException" {
		t.Errorf("after it was deleted: got %v", err)
	}
	if _, err := c.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: aws.String("arn:aws:s3:::certificates-and-more")}); code(err) != "InvalidArnException" {
		t.Errorf("of another kind of thing: got %v", err)
	}
}
