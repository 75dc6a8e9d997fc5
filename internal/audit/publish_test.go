package audit_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestHeadsArePostedUntilTheyAreTaken(t *testing.T) {
	var calls atomic.Int32
	taken := make(chan []byte, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		doc, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %s %s, %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		if calls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken <- doc
	}))
	defer srv.Close()
	dir := t.TempDir()
	l := open(t, dir)
	appendEvents(t, l, 0, 3)
	closeLog(t, l)
	for range 2 { // the first time it is refused at the start, and sent again at the end
		l = open(t, dir, func(l *audit.Log) { l.Heads = srv.URL })
		appendEvents(t, l, 0, 1)
		closeLog(t, l)
	}
	kept := t.TempDir()
	write(t, filepath.Join(kept, "head.json"), <-taken)
	heads, err := audit.ReadHeads(kept)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := audit.Verify(dir, audit.Evidence{Heads: heads}); err != nil || !r.OK() || r.Heads != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestDestination(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	got, err := audit.Destination("a/b")
	if info, serr := os.Stat(filepath.Join(dir, "a", "b")); err != nil || serr != nil || !info.IsDir() || !filepath.IsAbs(got) {
		t.Errorf("a directory: got %q, %v, %v", got, err, serr)
	}
	if got, err := audit.Destination("https://log.example.com/in?token=s3cret"); err != nil || got != "https://log.example.com/in?token=s3cret" {
		t.Errorf("a URL: got %q, %v", got, err)
	}
	write(t, filepath.Join(dir, "file"), nil)
	for _, wrong := range []string{"file/below", "http://", "https://s3cret%zz@host/"} {
		if _, err := audit.Destination(wrong); fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: got %v", wrong, err)
		}
	}
}
