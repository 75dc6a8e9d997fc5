package waf_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestDisguises: how a body is written, or what it calls itself, hides nothing of what
// an application would read.
func TestDisguises(t *testing.T) {
	const sql = `1' or '1'='1`
	const escaped = `{"id":"1\u0027 or \u00271\u0027=\u00271"}`
	form, data := "application/x-www-form-urlencoded", "multipart/form-data; boundary=B"
	field := func(content string) string {
		return "--B\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n" + content + "\r\n--B--\r\n"
	}
	file := "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"
	encoded := func(coding, body string) *http.Request {
		r := request("POST", "/", "application/json", body)
		r.Header.Set("Content-Encoding", coding)
		return r
	}
	twice := request("POST", "/", data, escaped)
	twice.Header.Add("Content-Type", "application/json")
	cookie := request("GET", "/", "", "")
	cookie.Header.Set("Cookie", "a="+strings.Repeat("x", 9000)+"; id="+sql)
	many := request("GET", "/", "", "")
	many.Header.Set("Cookie", strings.Repeat("a=b; ", 250)+"id="+sql)
	wide := func(begin, before, after string) *http.Request { // ASCII, in more bytes
		var out strings.Builder
		out.WriteString(begin)
		for i := range len(escaped) {
			out.WriteString(before + escaped[i:i+1] + after)
		}
		return request("POST", "/", "application/json", out.String())
	}
	for name, r := range map[string]*http.Request{
		"JSON of UTF-16":                            wide("", "", "\x00"),
		"… that says so":                            wide("\xfe\xff", "\x00", ""),
		"JSON of UTF-32":                            wide("", "\x00\x00\x00", ""),
		"JSON behind a mark":                        request("POST", "/", "text/plain", "\ufeff"+escaped),
		"a form that calls itself JSON":             request("POST", "/", "application/json", "a=b&id=1%27+or+%271%27%3D%271"),
		"JSON that calls itself a form":             request("POST", "/", form, escaped),
		"JSON of a type that nobody knows":          request("POST", "/", "application/x-anything", escaped),
		"JSON that calls itself multipart":          request("POST", "/", data, escaped),
		"JSON behind a second type":                 twice,
		"JSON that is not packed, as it says":       encoded("gzip", escaped),
		"JSON of a packing that nobody knows":       encoded("none", escaped),
		"a member behind one that is too deep":      request("POST", "/", "application/json", `{"a":`+strings.Repeat("[", 70)+strings.Repeat("]", 70)+`,`+escaped[1:]),
		"a member behind what is no JSON":           request("POST", "/", "application/json", `{a:1,`+escaped[1:]),
		"… of a document that is larger":            request("POST", "/", "application/json", `{a:1,`+escaped[1:]+strings.Repeat(" ", 20_000)),
		"multipart without a boundary":              request("POST", "/", "multipart/form-data", field(sql)),
		"multipart with two boundaries":             request("POST", "/", "multipart/form-data; boundary=A; boundary=B", field(sql)),
		"a part behind an end in the preamble":      request("POST", "/", data, "x--B--\r\n"+field(sql)),
		"a part behind the end":                     request("POST", "/", data, "--B--\r\n"+field(sql)),
		"a field with a line like the end":          request("POST", "/", data, field("1\r\n--B--x' or '1'='1")),
		"… between the halves of a script":          request("POST", "/", data, field("<img src=x \r\n--B--x onerror=alert(1)>")),
		"a part that begins as a loose parser says": request("POST", "/", data, file+"\r\n--Bx\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n"+sql+"\r\n--B--\r\n"),
		"a header of a part":                        request("POST", "/", data, "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nX-Title: "+sql+"\r\n\r\n\r\n--B--\r\n"),
		"a cookie behind a long one":                cookie,
		"a cookie behind many":                      many,
		"a segment behind many":                     request("GET", strings.Repeat("/a", 20)+"/1'%20or%20'1'='1", "", ""),
	} {
		if v := ask(t, r); !v.Block {
			t.Errorf("%s: let through", name)
		}
	}
	for name, r := range map[string]*http.Request{
		"what is packed":              encoded("gzip", "\x1f\x8b\x08\x00"+sql),
		"a file with lines of dashes": request("POST", "/", data, file+"--- a\r\n+++ b\r\n--B- c\r\n\r\n--B--\r\n"),
	} {
		if v := ask(t, r); v.Block {
			t.Errorf("%s: blocked by %s", name, v.Rule)
		}
	}
}
