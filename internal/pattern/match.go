package pattern

import (
	"bytes"
	"sync"
)

// reading is what the matching of one event needs: the values that objects are
// asked for, one window above the other, and room for a text with escapes.
type reading struct {
	values [][]byte
	text   []byte
	scalar scalar
}

var readings = sync.Pool{New: func() any { return new(reading) }}

// Match reports whether the pattern chooses an event, which is a JSON object; what is
// none is not chosen. An array matches when any of its values does, and the members
// of an object in one are looked at together.
func (p *Pattern) Match(event []byte) bool {
	start := space(event, 0)
	if start == len(event) || event[start] != '{' {
		return false
	}
	r := readings.Get().(*reading)
	defer r.release()
	base := r.open(&p.all)
	end := r.read(&p.all, base, event, start)
	if end == broken || space(event, end) != len(event) {
		return false
	}
	return r.holds(&p.all.need, base)
}

// release gives the room back; nothing of the event is kept.
func (r *reading) release() {
	clear(r.values[:cap(r.values)])
	r.values, r.text, r.scalar = r.values[:0], r.text[:0], scalar{}
	if cap(r.text) <= 64<<10 {
		readings.Put(r)
	}
}

// open makes a window for an object, empty.
func (r *reading) open(o *object) (base int) {
	base = len(r.values)
	for range o.names {
		r.values = append(r.values, nil)
	}
	return base
}

// read fills the window of the object at i and returns where it ends. Of members of
// the same name the last one counts.
func (r *reading) read(o *object, base int, doc []byte, i int) (end int) {
	return members(doc, i, 0, func(name, value []byte) {
		slot, wanted := o.names[string(r.meaning(name))]
		if wanted {
			r.values[base+slot] = value
		}
	})
}

// meaning is what a string in quotes means, until the next call.
func (r *reading) meaning(s []byte) []byte {
	if bytes.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1]
	}
	r.text = unquote(r.text[:0], s)
	return r.text
}

// holds says whether the window has what is needed.
func (r *reading) holds(n *need, base int) bool {
	for i := range n.fields {
		f := &n.fields[i]
		value := r.values[base+f.slot]
		if f.nested != nil && !r.within(f.nested, value) || f.leaf != nil && !r.any(f.leaf, value) {
			return false
		}
	}
	for _, or := range n.ors {
		if !r.oneOf(or, base) {
			return false
		}
	}
	return true
}

func (r *reading) oneOf(or []need, base int) bool {
	for i := range or {
		if r.holds(&or[i], base) {
			return true
		}
	}
	return false
}

// within matches an object, or any object of an array. What is neither has no
// members, which is what exists: false asks for.
func (r *reading) within(o *object, value []byte) bool {
	if len(value) > 0 && value[0] == '[' {
		found, empty := false, true
		items(value, 0, 0, func(item []byte) {
			empty = false
			found = found || r.within(o, item)
		})
		if !empty {
			return found
		}
	}
	base := r.open(o)
	if len(value) > 0 && value[0] == '{' {
		r.read(o, base, value, 0)
	}
	ok := r.holds(&o.need, base)
	r.values = r.values[:base]
	return ok
}

// any says whether any scalar of a value passes a leaf. Objects have none; neither
// has what is not there, nil, nor an empty array.
func (r *reading) any(l *leaf, value []byte) bool {
	there, passed := r.scalars(l, value)
	return passed || l.there && there || l.absent && !there
}

func (r *reading) scalars(l *leaf, value []byte) (there, passed bool) {
	if len(value) == 0 || value[0] == '{' {
		return false, false
	}
	if value[0] == '[' {
		items(value, 0, 0, func(item []byte) {
			if !passed {
				t, p := r.scalars(l, item)
				there, passed = there || t, p
			}
		})
		return there, passed
	}
	return true, r.passes(l, value)
}

func (r *reading) passes(l *leaf, value []byte) bool {
	r.scalar = scalar{kind: value[0], text: value}
	s := &r.scalar
	switch {
	case s.kind == '"':
		s.text = r.meaning(value)
		if _, equal := l.texts[string(s.text)]; equal {
			return true
		}
	case s.kind == '-' || '0' <= s.kind && s.kind <= '9':
		s.kind = '0'
		if len(l.tests) > 0 {
			s.number, s.small = scaled(value)
		}
	}
	for _, is := range l.tests {
		if is(s) {
			return true
		}
	}
	return false
}
