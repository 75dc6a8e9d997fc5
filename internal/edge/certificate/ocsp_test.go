package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// TestStaples: a certificate whose authority answers for it is shown with the answer,
// and one that was revoked without.
func TestStaples(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test's authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if authority, err = x509.ParseCertificate(root); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	responder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		q, err := ocsp.ParseRequest(doc)
		if err != nil {
			t.Error(err)
			return
		}
		word := ocsp.Response{Status: ocsp.Good, SerialNumber: q.SerialNumber, ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
		if q.SerialNumber.Int64() == 3 {
			word.Status, word.RevokedAt = ocsp.Revoked, time.Now()
		}
		answer, err := ocsp.CreateResponse(authority, authority, word, key)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(answer)
		asked.Add(1)
	}))
	t.Cleanup(responder.Close)
	w := open(t, streamsOf(t), sites{}, nil)
	for name, serial := range map[string]int64{"good.example.com": 2, "revoked.example.com": 3} {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(serial), DNSNames: []string{name}, OCSPServer: []string{responder.URL},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})...)
		write(t, w.Dir, name, chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	}
	if err := w.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	staple := func(name string) []byte {
		t.Helper()
		conn, err := tls.Dial("tcp", w.address(), &tls.Config{ServerName: name, InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().OCSPResponse
	}
	for deadline := time.Now().Add(10 * time.Second); len(staple("good.example.com")) == 0 || w.log.count("it was revoked") == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no staple after %d questions", asked.Load())
		}
	}
	if len(staple("revoked.example.com")) != 0 {
		t.Error("a certificate that was revoked has a staple")
	}
	before := asked.Load()
	for range 20 { // as Run does every few seconds
		if err := w.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		staple("good.example.com") // a handshake's time for the other goroutine
	}
	if again := asked.Load() - before; again > 0 {
		t.Errorf("the responder was asked %d times more, though nothing has changed", again)
	}
}
