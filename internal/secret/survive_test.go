package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

// onStreams opens buckets of a JetStream in a directory, until the test ends.
func onStreams(t *testing.T, dir string) buckets {
	t.Helper()
	streams := enginetest.StreamsIn(t, dir)
	open := func(name string) store.Bucket {
		b, err := store.Open(t.Context(), streams, name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return buckets{open("parameters"), open("keys")}
}

func TestParametersAreThereAfterARestartAndNothingOfThemIsReadable(t *testing.T) {
	dir := t.TempDir()
	planted := map[string]secret.PutParameterInput{
		"planted-plain-value":    {Name: "/p/plain", Value: "planted-plain-value", Description: "planted-description"},
		"planted-secret-value":   {Name: "/p/secret", Value: "planted-secret-value", Type: "SecureString", Tags: []secret.Tag{{Key: "planted-tag", Value: "x"}}},
		"planted-advanced-value": {Name: "/p/advanced", Value: "planted-advanced-value", Type: "SecureString", Tier: "Advanced"},
		"planted-deleted-value":  {Name: "/p/deleted", Value: "planted-deleted-value"},
	}
	t.Run("first", func(t *testing.T) {
		w := start(t, rootKey(t, 1, 0), onStreams(t, dir))
		for _, in := range planted {
			w.put(t, in)
			in.Overwrite, in.Tags = true, nil
			w.put(t, in)
		}
		must[secret.None](t)(w.DeleteParameter(w.ctx, secret.DeleteParameterInput{Name: "/p/deleted"}))
		must[secret.LabelParameterVersionOutput](t)(w.LabelParameterVersion(w.ctx, secret.LabelParameterVersionInput{Name: "/p/secret", ParameterVersion: ptr(int64(1)), Labels: []string{"prod"}}))
	})
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files++
		if bytes.Contains(content, []byte("planted")) || bytes.Contains(content, []byte(base64.StdEncoding.EncodeToString([]byte("planted-s"))[:10])) {
			t.Errorf("%s shows what was planted", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
	t.Run("second", func(t *testing.T) {
		w := start(t, rootKey(t, 1, 0), onStreams(t, dir))
		for value, in := range planted {
			if in.Name == "/p/deleted" {
				if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: in.Name})); got != "ParameterNotFound" {
					t.Errorf("what was deleted: %s", got)
				}
			} else if got := w.value(t, in.Name); got != value {
				t.Errorf("%s is %q", in.Name, got)
			}
		}
		if got := w.value(t, "/p/secret:prod"); got != "planted-secret-value" {
			t.Errorf("by label: %q", got)
		}
		if diff := cmp.Diff([]string{"/p/secret"}, w.described(t, secret.ParameterFilter{Key: "tag:planted-tag"})); diff != "" {
			t.Error(diff)
		}
		if got := w.put(t, secret.PutParameterInput{Name: "/p/plain", Value: "x", Overwrite: true}); got != 3 {
			t.Errorf("the next version is %d", got)
		}
	})
}

func TestRestoreOnAnotherMachine(t *testing.T) {
	home, backup := t.TempDir(), t.TempDir()
	key := func(dir string) *root.Root {
		t.Helper()
		return must[*root.Root](t)(root.Open(root.File{Path: filepath.Join(dir, "root.key")}))
	}
	var blob []byte
	t.Run("home", func(t *testing.T) {
		w := start(t, key(home), onStreams(t, filepath.Join(home, "nats")))
		w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush", Type: "SecureString"})
		out := must[kms.EncryptOutput](t)(w.keys.Encrypt(kms.Via(w.ctx, "ssm"), kms.EncryptInput{KeyId: "alias/aws/ssm", Plaintext: []byte("sealed")}))
		blob = out.CiphertextBlob
	})
	if err := os.CopyFS(filepath.Join(backup, "nats"), os.DirFS(filepath.Join(home, "nats"))); err != nil {
		t.Fatal(err)
	}
	t.Run("without the root key", func(t *testing.T) {
		_, err := root.OpenKept(t.Context(), key(backup), onStreams(t, filepath.Join(backup, "nats")).keys, "store")
		if err == nil || !strings.Contains(err.Error(), key(home).ID()) {
			t.Errorf("got %v, want the missing key named", err)
		}
	})
	kept, err := os.ReadFile(filepath.Join(home, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(backup, "root.key"), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("with it", func(t *testing.T) {
		w := start(t, key(backup), onStreams(t, filepath.Join(backup, "nats")))
		if got := w.value(t, "/s"); got != "hush" {
			t.Errorf("the parameter is %q", got)
		}
		out := must[kms.DecryptOutput](t)(w.keys.Decrypt(kms.Via(w.ctx, "ssm"), kms.DecryptInput{CiphertextBlob: blob}))
		if string(out.Plaintext) != "sealed" {
			t.Errorf("the ciphertext held %q", out.Plaintext)
		}
	})
}

func TestValuesOutliveARotationOfTheRootKey(t *testing.T) {
	b := inMemory()
	w := start(t, rootKey(t, 1, 0), b)
	w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush", Type: "SecureString"})
	w.put(t, secret.PutParameterInput{Name: "/p", Value: "loud"})
	before, err := b.parameters.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := rootKey(t, 2, 1)
	start(t, r, b)
	if report := must[root.Report](t)(r.Settle(t.Context())); report.Rewrapped != 2 { // the key's version, the store's secret
		t.Errorf("%+v", report)
	}
	w = start(t, rootKey(t, 2, 0), b)
	if s, p := w.value(t, "/s"), w.value(t, "/p"); s != "hush" || p != "loud" {
		t.Errorf("got %q and %q", s, p)
	}
	after, err := b.parameters.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range before {
		if now, err := b.parameters.Get(t.Context(), at.Key); err != nil || now.Revision != at.Revision || len(after) != len(before) {
			t.Errorf("the rotation wrote parameters: %v", err)
		}
	}
}

func TestChangedRecordsAreRefused(t *testing.T) {
	b := buckets{&storetest.Memory{}, &storetest.Memory{}}
	w := start(t, rootKey(t, 1, 0), b)
	w.put(t, secret.PutParameterInput{Name: "/s", Value: "hush", Type: "SecureString"})
	w.put(t, secret.PutParameterInput{Name: "/other", Value: "fine"})
	key := store.Key("parameter", "/s")
	at, err := b.parameters.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	revision := at.Revision
	set := func(value []byte) {
		t.Helper()
		if revision, err = b.parameters.Update(t.Context(), key, value, revision); err != nil {
			t.Fatal(err)
		}
	}
	for i := range at.Value {
		bad := bytes.Clone(at.Value)
		bad[i] ^= 0x20
		set(bad)
		if _, err := w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/s", WithDecryption: true}); err == nil {
			t.Fatalf("read with byte %d changed", i)
		}
	}
	other, err := b.parameters.Get(t.Context(), store.Key("parameter", "/other"))
	if err != nil {
		t.Fatal(err)
	}
	set(other.Value)
	if _, err := w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/s"}); err == nil {
		t.Error("the record of another parameter was read")
	}
	w = start(t, rootKey(t, 1, 0), b)
	if !strings.Contains(w.log.String(), "parameter not read") || strings.Contains(w.log.String(), "hush") {
		t.Errorf("log: %s", w.log)
	}
	if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/s"})); got != "ParameterNotFound" {
		t.Errorf("after a restart: %s", got)
	}
	if _, err := w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/s", Value: "x", Type: "String", Overwrite: true}); err == nil {
		t.Error("a value was put over what could not be read")
	}
	if got := w.value(t, "/other"); got != "fine" {
		t.Errorf("the other parameter is %q", got)
	}
}

// meddled is a bucket in which somebody else writes before each update.
type meddled struct {
	store.Bucket
	times int
}

func (m *meddled) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if at, err := m.Get(ctx, key); err == nil && m.times > 0 {
		m.times--
		if _, err := m.Bucket.Update(ctx, key, at.Value, at.Revision); err != nil {
			return 0, err
		}
	}
	return m.Bucket.Update(ctx, key, value, revision)
}

func TestWritersOfOtherNodesAreNotOverwritten(t *testing.T) {
	m := &meddled{Bucket: &storetest.Memory{}}
	w := start(t, rootKey(t, 1, 0), buckets{m, &storetest.Memory{}})
	w.put(t, secret.PutParameterInput{Name: "/n", Value: "1"})
	m.times = 4
	if got := w.put(t, secret.PutParameterInput{Name: "/n", Value: "2", Overwrite: true}); got != 2 {
		t.Errorf("version %d", got)
	}
	m.times = 5
	if got := code(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: "3", Overwrite: true})); got != "TooManyUpdates" {
		t.Errorf("got %s", got)
	}
	if got := w.value(t, "/n"); got != "2" {
		t.Errorf("the value is %q", got)
	}
}

func TestParametersExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &storetest.Memory{}
		w := start(t, rootKey(t, 1, 0), buckets{b, &storetest.Memory{}})
		at := time.Now().Add(time.Hour).UTC()
		policy := fmt.Sprintf(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":%q}}]`, at.Format(time.RFC3339))
		w.put(t, secret.PutParameterInput{Name: "/short", Value: "x", Tier: "Intelligent-Tiering", Policies: policy})
		w.put(t, secret.PutParameterInput{Name: "/saved", Value: "x", Tier: "Advanced", Policies: policy})
		w.all(t, "/long")

		time.Sleep(time.Hour - time.Second)
		w.put(t, secret.PutParameterInput{Name: "/saved", Value: "y", Overwrite: true, Policies: "[]"})
		if got := w.value(t, "/short"); got != "x" {
			t.Errorf("a second before: %q", got)
		}
		time.Sleep(time.Second) // nobody removes it yet
		if got := code(w.GetParameter(w.ctx, secret.GetParameterInput{Name: "/short"})); got != "ParameterNotFound" {
			t.Errorf("expired: %s", got)
		}
		if diff := cmp.Diff([]string{"/long", "/saved"}, w.described(t)); diff != "" {
			t.Error(diff)
		}
		ended := make(chan error, 1)
		go func() { ended <- w.Run(t.Context()) }()
		t.Cleanup(func() {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if all, err := b.Load(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%d records are left, %v", len(all), err)
		}
		w.put(t, secret.PutParameterInput{Name: "/next", Value: "x", Tier: "Advanced", Policies: strings.Replace(policy, at.Format(time.RFC3339), at.Add(2*time.Hour).Format(time.RFC3339), 1)})
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if all, err := b.Load(t.Context()); err != nil || len(all) != 2 {
			t.Errorf("%d records are left while it runs, %v", len(all), err)
		}
	})
}

func TestExpiredParameterCanBePutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		policy := fmt.Sprintf(`[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":%q}}]`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		w.put(t, secret.PutParameterInput{Name: "/n", Value: "x", Tier: "Advanced", Policies: policy})
		time.Sleep(time.Hour)
		out := must[secret.PutParameterOutput](t)(w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: "y", Type: "StringList"}))
		if out.Version != 1 || out.Tier != "Standard" || w.value(t, "/n") != "y" {
			t.Errorf("%+v", out)
		}
	})
}

func TestSecretsAreInNoLogAndNoError(t *testing.T) {
	b := inMemory()
	w := start(t, rootKey(t, 1, 0), b)
	const planted = "planted-value"
	var said []string
	say := func(err error) {
		if err == nil {
			t.Error("this was to fail")
			return
		}
		said = append(said, fmt.Sprintf("%v %+v", err, err))
	}
	w.put(t, secret.PutParameterInput{Name: "/s", Value: planted, Type: "SecureString"})
	_, err := w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: planted, Type: "String", AllowedPattern: `\d+`})
	say(err)
	_, err = w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: planted + long(5000), Type: "String"})
	say(err)
	_, err = w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: "{{" + planted + "}}", Type: "String"})
	say(err)
	_, err = w.PutParameter(w.ctx, secret.PutParameterInput{Name: "/n", Value: planted, Type: "SecureString", KeyId: "alias/none"})
	say(err)
	_, err = w.GetParameter(t.Context(), secret.GetParameterInput{Name: "/s", WithDecryption: true})
	say(err)
	_, err = w.keys.Encrypt(w.ctx, kms.EncryptInput{KeyId: "alias/none", Plaintext: []byte(planted)})
	say(err)
	if text := strings.Join(said, "\n") + w.log.String(); strings.Contains(text, planted) {
		t.Errorf("said: %s", text)
	}
}
