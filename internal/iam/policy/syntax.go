package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/fault"
)

// maxDepth is deeper than any policy: a document, a statement, a condition, its
// operator, its key, its values.
const maxDepth = 8

// maxMembers are more than any object of a policy has use for.
const maxMembers = 256

// MaxSize is more characters than any service allows a policy to have.
const MaxSize = 128 << 10

// node is a JSON value that knows where it stands.
type node struct {
	path    string // such as Statement[0].Effect
	at, end int    // offsets
	kind    json.Delim
	text    string // of a string, number or boolean
	members []node // of an object, in its order
	name    string // of a member
	items   []node // of a list
}

// The kinds that no delimiter stands for.
const (
	isString json.Delim = '"'
	isScalar json.Delim = '0' // a number or boolean
	isNull   json.Delim = 'n'
)

// reader turns a document's text into nodes.
type reader struct {
	text string
	dec  *json.Decoder
}

// malformed is AWS's error for a document, with the place.
func (r *reader) malformed(n node, format string, args ...any) error {
	where := n.path
	if where == "" {
		where = "the document"
	}
	p := r.position(n.at)
	return fault.Coded(fault.Invalid, "MalformedPolicyDocument", "policy, line %d, column %d: %s: %s", p.Line, p.Column, where, fmt.Sprintf(format, args...))
}

func (r *reader) position(offset int) Position {
	before := r.text[:min(offset, len(r.text))]
	return Position{1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}

// read parses a whole document.
func (r *reader) read() (node, error) {
	switch {
	case len(r.text) > MaxSize:
		return node{}, fault.Coded(fault.Invalid, "MalformedPolicyDocument", "the policy has %d bytes; %d is the most", len(r.text), MaxSize)
	case !utf8.ValidString(r.text):
		return node{}, fault.Coded(fault.Invalid, "MalformedPolicyDocument", "the policy is not UTF-8")
	}
	r.dec = json.NewDecoder(strings.NewReader(r.text))
	r.dec.UseNumber()
	n, err := r.value("", 0)
	if err != nil {
		return n, r.explain(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return n, r.malformed(node{at: n.end}, "something follows its end")
	}
	return n, nil
}

// explain makes a reader's error one that says where it is.
func (r *reader) explain(err error) error {
	if fault.CodeOf(err) != "" {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.malformed(node{at: len(r.text)}, "it ends too early to be JSON")
	}
	return r.malformed(node{at: int(r.dec.InputOffset())}, "it is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func (r *reader) value(path string, depth int) (node, error) {
	n := node{path: path, at: r.next()}
	if depth > maxDepth {
		return n, r.malformed(n, "nested deeper than any policy")
	}
	token, err := r.dec.Token()
	if err != nil {
		return n, err
	}
	switch v := token.(type) {
	case json.Delim:
		n.kind = v
		err = r.inside(&n, depth)
	case string:
		n.kind, n.text = isString, v
	case json.Number:
		n.kind, n.text = isScalar, v.String()
	case bool:
		n.kind, n.text = isScalar, fmt.Sprint(v)
	default:
		n.kind = isNull
	}
	n.end = int(r.dec.InputOffset())
	return n, err
}

// inside reads the members or items up to the closing delimiter.
func (r *reader) inside(n *node, depth int) error {
	for i := 0; r.dec.More(); i++ {
		if n.kind == '[' {
			item, err := r.value(fmt.Sprintf("%s[%d]", n.path, i), depth+1)
			if err != nil {
				return err
			}
			n.items = append(n.items, item)
			continue
		}
		at := r.next()
		key, err := r.dec.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		member, err := r.value(strings.TrimPrefix(n.path+"."+name, "."), depth+1)
		if err != nil {
			return err
		}
		member.name = name
		if len(n.members) == maxMembers {
			return r.malformed(node{path: member.path, at: at}, "an object of a policy has at most %d members", maxMembers)
		}
		if _, twice := n.member(name); twice {
			return r.malformed(node{path: member.path, at: at}, "given twice")
		}
		n.members = append(n.members, member)
	}
	_, err := r.dec.Token() // the closing delimiter
	return err
}

// next is where the next token begins.
func (r *reader) next() int {
	at := min(int(r.dec.InputOffset()), len(r.text))
	return at + len(r.text[at:]) - len(strings.TrimLeft(r.text[at:], " \t\r\n,:"))
}

func (n *node) member(name string) (node, bool) {
	for _, m := range n.members {
		if m.name == name {
			return m, true
		}
	}
	return node{}, false
}

// strings are the text of a string or of a list of strings; scalars too where
// numbers and booleans may stand without quotes.
func (r *reader) strings(n node, scalars bool) ([]node, error) {
	list := n.items
	if n.kind != '[' {
		list = []node{n}
	}
	for _, item := range list {
		if item.kind != isString && (!scalars || item.kind != isScalar) {
			return nil, r.malformed(item, "must be a string or a list of strings")
		}
	}
	if len(list) == 0 {
		return nil, r.malformed(n, "must not be empty")
	}
	return list, nil
}
