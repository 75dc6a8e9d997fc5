package spec

import (
	"encoding/json"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Policy is a policy document: JSON that says what a role may do. What it means is
// asked of the room that decides by it.
type Policy struct {
	Pos      Pos
	Name     string
	Document string // JSON, in lines as in the file
	Lines    []Pos  `json:"-"` // the place of each line of Document
}

// At is the place of a line of the document, which count from 1.
func (p *Policy) At(line int) Pos {
	if line < 1 || line > len(p.Lines) {
		return p.Pos
	}
	return p.Lines[line-1]
}

// policyVersion is the version of documents that the Serverless Framework and
// its plugins write.
const policyVersion = "2012-10-17"

// policyWriter writes a document in as many lines as it has in the file, and
// remembers which they were.
type policyWriter struct {
	*reader
	what  string
	text  strings.Builder
	lines []Pos
}

// document renders a policy document as it stands in a CloudFormation template.
func (r *reader) document(n *node, name, what string) Policy {
	w := policyWriter{reader: r, what: what}
	w.value(n, n.pos)
	return Policy{Pos: n.pos, Name: name, Document: w.text.String(), Lines: w.lines}
}

// statements renders lists of statements as one document; ok is false when there
// is no statement.
func (r *reader) statements(name, what string, lists ...*node) (p Policy, ok bool) {
	w := policyWriter{reader: r, what: what}
	first := Pos{}
	for _, n := range lists {
		if n = r.vars.resolve(n); n == nil || n.kind == null || !r.is(n, list, what) {
			continue
		}
		for _, item := range n.items {
			if item = r.vars.resolve(item); item.kind == null || item.kind == broken {
				continue
			}
			if len(w.lines) == 0 {
				first = n.pos
				w.write(n.pos, `{"Version": "`+policyVersion+`", "Statement": [`)
			} else {
				w.text.WriteString(", ")
			}
			w.value(item, item.pos)
		}
	}
	if len(w.lines) == 0 {
		return Policy{}, false
	}
	w.text.WriteString("]}")
	return Policy{Pos: first, Name: name, Document: w.text.String(), Lines: w.lines}, true
}

// write writes a token whose place is pos.
func (w *policyWriter) write(pos Pos, token string) {
	if n := len(w.lines); n == 0 || w.lines[n-1].File != pos.File || w.lines[n-1].Line != pos.Line {
		if n > 0 {
			w.text.WriteByte('\n')
		}
		w.lines = append(w.lines, pos)
	}
	w.text.WriteString(token)
}

// value writes a value whose place is pos; what CloudFormation's functions make is
// a string.
func (w *policyWriter) value(n *node, pos Pos) {
	n = w.vars.resolve(n)
	if !w.spend(n) {
		w.write(pos, "null")
		return
	}
	switch {
	case isIntrinsic(n):
		w.granting = true
		s := w.reader.value(n, w.what)
		w.granting = false
		w.string(pos, s)
	case n.kind == object:
		w.write(pos, "{")
		for i, f := range n.fields {
			if i > 0 {
				w.text.WriteString(", ")
			}
			w.string(f.pos, f.key)
			w.text.WriteString(": ")
			w.value(f.value, f.pos)
		}
		w.text.WriteByte('}')
	case n.kind == list:
		w.write(pos, "[")
		for i, item := range n.items {
			if i > 0 {
				w.text.WriteString(", ")
			}
			w.value(item, item.pos)
		}
		w.text.WriteByte(']')
	case n.kind == boolean, n.kind == number && json.Valid([]byte(n.text)):
		w.write(pos, n.text)
	case n.kind == null, n.kind == broken:
		w.write(pos, "null")
	default:
		w.string(pos, n.text)
	}
}

func (w *policyWriter) string(pos Pos, s string) {
	quoted, err := json.Marshal(s)
	if err != nil {
		w.fail(pos, "%s: %v", w.what, err)
	}
	w.write(pos, string(quoted))
}

// undeployedResource stands for a resource of a type that is not deployed here,
// which a policy may name all the same: it names nothing.
func (r *reader) undeployedResource(id string) resource {
	name := r.svc.Stack() + "-" + id
	nothing := arn.ARN{Partition: "aws", Service: "cloudformation", Region: r.svc.Region, Account: arn.Account, Resource: "undeployed/" + name}.String()
	return resource{name: name, ref: name, atts: map[string]string{"": nothing}}
}

// named finds what Ref and Fn::GetAtt name.
func (r *reader) named(id, att string) (res resource, ok bool) {
	if res, ok = r.names[id]; ok || !r.granting {
		return res, ok
	}
	if res, ok = r.undone[id]; ok {
		res.atts, r.touched = map[string]string{att: res.atts[""]}, true
	}
	return res, ok
}
