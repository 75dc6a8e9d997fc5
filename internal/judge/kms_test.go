package judge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func kmsCalls(s *sdk) {
	c := kms.NewFromConfig(s.config)
	key := call(s, "create key", c.CreateKey, &kms.CreateKeyInput{Description: aws.String("go")}, func(out *kms.CreateKeyOutput) error {
		return same([]any{out.KeyMetadata.KeyState, out.KeyMetadata.Enabled, *out.KeyMetadata.AWSAccountId}, []any{types.KeyStateEnabled, true, "000000000000"})
	}).KeyMetadata
	call(s, "create alias", c.CreateAlias, &kms.CreateAliasInput{AliasName: aws.String("alias/go"), TargetKeyId: key.KeyId}, nil)
	fails(s, "create alias twice", "AlreadyExistsException", c.CreateAlias, &kms.CreateAliasInput{AliasName: aws.String("alias/go"), TargetKeyId: key.KeyId})
	fails(s, "an alias that is none", "ValidationException", c.CreateAlias, &kms.CreateAliasInput{AliasName: aws.String("alias/a b"), TargetKeyId: key.KeyId})
	sealed := call(s, "encrypt", c.Encrypt, &kms.EncryptInput{KeyId: aws.String("alias/go"), Plaintext: []byte("hush"), EncryptionContext: map[string]string{"a": "1"}}, nil).CiphertextBlob
	call(s, "decrypt", c.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: map[string]string{"a": "1"}}, func(out *kms.DecryptOutput) error {
		return same([]string{string(out.Plaintext), *out.KeyId}, []string{"hush", *key.Arn})
	})
	damaged := append([]byte{}, sealed...)
	damaged[len(damaged)-1] ^= 1
	fails(s, "decrypt what is damaged", "InvalidCiphertextException", c.Decrypt, &kms.DecryptInput{CiphertextBlob: damaged, EncryptionContext: map[string]string{"a": "1"}})
	fails(s, "encrypt too much", "ValidationException", c.Encrypt, &kms.EncryptInput{KeyId: key.KeyId, Plaintext: make([]byte, 4097)})
	fails(s, "encrypt by nothing", "NotFoundException", c.Encrypt, &kms.EncryptInput{KeyId: aws.String("00000000-0000-0000-0000-000000000000"), Plaintext: []byte("x")})
	call(s, "data key without its plaintext", c.GenerateDataKeyWithoutPlaintext, &kms.GenerateDataKeyWithoutPlaintextInput{KeyId: key.KeyId, KeySpec: types.DataKeySpecAes256}, nil)
	kmsSignatures(s, c)
	kmsGrants(s, c, key)

	call(s, "schedule deletion", c.ScheduleKeyDeletion, &kms.ScheduleKeyDeletionInput{KeyId: key.KeyId, PendingWindowInDays: aws.Int32(7)}, nil)
	fails(s, "decrypt by what goes", "KMSInvalidStateException", c.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: map[string]string{"a": "1"}})
	call(s, "cancel deletion", c.CancelKeyDeletion, &kms.CancelKeyDeletionInput{KeyId: key.KeyId}, nil)
	call(s, "it is disabled", c.DescribeKey, &kms.DescribeKeyInput{KeyId: key.KeyId}, func(out *kms.DescribeKeyOutput) error { return same(out.KeyMetadata.KeyState, types.KeyStateDisabled) })
	fails(s, "use it while it is disabled", "DisabledException", c.Encrypt, &kms.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("x")})
	call(s, "enable it", c.EnableKey, &kms.EnableKeyInput{KeyId: key.KeyId}, nil)
	call(s, "decrypt again", c.Decrypt, &kms.DecryptInput{CiphertextBlob: sealed, EncryptionContext: map[string]string{"a": "1"}}, nil)
}

func kmsSignatures(s *sdk, c *kms.Client) {
	signer := call(s, "create RSA key", c.CreateKey, &kms.CreateKeyInput{KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeSignVerify}, nil).KeyMetadata
	pss := types.SigningAlgorithmSpecRsassaPssSha256
	signature := call(s, "sign", c.Sign, &kms.SignInput{KeyId: signer.KeyId, Message: []byte("m"), SigningAlgorithm: pss}, nil).Signature
	call(s, "verify", c.Verify, &kms.VerifyInput{KeyId: signer.KeyId, Message: []byte("m"), Signature: signature, SigningAlgorithm: pss}, func(out *kms.VerifyOutput) error { return same(out.SignatureValid, true) })
	fails(s, "verify another message", "KMSInvalidSignatureException", c.Verify, &kms.VerifyInput{KeyId: signer.KeyId, Message: []byte("n"), Signature: signature, SigningAlgorithm: pss})
	call(s, "public key", c.GetPublicKey, &kms.GetPublicKeyInput{KeyId: signer.KeyId}, func(out *kms.GetPublicKeyOutput) error {
		_, err := x509.ParsePKIXPublicKey(out.PublicKey)
		return err
	})
	macs := call(s, "create MAC key", c.CreateKey, &kms.CreateKeyInput{KeySpec: types.KeySpecHmac256, KeyUsage: types.KeyUsageTypeGenerateVerifyMac}, nil).KeyMetadata
	mac := call(s, "MAC", c.GenerateMac, &kms.GenerateMacInput{KeyId: macs.KeyId, Message: []byte("m"), MacAlgorithm: types.MacAlgorithmSpecHmacSha256}, func(out *kms.GenerateMacOutput) error {
		return same(len(out.Mac), hmac.New(sha256.New, nil).Size())
	}).Mac
	fails(s, "MAC of another message", "KMSInvalidMacException", c.VerifyMac, &kms.VerifyMacInput{KeyId: macs.KeyId, Message: []byte("n"), Mac: mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha256})
}

// kmsGrants has a user without a policy use a key: denied, granted, revoked, and by
// the key's own policy.
func kmsGrants(s *sdk, c *kms.Client, key *types.KeyMetadata) {
	users := iam.NewFromConfig(s.config)
	user := call(s, "a user", users.CreateUser, &iam.CreateUserInput{UserName: aws.String("go-kms")}, nil).User
	keys := call(s, "the user's keys", users.CreateAccessKey, &iam.CreateAccessKeyInput{UserName: user.UserName}, nil).AccessKey
	theirs := kms.NewFromConfig(s.as(keys.AccessKeyId, keys.SecretAccessKey, nil))
	encrypt := &kms.EncryptInput{KeyId: key.Arn, Plaintext: []byte("x")}
	fails(s, "encrypt without a grant", "AccessDeniedException", theirs.Encrypt, encrypt)
	grant := call(s, "grant", c.CreateGrant, &kms.CreateGrantInput{KeyId: key.KeyId, GranteePrincipal: user.Arn, Operations: []types.GrantOperation{types.GrantOperationEncrypt}}, nil)
	call(s, "encrypt with the grant", theirs.Encrypt, encrypt, nil)
	fails(s, "describe with the grant", "AccessDeniedException", theirs.DescribeKey, &kms.DescribeKeyInput{KeyId: key.Arn})
	call(s, "list grants", c.ListGrants, &kms.ListGrantsInput{KeyId: key.KeyId}, func(out *kms.ListGrantsOutput) error { return same(len(out.Grants), 1) })
	call(s, "revoke", c.RevokeGrant, &kms.RevokeGrantInput{KeyId: key.KeyId, GrantId: grant.GrantId}, nil)
	fails(s, "encrypt with the revoked grant", "AccessDeniedException", theirs.Encrypt, encrypt)
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":"kms:Encrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:app":"shop"}}}]}`, *user.Arn)
	call(s, "put key policy", c.PutKeyPolicy, &kms.PutKeyPolicyInput{KeyId: key.KeyId, Policy: &policy}, nil)
	fails(s, "encrypt against the condition", "AccessDeniedException", theirs.Encrypt, encrypt)
	call(s, "encrypt by the key's policy", theirs.Encrypt, &kms.EncryptInput{KeyId: key.Arn, Plaintext: []byte("x"), EncryptionContext: map[string]string{"app": "shop"}}, nil)
	fails(s, "lock everybody out", "MalformedPolicyDocumentException", c.PutKeyPolicy, &kms.PutKeyPolicyInput{
		KeyId: key.KeyId, Policy: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/go-none"},"Action":"kms:*","Resource":"*"}]}`),
	})
}
