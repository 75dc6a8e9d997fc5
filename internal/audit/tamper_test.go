package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropstack/dropstack/internal/audit"
)

// small is a log of three files with two digests.
func small(t *testing.T) (dir string, all map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		for i, n := range []int{2, 1, 2} {
			if i > 0 {
				time.Sleep(2 * time.Hour)
			}
			appendEvents(t, l, 10*i, n)
		}
		closeLog(t, l)
	})
	sound(t, dir, 5)
	return dir, files(t, dir)
}

// names are the files of one kind, in order.
func names(all map[string][]byte, kind string) []string {
	var list []string
	for name := range all {
		if strings.HasPrefix(name, kind) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// found fails the test unless a fault was found in a file and, with a line, there
// or in the line after it.
func found(t *testing.T, dir, what, file string, line int) {
	t.Helper()
	r := verify(t, dir)
	for _, f := range r.Faults {
		if f.File == file && (line == 0 || f.Line == line || f.Line == line+1) {
			return
		}
	}
	t.Errorf("%s of %s line %d: not located; faults: %v", what, file, line, r.Faults)
}

func lineOf(doc []byte, at int) int { return bytes.Count(doc[:at], []byte("\n")) + 1 }

func TestEveryChangedByteIsFound(t *testing.T) {
	dir, all := small(t)
	for name, doc := range all {
		path := filepath.Join(dir, name)
		for i := range doc {
			changed, mask := bytes.Clone(doc), []byte{0x01, 0x20, 0x80}[i%3]
			changed[i] ^= mask
			write(t, path, changed)
			line := 0
			if strings.HasPrefix(name, "log/") {
				line = lineOf(doc, i)
			}
			found(t, dir, fmt.Sprintf("byte %d ^ %#x", i, mask), name, line)
			if t.Failed() {
				t.FailNow()
			}
		}
		write(t, path, doc)
	}
	sound(t, dir, 5)
}

func TestEveryTruncationIsFound(t *testing.T) {
	dir, all := small(t)
	for name, doc := range all {
		path := filepath.Join(dir, name)
		for size := range doc {
			write(t, path, doc[:size])
			line := 0
			if strings.HasPrefix(name, "log/") {
				line = lineOf(doc, size)
			}
			found(t, dir, fmt.Sprintf("cut to %d bytes", size), name, line)
		}
		for _, more := range []string{"x", "x\n"} {
			write(t, path, append(bytes.Clone(doc), more...))
			if name == names(all, "log/")[2] { // there it is what a crash leaves
				if r := sound(t, dir, 5); len(r.Notes) != 1 {
					t.Errorf("more than the head covers: notes %v", r.Notes)
				}
				continue
			}
			found(t, dir, "more", name, 0)
		}
		write(t, path, doc)
	}
	sound(t, dir, 5)
}

func TestEveryMovedLineIsFound(t *testing.T) {
	dir, all := small(t)
	for _, name := range names(all, "log/") {
		path := filepath.Join(dir, name)
		lines := bytes.SplitAfter(bytes.TrimSuffix(all[name], []byte("\n")), []byte("\n"))
		lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
		try := func(what string, line int, lines [][]byte) {
			t.Helper()
			doc := bytes.Join(lines, nil)
			write(t, path, doc)
			if name == names(all, "log/")[2] && bytes.HasPrefix(doc, all[name]) {
				sound(t, dir, 5) // beyond the head: no part of the log
				return
			}
			found(t, dir, what, name, line)
		}
		for i := range lines {
			try("a line deleted", i+1, slices.Delete(slices.Clone(lines), i, i+1))
			try("a line twice", i+2, slices.Insert(slices.Clone(lines), i, lines[i]))
			for j := range i {
				swapped := slices.Clone(lines)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				try("two lines swapped", j+1, swapped)
			}
			for k, other := range names(all, "log/") {
				if other != name {
					first, _, _ := bytes.Cut(all[other], []byte("\n"))
					try(fmt.Sprint("a line of file ", k), i+1, slices.Insert(slices.Clone(lines), i, append(first, '\n')))
				}
			}
		}
		write(t, path, all[name])
	}
	sound(t, dir, 5)
}

func TestMissingAndExchangedFilesAreFound(t *testing.T) {
	dir, all := small(t)
	restore := func(t *testing.T) {
		t.Helper()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		put(t, dir, all)
		sound(t, dir, 5)
	}
	for name := range all {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if verify(t, dir).OK() {
			t.Errorf("%s removed: not noticed", name)
		}
		restore(t)
	}
	for _, kind := range []string{"log/", "digest/"} {
		list := names(all, kind)
		for i := range list {
			for j := range i {
				write(t, filepath.Join(dir, list[i]), all[list[j]])
				write(t, filepath.Join(dir, list[j]), all[list[i]])
				if verify(t, dir).OK() {
					t.Errorf("%s and %s exchanged: not noticed", list[i], list[j])
				}
				restore(t)
			}
			for count := 1; i+count <= len(list); count++ {
				for _, gone := range list[i : i+count] {
					if err := os.Remove(filepath.Join(dir, gone)); err != nil {
						t.Fatal(err)
					}
				}
				if verify(t, dir).OK() {
					t.Errorf("%d files from %s on removed: not noticed", count, list[i])
				}
				restore(t)
			}
		}
	}
	// the last log file with its digest, so that all that is left fits
	for _, gone := range []string{names(all, "log/")[1], names(all, "log/")[2], names(all, "digest/")[1]} {
		if err := os.Remove(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
	}
	if verify(t, dir).OK() {
		t.Error("the end removed with its digest: not noticed")
	}
	restore(t)
	write(t, filepath.Join(dir, "log", "notes.txt"), []byte("?"))
	found(t, dir, "a strange file", "log/notes.txt", 0)
}

func TestARewrittenLogIsFoundWithWhatWasKeptElsewhere(t *testing.T) {
	dir, heads := t.TempDir(), t.TempDir()
	publishing := func(l *audit.Log) { l.Heads = heads }
	l := open(t, dir, publishing)
	appendEvents(t, l, 0, 5)
	closeLog(t, l)
	kept := files(t, dir)

	forged := t.TempDir() // by somebody who has the root key
	l = open(t, forged)
	appendEvents(t, l, 1, 5)
	closeLog(t, l)
	sound(t, forged, 5)
	published, err := audit.ReadHeads(heads)
	if err != nil || len(published) == 0 {
		t.Fatal(published, err)
	}
	r, err := audit.Verify(forged, audit.Evidence{Heads: published})
	if err != nil || r.OK() {
		t.Errorf("rewritten with the key: got %+v, %v", r, err)
	}
	r, err = audit.Verify(dir, audit.Evidence{Heads: published})
	if err != nil || !r.OK() || r.Heads == 0 {
		t.Errorf("the real one: got %+v, %v", r, err)
	}

	other := t.TempDir() // by somebody who has not
	l = open(t, other, func(l *audit.Log) { l.Key = key(t, "another root") })
	appendEvents(t, l, 0, 5)
	closeLog(t, l)
	r, err = audit.Verify(other, audit.Evidence{Keys: []ed25519.PublicKey{key(t, "root").Public().(ed25519.PublicKey)}})
	if err != nil || r.OK() {
		t.Errorf("rewritten with another key: got %+v, %v", r, err)
	}

	put(t, dir, kept)
	l = open(t, dir, publishing)
	appendEvents(t, l, 5, 3)
	closeLog(t, l)
	put(t, dir, kept) // an older copy put back
	if published, err = audit.ReadHeads(heads); err != nil {
		t.Fatal(err)
	}
	r, err = audit.Verify(dir, audit.Evidence{Heads: published})
	if err != nil || r.OK() {
		t.Errorf("cut back with an old head: got %+v, %v", r, err)
	}
}

// Lines with right hashes can be written by anybody. They count for nothing until
// the platform has signed for them, and it signs for none but its own.
func TestForgedLinesCountForNothing(t *testing.T) {
	dir, all := small(t)
	logs, digests := names(all, "log/"), names(all, "digest/")
	_, hash, _ := strings.Cut(string(all[logs[1]]), `"prev":"`) // what the second file refers to
	digest, _, _ := bytes.Cut(all[digests[0]], []byte("\n"))
	expired := fmt.Appendf(nil, `{"eventSource":"cloudtrail.amazonaws.com","eventName":"LogFilesExpired","eventType":"AwsServiceEvent",`+
		`"additionalEventData":{"lastSequence":2,"lastHash":"%s","digests":1,"digestHash":"%x"}}`, hash[:64], sha256.Sum256(digest))
	write(t, filepath.Join(dir, logs[2]), audit.Forge(all[logs[2]], expired))
	if r := sound(t, dir, 5); len(r.Notes) != 1 {
		t.Errorf("beyond the head: notes %v", r.Notes)
	}
	remove(t, filepath.Join(dir, logs[0])) // as if the record had been the log's
	remove(t, filepath.Join(dir, digests[0]))
	if verify(t, dir).OK() {
		t.Error("a forged record accounts for missing files")
	}
	l := open(t, dir)
	if got := records(t, l, audit.ListInput{Action: "LogFilesExpired"}); len(got) > 0 {
		t.Errorf("signed for: %v", got)
	}
	if got := records(t, l, audit.ListInput{Action: "LogFileRepaired"}); len(got) != 1 {
		t.Errorf("taken off: %v", got)
	}
	closeLog(t, l)
	if verify(t, dir).OK() {
		t.Error("a start accounts for missing files")
	}
}

// FuzzVerify puts anything in the place of a log file, a digest and the head:
// only what was there is right.
func FuzzVerify(f *testing.F) {
	dir := f.TempDir()
	l := open(f, dir)
	appendEvents(f, l, 0, 2)
	closeLog(f, l)
	all := files(f, dir)
	var list []string
	for name := range all {
		list = append(list, name)
	}
	slices.Sort(list)
	for i, name := range list {
		f.Add(uint8(i), all[name])
	}
	f.Fuzz(func(t *testing.T, which uint8, doc []byte) {
		name := list[int(which)%len(list)]
		write(t, filepath.Join(dir, name), doc)
		defer write(t, filepath.Join(dir, name), all[name])
		r := verify(t, dir)
		same := bytes.Equal(doc, all[name]) || strings.HasPrefix(name, "log/") && bytes.HasPrefix(doc, all[name]) // what follows the head is no part of the log
		if r.OK() != same {
			t.Errorf("%s: got %+v", name, r)
		}
	})
}
