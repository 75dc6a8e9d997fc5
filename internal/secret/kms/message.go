package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
)

// A ciphertext is
//
//	1 byte    format, 1
//	16 bytes  id of the key
//	4 bytes   version, big endian
//	32 bytes  salt, random
//	          AES-256-GCM of the plaintext, tag last
const (
	format   = 1
	saltAt   = 1 + 16 + 4
	headSize = saltAt + 32
	tagSize  = 16
)

// encrypt makes a ciphertext under a version of the key.
func (k *key) encrypt(plaintext []byte, context map[string]string) []byte {
	number := k.last().Number
	head := make([]byte, headSize, headSize+len(plaintext)+tagSize)
	id := uuid.MustParse(k.ID) // we made it
	head[0] = format
	copy(head[1:], id[:])
	binary.BigEndian.PutUint32(head[17:], number)
	_, _ = rand.Read(head[saltAt:]) // never fails
	gcm, nonce := messageCipher(k.materials[number], head[saltAt:])
	return gcm.Seal(head, nonce, plaintext, append(head[:headSize:headSize], canonical(context)...))
}

// decrypt opens a ciphertext of this key.
func (k *key) decrypt(blob []byte, context map[string]string) ([]byte, version, error) {
	_, number, ok := parseBlob(blob)
	if !ok {
		return nil, version{}, errCiphertext
	}
	i := slices.IndexFunc(k.Versions, func(v version) bool { return v.Number == number })
	if i < 0 {
		return nil, version{}, errCiphertext
	}
	head := blob[:headSize]
	gcm, nonce := messageCipher(k.materials[number], head[saltAt:])
	plaintext, err := gcm.Open(nil, nonce, blob[headSize:], append(head[:headSize:headSize], canonical(context)...))
	if err != nil {
		return nil, version{}, errCiphertext
	}
	return plaintext, k.Versions[i], nil
}

// errCiphertext says nothing of why: that would help those only who tamper.
var errCiphertext = fault.Coded(fault.Invalid, "InvalidCiphertextException", "the ciphertext does not verify: it was damaged or changed, it is none of ours, or its encryption context is another")

// parseBlob reads which key and version a ciphertext needs.
func parseBlob(blob []byte) (id string, number uint32, ok bool) {
	if len(blob) < headSize+tagSize || len(blob) > maxCiphertext || blob[0] != format {
		return "", 0, false
	}
	return uuid.UUID(blob[1:17]).String(), binary.BigEndian.Uint32(blob[17:]), true
}

// messageCipher is the cipher of one message. No two messages have the same key,
// so the nonce need not be random.
func messageCipher(material, salt []byte) (cipher.AEAD, []byte) {
	derived, err := hkdf.Key(sha256.New, material, salt, "dropstack kms message", 32+12)
	if err != nil {
		panic(err) // only for lengths over 8,160 bytes
	}
	block, err := aes.NewCipher(derived[:32])
	if err != nil {
		panic(err) // only for other lengths
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for other blocks
	}
	return gcm, derived[32:]
}

// canonical is an encryption context as bytes: sorted, each text behind its
// length, so that no two contexts are the same bytes.
func canonical(context map[string]string) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(context)) {
		for _, text := range []string{name, context[name]} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
	}
	return b
}

// materialID names the material of a version and tells nothing else about it.
func materialID(material []byte) string {
	name, err := hkdf.Key(sha256.New, material, nil, "dropstack kms material id", 32)
	if err != nil {
		panic(err) // only for lengths over 8,160 bytes
	}
	return hex.EncodeToString(name)
}
