package server

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
)

// environments encrypts the environments of functions where they are stored, under
// the platform's own secret or a key that the function names.
type environments struct {
	own  *root.Sealer
	keys *kms.Keys
}

func (s *secrets) environments() *environments {
	return &environments{own: s.kept.Sealer("environments"), keys: s.keys}
}

// itself marks what the platform does for itself: a key's policy has no say in
// whether a start may read back what was stored, though its state has.
type itself struct{}

// boundTo is the encryption context of an environment, as Lambda has it.
func boundTo(context []byte) map[string]string {
	return map[string]string{"aws:lambda:FunctionArn": string(context)}
}

// Seal implements function.Sealer. With a key it is called for who deploys, who
// must be allowed to use it.
func (e *environments) Seal(ctx context.Context, keyARN string, plaintext, context []byte) ([]byte, error) {
	if keyARN == "" {
		return e.own.Seal(plaintext, context)
	}
	key, err := e.keys.GenerateDataKey(ctx, kms.GenerateDataKeyInput{KeyId: keyARN, KeySpec: "AES_256", EncryptionContext: boundTo(context)})
	if err != nil {
		return nil, err
	}
	gcm, err := sealWith(key.Plaintext)
	if err != nil {
		return nil, err
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(key.CiphertextBlob)))
	out = append(out, key.CiphertextBlob...)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return gcm.Seal(append(out, nonce...), nonce, plaintext, context), nil
}

// Open implements function.Sealer.
func (e *environments) Open(ctx context.Context, keyARN string, sealed, context []byte) ([]byte, error) {
	if keyARN == "" {
		return e.own.Open(sealed, context)
	}
	if len(sealed) < 4 || uint32(len(sealed)-4) < binary.BigEndian.Uint32(sealed) {
		return nil, fault.Errorf(fault.Invalid, "the sealed environment is cut short")
	}
	n := binary.BigEndian.Uint32(sealed)
	blob, rest := sealed[4:4+n], sealed[4+n:]
	key, err := e.keys.Decrypt(withItself(ctx), kms.DecryptInput{KeyId: keyARN, CiphertextBlob: blob, EncryptionContext: boundTo(context)})
	if err != nil {
		return nil, err
	}
	gcm, err := sealWith(key.Plaintext)
	if err != nil || len(rest) < gcm.NonceSize() {
		return nil, fault.Errorf(fault.Invalid, "the sealed environment is damaged")
	}
	return gcm.Open(nil, rest[:gcm.NonceSize()], rest[gcm.NonceSize():], context)
}

func withItself(ctx context.Context) context.Context {
	return context.WithValue(ctx, itself{}, true)
}

func sealWith(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// wanted returns the parameters that a function has in its environment, as its
// role may read them.
func (s *secrets) wanted(keys *iam.Authority, region string) func(context.Context, function.Function) (map[string]string, error) {
	return func(ctx context.Context, fn function.Function) (map[string]string, error) {
		who, err := keys.RunsAs(fn.ARN, fn.Role)
		if err != nil {
			return nil, err
		}
		ctx = iam.With(ctx, who, iam.Request{UserAgent: "lambda.amazonaws.com", Region: region, SecureTransport: true, Time: time.Now()})
		named, paths := map[string]string{}, []string{} // named: parameters by variable
		var refs []string
		for _, one := range fn.Secrets {
			switch {
			case one.Name != "":
				named[one.Name] = one.Parameter
				refs = append(refs, one.Parameter)
			case strings.HasSuffix(one.Parameter, "/"), strings.HasSuffix(one.Parameter, "/**"):
				paths = append(paths, one.Parameter)
			default:
				paths = append(paths, one.Parameter+"/")
			}
		}
		all := map[string]string{}
		if len(paths) > 0 {
			values, err := s.parameters.Environment(ctx, paths)
			if err != nil {
				return nil, err
			}
			maps.Copy(all, values)
		}
		if len(refs) == 0 {
			return all, nil
		}
		found, err := s.parameters.Resolve(ctx, refs)
		if err != nil {
			return nil, err
		}
		for name, ref := range named {
			all[name] = found[ref].Value
		}
		return all, nil
	}
}
