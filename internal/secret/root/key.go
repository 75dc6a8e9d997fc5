package root

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// size is how many bytes a root key has.
const size = 32

// Key is one root key. It never shows its secret, however it is printed.
type Key struct {
	id     [8]byte
	secret *[size]byte // a pointer, which prints as an address
}

// newKey is the key of a secret.
func newKey(secret []byte) Key {
	k := Key{secret: (*[size]byte)(bytes.Clone(secret))}
	copy(k.id[:], k.Derive("dropstack root key id", len(k.id)))
	return k
}

// fresh is a new key.
func fresh() Key {
	secret := make([]byte, size)
	_, _ = rand.Read(secret) // never fails
	return newKey(secret)
}

// ID is a fingerprint of the key, which tells nothing else about it.
func (k Key) ID() string { return hex.EncodeToString(k.id[:]) }

// String names the key by its fingerprint.
func (k Key) String() string { return k.ID() }

// Derive makes n bytes for a use, always the same. No use tells anything about
// another or about the key.
func (k Key) Derive(use string, n int) []byte {
	derived, err := hkdf.Key(sha256.New, k.secret[:], nil, use, n)
	if err != nil {
		panic(err) // only for lengths over 8,160 bytes
	}
	return derived
}

// ring is the current key, and the previous ones that something may still be
// sealed under.
type ring struct {
	current  Key
	previous []Key
}

func (r ring) keys() []Key { return append([]Key{r.current}, r.previous...) }

// find returns the key of a fingerprint.
func (r ring) find(id []byte) (Key, bool) {
	for _, k := range r.keys() {
		if bytes.Equal(k.id[:], id) {
			return k, true
		}
	}
	return Key{}, false
}

// bytes is the secrets one after the other, the current one first, so that 32
// bytes are one key.
func (r ring) bytes() []byte {
	var b []byte
	for _, k := range r.keys() {
		b = append(b, k.secret[:]...)
	}
	return b
}

// parseRing reads what bytes wrote, or the same keys as lines of base64. what
// names the place in errors.
func parseRing(content []byte, what string) (ring, error) {
	if r, err := parseText(string(content), what); err == nil {
		return r, nil
	}
	if len(content) == 0 || len(content)%size != 0 {
		return ring{}, invalid("%s has %d bytes; a root key has %d, or is a line of their base64", what, len(content), size)
	}
	var r ring
	for i := 0; i < len(content); i += size {
		r = r.with(newKey(content[i : i+size]))
	}
	return r, nil
}

// parseText reads keys in base64, separated by spaces or new lines.
func parseText(text, what string) (ring, error) {
	var r ring
	for i, field := range bytes.Fields([]byte(text)) {
		secret, err := base64.StdEncoding.DecodeString(string(field))
		if err != nil || len(secret) != size {
			return ring{}, invalid("%s: key %d is not the base64 of %d bytes; make one by: openssl rand -base64 %d", what, i+1, size, size)
		}
		r = r.with(newKey(secret))
	}
	if r.current.secret == nil {
		return ring{}, invalid("%s holds no key; make one by: openssl rand -base64 %d", what, size)
	}
	return r, nil
}

// with adds keys at the end of the ring, unless they are there.
func (r ring) with(keys ...Key) ring {
	for _, k := range keys {
		if r.current.secret == nil {
			r.current = k
		} else if _, known := r.find(k.id[:]); !known {
			r.previous = append(r.previous[:len(r.previous):len(r.previous)], k)
		}
	}
	return r
}

func (r ring) String() string { return fmt.Sprint(r.keys()) }
