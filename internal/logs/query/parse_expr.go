package query

import (
	"errors"
	"strconv"
	"strings"
)

// bindAny takes every operator.
const bindAny = 0

// operators are those between two operands, the longer of two before the shorter.
var operators = []string{"!=", "<=", ">=", "==", "=~", "=", "<", ">", "+", "-", "*", "/", "%", "^"}

// expr reads an expression whose operators bind at least so tightly.
func (p *parser) expr(least int) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.mistake(-1, "the expression is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	for {
		p.space()
		start := p.pos
		op := p.operator()
		if op == "" {
			return x, nil
		}
		y, ok, err := p.infix(x, op, least)
		if err != nil {
			return nil, err
		}
		if !ok {
			p.pos = start
			return x, nil
		}
		x = y
	}
}

// operator reads the operator that comes next, "" if none does.
func (p *parser) operator() string {
	for _, word := range []string{"and", "or", "like", "in", "not"} {
		if p.seesWord(word) {
			p.pos += len(word)
			return word
		}
	}
	for _, op := range operators {
		if p.sees(op) {
			p.pos += len(op)
			return op
		}
	}
	return ""
}

// infix reads what follows an operator, unless it binds too loosely.
func (p *parser) infix(x Expr, op string, least int) (Expr, bool, error) {
	b := binding[op]
	switch op {
	case "like", "in", "not", "==", "=~":
		b = bindCompare
	}
	if b < least {
		return nil, false, nil
	}
	switch op {
	case "not":
		p.space()
		switch {
		case p.seesWord("like"), p.seesWord("in"):
			e, _, err := p.infix(x, p.operator(), least)
			switch e := e.(type) {
			case *Like:
				e.Not = true
			case *In:
				e.Not = true
			}
			return e, true, err
		}
		return nil, false, p.mistake(-1, "expected like or in after not")
	case "like", "=~":
		pattern, err := p.pattern("a text in quotes, or a regular expression such as /time[ -]?out/")
		return &Like{X: x, Pattern: pattern}, true, err
	case "in":
		list, err := p.members()
		return &In{X: x, List: list}, true, err
	case "==":
		op = "="
	}
	right := b + 1
	if op == "^" {
		right = b
	}
	y, err := p.expr(right)
	return &Binary{Op: op, X: x, Y: y}, true, err
}

// members reads the list of in.
func (p *parser) members() (list []Expr, err error) {
	if p.space(); p.at() != '[' {
		return nil, p.mistake(-1, "expected a list such as [500, 502] or [\"GET\", \"HEAD\"]")
	}
	p.pos++
	err = p.list(func() error {
		p.space()
		start := p.pos
		e, err := p.operand()
		if err != nil {
			return err
		}
		if e, err = folded(e); err != nil {
			return p.mistake(start, "expected a text in quotes or a number")
		}
		list = append(list, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if p.space(); p.at() != ']' {
		return nil, p.mistake(-1, "expected a comma or ]")
	}
	p.pos++
	return list, nil
}

// folded is a literal, with its sign.
func folded(e Expr) (Expr, error) {
	if u, ok := e.(*Unary); ok && u.Op == "-" {
		if l, ok := u.X.(*Literal); ok && l.Value.kind == Number {
			return u, nil
		}
	}
	if _, ok := e.(*Literal); ok {
		return e, nil
	}
	return nil, errors.New("no literal")
}

// operand reads what operators stand between.
func (p *parser) operand() (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.mistake(-1, "the expression is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	p.space()
	start := p.pos
	switch c := p.at(); {
	case c == '(':
		p.pos++
		e, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		if p.space(); p.at() != ')' {
			return nil, p.mistake(-1, "expected ) for the ( in column %d", start+1)
		}
		p.pos++
		return e, nil
	case c == '-':
		p.pos++
		x, err := p.operand()
		return &Unary{Op: "-", X: x}, err
	case p.seesWord("not"):
		p.pos += len("not")
		x, err := p.expr(bindNot)
		return &Unary{Op: "not", X: x}, err
	case c == '"' || c == '\'':
		s, ok := p.quoted()
		if !ok {
			return nil, p.mistake(start, "the quotes are not closed")
		}
		return &Literal{TextValue(s)}, nil
	case c == '/':
		s, err := p.regexp()
		return &Find{Kind: FindRegexp, Text: s}, err
	case c-'0' <= 9 || c == '.':
		return p.literal()
	}
	return p.named()
}

// literal reads a number.
func (p *parser) literal() (Expr, error) {
	start := p.pos
	digits, unit := p.number()
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil:
		return nil, p.mistake(start, "expected a number")
	case unit != "":
		return nil, p.mistake(start, "expected a number without a unit: only bin, datefloor and dateceil take periods")
	}
	return &Literal{NumberValue(n)}, nil
}

// named reads what begins with a name: a field, a test of a field, or a function.
func (p *parser) named() (Expr, error) {
	start := p.pos
	name, ok := p.name()
	switch bare := p.text[start:p.pos]; {
	case !ok:
		return nil, p.mistake(start, "expected a field, a number, a text in quotes or (")
	case bare == name && reserved[strings.ToLower(name)]:
		return nil, p.mistake(start, "expected a field or a value; a field with this name is written in backquotes")
	case p.at() == ':':
		p.pos++
		return p.test(name)
	case bare == name && !strings.HasSuffix(name, ")"):
		there := p.scanner
		if there.space(); there.at() == '(' {
			p.pos = there.pos
			return p.call(name, start)
		}
	}
	return &Field{name}, nil
}

// call reads the arguments of a function.
func (p *parser) call(name string, start int) (Expr, error) {
	f, known := functions[strings.ToLower(name)]
	switch {
	case !known:
		return nil, p.mistake(start, "there is no such function; there are %s", functionList(p.aggregate > 0))
	case f.aggregate != nil && p.aggregate == 0:
		return nil, p.mistake(start, "%s is a statistic, which only stats takes", name)
	case f.aggregate != nil && p.aggregate == 2:
		return nil, p.mistake(start, "a statistic of a statistic needs a second stats")
	}
	if f.aggregate != nil {
		p.aggregate = 2
		defer func() { p.aggregate = 1 }()
	}
	e := &Call{Name: name}
	p.pos++
	if p.space(); p.at() != ')' {
		if err := p.list(func() error { return p.argument(e, f) }); err != nil {
			return nil, err
		}
	}
	if p.space(); p.at() != ')' {
		return nil, p.mistake(-1, "expected a comma or )")
	}
	p.pos++
	if f.star && len(e.Args) == 0 {
		e.Args = []Expr{&Star{}}
	}
	if err := f.check(e); err != nil {
		return nil, p.mistake(start, "%s: %v", name, err)
	}
	return e, nil
}

// argument reads one more argument of a call.
func (p *parser) argument(e *Call, f function) error {
	p.space()
	start, i := p.pos, len(e.Args)
	if f.star && i == 0 && p.at() == '*' {
		p.pos++
		e.Args = append(e.Args, &Star{})
		return nil
	}
	if f.period == i+1 {
		digits, unit := p.number()
		n, err := strconv.ParseInt(digits, 10, 64)
		unit, ok := unitOf(unit)
		if err != nil || !ok || n < 1 || n > 1_000_000 {
			return p.mistake(start, "expected a period such as 30s, 5m, 1h or 1d")
		}
		e.Args = append(e.Args, &Period{n, unit})
		return nil
	}
	x, err := p.expr(0)
	e.Args = append(e.Args, x)
	return err
}

// syntaxError is the one in an error.
func syntaxError(err error) (*SyntaxError, bool) { return errors.AsType[*SyntaxError](err) }

// aggregates tells whether there is a statistic in an expression.
func aggregates(e Expr) bool {
	found := false
	walk(e, func(e Expr) {
		if c, ok := e.(*Call); ok && functions[strings.ToLower(c.Name)].aggregate != nil {
			found = true
		}
	})
	return found
}

// walk visits an expression and all in it.
func walk(e Expr, visit func(Expr)) {
	visit(e)
	switch e := e.(type) {
	case *Unary:
		walk(e.X, visit)
	case *Binary:
		walk(e.X, visit)
		walk(e.Y, visit)
	case *Like:
		walk(e.X, visit)
	case *In:
		walk(e.X, visit)
	case *Call:
		for _, x := range e.Args {
			walk(x, visit)
		}
	}
}
