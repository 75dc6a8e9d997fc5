package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine"
)

// stagedAt is where the batches of the stream "topic" go, "" for the disk.
func stagedAt(t *testing.T, dir string) string {
	t.Helper()
	at, err := os.Readlink(filepath.Join(dir, "nats", "jetstream", "$G", "streams", "topic", "batches"))
	if err != nil {
		return ""
	}
	return at
}

// appendMany appends 200 messages at once and says how many the stream has then.
func appendMany(t *testing.T, s jetstream.Stream, a *engine.Appender) uint64 {
	t.Helper()
	none := func(int) nats.Header { return nil }
	for _, err := range queueUp(t, a, 200, none, func(int) []byte { return []byte("m") }) {
		if err != nil {
			t.Error(err)
		}
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Msgs
}

func TestBatchesAreStagedInMemory(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("not run: this machine has no shared memory: batches are staged on disk")
	}
	dir := t.TempDir()
	var at string
	for life := range 2 {
		e, err := engine.Open(t.Context(), engine.Config{Dir: dir, Log: testLog(t), Accounts: keys{}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Streams.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "topic", Subjects: []string{"topic.>"}, AllowAtomicPublish: true})
		if err != nil {
			t.Fatal(err)
		}
		a := e.NewAppender("topic")
		if at = stagedAt(t, dir); !strings.HasPrefix(at, "/dev/shm/") {
			t.Errorf("batches are staged in %q, want in memory", at)
		}
		if got, want := appendMany(t, s, a), uint64(200*(life+1)); got != want {
			t.Errorf("life %d: %d messages, want %d", life, got, want)
		}
		a.Close()
		again := e.NewAppender("topic") // as after a topic was taken away and deployed again
		if got, want := appendMany(t, s, again), uint64(200*(life+1)+200); got != want {
			t.Errorf("life %d: %d messages after a second appender, want %d", life, got, want)
		}
		again.Close()
		if err := s.Purge(t.Context(), jetstream.WithPurgeKeep(uint64(200*(life+1)))); err != nil {
			t.Fatal(err)
		}
		closed(t, e)
		if _, err := os.Stat(at); !os.IsNotExist(err) {
			t.Errorf("%s is left behind: %v", at, err)
		}
	}
}

func TestOthersMayNotLookIntoTheStage(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("not run: this machine has no shared memory")
	}
	dir := t.TempDir()
	e := open(t, dir, nil)
	if _, err := e.Streams.CreateStream(t.Context(), jetstream.StreamConfig{Name: "topic", Subjects: []string{"topic.>"}, AllowAtomicPublish: true}); err != nil {
		t.Fatal(err)
	}
	e.NewAppender("topic").Close()
	stage := filepath.Dir(stagedAt(t, dir))
	closed(t, e)
	if err := os.Mkdir(stage, 0o755); err != nil { // somebody was there first
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(stage) })

	e = open(t, dir, nil)
	s, err := e.Streams.Stream(t.Context(), "topic")
	if err != nil {
		t.Fatal(err)
	}
	a := e.NewAppender("topic")
	defer a.Close()
	if at := stagedAt(t, dir); at != "" {
		t.Errorf("batches are staged in %s, which is not ours alone", at)
	}
	if got := appendMany(t, s, a); got != 200 {
		t.Errorf("%d messages, want 200", got)
	}
}

func TestStagesOfLostDataAreRemoved(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip("not run: this machine has no shared memory")
	}
	left, err := os.MkdirTemp("/dev/shm", "dropstack-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(left) })
	if err := os.WriteFile(filepath.Join(left, ".owner"), []byte(filepath.Join(t.TempDir(), "gone")), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, t.TempDir(), nil)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the stage of a directory that is gone is left: %v", err)
	}
}
