package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

const account = "000000000000"

// world is the keys over a bucket. ctx is the account's root.
type world struct {
	*kms.Keys
	ctx       context.Context
	authority *kmstest.Authority
}

// rootKey is a root key given by the test: one repeated byte, and a previous one.
func rootKey(t *testing.T, current, previous byte) *root.Root {
	t.Helper()
	text := func(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }
	v := root.Values{Name: "KEY", Current: text(current)}
	if previous != 0 {
		v.Previous = text(previous)
	}
	r, err := root.Open(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func start(t *testing.T, r *root.Root, bucket store.Bucket) world {
	t.Helper()
	kept, err := root.OpenKept(t.Context(), r, bucket, "store")
	if err != nil {
		t.Fatal(err)
	}
	authority := &kmstest.Authority{}
	w := world{&kms.Keys{
		Root: r, Kept: kept, Bucket: bucket, Authority: authority, Region: "us-east-1",
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}, kmstest.Root(t.Context()), authority}
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func newWorld(t *testing.T) world {
	t.Helper()
	return start(t, rootKey(t, 1, 0), &storetest.Memory{})
}

// key makes a key and returns its id.
func (w world) key(t *testing.T) string {
	t.Helper()
	out, err := w.CreateKey(w.ctx, kms.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return out.KeyMetadata.KeyId
}

func (w world) encrypt(t *testing.T, id, text string, context map[string]string) []byte {
	t.Helper()
	out, err := w.Encrypt(w.ctx, kms.EncryptInput{KeyId: id, Plaintext: []byte(text), EncryptionContext: context})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

func (w world) decrypts(t *testing.T, blob []byte, context map[string]string, want string) {
	t.Helper()
	out, err := w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: context})
	if err != nil || string(out.Plaintext) != want {
		t.Errorf("decrypted %q, %v; want %q", out.Plaintext, err, want)
	}
}

// must fails the test on an error, whatever else a call returns.
func must[T any](t *testing.T) func(out T, err error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func code[T any](_ T, err error) string {
	if err == nil {
		return "no error"
	}
	return fault.CodeOf(err)
}

func arnOf(id string) string { return "arn:aws:kms:us-east-1:" + account + ":key/" + id }

func ptr(n int) *int { return &n }

func long(n int) string { return strings.Repeat("x", n) }
