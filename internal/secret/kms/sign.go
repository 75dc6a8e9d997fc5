package kms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that algorithms name
	_ "crypto/sha512"
	"crypto/x509"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// hashOf is the hash that the name of an algorithm ends in.
func hashOf(algorithm string) crypto.Hash {
	switch algorithm[strings.LastIndex(algorithm, "_")+1:] {
	case "224":
		return crypto.SHA224
	case "384":
		return crypto.SHA384
	case "512":
		return crypto.SHA512
	}
	return crypto.SHA256
}

// GenerateMacInput is a message of up to 4,096 bytes.
type GenerateMacInput struct {
	KeyId        string
	Message      []byte `audit:"hidden"`
	MacAlgorithm string
	GrantTokens  []string `json:",omitempty"`
	DryRun       bool     `json:",omitempty"`
}

// GenerateMacOutput is its MAC.
type GenerateMacOutput struct {
	KeyId        string
	Mac          []byte
	MacAlgorithm string
}

// GenerateMac makes the HMAC of a message.
func (k *Keys) GenerateMac(ctx context.Context, in GenerateMacInput) (GenerateMacOutput, error) {
	key, mac, err := k.mac(ctx, "GenerateMac", in)
	if err != nil {
		return GenerateMacOutput{}, err
	}
	return GenerateMacOutput{key.ARN, mac, in.MacAlgorithm}, nil
}

// VerifyMacInput is a message and its MAC.
type VerifyMacInput struct {
	KeyId        string
	Message      []byte `audit:"hidden"`
	MacAlgorithm string
	Mac          []byte
	GrantTokens  []string `json:",omitempty"`
	DryRun       bool     `json:",omitempty"`
}

// VerifyMacOutput says that it is.
type VerifyMacOutput struct {
	KeyId        string
	MacAlgorithm string
	MacValid     bool
}

// VerifyMac checks the HMAC of a message; a wrong one is an error.
func (k *Keys) VerifyMac(ctx context.Context, in VerifyMacInput) (VerifyMacOutput, error) {
	key, mac, err := k.mac(ctx, "VerifyMac", GenerateMacInput{in.KeyId, in.Message, in.MacAlgorithm, in.GrantTokens, in.DryRun})
	if err != nil {
		return VerifyMacOutput{}, err
	}
	if !hmac.Equal(mac, in.Mac) {
		return VerifyMacOutput{}, fault.Coded(fault.Invalid, "KMSInvalidMacException", "the MAC is not one of this message under %s", key.ARN)
	}
	return VerifyMacOutput{key.ARN, in.MacAlgorithm, true}, nil
}

func (k *Keys) mac(ctx context.Context, action string, in GenerateMacInput) (*key, []byte, error) {
	if err := checkMessage(in.Message); err != nil {
		return nil, nil, err
	}
	key, err := k.take(ctx, in.KeyId, ask{
		action: action, usage: macs, algorithm: in.MacAlgorithm, tokens: in.GrantTokens,
		condition: map[string][]string{"kms:MacAlgorithm": {in.MacAlgorithm}},
	})
	if err != nil {
		return nil, nil, err
	}
	if in.MacAlgorithm == "" {
		return nil, nil, invalid("MacAlgorithm is required: %v", key.kind().algorithms)
	}
	if err := dryRun(in.DryRun); err != nil {
		return nil, nil, err
	}
	mac := hmac.New(hashOf(in.MacAlgorithm).New, key.materials[key.last().Number])
	mac.Write(in.Message)
	return key, mac.Sum(nil), nil
}

func checkMessage(message []byte) error {
	if len(message) < 1 || len(message) > maxPlaintext {
		return invalid("Message has %d bytes; 1 to %d are possible", len(message), maxPlaintext)
	}
	return nil
}

// SignInput is a message of up to 4,096 bytes, or the digest of one.
type SignInput struct {
	KeyId            string
	Message          []byte `audit:"hidden"`
	MessageType      string `json:",omitempty"` // RAW, or DIGEST
	SigningAlgorithm string
	GrantTokens      []string `json:",omitempty"`
	DryRun           bool     `json:",omitempty"`
}

// SignOutput is a signature.
type SignOutput struct {
	KeyId            string
	Signature        []byte
	SigningAlgorithm string
}

// Sign signs a message.
func (k *Keys) Sign(ctx context.Context, in SignInput) (SignOutput, error) {
	key, private, digest, err := k.signing(ctx, "Sign", in)
	if err != nil {
		return SignOutput{}, err
	}
	var options crypto.SignerOpts = hashOf(in.SigningAlgorithm)
	if strings.Contains(in.SigningAlgorithm, "PSS") {
		options = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hashOf(in.SigningAlgorithm)}
	}
	signature, err := private.Sign(rand.Reader, digest, options)
	return SignOutput{key.ARN, signature, in.SigningAlgorithm}, err
}

// VerifyInput is a message and its signature.
type VerifyInput struct {
	KeyId            string
	Message          []byte `audit:"hidden"`
	MessageType      string `json:",omitempty"` // RAW, or DIGEST
	Signature        []byte
	SigningAlgorithm string
	GrantTokens      []string `json:",omitempty"`
	DryRun           bool     `json:",omitempty"`
}

// VerifyOutput says that it is.
type VerifyOutput struct {
	KeyId            string
	SignatureValid   bool
	SigningAlgorithm string
}

// Verify checks the signature of a message; a wrong one is an error.
func (k *Keys) Verify(ctx context.Context, in VerifyInput) (VerifyOutput, error) {
	key, private, digest, err := k.signing(ctx, "Verify", SignInput{in.KeyId, in.Message, in.MessageType, in.SigningAlgorithm, in.GrantTokens, in.DryRun})
	if err != nil {
		return VerifyOutput{}, err
	}
	hash, valid := hashOf(in.SigningAlgorithm), false
	switch public := private.Public().(type) {
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(public, digest, in.Signature)
	case *rsa.PublicKey:
		if strings.Contains(in.SigningAlgorithm, "PSS") {
			valid = rsa.VerifyPSS(public, hash, digest, in.Signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		} else {
			valid = rsa.VerifyPKCS1v15(public, hash, digest, in.Signature) == nil
		}
	}
	if !valid {
		return VerifyOutput{}, fault.Coded(fault.Invalid, "KMSInvalidSignatureException", "the signature is not one of this message under %s", key.ARN)
	}
	return VerifyOutput{key.ARN, true, in.SigningAlgorithm}, nil
}

// signing returns the key that signs, its private key, and the digest to sign.
func (k *Keys) signing(ctx context.Context, action string, in SignInput) (*key, crypto.Signer, []byte, error) {
	if err := checkMessage(in.Message); err != nil {
		return nil, nil, nil, err
	}
	switch in.MessageType {
	case "":
		in.MessageType = "RAW"
	case "RAW", "DIGEST":
	default:
		return nil, nil, nil, invalid("MessageType %q is none of RAW and DIGEST", in.MessageType)
	}
	key, err := k.take(ctx, in.KeyId, ask{
		action: action, usage: signs, algorithm: in.SigningAlgorithm, tokens: in.GrantTokens,
		condition: map[string][]string{"kms:SigningAlgorithm": {in.SigningAlgorithm}, "kms:MessageType": {in.MessageType}},
	})
	if err != nil {
		return nil, nil, nil, err
	}
	if in.SigningAlgorithm == "" {
		return nil, nil, nil, invalid("SigningAlgorithm is required: one of %v", key.kind().algorithms)
	}
	digest, hash := in.Message, hashOf(in.SigningAlgorithm)
	if in.MessageType == "RAW" {
		h := hash.New()
		h.Write(in.Message)
		digest = h.Sum(nil)
	} else if len(digest) != hash.Size() {
		return nil, nil, nil, invalid("Message is to be a digest of %d bytes for %s and has %d", hash.Size(), in.SigningAlgorithm, len(digest))
	}
	if err := dryRun(in.DryRun); err != nil {
		return nil, nil, nil, err
	}
	private, err := key.signer()
	return key, private, digest, err
}

// GetPublicKeyInput names a key.
type GetPublicKeyInput struct {
	KeyId       string
	GrantTokens []string `json:",omitempty"`
}

// GetPublicKeyOutput is the public key, as a SubjectPublicKeyInfo in DER.
type GetPublicKeyOutput struct {
	KeyId                 string
	PublicKey             []byte
	KeySpec               string
	CustomerMasterKeySpec string
	KeyUsage              string
	SigningAlgorithms     []string
}

// GetPublicKey returns the public key of a key that signs.
func (k *Keys) GetPublicKey(ctx context.Context, in GetPublicKeyInput) (GetPublicKeyOutput, error) {
	found, alias, err := k.findAny(ctx, in.KeyId)
	if err != nil {
		return GetPublicKeyOutput{}, err
	}
	if err := k.authorize(ctx, found, ask{action: "GetPublicKey", alias: alias, tokens: in.GrantTokens}); err != nil {
		return GetPublicKeyOutput{}, err
	}
	if found.kind().usage != signs {
		return GetPublicKeyOutput{}, unsupported("%s is of spec %s, which has no public key", found.ARN, found.spec())
	}
	if err := found.usable("GetPublicKey"); err != nil {
		return GetPublicKeyOutput{}, err
	}
	private, err := found.signer()
	if err != nil {
		return GetPublicKeyOutput{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	return GetPublicKeyOutput{found.ARN, public, found.spec(), found.spec(), signs, found.kind().algorithms}, err
}
