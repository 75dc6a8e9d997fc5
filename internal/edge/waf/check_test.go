package waf_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestWrongWebACLs(t *testing.T) {
	path := `{"UriPath":{}}`
	ok := search(path, "EXACTLY", "/")
	byteMatch := func(rest string) string { return blocking(`{"ByteMatchStatement":{` + rest + `}}`) }
	field := func(f string) string { return blocking(search(f, "EXACTLY", "x")) }
	rate := func(rest string) string { return blocking(`{"RateBasedStatement":{` + rest + `}}`) }
	group := func(rest string) string {
		return `[{"Name":"rule","Priority":1,"OverrideAction":{"None":{}},"Statement":{"ManagedRuleGroupStatement":{` + rest + `}}}]`
	}
	deep := ok
	for range 12 {
		deep = `{"NotStatement":{"Statement":` + deep + `}}`
	}
	many := make([]string, 520)
	for i := range many {
		many[i] = search(path, "CONTAINS", fmt.Sprint(i))
	}
	tests := []struct{ name, rules, want string }{
		{"no action", `[{"Name":"a","Priority":1,"Statement":` + ok + `}]`, "it takes Action"},
		{"two actions", `[{"Name":"a","Priority":1,"Action":{"Block":{},"Allow":{}},"Statement":` + ok + `}]`, "it takes Action"},
		{"a name", `[{"Name":"a b","Priority":1,"Action":{"Block":{}},"Statement":` + ok + `}]`, "the name must have"},
		{"one priority for two", `[{"Name":"a","Priority":1,"Action":{"Block":{}},"Statement":` + ok + `},{"Name":"b","Priority":1,"Action":{"Block":{}},"Statement":` + ok + `}]`, `priority 1 is that of rule "a" too`},
		{"a label that is reserved", `[{"Name":"a","Priority":1,"Action":{"Count":{}},"RuleLabels":[{"Name":"awswaf:x"}],"Statement":` + ok + `}]`, "not begin with awswaf:"},
		{"a label with an empty part", `[{"Name":"a","Priority":1,"Action":{"Count":{}},"RuleLabels":[{"Name":"x::y"}],"Statement":` + ok + `}]`, `part "" is empty`},
		{"a body that there is not", `[{"Name":"a","Priority":1,"Action":{"Block":{"CustomResponse":{"ResponseCode":403,"CustomResponseBodyKey":"x"}}},"Statement":` + ok + `}]`, `CustomResponseBodies has no "x"`},
		{"a status", `[{"Name":"a","Priority":1,"Action":{"Block":{"CustomResponse":{"ResponseCode":99}}},"Statement":` + ok + `}]`, "ResponseCode 99"},
		{"a header that ends the head", `[{"Name":"a","Priority":1,"Action":{"Block":{"CustomResponse":{"ResponseCode":403,"ResponseHeaders":[{"Name":"X","Value":"a\r\nb"}]}}},"Statement":` + ok + `}]`, "without line breaks"},
		{"no statement", blocking(`{}`), "one kind of statement"},
		{"two statements", blocking(`{"GeoMatchStatement":{"CountryCodes":["AQ"]},` + ok[1:]), "one kind of statement"},
		{"a country", blocking(`{"GeoMatchStatement":{"CountryCodes":["AQ"]}}`), "which country an address is in is not known here"},
		{"nothing to search", byteMatch(`"SearchString":"","FieldToMatch":{"UriPath":{}},"PositionalConstraint":"EXACTLY",` + none), "SearchString has 0 bytes"},
		{"a constraint", byteMatch(`"SearchString":"eA==","FieldToMatch":{"UriPath":{}},"PositionalConstraint":"SOMEWHERE",` + none), `PositionalConstraint "SOMEWHERE"`},
		{"no transformation", byteMatch(`"SearchString":"eA==","FieldToMatch":{"UriPath":{}},"PositionalConstraint":"EXACTLY"`), "TextTransformations has 0"},
		{"a transformation", byteMatch(`"SearchString":"eA==","FieldToMatch":{"UriPath":{}},"PositionalConstraint":"EXACTLY","TextTransformations":[{"Priority":0,"Type":"ROT13"}]`), `no type "ROT13"`},
		{"two of one priority", byteMatch(`"SearchString":"eA==","FieldToMatch":{"UriPath":{}},"PositionalConstraint":"EXACTLY","TextTransformations":[{"Priority":0,"Type":"NONE"},{"Priority":0,"Type":"LOWERCASE"}]`), "priority 0 is there twice"},
		{"no field", field(`{}`), "FieldToMatch"},
		{"the order of headers", field(`{"HeaderOrder":{"OversizeHandling":"MATCH"}}`), "the order of headers does not reach us"},
		{"headers without handling", field(`{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL"}}`), "OversizeHandling"},
		{"headers of no pattern", field(`{"Headers":{"MatchPattern":{},"MatchScope":"ALL","OversizeHandling":"MATCH"}}`), "MatchPattern must have"},
		{"a pointer", field(`{"JsonBody":{"MatchPattern":{"IncludedPaths":["a.b"]},"MatchScope":"ALL"}}`), "must be a JSON pointer"},
		{"a look-ahead", blocking(`{"RegexMatchStatement":{"RegexString":"a(?=b)","FieldToMatch":{"UriPath":{}},` + none + `}}`), "no look-ahead or look-behind"},
		{"a back-reference", blocking(`{"RegexMatchStatement":{"RegexString":"(a)\\1","FieldToMatch":{"UriPath":{}},` + none + `}}`), "back-references"},
		{"a comparison", blocking(`{"SizeConstraintStatement":{"FieldToMatch":{"UriPath":{}},"ComparisonOperator":"IS","Size":1,` + none + `}}`), `ComparisonOperator "IS"`},
		{"and with one", blocking(`{"AndStatement":{"Statements":[` + ok + `]}}`), "two at least"},
		{"not of nothing", blocking(`{"NotStatement":{}}`), "Statement is missing"},
		{"too deep", blocking(deep), "nested deeper than 10"},
		{"a low rate", rate(`"Limit":9,"AggregateKeyType":"IP"`), "Limit 9"},
		{"a window", rate(`"Limit":10,"EvaluationWindowSec":61,"AggregateKeyType":"IP"`), "EvaluationWindowSec 61"},
		{"a constant of everything", rate(`"Limit":10,"AggregateKeyType":"CONSTANT"`), "ScopeDownStatement is missing"},
		{"no keys", rate(`"Limit":10,"AggregateKeyType":"CUSTOM_KEYS"`), "CustomKeys has 0 keys"},
		{"a header for the address", rate(`"Limit":10,"AggregateKeyType":"FORWARDED_IP"`), "ForwardedIPConfig is missing"},
		{"a rate within", blocking(`{"NotStatement":{"Statement":{"RateBasedStatement":{"Limit":10,"AggregateKeyType":"IP"}}}}`), "must be a rule's own statement"},
		{"a group that there is not", group(`"VendorName":"AWS","Name":"AWSManagedRulesBotControlRuleSet"`), "there is no managed rule group AWS/AWSManagedRulesBotControlRuleSet here"},
		{"a rule of a group that there is not", group(`"VendorName":"AWS","Name":"AWSManagedRulesSQLiRuleSet","ExcludedRules":[{"Name":"SQLi_BODDY"}]`), `has no rule "SQLi_BODDY"`},
		{"a group with an action", `[{"Name":"a","Priority":1,"Action":{"Block":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"AWSManagedRulesSQLiRuleSet"}}}]`, "a rule group takes OverrideAction"},
		{"a namespace", blocking(`{"LabelMatchStatement":{"Scope":"NAMESPACE","Key":"a:b"}}`), "must end in a colon"},
		{"a set that there is not", blocking(`{"IPSetReferenceStatement":{"ARN":"arn:x"}}`), "there is no IP set arn:x"},
		{"too much of everything", blocking(`{"OrStatement":{"Statements":[` + strings.Join(many, ",") + `]}}`), "5200 capacity units"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := (&waf.Firewall{}).Replace("s", []waf.WebACL{acl(t, tt.rules)}, nil, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `web ACL "front"`) {
				t.Fatalf("err %v, want %q of web ACL \"front\"", err, tt.want)
			}
			if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) == "" {
				t.Errorf("kind %v, code %q", fault.KindOf(err), fault.CodeOf(err))
			}
		})
	}
}

func TestWrongSets(t *testing.T) {
	set := func(version string, addresses ...string) waf.IPSet {
		return waf.IPSet{Name: "x", ARN: "arn:x", IPAddressVersion: version, Addresses: addresses}
	}
	for want, s := range map[string]waf.IPSet{
		"is no CIDR":            set("IPV4", "192.0.2.1"),
		"is everybody":          set("IPV4", "0.0.0.0/0"),
		"is not of version":     set("IPV6", "192.0.2.0/24"),
		"10000 is the most":     set("IPV4", make([]string, 10_001)...),
		`IPAddressVersion "V4"`: set("V4"),
	} {
		if err := waf.Check(nil, []waf.IPSet{s}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err %v, want %q", err, want)
		}
	}
	if err := waf.Check(nil, nil, []waf.RegexPatternSet{{Name: "x", ARN: "arn:x", RegularExpressionList: make([]waf.Pattern, 11)}}); err == nil || !strings.Contains(err.Error(), "11 patterns") {
		t.Errorf("err %v, want 11 patterns refused", err)
	}
}

func TestReplaceIsAllOrNothing(t *testing.T) {
	f := firewall(t, acl(t, blocking(search(`{"UriPath":{}}`, "EXACTLY", "/a"))))
	bad := acl(t, blocking(`{"IPSetReferenceStatement":{"ARN":"arn:none"}}`))
	if err := f.Replace("s", []waf.WebACL{bad}, nil, nil); err == nil {
		t.Fatal("a web ACL of a set that there is not was taken")
	}
	if !asking(f, t, request("GET", "/a", "", "")).Block {
		t.Error("what held before does not hold any more")
	}
	if err := f.Admit("s", nil, nil, nil); err != nil {
		t.Error(err)
	}
	if !asking(f, t, request("GET", "/a", "", "")).Block {
		t.Error("admitting has changed something")
	}
	if err := f.Replace("s", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if asking(f, t, request("GET", "/a", "", "")).Block {
		t.Error("what was removed still holds")
	}
}
