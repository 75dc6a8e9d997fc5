package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// TestFewPackagesAreInitialisedInASandbox: every sandbox runs this program once
// for itself, and what that initialises costs each of them time and memory. A
// package that guest imports and that is initialised late makes it most of them.
func TestFewPackagesAreInitialisedInASandbox(t *testing.T) {
	all := len(initialised(t, "dropstack", "-test.run=^$"))
	for _, name := range []string{guest.Name, guest.SpawnerName} { // they end without a socket
		got := initialised(t, name)
		t.Logf("%s: %d packages of %d", name, len(got), all)
		if len(got) == 0 || len(got) > all/5 {
			t.Errorf("%s: %d packages of %d are initialised, want a fifth at most:\n%s", name, len(got), all, strings.Join(got, "\n"))
		}
	}
}

// initialised runs this program under a name and lists what it initialised.
func initialised(t *testing.T, name string, args ...string) (packages []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Args = append([]string{name}, args...)
	cmd.Env = []string{"GODEBUG=inittrace=1"}
	var trace bytes.Buffer
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(trace.String()) {
		if rest, ok := strings.CutPrefix(line, "init "); ok {
			packages = append(packages, strings.Fields(rest)[0])
		}
	}
	return packages
}
