package root_test

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/secret/root"
	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/secret/store/storetest"
)

// plain is a key of one repeated byte.
func plain(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func text(b byte) string { return base64.StdEncoding.EncodeToString(plain(b)) }

func write(t *testing.T, path string, content []byte, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, p root.Provider) *root.Root {
	t.Helper()
	r, err := root.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func identity(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return write(t, filepath.Join(t.TempDir(), "age.txt"), []byte("# mine\n"+id.String()+"\n"), 0o600)
}

func TestProvidersGiveTheSameKey(t *testing.T) {
	dir := t.TempDir()
	want := open(t, root.Values{Name: "KEY", Current: text(1)})
	for name, p := range map[string]root.Provider{
		"file of 32 bytes":                root.File{Path: write(t, filepath.Join(dir, "raw"), plain(1), 0o600)},
		"file of base64":                  root.File{Path: write(t, filepath.Join(dir, "text"), []byte(text(1)+"\n"), 0o600)},
		"file in the midst of a rotation": root.File{Path: write(t, filepath.Join(dir, "two"), append(plain(1), plain(2)...), 0o600)},
		"systemd credential":              root.Credential{Dir: dir, Name: "raw"},
		"values with a previous key":      root.Values{Name: "KEY", Current: text(1), Previous: text(2)},
	} {
		t.Run(name, func(t *testing.T) {
			r := open(t, p)
			if r.ID() != want.ID() || !bytes.Equal(r.Derive("x", 48), want.Derive("x", 48)) {
				t.Errorf("got key %s, want %s", r.ID(), want.ID())
			}
		})
	}
}

func TestKeysDeriveWhatTheyAlwaysHave(t *testing.T) {
	want, err := hkdf.Key(sha256.New, plain(1), nil, "access key id\x00arn", 10)
	if err != nil {
		t.Fatal(err)
	}
	if got := open(t, root.Values{Name: "KEY", Current: text(1)}).Derive("access key id\x00arn", 10); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestFilesAreMadeOnceAndForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	for name, p := range map[string]root.Provider{
		"root.key":     root.File{Path: filepath.Join(dir, "root.key")},
		"root.key.age": root.Age{Path: filepath.Join(dir, "root.key.age"), Identity: identity(t)},
	} {
		first := open(t, p)
		if again := open(t, p); again.ID() != first.ID() {
			t.Errorf("%s: the second start made another key", name)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestWrongKeysAreRefusedBySayingWhatToDo(t *testing.T) {
	dir := t.TempDir()
	sealed := filepath.Join(dir, "sealed.age")
	open(t, root.Age{Path: sealed, Identity: identity(t)})
	for name, c := range map[string]struct {
		p    root.Provider
		want string
	}{
		"short file":                    {root.File{Path: write(t, filepath.Join(dir, "short"), []byte("short"), 0o600)}, "restore it from a backup"},
		"empty file":                    {root.File{Path: write(t, filepath.Join(dir, "empty"), nil, 0o600)}, "0 bytes"},
		"file that others read":         {root.File{Path: write(t, filepath.Join(dir, "open"), plain(1), 0o644)}, "chmod 0600"},
		"no value":                      {root.Values{Name: "KEY"}, "KEY holds no key"},
		"value of another size":         {root.Values{Name: "KEY", Current: "c2hvcnQ="}, "openssl rand -base64 32"},
		"two current values":            {root.Values{Name: "KEY", Current: text(1) + " " + text(2)}, "more than one key"},
		"previous value that is no key": {root.Values{Name: "KEY", Current: text(1), Previous: "old"}, "previous key of KEY"},
		"no credentials directory":      {root.Credential{Name: "root-key"}, "LoadCredential=root-key"},
		"missing credential":            {root.Credential{Dir: dir, Name: "nothing"}, "no such file"},
		"another age identity":          {root.Age{Path: sealed, Identity: identity(t)}, "decrypt"},
		"no age identity":               {root.Age{Path: sealed, Identity: write(t, filepath.Join(dir, "none"), []byte("hello"), 0o600)}, "not a file of age identities"},
		"identity that others read":     {root.Age{Path: sealed, Identity: write(t, filepath.Join(dir, "shared"), nil, 0o644)}, "chmod 0600"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := root.Open(c.p)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "c2hvcnQ") {
				t.Errorf("the error shows the value: %v", err)
			}
		})
	}
}

func TestSealedBytesOpenOnlyUnchangedAndInTheirPlace(t *testing.T) {
	r := open(t, root.Values{Name: "KEY", Current: text(1)})
	s := r.Sealer("things")
	sealed, err := s.Seal([]byte("hello"), []byte("place"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(sealed, []byte("place")); err != nil || string(got) != "hello" {
		t.Fatalf("got %q, %v", got, err)
	}
	if again, _ := s.Seal([]byte("hello"), []byte("place")); bytes.Equal(again, sealed) {
		t.Error("the same plaintext gave the same bytes")
	}
	if _, err := s.Open(sealed, []byte("elsewhere")); err == nil {
		t.Error("opened in another place")
	}
	if _, err := r.Sealer("other things").Open(sealed, []byte("place")); err == nil {
		t.Error("opened for another use")
	}
	other := open(t, root.Values{Name: "KEY", Current: text(2)})
	if _, err := other.Sealer("things").Open(sealed, []byte("place")); err == nil || !strings.Contains(err.Error(), r.ID()) {
		t.Errorf("under another key: %v, want the fingerprint of the missing one", err)
	}
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if _, err := s.Open(changed, []byte("place")); err == nil {
				t.Fatalf("opened with bit %d of byte %d changed", bit, i)
			}
		}
	}
	for n := range sealed {
		if _, err := s.Open(sealed[:n], []byte("place")); err == nil {
			t.Fatalf("opened when cut to %d bytes", n)
		}
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	r := open(t, root.Values{Name: "KEY", Current: text('K')})
	kept, err := root.OpenKept(t.Context(), r, &storetest.Memory{}, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{r, r.Sealer("x"), kept, kept.Sealer("x")} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "KKKK") || strings.Contains(out, "75, 75, 75") || strings.Contains(out, "75 75 75") || strings.Contains(out, "0x4b, 0x4b") || strings.Contains(out, "4b4b4b") {
				t.Errorf("%T by %s: %s", v, verb, out)
			}
		}
	}
}

// box is a holder: one sealed value in a bucket.
type box struct {
	bucket store.Bucket
	name   string
	sealer *root.Sealer
}

func (b *box) put(ctx context.Context, value string) error {
	sealed, err := b.sealer.Seal([]byte(value), nil)
	if err != nil {
		return err
	}
	_, err = b.bucket.Create(ctx, b.name, sealed)
	return err
}

func (b *box) get(ctx context.Context) (string, error) {
	at, err := b.bucket.Get(ctx, b.name)
	if err != nil {
		return "", err
	}
	value, err := b.sealer.Open(at.Value, nil)
	return string(value), err
}

func (b *box) Rewrap(ctx context.Context) (int, error) {
	at, err := b.bucket.Get(ctx, b.name)
	if err != nil || b.sealer.Current(at.Value) {
		return 0, err
	}
	value, err := b.sealer.Open(at.Value, nil)
	if err != nil {
		return 0, err
	}
	sealed, err := b.sealer.Seal(value, nil)
	if err != nil {
		return 0, err
	}
	_, err = b.bucket.Update(ctx, b.name, sealed, at.Revision)
	return 1, err
}

// world is a root key with two boxes and a kept secret.
type world struct {
	root  *root.Root
	boxes []*box
	kept  *root.Kept
}

func start(t *testing.T, p root.Provider, bucket store.Bucket) world {
	t.Helper()
	w := world{root: open(t, p)}
	for _, name := range []string{"a", "b"} {
		b := &box{bucket, name, w.root.Sealer(name)}
		w.root.Hold(name, b)
		w.boxes = append(w.boxes, b)
	}
	var err error
	if w.kept, err = root.OpenKept(t.Context(), w.root, bucket, "kept"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w world) check(t *testing.T, secret []byte) {
	t.Helper()
	for _, b := range w.boxes {
		if got, err := b.get(t.Context()); err != nil || got != "in "+b.name {
			t.Errorf("box %s: %q, %v", b.name, got, err)
		}
	}
	if !bytes.Equal(w.kept.Derive("x", 16), secret) {
		t.Error("the kept secret has changed")
	}
}

func TestRotationSurvivesAStopAtAnyWrite(t *testing.T) {
	crash := errors.New("killed")
	for stop := 1; ; stop++ {
		bucket, file := &storetest.Memory{}, root.File{Path: filepath.Join(t.TempDir(), "root.key")}
		writes, armed := 0, false
		fail := func() error {
			if !armed {
				return nil
			}
			if writes++; writes >= stop {
				return crash
			}
			return nil
		}
		bucket.Fail(fail)
		w := start(t, root.Failing(file, fail), bucket)
		for _, b := range w.boxes {
			if err := b.put(t.Context(), "in "+b.name); err != nil {
				t.Fatal(err)
			}
		}
		old, secret := w.root.ID(), w.kept.Derive("x", 16)
		armed = true
		_, err := w.root.Rotate(t.Context())
		armed = false

		w.check(t, secret) // as the process goes on, if it does
		w = start(t, file, bucket)
		w.check(t, secret)
		if report, err := w.root.Settle(t.Context()); err != nil {
			t.Fatalf("settle after %d writes: %+v, %v", stop-1, report, err)
		}
		if ids := w.root.Previous(); len(ids) > 0 {
			t.Errorf("previous keys after settling: %v", ids)
		}
		w = start(t, file, bucket)
		w.check(t, secret)
		if err == nil {
			if w.root.ID() == old {
				t.Error("the key is the same after a rotation")
			}
			if stop < 6 { // key, two boxes, kept secret, key
				t.Errorf("only %d writes were cut short", stop-1)
			}
			return
		}
		if !errors.Is(err, crash) {
			t.Fatal(err)
		}
	}
}

func TestKeyFileIsOneKeyAtEveryMomentOfARotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	bucket := &storetest.Memory{}
	w := start(t, root.File{Path: path}, bucket)
	looked := 0
	bucket.Fail(func() error { // as the kept secret is rewrapped
		content, err := os.ReadFile(path)
		previous, failed := os.ReadFile(path + ".previous")
		if looked++; err != nil || failed != nil || len(content) != 32 || len(previous) != 32 || bytes.Equal(content, previous) {
			t.Errorf("%d and %d bytes, %v, %v", len(content), len(previous), err, failed)
		}
		return nil
	})
	if _, err := os.Stat(path + ".previous"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	w.root.Hold("a", w.kept) // there is nothing in the boxes
	w.root.Hold("b", w.kept)
	if _, err := w.root.Rotate(t.Context()); err != nil || looked == 0 {
		t.Fatalf("looked %d times, %v", looked, err)
	}
	if _, err := os.Stat(path + ".previous"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the previous key is there after the rotation: %v", err)
	}
}

func TestStopBetweenTheTwoKeyFilesLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	write(t, path, plain(1), 0o600)
	write(t, path+".previous", plain(1), 0o600) // written; the new key is not
	r := open(t, root.File{Path: path})
	if want := open(t, root.Values{Name: "KEY", Current: text(1)}); r.ID() != want.ID() || len(r.Previous()) > 0 {
		t.Errorf("got %s, previous %v", r.ID(), r.Previous())
	}
	write(t, path, plain(2), 0o600)
	if r := open(t, root.File{Path: path}); len(r.Previous()) != 1 {
		t.Errorf("previous %v", r.Previous())
	}
}

func TestOldKeyOpensNothingAfterARotation(t *testing.T) {
	bucket, path := &storetest.Memory{}, filepath.Join(t.TempDir(), "root.key")
	w := start(t, root.File{Path: path}, bucket)
	for _, b := range w.boxes {
		if err := b.put(t.Context(), "in "+b.name); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	report, err := w.root.Rotate(t.Context())
	if err != nil || report.Rewrapped != 3 || report.ID != w.root.ID() {
		t.Fatalf("%+v, %v", report, err)
	}
	write(t, path, old, 0o600)
	stale := open(t, root.File{Path: path})
	if got, err := (&box{bucket, "a", stale.Sealer("a")}).get(t.Context()); err == nil {
		t.Errorf("the old key opened %q", got)
	}
	if _, err := root.OpenKept(t.Context(), stale, bucket, "kept"); err == nil {
		t.Error("the old key opened the kept secret")
	}
}

func TestKeysOfTheOperatorAreRotatedByTheOperator(t *testing.T) {
	bucket := &storetest.Memory{}
	w := start(t, root.Values{Name: "KEY", Current: text(1)}, bucket)
	for _, b := range w.boxes {
		if err := b.put(t.Context(), "in "+b.name); err != nil {
			t.Fatal(err)
		}
	}
	old, secret := w.root.ID(), w.kept.Derive("x", 16)
	if _, err := w.root.Rotate(t.Context()); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "KEY") {
		t.Errorf("Rotate: %v", err)
	}
	w = start(t, root.Values{Name: "KEY", Current: text(2), Previous: text(1)}, bucket)
	w.check(t, secret)
	report, err := w.root.Settle(t.Context())
	if err != nil || report.Rewrapped != 3 || len(report.Superfluous) != 1 || report.Superfluous[0] != old {
		t.Fatalf("%+v, %v", report, err)
	}
	w = start(t, root.Values{Name: "KEY", Current: text(2)}, bucket)
	w.check(t, secret)
}

func TestRotationIsRefusedWhileNobodyRewrapsAUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	r := open(t, root.File{Path: path})
	r.Sealer("forgotten")
	before := r.ID()
	if _, err := r.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "forgotten") {
		t.Errorf("got %v, want the use named", err)
	}
	if open(t, root.File{Path: path}).ID() != before {
		t.Error("the key has changed")
	}
}

func TestStandingTellsWhetherTheKeyLiesWithTheData(t *testing.T) {
	dir := t.TempDir()
	file := root.File{Path: filepath.Join(dir, "root.key")}
	open(t, file)
	for name, c := range map[string]struct {
		p    root.Provider
		same bool
	}{
		"file beside the data":   {file, true},
		"variable":               {root.Values{Name: "KEY", Current: text(1)}, false},
		"file on another device": {root.File{Path: "/dev/null"}, false},
	} {
		got, err := root.Stand(c.p, dir)
		if err != nil || got.SameDisk != c.same || got.Statement == "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
