package accesslog

import (
	"strconv"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/wire"
)

// appendMessage appends a record as the JSON object that the log store keeps: fields
// have the names of CloudFront's standard log and their values as they are, numbers
// as numbers; those that are empty are left out. Our own come last.
func appendMessage(b []byte, r *edge.AccessRecord) []byte {
	b = append(b, '{')
	for i := range standard {
		b = standard[i].appendMember(b, r)
	}
	b = rule.appendMember(b, r)
	b = stack.appendMember(b, r)
	if len(r.Labels) > 0 {
		b = append(b, `,"x-dropstack-labels":[`...)
		for i, label := range r.Labels {
			if i > 0 {
				b = append(b, ',')
			}
			b = wire.AppendString(b, label)
		}
		b = append(b, ']')
	}
	if r.Refused {
		b = append(b, `,"x-dropstack-refused":true`...)
	}
	return append(b, '}')
}

func (f *field) appendMember(b []byte, r *edge.AccessRecord) []byte {
	text, isText := "", true
	switch {
	case f.text != nil:
		text = *f.text(r)
	case f.value != nil:
		text = f.value(r)
	default:
		isText = false
	}
	number := f.whole != nil || f.small != nil
	if isText && text == "" || number && f.number(r) == f.none {
		return b
	}
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, f.name...)
	b = append(b, '"', ':')
	switch {
	case isText:
		return wire.AppendString(b, text)
	case number:
		return strconv.AppendInt(b, f.number(r), 10)
	case f.span != nil:
		return f.append(b, r)
	}
	return append(f.append(append(b, '"'), r), '"')
}
