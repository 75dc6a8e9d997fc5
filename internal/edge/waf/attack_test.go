package waf_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/edge/waf"
)

// attack is a line of testdata: a text and the technique that it is of.
type attack struct{ class, text string }

func attacks(t testing.TB, file string) (list []attack) {
	t.Helper()
	doc, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	class := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(string(doc), "\n"), "\n") {
		if name, ok := strings.CutPrefix(line, "## "); ok {
			class = name
			continue
		}
		list = append(list, attack{class, strings.ReplaceAll(line, "␊", "\n")})
	}
	return list
}

// encoding writes an attack as it is sent; what the place needs itself comes on top.
type encoding struct {
	name string
	of   func(text string, n int) string
}

// percent writes every byte that is no letter or digit as %XX.
func percent(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// entities writes what markup and SQL are made of as numbers.
func entities(s string) string {
	var out strings.Builder
	for _, r := range s {
		if strings.ContainsRune(`<>"'=();:/`, r) {
			fmt.Fprintf(&out, "&#x%x;", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// mixed changes the case of every other letter.
func mixed(s string, n int) string {
	out := []byte(s)
	for i, c := range out {
		if (i+n)%2 == 0 && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') && (i == 0 || out[i-1] != '%') {
			out[i] = c ^ 0x20
		}
	}
	return string(out)
}

var encodings = []encoding{
	{"plain", func(s string, _ int) string { return s }},
	{"URL", func(s string, _ int) string { return percent(s) }},
	{"double URL", func(s string, _ int) string { return percent(percent(s)) }},
	{"entities", func(s string, _ int) string { return entities(s) }},
	{"mixed case", mixed},
	{"unicode", func(s string, _ int) string { return s }}, // of the place: \u0027, %u0027
}

// spaced replaces spaces, as filters do not expect them.
var spaced = map[string]encoding{
	"sqli.txt": {"comments", func(s string, _ int) string { return strings.ReplaceAll(s, " ", "/**/") }},
	"xss.txt":  {"white space", func(s string, _ int) string { return strings.ReplaceAll(s, " ", "\n\t") }},
}

// location puts a text into a request.
type location struct {
	name string
	put  func(text string, unicode bool) *http.Request
}

// wide writes everything that is no letter or digit as prefix and four digits.
func wide(s, prefix string) string {
	var out strings.Builder
	for _, r := range s {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			out.WriteRune(r)
		} else {
			fmt.Fprintf(&out, `%s%04x`, prefix, r)
		}
	}
	return out.String()
}

// escaped is a text of a URL or a form.
func escaped(text string, unicode bool) string {
	if unicode {
		return wide(text, "%u")
	}
	return url.QueryEscape(text)
}

func upload(name, filename, text string) *http.Request {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"`, name))
	if filename != "" {
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, strings.NewReplacer(`"`, "%22", "\n", "%0A", "\r", "%0D", `\`, `\\`).Replace(filename)))
	}
	part, _ := w.CreatePart(h)
	part.Write([]byte(text))
	w.Close()
	return request("POST", "/upload", w.FormDataContentType(), body.String())
}

var locations = []location{
	{"path", func(s string, unicode bool) *http.Request {
		if unicode {
			r := request("GET", "/", "", "")
			r.URL.RawPath, r.URL.Path = "/items/"+wide(s, "%u"), "/items/"
			r.URL.Opaque = ""
			return rawPath(r, "/items/"+wide(s, "%u"))
		}
		return rawPath(request("GET", "/", "", ""), "/items/"+url.PathEscape(s))
	}},
	{"query", func(s string, unicode bool) *http.Request {
		r := request("GET", "/search", "", "")
		r.URL.RawQuery = "page=2&q=" + escaped(s, unicode)
		return r
	}},
	{"cookie", func(s string, unicode bool) *http.Request {
		if unicode {
			s = wide(s, "%u")
		}
		r := request("GET", "/", "", "")
		r.Header.Set("Cookie", "theme=dark; id="+strings.NewReplacer(";", "%3B", "\n", "%0A", "\t", "%09").Replace(s))
		return r
	}},
	{"header", func(s string, unicode bool) *http.Request {
		if unicode {
			s = wide(s, "%u")
		}
		r := request("GET", "/", "", "")
		r.Header.Set("Referer", strings.NewReplacer("\n", " ", "\t", " ").Replace(s))
		return r
	}},
	{"form", func(s string, unicode bool) *http.Request {
		return request("POST", "/", "application/x-www-form-urlencoded", "a=b&id="+escaped(s, unicode))
	}},
	{"JSON", func(s string, unicode bool) *http.Request {
		text, _ := json.Marshal(s)
		if unicode {
			text = []byte(`"` + wide(s, `\u`) + `"`)
		}
		return request("POST", "/", "application/json", `{"page":1,"items":[{"id":7,"name":`+string(text)+`}]}`)
	}},
	{"multipart field", func(s string, unicode bool) *http.Request {
		if unicode {
			s = wide(s, "%u")
		}
		return upload("title", "", s)
	}},
	{"multipart filename", func(s string, unicode bool) *http.Request {
		if unicode {
			s = wide(s, "%u")
		}
		return upload("file", s, "nothing to see")
	}},
}

// rawPath sets a path as it was sent.
func rawPath(r *http.Request, raw string) *http.Request {
	r.URL.RawPath = raw
	r.URL.Path, _ = url.PathUnescape(raw)
	if r.URL.Path == "" {
		r.URL.Path = raw
	}
	return r
}

// tally counts hits by what they are counted for.
type tally struct {
	order []string
	hits  map[string][2]int
}

func (c *tally) add(key string, hit bool) {
	if c.hits == nil {
		c.hits = map[string][2]int{}
	}
	if _, ok := c.hits[key]; !ok {
		c.order = append(c.order, key)
	}
	n := c.hits[key]
	n[1]++
	if hit {
		n[0]++
	}
	c.hits[key] = n
}

func (c *tally) rate(key string) float64 {
	n := c.hits[key]
	return 100 * float64(n[0]) / float64(n[1])
}

func (c *tally) log(t *testing.T, title string) {
	t.Helper()
	var out strings.Builder
	for _, key := range c.order {
		fmt.Fprintf(&out, "\n  %-24s %6d of %6d  %6.2f %%", key, c.hits[key][0], c.hits[key][1], c.rate(key))
	}
	t.Logf("%s%s", title, out.String())
}

// every is which attacks are sent: the race detector has enough with some of them.
var every = 1

// TestAttacks sends every attack in every encoding to every place. The floor is a
// little below the lowest rate that was measured, of comments that end a query.
func TestAttacks(t *testing.T) {
	const floor = 98.5
	f := &waf.Firewall{}
	for _, file := range []string{"sqli.txt", "xss.txt"} {
		t.Run(file, func(t *testing.T) {
			var classes, places, codes tally
			missed := map[string][]string{}
			for n, a := range attacks(t, file) {
				if n%every != 0 {
					continue
				}
				for _, e := range append(slices.Clone(encodings), spaced[file]) {
					for _, l := range locations {
						r := l.put(e.of(a.text, n), e.name == "unicode")
						hit := f.Decide(t.Context(), &waf.Request{ACL: waf.Default, HTTP: r, Client: visitor}).Block
						classes.add(a.class, hit)
						places.add(l.name, hit)
						codes.add(e.name, hit)
						if !hit {
							missed[a.text] = append(missed[a.text], e.name+" in "+l.name)
						}
					}
				}
			}
			classes.log(t, "by technique")
			places.log(t, "by place")
			codes.log(t, "by encoding")
			for _, c := range []*tally{&classes, &places, &codes} {
				for _, key := range c.order {
					if got := c.rate(key); got < floor && every == 1 {
						t.Errorf("%s: %.2f %% are found, want %.2f at least", key, got, floor)
					}
				}
			}
			if testing.Verbose() {
				for text, where := range missed {
					t.Logf("missed %q: %s", text, strings.Join(where, ", "))
				}
			}
		})
	}
}
