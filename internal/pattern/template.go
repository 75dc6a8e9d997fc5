package pattern

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
)

// variable is a place in a template where a part goes.
var variable = regexp.MustCompile(`<[A-Za-z0-9_.-]+>`)

// checkTemplate says what is wrong with a template. It is JSON once its variables are
// filled in: an object, an array, or texts in quotes.
func checkTemplate(template string) error {
	filled, err := fill(template, func(_ string, inside bool) (string, error) {
		if inside {
			return "", nil
		}
		return "0", nil
	})
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(filled))
	for {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return refusal("with its variables filled in it is not JSON, and a text is put in double quotes: %w", err)
		}
	}
}

// fill puts values in place of the variables of a template; value is told whether
// one stands inside quotes.
func fill(template string, value func(name string, inside bool) (string, error)) (string, error) {
	var out strings.Builder
	inside, held := false, false // in quotes; which hold a variable
	for i := 0; i < len(template); i++ {
		switch b := template[i]; {
		case b == '\\' && inside && i+1 < len(template):
			out.WriteString(template[i : i+2])
			i++
		case b == '"':
			inside = !inside
			out.WriteByte(b)
			if !inside && held && strings.HasPrefix(strings.TrimLeft(template[i+1:], " \t\r\n"), ":") {
				return "", refusal("a variable cannot be the name of a member: %.40q", template[:i+1])
			}
			held = held && inside
		case b == '<' && startsVariable(template[i:]):
			end := i + strings.IndexByte(template[i:], '>')
			v, err := value(template[i+1:end], inside)
			if err != nil {
				return "", err
			}
			out.WriteString(v)
			i, held = end, inside
		default:
			out.WriteByte(b)
		}
	}
	return out.String(), nil
}

func startsVariable(text string) bool {
	at := variable.FindStringIndex(text)
	return at != nil && at[0] == 0
}

// apply fills a template with parts of an event. Outside of quotes a part is JSON;
// inside it is a text: of a string what it means, of anything else how it is written,
// which in a template that is itself a text loses its quotes, as it does at AWS. A
// path that leads to nothing is the empty text.
func (t *Transformer) apply(event []byte, from Origin) ([]byte, error) {
	trimmed := strings.TrimLeft(t.Template, " \t\r\n")
	document := strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")
	filled, err := fill(t.Template, func(name string, inside bool) (string, error) {
		part, err := t.part(name, event, from)
		switch {
		case err != nil:
			return "", err
		case !inside && part == nil:
			return `""`, nil
		case !inside:
			return string(part), nil
		case part == nil:
			return "", nil
		case part[0] == '"':
			return string(part[1 : len(part)-1]), nil
		case document:
			return text(string(part)), nil
		}
		return text(strings.ReplaceAll(string(part), `"`, "")), nil
	})
	return []byte(filled), err
}

// part is the JSON that a variable stands for, nil for none.
func (t *Transformer) part(name string, event []byte, from Origin) ([]byte, error) {
	switch name {
	case "aws.events.rule-arn":
		return []byte(`"` + text(from.RuleARN) + `"`), nil
	case "aws.events.rule-name":
		return []byte(`"` + text(from.RuleName) + `"`), nil
	case "aws.events.event.ingestion-time":
		return []byte(from.Ingested.UTC().Format(`"2006-01-02T15:04:05Z"`)), nil
	case "aws.events.event.json":
		return trim(event), nil
	case "aws.events.event":
		return without(event, "detail"), nil
	}
	where, known := t.Paths[name]
	if !known {
		return nil, nil
	}
	p, err := parsePath(where)
	if err != nil {
		return nil, err
	}
	part, _ := p.in(event)
	return part, nil
}

// without is an object without one member.
func without(event []byte, member string) []byte {
	out := []byte{'{'}
	members(trim(event), 0, 0, func(name, value []byte) {
		if meaning(name) == member {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	})
	return append(out, '}')
}

// text is what stands in quotes for s.
func text(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\"\n")[1:]
}
