package cloudformation

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/waf"
)

var update = flag.Bool("update", false, "rewrite what templates of the edge come to")

// front is what of a revision is the edge's.
type front struct {
	Distributions []edge.Distribution   `json:"distributions,omitempty"`
	WebACLs       []waf.WebACL          `json:"webACLs,omitempty"`
	IPSets        []waf.IPSet           `json:"ipSets,omitempty"`
	PatternSets   []waf.RegexPatternSet `json:"regexPatternSets,omitempty"`
}

// frontOf is that part as a document, without the configuration that distributions
// remember.
func frontOf(t *testing.T, r *deploy.Revision) string {
	t.Helper()
	f := front{Distributions: r.Distributions, WebACLs: r.WebACLs, IPSets: r.IPSets, PatternSets: r.PatternSets}
	for i := range f.Distributions {
		if f.Distributions[i].Declared == nil && f.Distributions[i].Comment == "" {
			t.Errorf("distribution %s does not remember what it was made of", f.Distributions[i].ID)
		}
		f.Distributions[i].Declared = nil
	}
	doc, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := edge.Check(r.Distributions); err != nil {
		t.Error(err)
	}
	return string(doc) + "\n"
}

// TestTemplatesOfTheEdge has templates as people write them and what they come to;
// services that have the same resources come to the same, as deploy's tests see to.
func TestTemplatesOfTheEdge(t *testing.T) {
	stories, err := filepath.Glob("../edge/cloudfront/testdata/*.txtar")
	if err != nil || len(stories) < 6 {
		t.Fatalf("%d templates, %v", len(stories), err)
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p := planned(t, &ground{}, string(a.Files[0].Data))
			got := frontOf(t, p.revision)
			for _, w := range p.warnings {
				got += "warning " + w.ID + ": " + w.Message + "\n"
			}
			if *update {
				a.Files = append(a.Files[:1], txtar.File{Name: "want.json", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(a.Files[1].Data), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
