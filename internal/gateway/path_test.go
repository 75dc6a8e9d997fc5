package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzPlainPath holds what policies are asked about against what routes are found by:
// the parts of a path, however a client has escaped them.
func FuzzPlainPath(f *testing.F) {
	for _, seed := range []string{"a\x00b", "a/b\x00c", "a%2Fb\x00%", "\x00", "..\x00ü ?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parts := strings.Split(text, "\x00")
		var usual, all []string
		for _, part := range parts {
			usual = append(usual, url.PathEscape(part))
			escaped := ""
			for _, c := range []byte(part) {
				escaped += fmt.Sprintf("%%%02X", c)
			}
			all = append(all, escaped)
		}
		name := func(sent []string) string {
			raw := "/" + strings.Join(sent, "/")
			plain, err := url.PathUnescape(raw)
			if err != nil {
				t.Fatal(err)
			}
			r := &request{Request: &http.Request{URL: &url.URL{Path: plain, RawPath: raw}}, api: &API{Kind: HTTP}}
			return r.plainPath()
		}
		one := name(usual)
		if other := name(all); other != one {
			t.Errorf("%q is named %q or %q, by how it is escaped", parts, one, other)
		}
		var back []string
		for part := range strings.SplitSeq(one[1:], "/") {
			back = append(back, strings.NewReplacer("%2F", "/", "%25", "%").Replace(part))
		}
		if !slices.Equal(back, parts) {
			t.Errorf("%q is named %q, which others are named as well", parts, one)
		}
	})
}
