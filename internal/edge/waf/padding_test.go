package waf

import (
	"strings"
	"testing"
)

func TestPaddingHidesNothing(t *testing.T) {
	pad := func(unit string) string { return strings.Repeat(unit, 12_000/len(unit)) }
	for name, text := range map[string]string{
		"sums":          "1" + pad("+1") + " or 1=1--",
		"products":      "1" + pad(" * 2") + " union select 1,2",
		"comments":      "1/*" + pad("x") + "*/or/**/1=1",
		"many comments": "1" + pad("/**/") + "union" + pad("/*x*/") + "select 1,2",
		"white space":   "1'" + pad("\n\t ") + "or" + pad(" ") + "'1'='1",
		"brackets":      pad("(") + "1" + pad(")") + " or 1=1",
		"a long word":   pad("a") + "' or 1=1--",
		"what follows":  "' or 1=1-- " + pad("just words and more "),
		"a long string": "x' or '" + pad("words of prose ") + "'='" + pad("words of prose "),
		"signs":         "1 or" + pad("!!") + "1=1",
	} {
		if !lowSQLi(text, made(text)) {
			t.Errorf("%s: an injection is not seen", name)
		}
	}
}

func TestCondensed(t *testing.T) {
	long := strings.Repeat("x", 300)
	for in, want := range map[string]string{
		"short   stays":       "short   stays",
		long + "  \n y":       long[:20] + long[:20] + " y",
		long + "------'''''":  long[:40] + "----''''",
		long + " 1+22*3/4--":  long[:40] + " 1+22*3/4--",
		long + " é=" + "1 or": long[:40] + " é=1 or",
	} {
		if got := condensed(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if got := condensed(strings.Repeat("a=b;", 5000)); len(got) != maxHead+maxTail+1 {
		t.Errorf("%d bytes are left, want %d", len(got), maxHead+maxTail+1)
	}
}
