package audit_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/audit"
)

// expiring is a log that has removed records, and what it has removed the last
// time, in the order in which the files went.
func expiring(t *testing.T) (left, removed map[string][]byte, order []string) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, func(l *audit.Log) { l.Keep = 30 * time.Hour })
		for i := range 10 {
			before := files(t, dir)
			appendEvents(t, l, i, 2)
			time.Sleep(6 * time.Hour)
			synctest.Wait()
			left = files(t, dir)
			gone := map[string][]byte{}
			for name, doc := range before {
				if left[name] == nil {
					gone[name] = doc
				}
			}
			if len(gone) > 2 {
				removed = gone
				break
			}
		}
		closeLog(t, l)
	})
	logs, digests := names(removed, "log/"), names(removed, "digest/")
	if len(logs) < 2 || len(logs) != len(digests) {
		t.Fatalf("removed were %v and %v", logs, digests)
	}
	for i := range logs {
		order = append(order, logs[i], digests[i])
	}
	return left, removed, order
}

func TestOldRecordsExpireAndTheRestIsAnchored(t *testing.T) {
	left, _, order := expiring(t)
	dir := t.TempDir()
	put(t, dir, left)
	r := sound(t, dir, strings.Count(string(slices.Concat(values(left, "log/")...)), "\n"))
	if want := uint64(len(order)) + 1; r.First != want {
		t.Errorf("the first record is %d, want %d", r.First, want)
	}
	l := open(t, dir)
	appendEvents(t, l, 50, 1)
	if got := records(t, l, audit.ListInput{Action: "LogFilesExpired"}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
	closeLog(t, l)
	sound(t, dir, r.Records+1)
}

func values(all map[string][]byte, kind string) (docs [][]byte) {
	for _, name := range names(all, kind) {
		docs = append(docs, all[name])
	}
	return docs
}

func TestACrashWhileRecordsExpire(t *testing.T) {
	left, removed, order := expiring(t)
	for first := range order {
		dir := t.TempDir()
		put(t, dir, left)
		for _, name := range order[first:] {
			write(t, filepath.Join(dir, name), removed[name])
		}
		if r := verify(t, dir); !r.OK() || len(r.Notes) == 0 && first < len(order)-1 {
			t.Errorf("from %s on: %v, %v", order[first], r.Faults, r.Notes)
		}
	}
}

func TestMoreThanWhatHasExpiredIsMissing(t *testing.T) {
	left, removed, order := expiring(t)
	logs, digests := names(left, "log/"), names(left, "digest/")
	for name, change := range map[string]func(dir string){
		"a log file":             func(dir string) { remove(t, filepath.Join(dir, logs[0])) },
		"a digest":               func(dir string) { remove(t, filepath.Join(dir, digests[0])) },
		"a log file, its digest": func(dir string) { remove(t, filepath.Join(dir, logs[0])); remove(t, filepath.Join(dir, digests[0])) },
		"a line": func(dir string) {
			_, rest, _ := strings.Cut(string(left[logs[0]]), "\n")
			write(t, filepath.Join(dir, logs[0]), []byte(rest))
		},
		"something from what has expired": func(dir string) {
			write(t, filepath.Join(dir, order[2]), []byte("x"+string(removed[order[2]])))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, left)
			change(dir)
			if verify(t, dir).OK() {
				t.Error("not noticed")
			}
		})
	}
}
