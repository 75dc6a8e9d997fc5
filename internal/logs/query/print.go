package query

import (
	"strconv"
	"strings"
)

// String is the query as text that Parse reads back.
func (q *Query) String() string {
	p := &printer{}
	for i, s := range q.Stages {
		if i > 0 {
			p.WriteString(" | ")
		}
		p.first = i == 0
		s.print(p)
	}
	return p.String()
}

// printer writes a query. In searches, expressions are written in their way.
type printer struct {
	strings.Builder
	first  bool // stage of the query
	search bool
}

// text is an expression as it names a column.
func text(e Expr) string {
	if f, ok := e.(*Field); ok {
		return f.Name
	}
	p := &printer{}
	e.printExpr(p)
	return p.String()
}

func (s *Search) print(p *printer) {
	if !p.first || commandWord(printed(s.Where)) {
		p.WriteString("search ")
	}
	p.search = true
	p.expr(s.Where, 0)
	p.search = false
}

// printed is a search by itself.
func printed(e Expr) string {
	p := &printer{search: true}
	p.expr(e, 0)
	return p.String()
}

func (s *Filter) print(p *printer)  { p.WriteString("filter "); p.expr(s.Where, 0) }
func (s *Fields) print(p *printer)  { p.WriteString("fields "); p.items(s.Items) }
func (s *Display) print(p *printer) { p.WriteString("display "); p.items(s.Items) }
func (s *Limit) print(p *printer)   { p.WriteString("limit " + strconv.Itoa(s.N)) }

func (s *Extract) print(p *printer) {
	p.WriteString("parse ")
	p.expr(s.From, 0)
	p.WriteString(" ")
	p.pattern(s.Pattern)
	if s.Pattern.Regexp && namesOf(s.Pattern.Text) != nil {
		return
	}
	p.WriteString(" as ")
	for i, name := range s.Names {
		p.comma(i)
		p.name(name)
	}
}

func (s *Stats) print(p *printer) {
	p.WriteString("stats ")
	p.items(s.Items)
	if len(s.By) > 0 {
		p.WriteString(" by ")
		p.items(s.By)
	}
}

func (s *Sort) print(p *printer) {
	p.WriteString("sort ")
	for i, k := range s.Keys {
		p.comma(i)
		p.expr(k.Expr, 0)
		if k.Desc {
			p.WriteString(" desc")
		}
	}
}

func (s *Top) print(p *printer) {
	p.WriteString("top " + strconv.Itoa(s.N) + " ")
	p.items(s.By)
}

func (s *Dedup) print(p *printer) {
	p.WriteString("dedup ")
	for i, e := range s.By {
		p.comma(i)
		p.expr(e, 0)
	}
}

func (p *printer) items(list []Item) {
	for i, item := range list {
		p.comma(i)
		p.expr(item.Expr, 0)
		if item.As != "" {
			p.WriteString(" as ")
			p.name(item.As)
		}
	}
}

func (p *printer) comma(i int) {
	if i > 0 {
		p.WriteString(", ")
	}
}

// How tightly operators bind.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindCompare
	bindSum
	bindProduct
	bindPower
	bindMinus
)

var binding = map[string]int{
	"or": bindOr, "and": bindAnd, "=": bindCompare, "!=": bindCompare, "<": bindCompare, "<=": bindCompare, ">": bindCompare, ">=": bindCompare,
	"+": bindSum, "-": bindSum, "*": bindProduct, "/": bindProduct, "%": bindProduct, "^": bindPower,
}

func bindingOf(e Expr) int {
	switch e := e.(type) {
	case *Binary:
		return binding[e.Op]
	case *Like, *In:
		return bindCompare
	case *Unary:
		if e.Op == "not" {
			return bindNot
		}
		return bindMinus
	}
	return bindMinus + 1
}

// expr writes an expression, in brackets if it binds less tightly than its place.
func (p *printer) expr(e Expr, place int) {
	if bindingOf(e) < place {
		p.WriteString("(")
		e.printExpr(p)
		p.WriteString(")")
		return
	}
	e.printExpr(p)
}

func (e *Binary) printExpr(p *printer) {
	b := binding[e.Op]
	left, right := b, b+1
	switch {
	case e.Op == "^":
		left, right = b+1, b
	case b == bindCompare:
		left = b + 1
	}
	p.expr(e.X, left)
	switch {
	case p.search && e.Op == "and":
		p.WriteString(" ")
	case p.search:
		p.WriteString(" OR ")
	default:
		p.WriteString(" " + e.Op + " ")
	}
	p.expr(e.Y, right)
}

func (e *Unary) printExpr(p *printer) {
	switch {
	case p.search:
		p.WriteString("NOT ")
		p.expr(e.X, bindNot)
	case e.Op == "not":
		p.WriteString("not ")
		p.expr(e.X, bindNot)
	default:
		p.WriteString("-")
		p.expr(e.X, bindMinus+1)
	}
}

func (e *Like) printExpr(p *printer) {
	p.expr(e.X, bindCompare+1)
	if e.Not {
		p.WriteString(" not")
	}
	p.WriteString(" like ")
	p.pattern(e.Pattern)
}

func (e *In) printExpr(p *printer) {
	p.expr(e.X, bindCompare+1)
	if e.Not {
		p.WriteString(" not")
	}
	p.WriteString(" in [")
	for i, x := range e.List {
		p.comma(i)
		p.expr(x, 0)
	}
	p.WriteString("]")
}

func (e *Call) printExpr(p *printer) {
	p.WriteString(e.Name + "(")
	for i, x := range e.Args {
		p.comma(i)
		p.expr(x, 0)
	}
	p.WriteString(")")
}

func (e *Field) printExpr(p *printer)  { p.name(e.Name) }
func (e *Star) printExpr(p *printer)   { p.WriteString("*") }
func (e *Period) printExpr(p *printer) { p.WriteString(strconv.FormatInt(e.N, 10) + e.Unit) }

func (e *Literal) printExpr(p *printer) {
	if e.Value.kind == Number {
		p.WriteString(strconv.FormatFloat(e.Value.n, 'g', -1, 64))
		return
	}
	p.quote(e.Value.s)
}

func (p *printer) quote(s string) {
	p.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			p.WriteByte('\\')
			p.WriteByte(c)
		case '\n':
			p.WriteString(`\n`)
		case '\t':
			p.WriteString(`\t`)
		default:
			p.WriteByte(c)
		}
	}
	p.WriteByte('"')
}

func (p *printer) pattern(pattern Pattern) {
	if pattern.Regexp {
		p.regexp(pattern.Text)
		return
	}
	p.quote(pattern.Text)
}

func (p *printer) regexp(s string) {
	p.WriteByte('/')
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			p.WriteString(s[i : i+2])
			i++
		case s[i] == '/':
			p.WriteString(`\/`)
		default:
			p.WriteByte(s[i])
		}
	}
	p.WriteByte('/')
}

// name writes a field's name, in backquotes if it would not be read as one.
func (p *printer) name(name string) {
	if n := nameLength(name); n == len(name) && n > 0 && !reserved[strings.ToLower(name)] {
		p.WriteString(name)
		return
	}
	p.WriteString("`" + strings.ReplaceAll(name, "`", "``") + "`")
}

func (e *Find) printExpr(p *printer) {
	if e.Field != "" {
		p.name(e.Field)
		p.WriteString(":")
	}
	switch e.Kind {
	case FindWord:
		p.word(e)
	case FindPhrase:
		p.quote(e.Text)
	case FindRegexp:
		p.regexp(e.Text)
	case FindCompare:
		p.WriteString(e.Op)
		p.bound(e.Value)
	case FindRange:
		p.WriteString(map[bool]string{false: "[", true: "{"}[e.Range.LowExclusive])
		p.bound(e.Range.Low)
		p.WriteString(" TO ")
		p.bound(e.Range.High)
		p.WriteString(map[bool]string{false: "]", true: "}"}[e.Range.HighExclusive])
	}
}

// bound writes a bound, "*" if it is open.
func (p *printer) bound(v Value) {
	if v.kind == Null {
		p.WriteString("*")
		return
	}
	p.quote(v.s)
}

// word writes a word with backslashes before all that would not be read as part of it.
func (p *printer) word(e *Find) {
	var b strings.Builder
	for i, part := range e.Parts {
		if i > 0 {
			b.WriteByte('*')
		}
		for j := range len(part) {
			c := part[j]
			if c <= ' ' || c == 0x7f || strings.IndexByte("\"()|\\*:#`[]{}<>=!-/,'", c) >= 0 {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
	}
	switch w := b.String(); w {
	case "AND", "OR", "NOT", "TO":
		p.WriteString(`\` + w)
	default:
		p.WriteString(w)
	}
}
