package pattern

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of what targets get.
const (
	maxInput = 8192 // characters of a constant or a template
	maxPaths = 100
	maxPath  = 256 // characters of a path, and of its name
)

// Input says what a target gets in place of the event it was chosen for; at most
// one member is set, and none is the event as it is.
type Input struct {
	Text        string       `json:"text,omitempty"`        // constant JSON
	Path        string       `json:"path,omitempty"`        // JSONPath of the part of the event
	Transformer *Transformer `json:"transformer,omitempty"` // a text made of parts of the event
}

// Transformer is EventBridge's InputTransformer.
type Transformer struct {
	Paths    map[string]string `json:"paths,omitempty"` // JSONPaths by the name that the template has for them
	Template string            `json:"template"`        // with <name> where a part goes
}

// Origin is what templates may tell of where an event comes from.
type Origin struct {
	RuleARN, RuleName string
	Ingested          time.Time // when the bus got the event
}

var pathName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationException", format, args...)
}

// Check says what is wrong with an input, fault.Invalid.
func (in Input) Check() error {
	given := 0
	for _, is := range []bool{in.Text != "", in.Path != "", in.Transformer != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return invalid("Only one of Input, InputPath, or InputTransformer must be provided.")
	}
	if in.Text != "" {
		return checkText(in.Text)
	}
	if in.Path != "" {
		if _, err := parsePath(in.Path); err != nil {
			return invalid("InputPath is not valid: %w", err)
		}
	}
	if in.Transformer != nil {
		return in.Transformer.check()
	}
	return nil
}

func checkText(text string) error {
	if n := len([]rune(text)); n > maxInput {
		return invalid("Input has %d characters, at most %d", n, maxInput)
	}
	if !json.Valid([]byte(text)) {
		return invalid("Input is not JSON; a text is put in double quotes")
	}
	return nil
}

func (t *Transformer) check() error {
	if len(t.Paths) > maxPaths {
		return invalid("InputPathsMap has %d paths, at most %d", len(t.Paths), maxPaths)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Paths)) {
		if !pathName.MatchString(name) || len(name) > maxPath || strings.HasPrefix(strings.ToUpper(name), "AWS.") {
			return invalid("InputPathsMap: the name %q is not 1 to %d letters, digits, - and _", name, maxPath)
		}
		if _, err := parsePath(t.Paths[name]); err != nil {
			return invalid("InputPathsMap: %s: %w", name, err)
		}
	}
	if n := len([]rune(t.Template)); n < 1 || n > maxInput {
		return invalid("InputTemplate has %d characters; it has 1 to %d", n, maxInput)
	}
	if err := checkTemplate(t.Template); err != nil {
		return invalid("InputTemplate is not valid: %w", err)
	}
	return nil
}

// Apply returns what a target gets of an event, which is JSON. Where a path leads to
// nothing, it is null.
func (in Input) Apply(event []byte, from Origin) ([]byte, error) {
	switch {
	case in.Text != "":
		return []byte(in.Text), nil
	case in.Path != "":
		p, err := parsePath(in.Path)
		if err != nil {
			return nil, err
		}
		if part, ok := p.in(event); ok {
			return part, nil
		}
		return []byte("null"), nil
	case in.Transformer != nil:
		return in.Transformer.apply(event, from)
	}
	return event, nil
}
