package pattern

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// path is a JSONPath as EventBridge reads it: $.name, [3], [*] and .*, one after the
// other.
type path []step

// step goes from a value to a member, an item, or, with all, to every one.
type step struct {
	name  string
	index int // of an item, where there is no name
	all   bool
}

func parsePath(text string) (path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok || len(text) > maxPath {
		return nil, fmt.Errorf("%q is not a path such as $.detail.state of at most %d bytes", text, maxPath)
	}
	var p path
	for rest != "" {
		var s step
		var err error
		if rest, err = s.parse(rest); err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		p = append(p, s)
	}
	return p, nil
}

func (s *step) parse(text string) (rest string, err error) {
	if inside, ok := strings.CutPrefix(text, "["); ok {
		inside, rest, ok = strings.Cut(inside, "]")
		if s.all = inside == "*"; s.all && ok {
			return rest, nil
		}
		if s.index, err = strconv.Atoi(inside); err != nil || s.index < 0 || !ok {
			return "", fmt.Errorf("%q is not [0], [1] … or [*]; members are named with a dot", text)
		}
		return rest, nil
	}
	name, dotted := strings.CutPrefix(text, ".")
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	s.name, rest = name[:end], name[end:]
	if s.name == "*" {
		*s = step{all: true}
		return rest, nil
	}
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_/:@$", r)
	}
	if !dotted || s.name == "" || strings.ContainsFunc(s.name, odd) {
		return "", fmt.Errorf("%q does not go on with .name, [0] or [*]; names have letters, digits, -, _ and /", text)
	}
	return rest, nil
}

// in returns the part of a JSON value that the path leads to. What several steps lead
// to is an array.
func (p path) in(doc []byte) (part []byte, ok bool) {
	var found [][]byte
	many := false
	for _, s := range p {
		many = many || s.all
	}
	p.walk(trim(doc), func(part []byte) { found = append(found, part) })
	if !many {
		if len(found) == 0 {
			return nil, false
		}
		return found[0], true
	}
	list := []byte{'['}
	for i, part := range found {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, part...)
	}
	return append(list, ']'), true
}

// trim is a value without the space around it.
func trim(doc []byte) []byte {
	from := space(doc, 0)
	if end := skip(doc, from, 0); end != broken {
		return doc[from:end]
	}
	return nil
}

func (p path) walk(value []byte, found func(part []byte)) {
	if len(p) == 0 {
		if len(value) > 0 {
			found(value)
		}
		return
	}
	s, rest := p[0], p[1:]
	switch {
	case len(value) == 0:
	case value[0] == '{' && (s.all || s.name != ""):
		var last []byte // of members of the same name
		members(value, 0, 0, func(name, v []byte) {
			if s.all {
				rest.walk(v, found)
			} else if meaning(name) == s.name {
				last = v
			}
		})
		rest.walk(last, found)
	case value[0] == '[' && s.name == "":
		i := 0
		items(value, 0, 0, func(v []byte) {
			if s.all || i == s.index {
				rest.walk(v, found)
			}
			i++
		})
	}
}

// meaning is what a string in quotes means.
func meaning(s []byte) string { return string(unquote(nil, s)) }
