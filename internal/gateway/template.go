package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// origin is a place that a value is taken from: a part of the request, a variable,
// or a text.
type origin struct {
	place string // header, querystring, path, context, stageVariables; "" is a text
	name  string // in it
}

// parseOrigin reads how REST APIs and HTTP APIs name places:
// "method.request.header.X", "$request.header.X", "context.identity.sourceIp",
// "stageVariables.X", "'text'".
func parseOrigin(text string) (origin, error) {
	if inner, ok := strings.CutPrefix(text, "'"); ok && len(inner) > 0 {
		if inner, ok = strings.CutSuffix(inner, "'"); ok {
			return origin{name: inner}, nil
		}
	}
	rest := strings.TrimPrefix(text, "$")
	if part, ok := strings.CutPrefix(strings.TrimPrefix(rest, "method."), "request."); ok {
		place, name, _ := strings.Cut(part, ".")
		place = strings.TrimPrefix(place, "multivalue")
		if name != "" && (place == "header" || place == "querystring" || place == "path") {
			return origin{place, name}, nil
		}
		return origin{}, fmt.Errorf("%q: after request stands header.NAME, querystring.NAME or path.NAME", text)
	}
	if place, name, _ := strings.Cut(rest, "."); name != "" && (place == "context" || place == "stageVariables") {
		return origin{place, name}, nil
	}
	return origin{}, fmt.Errorf("%q names no place in a request; write method.request.header.NAME (in HTTP APIs $request.header.NAME), querystring, path, context.NAME or stageVariables.NAME", text)
}

// of returns the value in a request; false when it has none.
func (o origin) of(r *request) (string, bool) {
	switch o.place {
	case "header":
		if strings.EqualFold(o.name, "Host") {
			return r.Host, r.Host != ""
		}
		values := r.Header.Values(o.name)
		if len(values) == 0 {
			return "", false
		}
		return values[len(values)-1], true
	case "querystring":
		value, ok := "", false
		for _, pair := range parseQuery(r.URL.RawQuery) {
			if pair[0] == o.name {
				value, ok = pair[1], true
			}
		}
		return value, ok
	case "path":
		value, ok := r.parameters()[o.name]
		return value, ok
	case "context":
		return r.variable(o.name)
	case "stageVariables":
		value, ok := r.api.Variables[o.name]
		return value, ok
	}
	return o.name, true
}

// template is a text with variables in it.
type template []piece

type piece struct {
	text string // before the variable
	from origin // zero in the last piece
}

var variables = regexp.MustCompile(`\$(?:context|stageVariables|method\.request)(?:\.[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*)+`)

// parseTemplate finds the variables of a text. What looks like one and names no
// place stays text.
func parseTemplate(text string) template {
	var t template
	at := 0
	for _, found := range variables.FindAllStringIndex(text, -1) {
		from, err := parseOrigin(text[found[0]:found[1]])
		if err != nil {
			continue
		}
		t = append(t, piece{text[at:found[0]], from})
		at = found[1]
	}
	return append(t, piece{text: text[at:]})
}

// fill writes the template's text; show makes a value what stands there.
func (t template) fill(r *request, show func(from origin, value string, ok bool) string) string {
	var b strings.Builder
	for i, p := range t {
		b.WriteString(p.text)
		if i < len(t)-1 {
			value, ok := p.from.of(r)
			b.WriteString(show(p.from, value, ok))
		}
	}
	return b.String()
}

// plainly shows values as they are, and nothing for those that are not there.
func plainly(_ origin, value string, _ bool) string { return value }

// customise reads the gateway responses of an API.
func customise(list []Response) (customised, error) {
	var errs []error
	all := customised{}
	for _, own := range list {
		g := &gatewayResponse{status: own.Status, headers: map[string]origin{}, templates: map[string]template{}}
		for name, text := range own.Parameters {
			header, ok := strings.CutPrefix(name, "gatewayresponse.header.")
			from, err := parseOrigin(text)
			if !ok || err != nil || !httpguts.ValidHeaderFieldName(header) || strings.HasPrefix(http.CanonicalHeaderKey(header), reserved) {
				errs = append(errs, fmt.Errorf("gateway response %s: parameter %q must be gatewayresponse.header.NAME with a place or a quoted text for its value, not %q", own.Type, name, text))
				continue
			}
			g.headers[http.CanonicalHeaderKey(header)] = from
		}
		for media, text := range own.Templates {
			g.templates[strings.ToLower(media)] = parseTemplate(text)
		}
		all[own.Type] = g
	}
	return all, errors.Join(errs...)
}

// mediaTypes are the types of an Accept or Content-Type header, without their
// parameters.
func mediaTypes(header string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for one := range strings.SplitSeq(header, ",") {
			media, _, _ := strings.Cut(one, ";")
			if media = strings.ToLower(strings.TrimSpace(media)); media != "" && !yield(media) {
				return
			}
		}
	}
}

// contentType is the type of a request's body; one that says none sends JSON.
func contentType(h http.Header) string {
	for media := range mediaTypes(h.Get("Content-Type")) {
		return media
	}
	return "application/json"
}

// quoted is a text as a JSON string.
func quoted(text string) string {
	doc, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(doc)
}
