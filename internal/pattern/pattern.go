// Package pattern is EventBridge's language of events: patterns that choose them,
// and what a target gets of one.
//
// A pattern is compiled once and then reads events as they are, as bytes: what no
// field of it asks for is skipped, and nothing is decoded that is not compared. The
// libraries that there are do not read all of AWS's language; `numeric`, `cidr` and
// `$or` are what they miss most.
package pattern

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of a pattern.
const (
	MaxPattern      = 4096 // characters
	maxCombinations = 1000 // that the alternatives of $or make
	maxDepth        = 64   // of objects in a pattern; AWS names no number
)

// Pattern is a compiled event pattern. It is safe for concurrent use.
type Pattern struct {
	text string
	all  object
}

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// refusal is why a pattern is none, in AWS's words where they are known.
func refusal(format string, args ...any) error { return fmt.Errorf(format, args...) }

// Parse compiles a pattern. What it refuses is fault.Invalid with the code
// InvalidEventPatternException, and says what is wrong and at which field.
func Parse(text string) (*Pattern, error) {
	all, err := parse(text)
	if err != nil {
		return nil, fault.Coded(fault.Invalid, "InvalidEventPatternException", "Event pattern is not valid. Reason: %w", err)
	}
	return &Pattern{text: text, all: all}, nil
}

func parse(text string) (object, error) {
	if n := len([]rune(text)); n > MaxPattern {
		return object{}, refusal("it has %d characters, at most %d", n, MaxPattern)
	}
	doc, err := decode([]byte(text))
	if err != nil {
		return object{}, refusal("it is not JSON: %v", err)
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return object{}, refusal("Filter is not an object")
	}
	c := compiler{}
	all, combinations, err := c.object(root)
	if err != nil {
		return object{}, err
	}
	if combinations > maxCombinations {
		return object{}, refusal("Rule is too complex: the alternatives of $or make %d combinations, at most %d", combinations, maxCombinations)
	}
	return all, nil
}

// decode decodes exactly one JSON value; numbers stay as written.
func decode(doc []byte) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return v, nil
}
