package function_test

import (
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

func shifted(word string) function.Function {
	f := told(word)
	f.Shift = &function.Shift{Alias: "live", Type: "AllAtOnce"}
	return f
}

func standing(t *testing.T, i *function.Invoker) function.Standing {
	t.Helper()
	s, err := i.Standing("told", "live")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publishChanged(t *testing.T, i *function.Invoker) {
	t.Helper()
	if err := i.PublishChanged(t.Context(), "stack"); err != nil {
		t.Fatal(err)
	}
}

func TestAnAliasIsLeftBehindAndMoved(t *testing.T) {
	i := loaded(t, t.TempDir())
	replace(t, i, told("one"))
	if err := i.PublishDeployed(t.Context(), "told", "live"); err != nil {
		t.Fatal(err)
	}
	replace(t, i, shifted("two"))
	if s := standing(t, i); s.Alias.Version != "1" || s.Current != "" {
		t.Errorf("before it is published: %+v", s)
	}
	publishChanged(t, i)
	publishChanged(t, i)
	if s := standing(t, i); s.Alias.Version != "1" || s.Current != "2" {
		t.Errorf("published: %+v", s)
	}
	if err := i.PublishDeployed(t.Context(), "told", "live"); err != nil || standing(t, i).Alias.Version != "1" {
		t.Errorf("an alias that is there was moved: %+v, %v", standing(t, i), err)
	}
	if w, v := word(t, i, "told:live"); w != "one" || v != "1" {
		t.Errorf("got %s of version %s", w, v)
	}
	if err := i.MoveAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1", Additional: "2", Weight: 0.1}); err != nil {
		t.Fatal(err)
	}
	if n, err := i.ReadyOf("told:2"); err != nil || n != 1 {
		t.Errorf("%d instances of the version that is to get a tenth are ready, want 1; %v", n, err)
	}
	replace(t, i, shifted("one")) // as a rollback does
	publishChanged(t, i)
	if s := standing(t, i); s.Current != "1" {
		t.Errorf("what the alias names already was published again: %+v", s)
	}
	if err := i.MoveAlias(t.Context(), "told", function.Alias{Name: "live", Version: "7"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("to a version that is not there: %v", err)
	}
	if _, err := i.Standing("nobody", "live"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of a function that is not there: %v", err)
	}
}

func TestVersionsCountHowTheirRunsEnd(t *testing.T) {
	i := newInvoker(t, enginetest.Streams(t))
	if err := i.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	replace(t, i, told("one"))
	publish(t, i)
	run := func(name, payload string) {
		t.Helper()
		if _, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: []byte(payload)}); err != nil {
			t.Fatal(err)
		}
	}
	run("told:1", `{"mode":"env"}`)
	run("told:1", `{"mode":"fail"}`)
	run("told", `{"mode":"env"}`)
	if got, want := i.Tally("told", "1"), (function.Tally{Ended: 2, Failed: 1}); got != want {
		t.Errorf("version 1: got %+v, want %+v", got, want)
	}
	if got, want := i.Tally("told", function.Latest), (function.Tally{Ended: 1}); got != want {
		t.Errorf("$LATEST: got %+v, want %+v", got, want)
	}
	if got := i.Tally("told", "9"); got != (function.Tally{}) {
		t.Errorf("a version that is not there: %+v", got)
	}
}

func TestPruningSparesWhatIsNamed(t *testing.T) {
	i := loaded(t, t.TempDir())
	for _, w := range []string{"1", "2", "3", "4", "5"} {
		replace(t, i, told(w))
		publish(t, i)
	}
	if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1", Additional: "2", Weight: 0.5}, true); err != nil {
		t.Fatal(err)
	}
	deleted, err := i.PruneVersions(t.Context(), "told", 1, func(v string) bool { return v == "4" })
	if err != nil || !slices.Equal(deleted, []string{"3"}) {
		t.Errorf("deleted %q, %v", deleted, err)
	}
	if all := i.Published(); len(all) != 4 {
		t.Errorf("%d versions are left", len(all))
	}
	if deleted, err := i.PruneVersions(t.Context(), "nobody", 1, nil); len(deleted) > 0 || err != nil {
		t.Errorf("of a function without versions: %q, %v", deleted, err)
	}
}

func TestRestarts(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*function.Function)
		want   bool
	}{
		"nothing":       {func(*function.Function) {}, false},
		"description":   {func(f *function.Function) { f.Description = "d" }, false},
		"concurrency":   {func(f *function.Function) { f.Concurrency = new(1) }, false},
		"shift":         {func(f *function.Function) { f.Shift = &function.Shift{} }, false},
		"code":          {func(f *function.Function) { f.Artifact = "other" }, true},
		"memory":        {func(f *function.Function) { f.MemoryMB++ }, true},
		"environment":   {func(f *function.Function) { f.Environment = map[string]string{"A": "1"} }, true},
		"layers":        {func(f *function.Function) { f.Layers = []string{"a"} }, true},
		"secret":        {func(f *function.Function) { f.Secrets = []function.Secret{{Name: "A", Parameter: "/a"}} }, true},
		"role":          {func(f *function.Function) { f.Role = "r" }, true},
		"network":       {func(f *function.Function) { f.VPC = &function.VPC{} }, true},
		"mounted files": {func(f *function.Function) { f.Mount = &function.Mount{Name: "m"} }, true},
	} {
		is := fn("f")
		tt.change(&is)
		if got := function.Restarts(fn("f"), is); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}
