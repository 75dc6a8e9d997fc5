package kms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

// keyOf makes a key of a spec.
func (w world) keyOf(t *testing.T, spec, usage string) kms.KeyMetadata {
	t.Helper()
	return must[kms.CreateKeyOutput](t)(w.CreateKey(w.ctx, kms.CreateKeyInput{KeySpec: spec, KeyUsage: usage})).KeyMetadata
}

func TestMACsAreThoseOfTheirMessage(t *testing.T) {
	for spec, size := range map[string]int{"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64} {
		bucket := &storetest.Memory{}
		w := start(t, rootKey(t, 1, 0), bucket)
		m := w.keyOf(t, spec, "GENERATE_VERIFY_MAC")
		algorithm := strings.Replace(spec, "_", "_SHA_", 1)
		if m.KeySpec != spec || m.KeyUsage != "GENERATE_VERIFY_MAC" || len(m.MacAlgorithms) != 1 || m.MacAlgorithms[0] != algorithm || len(m.EncryptionAlgorithms) > 0 {
			t.Errorf("%+v", m)
		}
		out := must[kms.GenerateMacOutput](t)(w.GenerateMac(w.ctx, kms.GenerateMacInput{KeyId: m.KeyId, Message: []byte("hello"), MacAlgorithm: algorithm}))
		if len(out.Mac) != size || out.KeyId != m.Arn {
			t.Errorf("%s: %+v", spec, out)
		}
		w = start(t, rootKey(t, 1, 0), bucket) // the same key after a restart
		in := kms.VerifyMacInput{KeyId: m.KeyId, Message: []byte("hello"), MacAlgorithm: algorithm, Mac: out.Mac}
		if valid := must[kms.VerifyMacOutput](t)(w.VerifyMac(w.ctx, in)).MacValid; !valid {
			t.Errorf("%s: not valid", spec)
		}
		in.Message = []byte("hullo")
		if got := code(w.VerifyMac(w.ctx, in)); got != "KMSInvalidMacException" {
			t.Errorf("%s, another message: %s", spec, got)
		}
	}
}

func TestSignaturesVerifyHereAndElsewhere(t *testing.T) {
	w := newWorld(t)
	message := []byte("hello")
	for _, spec := range []string{"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "RSA_2048"} {
		m := w.keyOf(t, spec, "SIGN_VERIFY")
		public := must[kms.GetPublicKeyOutput](t)(w.GetPublicKey(w.ctx, kms.GetPublicKeyInput{KeyId: m.KeyId}))
		if public.KeySpec != spec || len(public.SigningAlgorithms) == 0 || len(m.SigningAlgorithms) != len(public.SigningAlgorithms) {
			t.Errorf("%+v", public)
		}
		for _, algorithm := range m.SigningAlgorithms {
			digest := digestOf(algorithm, message)
			raw := must[kms.SignOutput](t)(w.Sign(w.ctx, kms.SignInput{KeyId: m.KeyId, Message: message, SigningAlgorithm: algorithm})).Signature
			ready := must[kms.SignOutput](t)(w.Sign(w.ctx, kms.SignInput{KeyId: m.KeyId, Message: digest, MessageType: "DIGEST", SigningAlgorithm: algorithm})).Signature
			for name, signature := range map[string][]byte{"message": raw, "digest": ready} {
				in := kms.VerifyInput{KeyId: m.KeyId, Message: message, Signature: signature, SigningAlgorithm: algorithm}
				if !must[kms.VerifyOutput](t)(w.Verify(w.ctx, in)).SignatureValid || !verifies(t, public.PublicKey, algorithm, digest, signature) {
					t.Errorf("%s with %s of a %s does not verify", spec, algorithm, name)
				}
				in.Message = []byte("hullo")
				if got := code(w.Verify(w.ctx, in)); got != "KMSInvalidSignatureException" {
					t.Errorf("%s with %s, another message: %s", spec, algorithm, got)
				}
				in.Message, in.Signature = message, append(bytes.Clone(signature), 0)
				if got := code(w.Verify(w.ctx, in)); got != "KMSInvalidSignatureException" {
					t.Errorf("%s with %s, another signature: %s", spec, algorithm, got)
				}
			}
		}
	}
}

func digestOf(algorithm string, message []byte) []byte {
	switch {
	case strings.HasSuffix(algorithm, "384"):
		d := sha512.Sum384(message)
		return d[:]
	case strings.HasSuffix(algorithm, "512"):
		d := sha512.Sum512(message)
		return d[:]
	}
	d := sha256.Sum256(message)
	return d[:]
}

// verifies checks a signature as anybody with the public key does.
func verifies(t *testing.T, der []byte, algorithm string, digest, signature []byte) bool {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[len(algorithm)-3:]]
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case *rsa.PublicKey:
		if strings.Contains(algorithm, "PSS") {
			return rsa.VerifyPSS(key, hash, digest, signature, nil) == nil
		}
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	}
	return false
}

func TestKeysAreForOneUse(t *testing.T) {
	w := newWorld(t)
	symmetric := w.key(t)
	mac := w.keyOf(t, "HMAC_256", "GENERATE_VERIFY_MAC").KeyId
	sign := w.keyOf(t, "ECC_NIST_P256", "SIGN_VERIFY").KeyId
	message := []byte("hello")
	stranger := kmstest.As(t.Context(), kmstest.User("stranger"))
	grant := func(id string, c *kms.GrantConstraints, ops ...string) string {
		return code(w.CreateGrant(w.ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: kmstest.User("w"), Operations: ops, Constraints: c}))
	}
	for name, c := range map[string]struct{ got, want string }{
		"encrypt with a key that signs":    {code(w.Encrypt(w.ctx, kms.EncryptInput{KeyId: sign, Plaintext: message})), "InvalidKeyUsageException"},
		"data key of a key for MACs":       {code(w.GenerateDataKey(w.ctx, kms.GenerateDataKeyInput{KeyId: mac, KeySpec: "AES_256"})), "InvalidKeyUsageException"},
		"sign with a symmetric key":        {code(w.Sign(w.ctx, kms.SignInput{KeyId: symmetric, Message: message, SigningAlgorithm: "ECDSA_SHA_256"})), "InvalidKeyUsageException"},
		"sign with an algorithm of RSA":    {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, Message: message, SigningAlgorithm: "RSASSA_PSS_SHA_256"})), "InvalidKeyUsageException"},
		"sign without an algorithm":        {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, Message: message})), "ValidationException"},
		"sign a digest that is none":       {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, Message: message, MessageType: "DIGEST", SigningAlgorithm: "ECDSA_SHA_256"})), "ValidationException"},
		"sign another type":                {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, Message: message, MessageType: "TEXT", SigningAlgorithm: "ECDSA_SHA_256"})), "ValidationException"},
		"sign nothing":                     {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, SigningAlgorithm: "ECDSA_SHA_256"})), "ValidationException"},
		"sign, dry run":                    {code(w.Sign(w.ctx, kms.SignInput{KeyId: sign, Message: message, SigningAlgorithm: "ECDSA_SHA_256", DryRun: true})), "DryRunOperationException"},
		"sign, stranger":                   {code(w.Sign(stranger, kms.SignInput{KeyId: sign, Message: message, SigningAlgorithm: "ECDSA_SHA_256"})), "AccessDeniedException"},
		"MAC too long":                     {code(w.GenerateMac(w.ctx, kms.GenerateMacInput{KeyId: mac, Message: make([]byte, 4097), MacAlgorithm: "HMAC_SHA_256"})), "ValidationException"},
		"MAC without an algorithm":         {code(w.GenerateMac(w.ctx, kms.GenerateMacInput{KeyId: mac, Message: message})), "ValidationException"},
		"MAC of another size":              {code(w.GenerateMac(w.ctx, kms.GenerateMacInput{KeyId: mac, Message: message, MacAlgorithm: "HMAC_SHA_512"})), "InvalidKeyUsageException"},
		"MAC, dry run":                     {code(w.GenerateMac(w.ctx, kms.GenerateMacInput{KeyId: mac, Message: message, MacAlgorithm: "HMAC_SHA_256", DryRun: true})), "DryRunOperationException"},
		"public key of a key for MACs":     {code(w.GetPublicKey(w.ctx, kms.GetPublicKeyInput{KeyId: mac})), "UnsupportedOperationException"},
		"rotation of a key that signs":     {code(w.EnableKeyRotation(w.ctx, kms.EnableKeyRotationInput{KeyId: sign})), "UnsupportedOperationException"},
		"rotation now of a key for MACs":   {code(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: mac})), "UnsupportedOperationException"},
		"grant of another use":             {grant(sign, nil, "Encrypt"), "ValidationException"},
		"grant with a context, no use":     {grant(mac, &kms.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}, "GenerateMac"), "ValidationException"},
		"grant of this use":                {grant(sign, nil, "Sign", "GetPublicKey"), "no error"},
		"create: no usage":                 {code(w.CreateKey(w.ctx, kms.CreateKeyInput{KeySpec: "HMAC_256"})), "ValidationException"},
		"create: usage of another":         {code(w.CreateKey(w.ctx, kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "SIGN_VERIFY"})), "ValidationException"},
		"create: RSA that encrypts":        {code(w.CreateKey(w.ctx, kms.CreateKeyInput{KeySpec: "RSA_2048", KeyUsage: "ENCRYPT_DECRYPT"})), "UnsupportedOperationException"},
		"create: a curve that is not here": {code(w.CreateKey(w.ctx, kms.CreateKeyInput{KeySpec: "ECC_SECG_P256K1", KeyUsage: "SIGN_VERIFY"})), "UnsupportedOperationException"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
	worker := kmstest.As(t.Context(), kmstest.User("w"))
	must[kms.SignOutput](t)(w.Sign(worker, kms.SignInput{KeyId: sign, Message: message, SigningAlgorithm: "ECDSA_SHA_256"}))
	must[kms.GetPublicKeyOutput](t)(w.GetPublicKey(worker, kms.GetPublicKeyInput{KeyId: sign}))
}
