package query_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func field(name, value string) logs.Field { return logs.Field{Name: name, Value: value} }

// fixture is an hour of an edge and of two functions.
func fixture(real bool) *memory {
	m := &memory{real: real}
	edge := func(second int, ip, status, took, path, agent string) logs.Record {
		return logs.Record{
			Time: noon.Add(time.Duration(second) * time.Second), Message: strings.Join([]string{ip, status, took, path}, "\t"),
			Fields: []logs.Field{field("c-ip", ip), field("sc-status", status), field("time-taken", took), field("cs-uri-stem", path), field("cs(User-Agent)", agent)},
		}
	}
	m.put("/aws/cloudfront/E1",
		edge(0, "10.0.0.1", "200", "0.010", "/", "curl/8.5"),
		edge(60, "10.0.0.2", "404", "0.002", "/none", "Mozilla/5.0 (bot)"),
		edge(120, "10.0.0.1", "200", "0.030", "/a", "curl/8.5"),
		edge(600, "2001:db8::1", "502", "1.5", "/api/x", "Mozilla/5.0"),
		edge(660, "10.0.0.1", "500", "0.9", "/api/y", "curl/8.5"),
	)
	function := func(second int, stream, request, message string, fields ...logs.Field) logs.Record {
		return logs.Record{Time: noon.Add(time.Duration(second) * time.Second), Stream: stream, Request: request, Message: message, Fields: fields}
	}
	m.put("/aws/lambda/pay",
		function(30, "s1", "r1", "START RequestId: r1"),
		function(31, "s1", "r1", "ERROR payment refused: user 7 from Kent"),
		function(32, "s1", "r1", "REPORT RequestId: r1", field("@type", "REPORT"), field("@duration", "120.5"), field("@maxMemoryUsed", "64000000")),
		function(700, "s2", "r2", `{"level":"warn","msg":"slow","took":{"ms":900},"user-id":"7"}`),
		function(701, "s2", "r2", `{"level":"error","msg":"Connection timeout","took":{"ms":3000},"user-id":"8"}`),
		function(702, "s2", "r2", "REPORT RequestId: r2", field("@type", "REPORT"), field("@duration", "3020"), field("@maxMemoryUsed", "96000000")),
	)
	m.put("/aws/lambda/mail",
		function(40, "s3", "r3", "sent to a@example.com"),
		function(3599, "s3", "r4", "Timeout: error 42, connection refused"),
	)
	return m
}

func run(t testing.TB, source query.Source, text string) query.Result {
	t.Helper()
	q, err := query.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	result, err := query.Run(t.Context(), source, q, query.Range{Start: noon, End: noon.Add(time.Hour)}, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return result
}

// lines are the rows of a result, their values apart by |, the names of the columns
// first.
func lines(r query.Result) string {
	var b strings.Builder
	b.WriteString(strings.Join(r.Columns, "|") + "\n")
	for _, row := range r.Rows {
		for i, v := range row {
			if i > 0 {
				b.WriteString("|")
			}
			if v.Kind() == query.Null {
				b.WriteString("-")
			}
			b.WriteString(v.String())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestSearchesFindWhatTheySay(t *testing.T) {
	for _, m := range []*memory{fixture(false), fixture(true)} {
		t.Run(map[bool]string{false: "memory", true: "batches of the store"}[m.real], func(t *testing.T) { searches(t, m) })
	}
}

func searches(t *testing.T, m *memory) {
	for name, c := range map[string]struct {
		search string
		want   []int // seconds past noon, the newest first
	}{
		"all words, in any case":       {"error timeout", []int{3599, 701}},
		"either":                       {"payment OR sent", []int{40, 31}},
		"one but not another":          {"error -payment", []int{3599, 701}},
		"not, written out":             {"error NOT payment NOT refused", []int{701}},
		"and is implied or written":    {"error AND refused AND user", []int{31}},
		"or binds less than and":       {"sent OR error refused user", []int{40, 31}},
		"brackets":                     {"(sent OR error) -timeout", []int{40, 31}},
		"a phrase is exact":            {`"error 42"`, []int{3599}},
		"and minds the case":           {`"Error 42"`, nil},
		"a part of a word":             {"imeou", []int{3599, 701}},
		"an asterisk within a word":    {"pay*ent", []int{31}},
		"does not cross words":         {"payment*user", nil},
		"a regular expression":         {`/user \d+ from/`, []int{31}},
		"a path is no expression":      {"/api/x", []int{600}},
		"a URL is no field":            {"http://x", nil},
		"a colon at the end is text":   {"refused:", []int{31}},
		"a value":                      {"sc-status:404", []int{60}},
		"a number however written":     {"sc-status:404.0", []int{60}},
		"a value in any case":          {"level:ERROR", []int{701}},
		"a phrase of a field is exact": {`level:"ERROR"`, nil},
		"a beginning":                  {"sc-status:5*", []int{660, 600}},
		"a header":                     {"cs(User-Agent):*BOT*", []int{60}},
		"more than":                    {"sc-status:>=500", []int{660, 600}},
		"less than":                    {"time-taken:<0.01", []int{60}},
		"a range":                      {"sc-status:[400 TO 500]", []int{660, 60}},
		"a range without its bound":    {"sc-status:[400 TO 500}", []int{60}},
		"a range that is open":         {"sc-status:[404 TO *]", []int{660, 600, 60}},
		"any of these values":          {"sc-status:(404 OR 50*)", []int{660, 600, 60}},
		"what a field has":             {"cs-uri-stem:/^\\/api/", []int{660, 600}},
		"a field is there":             {"level:*", []int{701, 700}},
		"a field is not there":         {"-c-ip:* -level:* -@type:* refused", []int{3599, 31}},
		"a member of a member":         {"took.ms:>1000", []int{701}},
		"a name with a hyphen":         {"user-id:7", []int{700}},
		"a name in backquotes":         {"`user-id`:8", []int{701}},
		"of a stream":                  {"@logStream:s1 -@type:REPORT", []int{31, 30}},
		"of a group":                   {"@logGroup:/aws/lambda/mail", []int{3599, 40}},
		"of a group, as AWS names it":  {"@log:*:/aws/lambda/mail", []int{3599, 40}},
		"of a time":                    {`@timestamp:>"2026-03-04 12:11:41"`, []int{3599, 702}},
		"a comment":                    {"timeout # or is it?\n error", []int{3599, 701}},
		"an escape":                    {`RequestId\:`, []int{702, 32, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, row := range run(t, m, c.search).Rows {
				at, err := time.Parse("2006-01-02 15:04:05.000", row[0].String())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, int(at.Sub(noon).Seconds()))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.search, diff)
			}
		})
	}
}

func TestCommandsMakeRows(t *testing.T) {
	for _, m := range []*memory{fixture(false), fixture(true)} {
		t.Run(map[bool]string{false: "memory", true: "batches of the store"}[m.real], func(t *testing.T) { commands(t, m) })
	}
}

func commands(t *testing.T, m *memory) {
	for name, c := range map[string]struct{ query, want string }{
		"counted by a field": {"sc-status:* | stats count(*) as n by c-ip | sort n desc", "c-ip|n\n10.0.0.1|3\n10.0.0.2|1\n2001:db8::1|1\n"},
		"the most frequent":  {"* | top 1 c-ip", "c-ip|count\n-|8\n"},
		"by time":            {"sc-status:* | stats count(*) by bin(5m)", "bin(5m)|count(*)\n2026-03-04 12:00:00.000|3\n2026-03-04 12:10:00.000|2\n"},
		"by two":             {"c-ip:* | stats count() as n, max(time-taken) as worst by sc-status, bin(1h) as hour | sort sc-status | limit 2", "sc-status|hour|n|worst\n200|2026-03-04 12:00:00.000|2|0.030\n404|2026-03-04 12:00:00.000|1|0.002\n"},
		"statistics of everything": {
			"filter ispresent(@duration) | stats count(*), sum(@duration), avg(@duration), min(@duration), max(@duration), pct(@duration, 50), median(@duration), stddev(@duration), count_distinct(@requestId)",
			"count(*)|sum(@duration)|avg(@duration)|min(@duration)|max(@duration)|pct(@duration, 50)|median(@duration)|stddev(@duration)|count_distinct(@requestId)\n2|3140.5|1570.25|120.5|3020|120.5|120.5|2050.256112|2\n",
		},
		"of nothing":                      {"nosuchword | stats count(*) as n, avg(x) as a", "n|a\n0|-\n"},
		"of nothing by something":         {"nosuchword | stats count(*) as n by x", "x|n\n"},
		"arithmetic of statistics":        {"c-ip:* | stats sum(time-taken) / count(*) * 1000 as ms", "ms\n488.4\n"},
		"a statistic's column by itself":  {"c-ip:* | stats count(*) by c-ip | sort count(*) desc, c-ip | limit 1", "c-ip|count(*)\n10.0.0.1|3\n"},
		"a filter of groups":              {"c-ip:* | stats count(*) as n by c-ip | filter n > 1", "c-ip|n\n10.0.0.1|3\n"},
		"statistics of statistics":        {"c-ip:* | stats count(*) as n by c-ip | stats max(n) as most, count(*) as clients", "most|clients\n3|3\n"},
		"the earliest and the latest":     {"c-ip:* | stats earliest(cs-uri-stem) as a, latest(cs-uri-stem) as b, sortsFirst(cs-uri-stem) as c, sortsLast(cs-uri-stem) as d", "a|b|c|d\n/|/api/y|/|/none\n"},
		"fields of the newest first":      {"fields c-ip, sc-status | filter sc-status >= 500", "c-ip|sc-status\n10.0.0.1|500\n2001:db8::1|502\n"},
		"sorted":                          {"c-ip:* | fields cs-uri-stem, time-taken | sort time-taken desc | limit 2", "cs-uri-stem|time-taken\n/api/x|1.5\n/api/y|0.9\n"},
		"sorted by what is not shown":     {"c-ip:* | sort time-taken | fields cs-uri-stem | limit 1", "cs-uri-stem\n/none\n"},
		"the oldest":                      {"fields @message | sort @timestamp asc | limit 2", "@message\n10.0.0.1\t200\t0.010\t/\nSTART RequestId: r1\n"},
		"a filter after a sort":           {"sort @timestamp asc | filter c-ip = \"10.0.0.1\" | fields sc-status | limit 2", "sc-status\n200\n200\n"},
		"a filter after a limit":          {"c-ip:* | limit 2 | filter sc-status = 500 | display c-ip", "c-ip\n10.0.0.1\n"},
		"statistics after a limit":        {"c-ip:* | limit 3 | stats count(*) as n by c-ip", "c-ip|n\n10.0.0.1|2\n2001:db8::1|1\n"},
		"a search after a limit":          {"limit 5 | search error", "@timestamp|@message\n2026-03-04 12:59:59.000|Timeout: error 42, connection refused\n2026-03-04 12:11:41.000|{\"level\":\"error\",\"msg\":\"Connection timeout\",\"took\":{\"ms\":3000},\"user-id\":\"8\"}\n"},
		"duplicates left out":             {"c-ip:* | fields c-ip, cs-uri-stem | dedup c-ip", "c-ip|cs-uri-stem\n10.0.0.1|/api/y\n2001:db8::1|/api/x\n10.0.0.2|/none\n"},
		"duplicates, in another order":    {"c-ip:* | fields c-ip, cs-uri-stem | sort @timestamp asc | dedup c-ip | limit 2", "c-ip|cs-uri-stem\n10.0.0.1|/\n10.0.0.2|/none\n"},
		"a made field":                    {"fields time-taken * 1000 as ms | filter ms > 100 | stats count(*) as n", "n\n2\n"},
		"a made field that hides another": {"fields concat(\"x\", sc-status) as sc-status | filter sc-status = \"x404\" | display sc-status, c-ip", "sc-status|c-ip\nx404|10.0.0.2\n"},
		"taken out by a pattern":          {"payment | parse @message \"user * from *\" as who, place | display who, place", "who|place\n7|Kent\n"},
		"taken out by an expression":      {`parse /user (?<who>\d+) from (?<place>\w+)/ | filter ispresent(who) | stats count(*) as n by who, place`, "who|place|n\n7|Kent|1\n"},
		"the words of Logs Insights": {
			"fields @timestamp, @message\n| filter @message like /(?i)timeout/ and strcontains(@message, \"connection\")\n| sort @timestamp desc\n| limit 20",
			"@timestamp|@message\n2026-03-04 12:59:59.000|Timeout: error 42, connection refused\n",
		},
		"like, not like and in":      {"filter sc-status in [404, 502] and cs(User-Agent) not like \"bot\" | fields `c-ip`", "c-ip\n2001:db8::1\n"},
		"not in has what is missing": {"filter c-ip not in [\"10.0.0.1\", \"10.0.0.2\"] | stats count(*)", "count(*)\n9\n"},
		"not equal has it not":       {"filter c-ip != \"10.0.0.1\" | stats count(*)", "count(*)\n2\n"},
		"functions of texts": {
			`payment | fields strlen(@message) as n, toupper(substr(@message, 6, 7)) as u, replace("a-b-c", "-", "+") as r, trim("  x ") as t, ltrim("xyZfooxyZ", "xyZ") as l, concat("a", 1, "b") as c | display n, u, r, t, l, c`,
			"n|u|r|t|l|c\n39|PAYMENT|a+b+c|x|fooxyZ|a1b\n",
		},
		"functions of numbers": {
			`payment | fields abs(-2) as a, ceil(1.2) as b, floor(-1.2) as c, greatest(1, 10, 9) as d, least(3, 2) as e, sqrt(9) as f, 2 ^ 3 ^ 2 as g, 10 % 3 as h, 1 / 0 as i, -2 + 3 * 2 as j, log(1) as k | display a, b, c, d, e, f, g, h, i, j, k`,
			"a|b|c|d|e|f|g|h|i|j|k\n2|2|-2|10|2|3|512|1|-|4|0\n",
		},
		"functions of times": {
			`payment | fields datefloor(@timestamp, 1h) as a, dateceil(@timestamp, 1h) as b, toMillis(@timestamp) as c, fromMillis(0) as d, datefloor(@timestamp, 1mo) as e, datefloor(@timestamp, 1w) as f | display a, b, c, d, e, f`,
			"a|b|c|d|e|f\n2026-03-04 12:00:00.000|2026-03-04 13:00:00.000|1772625631000|1970-01-01 00:00:00.000|2026-03-01 00:00:00.000|2026-03-02 00:00:00.000\n",
		},
		"functions of addresses": {
			`filter isIpv4InSubnet(c-ip, "10.0.0.0/24") | stats count(*) as n, count_distinct(c-ip) as ips`,
			"n|ips\n4|2\n",
		},
		"an address of another kind": {`filter isValidIpV6(c-ip) | fields coalesce(nothing, c-ip) as ip, isempty(nothing) as e | display ip, e`, "ip|e\n2001:db8::1|1\n"},
		"numbers after texts":        {`fields coalesce(level, sc-status, @type) as v | filter ispresent(v) | sort v | display v`, "v\nREPORT\nREPORT\nerror\nwarn\n200\n200\n404\n500\n502\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(run(t, m, c.query))); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.query, diff)
			}
		})
	}
}

func TestWhatCannotMatchIsPassedOver(t *testing.T) {
	for text, want := range map[string]logs.Selection{
		`error "Exactly This" /abc.*d/`:                     {Has: []string{"Exactly This", "abc"}, Fold: []string{"error"}, Columns: []string{"@message", "@timestamp"}},
		`filter @message like "x" and level = "warn"`:       {Has: []string{"x"}, Equal: []logs.Field{field("level", "warn")}},
		`filter sc-status = "500" or level = "warn"`:        {}, // a number may be written in other ways
		`level:"warn" -refused | stats count(*) by bin(5m)`: {Equal: []logs.Field{field("level", "warn")}},
		`fields "x" as level | filter level = "x"`:          {},
		`a*b`: {Fold: []string{"a", "b"}},
	} {
		m := fixture(false)
		run(t, m, text)
		got := m.asked
		if want.Columns != nil {
			want.Columns = []string{"@message"}
		} else {
			got.Columns = nil
		}
		want.Start, want.End, want.Newest = noon, noon.Add(time.Hour), true
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", text, diff)
		}
	}
}

func TestALimitStopsEarly(t *testing.T) {
	m := &memory{}
	for i := range 50 {
		m.put("g", logs.Record{Time: noon.Add(time.Duration(i) * time.Second), Message: fmt.Sprint("line ", i)})
	}
	got := lines(run(t, m, "line | limit 2"))
	if want := "@timestamp|@message\n2026-03-04 12:00:49.000|line 49\n2026-03-04 12:00:48.000|line 48\n"; got != want || m.read > 3 {
		t.Errorf("got %s after %d batches, want %s after 3", got, m.read, want)
	}
}
