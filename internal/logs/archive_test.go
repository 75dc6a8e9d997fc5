package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openTest(t testing.TB, dir string, log *slog.Logger) *archive {
	t.Helper()
	a, err := openArchive(dir, 1<<30, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.close() })
	return a
}

var quiet = slog.New(slog.DiscardHandler)

// add appends n records to a group, numbered from a number on, as one batch.
func add(t testing.TB, a *archive, group string, from, n int) {
	t.Helper()
	var records []Record
	for i := range n {
		records = append(records, Record{Time: time.Now(), Group: group, Stream: "s", Message: fmt.Sprintf(`{"n":%d}`, from+i)})
	}
	if _, err := a.append([][]Record{records}); err != nil {
		t.Fatal(err)
	}
}

// all are the numbers of a group's records in the order of their places, and the
// places.
func all(t testing.TB, a *archive, group string) (numbers []string, places []uint64) {
	t.Helper()
	list := a.pieces(group)
	defer a.release(list)
	for _, p := range list {
		r, err := a.read(p)
		if err != nil {
			a.setAside(p.block, err)
			continue
		}
		c := r.Column("n")
		for i := range r.rows {
			v, _ := c.At(i)
			numbers, places = append(numbers, v), append(places, r.place(i))
		}
		r.close()
	}
	return numbers, places
}

func numbers(from, to int) (list []string) {
	for i := range to - from {
		list = append(list, fmt.Sprint(from+i))
	}
	return list
}

func count(t testing.TB, dir string) int {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestRecordsStayInTheirPlaces has records go into blocks, be carried on and be merged,
// with a start after every step.
func TestRecordsStayInTheirPlaces(t *testing.T) {
	dir := t.TempDir()
	a := openTest(t, dir, quiet)
	var want []string
	var places []uint64
	check := func(step string) {
		t.Helper()
		for range 2 {
			got, at := all(t, a, "/a")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: %s", step, diff)
			}
			if !slices.IsSorted(at) || places != nil && !slices.Equal(places, at[:len(places)]) {
				t.Fatalf("%s: places have changed", step)
			}
			places = at
			if err := a.close(); err != nil {
				t.Fatal(err)
			}
			a = openTest(t, dir, quiet)
		}
	}
	for i := range 6 {
		add(t, a, "/a", i*10, 10)
		add(t, a, "/b", i, 1)
		want = numbers(0, i*10+10)
		check("in no block")
		if i == 5 {
			break
		}
		if err := a.tend(time.Now().Add(2*holdFor), false); err != nil {
			t.Fatal(err)
		}
		check("in blocks")
	}
	if n := count(t, filepath.Join(dir, blockDir)); n > 6 { // of both groups
		t.Errorf("%d blocks: they are not merged", n)
	}
	for range 5 { // files of their own, of which the oldest go
		if _, err := a.wal.rotate(); err != nil {
			t.Fatal(err)
		}
		add(t, a, "/b", 0, 1)
	}
	if err := a.tend(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if n := count(t, filepath.Join(dir, walDir)); n > maxSegments+1 {
		t.Errorf("%d files of the write-ahead log", n)
	}
	check("carried on")
	add(t, a, "/a", 60, maxRows+100)
	want = numbers(0, 60+maxRows+100)
	if err := a.tend(time.Now(), false); err != nil {
		t.Fatal(err)
	}
	if rows := a.held["/a"].rows; rows >= maxRows {
		t.Errorf("%d records are in no block", rows)
	}
	check("more than a block")
	if err := a.drop("/a"); err != nil {
		t.Fatal(err)
	}
	want, places = nil, nil
	check("deleted")
	if got, _ := all(t, a, "/b"); len(got) != 11 {
		t.Errorf("of another group: %v", got)
	}
}

// TestWhatACrashLeaves damages files of a store that was not closed.
func TestWhatACrashLeaves(t *testing.T) {
	whole := func(t *testing.T) (*archive, string) {
		dir := t.TempDir()
		a := openTest(t, dir, quiet)
		add(t, a, "/a", 0, 10)
		add(t, a, "/b", 0, 10)
		if err := a.tend(time.Now().Add(2*holdFor), false); err != nil {
			t.Fatal(err)
		}
		add(t, a, "/a", 10, 5)
		add(t, a, "/a", 15, 5)
		return a, dir
	}
	last := func(t *testing.T, dir string) string {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) == 0 {
			t.Fatal(len(files), err)
		}
		return filepath.Join(dir, files[len(files)-1].Name())
	}
	edit := func(t *testing.T, path string, change func(b []byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		a, b   int // records that are left
		aside  int // files
		said   string
	}{
		"nothing": {func(*testing.T, string) {}, 20, 10, 0, ""},
		"the write-ahead log is cut": {func(t *testing.T, dir string) {
			edit(t, last(t, filepath.Join(dir, walDir)), func(b []byte) []byte { return b[:len(b)-1] })
		}, 15, 10, 0, "not stored whole"},
		"a byte of the write-ahead log is wrong": {func(t *testing.T, dir string) {
			edit(t, last(t, filepath.Join(dir, walDir)), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		}, 15, 10, 1, "checksum of a frame"},
		"a block is cut": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, blockDir, fmt.Sprintf("%016x.block", 1)), func(b []byte) []byte { return b[:len(b)/2] })
		}, 10, 10, 1, "damaged"},
		"a block is missing": {func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, blockDir, fmt.Sprintf("%016x.block", 1))); err != nil {
				t.Fatal(err)
			}
		}, 10, 10, 0, "damaged"},
		"a block that nobody has named": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, blockDir, fmt.Sprintf("%016x.block", 1)), func(b []byte) []byte {
				if err := os.WriteFile(filepath.Join(dir, blockDir, fmt.Sprintf("%016x.block", 77)), b, 0o600); err != nil {
					t.Fatal(err)
				}
				return b
			})
		}, 20, 10, 0, ""},
		"the manifest is cut": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "manifest"), func(b []byte) []byte { return append(b, `0123 {"remove":[1`...) })
		}, 20, 10, 0, ""},
		"a line of the manifest is wrong": {func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "manifest"), func(b []byte) []byte { return bytes.Replace(b, []byte("add"), []byte("odd"), 1) })
		}, 20, 10, 2, "list of blocks is damaged"}, // the write-ahead log has them still
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := whole(t)
			c.damage(t, dir)
			var said bytes.Buffer
			a := openTest(t, dir, slog.New(slog.NewTextHandler(&said, nil)))
			for range 2 {
				ofA, _ := all(t, a, "/a")
				ofB, _ := all(t, a, "/b")
				if len(ofA) != c.a || len(ofB) != c.b {
					t.Errorf("got %d and %d records, want %d and %d", len(ofA), len(ofB), c.a, c.b)
				}
			}
			if got := said.String(); !strings.Contains(got, c.said) || c.said == "" && got != "" {
				t.Errorf("it said %q", got)
			}
			files, _ := os.ReadDir(filepath.Join(dir, damagedDir))
			if len(files) != c.aside {
				t.Errorf("%d files are set aside, want %d", len(files), c.aside)
			}
			if n := count(t, filepath.Join(dir, blockDir)); n > 2 {
				t.Errorf("%d blocks", n)
			}
		})
	}
}

// TestAReaderKeepsItsBlocks merges and deletes what is being read.
func TestAReaderKeepsItsBlocks(t *testing.T) {
	dir := t.TempDir()
	a := openTest(t, dir, quiet)
	add(t, a, "/a", 0, 10)
	if err := a.tend(time.Now().Add(2*holdFor), false); err != nil {
		t.Fatal(err)
	}
	list := a.pieces("/a")
	if err := a.drop("/a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := all(t, a, "/a"); got != nil {
		t.Errorf("it was deleted: %v", got)
	}
	r, err := a.read(list[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Column("n").Values; len(got) != 10 {
		t.Errorf("got %v", got)
	}
	r.close()
	a.release(list)
	if n := count(t, filepath.Join(dir, blockDir)); n != 0 {
		t.Errorf("%d blocks are left", n)
	}
}

func TestTheManifestDoesNotGrowForEver(t *testing.T) {
	m, err := openManifest(filepath.Join(t.TempDir(), "manifest"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(1500) {
		c := &change{Add: []*block{{ID: i + 2, First: i, Last: i}}, Remove: []uint64{i + 1}, Upto: map[string]uint64{"/g": i}}
		if i%100 == 0 {
			c.Imported = map[string]int64{fmt.Sprint(i): 1}
		}
		if err := m.commit(c); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openManifest(m.path)
	if err != nil {
		t.Fatal(err)
	}
	if again.lines > 1000 || len(again.blocks) != 1 || again.next != 1500 || again.upto["/g"] != 1499 || len(again.imported) != 15 || again.nextID != 1502 {
		t.Errorf("%d lines, %d blocks, next %d, %v, %d imported, next ID %d", again.lines, len(again.blocks), again.next, again.upto, len(again.imported), again.nextID)
	}
}
