package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/testkit/weblog"
)

// TestImportsOutliveCrashes kills the platform while it imports logs that it has taken,
// time and again: in the end every line is there, and none twice.
func TestImportsOutliveCrashes(t *testing.T) {
	t.Parallel()
	const objects, each = 3, 5000
	dir := testkit.Dir(t)
	p := testkit.Start(t, dir, "--services", "none")
	service := t.TempDir()
	for name, text := range map[string]string{
		"index.js":       "exports.a = async () => 1\n",
		"serverless.yml": "service: importing\nprovider: {name: aws, runtime: nodejs22.x}\nfunctions: {a: {handler: index.a}}\ncustom:\n  dropstack:\n    logs: [{bucket: cdn-logs}]\n",
	} {
		if err := os.WriteFile(filepath.Join(service, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := p.Run(t, "", "deploy", service); code != 0 {
		t.Fatalf("deploy: exit %d\n%s%s", code, out, errs)
	}
	want := map[string]bool{}
	for n := range objects {
		key := fmt.Sprintf("E2EXAMPLE1.2026-11-26-10.abcdef%02d.gz", n)
		if _, err := admin(t, p).S3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("cdn-logs"), Key: &key, Body: bytes.NewReader(zippedLog(t, uint64(n), each, want))}); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) != objects*each {
		t.Fatalf("%d lines have ids of their own, want %d", len(want), objects*each)
	}
	for range 3 {
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond) // a crash has no event to wait for
		p.Kill()
		p = testkit.Start(t, dir, "--services", "none")
	}
	got := map[string]int{}
	eventually(t, "every line", func() (bool, string) {
		got = imported(t, p)
		return len(got) >= len(want), fmt.Sprintf("%d of %d lines", len(got), len(want))
	})
	for id, times := range got {
		if times != 1 || !want[id] {
			t.Errorf("line %s is there %d times; it was sent: %v", id, times, want[id])
			break
		}
	}
}

// zippedLog is an object of lines, whose ids go into ids.
func zippedLog(t *testing.T, seed uint64, lines int, ids map[string]bool) []byte {
	t.Helper()
	var log bytes.Buffer
	z := gzip.NewWriter(&log)
	_, _ = io.WriteString(z, weblog.Header)
	for line := range weblog.Lines(seed, lines, time.Now().Add(-time.Hour), time.Minute, nil) {
		_, _ = io.WriteString(z, line)
		ids[strings.Split(line, "\t")[14]] = true
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return log.Bytes()
}

// imported counts the lines that are there, by their ids.
func imported(t *testing.T, p *testkit.Platform) map[string]int {
	t.Helper()
	got := map[string]int{}
	in := logs.FilterLogEventsInput{LogGroupName: logs.DistributionGroup + "E2EXAMPLE1", StartTime: time.Now().Add(-3 * time.Hour).UnixMilli(), Limit: 10_000}
	for {
		page, err := admin(t, p).FilterLogs(t.Context(), in)
		if err != nil {
			return got // the group is not there yet
		}
		for _, e := range page.Events {
			var line struct {
				ID string `json:"x-edge-request-id"`
			}
			if err := json.Unmarshal([]byte(e.Message), &line); err != nil {
				t.Fatal(err)
			}
			got[line.ID]++
		}
		if in.NextToken = page.NextToken; in.NextToken == "" {
			return got
		}
	}
}
