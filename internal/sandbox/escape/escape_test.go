package escape_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox/escape"
)

func TestTheTable(t *testing.T) {
	list := escape.Assertions()
	if len(list) == 0 {
		t.Skip("not run: no sandboxes on this system")
	}
	if len(list) < 100 {
		t.Errorf("got %d assertions, want at least 100", len(list))
	}
	seen := map[string]bool{}
	for _, a := range list {
		if seen[a.ID] {
			t.Errorf("%s is there twice", a.ID)
		}
		seen[a.ID] = true
		if theme, name, ok := strings.Cut(a.ID, "/"); !ok || theme == "" || name == "" {
			t.Errorf("%q is no ID", a.ID)
		}
		if a.Control == "" || a.What == "" {
			t.Errorf("%s has no control or does not say what it tries", a.ID)
		}
		if a.Heavy && !a.Unsafe && a.ID != "files/setuid-anywhere" && a.Control != "ipc" {
			t.Errorf("%s is heavy and would be tried outside of a sandbox", a.ID)
		}
		for level, reason := range a.Soft {
			if reason == "" || !slices.Contains([]string{"full", "userns", "process"}, level) {
				t.Errorf("%s is soft at %q because of %q", a.ID, level, reason)
			}
		}
	}
}
