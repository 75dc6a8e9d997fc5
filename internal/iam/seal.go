package iam

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"github.com/dropstack/dropstack/internal/fault"
)

// Sealer keeps secrets. What is sealed for one context opens for that one only.
type Sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// aesSealer seals with AES-256-GCM.
type aesSealer struct{ aead cipher.AEAD }

// NewSealer seals under a key of 32 bytes.
func NewSealer(key []byte) (Sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aesSealer{aead}, err
}

// passing seals for as long as the process lives.
func passing() (Sealer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return NewSealer(key)
}

// Seal puts the nonce before what it seals.
func (s aesSealer) Seal(plaintext, context []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plaintext)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return s.aead.Seal(nonce, nonce, plaintext, context), nil
}

func (s aesSealer) Open(sealed, context []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, fault.Errorf(fault.Invalid, "%d bytes are too few to be sealed", len(sealed))
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], context)
}
