package waf

import (
	"runtime"
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

// TestCommentsCostByTheirNumber, not by its square: what is copied tells.
func TestCommentsCostByTheirNumber(t *testing.T) {
	copied := func(text string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		uncommented(text)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	for _, unit := range []string{"/*!*/", "/*! */", "/*!1 /**/ */", "/**/"} {
		text := strings.Repeat(unit, 10_000)
		if got, most := copied(text), uint64(20*len(text)); got > most {
			t.Errorf("%d bytes of %s: %d are copied, more than %d", len(text), unit, got, most)
		}
	}
}

func TestUncommented(t *testing.T) {
	for in, want := range map[string]string{
		"a/**/b": "a b", "a/*x*/b/*y*/c": "a b c", "a/*!50000union*/b": "a union b", "a/*!union /*x*/ b*/c": "a union   b c",
		"a/*open": "a ", "a/*!open": "a open", "a*/b": "a*/b", "2*3 */*x*/ 4": "2*3 *  4", "/*/x*/y": " y", "a **/ b": "a **/ b",
	} {
		if got := uncommented(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
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
