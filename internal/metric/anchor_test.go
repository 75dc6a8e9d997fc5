package metric_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/dropstack/dropstack/internal/metric"
)

// Whenever a database has been opened, a file of chunks is being written: compactions
// beside what comes out of order need one.
func TestAFileOfChunksIsThere(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for range 5 { // at once again, and from what the log has
		s := &metric.Store{Dir: dir, Log: slog.New(slog.DiscardHandler)}
		if err := s.Open(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "chunks_head", "*"))
		if err != nil {
			t.Fatal(err)
		}
		fresh := 0
		for _, file := range files {
			if !seen[file] {
				seen[file] = true
				fresh++
			}
		}
		if fresh == 0 {
			t.Errorf("opening began no file of chunks; there are %v", files)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
