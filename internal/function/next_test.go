package function_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/function"
)

func TestTheNextVersionIsKnown(t *testing.T) {
	i := loaded(t, t.TempDir())
	check := func(name string, want int, newest string) {
		t.Helper()
		next, last, err := i.NextVersion(t.Context(), name)
		if err != nil || next != want || last.Version != newest {
			t.Errorf("%s: got %d after %q, %v; want %d after %q", name, next, last.Version, err, want, newest)
		}
	}
	check("told", 1, "") // it is not there yet
	replace(t, i, told("one"))
	publish(t, i)
	replace(t, i, told("two"))
	check("told", 2, "1")
	if got := publish(t, i); got != "2" {
		t.Errorf("it is %s", got)
	}
	if err := i.DeleteVersion(t.Context(), "told", "2"); err != nil {
		t.Fatal(err)
	}
	check("told", 3, "1") // a number is given once
}

func TestAVersionIsForetold(t *testing.T) {
	i := loaded(t, t.TempDir())
	check := func(f function.Function, want string) {
		t.Helper()
		f.Stack = "stack"
		if got, err := i.Foretell(t.Context(), f); err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	check(told("one"), "1") // it is not there yet
	replace(t, i, told("one"))
	publish(t, i)
	check(told("one"), "1")
	check(told("two"), "2")
	replace(t, i, told("two"))
	publish(t, i)
	check(told("one"), "3") // as it is published when it is gone back to
	moved := told("one")
	moved.Shift = &function.Shift{Alias: "live"}
	check(moved, "3")
	if err := i.MoveAlias(t.Context(), "told", function.Alias{Name: "live", Version: "1"}); err != nil {
		t.Fatal(err)
	}
	check(moved, "1") // its callers are there
	check(told("one"), "3")
}
