package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/services/abuse/state"
)

type journal = state.Journal[int]

func load(t *testing.T, j *journal) (map[string]int, bool) {
	t.Helper()
	all, again, err := j.Load()
	if err != nil {
		t.Fatal(err)
	}
	return all, again
}

func save(t *testing.T, j *journal, put map[string]int, drop ...string) {
	t.Helper()
	load(t, j)
	if err := j.Save(put, drop); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, j *journal, want map[string]int) {
	t.Helper()
	got, _ := load(t, j)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestWhatIsSavedIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.journal")
	a, b := &journal{Path: path}, &journal{Path: path} // two instances
	want(t, a, map[string]int{})
	want(t, b, map[string]int{})
	save(t, a, map[string]int{"one": 1, "two": 2, "a \"key\" of\nits own": 3})
	save(t, a, map[string]int{"one": 11}, "two", "never there")
	known := map[string]int{"one": 11, "a \"key\" of\nits own": 3}
	want(t, a, known)
	if _, again := load(t, a); again {
		t.Error("read again although nobody else wrote")
	}
	if _, again := load(t, b); !again {
		t.Error("the other did not notice")
	}
	want(t, b, known)
	save(t, b, map[string]int{"three": 3})
	want(t, a, map[string]int{"one": 11, "a \"key\" of\nits own": 3, "three": 3})
	want(t, &journal{Path: path}, map[string]int{"one": 11, "a \"key\" of\nits own": 3, "three": 3})
}

func TestALineThatWasCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.journal")
	save(t, &journal{Path: path}, map[string]int{"one": 1, "two": 2})
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"k":"three","v`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	j := &journal{Path: path}
	want(t, j, map[string]int{"one": 1, "two": 2})
	save(t, j, map[string]int{"four": 4})
	want(t, &journal{Path: path}, map[string]int{"one": 1, "two": 2, "four": 4})
}

func TestTheFileStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.journal")
	j, other := &state.Journal[string]{Path: path}, &state.Journal[string]{Path: path}
	filler := strings.Repeat("x", 1000)
	for i := range 5000 { // 5 MB in all, of ten keys
		if _, _, err := j.Load(); err != nil {
			t.Fatal(err)
		}
		if err := j.Save(map[string]string{fmt.Sprint(i % 10): fmt.Sprint(i, filler)}, nil); err != nil {
			t.Fatal(err)
		}
		if i == 2500 {
			if _, _, err := other.Load(); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 1<<20+2000 {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	all, again, err := other.Load()
	if err != nil || !again || len(all) != 10 || !strings.HasPrefix(all["9"], "4999x") {
		t.Errorf("the other reads %d keys, again %v, %v", len(all), again, err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("files: %v, %v", left, err)
	}
}

func TestAFailedSaveIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	j := &journal{Path: filepath.Join(dir, "no", "x.journal")}
	load(t, j)
	if err := j.Save(map[string]int{"one": 1}, nil); err == nil {
		t.Fatal("saved nowhere")
	}
	if err := os.Mkdir(filepath.Join(dir, "no"), 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, j, map[string]int{})
	save(t, j, map[string]int{"two": 2})
	want(t, &journal{Path: j.Path}, map[string]int{"two": 2})
}

func TestTheLock(t *testing.T) {
	dir := t.TempDir()
	unlock, err := state.Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		again, err := state.Lock(dir)
		if err == nil {
			again()
		}
		got <- err
	}()
	select {
	case <-got:
		t.Error("locked twice")
	default:
	}
	unlock()
	if err := <-got; err != nil {
		t.Error(err)
	}
}
