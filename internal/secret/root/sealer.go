package root

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Sealed bytes are
//
//	1 byte    format, 1
//	8 bytes   fingerprint of the key
//	32 bytes  salt, random
//	          AES-256-GCM of the plaintext, tag last
//
// where key and nonce come from HKDF of the use's key and the salt, and the
// additional data is everything before the ciphertext and the context.
const (
	format   = 1
	saltSize = 32
	headSize = 1 + 8 + saltSize
	tagSize  = 16
)

// Sealer seals small things under one key for one use. It is safe for concurrent
// use.
type Sealer struct {
	keys func() *ring
	use  string
}

// Seal encrypts plaintext and binds it to a context, which Open must be given
// again: the name of the place where the sealed bytes are kept, for one.
func (s *Sealer) Seal(plaintext, context []byte) ([]byte, error) {
	key := s.keys().current
	head := make([]byte, headSize, headSize+len(plaintext)+tagSize)
	head[0] = format
	copy(head[1:], key.id[:])
	_, _ = rand.Read(head[1+len(key.id):]) // never fails
	gcm, nonce := s.cipher(key, head)
	return gcm.Seal(head, nonce, plaintext, additional(head, context)), nil
}

// Open decrypts what Seal made with the same context.
func (s *Sealer) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < headSize+tagSize || sealed[0] != format {
		return nil, errSealed
	}
	head, keys := sealed[:headSize], s.keys()
	key, ok := keys.find(head[1:9])
	if !ok {
		return nil, fmt.Errorf("sealed under key %s, which is not there (there is %s): restore the key that belongs to this data", hex.EncodeToString(head[1:9]), names(keys))
	}
	gcm, nonce := s.cipher(key, head)
	plaintext, err := gcm.Open(nil, nonce, sealed[headSize:], additional(head, context))
	if err != nil {
		return nil, errSealed
	}
	return plaintext, nil
}

// Current reports whether sealed is under the current key.
func (s *Sealer) Current(sealed []byte) bool {
	id := s.keys().current.id
	return len(sealed) >= headSize && string(sealed[1:9]) == string(id[:])
}

// cipher is the cipher of one message. No two messages have the same key, so the
// nonce need not be random.
func (s *Sealer) cipher(key Key, head []byte) (cipher.AEAD, []byte) {
	material, err := hkdf.Key(sha256.New, key.Derive("dropstack seal\x00"+s.use, 32), head[1+len(key.id):], "message", 32+12)
	if err != nil {
		panic(err) // only for lengths over 8,160 bytes
	}
	block, err := aes.NewCipher(material[:32])
	if err != nil {
		panic(err) // only for other lengths
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for other blocks
	}
	return gcm, material[32:]
}

// additional joins the head, whose length is fixed, and the context.
func additional(head, context []byte) []byte {
	return append(head[:headSize:headSize], context...)
}

func names(r *ring) string {
	var ids []string
	for _, k := range r.keys() {
		ids = append(ids, k.ID())
	}
	return strings.Join(ids, ", ")
}
