package kms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
)

// What keys are for.
const (
	encrypts = "ENCRYPT_DECRYPT"
	signs    = "SIGN_VERIFY"
	macs     = "GENERATE_VERIFY_MAC"
)

const (
	symmetric = "SYMMETRIC_DEFAULT"
	origin    = "AWS_KMS"
)

// spec is a kind of key. The material of keys that encrypt or make MACs is random
// bytes; of those that sign it is the private key, in PKCS #8.
type spec struct {
	usage      string
	algorithms []string
	operations []string // that a grant may allow, beside those of all keys
	generate   func() ([]byte, error)
}

var (
	encryptOperations = []string{"Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"}
	macOperations     = []string{"GenerateMac", "VerifyMac"}
	signOperations    = []string{"Sign", "Verify", "GetPublicKey"}

	rsaAlgorithms = []string{
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
	}
)

// specs are the kinds of key that are supported.
var specs = map[string]spec{
	symmetric: {encrypts, []string{symmetric}, encryptOperations, random(32)},

	"HMAC_224": {macs, []string{"HMAC_SHA_224"}, macOperations, random(28)},
	"HMAC_256": {macs, []string{"HMAC_SHA_256"}, macOperations, random(32)},
	"HMAC_384": {macs, []string{"HMAC_SHA_384"}, macOperations, random(48)},
	"HMAC_512": {macs, []string{"HMAC_SHA_512"}, macOperations, random(64)},

	"ECC_NIST_P256": {signs, []string{"ECDSA_SHA_256"}, signOperations, curve(elliptic.P256())},
	"ECC_NIST_P384": {signs, []string{"ECDSA_SHA_384"}, signOperations, curve(elliptic.P384())},
	"ECC_NIST_P521": {signs, []string{"ECDSA_SHA_512"}, signOperations, curve(elliptic.P521())},

	"RSA_2048": {signs, rsaAlgorithms, signOperations, modulus(2048)},
	"RSA_3072": {signs, rsaAlgorithms, signOperations, modulus(3072)},
	"RSA_4096": {signs, rsaAlgorithms, signOperations, modulus(4096)},
}

func random(n int) func() ([]byte, error) {
	return func() ([]byte, error) {
		material := make([]byte, n)
		_, _ = rand.Read(material) // never fails
		return material, nil
	}
}

func curve(c elliptic.Curve) func() ([]byte, error) {
	return func() ([]byte, error) {
		private, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(private)
	}
}

func modulus(bits int) func() ([]byte, error) {
	return func() ([]byte, error) {
		private, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			return nil, err
		}
		return x509.MarshalPKCS8PrivateKey(private)
	}
}

// kind is the spec of a key.
func (r *record) kind() spec { return specs[r.spec()] }

// spec is the name of a key's spec.
func (r *record) spec() string {
	if r.Spec == "" {
		return symmetric
	}
	return r.Spec
}

// suits says why a key is not for a use, or not for an algorithm.
func (k *key) suits(usage, algorithm string) error {
	if kind := k.kind(); kind.usage != usage {
		return fault.Coded(fault.Invalid, "InvalidKeyUsageException", "%s is for %s, not for %s", k.ARN, kind.usage, usage)
	}
	if algorithms := k.kind().algorithms; algorithm != "" && !slices.Contains(algorithms, algorithm) {
		return fault.Coded(fault.Invalid, "InvalidKeyUsageException", "algorithm %q is not for keys of spec %s; they have %v", algorithm, k.spec(), algorithms)
	}
	return nil
}

// signer is the private key of a key that signs.
func (k *key) signer() (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(k.materials[k.last().Number])
	if err != nil {
		return nil, err
	}
	return private.(crypto.Signer), nil // we made it
}
