package kms_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

const day = 24 * time.Hour

// running runs the keys' loop until the test's bubble ends.
func (w world) running(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAreDestroyedWhenTheWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := &storetest.Memory{}
		w := start(t, rootKey(t, 1, 0), bucket)
		w.running(t)
		id, kept := w.key(t), w.key(t)
		must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
		must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/x", TargetKeyId: id}))
		blob, keptBlob := w.encrypt(t, id, "x", nil), w.encrypt(t, kept, "y", nil)
		must[kms.ScheduleKeyDeletionOutput](t)(w.ScheduleKeyDeletion(w.ctx, kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: ptr(7)}))
		time.Sleep(7*day - time.Second)
		synctest.Wait()
		must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id}))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := code(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id})); got != "NotFoundException" {
			t.Errorf("after the window: %s", got)
		}
		if got := code(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob})); got != "AccessDeniedException" {
			t.Errorf("its ciphertext: %s", got)
		}
		if got := code(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: "alias/x"})); got != "NotFoundException" {
			t.Errorf("its alias: %s", got)
		}
		w.decrypts(t, keptBlob, nil, "y")
		all, err := bucket.Load(t.Context())
		if err != nil || len(all) != 3 { // the store's secret; the other key and its material
			t.Errorf("%d records are left, %v", len(all), err)
		}
	})
}

func TestDeletionThatIsCancelledNeverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.running(t)
		id := w.key(t)
		blob := w.encrypt(t, id, "x", nil)
		must[kms.ScheduleKeyDeletionOutput](t)(w.ScheduleKeyDeletion(w.ctx, kms.ScheduleKeyDeletionInput{KeyId: id}))
		time.Sleep(29 * day)
		must[kms.KeyOutput](t)(w.CancelKeyDeletion(w.ctx, kms.KeyInput{KeyId: id}))
		time.Sleep(30 * day)
		synctest.Wait()
		must[kms.None](t)(w.EnableKey(w.ctx, kms.KeyInput{KeyId: id}))
		w.decrypts(t, blob, nil, "x")
	})
}

func TestKeysRotateWhenItIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.running(t)
		id := w.key(t)
		blob := w.encrypt(t, id, "x", nil)
		must[kms.None](t)(w.EnableKeyRotation(w.ctx, kms.EnableKeyRotationInput{KeyId: id, RotationPeriodInDays: ptr(100)}))
		count := func() int {
			synctest.Wait()
			return len(must[kms.ListKeyRotationsOutput](t)(w.ListKeyRotations(w.ctx, kms.ListKeyRotationsInput{KeyId: id})).Rotations)
		}
		for _, step := range []struct {
			wait time.Duration
			want int
		}{{99 * day, 0}, {day, 1}, {99 * day, 1}, {day, 2}} {
			time.Sleep(step.wait)
			if got := count(); got != step.want {
				t.Errorf("after %v more: %d rotations, want %d", step.wait, got, step.want)
			}
		}
		status := must[kms.GetKeyRotationStatusOutput](t)(w.GetKeyRotationStatus(w.ctx, kms.KeyInput{KeyId: id}))
		if want := time.Now().Add(100 * day); !status.NextRotationDate.Equal(want) {
			t.Errorf("next on %v, want %v", status.NextRotationDate, want)
		}
		must[kms.None](t)(w.DisableKeyRotation(w.ctx, kms.KeyInput{KeyId: id}))
		time.Sleep(1000 * day)
		if got := count(); got != 2 {
			t.Errorf("rotated %d times, though rotation is off", got)
		}
		w.decrypts(t, blob, nil, "x")
	})
}

func TestFailedDestructionIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := &storetest.Memory{}
		w := start(t, rootKey(t, 1, 0), bucket)
		w.running(t)
		id := w.key(t)
		must[kms.ScheduleKeyDeletionOutput](t)(w.ScheduleKeyDeletion(w.ctx, kms.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: ptr(7)}))
		synctest.Wait()
		failures := 2
		bucket.Fail(func() error {
			if failures--; failures >= 0 {
				return errors.New("the disk is away")
			}
			return nil
		})
		time.Sleep(7*day + time.Minute)
		synctest.Wait()
		must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id}))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := code(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: id})); got != "NotFoundException" {
			t.Errorf("after the disk is back: %s", got)
		}
	})
}

func TestKeysAreThereAfterARestartAndNothingOfThemIsReadable(t *testing.T) {
	dir := t.TempDir()
	var material []byte
	var id string
	var blob []byte
	t.Run("first", func(t *testing.T) {
		bucket, err := store.Open(t.Context(), enginetest.StreamsIn(t, dir), "keys")
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, rootKey(t, 1, 0), bucket)
		out := must[kms.CreateKeyOutput](t)(w.CreateKey(w.ctx, kms.CreateKeyInput{Description: "planted-description"}))
		id = out.KeyMetadata.KeyId
		must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
		must[kms.None](t)(w.CreateAlias(w.ctx, kms.AliasInput{AliasName: "alias/x", TargetKeyId: id}))
		must[kms.CreateGrantOutput](t)(w.CreateGrant(w.ctx, kms.CreateGrantInput{KeyId: id, GranteePrincipal: "arn:aws:iam::" + account + ":user/planted-user", Operations: []string{"Encrypt"}}))
		blob = w.encrypt(t, id, "x", nil)
		material = w.Material(id)
	})
	for _, planted := range [][]byte{material, []byte("planted-description"), []byte("planted-user")} {
		if onDisk(t, dir, planted) {
			t.Errorf("%q is on the disk", planted)
		}
	}
	t.Run("second", func(t *testing.T) {
		bucket, err := store.Open(t.Context(), enginetest.StreamsIn(t, dir), "keys")
		if err != nil {
			t.Fatal(err)
		}
		w := start(t, rootKey(t, 1, 0), bucket)
		w.decrypts(t, blob, nil, "x")
		if m := must[kms.DescribeKeyOutput](t)(w.DescribeKey(w.ctx, kms.DescribeKeyInput{KeyId: "alias/x"})).KeyMetadata; m.KeyId != id || m.Description != "planted-description" {
			t.Errorf("%+v", m)
		}
		if _, err := root.OpenKept(t.Context(), rootKey(t, 9, 0), bucket, "store"); err == nil {
			t.Error("another root key opened the store")
		}
	})
}

func onDisk(t *testing.T, dir string, planted []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, planted)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// change writes a record of the bucket with one byte changed, and returns what
// puts it back.
func change(t *testing.T, bucket store.Bucket, at store.Record, i int) (restore func()) {
	t.Helper()
	bad := bytes.Clone(at.Value)
	bad[i] ^= 1
	revision, err := bucket.Update(t.Context(), at.Key, bad, at.Revision)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := bucket.Update(t.Context(), at.Key, at.Value, revision); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChangedRecordsAreRefusedAndOthersWork(t *testing.T) {
	bucket := &storetest.Memory{}
	w := start(t, rootKey(t, 1, 0), bucket)
	id, other := w.key(t), w.key(t)
	blob, otherBlob := w.encrypt(t, id, "x", nil), w.encrypt(t, other, "y", nil)
	all, err := bucket.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, at := range all {
		_, parts, err := store.Parts(at.Key)
		if err != nil || len(parts) == 0 || parts[0] != id {
			continue
		}
		for i := range at.Value {
			if at, err = bucket.Get(t.Context(), at.Key); err != nil {
				t.Fatal(err)
			}
			restore := change(t, bucket, at, i)
			w := start(t, rootKey(t, 1, 0), bucket)
			if got := code(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob})); got != "KeyUnavailableException" {
				t.Fatalf("%s with byte %d changed: %s", at.Key, i, got)
			}
			w.decrypts(t, otherBlob, nil, "y")
			restore()
			changed++
		}
	}
	if changed < 100 {
		t.Errorf("only %d bytes were changed", changed)
	}
	start(t, rootKey(t, 1, 0), bucket).decrypts(t, blob, nil, "x")
}

func TestRecordsMovedToAnotherPlaceAreRefused(t *testing.T) {
	bucket := &storetest.Memory{}
	w := start(t, rootKey(t, 1, 0), bucket)
	id, other := w.key(t), w.key(t)
	blob := w.encrypt(t, id, "x", nil)
	for _, at := range [][2]string{{store.Key("key", other), store.Key("key", id)}, {store.Key("material", other, "1"), store.Key("material", id, "1")}} {
		from, err := bucket.Get(t.Context(), at[0])
		if err != nil {
			t.Fatal(err)
		}
		to, err := bucket.Get(t.Context(), at[1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bucket.Update(t.Context(), to.Key, from.Value, to.Revision); err != nil {
			t.Fatal(err)
		}
	}
	w = start(t, rootKey(t, 1, 0), bucket)
	if got := code(w.Decrypt(w.ctx, kms.DecryptInput{CiphertextBlob: blob})); got != "KeyUnavailableException" {
		t.Error(got)
	}
}

func TestStopsAtAnyWriteLoseNothing(t *testing.T) {
	crash := errors.New("killed")
	for name, act := range map[string]func(world, string) error{
		"create a key": func(w world, _ string) error {
			_, err := w.CreateKey(w.ctx, kms.CreateKeyInput{})
			return err
		},
		"rotate": func(w world, id string) error {
			_, err := w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id})
			return err
		},
		"rewrap": func(w world, _ string) error {
			_, err := w.Root.Settle(w.ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for stop := 1; ; stop++ {
				bucket := &storetest.Memory{}
				w := start(t, rootKey(t, 1, 0), bucket)
				id := w.key(t)
				must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
				blob := w.encrypt(t, id, "x", nil)
				w = start(t, rootKey(t, 2, 1), bucket) // a new root key
				writes := 0
				bucket.Fail(func() error {
					if writes++; writes >= stop {
						return crash
					}
					return nil
				})
				err := act(w, id)
				bucket.Fail(nil)
				w.decrypts(t, blob, nil, "x") // if the process goes on

				w = start(t, rootKey(t, 2, 1), bucket)
				w.decrypts(t, blob, nil, "x")
				w.decrypts(t, w.encrypt(t, id, "z", nil), nil, "z")
				must[kms.KeyOutput](t)(w.RotateKeyOnDemand(w.ctx, kms.KeyInput{KeyId: id}))
				must[root.Report](t)(w.Root.Settle(t.Context()))
				w = start(t, rootKey(t, 2, 0), bucket) // the old root key is gone
				w.decrypts(t, blob, nil, "x")
				if err == nil {
					if stop < 3 {
						t.Errorf("only %d writes were cut short", stop-1)
					}
					return
				}
				if !errors.Is(err, crash) {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestWriteThatSeemedToFailIsNoticed(t *testing.T) {
	bucket := &storetest.Memory{}
	w := start(t, rootKey(t, 1, 0), bucket)
	id := w.key(t)
	at, err := bucket.Get(t.Context(), store.Key("key", id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.Update(t.Context(), at.Key, at.Value, at.Revision); err != nil { // the same, at another revision
		t.Fatal(err)
	}
	if got := code(w.DisableKey(w.ctx, kms.KeyInput{KeyId: id})); got != "ConflictException" {
		t.Errorf("the first call: %s", got)
	}
	must[kms.None](t)(w.DisableKey(w.ctx, kms.KeyInput{KeyId: id}))
}
