package topic

import (
	"crypto"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // SignatureVersion 1 is made of it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Identity is what messages are signed with, and what receivers check it by: a key
// and a certificate that it signed itself. It is made once and kept as a secret.
type Identity struct {
	key         *rsa.PrivateKey
	certificate []byte // PEM
	file        string
	secret      []byte // for what only we have to verify
}

// Types of the blocks of an identity's document.
const (
	pemKey         = "PRIVATE KEY"
	pemCertificate = "CERTIFICATE"
)

// NewIdentity makes an identity and returns the document to keep, in PEM. Whoever
// has it can sign in our name.
func NewIdentity() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key to sign messages: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	began := time.Now().Add(-time.Hour).UTC()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "sns.amazonaws.com", Organization: []string{"dropstack"}},
		DNSNames: []string{"sns.amazonaws.com"}, NotBefore: began, NotAfter: began.AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of messages: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: cert})...), nil
}

// ParseIdentity reads what NewIdentity returned.
func ParseIdentity(doc []byte) (*Identity, error) {
	id := &Identity{}
	for block, rest := pem.Decode(doc); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case pemKey:
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, errors.New("the key that signs messages cannot be read") // its bytes are nobody's business
			}
			var ok bool
			if id.key, ok = key.(*rsa.PrivateKey); !ok {
				return nil, fmt.Errorf("the key that signs messages is a %T, not RSA", key)
			}
			if id.secret, err = hkdf.Key(sha256.New, block.Bytes, nil, "dropstack topic tokens", 32); err != nil {
				return nil, err
			}
		case pemCertificate:
			sum := sha256.Sum256(block.Bytes)
			id.certificate = pem.EncodeToMemory(block)
			id.file = "SimpleNotificationService-" + hex.EncodeToString(sum[:16]) + ".pem"
		}
	}
	if id.key == nil || id.certificate == nil {
		return nil, errors.New("the identity that signs messages has no key or no certificate")
	}
	return id, nil
}

// Certificate is the file of the endpoint, /NAME, that messages refer receivers to.
func (id *Identity) Certificate() (name string, doc []byte) { return id.file, id.certificate }

// sign signs what SNS signs of a message, as a version of signatures has it.
func (id *Identity) sign(version string, fields []signed) (string, error) {
	text := canonical(fields)
	var digest []byte
	hash := crypto.SHA1
	if version == "2" {
		sum := sha256.Sum256([]byte(text))
		digest, hash = sum[:], crypto.SHA256
	} else {
		sum := sha1.Sum([]byte(text))
		digest = sum[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, id.key, hash, digest)
	if err != nil {
		return "", fmt.Errorf("sign a message: %w", err)
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// signed is a field of a message that its signature covers.
type signed struct{ name, value string }

// canonical is what is signed: names and values, each on a line, in the order of
// the names.
func canonical(fields []signed) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.name + "\n" + f.value + "\n")
	}
	return b.String()
}
