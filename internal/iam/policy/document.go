// Package policy reads JSON policy documents and decides by them, as AWS does.
//
// It is pure: it holds no state and asks nobody. A document is checked and
// compiled once, when it is written; deciding by it compiles nothing. What a
// document says that this package does not know (an operator, a condition key, an
// element) is refused when it is written, because a condition that is ignored is a
// permission that nobody gave.
//
// Where AWS leaves a choice, the choice is the one that gives less: a variable
// that has no value makes its pattern match nothing, and an Allow with NotResource
// that holds such a pattern does not apply at all.
package policy

import (
	"slices"
	"strings"
)

// Kind is what a document is attached to, which decides the elements that it must
// and must not have.
type Kind uint8

// The kinds of document.
const (
	Identity Kind = iota // of a user, group or role, or of a session: no principal
	Resource             // of a topic, key, function, bucket: names principals
	Trust                // of a role: who may assume it; no resource
)

// Document is a parsed policy. It is immutable and safe for concurrent use; the
// zero Document has no statements.
type Document struct {
	ID         string // the element Id
	text       string
	statements []statement
}

// String is the document as it was written.
func (d Document) String() string { return d.text }

// ContextKeys are the condition keys that the document asks for, in conditions and
// in variables, as it spells them, sorted.
func (d Document) ContextKeys() []string {
	seen := map[string]string{}
	for _, s := range d.statements {
		s.keys(func(key string) {
			if lower := strings.ToLower(key); seen[lower] == "" {
				seen[lower] = key
			}
		})
	}
	list := make([]string, 0, len(seen))
	for _, key := range seen {
		list = append(list, key)
	}
	slices.Sort(list)
	return list
}

// Position is a place in a document's text; both count from 1.
type Position struct{ Line, Column int }

// statement is one compiled Statement.
type statement struct {
	sid        string
	deny       bool
	actions    []pattern
	notActions bool
	resources  []resource
	notRes     bool
	anywhere   bool // no Resource element: of a trust policy
	principals []principal
	notPrinc   bool
	conditions []condition
	start, end Position
}

func (s *statement) keys(yield func(string)) {
	for i := range s.conditions {
		c := &s.conditions[i]
		yield(c.key)
		for j := range c.values {
			c.values[j].text.variables(yield)
			c.values[j].arn.variables(yield)
		}
	}
	for i := range s.resources {
		s.resources[i].variables(yield)
	}
}
