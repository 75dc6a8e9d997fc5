package engine_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
)

// keys are one administrator and one function.
type keys struct{}

func (keys) Secret(id, token string) (string, error) {
	switch {
	case id == "AKIAADMIN" && token == "":
		return "admin-secret", nil
	case id == "ASIAFUNCTION" && token == "function-token":
		return "function-secret", nil
	}
	return "", fault.Coded(fault.Unauthenticated, "InvalidClientTokenId", "no key %s", id)
}

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func open(t testing.TB, dir string, onObject func(engine.ObjectEvent) error) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{Dir: dir, Log: testLog(t), Accounts: keys{}, OnObject: onObject})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, e) })
	return e
}

func closed(t testing.TB, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func TestASecondProcessIsToldWhoUsesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	first, err := engine.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Lock(dir)
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), fmt.Sprint("in use by process ", os.Getpid())) || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v, want a conflict that names the process and the way out", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := engine.Lock(dir)
	if err != nil {
		t.Fatalf("after it was let go: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestDirectoriesAreClosedToOthers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	open(t, dir, nil)
	for path, want := range map[string]os.FileMode{"": 0o711, "nats": 0o700, "objects": 0o700, "run": 0o700, "run/s3.sock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q: got %o, want %o", path, got, want)
		}
	}
}

func TestClosingRightAfterOpeningEnds(t *testing.T) {
	dir := t.TempDir()
	for range 20 {
		e, err := engine.Open(t.Context(), engine.Config{Dir: dir, Log: testLog(t), Accounts: keys{}})
		if err != nil {
			t.Fatal(err)
		}
		closed(t, e)
	}
}

func TestOpenLeavesTheWorkingDirectoryAlone(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	open(t, t.TempDir(), nil)
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("working directory: got %s, %v, want %s", after, err, before)
	}
}

func TestALongPathGetsAShortSocket(t *testing.T) {
	e := open(t, filepath.Join(t.TempDir(), strings.Repeat("long", 30)), nil)
	client := s3Client(t, e, admin)
	if _, err := client.ListBuckets(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestReopeningKeepsEverything(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	e := open(t, dir, nil)
	stream(t, e.Streams)
	a := engine.NewAppender(e.Streams, "topic")
	if _, err := a.Append(ctx, "topic.a", nil, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if err := e.Objects.CreateBucket(ctx, "drops"); err != nil {
		t.Fatal(err)
	}
	put(t, e, "drops", "a/b/c.txt", "kept as well")
	closed(t, e)

	e = open(t, dir, nil)
	s, err := e.Streams.Stream(ctx, "topic")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := s.GetMsg(ctx, 1)
	if err != nil || string(msg.Data) != "kept" {
		t.Errorf("message: got %v, %v", msg, err)
	}
	if got := get(t, e, "drops", "a/b/c.txt", 0, -1); got != "kept as well" {
		t.Errorf("object: got %q", got)
	}
}

func TestTwoEnginesLiveInOneProcess(t *testing.T) {
	one, two := open(t, t.TempDir(), nil), open(t, t.TempDir(), nil)
	for name, e := range map[string]*engine.Engine{"one": one, "two": two} {
		if err := e.Objects.CreateBucket(t.Context(), "drops"); err != nil {
			t.Fatal(err)
		}
		put(t, e, "drops", "key", name)
	}
	if got := get(t, one, "drops", "key", 0, -1) + get(t, two, "drops", "key", 0, -1); got != "onetwo" {
		t.Errorf("got %q", got)
	}
}

func TestOpenGivesUpWhatItCannotFinish(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "objects")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Open(t.Context(), engine.Config{Dir: dir, Log: testLog(t), Accounts: keys{}}); err == nil || !strings.Contains(err.Error(), inTheWay) {
		t.Errorf("got %v, want what is in the way", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	open(t, dir, nil)
}

func stream(t testing.TB, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "topic", Subjects: []string{"topic.>"}, AllowAtomicPublish: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t testing.TB, e *engine.Engine, bucket, key, content string) engine.Object {
	t.Helper()
	o, err := e.Objects.Put(t.Context(), bucket, key, strings.NewReader(content), int64(len(content)), engine.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func get(t testing.TB, e *engine.Engine, bucket, key string, offset, length int64) string {
	t.Helper()
	_, body, err := e.Objects.Get(t.Context(), bucket, key, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
