package kms

import (
	"context"
	"crypto/rand"

	"github.com/dropstack/dropstack/internal/fault"
)

// EncryptInput is what to encrypt, and under which key.
type EncryptInput struct {
	KeyId               string
	Plaintext           []byte            `audit:"hidden"`
	EncryptionContext   map[string]string `json:",omitempty"`
	EncryptionAlgorithm string            `json:",omitempty"`
	GrantTokens         []string          `json:",omitempty"`
	DryRun              bool              `json:",omitempty"`
}

// EncryptOutput is a ciphertext and the ARN of its key.
type EncryptOutput struct {
	CiphertextBlob      []byte
	EncryptionAlgorithm string
	KeyId               string
}

// Encrypt encrypts up to 4,096 bytes and binds them to the encryption context.
func (k *Keys) Encrypt(ctx context.Context, in EncryptInput) (EncryptOutput, error) {
	if len(in.Plaintext) == 0 || len(in.Plaintext) > maxPlaintext {
		return EncryptOutput{}, invalid("Plaintext has %d bytes; 1 to %d are possible: encrypt more with a data key", len(in.Plaintext), maxPlaintext)
	}
	if err := checkUse(in.EncryptionAlgorithm, in.EncryptionContext, nil); err != nil {
		return EncryptOutput{}, err
	}
	key, err := k.take(ctx, in.KeyId, ask{action: "Encrypt", context: in.EncryptionContext, usage: encrypts, tokens: in.GrantTokens})
	if err != nil {
		return EncryptOutput{}, err
	}
	if err := dryRun(in.DryRun); err != nil {
		return EncryptOutput{}, err
	}
	return EncryptOutput{key.encrypt(in.Plaintext, in.EncryptionContext), symmetric, key.ARN}, nil
}

// DecryptInput is a ciphertext and the context that it was encrypted with.
type DecryptInput struct {
	CiphertextBlob      []byte
	KeyId               string            `json:",omitempty"` // the key that it must be under, if any
	EncryptionContext   map[string]string `json:",omitempty"`
	EncryptionAlgorithm string            `json:",omitempty"`
	GrantTokens         []string          `json:",omitempty"`
	DryRun              bool              `json:",omitempty"`
	Recipient           map[string]any    `json:",omitempty"` // an enclave: refused
}

// DecryptOutput is a plaintext and the ARN of the key that it was under.
type DecryptOutput struct {
	Plaintext           []byte `audit:"hidden"`
	EncryptionAlgorithm string
	KeyId               string
	KeyMaterialId       string
}

// Decrypt opens a ciphertext under whichever version of the key it is.
func (k *Keys) Decrypt(ctx context.Context, in DecryptInput) (DecryptOutput, error) {
	if err := checkUse(in.EncryptionAlgorithm, in.EncryptionContext, in.Recipient); err != nil {
		return DecryptOutput{}, err
	}
	key, err := k.takeFor(ctx, in.CiphertextBlob, in.KeyId, ask{action: "Decrypt", context: in.EncryptionContext, usage: encrypts, tokens: in.GrantTokens})
	if err != nil {
		return DecryptOutput{}, err
	}
	plaintext, v, err := key.decrypt(in.CiphertextBlob, in.EncryptionContext)
	if err != nil {
		return DecryptOutput{}, err
	}
	if err := dryRun(in.DryRun); err != nil {
		return DecryptOutput{}, err
	}
	return DecryptOutput{plaintext, symmetric, key.ARN, v.MaterialID}, nil
}

// ReEncryptInput is a ciphertext and where it is to move.
type ReEncryptInput struct {
	CiphertextBlob                 []byte
	SourceKeyId                    string            `json:",omitempty"`
	SourceEncryptionContext        map[string]string `json:",omitempty"`
	SourceEncryptionAlgorithm      string            `json:",omitempty"`
	DestinationKeyId               string
	DestinationEncryptionContext   map[string]string `json:",omitempty"`
	DestinationEncryptionAlgorithm string            `json:",omitempty"`
	GrantTokens                    []string          `json:",omitempty"`
	DryRun                         bool              `json:",omitempty"`
}

// ReEncryptOutput is the ciphertext under the destination key.
type ReEncryptOutput struct {
	CiphertextBlob                 []byte
	KeyId                          string
	SourceKeyId                    string
	SourceEncryptionAlgorithm      string
	DestinationEncryptionAlgorithm string
	SourceKeyMaterialId            string
	DestinationKeyMaterialId       string
}

// ReEncrypt moves a ciphertext to another key or context, or to the newest
// version of its own key, without showing what it holds.
func (k *Keys) ReEncrypt(ctx context.Context, in ReEncryptInput) (ReEncryptOutput, error) {
	if err := checkUse(in.SourceEncryptionAlgorithm, in.SourceEncryptionContext, nil); err != nil {
		return ReEncryptOutput{}, err
	}
	if err := checkUse(in.DestinationEncryptionAlgorithm, in.DestinationEncryptionContext, nil); err != nil {
		return ReEncryptOutput{}, err
	}
	from, err := k.takeFor(ctx, in.CiphertextBlob, in.SourceKeyId, ask{action: "ReEncryptFrom", context: in.SourceEncryptionContext, usage: encrypts, tokens: in.GrantTokens})
	if err != nil {
		return ReEncryptOutput{}, err
	}
	to, err := k.take(ctx, in.DestinationKeyId, ask{action: "ReEncryptTo", context: in.DestinationEncryptionContext, usage: encrypts, tokens: in.GrantTokens})
	if err != nil {
		return ReEncryptOutput{}, err
	}
	plaintext, v, err := from.decrypt(in.CiphertextBlob, in.SourceEncryptionContext)
	if err != nil {
		return ReEncryptOutput{}, err
	}
	if err := dryRun(in.DryRun); err != nil {
		return ReEncryptOutput{}, err
	}
	return ReEncryptOutput{
		CiphertextBlob: to.encrypt(plaintext, in.DestinationEncryptionContext), KeyId: to.ARN, SourceKeyId: from.ARN,
		SourceEncryptionAlgorithm: symmetric, DestinationEncryptionAlgorithm: symmetric,
		SourceKeyMaterialId: v.MaterialID, DestinationKeyMaterialId: to.last().MaterialID,
	}, nil
}

// GenerateDataKeyInput says which key seals the data key, and its size: KeySpec
// or NumberOfBytes.
type GenerateDataKeyInput struct {
	KeyId             string
	KeySpec           string            `json:",omitempty"` // AES_256 or AES_128
	NumberOfBytes     *int              `json:",omitempty"`
	EncryptionContext map[string]string `json:",omitempty"`
	GrantTokens       []string          `json:",omitempty"`
	DryRun            bool              `json:",omitempty"`
	Recipient         map[string]any    `json:",omitempty"` // an enclave: refused
}

// GenerateDataKeyOutput is a data key, plain and encrypted.
type GenerateDataKeyOutput struct {
	CiphertextBlob []byte
	Plaintext      []byte `audit:"hidden"`
	KeyId          string
	KeyMaterialId  string
}

// GenerateDataKey makes a random key to encrypt data with elsewhere.
func (k *Keys) GenerateDataKey(ctx context.Context, in GenerateDataKeyInput) (GenerateDataKeyOutput, error) {
	return k.dataKey(ctx, "GenerateDataKey", in)
}

// GenerateDataKeyWithoutPlaintextInput is GenerateDataKeyInput.
type GenerateDataKeyWithoutPlaintextInput GenerateDataKeyInput

// GenerateDataKeyWithoutPlaintextOutput is a data key, encrypted.
type GenerateDataKeyWithoutPlaintextOutput struct {
	CiphertextBlob []byte
	KeyId          string
	KeyMaterialId  string
}

// GenerateDataKeyWithoutPlaintext is GenerateDataKey for those who only hand the
// key on.
func (k *Keys) GenerateDataKeyWithoutPlaintext(ctx context.Context, in GenerateDataKeyWithoutPlaintextInput) (GenerateDataKeyWithoutPlaintextOutput, error) {
	out, err := k.dataKey(ctx, "GenerateDataKeyWithoutPlaintext", GenerateDataKeyInput(in))
	return GenerateDataKeyWithoutPlaintextOutput{out.CiphertextBlob, out.KeyId, out.KeyMaterialId}, err
}

func (k *Keys) dataKey(ctx context.Context, action string, in GenerateDataKeyInput) (GenerateDataKeyOutput, error) {
	if err := checkUse("", in.EncryptionContext, in.Recipient); err != nil {
		return GenerateDataKeyOutput{}, err
	}
	size, err := dataKeySize(in.KeySpec, in.NumberOfBytes)
	if err != nil {
		return GenerateDataKeyOutput{}, err
	}
	key, err := k.take(ctx, in.KeyId, ask{action: action, context: in.EncryptionContext, usage: encrypts, tokens: in.GrantTokens})
	if err != nil {
		return GenerateDataKeyOutput{}, err
	}
	if err := dryRun(in.DryRun); err != nil {
		return GenerateDataKeyOutput{}, err
	}
	plaintext := make([]byte, size)
	_, _ = rand.Read(plaintext) // never fails
	return GenerateDataKeyOutput{key.encrypt(plaintext, in.EncryptionContext), plaintext, key.ARN, key.last().MaterialID}, nil
}

func dataKeySize(spec string, bytes *int) (int, error) {
	switch {
	case (spec == "") == (bytes == nil):
		return 0, invalid("give either KeySpec or NumberOfBytes")
	case spec == "AES_256":
		return 32, nil
	case spec == "AES_128":
		return 16, nil
	case spec != "":
		return 0, invalid("KeySpec %q of a data key is none of AES_256 and AES_128", spec)
	case *bytes < 1 || *bytes > maxRandom:
		return 0, invalid("NumberOfBytes is %d; 1 to %d are possible", *bytes, maxRandom)
	}
	return *bytes, nil
}

// GenerateRandomInput says how many bytes.
type GenerateRandomInput struct {
	NumberOfBytes    *int           `json:",omitempty"`
	CustomKeyStoreId string         `json:",omitempty"` // refused
	Recipient        map[string]any `json:",omitempty"` // refused
}

// GenerateRandomOutput is random bytes.
type GenerateRandomOutput struct {
	Plaintext []byte `audit:"hidden"`
}

// GenerateRandom returns 1 to 1,024 random bytes.
func (k *Keys) GenerateRandom(ctx context.Context, in GenerateRandomInput) (GenerateRandomOutput, error) {
	if in.CustomKeyStoreId != "" {
		return GenerateRandomOutput{}, fault.Coded(fault.NotFound, "CustomKeyStoreNotFoundException", "there is no key store %q; leave CustomKeyStoreId out", in.CustomKeyStoreId)
	}
	if err := checkUse("", nil, in.Recipient); err != nil {
		return GenerateRandomOutput{}, err
	}
	if in.NumberOfBytes == nil || *in.NumberOfBytes < 1 || *in.NumberOfBytes > maxRandom {
		return GenerateRandomOutput{}, invalid("NumberOfBytes is required: 1 to %d", maxRandom)
	}
	if err := k.authorizeOther(ctx, "GenerateRandom", "*", nil); err != nil {
		return GenerateRandomOutput{}, err
	}
	plaintext := make([]byte, *in.NumberOfBytes)
	_, _ = rand.Read(plaintext) // never fails
	return GenerateRandomOutput{plaintext}, nil
}

// take returns the key that a request names, if the caller may use it and it is
// in a state to be used.
func (k *Keys) take(ctx context.Context, id string, q ask) (*key, error) {
	key, alias, err := k.findAny(ctx, id)
	if err != nil {
		return nil, err
	}
	q.alias = alias
	return key, k.admit(ctx, key, q)
}

// admit says why the caller cannot use a key.
func (k *Keys) admit(ctx context.Context, key *key, q ask) error {
	if err := k.authorize(ctx, key, q); err != nil {
		return err
	}
	if err := key.usable(q.action); err != nil {
		return err
	}
	return key.suits(q.usage, q.algorithm)
}

// takeFor is take for the key that a ciphertext is under, which must be the one
// that the request names, if it names one.
func (k *Keys) takeFor(ctx context.Context, blob []byte, id string, q ask) (*key, error) {
	if len(blob) == 0 || len(blob) > maxCiphertext {
		return nil, invalid("CiphertextBlob has %d bytes; 1 to %d are possible", len(blob), maxCiphertext)
	}
	under, _, ok := parseBlob(blob)
	if !ok {
		return nil, errCiphertext
	}
	if id != "" {
		named, _, err := k.findAny(ctx, id)
		if err != nil {
			return nil, err
		}
		if named.ID != under {
			return nil, fault.Coded(fault.Invalid, "IncorrectKeyException", "the ciphertext is not under %s", named.ARN)
		}
	}
	key, err := k.find(under)
	if isNotFound(err) {
		return nil, fault.Coded(fault.Denied, "AccessDeniedException", "the ciphertext is under a key that does not exist here, or that you may not use")
	}
	if err != nil {
		return nil, err
	}
	return key, k.admit(ctx, key, q)
}

// checkUse checks what every use of a key may carry.
func checkUse(algorithm string, context map[string]string, recipient map[string]any) error {
	if algorithm != "" && algorithm != symmetric {
		return fault.Coded(fault.Invalid, "InvalidKeyUsageException", "EncryptionAlgorithm %q is not for symmetric keys; leave it out or say %s", algorithm, symmetric)
	}
	if recipient != nil {
		return unsupported("Recipient: answers to enclaves are not supported; leave it out")
	}
	if n := len(canonical(context)); n > maxContextLength {
		return invalid("EncryptionContext has %d bytes; at most %d are possible", n, maxContextLength)
	}
	return nil
}
