package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/chroma/v2"
	"github.com/dropstack/dropstack/services/wire"
)

func TestStaticFilesAreKeptForEver(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	for name, hashed := range a.names {
		w := get(a, "/static/"+hashed)
		h := w.Header()
		if w.Code != 200 || h.Get("Content-Type") != types[name[strings.LastIndex(name, ".")+1:]] || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", hashed, w.Code, h)
		}
		if w := get(a, "/static/"+hashed, "If-None-Match", h.Get("ETag")); w.Code != 304 || w.Body.Len() > 0 {
			t.Errorf("%s again: %d", hashed, w.Code)
		}
		if w := get(a, "/static/"+name); w.Code != 404 {
			t.Errorf("%s without its hash: %d", name, w.Code)
		}
	}
	for _, path := range []string{"/static/", "/static/../main.go", "/static/app.0000000000.css"} {
		if w := get(a, path); w.Code != 404 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

var imports = regexp.MustCompile(`from "([^"]+)"`)

func TestModulesImportHashedModules(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for hashed, body := range a.files {
		for _, m := range imports.FindAllStringSubmatch(string(body), -1) {
			seen++
			if _, ok := a.files[strings.TrimPrefix(m[1], "./")]; !ok {
				t.Errorf("%s imports %s, which is not served", hashed, m[1])
			}
		}
	}
	if seen == 0 {
		t.Error("no import found: the test reads the wrong thing")
	}
}

// pageBudget is for HTML, style sheets and scripts before the drop itself.
const pageBudget = 30 << 10

func TestDropPagesAreSmall(t *testing.T) {
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	for name, reply := range every() {
		page := get(site(t, &fake{reply: reply}), "/Abc1234").Body.String()
		size := len(page)
		add := func(path string) { size += len(a.files[strings.TrimPrefix(path, "/static/")]) }
		for _, n := range parse(t, page) {
			switch {
			case n.tag == "script":
				add(n.attr["src"])
			case n.tag == "link" && strings.HasPrefix(n.attr["href"], "/static/"):
				add(n.attr["href"])
			}
		}
		t.Logf("%s: %d bytes", name, size)
		if size > pageBudget || size < 10<<10 {
			t.Errorf("%s: %d bytes uncompressed, the budget is %d", name, size, pageBudget)
		}
	}
}

// Highlighted code arrives with chroma's class names; those that carry meaning
// must have a colour here.
func TestHighlightingHasColours(t *testing.T) {
	css, err := staticFiles.ReadFile("static/drop.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []chroma.TokenType{
		chroma.Keyword, chroma.KeywordDeclaration, chroma.KeywordNamespace, chroma.KeywordType, chroma.KeywordConstant,
		chroma.NameFunction, chroma.NameClass, chroma.NameTag, chroma.NameAttribute, chroma.NameBuiltin, chroma.NameDecorator,
		chroma.LiteralString, chroma.LiteralStringDouble, chroma.LiteralStringSingle, chroma.LiteralStringRegex, chroma.LiteralStringEscape,
		chroma.LiteralNumber, chroma.LiteralNumberInteger, chroma.LiteralNumberFloat, chroma.LiteralNumberHex,
		chroma.Comment, chroma.CommentSingle, chroma.CommentMultiline, chroma.CommentPreproc,
		chroma.GenericDeleted, chroma.GenericInserted, chroma.GenericHeading, chroma.LineNumbers, chroma.LineNumbersTable,
	} {
		class := chroma.StandardTypes[token]
		if class == "" || !regexp.MustCompile(`\.`+class+`\b`).Match(css) {
			t.Errorf("%s: no rule for class %q", token, class)
		}
	}
}

func TestWords(t *testing.T) {
	for n, want := range map[int64]string{-1: "0 B", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_951: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 2 << 30: "2.1 GB", 1 << 62: "4.6 EB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
	for ms, want := range map[int64]string{0: "0:00", 4_000: "0:04", 61_499: "1:01", 3_599_600: "1:00:00", 36_610_000: "10:10:10"} {
		if got := durationText(ms); got != want {
			t.Errorf("%d ms: got %q, want %q", ms, got, want)
		}
	}
	for title, want := range map[string]string{"": "Abc1234", " \t": "Abc1234", "a/b\\c.png": "a-b-c.png", "..": "Abc1234", "photo\u202egpj.exe": "photogpj.exe", "naïve 🏝️.png": "naïve 🏝️.png"} {
		if got := fileName(wire.Drop{Code: "Abc1234", Title: title}); got != want {
			t.Errorf("%q: got %q, want %q", title, got, want)
		}
	}
}
