package secret

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/kms"
)

// The types of a parameter.
const (
	plain  = "String"
	list   = "StringList"
	secure = "SecureString"
)

// usualKey is the key of SecureStrings that name none.
const usualKey = "alias/aws/ssm"

// The value of a standard SecureString is a ciphertext of its key. An advanced
// one may be longer than keys encrypt, so it has a data key of its own:
//
//	1 byte    format, 1
//	2 bytes   length of what follows, big endian
//	          the data key, a ciphertext of the key
//	          AES-256-GCM of the value, tag last; additional data is the ARN
//
// The data key encrypts this one value, so its nonce is always zero.
const envelope = 1

// errValue says nothing of why: that would help those only who tamper.
var errValue = errors.New("the stored value does not verify: it was damaged or changed")

func bound(arn string) map[string]string { return map[string]string{"PARAMETER_ARN": arn} }

// encrypt puts a value into v, encrypted if it is a SecureString.
func (p *Parameters) encrypt(ctx context.Context, v *version, name, value string) error {
	v.Value = []byte(value)
	if v.Type != secure {
		return nil
	}
	ctx, v.ARN = kms.Via(ctx, "ssm"), p.arn(name)
	if v.Tier != advanced {
		out, err := p.Keys.Encrypt(ctx, kms.EncryptInput{KeyId: v.KeyID, Plaintext: v.Value, EncryptionContext: bound(v.ARN)})
		v.Value = out.CiphertextBlob
		return keyError(v.KeyID, err)
	}
	out, err := p.Keys.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: v.KeyID, KeySpec: "AES_256", EncryptionContext: bound(v.ARN)})
	if err != nil {
		return keyError(v.KeyID, err)
	}
	gcm := valueCipher(out.Plaintext)
	head := binary.BigEndian.AppendUint16([]byte{envelope}, uint16(len(out.CiphertextBlob)))
	head = append(head, out.CiphertextBlob...)
	v.Value = gcm.Seal(head, make([]byte, gcm.NonceSize()), []byte(value), []byte(v.ARN))
	return nil
}

// text is the value of a version as clients get it: in clear, or the ciphertext in
// base64.
func (p *Parameters) text(ctx context.Context, v *version, clear bool) (string, error) {
	if v.Type != secure {
		return string(v.Value), nil
	}
	if !clear {
		return base64.StdEncoding.EncodeToString(v.Value), nil
	}
	value, err := p.decrypt(kms.Via(ctx, "ssm"), v)
	return string(value), err
}

func (p *Parameters) decrypt(ctx context.Context, v *version) ([]byte, error) {
	if v.Tier != advanced {
		out, err := p.Keys.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: v.Value, EncryptionContext: bound(v.ARN)})
		return out.Plaintext, keyError(v.KeyID, err)
	}
	if len(v.Value) < 3 || v.Value[0] != envelope {
		return nil, errValue
	}
	end := 3 + int(binary.BigEndian.Uint16(v.Value[1:]))
	if end > len(v.Value) {
		return nil, errValue
	}
	out, err := p.Keys.Decrypt(ctx, kms.DecryptInput{CiphertextBlob: v.Value[3:end], EncryptionContext: bound(v.ARN)})
	if err != nil {
		return nil, keyError(v.KeyID, err)
	}
	if len(out.Plaintext) != 32 {
		return nil, errValue
	}
	gcm := valueCipher(out.Plaintext)
	value, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), v.Value[end:], []byte(v.ARN))
	if err != nil {
		return nil, errValue
	}
	return value, nil
}

func valueCipher(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // only for other lengths
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only for other blocks
	}
	return gcm
}

// keyError is an error of a key in the words of the parameter store, which knows
// one for all that is wrong with a key.
func keyError(id string, err error) error {
	switch fault.CodeOf(err) {
	case "NotFoundException", "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException", "InvalidArnException", "KeyUnavailableException", "ValidationException":
		return fault.Coded(fault.Invalid, "InvalidKeyId", "key %s: %w", id, err)
	}
	if err != nil {
		return fmt.Errorf("key %s: %w", id, err)
	}
	return nil
}
