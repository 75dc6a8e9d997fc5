package accesslog_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/edge/accesslog"
)

// childDir makes this program one that records until it is killed.
const childDir = "ACCESSLOG_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		recordUntilKilled(dir)
	}
	os.Exit(m.Run())
}

// files are those that are no objects yet.
func files(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestObjectAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), t.TempDir()
		l := newLog(t, w, dir)
		end := run(l)
		for range 3 {
			l.Record(at("E1", time.Now()))
			time.Sleep(10 * time.Second)
		}
		time.Sleep(29 * time.Second)
		synctest.Wait()
		if got := w.keys(); got != nil || len(files(t, dir)) != 1 {
			t.Errorf("after 59 seconds: objects %v, files %v", got, files(t, dir))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		keys := w.keys()
		if len(keys) != 1 || !regexp.MustCompile(`^logs/cf/E1\.2000-01-01-00\.[0-9a-f]{8}\.gz$`).MatchString(keys[0]) {
			t.Fatalf("after a minute: %v", keys)
		}
		if got := w.lines(t, keys[0]); len(got) != 3 || files(t, dir) != nil {
			t.Errorf("lines %v, files %v", got, files(t, dir))
		}
		l.Record(at("E1", time.Now()))
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := w.keys(); len(got) != 2 {
			t.Errorf("a minute later: %v", got)
		}
		end()
	})
}

func TestObjectsByDistributionAndHour(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	l := newLog(t, w, dir)
	end := run(l)
	hour := time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)
	for _, d := range []string{"E1", "E2", "", "E3"} { // the last two have none
		l.Record(at(d, hour.Add(-time.Second)))
		l.Record(at(d, hour.Add(time.Second)))
	}
	end()
	keys := w.keys()
	for i, key := range keys {
		if got := w.lines(t, key); len(got) != 1 {
			t.Errorf("%s: %v", key, got)
		}
		keys[i] = regexp.MustCompile(`[0-9a-f]{8}\.gz`).ReplaceAllString(key, "*")
	}
	want := []string{"logs/cf/E1.2026-11-26-19.*", "logs/cf/E1.2026-11-26-20.*", "others/E2.2026-11-26-19.*", "others/E2.2026-11-26-20.*"}
	if diff := cmp.Diff(want, keys); diff != "" || files(t, dir) != nil || len(w.records) != 8 {
		t.Errorf("(-want +got):\n%s\nfiles %v, %d log records", diff, files(t, dir), len(w.records))
	}
}

func TestObjectWhenLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		l := newLog(t, w, t.TempDir())
		l.Bytes = 10_000
		end := run(l)
		for range 100 {
			l.Record(at("E1", time.Now()))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := w.keys(); len(got) != 1 {
			t.Errorf("got %v", got)
		}
		end()
	})
}

func TestBucketThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), t.TempDir()
		l := newLog(t, w, dir)
		w.refuse = func(bucket string) error {
			if bucket == "logs" {
				return errors.New("no such bucket")
			}
			return nil
		}
		end := run(l)
		l.Record(at("E1", time.Now()))
		l.Record(at("E2", time.Now()))
		time.Sleep(time.Hour)
		synctest.Wait()
		w.mu.Lock()
		// At 60, 61, 63, 67, 75, 91, 123, 187, 315 s, then every 5 minutes.
		if w.puts < 15 || w.puts > 25 {
			t.Errorf("%d attempts in an hour", w.puts)
		}
		w.mu.Unlock()
		if got := w.keys(); len(got) != 1 || !strings.HasPrefix(got[0], "others/") {
			t.Errorf("got %v", got)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if got := w.keys(); len(got) != 2 || files(t, dir) != nil || len(w.lost) != 0 {
			t.Errorf("got %v, files %v, lost %v", got, files(t, dir), w.lost)
		}
		end()
	})
}

func TestOldestGoWhenThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dir := newWorld(), t.TempDir()
		l := newLog(t, w, dir)
		w.refuse = func(string) error { return errors.New("not now") }
		l.Limit = 5000 // ten lines or so
		end := run(l)
		for i := range 20 {
			r := at("E1", time.Now())
			r.Request = fmt.Sprint("request-", i)
			l.Record(r)
			time.Sleep(2 * time.Minute)
		}
		w.mu.Lock()
		w.refuse = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Minute)
		end()
		var kept, want []string
		size := 0
		for _, key := range w.keys() {
			line := w.lines(t, key)[0]
			size += len(line)
			kept = append(kept, strings.Split(line, "\t")[14])
		}
		for i := w.lost["objects"]; i < 20; i++ {
			want = append(want, fmt.Sprint("request-", i))
		}
		slices.Sort(kept)
		slices.Sort(want)
		if diff := cmp.Diff(want, kept); diff != "" || len(kept) == 20 || size > 5000 || size < 2500 {
			t.Errorf("%d bytes kept (-want +got):\n%s", size, diff)
		}
	})
}

// TestPutTwice has the platform die between an object being stored and its file gone.
func TestPutTwice(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	l := newLog(t, w, dir)
	w.late = errors.New("died")
	end := run(l)
	l.Record(whole)
	l.Record(whole)
	end()
	if got := files(t, dir); len(got) != 1 || len(w.objects) != 1 {
		t.Fatalf("files %v, objects %v", got, w.keys())
	}
	before := w.puts // one when it ended, and perhaps one on the way
	w.late = nil
	run(newLog(t, w, dir))()
	if keys := w.keys(); len(keys) != 1 || len(w.lines(t, keys[0])) != 2 || files(t, dir) != nil || w.puts != before+1 {
		t.Errorf("objects %v after %d puts and %d, files %v", keys, before, w.puts-before, files(t, dir))
	}
}

func TestDamagedFiles(t *testing.T) {
	const head = `{"bucket":"logs","key":"k.gz"}` + "\n"
	for name, c := range map[string]struct {
		content string
		lines   int // of the object; 0: there is none
		lost    int
	}{
		"last line cut off":       {head + wantWhole + wantWhole[:50], 1, 0},
		"only a beginning":        {head + wantWhole[:50], 0, 0},
		"only where it belongs":   {head, 0, 0},
		"cut off there":           {head[:10], 0, 0},
		"empty":                   {"", 0, 0},
		"zeros in the middle":     {head + wantWhole + strings.Repeat("\x00", 100) + wantWhole[100:] + wantWhole, 2, 1},
		"belongs nowhere":         {"{}\n" + wantWhole, 0, 0},
		"lines of something else": {head + "a\tb\n" + wantWhole, 1, 1},
	} {
		w, dir := newWorld(), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.lines"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		run(newLog(t, w, dir))()
		lines := 0
		if len(w.objects) > 0 {
			lines = len(w.lines(t, "logs/k.gz"))
		}
		if lines != c.lines || w.lost["objects"] != c.lost || files(t, dir) != nil {
			t.Errorf("%s: %d lines, %d lost, files %v", name, lines, w.lost["objects"], files(t, dir))
		}
	}
}

func TestNoDirectory(t *testing.T) {
	w, dir := newWorld(), filepath.Join(t.TempDir(), "gone")
	l := newLog(t, w, dir)
	end := run(l)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	l.Record(whole)
	end()
	if w.lost["objects"] != 1 || len(w.records) != 1 {
		t.Errorf("lost %v, %d log records", w.lost, len(w.records))
	}
}

// recordUntilKilled records a thousand requests, says when they are written, and goes
// on recording.
func recordUntilKilled(dir string) {
	l := &accesslog.Log{Dir: dir, Objects: newWorld(), Logs: newWorld(), Destination: destination, Log: quiet}
	if err := l.Open(); err != nil {
		panic(err)
	}
	run(l)
	for range 1000 {
		l.Record(whole)
	}
	for {
		var lines int
		list, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, path := range list {
			content, _ := os.ReadFile(path)
			lines += bytes.Count(content, []byte("\t99\n"))
		}
		if lines == 1000 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println("written")
	for {
		l.Record(whole)
		time.Sleep(100 * time.Microsecond)
	}
}

func TestKilled(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childDir+"="+dir)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("written\n"))
	if _, err := out.Read(said); err != nil || string(said) != "written\n" {
		t.Errorf("the program said %q, %v", said, err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	w := newWorld()
	run(newLog(t, w, dir))()
	total := 0
	for _, key := range w.keys() {
		total += len(w.lines(t, key))
	}
	if total < 1000 || files(t, dir) != nil || len(w.lost) > 0 {
		t.Errorf("%d lines, files %v, lost %v", total, files(t, dir), w.lost)
	}
	puts := w.puts
	if run(newLog(t, w, dir))(); w.puts != puts {
		t.Errorf("put once more by a second start")
	}
}
