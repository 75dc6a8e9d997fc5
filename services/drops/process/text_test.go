package process_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/process"
)

// hostile is what no rendering may hold: tags, handlers and schemes that run.
var hostile = regexp.MustCompile(`(?i)<script|<iframe|<object|<svg|<style|<form|<base|<meta|<[^>]*\son\w+\s*=|<[^>]*(href|src)\s*=\s*["']?\s*(javascript|vbscript|data):`)

func TestRenderingNeverRuns(t *testing.T) {
	for _, text := range []string{
		`<script>alert(1)</script>`,
		`<img src=x onerror=alert(1)>`,
		`[x](javascript:alert(1))`,
		`[x](JaVaScRiPt:alert(1))`,
		"[x](java\tscript:alert(1))",
		`[x](data:text/html;base64,PHNjcmlwdD4=)`,
		`![x](javascript:alert(1))`,
		`![x"onerror="alert(1)](https://e.org/a.png)`,
		`[x](https://e.org "t" onmouseover="alert(1)")`,
		`<javascript:alert(1)>`,
		`<svg/onload=alert(1)>`,
		`<a href="&#106;avascript:alert(1)">x</a>`,
		"```html\n<script>alert(1)</script>\n```",
		"```\"><script>alert(1)</script>\nx\n```",
		"<style>*{}</style><form action=/drops>",
		`</pre><script>alert(1)</script>`,
		`<iframe src=//e.org>`,
		"<!--><script>alert(1)</script>-->",
	} {
		for _, variant := range []string{drop.Markdown, drop.Code, drop.Plain} {
			for _, name := range []string{"a.html", "a.md", ""} {
				out, err := process.Render(variant, name, text)
				if err != nil || hostile.Match(out) {
					t.Errorf("%s %s %q: got %s, %v", variant, name, text, out, err)
				}
			}
		}
	}
}

func TestRender(t *testing.T) {
	for name, c := range map[string]struct{ variant, file, text, want string }{
		"heading":      {drop.Markdown, "", "# Hi", "<h1>Hi</h1>"},
		"table":        {drop.Markdown, "", "|a|\n|-|\n|b|\n", "<table>"},
		"task":         {drop.Markdown, "", "- [x] done\n", `type="checkbox"`},
		"fence":        {drop.Markdown, "", "```go\nfunc f() {}\n```", `<span class="kd">func</span>`},
		"code":         {drop.Code, "a.go", "func f() {}", `<span class="kd">func</span>`},
		"unknown code": {drop.Code, "", "x < y", "x &lt; y"},
		"plain":        {drop.Plain, "", "<b>", "<pre class=\"plain\">&lt;b&gt;</pre>"},
	} {
		out, err := process.Render(c.variant, c.file, c.text)
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: got %s, %v, want %s", name, out, err, c.want)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("# a\n<script>", "[x](javascript:1)")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 4096 {
			return
		}
		out, err := process.Render(drop.Markdown, "", a+"\n"+b)
		if err == nil && hostile.Match(out) {
			t.Fatalf("got %s", out)
		}
	})
}
