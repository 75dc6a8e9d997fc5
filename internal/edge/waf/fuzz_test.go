package waf_test

import (
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// everything is a web ACL of all groups, with a look at every field.
func everything(t testing.TB) waf.WebACL {
	all := `"TextTransformations":[{"Priority":0,"Type":"URL_DECODE"},{"Priority":1,"Type":"JS_DECODE"},{"Priority":2,"Type":"HTML_ENTITY_DECODE"},{"Priority":3,"Type":"COMPRESS_WHITE_SPACE"}]`
	counting := func(name, priority, statement string) string {
		return `{"Name":"` + name + `","Priority":` + priority + `,"Action":{"Count":{}},"Statement":` + statement + `}`
	}
	sqliIn := func(field string) string { return `{"SqliMatchStatement":{"FieldToMatch":` + field + `,` + all + `}}` }
	return acl(t, `[`+strings.Join([]string{
		counting("json", "1", sqliIn(`{"JsonBody":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`)),
		counting("headers", "2", sqliIn(`{"Headers":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`)),
		counting("cookies", "3", sqliIn(`{"Cookies":{"MatchPattern":{"All":{}},"MatchScope":"ALL","OversizeHandling":"CONTINUE"}}`)),
		counting("arguments", "4", sqliIn(`{"AllQueryArguments":{}}`)),
		`{"Name":"a","Priority":10,"OverrideAction":{"Count":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + common + `"}}}`,
		`{"Name":"b","Priority":11,"OverrideAction":{"Count":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + inputs + `"}}}`,
		`{"Name":"c","Priority":12,"OverrideAction":{"Count":{}},"Statement":{"ManagedRuleGroupStatement":{"VendorName":"AWS","Name":"` + sqlSet + `"}}}`,
	}, ",")+`]`)
}

// FuzzDecide holds that no request brings the firewall down, that what it decides is
// the same twice, and that the body comes once more.
func FuzzDecide(f *testing.F) {
	f.Add("/a/b", "q=1", "sid=x; y", "text/plain", "hello")
	f.Add("/%2e%2e/", "a=%u0027&&=", "=;;", "application/json", `{"a":["\u00`)
	f.Add("/", "", "", "multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"a\r\n x\"\r\n\r\nx\r\n--b--")
	f.Add("/", "", "", "multipart/form-data; boundary=", "--\n\n--\n--")
	f.Add("/'/*/**/", "id=1'+or+'1'='1", "a=\"", "application/x-www-form-urlencoded", "%&&==&%2")
	wall := firewall(f, everything(f))
	f.Fuzz(func(t *testing.T, path, query, cookie, contentType, body string) {
		make := func() *http.Request {
			r, err := http.NewRequest(http.MethodPost, "http://example.com/", io.NopCloser(strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			r.URL = &url.URL{Path: path, RawPath: path, RawQuery: query}
			r.ContentLength = int64(len(body))
			if len(body)%2 == 1 {
				r.ContentLength = -1
			}
			r.Header = http.Header{"Cookie": {cookie}, "Content-Type": {contentType}, "User-Agent": {query}}
			return r
		}
		for _, name := range []string{waf.Default, aclARN} {
			r := make()
			first := wall.Decide(t.Context(), &waf.Request{ACL: name, HTTP: r, Client: netip.MustParseAddr("192.0.2.1")})
			got, err := io.ReadAll(r.Body)
			if err != nil || string(got) != body {
				t.Fatalf("the body is %q, err %v; want %q", got, err, body)
			}
			again := wall.Decide(t.Context(), &waf.Request{ACL: name, HTTP: make(), Client: netip.MustParseAddr("192.0.2.1")})
			if first.Block != again.Block || first.Rule != again.Rule {
				t.Errorf("decided %+v, then %+v", first, again)
			}
		}
	})
}
