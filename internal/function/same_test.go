package function_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
)

func TestWhatVersionsShareMakesNoOther(t *testing.T) {
	base := fn("a")
	for name, c := range map[string]struct {
		change func(*function.Function)
		same   bool
	}{
		"nothing":                 {func(*function.Function) {}, true},
		"reserved concurrency":    {func(f *function.Function) { f.Concurrency = new(3) }, true},
		"provisioned concurrency": {func(f *function.Function) { f.Provisioned = 3 }, true},
		"retries":                 {func(f *function.Function) { f.MaxRetries = new(1) }, true},
		"the age of events":       {func(f *function.Function) { f.MaxEventAge = 100 }, true},
		"a destination":           {func(f *function.Function) { f.OnFailure = arn.Topic(arn.Region, "t") }, true},
		"how callers are moved":   {func(f *function.Function) { f.Shift = &function.Shift{Alias: "live"} }, true},
		"where the code was":      {func(f *function.Function) { f.Source = "b/k" }, true},
		"a policy":                {func(f *function.Function) { f.Policies = map[string]string{"": "{}"} }, true},
		"the code":                {func(f *function.Function) { f.Artifact = "other" }, false},
		"the timeout":             {func(f *function.Function) { f.Timeout++ }, false},
		"the environment":         {func(f *function.Function) { f.Environment = map[string]string{"A": "B"} }, false},
		"the role":                {func(f *function.Function) { f.Role = "r" }, false},
	} {
		next := base
		c.change(&next)
		if got := function.Same(base, next); got != c.same {
			t.Errorf("another in %s: same is %v, want %v", name, got, c.same)
		}
	}
}

func TestEventsOfAnAliasHaveTheFunctionsRules(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	queues := &mailbox{}
	i.Send = queues.send
	if err := i.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := told("one")
	replace(t, i, f)
	publish(t, i)
	if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1"}, true); err != nil {
		t.Fatal(err)
	}
	f.MaxRetries, f.OnFailure = new(0), "arn:aws:sqs:us-east-1:000000000000:failed"
	replace(t, i, f)
	if got := publish(t, i); got != "1" {
		t.Errorf("published version %s, want the same", got)
	}
	run(t, i)
	enqueue(t, i, "told:live", "id-1", `{"mode":"fail"}`)
	got := heard(t, queues.message(t, "failed"))["requestContext"].(map[string]any)
	if diff := cmp.Diff(1.0, got["approximateInvokeCount"]); diff != "" {
		t.Errorf("attempts: -want +got:\n%s", diff)
	}
}
