package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/dropstack/dropstack/internal/fault"
)

// SigningKey derives the key that signs heads and digests from the root key. The
// use label makes it a key of its own: nothing that is sealed with the root key
// is opened by it.
func SigningKey(root []byte) (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, root, nil, "dropstack audit signing", ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the audit log's key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Fingerprint is a public key's name: the beginning of its SHA-256, as CloudTrail
// names keys.
func Fingerprint(key ed25519.PublicKey) string {
	s := sha256.Sum256(key)
	return hex.EncodeToString(s[:16])
}

// keyring is public keys by fingerprint.
type keyring map[string]ed25519.PublicKey

func newKeyring(keys []ed25519.PublicKey) keyring {
	ring := keyring{}
	for _, k := range keys {
		ring[Fingerprint(k)] = k
	}
	return ring
}

func (k keyring) names() []string {
	names := make([]string, 0, len(k))
	for name := range k {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// verify checks a signature of the key with a fingerprint.
func (k keyring) verify(fingerprint string, message, signature []byte) error {
	key, known := k[fingerprint]
	if !known {
		return fmt.Errorf("signed with key %.32q, which is not among the known ones", fingerprint)
	}
	if !ed25519.Verify(key, message, signature) {
		return errors.New("the signature does not verify")
	}
	return nil
}

// ReadPublicKey reads a public key from a PEM file, such as those below
// DIR/audit/keys.
func ReadPublicKey(path string) (ed25519.PublicKey, error) {
	doc, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(doc)
	if block == nil {
		return nil, fault.Errorf(fault.Invalid, "%s is not a PEM file", path)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %w", path, err)
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fault.Errorf(fault.Invalid, "%s is a key of another kind: Ed25519 expected", path)
	}
	return public, nil
}

func encodePublicKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// readKeys reads the public keys of an audit directory. A file that is not
// exactly what was written there is a fault and gives no key.
func readKeys(dir string) (keyring, []Fault, error) {
	paths, err := filepath.Glob(filepath.Join(dir, keysDir, "*.pem"))
	if err != nil {
		return nil, nil, err
	}
	ring, faults := keyring{}, []Fault(nil)
	for _, path := range paths {
		name := filepath.Base(path)
		if key, ok := readExactKey(path); ok {
			ring[Fingerprint(key)] = key
			continue
		}
		faults = append(faults, Fault{File: filepath.Join(keysDir, name), Problem: "not the public key of that fingerprint: changed or cut"})
	}
	return ring, faults, nil
}

func readExactKey(path string) (ed25519.PublicKey, bool) {
	key, err := ReadPublicKey(path)
	if err != nil || Fingerprint(key)+".pem" != filepath.Base(path) {
		return nil, false
	}
	want, err := encodePublicKey(key)
	if err != nil {
		return nil, false
	}
	got, err := os.ReadFile(path)
	return key, err == nil && bytes.Equal(got, want)
}

// writeKey keeps a public key beside the log, unless it is there.
func writeKey(dir string, key ed25519.PublicKey) error {
	path := filepath.Join(dir, keysDir, Fingerprint(key)+".pem")
	if _, ok := readExactKey(path); ok {
		return nil
	}
	doc, err := encodePublicKey(key)
	if err != nil {
		return err
	}
	return writeFile(path, doc)
}
