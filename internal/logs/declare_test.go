package logs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

func TestDeclaredGroups(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "/there")
	for _, declared := range [][]logs.Declared{
		{{Name: "/new", Retention: 14, Tags: map[string]string{"a": "b"}}, {Name: "/there", Retention: 7}},
		{{Name: "/new", Retention: 30}, {Name: "/there"}},
		{{Name: "/new", Retention: 30}, {Name: "/there"}}, // again, as at every restart
	} {
		if err := s.Declare(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		var got []logs.Declared
		for _, g := range must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{}).LogGroups {
			tags := must(t, s.ListTagsForResource, logs.ListTagsForResourceInput{ResourceARN: g.LogGroupARN}).Tags
			if len(tags) == 0 {
				tags = nil
			}
			got = append(got, logs.Declared{Name: g.LogGroupName, Retention: g.RetentionInDays, Tags: tags})
		}
		if diff := cmp.Diff(declared, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	if err := s.Declare(t.Context(), []logs.Declared{{Name: "no group"}}); err == nil {
		t.Error("a name that is none is taken")
	}
}

func TestDeclaredProtection(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	for _, step := range []struct {
		name      string
		protected *bool
		want      bool
	}{
		{"not said", nil, false}, {"on", new(true), true}, {"not said any more", nil, true}, {"off", new(false), false},
	} {
		if err := s.Declare(t.Context(), []logs.Declared{{Name: "/group", Protected: step.protected}}); err != nil {
			t.Fatal(err)
		}
		if got := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{}).LogGroups[0].DeletionProtectionEnabled; got != step.want {
			t.Errorf("%s: got %v, want %v", step.name, got, step.want)
		}
	}
}
