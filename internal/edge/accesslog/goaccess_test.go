package accesslog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/testkit/weblog"
)

// file is an object store with one object: a file.
type file string

func (f file) Get(context.Context, string, string, int64, int64) (engine.Object, io.ReadCloser, error) {
	in, err := os.Open(string(f))
	return engine.Object{ETag: "x"}, in, err
}

// TestTotalsAreThoseOfGoAccess imports a log of CloudFront's and adds up what the store
// has of it; GoAccess, which reads the file, comes to the same. DROPSTACK_LOG_LINES says
// how long the log is.
func TestTotalsAreThoseOfGoAccess(t *testing.T) {
	if _, err := exec.LookPath("goaccess"); err != nil {
		t.Fatal("this test compares with GoAccess: install goaccess (Debian has it)")
	}
	lines := 100_000
	if n, err := strconv.Atoi(os.Getenv("DROPSTACK_LOG_LINES")); err == nil {
		lines = n
	}
	// two days, of which both are within what a store keeps
	start := time.Now().UTC().Truncate(24 * time.Hour).Add(-42 * time.Hour)
	path := filepath.Join(t.TempDir(), "E2EXAMPLE1.2026-11-26-10.abcdef01.log")
	made := writeLog(t, path, lines, start, 40*time.Hour)
	theirs := goaccess(t, path)

	streams := enginetest.Streams(t)
	store := &logs.Store{Dir: t.TempDir(), Streams: streams, State: streams, Region: arn.Region, Log: quiet, MaxBytes: 16 << 30}
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	im := &ingest.Importer{Store: store, Objects: file(path), Log: quiet, CloudFront: func() ingest.Parser { return &accesslog.Parser{} }}
	began := time.Now()
	out, err := im.Import(t.Context(), ingest.Input{Bucket: "cdn-logs", Key: filepath.Base(path), Group: logs.DistributionGroup + "E2EXAMPLE1"})
	if err != nil || !out.Imported || out.Lines != lines || out.Skipped != 0 {
		t.Fatalf("got %+v, %v", out, err)
	}
	t.Logf("%d lines imported in %v", lines, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	ours := addUp(t, store)
	t.Logf("and added up in %v", time.Since(began).Round(time.Millisecond))
	if diff := cmp.Diff(theirs, ours); diff != "" {
		t.Errorf("GoAccess - the store +\n%s", diff)
	}
	if diff := cmp.Diff(*made, ours); diff != "" {
		t.Errorf("made - the store +\n%s", diff)
	}
}

func writeLog(t *testing.T, path string, lines int, start time.Time, over time.Duration) *weblog.Totals {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	totals := &weblog.Totals{}
	w := bufio.NewWriter(f)
	w.WriteString(weblog.Header)
	for line := range weblog.Lines(1, lines, start, over, totals) {
		w.WriteString(line)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return totals
}

// goaccess asks GoAccess for the totals of a file.
func goaccess(t *testing.T, path string) weblog.Totals {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "goaccess", path, "--log-format=CLOUDFRONT", "--no-global-config", "--no-query-string", "--max-items=1000000", "--no-progress", "-o", "json")
	doc, err := cmd.Output()
	if err != nil {
		t.Fatalf("goaccess: %v", err)
	}
	type panel struct {
		Data []struct {
			Data  string
			Hits  struct{ Count int }
			Items []struct {
				Data string
				Hits struct{ Count int }
			}
		}
	}
	var report struct {
		General struct {
			Valid    int   `json:"valid_requests"`
			Failed   int   `json:"failed_requests"`
			Visitors int   `json:"unique_visitors"`
			Bytes    int64 `json:"bandwidth"`
		}
		Requests panel
		Static   panel `json:"static_requests"`
		NotFound panel `json:"not_found"`
		Status   panel `json:"status_codes"`
	}
	if err := json.Unmarshal(doc, &report); err != nil {
		t.Fatalf("goaccess: %v", err)
	}
	if report.General.Failed != 0 {
		t.Errorf("GoAccess cannot read %d lines", report.General.Failed)
	}
	total := weblog.Totals{
		Requests: report.General.Valid, Bytes: report.General.Bytes, Visitors: report.General.Visitors,
		Status: map[string]int{}, Paths: map[string]int{},
	}
	for _, p := range []panel{report.Requests, report.Static, report.NotFound} {
		for _, d := range p.Data {
			path, _, _ := strings.Cut(d.Data, "?") // which it keeps where the query is a field of its own
			total.Paths[path] += d.Hits.Count
		}
	}
	for _, class := range report.Status.Data {
		for _, d := range class.Items {
			code, _, _ := strings.Cut(d.Data, " ")
			total.Status[code] += d.Hits.Count
		}
	}
	return total
}

// addUp reads the store's batches.
func addUp(t *testing.T, store *logs.Store) weblog.Totals {
	t.Helper()
	total := weblog.Totals{Status: map[string]int{}, Paths: map[string]int{}}
	seen := map[string]bool{}
	for b, err := range store.Batches(t.Context(), logs.Selection{Groups: []string{logs.DistributionGroup + "E2EXAMPLE1"}}) {
		if err != nil {
			t.Fatal(err)
		}
		status, size, path, client, agent := b.Column("sc-status"), b.Column("sc-bytes"), b.Column("cs-uri-stem"), b.Column("c-ip"), b.Column("cs(User-Agent)")
		for i := range b.Len() {
			code, _ := status.At(i)
			n, _ := size.At(i)
			at, _ := path.At(i)
			ip, _ := client.At(i)
			who, _ := agent.At(i)
			total.Requests++
			total.Status[code]++
			total.Paths[at]++
			bytes, err := strconv.ParseInt(n, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			total.Bytes += bytes
			visitor := time.Unix(0, b.Time(i)).UTC().Format(time.DateOnly) + "|" + ip + "|" + who
			if code[0] != '4' && !seen[visitor] { // as GoAccess counts
				seen[visitor] = true
				total.Visitors++
			}
		}
	}
	return total
}
