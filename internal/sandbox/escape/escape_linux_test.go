package escape_test

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.BecomeUser()
	os.Exit(m.Run())
}

// TestNothingEscapesWithoutRoot makes the attacks from a sandbox of level userns.
func TestNothingEscapesWithoutRoot(t *testing.T) {
	t.Log(testkit.WithoutRoot(t, "TestNothingEscapes"))
}

// TestNothingEscapesWithLittleRoot makes them from one whose platform is a root who may
// not do much.
func TestNothingEscapesWithLittleRoot(t *testing.T) {
	t.Log(testkit.WithLittleRoot(t, "TestNothingEscapes"))
}

func open(t *testing.T, m *sandbox.Maker) *sandbox.Box {
	t.Helper()
	b, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// TestNothingEscapes makes all attacks from a real sandbox, and those that are
// safe without one, too.
func TestNothingEscapes(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{
		Level: m.Level, Heavy: !testing.Short(), Other: open(t, m), Data: []string{m.TempDir},
		MemoryMB: 768, // a thousand processes have to be stopped by their number
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + escape.ControlTable(r))
	for _, row := range r.Off() {
		t.Errorf("%s: a function must not %s: %s", row.ID, row.What, row.Detail)
	}
	if m.Level != sandbox.Full {
		return // the control run takes root
	}
	control, err := escape.Unconfined(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + escape.Table(r, &control))
	for _, row := range r.Rows {
		if row.State == escape.NotRun {
			t.Errorf("%s: not run: %s", row.ID, row.Detail)
		}
	}
	// An attack that fails anywhere shows nothing.
	for _, id := range []string{
		"files/etc-shadow", "files/by-path", "files/dot-dot", "mounts/tmpfs", "processes/reach", "processes/mem-platform", "user/not-root",
		"capabilities/capset", "namespaces/clone-all", "network/host-loopback", "network/host-abstract", "network/netlink-route",
		"ipc/shm-attach", "ipc/mqueue", "uts/name", "devices/make-block", "proc/core-pattern",
	} {
		if row, ok := control.Row(id); !ok || row.State != escape.Off {
			t.Errorf("%s: without a sandbox got %q (%s), want it to work there", id, row.State, row.Detail)
		}
	}
}

// TestAHoleIsFound gives a sandbox what no function may see.
func TestAHoleIsFound(t *testing.T) {
	m := testkit.Maker(t, sandbox.Full)
	b := open(t, m)
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "keys"), []byte("k"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Furnish(sandbox.Furniture{Mounts: []sandbox.Mount{{Source: data, Path: data}}}); err != nil {
		t.Fatal(err)
	}
	r, err := escape.Run(t.Context(), b, escape.Options{Level: m.Level, Data: []string{data}})
	if err != nil {
		t.Fatal(err)
	}
	row, _ := r.Row("files/platform-data")
	if row.State != escape.Off || !strings.Contains(row.Detail, data) {
		t.Errorf("got %q, %q, want it off with the directory", row.State, row.Detail)
	}
	for _, c := range r.Controls() {
		if c.Name == "files" && (c.State != escape.Off || !strings.Contains(c.Reason, "files/platform-data")) {
			t.Errorf("the control files: got %+v, want it off for that row", c)
		}
	}
}

// TestCheck is what the platform does when it starts.
func TestCheck(t *testing.T) {
	m := testkit.Maker(t, sandbox.Full)
	r, err := escape.Check(t.Context(), m, escape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Level != sandbox.Full {
		t.Errorf("got level %q, want %q", r.Level, sandbox.Full)
	}
	for _, row := range r.Rows {
		if row.State == escape.NotRun {
			t.Errorf("%s: not run: %s", row.ID, row.Detail)
		}
		if row.Control == "quota" && row.ID != "quota/size" {
			t.Errorf("%s is tried: it is heavy", row.ID)
		}
	}
}

func TestOneSandboxIsEnough(t *testing.T) {
	m := testkit.Maker(t, sandbox.Full)
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{Level: m.Level})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if other := strings.Contains(row.ID, "other"); row.State == escape.NotRun && !other {
			t.Errorf("%s: not run: %s", row.ID, row.Detail)
		}
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	m := testkit.Maker(t, sandbox.Full)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := escape.Check(ctx, m, escape.Options{}); err == nil {
		t.Errorf("got %d rows, want an error", len(r.Rows))
	}
}

func TestLevelNone(t *testing.T) {
	m := testkit.Maker(t, sandbox.None)
	r, err := escape.Check(t.Context(), m, escape.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if row.State != escape.Soft || row.Reason == "" {
			t.Errorf("%s: got %q, %q, want it soft with the reason", row.ID, row.State, row.Reason)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	m := testkit.Maker(b, sandbox.Full)
	for b.Loop() {
		if _, err := escape.Check(b.Context(), m, escape.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAFullSandboxCanBeClosed closes one that can start nothing more, and looks at
// another one in the meantime.
func TestAFullSandboxCanBeClosed(t *testing.T) {
	m := testkit.Maker(t, sandbox.Full)
	full := open(t, m)
	p, err := escape.Bomb(full)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stdout.Close()
	defer p.Stderr.Close()
	line, err := bufio.NewReader(p.Stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, "temporarily unavailable") {
		t.Fatalf("got %q, %v, want the limit of processes", line, err)
	}
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{Level: m.Level})
	if err != nil {
		t.Fatal(err)
	}
	if row, _ := r.Row("limits/open-many"); row.State != escape.On {
		t.Errorf("the other sandbox cannot start processes: %s", row.Detail)
	}
	full.Close()
	p.Wait() // and the maker finds nothing left
}

// TestLevelProcess reports what the weaker level does not do as such.
func TestLevelProcess(t *testing.T) {
	m := testkit.Maker(t, sandbox.Confine)
	if os.Getuid() != 0 {
		t.Skip("not run: without root the level has no user of its own")
	}
	r, err := escape.Run(t.Context(), open(t, m), escape.Options{Level: m.Level, Heavy: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + escape.ControlTable(r))
	for _, row := range r.Off() {
		t.Errorf("%s: a function must not %s: %s", row.ID, row.What, row.Detail)
	}
	for _, row := range r.Rows {
		if (row.ID == "uts/name" || row.ID == "quota/size") && (row.State != escape.Soft || row.Reason == "") {
			t.Errorf("%s: got %q, %q, want it soft with the reason", row.ID, row.State, row.Reason)
		}
		if row.ID == "uts/set-name" || row.ID == "quota/disk" {
			t.Errorf("%s was tried without a sandbox", row.ID)
		}
	}
}
