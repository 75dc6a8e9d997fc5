package metric

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxExpression = 2048
	maxNesting    = 100 // of parentheses, calls and signs
)

// node is a part of an expression. Which fields are set tells what it is: a call
// or an operator (name and args), an array (name "["), a reference (id), a text,
// else a number.
type node struct {
	name string
	args []*node
	id   string
	text *string
	num  float64
}

// parser reads an expression of metric math. Operators bind, the loosest first:
// OR || · AND && · == != < > <= >= · + - · * / · sign · ^
type parser struct {
	rest  string
	depth int
}

func parse(s string) (*node, error) {
	if len(s) > maxExpression {
		return nil, fmt.Errorf("the expression has over %d characters", maxExpression)
	}
	p := &parser{rest: s}
	n, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.skip(); p.rest != "" {
		return nil, fmt.Errorf("%q is not expected", p.rest)
	}
	return n, nil
}

var operators = [][]string{{"OR", "||"}, {"AND", "&&"}, {"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/"}}

// spelling of operators that have two.
var spelling = map[string]string{"||": "OR", "&&": "AND"}

func (p *parser) binary(level int) (*node, error) {
	if level == len(operators) {
		return p.sign()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op := p.operator(operators[level])
		if op == "" {
			return left, nil
		}
		var right *node
		right, err = p.binary(level + 1)
		left = &node{name: op, args: []*node{left, right}}
	}
	return nil, err
}

func (p *parser) operator(among []string) string {
	p.skip()
	for _, op := range among {
		rest, ok := strings.CutPrefix(p.rest, op)
		if !ok || isWord(op[0]) && rest != "" && isWord(rest[0]) {
			continue
		}
		p.rest = rest
		if s := spelling[op]; s != "" {
			return s
		}
		return op
	}
	return ""
}

func (p *parser) sign() (*node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, errors.New("it is nested too deeply")
	}
	defer func() { p.depth-- }()
	if p.take("-") {
		n, err := p.sign()
		return &node{name: "-", args: []*node{{}, n}}, err
	}
	if p.take("+") {
		return p.sign()
	}
	base, err := p.primary()
	if err != nil || !p.take("^") {
		return base, err
	}
	exponent, err := p.sign()
	return &node{name: "^", args: []*node{base, exponent}}, err
}

func (p *parser) primary() (*node, error) {
	p.skip()
	switch c := p.peek(); {
	case c == 0:
		return nil, errors.New("it ends too early")
	case c == '(':
		p.rest = p.rest[1:]
		n, err := p.binary(0)
		if err == nil && !p.take(")") {
			err = errors.New("a parenthesis is not closed")
		}
		return n, err
	case c == '[':
		p.rest = p.rest[1:]
		return p.list("[", "]")
	case c == '"' || c == '\'':
		text, rest, ok := strings.Cut(p.rest[1:], string(c))
		if !ok {
			return nil, errors.New("a text is not closed")
		}
		p.rest = rest
		return &node{text: &text}, nil
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	case isWord(c):
		return p.word()
	default:
		return nil, fmt.Errorf("%q is not expected", p.rest)
	}
}

func (p *parser) number() (*node, error) {
	n := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789."))
	if n < len(p.rest) && (p.rest[n] == 'e' || p.rest[n] == 'E') {
		exponent := strings.TrimLeft(p.rest[n+1:], "+-")
		digits := len(exponent) - len(strings.TrimLeft(exponent, "0123456789"))
		n = len(p.rest) - len(exponent) + digits
	}
	v, err := strconv.ParseFloat(p.rest[:n], 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number", p.rest[:n])
	}
	p.rest = p.rest[n:]
	return &node{num: v}, nil
}

func (p *parser) word() (*node, error) {
	n := 0
	for n < len(p.rest) && isWord(p.rest[n]) {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if arithmetic[word] != nil {
		return nil, fmt.Errorf("%s stands between two numbers or time series", word)
	}
	if p.take("(") {
		return p.list(word, ")")
	}
	return &node{id: word}, nil
}

// list reads the arguments of a call, or an array, to its end.
func (p *parser) list(name, end string) (*node, error) {
	n := &node{name: name}
	if p.take(end) {
		return n, nil
	}
	for {
		arg, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
		switch {
		case p.take(end):
			return n, nil
		case !p.take(","):
			return nil, fmt.Errorf("%q is not closed", name)
		}
	}
}

func (p *parser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) peek() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}

func (p *parser) take(token string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// references are the ids that an expression names.
func (n *node) references(visit func(id string)) {
	if n.id != "" {
		visit(n.id)
	}
	for _, arg := range n.args {
		arg.references(visit)
	}
}

// metrics are the texts that METRICS is called with, "" for all.
func (n *node) metrics(visit func(part string)) {
	if n.name == "METRICS" {
		if len(n.args) == 1 && n.args[0].text != nil {
			visit(*n.args[0].text)
			return
		}
		visit("")
	}
	for _, arg := range n.args {
		arg.metrics(visit)
	}
}
