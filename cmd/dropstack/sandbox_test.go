package main

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestServicesRunInSandboxes shares a file while every function runs in a sandbox
// with a file system and a network of its own.
func TestServicesRunInSandboxes(t *testing.T) {
	m := &sandbox.Maker{TempDir: testkit.Dir(t), Log: slog.New(slog.DiscardHandler)}
	_, err := m.Choose(sandbox.Full)
	m.Close()
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	p := testkit.Start(t, testkit.Dir(t), "--isolation", "full", "--min-isolation", "full")
	link, err := share(t.Context(), p.HTTP, "note.txt", []byte("kept apart"), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Log())
	}
	resp, err := http.Get(strings.TrimSpace(link))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(page), "note.txt") {
		t.Errorf("the drop's page: %s, %v\n%.300s", resp.Status, err, page)
	}
	if code := p.Stop(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log())
	}
}
