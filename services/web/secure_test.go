package main

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/wire"
)

// every is one reply for each way a page can look.
func every() map[string]wire.ViewReply {
	soon := time.Now().Add(time.Hour)
	prose := ok(wire.Drop{Type: "note", Variant: "markdown", Title: "a.md"})
	prose.HTML = "<h1>Hello</h1><p>world</p>"
	code := ok(wire.Drop{Type: "note", Variant: "code", Title: "a.go"})
	code.HTML = `<pre class="chroma"><code><span class="kd">func</span></code></pre>`
	text := ok(wire.Drop{Type: "note", Variant: "plain", Title: "a.txt"})
	text.Text = "a < b"
	return map[string]wire.ViewReply{
		"image":      ok(wire.Drop{Type: "image", Title: "a.png", Media: "image/png", Width: 800, Height: 600, Thumbnail: true}),
		"heic":       ok(wire.Drop{Type: "image", Title: "a.heic", Media: "image/heic", Thumbnail: true}),
		"heic early": ok(wire.Drop{Type: "image", Title: "a.heic", Media: "image/heic"}),
		"video":      ok(wire.Drop{Type: "video", Title: "a.mp4", Media: "video/mp4", Width: 1920, Height: 1080, Thumbnail: true, DurationMS: 61_000}),
		"audio":      ok(wire.Drop{Type: "audio", Title: "a.mp3", Media: "audio/mpeg"}),
		"file":       ok(wire.Drop{Type: "file", Title: "a.zip", Size: 12, ExpiresAt: &soon, MaxViews: 4, Views: 9}),
		"odd link":   ok(wire.Drop{Type: "link", Title: "mailto", Content: "mailto:a@example.com"}),
		"new type":   ok(wire.Drop{Type: "board", Title: "a"}),
		"big note":   ok(wire.Drop{Type: "note", Variant: "plain", Title: "huge.log", Size: 9 << 20}),
		"markdown":   prose, "code": code, "text": text,
	}
}

func TestPagesStayInsideTheirPolicy(t *testing.T) {
	check := func(name string, w *httptest.ResponseRecorder, framed bool) {
		t.Helper()
		h := w.Header()
		csp := h.Get("Content-Security-Policy")
		ancestors := "frame-ancestors 'none'"
		if framed {
			ancestors = "frame-ancestors *"
		}
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "base-uri 'none'", ancestors, "img-src 'self' http://content.localhost:8080 "} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: CSP %q lacks %q", name, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: CSP %q", name, csp)
		}
		for key, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin", "X-Robots-Tag": "noindex", "Content-Type": "text/html; charset=utf-8"} {
			if got := h.Get(key); got != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got, want)
			}
		}
		for _, n := range parse(t, w.Body.String()) {
			if n.tag == "style" || n.tag == "script" && (n.text != "" || !strings.HasPrefix(n.attr["src"], "/static/")) {
				t.Errorf("%s: inline <%s>", name, n.tag)
			}
			for k := range n.attr {
				if k == "style" || strings.HasPrefix(k, "on") {
					t.Errorf("%s: <%s %s=…>", name, n.tag, k)
				}
			}
			if src := n.attr["src"]; strings.HasPrefix(src, "/static/") && strings.Count(src, ".") != 2 {
				t.Errorf("%s: %s names no static file", name, src)
			}
		}
	}
	for name, reply := range every() {
		h := site(t, &fake{reply: reply})
		check(name, get(h, "/Abc1234"), false)
		check("embedded "+name, get(h, "/embed/Abc1234"), true)
	}
	list := wire.ListReply{Drops: []wire.Drop{{Code: "Abc1234", Type: "file", HasPassword: true}}, Total: 1, Activity: []wire.Activity{{Code: "Abc1234", What: "deleted"}}}
	check("upload", get(site(t, &fake{}), "/"), false)
	check("my", get(site(t, &fake{list: list}), "/my", ownerHeader, "1"), false)
	check("my, empty", get(site(t, &fake{}), "/my", ownerHeader, "1"), false)
	check("my, no match", get(site(t, &fake{}), "/my?q=a", ownerHeader, "1"), false)
	check("my, past the end", get(site(t, &fake{}), "/my?offset=48", ownerHeader, "1"), false)
	check("visitor", get(site(t, &fake{}), "/my"), false)
	check("not found", get(site(t, &fake{}), "/a/b/c"), false)
	check("locked frame", get(site(t, &fake{reply: wire.ViewReply{State: wire.StateNeedsPassword}}), "/embed/Abc1234"), true)
}

func TestNamesCannotBecomeMarkup(t *testing.T) {
	for _, evil := range []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title><script>x</script>`,
		`javascript:alert(1)`, `&lt;script&gt;`, "`${alert(1)}`", `--><svg onload=alert(1)>`, `{{7*7}}`, `../../etc/passwd`, "a\x00b\r\nSet-Cookie: x=y",
	} {
		for name, reply := range every() {
			d := *reply.Drop
			d.Title, d.Media, d.ShortLink = evil, d.Media+evil, evil
			if d.Type == "link" {
				d.Content = evil
			}
			reply.Drop, reply.Token = &d, evil
			if name == "text" {
				reply.Text = evil
			}
			for _, path := range []string{"/Abc1234", "/embed/Abc1234"} {
				inert(t, name+" "+evil, get(site(t, &fake{reply: reply}), path).Body.String())
			}
		}
		list := wire.ListReply{
			Drops: []wire.Drop{{Code: "Abc1234", Title: evil, Type: evil, ShortLink: evil, Thumbnail: true}}, Tokens: []string{evil}, Total: 1,
			Activity: []wire.Activity{{Code: "Abc1234", Title: evil, What: evil}, {Code: evil, Title: evil, What: "created"}},
		}
		inert(t, "my "+evil, get(site(t, &fake{list: list}), "/my", ownerHeader, "1").Body.String())
		q := "/my?q=" + strings.NewReplacer("%", "%25", " ", "%20", "&", "%26", "#", "%23", "\x00", "%00", "\r", "%0d", "\n", "%0a", `"`, "%22", "<", "%3c", ">", "%3e").Replace(evil)
		inert(t, "search "+evil, get(site(t, &fake{}), q, ownerHeader, "1").Body.String())
	}
}

// inert fails if the page holds an element or attribute that a name brought in.
func inert(t *testing.T, name, page string) {
	t.Helper()
	for _, n := range parse(t, page) {
		if n.tag == "script" && !strings.HasPrefix(n.attr["src"], "/static/") {
			t.Errorf("%s: a script element", name)
		}
		for k, v := range n.attr {
			if strings.HasPrefix(k, "on") || (k == "href" || k == "src" || k == "action") && strings.HasPrefix(strings.ToLower(v), "javascript:") {
				t.Errorf("%s: <%s %s=%q>", name, n.tag, k, v)
			}
		}
	}
}

func TestPrivateDropsSayNothingElsewhere(t *testing.T) {
	for name, d := range map[string]wire.Drop{
		"password": {HasPassword: true},
		"limited":  {MaxViews: 3},
		"obscure":  {Privacy: "OBSCURE", Code: "0123456789abcdef"},
	} {
		d.Type, d.Title, d.Media, d.Thumbnail, d.Width, d.Height = "image", "salaries-2027.png", "image/png", true, 10, 10
		h := site(t, &fake{reply: ok(d)})
		path := "/Abc1234"
		if d.Code != "" {
			path = "/" + d.Code
		}
		for _, n := range parse(t, get(h, path).Body.String()) {
			if n.tag == "meta" && (strings.Contains(n.attr["content"], "salaries") || strings.Contains(n.attr["content"], "tok")) {
				t.Errorf("%s: %v", name, n.attr)
			}
			if n.tag == "link" && n.attr["rel"] == "alternate" {
				t.Errorf("%s: announces oEmbed", name)
			}
		}
		if w := get(h, "/embed"+path); strings.Contains(w.Body.String(), "salaries") || strings.Contains(w.Body.String(), "tok") {
			t.Errorf("%s: the frame shows it", name)
		}
		private := get(h, "/oembed?url=http://127.0.0.1:8080"+path)
		missing := get(site(t, &fake{reply: wire.ViewReply{State: wire.StateNotFound}}), "/oembed?url=http://127.0.0.1:8080"+path)
		if private.Code != missing.Code || private.Body.String() != missing.Body.String() {
			t.Errorf("%s: oEmbed says %d %s, and %d %s when there is none", name, private.Code, private.Body, missing.Code, missing.Body)
		}
		if d.MaxViews > 0 {
			w := get(h, path, "User-Agent", "Slackbot 1.0")
			if strings.Contains(w.Body.String(), "salaries") || strings.Contains(w.Body.String(), "tok") {
				t.Errorf("%s: an uncounted look shows it", name)
			}
		}
	}
}

func TestOEmbed(t *testing.T) {
	replies := every()
	for _, c := range []struct {
		drop, query, want string
		width, height     int
	}{
		{"image", "", "photo", 800, 600},
		{"image", "&maxwidth=400", "photo", 400, 300},
		{"image", "&maxwidth=400&maxheight=150", "photo", 200, 150},
		{"video", "&maxwidth=640", "video", 640, 360},
		{"audio", "", "rich", 640, 120},
		{"code", "", "rich", 960, 540},
		{"new type", "", "link", 0, 0},
	} {
		w := get(site(t, &fake{reply: replies[c.drop]}), "/oembed?format=json&url=http%3A%2F%2F127.0.0.1%3A8080%2FAbc1234"+c.query)
		var e embedding
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			t.Fatalf("%s: %d %s", c.drop, w.Code, w.Body)
		}
		if e.Type != c.want || e.Version != "1.0" || e.Width != c.width || e.Height != c.height {
			t.Errorf("%s%s: got %+v, want %s of %d × %d", c.drop, c.query, e, c.want, c.width, c.height)
		}
		if framed := e.Type == "video" || e.Type == "rich"; framed != strings.Contains(e.HTML, `<iframe src="http://127.0.0.1:8080/embed/Abc1234"`) {
			t.Errorf("%s: html %q", c.drop, e.HTML)
		}
	}
	f := &fake{reply: replies["image"]}
	for query, status := range map[string]int{
		"url=https://elsewhere.example/Abc1234":  404,
		"url=http://127.0.0.1:8080/short":        404,
		"url=http://127.0.0.1:8080.evil/Abc1234": 404,
		"":                                       404,
		"url=http://127.0.0.1:8080/Abc1234&format=xml": 501,
	} {
		if w := get(site(t, f), "/oembed?"+query); w.Code != status {
			t.Errorf("%s: got %d, want %d", query, w.Code, status)
		}
	}
	if len(f.views) != 0 {
		t.Errorf("the service was asked: %+v", f.views)
	}
}

func TestPreviewsOfPublicDrops(t *testing.T) {
	nodes := parse(t, get(site(t, &fake{reply: every()["image"]}), "/Abc1234").Body.String())
	for property, want := range map[string]string{
		"og:title": "a.png", "og:url": "http://127.0.0.1:8080/Abc1234",
		"og:image": "http://content.localhost:8080/thumb/Abc1234?t=tok%2Ben",
	} {
		if n, _ := find(nodes, "meta", "property", property); n.attr["content"] != want {
			t.Errorf("%s is %q, want %q", property, n.attr["content"], want)
		}
	}
	if n, _ := find(nodes, "link", "type", "application/json+oembed"); n.attr["href"] != "http://127.0.0.1:8080/oembed?format=json&url=http%3A%2F%2F127.0.0.1%3A8080%2FAbc1234" {
		t.Errorf("oEmbed at %q", n.attr["href"])
	}
	if n, _ := find(nodes, "img"); n.attr["width"] != "800" || n.attr["height"] != "600" || n.attr["src"] != "http://content.localhost:8080/raw/Abc1234/a.png?t=tok%2Ben" {
		t.Errorf("picture %v", n.attr)
	}
}

func TestContentOrigin(t *testing.T) {
	for _, c := range []struct{ set, host, want string }{
		{"", "127.0.0.1:8080", "http://content.localhost:8080"},
		{"", "localhost:9", "http://content.localhost:9"},
		{"", "[::1]:8080", "http://content.localhost:8080"},
		{"", "drops.example", ""},
		{"", "drops.example:8443", ""},
		{"", "localhost", ""},
		{"", "evil; script-src *", ""},
		{"", "127.0.0.1:80;x", ""},
		{"https://cdn.example/", "127.0.0.1:8080", "https://cdn.example"},
	} {
		p := &pages{ContentOrigin: c.set}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = c.host
		v := p.visit(r)
		if v.Content != c.want || strings.ContainsAny(v.Base, "; *") {
			t.Errorf("%+v: got content %q, base %q", c, v.Content, v.Base)
		}
	}
}
