package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// piece is part of a string: text that stands for itself, or a variable.
type piece struct {
	text     string
	variable *reference
}

// reference is a variable: what is asked for its value, in order.
type reference struct {
	text    string // within the braces, for messages
	choices []choice
}

// choice is one source of a variable, or at the end a value that is written out.
type choice struct {
	text    string
	kind    string // such as env; "": value holds
	params  []operand
	address operand
	value   any // string, float64, bool or nil
}

// operand is a parameter or an address: pieces that make a string, or a string
// that was quoted.
type operand struct{ pieces []piece }

// parseVariables splits a string into text and variables. What looks like a
// variable of another language, such as ${AWS::Region} and ${Name}, is text, but
// variables within it are found. A backslash before ${ makes it text, and two make
// one.
func parseVariables(s string) ([]piece, error) {
	p := &syntax{s: s}
	err := p.text(nil)
	return p.pieces, err
}

// syntax reads one string from at on.
type syntax struct {
	s      string
	at     int
	pieces []piece
	plain  strings.Builder // text that no piece has yet
	strict bool            // within a variable, where nothing is foreign
	depth  int             // of braces within braces
}

func (p *syntax) flush() {
	if p.plain.Len() > 0 {
		p.pieces = append(p.pieces, piece{text: p.plain.String()})
		p.plain.Reset()
	}
}

// text reads up to one of the runes that end it, or to the end of the string.
func (p *syntax) text(end []byte) error {
	defer p.flush()
	for p.at < len(p.s) {
		rest := p.s[p.at:]
		slashes := len(rest) - len(strings.TrimLeft(rest, `\`))
		switch {
		case slashes > 0 && !p.strict && strings.HasPrefix(rest[slashes:], "${"):
			p.plain.WriteString(rest[:slashes/2])
			if p.at += slashes; slashes%2 == 1 {
				p.plain.WriteString("${")
				p.at += 2
			}
		case strings.HasPrefix(rest, "${"):
			if err := p.open(); err != nil {
				return err
			}
		case strings.IndexByte(string(end), rest[0]) >= 0:
			return nil
		default:
			p.plain.WriteByte(rest[0])
			p.at++
		}
	}
	return nil
}

// opening is the beginning of a variable; ${x::y} is none.
var opening = regexp.MustCompile(`^\$\{[a-z][a-zA-Z0-9.-]*(\(|:[ ]*([^:]|$))`)

// open reads a variable, or what only looks like one.
func (p *syntax) open() error {
	if p.depth++; p.depth > maxDepth {
		return fmt.Errorf("variables are nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	if opening.MatchString(p.s[p.at:]) {
		p.flush()
		ref, err := p.reference()
		if err == nil {
			p.pieces = append(p.pieces, piece{variable: ref})
		}
		return err
	}
	if p.strict {
		return fmt.Errorf("%q within a variable is not of the form ${source:address}", p.s[p.at:])
	}
	p.plain.WriteString("${")
	p.at += 2
	for p.at < len(p.s) {
		switch rest := p.s[p.at:]; {
		case rest[0] == '}':
			return nil // written as text by whoever asked
		case strings.HasPrefix(rest, "${"):
			if err := p.open(); err != nil {
				return err
			}
		default:
			p.plain.WriteByte(rest[0])
			p.at++
		}
	}
	return nil
}

func (p *syntax) reference() (*reference, error) {
	start := p.at
	inner := &syntax{s: p.s, at: start + 2, strict: true, depth: p.depth}
	ref := &reference{}
	for {
		inner.space()
		from := inner.at
		c, err := inner.choice()
		if err != nil {
			return nil, err
		}
		c.text = strings.TrimSpace(p.s[from:inner.at])
		ref.choices = append(ref.choices, c)
		if inner.at >= len(p.s) {
			return nil, fmt.Errorf("%q has no closing }", p.s[start:])
		}
		if inner.at++; p.s[inner.at-1] == '}' {
			break
		}
	}
	p.at = inner.at
	ref.text = p.s[start+2 : p.at-1]
	return ref, nil
}

func (p *syntax) space() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

func (p *syntax) next() byte {
	if p.at < len(p.s) {
		return p.s[p.at]
	}
	return 0
}

var sourceName = regexp.MustCompile(`^[a-z][a-zA-Z0-9.-]*[ ]*[:(]`)

// choice reads one source with its parameters and address, or a value, and stops
// at the comma or brace after it.
func (p *syntax) choice() (c choice, err error) {
	name := sourceName.FindString(p.s[p.at:])
	if name == "" {
		return p.value()
	}
	c.kind = strings.TrimRight(name, " :(")
	if p.at += len(name); strings.HasSuffix(name, "(") {
		if c.params, err = p.params(); err != nil {
			return c, err
		}
		if p.space(); p.next() == ':' {
			p.at++
		} else {
			return c, p.ended()
		}
	}
	p.space()
	c.address, err = p.operand(",}")
	if err == nil {
		err = p.ended()
	}
	return c, err
}

// ended reports what follows where only the next source or the end may.
func (p *syntax) ended() error {
	if p.space(); p.at < len(p.s) && p.next() != ',' && p.next() != '}' {
		return fmt.Errorf("%q in a variable: want , or } here", p.s[p.at:])
	}
	return nil
}

func (p *syntax) params() (list []operand, err error) {
	for {
		p.space()
		o, err := p.operand(",)}")
		if err != nil {
			return nil, err
		}
		if p.space(); p.next() != ',' && p.next() != ')' {
			return nil, fmt.Errorf("%q has a ( without its )", p.s)
		}
		list = append(list, o)
		if p.at++; p.s[p.at-1] == ')' {
			return list, nil
		}
	}
}

// operand reads a quoted string, or pieces up to one of the bytes in end.
func (p *syntax) operand(end string) (operand, error) {
	if c := p.next(); c == '\'' || c == '"' {
		s, err := p.quoted()
		return operand{[]piece{{text: s}}}, err
	}
	p.pieces = nil
	if err := p.text([]byte(end)); err != nil {
		return operand{}, err
	}
	out := p.pieces
	if n := len(out); n > 0 && out[n-1].variable == nil {
		out[n-1].text = strings.TrimRight(out[n-1].text, " \t\r\n")
	}
	return operand{out}, nil
}

// quoted reads a string: in single quotes as it is, in double quotes with the
// escapes of JSON.
func (p *syntax) quoted() (string, error) {
	quote, start := p.s[p.at], p.at
	for p.at++; p.at < len(p.s); p.at++ {
		switch {
		case p.s[p.at] == '\\' && quote == '"':
			p.at++
		case p.s[p.at] == quote:
			p.at++
			if quote == '\'' {
				return p.s[start+1 : p.at-1], nil
			}
			var out string
			if err := json.Unmarshal([]byte(p.s[start:p.at]), &out); err != nil {
				return "", fmt.Errorf("%s in a variable: %w", p.s[start:p.at], err)
			}
			return out, nil
		}
	}
	return "", fmt.Errorf("%q has no closing quote", p.s[start:])
}

// value reads a value that is written out: a quoted string, a number, true, false
// or null, or a variable of its own, which older versions of the framework took.
func (p *syntax) value() (c choice, err error) {
	switch {
	case p.next() == '\'' || p.next() == '"':
		if c.value, err = p.quoted(); err == nil {
			err = p.ended()
		}
		return c, err
	case strings.HasPrefix(p.s[p.at:], "${"):
		o, err := p.operand(",}")
		return choice{kind: "${", address: o}, err
	}
	word := p.s[p.at:]
	if i := strings.IndexAny(word, ",}"); i >= 0 {
		word = word[:i]
	}
	p.at += len(word)
	c.value, err = literal(strings.TrimSpace(word))
	return c, err
}

// literal is a word as JavaScript understands it.
func literal(word string) (any, error) {
	switch word {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	case "":
		return nil, errors.New(`a variable has a comma without a fallback after it; write '' for an empty string`)
	}
	if n, ok := jsNumber(word); ok {
		return n, nil
	}
	return nil, fmt.Errorf("%q in a variable is neither a 'quoted string' nor a source such as env:NAME", word)
}

var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

func jsNumber(word string) (float64, bool) {
	if decimal.MatchString(word) {
		n, err := strconv.ParseFloat(word, 64)
		return n, err == nil
	}
	if len(word) > 2 && word[0] == '0' && strings.ContainsRune("xXoObB", rune(word[1])) {
		n, err := strconv.ParseUint(word, 0, 64)
		return float64(n), err == nil
	}
	return 0, false
}

// formatNumber writes a number as JavaScript does.
func formatNumber(n float64) string {
	if n == 0 || math.IsInf(n, 0) || math.IsNaN(n) {
		return "0"
	}
	out, err := json.Marshal(n)
	if err != nil {
		return "0"
	}
	return string(out)
}
