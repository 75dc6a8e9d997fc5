package waf_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/google/go-cmp/cmp"
)

const (
	aclARN     = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/front/1"
	officeARN  = "arn:aws:wafv2:us-east-1:000000000000:global/ipset/office/1"
	scannerARN = "arn:aws:wafv2:us-east-1:000000000000:global/regexpatternset/scanners/1"
)

// acl reads the rules of a web ACL that lets through what they do not block.
func acl(t testing.TB, rules string) waf.WebACL {
	t.Helper()
	a := waf.WebACL{Stack: "s", Name: "front", ID: "1", ARN: aclARN, DefaultAction: waf.Action{Allow: &waf.AllowAction{}}}
	if err := json.Unmarshal([]byte(rules), &a.Rules); err != nil {
		t.Fatal(err)
	}
	return a
}

// firewall has one web ACL, a set of addresses and one of patterns.
func firewall(t testing.TB, a waf.WebACL) *waf.Firewall {
	t.Helper()
	f := &waf.Firewall{}
	office := waf.IPSet{Stack: "s", Name: "office", ARN: officeARN, IPAddressVersion: "IPV4", Addresses: []string{"192.0.2.0/24", "198.51.100.7/32"}}
	scanners := waf.RegexPatternSet{Stack: "s", Name: "scanners", ARN: scannerARN, RegularExpressionList: []waf.Pattern{{RegexString: "(?i)sqlmap"}, {RegexString: "^/wp-"}}}
	if err := f.Replace("s", []waf.WebACL{a}, []waf.IPSet{office}, []waf.RegexPatternSet{scanners}); err != nil {
		t.Fatal(err)
	}
	return f
}

// blocking is a rule that blocks what the statement matches.
func blocking(statement string) string {
	return `[{"Name":"rule","Priority":1,"Action":{"Block":{}},"Statement":` + statement + `}]`
}

func asking(f *waf.Firewall, t testing.TB, r *http.Request) waf.Verdict {
	return f.Decide(t.Context(), &waf.Request{ACL: aclARN, HTTP: r, Client: netip.MustParseAddr("203.0.113.9"), ID: "request"})
}

const none = `"TextTransformations":[{"Priority":0,"Type":"NONE"}]`

// search is a byte match.
func search(field, constraint, text string) string {
	doc, _ := json.Marshal([]byte(text))
	return `{"ByteMatchStatement":{"SearchString":` + string(doc) + `,"FieldToMatch":` + field + `,"PositionalConstraint":"` + constraint + `",` + none + `}}`
}

func TestStatements(t *testing.T) {
	path, query, all := `{"UriPath":{}}`, `{"QueryString":{}}`, `{"AllQueryArguments":{}}`
	size := func(field, op, n string) string {
		return `{"SizeConstraintStatement":{"FieldToMatch":` + field + `,"ComparisonOperator":"` + op + `","Size":` + n + `,` + none + `}}`
	}
	cookies := `{"Cookies":{"MatchPattern":{"ExcludedCookies":["theme"]},"MatchScope":"VALUE","OversizeHandling":"CONTINUE"}}`
	headers := func(pattern, scope string) string {
		return `{"Headers":{"MatchPattern":` + pattern + `,"MatchScope":"` + scope + `","OversizeHandling":"MATCH"}}`
	}
	inJSON := func(rest string) string { return `{"JsonBody":{"OversizeHandling":"CONTINUE",` + rest + `}}` }
	wide := func(r *http.Request) *http.Request { r.Header.Set("X-Wide", strings.Repeat("x", 9000)); return r }
	big := strings.Repeat("x", waf.DefaultBody)
	agent := func(name string) *http.Request {
		r := get()
		r.Header.Set("User-Agent", name)
		return r
	}
	tests := []struct {
		name      string
		statement string
		r         *http.Request
		want      bool
	}{
		{"a path exactly", search(path, "EXACTLY", "/a"), request("GET", "/a", "", ""), true},
		{"a path that is longer", search(path, "EXACTLY", "/a"), request("GET", "/ab", "", ""), false},
		{"the beginning", search(path, "STARTS_WITH", "/a"), request("GET", "/ab", "", ""), true},
		{"the end", search(path, "ENDS_WITH", "b"), request("GET", "/ab", "", ""), true},
		{"the middle", search(query, "CONTAINS", "y=2"), request("GET", "/?x=1&y=2&z=3", "", ""), true},
		{"a word", search(path, "CONTAINS_WORD", "admin"), request("GET", "/x/admin/y", "", ""), true},
		{"a word at the end", search(path, "CONTAINS_WORD", "admin"), request("GET", "/badmin/admin", "", ""), true},
		{"part of a word", search(path, "CONTAINS_WORD", "admin"), request("GET", "/admin_x/badmin", "", ""), false},
		{"one argument, in any case", search(`{"SingleQueryArgument":{"Name":"User"}}`, "EXACTLY", "eve"), request("GET", "/?a=eve&uSER=eve", "", ""), true},
		{"another argument", search(`{"SingleQueryArgument":{"Name":"user"}}`, "EXACTLY", "eve"), request("GET", "/?a=eve", "", ""), false},
		{"all arguments", search(all, "EXACTLY", "eve"), request("GET", "/?a=b&c=eve", "", ""), true},
		{"a header", search(`{"SingleHeader":{"Name":"user-agent"}}`, "STARTS_WITH", "curl"), agent("curl/8"), true},
		{"the host", search(`{"SingleHeader":{"Name":"host"}}`, "EXACTLY", "example.com"), request("GET", "http://example.com/", "", ""), true},
		{"the method", search(`{"Method":{}}`, "EXACTLY", "DELETE"), request("DELETE", "/", "", ""), true},
		{"the body", search(`{"Body":{}}`, "CONTAINS", "evil"), request("POST", "/", "text/plain", "an evil text"), true},
		{"what is beyond the body's beginning", search(`{"Body":{"OversizeHandling":"CONTINUE"}}`, "CONTAINS", "evil"), request("POST", "/", "text/plain", big+"evil"), false},
		{"a large body that matches by being so", search(`{"Body":{"OversizeHandling":"MATCH"}}`, "CONTAINS", "evil"), request("POST", "/", "text/plain", big+"x"), true},
		{"a large body that never matches", search(`{"Body":{"OversizeHandling":"NO_MATCH"}}`, "CONTAINS", "x"), request("POST", "/", "text/plain", big+"x"), false},
		{"a body of just the limit", search(`{"Body":{"OversizeHandling":"MATCH"}}`, "CONTAINS", "evil"), request("POST", "/", "text/plain", big), false},
		{"names of headers", search(headers(`{"All":{}}`, "KEY"), "EXACTLY", "referer"), get(), true},
		{"values of some headers", search(headers(`{"IncludedHeaders":["Referer"]}`, "VALUE"), "CONTAINS", "example.com/boards"), get(), true},
		{"all headers but some", search(headers(`{"ExcludedHeaders":["referer"]}`, "ALL"), "CONTAINS", "boards"), get(), false},
		{"more headers than are looked at", search(headers(`{"All":{}}`, "ALL"), "EXACTLY", "nothing"), wide(get()), true},
		{"values of cookies", search(cookies, "STARTS_WITH", "GA1"), get(), true},
		{"a cookie that is left out", search(cookies, "EXACTLY", "dark"), get(), false},
		{"a value of JSON", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"VALUE"`), "EXACTLY", "evil"), request("POST", "/", "", `{"a":["x",{"b":"\u0065vil"}]}`), true},
		{"a key of JSON", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"KEY"`), "EXACTLY", "b"), request("POST", "/", "", `{"a":["x",{"b":"c"}]}`), true},
		{"a value that is no key", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"KEY"`), "EXACTLY", "c"), request("POST", "/", "", `{"b":"c"}`), false},
		{"what a pointer leads to", search(inJSON(`"MatchPattern":{"IncludedPaths":["/a/1/b"]},"MatchScope":"ALL"`), "EXACTLY", "c"), request("POST", "/", "", `{"a":["c",{"b":"c"}]}`), true},
		{"what it does not", search(inJSON(`"MatchPattern":{"IncludedPaths":["/a/1/b"]},"MatchScope":"ALL"`), "EXACTLY", "d"), request("POST", "/", "", `{"a":["d",{"b":"c"}],"d":1}`), false},
		{"numbers and words of JSON", search(inJSON(`"MatchPattern":{"IncludedPaths":["/n"]},"MatchScope":"VALUE"`), "EXACTLY", "-1.5e3"), request("POST", "/", "", `{"n":-1.5e3}`), true},
		{"broken JSON that matches", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"ALL","InvalidFallbackBehavior":"MATCH"`), "EXACTLY", "x"), request("POST", "/", "", `{"n":`), true},
		{"broken JSON that does not", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"ALL","InvalidFallbackBehavior":"NO_MATCH"`), "EXACTLY", "n"), request("POST", "/", "", `{"n":`), false},
		{"broken JSON as text", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"ALL","InvalidFallbackBehavior":"EVALUATE_AS_STRING"`), "CONTAINS", `{"n"`), request("POST", "/", "", `{"n":`), true},
		{"broken JSON as far as it goes", search(inJSON(`"MatchPattern":{"All":{}},"MatchScope":"KEY"`), "EXACTLY", "n"), request("POST", "/", "", `{"n":`), true},
		{"a small query", size(query, "LE", "3"), request("GET", "/?abc", "", ""), true},
		{"an empty query", size(query, "EQ", "0"), request("GET", "/", "", ""), true},
		{"a large body by what it says", size(`{"Body":{}}`, "GT", "20000"), request("POST", "/", "text/plain", big+big), true},
		{"a header that there is not", size(`{"SingleHeader":{"Name":"x-none"}}`, "GE", "0"), get(), false},
		{"a regular expression", `{"RegexMatchStatement":{"RegexString":"^/v[0-9]+/","FieldToMatch":{"UriPath":{}},` + none + `}}`, request("GET", "/v12/x", "", ""), true},
		{"a set of them", `{"RegexPatternSetReferenceStatement":{"ARN":"` + scannerARN + `","FieldToMatch":{"SingleHeader":{"Name":"User-Agent"}},` + none + `}}`, agent("SQLMap/1"), true},
		{"SQL injection", `{"SqliMatchStatement":{"FieldToMatch":{"QueryString":{}},"TextTransformations":[{"Priority":0,"Type":"URL_DECODE"}]}}`, request("GET", "/?1%27+or+%271%27=%271", "", ""), true},
		{"what only the tokenizer takes for it", `{"SqliMatchStatement":{"FieldToMatch":{"SingleQueryArgument":{"Name":"a"}},"SensitivityLevel":"LOW",` + none + `}}`, request("GET", "/?a=78--cfb85327", "", ""), false},
		{"… at high sensitivity", `{"SqliMatchStatement":{"FieldToMatch":{"SingleQueryArgument":{"Name":"a"}},"SensitivityLevel":"HIGH",` + none + `}}`, request("GET", "/?a=78--cfb85327", "", ""), true},
		{"scripting", `{"XssMatchStatement":{"FieldToMatch":{"Body":{}},` + none + `}}`, request("POST", "/", "text/plain", "<script>x</script>"), true},
		{"both", `{"AndStatement":{"Statements":[` + search(path, "EXACTLY", "/a") + `,` + search(query, "EXACTLY", "b") + `]}}`, request("GET", "/a?b", "", ""), true},
		{"one of both", `{"AndStatement":{"Statements":[` + search(path, "EXACTLY", "/a") + `,` + search(query, "EXACTLY", "b") + `]}}`, request("GET", "/a?c", "", ""), false},
		{"either", `{"OrStatement":{"Statements":[` + search(path, "EXACTLY", "/a") + `,` + search(query, "EXACTLY", "b") + `]}}`, request("GET", "/x?b", "", ""), true},
		{"not", `{"NotStatement":{"Statement":` + search(path, "EXACTLY", "/a") + `}}`, request("GET", "/x", "", ""), true},
		{"not that", `{"NotStatement":{"Statement":` + search(path, "EXACTLY", "/a") + `}}`, request("GET", "/a", "", ""), false},
		{"another client", `{"IPSetReferenceStatement":{"ARN":"` + officeARN + `"}}`, get(), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := firewall(t, acl(t, blocking(tt.statement)))
			if got := asking(f, t, tt.r); got.Block != tt.want {
				t.Errorf("got %+v, want block %v", got, tt.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	forwarded := func(position, fallback string) string {
		return `{"IPSetReferenceStatement":{"ARN":"` + officeARN + `","IPSetForwardedIPConfig":{"HeaderName":"X-Forwarded-For","FallbackBehavior":"` + fallback + `","Position":"` + position + `"}}}`
	}
	plain := `{"IPSetReferenceStatement":{"ARN":"` + officeARN + `"}}`
	tests := []struct {
		name, statement, client, header string
		want                            bool
	}{
		{"in a range", plain, "192.0.2.77", "", true},
		{"alone", plain, "198.51.100.7", "", true},
		{"beside it", plain, "198.51.100.8", "", false},
		{"before all", plain, "1.2.3.4", "", false},
		{"written as IPv6", plain, "::ffff:192.0.2.1", "", true},
		{"of the other kind", plain, "2001:db8::1", "", false},
		{"the first", forwarded("FIRST", "NO_MATCH"), "1.2.3.4", "192.0.2.1, 5.6.7.8", true},
		{"not the first", forwarded("FIRST", "NO_MATCH"), "1.2.3.4", "5.6.7.8, 192.0.2.1", false},
		{"the last", forwarded("LAST", "NO_MATCH"), "1.2.3.4", "5.6.7.8, 192.0.2.1", true},
		{"any", forwarded("ANY", "NO_MATCH"), "1.2.3.4", "5.6.7.8, 192.0.2.1, 9.9.9.9", true},
		{"no header", forwarded("ANY", "MATCH"), "1.2.3.4", "", false},
		{"no address, which matches", forwarded("ANY", "MATCH"), "1.2.3.4", "unknown", true},
		{"no address, which does not", forwarded("ANY", "NO_MATCH"), "1.2.3.4", "unknown", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get()
			if tt.header != "" {
				r.Header.Set("X-Forwarded-For", tt.header)
			}
			f := firewall(t, acl(t, blocking(tt.statement)))
			got := f.Decide(t.Context(), &waf.Request{ACL: aclARN, HTTP: r, Client: netip.MustParseAddr(tt.client)})
			if got.Block != tt.want {
				t.Errorf("got %+v, want block %v", got, tt.want)
			}
		})
	}
}

func TestRulesGoInOrder(t *testing.T) {
	visible := `"VisibilityConfig":{"SampledRequestsEnabled":true,"CloudWatchMetricsEnabled":true,"MetricName":`
	rules := `[
		{"Name":"labels","Priority":20,"Action":{"Count":{"CustomRequestHandling":{"InsertHeaders":[{"Name":"team","Value":"red"}]}}},"RuleLabels":[{"Name":"team:red"}],
			` + visible + `"labels"},"Statement":` + search(`{"UriPath":{}}`, "STARTS_WITH", "/red") + `},
		{"Name":"blocks","Priority":30,"Action":{"Block":{"CustomResponse":{"ResponseCode":429,"CustomResponseBodyKey":"slow","ResponseHeaders":[{"Name":"Retry-After","Value":"60"}]}}},
			` + visible + `"blocked"},"Statement":{"AndStatement":{"Statements":[{"LabelMatchStatement":{"Scope":"NAMESPACE","Key":"awswaf:000000000000:webacl:front:team:"}},` + search(`{"QueryString":{}}`, "CONTAINS", "bad") + `]}}},
		{"Name":"first","Priority":3,"Action":{"Allow":{}},"Statement":` + search(`{"UriPath":{}}`, "EXACTLY", "/red/open") + `},
		{"Name":"own","Priority":40,"Action":{"Allow":{"CustomRequestHandling":{"InsertHeaders":[{"Name":"own","Value":"yes"}]}}},"Statement":{"LabelMatchStatement":{"Scope":"LABEL","Key":"team:red"}}}
	]`
	a := acl(t, rules)
	a.VisibilityConfig = waf.Visibility{CloudWatchMetricsEnabled: true, MetricName: "front"}
	a.CustomResponseBodies = map[string]waf.CustomResponseBody{"slow": {ContentType: "TEXT_PLAIN", Content: "Slow down."}}
	f := firewall(t, a)
	var counted []string
	f.Count = func(metric, acl, rule string) { counted = append(counted, metric+" "+acl+" "+rule) }

	label := []string{"awswaf:000000000000:webacl:front:team:red"}
	tests := []struct {
		name   string
		target string
		want   waf.Verdict
		counts []string
	}{
		{"the lowest priority decides", "/red/open?bad", waf.Verdict{Rule: "front/first"}, nil},
		{"a label is seen by rules after", "/red?bad", waf.Verdict{
			Block: true, Rule: "front/blocks", Labels: label, Status: 429, Header: http.Header{"Retry-After": {"60"}},
			ContentType: "text/plain; charset=utf-8", Body: []byte("Slow down."),
		}, []string{"CountedRequests front labels", "BlockedRequests front blocked"}},
		{"headers of all that matched reach the origin", "/red", waf.Verdict{
			Rule: "front/own", Labels: label, Insert: http.Header{"X-Amzn-Waf-Team": {"red"}, "X-Amzn-Waf-Own": {"yes"}},
		}, []string{"CountedRequests front labels"}},
		{"nothing matches", "/blue?bad", waf.Verdict{}, []string{"AllowedRequests front Default_Action"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			counted = nil
			got := asking(f, t, request("GET", tt.target, "", ""))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("another verdict (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.counts, counted); diff != "" {
				t.Errorf("other counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatchesAreTold(t *testing.T) {
	r := request("POST", "/x?id=1%2527%2520or%2520%25271%2527%253D%25271", "application/json", `{"a":[{"b":"<script>alert(1)</script>"}]}`)
	f := &waf.Firewall{}
	_, got := f.Examine(t.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: visitor})
	want := []waf.Match{{Rule: "default/SQLi", Action: "BLOCK", Labels: []string{"awswaf:managed:dropstack:default:sqli"}, Field: "query.id", Value: "1' or '1'='1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("other matches (-want +got):\n%s", diff)
	}
	r.URL.RawQuery = ""
	_, got = f.Examine(t.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: visitor})
	if len(got) != 1 || got[0].Field != "body.a.b" {
		t.Errorf("got %+v, want one of body.a.b", got)
	}
}
