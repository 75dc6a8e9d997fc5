package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
)

// crashed is a log as a crash leaves it: the head of before the last write, and
// the last write cut at some byte.
func crashed(t *testing.T, digests bool) (before, after map[string][]byte, open_ string) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		appendEvents(t, l, 0, 2)
		if digests {
			time.Sleep(2 * time.Hour)
			appendEvents(t, l, 2, 1)
		}
		before = files(t, dir)
		appendEvents(t, l, 3, 1)
		after = files(t, dir)
		closeLog(t, l)
	})
	logs := names(after, "log/")
	return before, after, logs[len(logs)-1]
}

func TestACrashAtAnyByteOfTheLastWrite(t *testing.T) {
	for name, digests := range map[string]bool{"first file": false, "after a digest": true} {
		t.Run(name, func(t *testing.T) {
			before, after, last := crashed(t, digests)
			acknowledged := strings.Count(string(before[last]), "\n")
			if digests {
				acknowledged += 2
			}
			dir := t.TempDir()
			for size := len(before[last]); size <= len(after[last]); size++ {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				put(t, dir, before)
				write(t, filepath.Join(dir, last), after[last][:size])
				torn := min(1, size-len(before[last]))
				r := sound(t, dir, acknowledged)
				if len(r.Notes) != torn {
					t.Fatalf("cut at %d: notes %v", size, r.Notes)
				}
				if torn == 1 && size%64 != 0 && size != len(after[last]) {
					continue // a start takes a while
				}
				l := open(t, dir)
				appendEvents(t, l, 9, 1)
				repairs := records(t, l, audit.ListInput{Action: "LogFileRepaired"})
				damage := records(t, l, audit.ListInput{Action: "LogFileDamaged"})
				if len(repairs) != torn || len(damage) > 0 {
					t.Fatalf("cut at %d: got repairs %v, damage %v", size, repairs, damage)
				}
				if torn == 1 { // nothing is thrown away
					kept := fmt.Sprint(repairs[0].AdditionalEventData["kept"])
					if diff := cmp.Diff(string(after[last][len(before[last]):size]), string(files(t, dir)[kept])); diff != "" {
						t.Error(diff)
					}
				}
				closeLog(t, l)
				if r := sound(t, dir, acknowledged+torn+1); len(r.Notes) > 0 {
					t.Errorf("notes: %v", r.Notes)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

func TestACrashWhileADigestIsWritten(t *testing.T) {
	dir := t.TempDir()
	var before, after map[string][]byte
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		appendEvents(t, l, 0, 2)
		synctest.Wait()
		before = files(t, dir)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		after = files(t, dir)
		closeLog(t, l)
	})
	digest := names(after, "digest/")[0]
	steps := map[string]func(dir string){
		"the file is half written":  func(dir string) { write(t, filepath.Join(dir, digest+".tmp"), after[digest][:100]) },
		"the head has not followed": func(dir string) { write(t, filepath.Join(dir, digest), after[digest]) },
		"the next file has no lines": func(dir string) {
			put(t, dir, after)
			write(t, filepath.Join(dir, "log/0000000000000003-20000101T030000Z.ndjson"), nil)
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, before)
			step(dir)
			sound(t, dir, 2)
			l := open(t, dir)
			appendEvents(t, l, 2, 2)
			if damage := records(t, l, audit.ListInput{Action: "LogFileDamaged"}); len(damage) > 0 {
				t.Errorf("damage: %v", damage)
			}
			closeLog(t, l)
			sound(t, dir, 4)
		})
	}
}

// What was done while the platform stood is recorded at its start, stays to be
// seen, and does not keep it from working.
func TestAStartOnADamagedLog(t *testing.T) {
	dir, all := small(t)
	logs, digests := names(all, "log/"), names(all, "digest/")
	last := all[logs[2]]
	for name, damage := range map[string]func(t *testing.T){
		"last line removed":   func(t *testing.T) { write(t, filepath.Join(dir, logs[2]), last[:len(last)/2]) },
		"byte changed":        func(t *testing.T) { write(t, filepath.Join(dir, logs[2]), append([]byte("X"), last[1:]...)) },
		"open file emptied":   func(t *testing.T) { write(t, filepath.Join(dir, logs[2]), nil) },
		"open file removed":   func(t *testing.T) { remove(t, filepath.Join(dir, logs[2])) },
		"head removed":        func(t *testing.T) { remove(t, filepath.Join(dir, "head")) },
		"head changed":        func(t *testing.T) { write(t, filepath.Join(dir, "head"), append([]byte("X"), all["head"][1:]...)) },
		"last digest removed": func(t *testing.T) { remove(t, filepath.Join(dir, digests[1])) },
		"last digest changed": func(t *testing.T) {
			write(t, filepath.Join(dir, digests[1]), append([]byte("X"), all[digests[1]][1:]...))
		},
		"digests removed": func(t *testing.T) {
			remove(t, filepath.Join(dir, digests[0]))
			remove(t, filepath.Join(dir, digests[1]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			put(t, dir, all)
			damage(t)
			for i := range 2 {
				l := open(t, dir)
				appendEvents(t, l, 20+i, 1)
				got := records(t, l, audit.ListInput{Action: "LogFileDamaged"})
				closeLog(t, l)
				if len(got) != 1 {
					t.Fatalf("start %d: got %d records of damage: %v", i, len(got), got)
				}
			}
			if r := verify(t, dir); r.OK() {
				t.Error("the damage does not show any longer")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
