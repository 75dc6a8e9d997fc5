package kms_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
)

func TestCreatedKeysAreDescribedAsAWSDoes(t *testing.T) {
	w := newWorld(t)
	made := must[kms.CreateKeyOutput](t)(w.CreateKey(w.ctx, kms.CreateKeyInput{Description: "for tests", Tags: []kms.Tag{{TagKey: "team", TagValue: "red"}}})).KeyMetadata
	want := kms.KeyMetadata{
		AWSAccountId: account, KeyId: made.KeyId, Arn: arnOf(made.KeyId), Enabled: true, Description: "for tests",
		KeyUsage: "ENCRYPT_DECRYPT", KeyState: "Enabled", Origin: "AWS_KMS", KeyManager: "CUSTOMER",
		CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", KeySpec: "SYMMETRIC_DEFAULT", EncryptionAlgorithms: []string{"SYMMETRIC_DEFAULT"},
	}
	if diff := cmp.Diff(want, made, cmpopts.IgnoreFields(kms.KeyMetadata{}, "CreationDate", "CurrentKeyMaterialId")); diff != "" {
		t.Error(diff)
	}
	if made.CreationDate.IsZero() || len(made.CurrentKeyMaterialId) != 64 {
		t.Errorf("%+v", made)
	}
	tags := must[kms.ListResourceTagsOutput](t)(w.ListResourceTags(w.ctx, kms.ListResourceTagsInput{KeyId: made.KeyId})).Tags
	if diff := cmp.Diff([]kms.Tag{{TagKey: "team", TagValue: "red"}}, tags); diff != "" {
		t.Error(diff)
	}
}

func TestStatesFollowEachOther(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	state := func(want string) {
		t.Helper()
		m := must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id})).KeyMetadata
		if m.KeyState != want || m.Enabled != (want == "Enabled") || m.DeletionDate.IsZero() != (want != "PendingDeletion") {
			t.Errorf("got %s (enabled %v, deletion %v), want %s", m.KeyState, m.Enabled, m.DeletionDate, want)
		}
	}
	must[kms.None](t)(w.DisableKey(w.ctx, kms.KeyInput{KeyId: id}))
	state("Disabled")
	must[kms.None](t)(w.EnableKey(w.ctx, kms.KeyInput{KeyId: id}))
	state("Enabled")
	out := must[kms.ScheduleKeyDeletionOutput](t)(w.ScheduleKeyDeletion(w.ctx, kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: ptr(7)}))
	if out.KeyState != "PendingDeletion" || out.PendingWindowInDays != 7 || out.KeyId != arnOf(id) {
		t.Errorf("%+v", out)
	}
	state("PendingDeletion")
	must[kms.KeyOutput](t)(w.CancelKeyDeletion(w.ctx, kms.KeyInput{KeyId: id}))
	state("Disabled")
	must[kms.None](t)(w.UpdateKeyDescription(w.ctx, kms.UpdateKeyDescriptionInput{KeyId: id, Description: "new"}))
	if m := must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id})).KeyMetadata; m.Description != "new" {
		t.Errorf("description %q", m.Description)
	}
}

func TestListsComeInPages(t *testing.T) {
	w := newWorld(t)
	var want []string
	id := w.key(t)
	for i := range 7 {
		name := fmt.Sprintf("alias/%d", i)
		must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: name, TargetKeyId: id}))
		want = append(want, name)
	}
	var got []string
	in := kms.ListAliasesInput{Limit: ptr(3)}
	for pages := 1; ; pages++ {
		out := must[kms.ListAliasesOutput](t)(w.ListAliases(w.ctx, in))
		for _, a := range out.Aliases {
			if a.TargetKeyId != id || a.AliasArn != "arn:aws:kms:us-east-1:"+account+":"+a.AliasName {
				t.Errorf("%+v", a)
			}
			got = append(got, a.AliasName)
		}
		if out.Truncated != (out.NextMarker != "") {
			t.Errorf("truncated %v, marker %q", out.Truncated, out.NextMarker)
		}
		if in.Marker = out.NextMarker; in.Marker == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	ids := []string{id, w.key(t), w.key(t)}
	slices.Sort(ids)
	first := must[kms.ListKeysOutput](t)(w.ListKeys(w.ctx, kms.ListKeysInput{Limit: ptr(2)}))
	rest := must[kms.ListKeysOutput](t)(w.ListKeys(w.ctx, kms.ListKeysInput{Marker: first.NextMarker}))
	listed := append(first.Keys, rest.Keys...)
	for i, e := range listed {
		if e.KeyId != ids[i] || e.KeyArn != arnOf(ids[i]) {
			t.Errorf("key %d: %+v", i, e)
		}
	}
	if len(listed) != 3 || !first.Truncated || rest.Truncated {
		t.Errorf("%+v %+v", first, rest)
	}
}

func TestAliasesMoveAndGo(t *testing.T) {
	w := newWorld(t)
	old, next := w.key(t), w.key(t)
	blob := func() string {
		return must[kms.EncryptOutput](t)(w.Encrypt(w.ctx, kms.EncryptInput{KeyId: "alias/app", Plaintext: []byte("x")})).KeyId
	}
	must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/app", TargetKeyId: old}))
	if got := blob(); got != arnOf(old) {
		t.Errorf("alias means %s", got)
	}
	must[kms.None](t)(w.UpdateAlias(w.ctx, kms.AliasInput{AliasName: "alias/app", TargetKeyId: next}))
	if got := blob(); got != arnOf(next) {
		t.Errorf("alias means %s", got)
	}
	if names := must[kms.ListAliasesOutput](t)(w.ListAliases(w.ctx, kms.ListAliasesInput{KeyId: old})).Aliases; len(names) != 0 {
		t.Errorf("the old key has %+v", names)
	}
	must[kms.None](t)(w.DeleteAlias(w.ctx, kms.DeleteAliasInput{AliasName: "alias/app"}))
	if got := code(w.Encrypt(w.ctx, kms.EncryptInput{KeyId: "alias/app", Plaintext: []byte("x")})); got != "NotFoundException" {
		t.Errorf("after its end: %s", got)
	}
	for i := range 50 {
		must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: fmt.Sprintf("alias/%d", i), TargetKeyId: old}))
	}
	if got := code(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/50", TargetKeyId: old})); got != "LimitExceededException" {
		t.Errorf("the 51st alias: %s", got)
	}
}

func TestTagsAreAddedReplacedAndTaken(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	must[kms.None](t)(w.TagResource(w.ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: "a", TagValue: "1"}, {TagKey: "b", TagValue: "2"}}}))
	must[kms.None](t)(w.TagResource(w.ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{{TagKey: "a", TagValue: "3"}}}))
	must[kms.None](t)(w.UntagResource(w.ctx, kms.UntagResourceInput{KeyId: id, TagKeys: []string{"b", "c"}}))
	got := must[kms.ListResourceTagsOutput](t)(w.ListResourceTags(w.ctx, kms.ListResourceTagsInput{KeyId: id})).Tags
	if diff := cmp.Diff([]kms.Tag{{TagKey: "a", TagValue: "3"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGrantsAllowWhatTheySay(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	worker := kmstest.As(t.Context(), "arn:aws:sts::"+account+":assumed-role/worker/1", "arn:aws:iam::"+account+":role/worker")
	other := kmstest.As(t.Context(), kmstest.User("other"))
	boss := kmstest.As(t.Context(), kmstest.User("boss"))
	in := kms.EncryptInput{KeyId: id, Plaintext: []byte("x"), EncryptionContext: map[string]string{"app": "a", "more": "m"}}
	grant := must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, kms.CreateGrantInput{
		KeyId: id, GranteePrincipal: "arn:aws:iam::" + account + ":role/worker", RetiringPrincipal: kmstest.User("boss"),
		Operations: []string{"Encrypt", "DescribeKey"}, Constraints: &kms.GrantConstraints{EncryptionContextSubset: map[string]string{"app": "a"}}, Name: "app",
	}))
	out := must[kms.EncryptOutput](t)(w.Encrypt(worker, in))
	must[kms.DescribeKeyOutput](t)(w.DescribeKey(worker, kms.DescribeKeyInput{KeyId: id, GrantTokens: []string{grant.GrantToken}}))
	for name, got := range map[string]string{
		"another operation": code(w.Decrypt(worker, kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: in.EncryptionContext})),
		"another context":   code(w.Encrypt(worker, kms.EncryptInput{KeyId: id, Plaintext: []byte("x"), EncryptionContext: map[string]string{"app": "b"}})),
		"no context":        code(w.Encrypt(worker, kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})),
		"another principal": code(w.Encrypt(other, in)),
		"retired by others": code(w.RetireGrant(other, kms.RetireGrantInput{GrantToken: grant.GrantToken})),
		"retired by the grantee without RetireGrant": code(w.RetireGrant(worker, kms.RetireGrantInput{GrantToken: grant.GrantToken})),
	} {
		if got != "AccessDeniedException" {
			t.Errorf("%s: %s", name, got)
		}
	}
	list := must[kms.ListGrantsOutput](t)(w.ListGrants(w.ctx, kms.ListGrantsInput{KeyId: id})).Grants
	if len(list) != 1 || list[0].GrantId != grant.GrantId || list[0].Name != "app" || list[0].Constraints.EncryptionContextSubset["app"] != "a" {
		t.Errorf("%+v", list)
	}
	must[kms.None](t)(w.RetireGrant(boss, kms.RetireGrantInput{GrantToken: grant.GrantToken}))
	if got := code(w.Encrypt(worker, in)); got != "AccessDeniedException" {
		t.Errorf("after retirement: %s", got)
	}
}

func TestDenialsWinOverGrants(t *testing.T) {
	w := newWorld(t)
	deny := `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"kms:*"},{"Effect":"Deny","Principal":{"AWS":"` + kmstest.User("w") + `"},"Action":"kms:Encrypt"}]}`
	id := must[kms.CreateKeyOutput](t)(w.CreateKey(w.ctx, kms.CreateKeyInput{Policy: deny})).KeyMetadata.KeyId
	must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: kmstest.User("w"), Operations: []string{"Encrypt", "DescribeKey"}}))
	worker := kmstest.As(t.Context(), kmstest.User("w"))
	must[kms.DescribeKeyOutput](t)(w.DescribeKey(worker, kms.DescribeKeyInput{KeyId: id}))
	if got := code(w.Encrypt(worker, kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})); got != "AccessDeniedException" {
		t.Error(got)
	}
}

func TestGrantsOfOneNameAreMadeOnce(t *testing.T) {
	w := newWorld(t)
	in := kms.CreateGrantInput{KeyId: w.key(t), GranteePrincipal: kmstest.User("w"), Operations: []string{"Encrypt"}, Name: "app"}
	first, second := must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, in)), must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, in))
	if first.GrantId != second.GrantId {
		t.Error("the same request made another grant")
	}
	in.Operations = []string{"Decrypt"}
	if third := must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, in)); third.GrantId == first.GrantId {
		t.Error("another request gave the same grant")
	}
	must[kms.None](t)(w.RevokeGrant(w.ctx, kms.RevokeGrantInput{KeyId: in.KeyId, GrantId: first.GrantId}))
	if list := must[kms.ListGrantsOutput](t)(w.ListGrants(w.ctx, kms.ListGrantsInput{KeyId: in.KeyId})).Grants; len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func TestManyCallersAtOnce(t *testing.T) {
	w := newWorld(t)
	id := w.key(t)
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			name := kms.Tag{TagKey: fmt.Sprint(i), TagValue: "x"}
			if _, err := w.TagResource(w.ctx, kms.TagResourceInput{KeyId: id, Tags: []kms.Tag{name}}); err != nil {
				t.Error(err)
			}
			if _, err := w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}); err != nil {
				t.Error(err)
			}
			out, err := w.Encrypt(w.ctx, kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})
			if err != nil {
				t.Error(err)
			}
			if _, err := w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: out.CiphertextBlob}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if tags := must[kms.ListResourceTagsOutput](t)(w.ListResourceTags(w.ctx, kms.ListResourceTagsInput{KeyId: id})).Tags; len(tags) != 16 {
		t.Errorf("%d tags", len(tags))
	}
	if list := must[kms.ListKeyRotationsOutput](t)(w.ListKeyRotations(w.ctx, kms.ListKeyRotationsInput{KeyId: id})).Rotations; len(list) != 16 {
		t.Errorf("%d rotations", len(list))
	}
	for range 9 {
		must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
	}
	if got := code(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id})); got != "LimitExceededException" {
		t.Errorf("the 26th rotation on demand: %s", got)
	}
}
