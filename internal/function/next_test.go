package function_test

import "testing"

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
