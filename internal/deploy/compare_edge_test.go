package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
)

func TestAPlanSaysWhereDistributionsAnswer(t *testing.T) {
	revision := func(dists ...edge.Distribution) *deploy.Revision {
		return &deploy.Revision{Stack: "a", Distributions: dists}
	}
	dist := edge.Distribution{Stack: "a", ID: "a-front", Domain: "a-front.cloudfront.localhost", Aliases: []string{"www.example.com"}, Declared: map[string]any{"Enabled": true}}
	want := []deploy.Change{{
		Action: deploy.ActionCreate, Kind: "distribution", Name: "a-front",
		Fields: []deploy.Field{{Name: "domain", To: "a-front.cloudfront.localhost"}, {Name: "aliases", To: "[www.example.com]"}},
	}}
	if diff := cmp.Diff(want, deploy.Compare(nil, revision(dist)).Changes); diff != "" {
		t.Errorf("made -want +got:\n%s", diff)
	}
	next := dist
	next.WebACL, next.Declared = edge.DefaultWebACL, map[string]any{"Enabled": "true"}
	want = []deploy.Change{{Action: deploy.ActionChange, Kind: "distribution", Name: "a-front", Fields: []deploy.Field{{Name: "webACL", To: "default"}}}}
	if diff := cmp.Diff(want, deploy.Compare(revision(dist), revision(next)).Changes); diff != "" {
		t.Errorf("changed -want +got:\n%s", diff)
	}
}
