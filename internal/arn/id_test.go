package arn_test

import (
	"regexp"
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
)

func TestIDsStayTheSame(t *testing.T) {
	for _, c := range []struct{ name, got, form string }{
		{"short", arn.ID(6, "a", "b"), `^[0-9a-z]{6}$`},
		{"long", arn.ID(32, "a", "b"), `^[0-9a-z]{32}$`},
		{"UUID", arn.UUID("a", "b"), `^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
	} {
		if !regexp.MustCompile(c.form).MatchString(c.got) {
			t.Errorf("%s: %q is not of the form %s", c.name, c.got, c.form)
		}
	}
	if got, want := arn.APIID("notes-dev", "HTTP"), arn.ID(10, "notes-dev", "HTTP"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if arn.UUID("a", "bc") == arn.UUID("ab", "c") || arn.ID(10, "a") == arn.ID(10, "b") {
		t.Error("two names have one id")
	}
}
