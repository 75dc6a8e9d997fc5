package metric_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The manual has a line for every series that is described, and for no other.
func TestTheManualHasEverySeries(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile("`(dropstack_[a-z_]+)`").FindAllSubmatch(doc, -1)
	listed := map[string]bool{}
	for _, m := range got {
		listed[string(m[1])] = true
	}
	described := open(t, t.TempDir()).Descriptions()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(listed))); diff != "" {
		t.Error(diff)
	}
}
