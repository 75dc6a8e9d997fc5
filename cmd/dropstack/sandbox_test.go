package main

import (
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestServicesRunInSandboxes shares a file while every function runs in a sandbox
// with a file system and a network of its own.
func TestServicesRunInSandboxes(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("not run: isolation level full takes root on Linux")
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
