package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"

	"github.com/dropstack/dropstack/internal/fault"
)

// Sealer keeps secrets. What is sealed for one context opens for that one only.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// rootSealer seals with AES-256-GCM, under a key derived from a root key.
type rootSealer struct{ aead cipher.AEAD }

func newRootSealer(root []byte) (rootSealer, error) {
	key, err := hkdf.Key(sha256.New, root, nil, "dropstack iam", 32)
	if err != nil {
		return rootSealer{}, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return rootSealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return rootSealer{aead}, err
}

// Seal puts the nonce before what it seals.
func (s rootSealer) Seal(plaintext, context []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plaintext)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plaintext, context), nil
}

func (s rootSealer) Open(sealed, context []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, fault.Errorf(fault.Invalid, "%d bytes are too few to be sealed", len(sealed))
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], context)
}
