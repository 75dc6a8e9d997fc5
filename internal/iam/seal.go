package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/dropstack/dropstack/internal/fault"
)

// Sealer keeps secrets. What is sealed for one context opens for that one only.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// rootSealer seals with AES-256-GCM, under a key derived from the root key in a
// file, which is opened, and made if it is not there, when it is first needed.
type rootSealer struct {
	path string
	once sync.Once
	aead cipher.AEAD
	err  error
}

func (s *rootSealer) open() (cipher.AEAD, error) {
	s.once.Do(func() {
		var root, key []byte
		if root, s.err = openRoot(s.path); s.err != nil {
			return
		}
		if key, s.err = hkdf.Key(sha256.New, root, nil, "dropstack iam", 32); s.err != nil {
			return
		}
		var block cipher.Block
		if block, s.err = aes.NewCipher(key); s.err == nil {
			s.aead, s.err = cipher.NewGCM(block)
		}
	})
	return s.aead, s.err
}

// Seal puts the nonce before what it seals.
func (s *rootSealer) Seal(plaintext, context []byte) ([]byte, error) {
	aead, err := s.open()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plaintext, context), nil
}

func (s *rootSealer) Open(sealed, context []byte) ([]byte, error) {
	aead, err := s.open()
	if err != nil {
		return nil, err
	}
	n := aead.NonceSize()
	if len(sealed) < n {
		return nil, fault.Errorf(fault.Invalid, "%d bytes are too few to be sealed", len(sealed))
	}
	return aead.Open(nil, sealed[:n], sealed[n:], context)
}
