package logs

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWhatIsImportedKeepsItsPlace has records imported between others: in every state
// of theirs they are read in the order of their places, which cursors rely on.
func TestWhatIsImportedKeepsItsPlace(t *testing.T) {
	dir := t.TempDir()
	a := openTest(t, dir, quiet)
	check := func(step string, n int) {
		t.Helper()
		got, places := all(t, a, "/a")
		if diff := cmp.Diff(numbers(0, n), got); diff != "" || !slices.IsSorted(places) {
			t.Fatalf("%s: places %v\n%s", step, places, diff)
		}
	}
	importing := func(n int) {
		t.Helper()
		i := &imports{archive: a, id: numbers(n, n+1)[0], makings: map[string]*making{}}
		_, err := i.run(t.Context(), func(yield func(Record, error) bool) {
			yield(Record{Time: time.Now(), Group: "/a", Stream: "s", Message: `{"n":` + numbers(n, n+1)[0] + `}`}, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := i.tidy(); err != nil {
			t.Fatal(err)
		}
	}
	add(t, a, "/a", 0, 1)
	check("in no block", 1)
	for n := 1; n < 9; n += 2 {
		importing(n)
		add(t, a, "/a", n+1, 1)
		check("imported", n+2)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	a = openTest(t, dir, quiet)
	check("after a start", 9)
	for range 4 {
		if err := a.tend(time.Now().Add(2*holdFor), false); err != nil {
			t.Fatal(err)
		}
		check("in blocks", 9)
	}
	if n := len(a.held["/a"].blocks); n > 3 {
		t.Errorf("%d blocks: they are not merged", n)
	}
}

// TestManyGroupsAreCarriedOn has much be written to the end of the write-ahead log once
// more, and read at the next start.
func TestManyGroupsAreCarriedOn(t *testing.T) {
	dir := t.TempDir()
	a := openTest(t, dir, quiet)
	message := string(make([]byte, worthBytes/2))
	const groups = 40
	var names []string
	for i := range groups {
		names = append(names, "/g"+numbers(i, i+1)[0])
		if _, err := a.append([][]Record{{{Time: time.Now(), Group: names[i], Stream: "s", Message: message}}}); err != nil {
			t.Fatal(err)
		}
	}
	upto, err := a.wal.rotate()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.empty(upto); err != nil {
		t.Fatal(err)
	}
	if err := a.trim(); err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	a = openTest(t, dir, quiet)
	slices.Sort(names)
	if diff := cmp.Diff(names, a.groups()); diff != "" {
		t.Error(diff)
	}
}
