package deploy_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
)

// compared is a stack with something of most kinds.
func compared() *deploy.Revision {
	return &deploy.Revision{
		Stack: "s-dev",
		Functions: []function.Function{
			{Name: "code", Artifact: strings.Repeat("a", 64), MemoryMB: 128},
			{Name: "settings", Artifact: strings.Repeat("a", 64), Environment: map[string]string{"KEPT": "1", "PASSWORD": "s3cret-before", "GONE": "s3cret"}},
			{Name: "words", Artifact: strings.Repeat("a", 64), Description: "before", CodeSize: 1},
			{Name: "removed", Artifact: strings.Repeat("a", 64)},
		},
		APIs:          []gateway.API{{Name: "api", Kind: gateway.HTTP, Routes: []gateway.Route{{Method: "GET", Path: "/", Function: "code"}, {Method: "GET", Path: "/old", Function: "code"}}}},
		Topics:        []topic.Topic{{ARN: "arn:t"}},
		Subscriptions: []topic.Subscription{{ARN: "arn:t:1", Topic: "arn:t", Protocol: "https", Endpoint: "https://me:s3cret@a.example/"}},
		Schedules:     []schedule.Schedule{{Name: "nightly", Expression: "rate(1 hour)"}},
		Buckets:       []string{"stays"},
		Roles:         []iam.DeclaredRole{{Name: "role", Inline: map[string]string{"p": strings.Repeat("x", 100)}}},
		APIKeys:       []gateway.APIKey{{Name: "key", Value: "s3cret-s3cret-s3cret"}},
	}
}

func TestAPlanNamesWhatChanges(t *testing.T) {
	old, next := compared(), compared()
	old.ID = "before"
	f := next.Functions
	f[0].Artifact, f[0].MemoryMB = strings.Repeat("b", 64), 256
	f[1].Environment = map[string]string{"KEPT": "1", "PASSWORD": "s3cret-after", "NEW": "s3cret"}
	f[2].Description, f[2].CodeSize = "after", 2
	next.Functions = append(f[:3:3], function.Function{Name: "created"})
	next.APIs[0].Routes[1].Path = "/new"
	next.APIs[0].Routes[0].Function = "code:live"
	next.Subscriptions[0].Endpoint = "https://me:other@a.example/"
	next.Subscriptions[0].State = topic.Pending
	next.Schedules[0].Expression = "rate(2 hours)"
	next.Roles[0].Inline["p"] = strings.Repeat("y", 100)
	next.APIKeys[0].Value = "another-s3cret-s3cret"
	next.Buckets = append(next.Buckets, "new")
	want := &deploy.Diff{Stack: "s-dev", From: "before", Restarts: []string{"code", "settings"}, Changes: []deploy.Change{
		{"change", "function", "code", []deploy.Field{{"artifact", "aaaaaaaaaaaa", "bbbbbbbbbbbb"}, {"memorySize", "128", "256"}}},
		{Action: "create", Kind: "function", Name: "created"},
		{"change", "function", "settings", []deploy.Field{
			{"environment.GONE", "(hidden)", ""},
			{"environment.NEW", "", "(hidden)"},
			{"environment.PASSWORD", "(hidden)", "(hidden)"},
		}},
		{"change", "function", "words", []deploy.Field{{"description", "before", "after"}}},
		{Action: "remove", Kind: "function", Name: "removed"},
		{"change", "route", "api GET /", []deploy.Field{{"function", "code", "code:live"}}},
		{Action: "create", Kind: "route", Name: "api GET /new"},
		{Action: "remove", Kind: "route", Name: "api GET /old"},
		{"change", "API key", "key", []deploy.Field{{"value", "(hidden)", "(hidden)"}}},
		{"change", "subscription", "t to https 1", []deploy.Field{{"endpoint", "(hidden)", "(hidden)"}}},
		{"change", "schedule", "nightly", []deploy.Field{{"expression", "rate(1 hour)", "rate(2 hours)"}}},
		{Action: "create", Kind: "bucket", Name: "new"},
		{"change", "role", "role", []deploy.Field{{"Inline.p", "", "(changed)"}}},
	}}
	got := deploy.Compare(old, next)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if !deploy.Compare(old, compared()).Empty() {
		t.Errorf("the same: %+v", deploy.Compare(old, compared()))
	}
	if all := deploy.Compare(nil, next); len(all.Changes) < 10 || all.Changes[0].Action != deploy.ActionCreate || len(all.Restarts) > 0 {
		t.Errorf("a new stack: %+v", all)
	}
}

func TestWhatCallsOfTheAPIAddedIsNoChange(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	sha := s.artifact(t)
	deployAll(t, d, sha, "1")
	_, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error {
		r.Functions[0].Tags, r.Functions[0].Policies = map[string]string{"a": "b"}, map[string]string{"": "{}"}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := d.Preview(t.Context(), revision(sha, []string{"f 1"}))
	if err != nil || !diff.Empty() {
		t.Errorf("got %+v, %v", diff, err)
	}
	if active, _ := d.Active("s-dev"); diff != nil && diff.From != active.ID {
		t.Errorf("compared with %s, want %s", diff.From, active.ID)
	}
}

// A kind of thing that a revision has and the plan forgot would be deployed unseen,
// or not at all.
func TestAPlanForgetsNoPartOfARevision(t *testing.T) {
	unseen := map[string]bool{ // not the author's, or seen with something else
		"ID": true, "Stack": true, "Service": true, "Stage": true, "Created": true, "Source": true, "Previous": true, "Restores": true,
		"Owner": true, "LastLayers": true, "Granted": true, "Imports": true,
	}
	kind := reflect.TypeFor[deploy.Revision]()
	for i := range kind.NumField() {
		field := kind.Field(i)
		if unseen[field.Name] || !field.IsExported() {
			continue
		}
		old, next := &deploy.Revision{ID: "before", Stack: "s-dev"}, &deploy.Revision{Stack: "s-dev"}
		value := reflect.ValueOf(next).Elem().Field(i)
		switch field.Type.Kind() {
		case reflect.Slice:
			value.Set(reflect.MakeSlice(field.Type, 1, 1))
		case reflect.String:
			value.SetString("x")
		case reflect.Pointer:
			next.Keep = &deploy.Keep{Versions: 1}
		case reflect.Struct:
			next.Network.VPCs = []network.VPC{{ID: "v"}}
		default:
			t.Fatalf("%s: the test does not know a %s", field.Name, field.Type)
		}
		if deploy.Compare(old, next).Empty() {
			t.Errorf("%s can change, and the plan says nothing of it", field.Name)
		}
	}
}
