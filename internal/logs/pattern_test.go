package logs_test

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

func pattern(t testing.TB, text string) *logs.Pattern {
	t.Helper()
	p, err := logs.Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

const (
	event  = `{"level":"error","ms":120.5,"ok":true,"gone":null,"user":{"id":7,"name":"Ann Lee","a.b":1},"tags":["x","y2"],"list":[{"n":1},{"n":5}],"ip":"10.1.2.3"}`
	access = `10.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
)

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"", "anything", true},
		{"ERROR", "[ERROR 400] BAD REQUEST", true},
		{"ERROR", "[error 400] BAD REQUEST", false},
		{"ERROR REQUEST", "[ERROR 400] BAD REQUEST", true},
		{"ERROR UNAUTHORIZED", "[ERROR 400] BAD REQUEST", false},
		{`"BAD REQUEST"`, "[ERROR 400] BAD REQUEST", true},
		{`"REQUEST BAD"`, "[ERROR 400] BAD REQUEST", false},
		{`"say \"hi\""`, `they say "hi"`, true},
		{"ERROR -400", "[ERROR 400] BAD REQUEST", false},
		{"ERROR -400", "[ERROR 401] BAD REQUEST", true},
		{`-"BAD REQUEST"`, "[ERROR 400] BAD REQUEST", false},
		{"?ERROR ?WARN", "WARN: disk", true},
		{"?ERROR ?WARN", "INFO: disk", false},
		{"?ERROR disk", "INFO: disk", true}, // ? does not matter beside others
		{"%E[A-Z]+R% 4", "ERROR 4", true},
		{"%^E[0-9]%", "xE1", false},

		{`{ $.level = "error" }`, event, true},
		{`{ $.level = error }`, event, true},
		{`{ $.level = "err*" }`, event, true},
		{`{ $.level = "*r*o*" }`, event, true},
		{`{ $.level = "*x*" }`, event, false},
		{`{ $.level != "warn" }`, event, true},
		{`{ $.level != "error" }`, event, false},
		{`{ $.nothing != "error" }`, event, false}, // it is not there
		{`{ $.ms > 120 }`, event, true},
		{`{ $.ms <= 120.5 }`, event, true},
		{`{ $.ms < 1e2 }`, event, false},
		{`{ $.ms = 120.50 }`, event, true},
		{`{ $.level > 5 }`, event, false},
		{`{ $.user.id = 7 && $.user.name = "Ann Lee" }`, event, true},
		{`{ $.user.["a.b"] = 1 }`, event, true},
		{`{ $.user = 7 }`, event, false},
		{`{ $.tags[1] = "y*" }`, event, true},
		{`{ $.tags[2] = "*" }`, event, false},
		{`{ $.tags[*] = "x" }`, event, true},
		{`{ $.list[*].n > 4 }`, event, true},
		{`{ $.list[*].n > 5 }`, event, false},
		{`{ $.ok IS TRUE }`, event, true},
		{`{ $.ok IS FALSE }`, event, false},
		{`{ $.gone IS NULL }`, event, true},
		{`{ $.nothing IS NULL }`, event, false},
		{`{ $.nothing NOT EXISTS && $.gone EXISTS }`, event, true},
		{`{ $.ms > 900 || $.level = "error" && $.ok IS TRUE }`, event, true},
		{`{ ($.ms > 900 || $.level = "error") && $.ok IS FALSE }`, event, false},
		{`{ $.ip = %10\.1\.[0-9]+\.3% }`, event, true},
		{`{ $.ip != %^192% }`, event, true},
		{`{$.ms>120&&$.level="error"}`, event, true},
		{`{ $.level = "error" }`, "error", false},
		{`{ $.level = "error" }`, `{"level":"error"`, false},
		{`{ $.level = "error" }`, `{"level":"error"} and more`, false},
		{`{ $.level = "error" }`, ` {"level":"error"} `, true},

		{"[ip, id, user, time, request, code, bytes]", access, true},
		{"[ip, id, user, time, request, code]", access, false},
		{"[ip, id, user, time, request, code = 404, bytes]", access, true},
		{"[ip, id, user, time, request, code = 4*, bytes > 1000]", access, true},
		{"[ip, id, user, time, request, code = 4*, bytes > 2000]", access, false},
		{"[ip, ..., code = 404 || code = 410, bytes]", access, true},
		{"[..., code != 404, bytes]", access, false},
		{"[ip = 10.*, ...]", access, true},
		{`[ip, ..., request = "GET *", code, bytes]`, access, true},
		{"[..., time = %Oct%, request, code, bytes]", access, true},
		{"[..., code > 399 && code < 500, bytes]", access, true},
		{"[w1, w2]", "two words", true},
		{"[w1, w2, w3, ...]", "two words", false},
	} {
		if got := pattern(t, c.pattern).Match(c.message); got != c.want {
			t.Errorf("%s on %s: got %t", c.pattern, c.message, got)
		}
	}
}

func TestWrongPatterns(t *testing.T) {
	for _, text := range []string{
		`"open`, "%open", "%(%", `""`, "-", "?",
		"{", "{}", "{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $ = 1 }", "{ $. = 1 }", "{ $.a > x }", `{ $.a = "x }`, "{ ($.a = 1 }", "{ $.a = 1 } x",
		"{ $.a = 1 && }", "{ $.a[x] = 1 }", "{ $.a[0 = 1 }", "{ $.a = 1 $.b = 2 }", "{" + strings.Repeat("(", 200) + "}",
		"[", "[]", "[a", "[a,]", "[a b]", "[..., ...]", "[a > x]", "[a =]", "[(a)]",
		strings.Repeat("x", 1025),
	} {
		if _, err := logs.Compile(text); fault.CodeOf(err) != "InvalidParameterException" {
			t.Errorf("%.40q: got %v, want InvalidParameterException", text, err)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		`ERROR -"a b" ?c %d+%`, `{ $.a.["b c"][0] = "x*" && ($.d[*].e >= 1e3 || $.f NOT EXISTS) }`, `[a, ..., b = 4*, c != "d" && c > 5]`, `{ $.a = %x%`, "[...",
	} {
		f.Add(seed, event)
		f.Add(seed, access)
	}
	f.Fuzz(func(t *testing.T, text, message string) {
		p, err := logs.Compile(text)
		if err != nil && fault.CodeOf(err) != "InvalidParameterException" {
			t.Errorf("%q: %v", text, err)
		}
		if got := p.Match(message); err == nil && got != p.Match(message) {
			t.Errorf("%q on %q: not the same twice", text, message)
		}
	})
}
