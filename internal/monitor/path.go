package monitor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// step is a part of a path in JSON: the key of an object, or a place in an array.
type step struct {
	key   string
	place int // from 0; negative: from the end
	array bool
}

// parsePath reads a path such as $.data.items[0]["a.b"]; $ is optional.
func parsePath(text string) (steps []step, err error) {
	rest := strings.TrimPrefix(text, "$")
	if text == "" {
		return nil, errors.New("the path is empty; $ is all of the document")
	}
	for first := true; rest != ""; first = false {
		switch {
		case strings.HasPrefix(rest, `["`):
			quoted, err := strconv.QuotedPrefix(rest[1:])
			if err != nil {
				return nil, fmt.Errorf("%s: a quoted key is not closed", text)
			}
			key, err := strconv.Unquote(quoted)
			after, closed := strings.CutPrefix(rest[1+len(quoted):], "]")
			if err != nil || !closed {
				return nil, fmt.Errorf("%s: a quoted key is not closed", text)
			}
			steps, rest = append(steps, step{key: key}), after
		case rest[0] == '[':
			inner, after, closed := strings.Cut(rest[1:], "]")
			place, err := strconv.Atoi(inner)
			if err != nil || !closed {
				return nil, fmt.Errorf(`%s: between [ and ] there is a number or a key in double quotes`, text)
			}
			steps, rest = append(steps, step{place: place, array: true}), after
		case rest[0] == '.' || first && !strings.HasPrefix(text, "$"):
			rest = strings.TrimPrefix(rest, ".")
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 {
				return nil, fmt.Errorf("%s: a key is empty", text)
			}
			steps, rest = append(steps, step{key: rest[:end]}), rest[end:]
		default:
			return nil, fmt.Errorf("%s: %q is not expected", text, rest)
		}
	}
	return steps, nil
}

// find follows a path.
func find(document any, steps []step) (any, bool) {
	for _, s := range steps {
		switch value := document.(type) {
		case map[string]any:
			inner, there := value[s.key]
			if s.array || !there {
				return nil, false
			}
			document = inner
		case []any:
			place := s.place
			if place < 0 {
				place += len(value)
			}
			if !s.array || place < 0 || place >= len(value) {
				return nil, false
			}
			document = value[place]
		default:
			return nil, false
		}
	}
	return document, true
}
