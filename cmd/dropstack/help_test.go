package main

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Commands that only hold others have none, nor has version, which is one itself.
func TestEveryCommandHasAnExample(t *testing.T) {
	var visit func(command *cobra.Command)
	seen := 0
	visit = func(command *cobra.Command) {
		for _, sub := range command.Commands() {
			visit(sub)
		}
		if command.HasSubCommands() && command.Name() != "deploy" || command.Name() == "version" {
			return
		}
		seen++
		if !strings.Contains(command.Example, command.CommandPath()) {
			t.Errorf("%s: the example is %q", command.CommandPath(), command.Example)
		}
	}
	visit((&cli{}).root())
	if seen < 20 {
		t.Errorf("%d commands were found, want all", seen)
	}
}

func TestWrongArgumentsAreTheCallersFault(t *testing.T) {
	for _, line := range []string{"info a b", "topic show", "waf ban", "edge show", "edge invalidate site"} {
		c := &cli{stdout: io.Discard, stderr: io.Discard}
		root := c.root()
		root.SetArgs(strings.Fields(line))
		if err := root.Execute(); !errors.Is(err, errUsage) || !strings.Contains(err.Error(), "--help") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}
