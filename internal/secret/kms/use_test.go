package kms_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
)

func TestCiphertextsOpenUnderEveryVersionOfTheirKey(t *testing.T) {
	w := newWorld(t)
	id, context := w.key(t), map[string]string{"a": "b", "c": "d"}
	var blobs [][]byte
	for range 3 {
		blobs = append(blobs, w.encrypt(t, id, "hello", context))
		must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
	}
	for _, blob := range blobs {
		w.decrypts(t, blob, context, "hello")
	}
	if bytes.Equal(blobs[0], w.encrypt(t, id, "hello", context)) {
		t.Error("two ciphertexts are the same")
	}
	rotations := must[kms.ListKeyRotationsOutput](t)(w.ListKeyRotations(w.ctx, kms.ListKeyRotationsInput{KeyId: id, IncludeKeyMaterial: "ALL_KEY_MATERIAL"})).Rotations
	if len(rotations) != 4 || rotations[0].RotationType != "" || rotations[3].RotationType != "ON_DEMAND" || rotations[3].KeyMaterialState != "CURRENT" {
		t.Errorf("rotations: %+v", rotations)
	}
	old := must[kms.DecryptOutput](t)(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blobs[0], EncryptionContext: context}))
	if old.KeyMaterialId != rotations[0].KeyMaterialId {
		t.Error("the first ciphertext is not under the first version")
	}
	moved := must[kms.ReEncryptOutput](t)(w.ReEncrypt(w.ctx, kms.ReEncryptInput{CiphertextBlob: blobs[0], SourceEncryptionContext: context, DestinationKeyId: id}))
	if moved.SourceKeyMaterialId != rotations[0].KeyMaterialId || moved.DestinationKeyMaterialId != rotations[3].KeyMaterialId {
		t.Errorf("re-encrypted from %s to %s", moved.SourceKeyMaterialId, moved.DestinationKeyMaterialId)
	}
	w.decrypts(t, moved.CiphertextBlob, nil, "hello")
}

func TestLargestPlaintextFits(t *testing.T) {
	w := newWorld(t)
	blob := w.encrypt(t, w.key(t), long(4096), nil)
	if len(blob) > 6144 {
		t.Errorf("the ciphertext has %d bytes", len(blob))
	}
	w.decrypts(t, blob, nil, long(4096))
}

func TestChangedCiphertextsAreRefused(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	w.key(t) // another one
	must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
	context := map[string]string{"a": "b"}
	blob := w.encrypt(t, id, "hello", context)
	for i := range blob {
		for bit := range 8 {
			changed := bytes.Clone(blob)
			changed[i] ^= 1 << bit
			if out, err := w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: changed, EncryptionContext: context}); err == nil {
				t.Fatalf("with bit %d of byte %d changed it opened to %q", bit, i, out.Plaintext)
			}
		}
	}
	for name, c := range map[string]map[string]string{
		"none": nil, "another value": {"a": "c"}, "another name": {"b": "b"}, "one more": {"a": "b", "c": ""}, "shifted": {"ab": ""}, "other case": {"A": "b"},
	} {
		if got := code(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: c})); got != "InvalidCiphertextException" {
			t.Errorf("context %s: %s", name, got)
		}
	}
}

func TestDataKeysAreOfTheSizeAskedFor(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	for name, c := range map[string]struct {
		in   kms.GenerateDataKeyInput
		want int
	}{
		"AES_256":     {kms.GenerateDataKeyInput{KeySpec: "AES_256"}, 32},
		"AES_128":     {kms.GenerateDataKeyInput{KeySpec: "AES_128"}, 16},
		"1 byte":      {kms.GenerateDataKeyInput{NumberOfBytes: ptr(1)}, 1},
		"1,024 bytes": {kms.GenerateDataKeyInput{NumberOfBytes: ptr(1024)}, 1024},
	} {
		c.in.KeyId = id
		out := must[kms.GenerateDataKeyOutput](t)(w.GenerateDataKey(w.ctx, c.in))
		if len(out.Plaintext) != c.want {
			t.Errorf("%s: %d bytes", name, len(out.Plaintext))
		}
		w.decrypts(t, out.CiphertextBlob, nil, string(out.Plaintext))
	}
	hidden := must[kms.GenerateDataKeyWithoutPlaintextOutput](t)(w.GenerateDataKeyWithoutPlaintext(w.ctx, kms.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: "AES_256"}))
	if out := must[kms.DecryptOutput](t)(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: hidden.CiphertextBlob})); len(out.Plaintext) != 32 {
		t.Errorf("%d bytes", len(out.Plaintext))
	}
	if out := must[kms.GenerateRandomOutput](t)(w.GenerateRandom(w.ctx, kms.GenerateRandomInput{NumberOfBytes: ptr(7)})); len(out.Plaintext) != 7 {
		t.Errorf("%d random bytes", len(out.Plaintext))
	}
}

func TestKeysAreNamedInFourWays(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/a/b", TargetKeyId: arnOf(id)}))
	for _, name := range []string{id, arnOf(id), "alias/a/b", "arn:aws:kms:us-east-1:" + account + ":alias/a/b"} {
		if out := must[kms.EncryptOutput](t)(w.Encrypt(w.ctx, kms.EncryptInput{KeyId: name, Plaintext: []byte("x")})); out.KeyId != arnOf(id) {
			t.Errorf("%s is key %s", name, out.KeyId)
		}
	}
}

func TestPoliciesSeeWhatAUseIsFor(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/mine", TargetKeyId: id}))
	must[kms.None](t)(w.TagResource(w.ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: "team", TagValue: "red"}}}))
	w.authority.Asks()
	must[kms.EncryptOutput](t)(w.Encrypt(kms.Via(w.ctx, "ssm"), kms.EncryptInput{KeyId: "alias/mine", Plaintext: []byte("x"), EncryptionContext: map[string]string{"a": "b"}}))
	want := []kmstest.Ask{{
		Caller: "arn:aws:iam::" + account + ":root", Action: "kms:Encrypt", Resource: arnOf(id),
		Conditions: map[string][]string{
			"kms:CallerAccount": {account}, "kms:ViaService": {"ssm.us-east-1.amazonaws.com"},
			"kms:EncryptionContext:a": {"b"}, "kms:EncryptionContextKeys": {"a"}, "kms:EncryptionAlgorithm": {"SYMMETRIC_DEFAULT"},
			"kms:RequestAlias": {"alias/mine"}, "kms:ResourceAliases": {"alias/mine"}, "aws:ResourceTag/team": {"red"},
			"kms:KeySpec": {"SYMMETRIC_DEFAULT"}, "kms:KeyUsage": {"ENCRYPT_DECRYPT"}, "kms:KeyOrigin": {"AWS_KMS"},
		},
	}}
	if diff := cmp.Diff(want, w.authority.Asks(), cmpopts.IgnoreFields(kmstest.Ask{}, "Policy")); diff != "" {
		t.Error(diff)
	}
}

func TestManagedKeysAreMadeAtFirstUseAndWorkThroughTheirServiceOnly(t *testing.T) {
	w := newWorld(t)
	user := kmstest.As(t.Context(), kmstest.User("anybody"))
	in := kms.EncryptInput{KeyId: "alias/aws/ssm", Plaintext: []byte("x")}
	out := must[kms.EncryptOutput](t)(w.Encrypt(kms.Via(user, "ssm"), in))
	if again := must[kms.EncryptOutput](t)(w.Encrypt(kms.Via(user, "ssm"), in)); again.KeyId != out.KeyId {
		t.Error("the second use made another key")
	}
	if got := code(w.Encrypt(user, in)); got != "AccessDeniedException" {
		t.Errorf("without the service: %s", got)
	}
	if got := code(w.Encrypt(kms.Via(user, "lambda"), in)); got != "AccessDeniedException" {
		t.Errorf("through another service: %s", got)
	}
	m := must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: out.KeyId})).KeyMetadata
	status := must[kms.GetKeyRotationStatusOutput](t)(w.GetKeyRotationStatus(w.ctx, kms.KeyInput{KeyId: out.KeyId}))
	if m.KeyManager != "AWS" || !status.KeyRotationEnabled || status.RotationPeriodInDays != 365 {
		t.Errorf("%+v %+v", m, status)
	}
}

func TestKeyPoliciesDecide(t *testing.T) {
	w := newWorld(t)
	alice, bob := kmstest.As(t.Context(), kmstest.User("alice")), kmstest.As(t.Context(), kmstest.User("bob"))
	w.authority.Identity = map[string][]string{kmstest.User("bob"): {"kms:Encrypt"}}
	id := w.key(t)
	in := kms.EncryptInput{KeyId: id, Plaintext: []byte("x")}
	if got := code(w.Encrypt(alice, in)); got != "AccessDeniedException" {
		t.Errorf("alice, whom nothing allows: %s", got)
	}
	must[kms.EncryptOutput](t)(w.Encrypt(bob, in)) // the key leaves it to his own policies
	must[kms.None](t)(w.PutKeyPolicy(w.ctx, kms.PutKeyPolicyInput{KeyId: id, Policy: allowing(kmstest.User("alice"), "kms:*"), BypassPolicyLockoutSafetyCheck: true}))
	must[kms.EncryptOutput](t)(w.Encrypt(alice, in))
	if got := code(w.Encrypt(bob, in)); got != "AccessDeniedException" {
		t.Errorf("bob, to whom the key leaves nothing: %s", got)
	}
	got := must[kms.GetKeyPolicyOutput](t)(w.GetKeyPolicy(alice, kms.GetKeyPolicyInput{KeyId: id}))
	if got.Policy != allowing(kmstest.User("alice"), "kms:*") || got.PolicyName != "default" {
		t.Errorf("%+v", got)
	}
}

func FuzzCiphertextsOfOthers(f *testing.F) {
	f.Add([]byte{}, "a", "b")
	f.Add(append([]byte{1}, make([]byte, 80)...), "", "")
	f.Fuzz(func(t *testing.T, blob []byte, name, value string) {
		w := newWorld(t)
		id := w.key(t)
		context := map[string]string{name: value}
		own := w.encrypt(t, id, "hello", context)
		w.decrypts(t, own, context, "hello")
		if _, err := w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}); err == nil {
			t.Error("bytes of somebody else opened")
		}
		mixed := append(bytes.Clone(own[:min(len(own), 21)]), blob...)
		if _, err := w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: mixed, EncryptionContext: context}); err == nil {
			t.Error("the head of a ciphertext and the body of another opened")
		}
	})
}
