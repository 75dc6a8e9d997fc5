package audit_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
)

func key(t testing.TB, root string) ed25519.PrivateKey {
	t.Helper()
	k, err := audit.SigningKey([]byte(root))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t testing.TB, dir string, more ...func(*audit.Log)) *audit.Log {
	t.Helper()
	l := &audit.Log{Dir: dir, Key: key(t, "root"), Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
	for _, m := range more {
		m(l)
	}
	if err := l.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func closeLog(t testing.TB, l *audit.Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func event(n int) audit.Event {
	return audit.Event{
		EventSource: "ssm.amazonaws.com", EventName: "GetParameter", RequestID: fmt.Sprint("r", n), ReadOnly: true,
		UserIdentity:      audit.UserIdentity{Type: "IAMUser", UserName: "alice", AccessKeyID: "AKIAEXAMPLE"},
		RequestParameters: map[string]any{"name": fmt.Sprint("/app/", n)},
	}
}

func appendEvents(t testing.TB, l *audit.Log, from, n int) {
	t.Helper()
	for i := range n {
		if err := l.Append(t.Context(), event(from+i)); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, dir string) audit.Report {
	t.Helper()
	r, err := audit.Verify(dir, audit.Evidence{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sound fails the test unless a log is untouched.
func sound(t testing.TB, dir string, records int) audit.Report {
	t.Helper()
	r := verify(t, dir)
	for _, f := range r.Faults {
		t.Errorf("untouched, but: %v", f)
	}
	if r.Records != records {
		t.Errorf("got %d records, want %d", r.Records, records)
	}
	return r
}

// records are a page of a log, decoded.
func records(t testing.TB, l *audit.Log, in audit.ListInput) []audit.Event {
	t.Helper()
	out, err := l.List(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]audit.Event, len(out.Events))
	for i, doc := range out.Events {
		if err := json.Unmarshal(doc, &list[i]); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// files are a directory's, by path below it.
func files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			out[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t testing.TB, dir string, all map[string][]byte) {
	t.Helper()
	for name, doc := range all {
		write(t, filepath.Join(dir, name), doc)
	}
}

func write(t testing.TB, path string, doc []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	// not os.WriteFile: file systems take their time over a file that was emptied
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(doc, 0)
	if err := errors.Join(err, f.Truncate(int64(len(doc))), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAppendedRecordsAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		l := open(t, dir)
		appendEvents(t, l, 10*i, 10)
		sound(t, dir, 10*i+10) // while it runs
		closeLog(t, l)
	}
	r := sound(t, dir, 30)
	if r.First != 1 || r.Last != 30 || r.Files != 1 || len(r.Notes) > 0 {
		t.Errorf("got %+v", r)
	}
	if got := records(t, open(t, dir), audit.ListInput{Limit: 1000}); len(got) != 30 || got[0].RequestID != "r29" || got[29].RequestID != "r0" {
		t.Errorf("got %d records, of %v to %v", len(got), got[0].RequestID, got[len(got)-1].RequestID)
	}
}

func TestConcurrentAppends(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	const callers, each = 32, 50
	stop, verified := make(chan struct{}), make(chan struct{})
	go func() { // somebody verifies meanwhile
		defer close(verified)
		for {
			if r := verify(t, dir); !r.OK() {
				t.Errorf("while it is written: %v", r.Faults)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				if err := l.Append(t.Context(), event(c*each+i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	<-verified
	closeLog(t, l)
	sound(t, dir, callers*each)
	if err := l.Append(t.Context(), event(0)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: got %v, want unavailable", err)
	}
}

func TestADigestClosesTheFileOfAnHour(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		for i := range 3 {
			appendEvents(t, l, i, 2)
			time.Sleep(61 * time.Minute)
		}
		appendEvents(t, l, 9, 1)
		closeLog(t, l)
	})
	if r := sound(t, dir, 7); r.Files != 4 || r.Digests != 3 {
		t.Errorf("got %d files and %d digests", r.Files, r.Digests)
	}
}

func TestACallIsRefusedWhenItsRecordCannotBeWritten(t *testing.T) {
	full := errors.New("no space left on device")
	for _, op := range []string{"write", "sync", "head", "create"} {
		t.Run(op, func(t *testing.T) {
			var mu sync.Mutex
			broken := ""
			set := func(s string) { mu.Lock(); broken = s; mu.Unlock() }
			defer audit.Disk(func(op string) error {
				mu.Lock()
				defer mu.Unlock()
				if op == broken {
					return full
				}
				return nil
			})()
			dir := t.TempDir()
			l := open(t, dir)
			if op != "create" { // else there is no file yet
				appendEvents(t, l, 0, 1)
			}
			set(op)
			for range 2 {
				if err := l.Append(t.Context(), event(1)); !errors.Is(err, full) || fault.KindOf(err) != fault.Unavailable {
					t.Fatalf("got %v", err)
				}
			}
			if l.Healthy() {
				t.Error("healthy")
			}
			set("")
			appendEvents(t, l, 2, 1)
			if !l.Healthy() {
				t.Error("not healthy again")
			}
			closeLog(t, l)
			want := map[string]int{"write": 3, "sync": 3, "head": 5, "create": 2}[op] // with one that tells of it
			sound(t, dir, want)
		})
	}
}

// Nobody calls while calls are refused: the log finds out by itself that it can
// be written again.
func TestTheLogRecoversByItself(t *testing.T) {
	var full atomic.Bool
	defer audit.Disk(func(op string) error {
		if full.Load() && op == "write" {
			return errors.New("no space left on device")
		}
		return nil
	})()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, t.TempDir())
		full.Store(true)
		if err := l.Append(t.Context(), event(1)); err == nil || l.Healthy() {
			t.Fatal("accepted")
		}
		time.Sleep(time.Hour)
		if l.Healthy() {
			t.Fatal("healthy on a full disk")
		}
		synctest.Wait()
		full.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !l.Healthy() {
			t.Error("not healthy again")
		}
		got := records(t, l, audit.ListInput{})
		if len(got) != 1 || got[0].EventName != "LogNotWritten" || got[0].AdditionalEventData["refused"] != 1.0 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOwnRecordsCannotBeForged(t *testing.T) {
	l := open(t, t.TempDir())
	err := l.Append(t.Context(), audit.Event{EventSource: "cloudtrail.amazonaws.com", EventType: audit.ServiceEvent, EventName: "LogFilesExpired"})
	if err == nil {
		t.Error("accepted")
	}
}

func TestAChangedRootKeyIsRecorded(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	appendEvents(t, l, 0, 2)
	closeLog(t, l)
	l = open(t, dir, func(l *audit.Log) { l.Key = key(t, "next root") })
	appendEvents(t, l, 2, 2)
	closeLog(t, l)
	if r := sound(t, dir, 5); len(r.Keys) != 2 {
		t.Errorf("keys: %v", r.Keys)
	}
	got := records(t, open(t, dir, func(l *audit.Log) { l.Key = key(t, "next root") }), audit.ListInput{Action: "SigningKeyChanged"})
	want := map[string]any{"previousKey": audit.Fingerprint(key(t, "root").Public().(ed25519.PublicKey)), "key": audit.Fingerprint(l.PublicKey())}
	if len(got) != 1 || cmp.Diff(want, got[0].AdditionalEventData) != "" {
		t.Errorf("got %+v", got)
	}
}

func TestALongRecordLosesItsParametersOnly(t *testing.T) {
	l := open(t, t.TempDir())
	e := event(1)
	e.RequestParameters = map[string]any{"name": strings.Repeat("x", 1<<20)}
	e.UserAgent = strings.Repeat("é", 5000)
	if err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got := records(t, l, audit.ListInput{})
	if len(got) != 1 || got[0].RequestID != "r1" || got[0].RequestParameters["omitted"] == nil || len(got[0].UserAgent) > 1100 {
		t.Errorf("got %.3000v", got)
	}
}
