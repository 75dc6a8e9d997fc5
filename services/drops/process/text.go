package process

import (
	"bytes"
	"context"
	"html"
	"io"
	"regexp"
	"sync"

	"github.com/alecthomas/chroma/v2"
	chromahtml "github.com/alecthomas/chroma/v2/formatters/html"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/alecthomas/chroma/v2/styles"
	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/wire"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// Limits of rendering: above maxHighlight code is shown without colours, above
// MaxHTML a rendering does not travel in a reply and is not stored.
const (
	maxHighlight = 256 << 10
	MaxHTML      = 3 << 20
)

func (s *Steps) renderText(ctx context.Context, d drop.Drop, version int) (result, error) {
	if d.Type != wire.TypeNote {
		return result{skipped: "not a note"}, nil
	}
	if d.Version != version {
		return result{skipped: "a newer version exists"}, nil
	}
	text, _, err := blob.Read(ctx, s.Blobs, d.Bucket, d.Key, drop.MaxNote)
	if err != nil {
		return result{}, err
	}
	out, err := Render(d.Variant, d.Name, string(text))
	if err != nil {
		return result{skipped: "not rendered: " + err.Error(), exact: true}, nil
	}
	if len(out) > MaxHTML {
		return result{skipped: "its rendering is too large", exact: true}, nil
	}
	key := derived(d.Code, version, "text.html")
	if err := s.Blobs.Put(ctx, d.Bucket, key, "text/html; charset=utf-8", int64(len(out)), bytes.NewReader(out)); err != nil {
		return result{}, err
	}
	return result{exact: true, objects: []string{key}, change: func(d *drop.Drop) { d.HTMLKey = key }}, nil
}

// Render turns a note into HTML that is safe on any page. Code has classes of
// chroma, for which CSS has the colours.
func Render(variant, name, text string) ([]byte, error) {
	var out bytes.Buffer
	switch variant {
	case drop.Markdown:
		if err := markdown().Convert([]byte(text), &out); err != nil {
			return nil, err
		}
		return policy().SanitizeBytes(out.Bytes()), nil
	case drop.Code:
		if err := highlight(&out, lexers.Match(name), text); err != nil {
			return nil, err
		}
		return out.Bytes(), nil
	}
	out.WriteString(`<pre class="plain">`)
	out.WriteString(html.EscapeString(text))
	out.WriteString("</pre>\n")
	return out.Bytes(), nil
}

var formatter = sync.OnceValue(func() *chromahtml.Formatter {
	return chromahtml.New(chromahtml.WithClasses(true))
})

func highlight(w io.Writer, lexer chroma.Lexer, text string) error {
	if lexer == nil || len(text) > maxHighlight {
		lexer = lexers.Fallback
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, text)
	if err != nil {
		return err
	}
	return formatter().Format(w, styles.Fallback, tokens)
}

// markdown leaves out raw HTML and dangerous links by itself; policy is the
// second wall.
var markdown = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(
		renderer.WithNodeRenderers(util.Prioritized(fences{}, 100)),
	))
})

var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.UGCPolicy()
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(chroma|[a-z]{1,3}[0-9]?|language-[\w+#-]+)$`)).OnElements("pre", "code", "span")
	p.AllowAttrs("type").Matching(regexp.MustCompile(`^checkbox$`)).OnElements("input")
	p.AllowAttrs("checked", "disabled").Matching(regexp.MustCompile(`^$`)).OnElements("input")
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
})

// fences highlights the fenced code of markdown.
type fences struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (fences) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, func(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		block := node.(*ast.FencedCodeBlock)
		var text bytes.Buffer
		for i := range block.Lines().Len() {
			line := block.Lines().At(i)
			text.Write(line.Value(source))
		}
		return ast.WalkContinue, highlight(w, lexers.Get(string(block.Language(source))), text.String())
	})
}
