package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// counting counts what is sealed.
type counting struct {
	mask
	n *int
}

func (c counting) Seal(ctx context.Context, key string, plaintext, context []byte) ([]byte, error) {
	*c.n++
	return c.mask.Seal(ctx, key, plaintext, context)
}

func TestWhatStaysIsNotSealedAgain(t *testing.T) {
	s, n := shelf{}, 0
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	d.Sealer = counting{n: &n}
	r := revision(s.artifact(t), []string{"f 1", "g 1"})
	for i := range r.Functions {
		r.Functions[i].Environment = map[string]string{"A": "b"}
	}
	if _, err := d.Deploy(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	edit := func(change func(*function.Function)) {
		t.Helper()
		_, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error { change(&r.Functions[0]); return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	for what, tt := range map[string]struct {
		change func(*function.Function)
		want   int
	}{
		"another timeout": {func(f *function.Function) { f.Timeout++ }, 0},
		"another value":   {func(f *function.Function) { f.Environment["A"] += "c" }, 1},
		"another key":     {func(f *function.Function) { f.KeyARN += "k" }, 1},
	} {
		n = 0
		edit(tt.change)
		if n != tt.want {
			t.Errorf("%s: %d environments were sealed, want %d", what, n, tt.want)
		}
	}
	again := sealedBy(t, d.Streams, s, mask{})
	if rev, _ := again.Active("s-dev"); len(rev.Functions) != 2 || rev.Functions[0].Environment["A"] != "bc" || rev.Functions[1].Environment["A"] != "b" {
		t.Errorf("after a restart: %+v", rev)
	}
}

// mask is a sealer that hides text from a search and knows the key and context.
type mask struct{}

func (mask) Seal(_ context.Context, key string, plaintext, context []byte) ([]byte, error) {
	return xored([]byte(fmt.Sprintf("%s|%s|%s", key, context, plaintext))), nil
}

func (mask) Open(_ context.Context, key string, sealed, context []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(xored(sealed), []byte(fmt.Sprintf("%s|%s|", key, context)))
	if !ok {
		return nil, fault.Errorf(fault.Denied, "sealed for something else")
	}
	return plain, nil
}

func xored(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ 0x5a
	}
	return out
}

const planted = "planted-secret-value"

func TestEnvironmentsAreStoredSealed(t *testing.T) {
	dir, s := t.TempDir(), shelf{}
	js := enginetest.StreamsIn(t, dir)
	open := func(sealer function.Sealer) (*deploy.Deployer, *environments) {
		h := &environments{house: newHouse(), seen: map[string]map[string]string{}}
		d := &deploy.Deployer{Streams: js, Objects: s, Artifacts: t.TempDir(), Rooms: h.rooms(), Sealer: sealer, Log: slog.New(slog.DiscardHandler)}
		if err := d.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		return d, h
	}
	d, _ := open(mask{})
	r := revision(s.artifact(t), []string{"f 1"})
	r.Functions[0].Environment, r.Functions[0].KeyARN, r.Functions[0].ARN = map[string]string{"PASSWORD": planted}, "alias/own", "arn:f"
	if _, err := d.Deploy(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	rev, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error {
		r.Functions[0].Description = "edited"
		return nil
	})
	if err != nil || rev.Functions[0].Environment["PASSWORD"] != planted {
		t.Fatalf("edited %v, %v", rev, err)
	}
	grep(t, dir)
	if _, h := open(mask{}); h.seen["f"]["PASSWORD"] != planted {
		t.Errorf("after a restart: %v", h.seen)
	}
	if other, h := open(nil); len(h.seen) != 0 || len(other.List()) != 0 {
		t.Errorf("without the key a stack was started: %v", h.seen)
	}
}

// sealedBy is a deployer with a sealer.
func sealedBy(t *testing.T, js jetstream.JetStream, s shelf, sealer function.Sealer) *deploy.Deployer {
	t.Helper()
	d := &deploy.Deployer{Streams: js, Objects: s, Artifacts: t.TempDir(), Rooms: newHouse().rooms(), Sealer: sealer, Log: slog.New(slog.DiscardHandler)}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// environments writes down what functions have in theirs.
type environments struct {
	*house
	seen map[string]map[string]string
}

func (e *environments) rooms() deploy.Rooms {
	rooms := e.house.rooms()
	rooms.Functions = environmentRoom{e}
	return rooms
}

type environmentRoom struct{ *environments }

func (environmentRoom) Admit([]function.Function) error { return nil }

func (environmentRoom) PublishChanged(context.Context, string) error { return nil }

func (r environmentRoom) Replace(_ string, fns []function.Function) error {
	for _, f := range fns {
		r.seen[f.Name] = f.Environment
	}
	return nil
}

// grep fails when a planted value is in any file of a server's directory.
func grep(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		doc, err := os.ReadFile(path)
		if strings.Contains(string(doc), planted) || strings.Contains(string(doc), "PASSWORD") {
			t.Errorf("%s has the value or the name", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestAPIKeysAreStoredSealedAndKeepTheirValues(t *testing.T) {
	s, streams := shelf{}, enginetest.Streams(t)
	d := sealedBy(t, streams, s, mask{})
	given := strings.Repeat("planted-", 4)
	r := revision(s.artifact(t), []string{"f 1"})
	r.APIKeys = []gateway.APIKey{{Stack: "s-dev", ID: "one", Name: "one", Value: given}, {Stack: "s-dev", ID: "two", Name: "two"}}
	first, err := d.Deploy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	made := first.APIKeys[1].Value
	if len(made) != 40 {
		t.Errorf("a key without a value was given %d characters, want 40", len(made))
	}
	kv, err := streams.KeyValue(t.Context(), "revisions")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := kv.Get(t.Context(), "s-dev."+first.ID)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored.Value(), []byte(given)) || bytes.Contains(stored.Value(), []byte(made)) {
		t.Error("a value is stored as it is")
	}
	shown := first.Shown(nil)
	if shown.APIKeys[0].Value+shown.APIKeys[1].Value != "" || first.APIKeys[0].Value != given {
		t.Errorf("shown %q and %q, want nothing", shown.APIKeys[0].Value, shown.APIKeys[1].Value)
	}
	again, err := d.Deploy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if again.APIKeys[1].Value != made {
		t.Error("a key has another value after another deployment")
	}
	restarted := sealedBy(t, streams, s, mask{})
	rev, _ := restarted.Active("s-dev")
	if rev == nil || rev.APIKeys[0].Value != given || rev.APIKeys[1].Value != made || rev.APIKeys[0].Sealed != nil {
		t.Errorf("after a restart: %+v", rev)
	}
}
