package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs/query"
)

func TestAQueryIsWrittenAsItIsRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "*",
		" # nothing but words\n":           "*",
		"error  timeout":                   "error timeout",
		"a AND b OR NOT c":                 "a b OR NOT c",
		"a (b OR -c)":                      "a (b OR NOT c)",
		"status:(404 OR 5*)":               `status:404 OR status:5*`,
		`search "limit" exceeded`:          `"limit" exceeded`,
		"search limit exceeded":            "search limit exceeded",
		"main() at x=1":                    `main\(\) at x\=1`,
		"a | search b":                     "a | search b",
		"| stats count by x":               "stats count(*) by x",
		"fields @timestamp, `a-b` as c, x": "fields @timestamp, a-b as c, x",
		"fields a-b, a - b, a-1":           "fields a-b, a - b, a - 1",
		"fields `two words`, @`aws.tag.x:y`, `and`":      "fields `two words`, `@aws.tag.x:y`, `and`",
		"filter a=1 and (b!='x' or not c like /y\\/z/) ": `filter a = 1 and (b != "x" or not c like /y\/z/)`,
		"filter not (a = 1)":                             "filter not a = 1",
		"filter a =~ /x/ and b not in [1, -2, 'z']":      `filter a like /x/ and b not in [1, -2, "z"]`,
		"FILTER x":                            "FILTER x", // words
		"a | FILTER x":                        "a | filter x",
		"filter (a + b) * c ^ -d % 2 >= 1.50": "filter (a + b) * c ^ -d % 2 >= 1.5",
		"filter status:5* or \"boom\"":        `filter status:5* or "boom"`,
		"stats avg(x) as m, pct(@duration,95) by bin(5 m), f":  "",
		"stats avg(x) as m, pct(@duration,95) by bin(5mins),f": "stats avg(x) as m, pct(@duration, 95) by bin(5m), f",
		"sort a asc, b desc":             "sort a, b desc",
		"head 5":                         "limit 5",
		"top status":                     "top 10 status",
		"parse \"[*] *\" as level, rest": `parse @message "[*] *" as level, rest`,
		"parse x /(?<a>.)(.)/":           "parse x /(?<a>.)(.)/",
		"parse x /(.)(.)/ as a, b":       "parse x /(.)(.)/ as a, b",
		"limit:5":                        "limit:5", // a field
	} {
		q, err := query.Parse(text)
		if want == "" {
			if err == nil {
				t.Errorf("%s: read as %s", text, q)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := q.String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		again, err := query.Parse(q.String())
		if err != nil {
			t.Errorf("%s, written as %s: %v", text, q, err)
			continue
		}
		if diff := cmp.Diff(q.String(), again.String()); diff != "" {
			t.Errorf("%s: written and read again (-want +got)\n%s", text, diff)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	for text, want := range map[string]string{
		"error | statz count(*)":             `line 1, column 9, at "statz": expected a command: dedup, display, fields, filter, limit, parse, search, sort, stats, top`,
		"error |":                            "line 1, column 8, at the end: expected a command: dedup,",
		"error |\n  limit many":              `line 2, column 9, at "many": expected a number from 1 to 10000`,
		"limit exceeded":                     `at "exceeded": expected a number from 1 to 10000; to search for the word, write "limit" in quotes`,
		"limit 20000":                        `at "20000"`,
		"a (b OR c":                          "at the end: expected ) for the ( in column 3",
		"a OR":                               "at the end: expected a word, a phrase in quotes, field:value or (",
		`"never closed`:                      `column 1, at "\"`,
		"status >= 500":                      `at ">=": a search compares in the way of field:>500; field > 500 is for filter`,
		"status:[400 499]":                   "expected a range such as [400 TO 499]",
		"filter status >":                    "at the end: expected a field, a number, a text in quotes or (",
		"filter status = 5 status":           `at "status": expected | and another command, or the end`,
		"filter a in 5":                      `at "5": expected a list such as [500, 502]`,
		"filter a in [b]":                    `at "b": expected a text in quotes or a number`,
		"filter a not b":                     "expected like or in after not",
		"filter a like /(/":                  "missing closing ): `(`",
		"filter a like b":                    `at "b": expected a text in quotes, or a regular expression`,
		"filter foo(x) = 1":                  `at "foo": there is no such function; there are abs, avg, bin,`,
		"filter strlen(a, b) = 1":            `at "strlen": strlen: expected 1 arguments, got 2`,
		"stats x":                            `at "x": expected a statistic, such as count(*)`,
		"stats avg(sum(x))":                  "a statistic of a statistic needs a second stats",
		"fields avg(x)":                      "avg is a statistic, which only stats takes",
		"stats pct(x, 101)":                  "expected a percentage from 0 to 100",
		"stats count(*) by bin(5)":           "expected a period such as 30s, 5m, 1h or 1d",
		"fields 5m":                          "only bin, datefloor and dateceil take periods",
		"stats count(*) as by x":             `at "by": expected a name for it`,
		"parse @message \"none\" as a":       "the pattern has nothing to take out",
		"parse @message \"*, *\" as a":       "the pattern takes out 2 parts, and there are 1 names",
		"parse @message \"*\"":               "expected as, and a name for each of the 1 parts",
		"parse @message /.*/":                "the pattern has nothing to take out",
		"x | pattern @message":               "the command is not available here",
		"fields a b":                         `at "b": expected | and another command, or the end, or a comma and another field`,
		"ä ö | x":                            `line 1, column 7, at "x"`,
		"filter " + strings.Repeat("(", 500): "nested more than 100 deep",
		strings.Repeat("x", 10_001):          "the query has 10001 bytes; at most 10000 are taken",
	} {
		_, err := query.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || fault.CodeOf(err) != "MalformedQueryException" {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
	_, err := query.Parse("fields a |\nsort b up")
	at, ok := errors.AsType[*query.SyntaxError](err)
	if !ok || at.Start != 18 || at.End != 20 || at.Word != "up" {
		t.Errorf("the place of up: got %+v", at)
	}
}

// FuzzParse holds what is read against itself written and read again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"error timeout", `"a b" -c:d* /x/ f:[1 TO 2} g:>5`, "a | stats count(*) as n by c-ip, bin(5m) | sort n desc | limit 3",
		"fields `a``b`, cs(User-Agent) as x | filter a = 1 and not b like /c\\/d/ or e in [1, 'f\\n']", "parse x \"a * b\" as c",
		`a\ b\*c x*y**z ( f:(g OR h) )`, "top 3 a, -b ^ 2 | dedup x, tolower(y) | display z # end",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := query.Parse(text)
		if err != nil {
			return
		}
		again, err := query.Parse(q.String())
		if len(q.String()) > 10_000 {
			return
		}
		if err != nil {
			t.Fatalf("%q is written as %q: %v", text, q, err)
		}
		if q.String() != again.String() {
			t.Fatalf("%q is written as %q, and that as %q", text, q, again)
		}
		if _, err := query.Run(t.Context(), fixture(true), q, query.Range{}, nil); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatalf("%q: %v", q, err)
		}
	})
}
