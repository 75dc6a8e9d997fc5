package waf_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/google/go-cmp/cmp"
)

var visitor = netip.MustParseAddr("198.51.100.7")

// ask has the default ACL decide.
func ask(t testing.TB, r *http.Request, skip ...string) waf.Verdict {
	t.Helper()
	return (&waf.Firewall{}).Decide(t.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: visitor, ID: "request", Skip: skip})
}

func request(method, target, contentType, body string) *http.Request {
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, content)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func TestDefaultACL(t *testing.T) {
	with := func(name, value string) *http.Request {
		r := request("GET", "/", "", "")
		r.Header.Set(name, value)
		return r
	}
	form := "application/x-www-form-urlencoded"
	upload := "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n%TITLE%\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%FILE%\"\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n"
	parts := func(title, file string) *http.Request {
		return request("POST", "/", "multipart/form-data; boundary=b", strings.NewReplacer("%TITLE%", title, "%FILE%", file).Replace(upload))
	}
	tests := []struct {
		name string
		r    *http.Request
		skip []string
		rule string // "": let through
	}{
		{"a plain request", get(), nil, ""},
		{"SQL in a query", request("GET", "/?id=1%27+or+%271%27%3D%271", "", ""), nil, "default/SQLi"},
		{"… encoded twice", request("GET", "/?id=1%2527%2520or%2520%25271%2527%253D%25271", "", ""), nil, "default/SQLi"},
		{"… as the name of an argument", request("GET", "/?1%27+or+%271%27%3D%271=x", "", ""), nil, "default/SQLi"},
		{"SQL in a path", request("GET", "/items/1%20union%20select%20name,2%20from%20users", "", ""), nil, "default/SQLi"},
		{"… with comments, which have slashes", request("GET", "/items/1/**/union/**/select/**/1,2", "", ""), nil, "default/SQLi"},
		{"SQL in a cookie", with("Cookie", "a=b; id=1' or '1'='1"), nil, "default/SQLi"},
		{"SQL in a header", with("Referer", "x' union select 1,2 from users--"), nil, "default/SQLi"},
		{"SQL in a form", request("POST", "/", form, "a=b&id=1'+or+'1'%3D'1"), nil, "default/SQLiBody"},
		{"… where the field is excepted", request("POST", "/", form, "a=b&id=1'+or+'1'%3D'1"), []string{"body.id"}, ""},
		{"… where another is", request("POST", "/", form, "a=b&id=1'+or+'1'%3D'1"), []string{"body.i", "body.a"}, "default/SQLiBody"},
		{"SQL in JSON", request("POST", "/", "application/json", `{"a":[{"id":"1\u0027 or \u00271\u0027=\u00271"}]}`), nil, "default/SQLiBody"},
		{"… where the member is excepted", request("POST", "/", "application/json", `{"a":[{"id":"1' or '1'='1"}]}`), []string{"body.a"}, ""},
		{"… as a key", request("POST", "/", "application/json", `{"1' or '1'='1":1}`), nil, "default/SQLiBody"},
		{"… in the second document", request("POST", "/", "application/x-ndjson", "{}\n{\"a\":\"1' or '1'='1\"}\n"), nil, "default/SQLiBody"},
		{"… that calls itself text", request("POST", "/", "text/plain", `{"id":"1' or '1'='1"}`), nil, "default/SQLiBody"},
		{"… that calls itself nothing", request("POST", "/", "", `{"id":"1' or '1'='1"}`), nil, "default/SQLiBody"},
		{"script in a query", request("GET", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "", ""), nil, "default/XSS"},
		{"… where queries are excepted", request("GET", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "", ""), []string{"query"}, ""},
		{"… of entities", request("GET", "/?q=%26lt;script%26gt;alert(1)%26lt;/script%26gt;", "", ""), nil, "default/XSS"},
		{"a URL that is a script", request("GET", "/?next=java%0Ascript:alert(1)", "", ""), nil, "default/XSS"},
		{"script in a field of a multipart form", parts("<script>alert(1)</script>", "a.html"), nil, "default/XSSBody"},
		{"script in the name of a file", parts("Notes", "<script>alert(1)</script>"), nil, "default/XSSBody"},
		{"script in a file is the application's business", parts("Notes", "page.html"), nil, ""},
		{"bytes of an image", request("PUT", "/", "image/png", "' or 1=1--"), nil, ""},
		{"a name", request("GET", "/?name=O%27Brien", "", ""), nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, tt.r, tt.skip...)
			if got.Rule != tt.rule || got.Block != (tt.rule != "") {
				t.Errorf("got %+v, want rule %q", got, tt.rule)
			}
			if got.Block && got.Status != http.StatusForbidden {
				t.Errorf("status %d, want 403", got.Status)
			}
		})
	}
}

func TestBodiesComeOnceMore(t *testing.T) {
	for _, size := range []int{0, 1, waf.DefaultBody - 1, waf.DefaultBody, waf.DefaultBody + 1, 5 * waf.DefaultBody} {
		for _, chunked := range []bool{false, true} {
			text := strings.Repeat("x", size)
			r := request("POST", "/", "text/plain", text)
			if chunked {
				r.ContentLength = -1
			}
			if ask(t, r).Block {
				t.Fatalf("%d bytes were blocked", size)
			}
			got, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(len(text), len(got)); diff != "" || string(got) != text {
				t.Errorf("%d bytes, chunked %v: another body (-want +got):\n%s", size, chunked, diff)
			}
		}
	}
}

// refusing is a body that must not be read.
type refusing struct{ t *testing.T }

func (r refusing) Read([]byte) (int, error) {
	r.t.Error("the body was read")
	return 0, io.EOF
}

func (r refusing) Close() error { return nil }

func TestBodiesAreReadOnlyIfTheyMatter(t *testing.T) {
	tests := map[string]*http.Request{
		"an image":                request("PUT", "/", "image/png", "x"),
		"a head that is blocked":  request("POST", "/?id=1%27+or+%271%27%3D%271", "text/plain", "x"),
		"an archive":              request("PUT", "/", "application/zip", "x"),
		"a body that is excepted": request("POST", "/", "text/plain", "x"),
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) {
			r.Body = refusing{t}
			var skip []string
			if name == "a body that is excepted" {
				skip = []string{"body"}
			}
			ask(t, r, skip...)
		})
	}
}
