package logs

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Bounds of what is taken out of a message of JSON. Members beyond them are found by
// looking at the message, and the message is kept as it is.
const (
	maxColumns  = 500 // of a block
	maxDepth    = 8
	maxMembers  = 250 // of a message, arrays' elements being such as well
	maxValue    = 8 << 10
	maxPathName = 256
)

// member is a value of a message of JSON that is no object or array: a string, which
// has no quotation marks any more, a number, true or false.
type member struct {
	path     string
	value    string
	from, to int // where it is in the message
	quoted   bool
	exact    bool // written as we would write it
}

// document takes a message of JSON apart.
type document struct {
	text    string
	at      int
	path    []byte
	members []member
	more    bool // there is more than the bounds allow

	wanted string // the one path that is asked for, without bounds; "": all
}

// read visits the members of a message; false: it is no object of JSON, and nothing
// else.
func (d *document) read(message string) bool {
	d.text, d.at, d.path, d.members, d.more = message, 0, d.path[:0], d.members[:0], false
	if len(message) < 2 || message[0] != '{' {
		return false
	}
	if !d.object(1) {
		return false
	}
	d.space()
	return d.at == len(d.text)
}

// find looks for a path in a message: the last that there is of it becomes the only
// member.
func (d *document) find(message, path string) bool {
	d.wanted = path
	return d.read(message) && len(d.members) == 1
}

func (d *document) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

func (d *document) take(c byte) bool {
	d.space()
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

func (d *document) object(depth int) bool {
	if !d.take('{') || depth > 64 {
		return false
	}
	if d.take('}') {
		return true
	}
	for {
		d.space()
		name, _, ok := d.string()
		if !ok || !d.take(':') || !d.below(name, depth) {
			return false
		}
		if !d.take(',') {
			return d.take('}')
		}
	}
}

func (d *document) array(depth int) bool {
	if !d.take('[') || depth > 64 {
		return false
	}
	if d.take(']') {
		return true
	}
	for i := 0; ; i++ {
		if !d.below(strconv.Itoa(i), depth) {
			return false
		}
		if !d.take(',') {
			return d.take(']')
		}
	}
}

// below reads the value of a name.
func (d *document) below(name string, depth int) bool {
	n := len(d.path)
	defer func() { d.path = d.path[:n] }()
	if n > 0 {
		d.path = append(d.path, '.')
	}
	d.path = append(d.path, name...)
	d.space()
	if d.at == len(d.text) {
		return false
	}
	from := d.at
	switch c := d.text[d.at]; {
	case c == '{':
		return d.object(depth + 1)
	case c == '[':
		return d.array(depth + 1)
	case c == '"':
		value, exact, ok := d.string()
		if ok {
			d.keep(member{value: value, from: from + 1, to: d.at - 1, quoted: true, exact: exact}, depth)
		}
		return ok
	case strings.HasPrefix(d.text[d.at:], "null"):
		d.at += len("null")
		return true
	}
	for d.at < len(d.text) && bare[d.text[d.at]] {
		d.at++
	}
	value := d.text[from:d.at]
	if !scalar(value) {
		return false
	}
	d.keep(member{value: value, from: from, to: d.at, exact: true}, depth)
	return true
}

func (d *document) keep(m member, depth int) {
	if d.wanted != "" {
		if string(d.path) == d.wanted {
			d.members = append(d.members[:0], m)
		}
		return
	}
	if depth > maxDepth || len(d.members) == maxMembers || len(m.value) > maxValue || len(d.path) > maxPathName {
		d.more = true
		return
	}
	m.path = string(d.path)
	d.members = append(d.members, m)
}

// string reads one, which is next.
func (d *document) string() (value string, exact, ok bool) {
	if d.at == len(d.text) || d.text[d.at] != '"' {
		return "", false, false
	}
	from := d.at + 1
	simple := true
	for i := from; i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c < ' ':
			return "", false, false
		case c == '\\':
			simple = false
			i++
		case c == '"':
			d.at = i + 1
			if simple {
				return d.text[from:i], true, true
			}
			if json.Unmarshal([]byte(d.text[from-1:i+1]), &value) != nil {
				return "", false, false
			}
			return value, string(appendEscaped(nil, value)) == d.text[from:i] && escaped(value), true
		}
	}
	return "", false, false
}
