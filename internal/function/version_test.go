package function_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// told is a function that answers with its environment.
func told(word string) function.Function {
	f := fn("told")
	f.Environment = map[string]string{"WORD": word}
	return f
}

// word invokes a function and returns the word of the version that ran.
func word(t *testing.T, i *function.Invoker, name string) (word, version string) {
	t.Helper()
	res, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: []byte(`{"mode":"env"}`)})
	if err != nil || res.FunctionError != "" {
		t.Fatalf("%s: %s, %v", name, res.Payload, err)
	}
	_, rest, _ := strings.Cut(string(res.Payload), `"WORD=`)
	word, _, _ = strings.Cut(rest, `"`)
	return word, res.ExecutedVersion
}

func publish(t *testing.T, i *function.Invoker) string {
	t.Helper()
	v, err := i.PublishVersion(t.Context(), "told", "")
	if err != nil {
		t.Fatal(err)
	}
	return v.Version
}

func loaded(t *testing.T, dir string) *function.Invoker { return loadedWith(t, dir, nil) }

func loadedWith(t *testing.T, dir string, s function.Sealer) *function.Invoker {
	t.Helper()
	i := newInvoker(t, enginetest.StreamsIn(t, dir))
	i.Sealer = s
	if err := i.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestVersionsStayAsTheyWere(t *testing.T) {
	dir := t.TempDir()
	t.Run("first life", func(t *testing.T) {
		i := loaded(t, dir)
		replace(t, i, told("one"))
		if got := publish(t, i) + publish(t, i); got != "11" {
			t.Errorf("published twice unchanged: %s, want the same version", got)
		}
		replace(t, i, told("two"))
		if got := publish(t, i); got != "2" {
			t.Errorf("got version %s, want 2", got)
		}
		if err := i.DeleteVersion(t.Context(), "told", "2"); err != nil {
			t.Fatal(err)
		}
		if got := publish(t, i); got != "3" {
			t.Errorf("after 2 was deleted got version %s: a number came again", got)
		}
		if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1"}, true); err != nil {
			t.Fatal(err)
		}
		replace(t, i, told("three"))
	})
	i := loaded(t, dir)
	replace(t, i, told("three"))
	for name, want := range map[string][2]string{
		"told": {"three", "$LATEST"}, "told:$LATEST": {"three", "$LATEST"}, "told:1": {"one", "1"}, "told:3": {"two", "3"}, "told:live": {"one", "1"},
	} {
		if w, v := word(t, i, name); w != want[0] || v != want[1] {
			t.Errorf("%s: ran %s of version %s, want %v", name, w, v, want)
		}
	}
	for _, name := range []string{"told:2", "told:nobody"} {
		if _, err := i.Invoke(t.Context(), function.Invocation{Function: name}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%s: got %v, want not found", name, err)
		}
	}
	replace(t, i) // the function goes, and all of it
	replace(t, i, told("three"))
	if list, err := i.Versions("told"); err != nil || len(list) != 0 {
		t.Errorf("versions of a function that went and came again: %v, %v", list, err)
	}
	if got := publish(t, i); got != "4" {
		t.Errorf("got version %s, want 4", got)
	}
}

func TestAliasWithWeights(t *testing.T) {
	i := loaded(t, t.TempDir())
	at := 0.0
	i.Rand = func() float64 { return at }
	for _, w := range []string{"one", "two"} {
		replace(t, i, told(w))
		publish(t, i)
	}
	if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1", Additional: "2", Weight: 0.1}, true); err != nil {
		t.Fatal(err)
	}
	for at = range map[float64]bool{0: true, 0.0999: true, 0.1: false, 0.99: false} {
		want := "one"
		if at < 0.1 {
			want = "two"
		}
		if got, _ := word(t, i, "told:live"); got != want {
			t.Errorf("at %v ran %s, want %s", at, got, want)
		}
	}
}

func TestAliasesThatCannotBe(t *testing.T) {
	i := loaded(t, t.TempDir())
	replace(t, i, told("one"))
	publish(t, i)
	if err := i.PutAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1"}, true); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		alias  function.Alias
		create bool
		want   fault.Kind
	}{
		"exists":           {function.Alias{Name: "live", Version: "1"}, true, fault.Conflict},
		"does not exist":   {function.Alias{Name: "other", Version: "1"}, false, fault.NotFound},
		"number as a name": {function.Alias{Name: "7", Version: "1"}, true, fault.Invalid},
		"unknown version":  {function.Alias{Name: "new", Version: "9"}, true, fault.NotFound},
		"weight on latest": {function.Alias{Name: "new", Version: "$LATEST", Additional: "1", Weight: 0.5}, true, fault.Invalid},
		"weight over one":  {function.Alias{Name: "new", Version: "1", Weight: 1.5}, true, fault.Invalid},
	} {
		if err := i.PutAlias(t.Context(), "told", c.alias, c.create); fault.KindOf(err) != c.want || err == nil {
			t.Errorf("%s: got %v, want %v", what, err, c.want)
		}
	}
	if err := i.DeleteVersion(t.Context(), "told", "1"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("delete of a version in use: got %v, want conflict", err)
	}
}

func TestProvisionedConcurrency(t *testing.T) {
	dir := t.TempDir()
	f := told("one")
	f.Provisioned = 2
	for _, life := range []string{"first", "second"} {
		t.Run(life, func(t *testing.T) {
			i := loaded(t, dir)
			replace(t, i, f)
			if err := i.PublishChanged(t.Context(), "stack"); err != nil {
				t.Fatal(err)
			}
			wait(t, "two instances", func() bool {
				list, err := i.ProvisionedOf("told")
				if err != nil {
					t.Fatal(err)
				}
				return len(list) == 1 && list[0].Ready == 2 && list[0].Version == "1"
			})
			res, err := i.Invoke(t.Context(), function.Invocation{Function: "told:provisioned", Payload: []byte(`{"mode":"env"}`)})
			if err != nil || !strings.Contains(string(res.Payload), `"AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency"`) {
				t.Errorf("got %s, %v", res.Payload, err)
			}
		})
	}
}

func TestWarm(t *testing.T) {
	i := loaded(t, t.TempDir())
	f := told("one")
	f.Warm = 2
	replace(t, i, f)
	ready := func() int { n, _ := i.ReadyOf("told"); return n }
	wait(t, "two instances", func() bool { return ready() == 2 })
}

func TestReservationsLeaveSomethingForOthers(t *testing.T) {
	i := newInvoker(t, nil)
	i.Limit = 150
	many, more := 50, 51
	a := fn("a")
	a.Concurrency = &many
	replace(t, i, a)
	b := fn("a")
	b.Concurrency = &more
	err := i.Replace("stack", []function.Function{b})
	want := "decreases account's UnreservedConcurrentExecution below its minimum value of [100]"
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if diff := cmp.Diff(50, *must(i.Get("a")).Concurrency); diff != "" {
		t.Error(diff)
	}
}

func must(f function.Function, err error) function.Function {
	if err != nil {
		panic(err)
	}
	return f
}
