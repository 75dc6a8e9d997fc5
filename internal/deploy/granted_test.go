package deploy_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
)

// policyOf is a policy of statements with these ids.
func policyOf(ids ...string) string {
	var list []map[string]string
	for _, id := range ids {
		list = append(list, map[string]string{"Sid": id})
	}
	doc, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": list})
	return string(doc)
}

func idsIn(t *testing.T, text string) (ids []string) {
	t.Helper()
	var doc struct{ Statement []struct{ Sid string } }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, s := range doc.Statement {
		ids = append(ids, s.Sid)
	}
	slices.Sort(ids)
	return ids
}

func TestPermissionsOfCallsOutliveThoseOfTheTemplate(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	sha := s.artifact(t)
	declared := func(ids ...string) *deploy.Revision {
		r := revision(sha, []string{"f 1"})
		if len(ids) > 0 {
			r.Functions[0].Policies = map[string]string{"": policyOf(ids...), "live": policyOf(ids[0] + "-live")}
			r.Granted = map[string][]string{"f": append(slices.Clone(ids), ids[0]+"-live")}
		}
		return r
	}
	if _, err := d.Deploy(t.Context(), declared("first", "second")); err != nil {
		t.Fatal(err)
	}
	_, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error {
		p := r.Functions[0].Policies
		p[""], p["test"] = policyOf("first", "second", "called"), policyOf("tested")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name     string
		declares []string
		want     map[string][]string
	}{
		{"one is declared no more", []string{"second"}, map[string][]string{"": {"called", "second"}, "live": {"second-live"}, "test": {"tested"}}},
		{"one with the name of a call's", []string{"called"}, map[string][]string{"": {"called"}, "live": {"called-live"}, "test": {"tested"}}},
		{"none is declared", nil, map[string][]string{"test": {"tested"}}},
	} {
		r, err := d.Deploy(t.Context(), declared(step.declares...))
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		got := map[string][]string{}
		for qualifier, text := range r.Functions[0].Policies {
			got[qualifier] = idsIn(t, text)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", step.name, diff)
		}
	}
}

func TestNumbersOfLayersAreNeverGivenAgain(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	sha := s.artifact(t)
	first := revision(sha, []string{"f 1"})
	first.LastLayers = map[string]int{"a": 3, "b": 1}
	if _, err := d.Deploy(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	second := revision(sha, []string{"f 1"})
	second.LastLayers = map[string]int{"b": 2}
	r, err := d.Deploy(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 2}, r.LastLayers); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
