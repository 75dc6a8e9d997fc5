// Package policy reads JSON policy documents and decides by them, as AWS does.
//
// It is pure: it holds no state and asks nobody. A document is checked and
// compiled once, when it is written; deciding by it compiles nothing. What a
// document says that this package does not know (an operator, a condition key, an
// element) is refused when it is written, because a condition that is ignored is a
// permission that nobody gave.
package policy

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
	ID   string // the element Id
	text string
}

// String is the document as it was written.
func (d Document) String() string { return d.text }
