package main

import (
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
