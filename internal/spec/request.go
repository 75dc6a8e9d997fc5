package spec

import (
	"encoding/json"
	"fmt"
	"strings"
)

// request reads request of an http event: what a request must have, and for the
// integrations that are no proxies what becomes of it.
func (r *reader) request(e *HTTPEvent, n *node, what string) {
	schemas := func(v *node) { r.models(e, v, what+".schemas") }
	known := keys{
		"parameters": func(v *node) { r.parameters(e, v, what+".parameters") },
		"schemas":    schemas,
		"schema":     schemas, // as it was called before version 2
	}
	harm := effects{}
	const unmapped = "the function would get the framework's own event all the same; use lambda-proxy, and pick from the request in the function"
	switch e.Integration {
	case IntegrationProxy:
		for _, key := range []string{"template", "passThrough", "contentHandling", "uri", "method"} {
			known[key] = func(v *node) {
				r.warn(v.pos, "%s.%s has no effect with lambda-proxy, as in the Serverless Framework", what, key)
			}
		}
	case IntegrationAsync, IntegrationEvent:
		known["passThrough"] = func(v *node) {
			if p := r.str(v, what+".passThrough"); p != "NEVER" && v.kind != broken {
				r.fail(v.pos, "%s.passThrough %s is not supported: bodies of types other than JSON and forms are refused, as with NEVER; use lambda-proxy", what, p)
			}
		}
		harm["template"], harm["contentHandling"] = unmapped, unmapped
	case IntegrationMock:
		known["template"] = func(v *node) { r.mockTemplate(v, what+".template") }
		known["passThrough"] = nil
	case IntegrationHTTP:
		known["uri"] = func(v *node) {
			if e.URL = r.value(v, what+".uri"); e.URL != "" && !strings.HasPrefix(e.URL, "http://") && !strings.HasPrefix(e.URL, "https://") {
				r.fail(v.pos, "%s.uri must begin with http:// or https://, not %q", what, e.URL)
			}
		}
		known["method"] = func(v *node) {
			if m := r.method(v, what); m != e.Method && v.kind != broken {
				r.fail(v.pos, "%s.method %s is not supported yet: requests go on with the method that they came with; write that, or remove the key", what, m)
			}
		}
		known["passThrough"] = nil
		harm["template"] = "requests would go on as they came; use http-proxy"
		harm["contentHandling"] = harm["template"]
	}
	r.object(n, what, known, harm)
	if e.Integration == IntegrationHTTP && n.kind == object && n.get("uri") == nil {
		r.fail(n.pos, "%s.uri is missing: where do requests go?", what)
	}
}

// mockTemplate accepts the template that says 200, which is what is answered.
func (r *reader) mockTemplate(n *node, what string) {
	if !r.is(n, object, what) {
		return
	}
	for _, f := range n.fields {
		said := strings.NewReplacer(" ", "", "\n", "", `"`, "", "'", "").Replace(r.str(f.value, what))
		if said != "{statusCode:200}" && said != "" {
			r.fail(f.pos, `%s.%s is not supported yet: a mock answers 200; write {"statusCode": 200}, or answer in a function`, what, f.key)
		}
	}
}

// locations are where parameters of a request are, as API Gateway calls them.
var locations = map[string]string{"querystrings": "querystring", "headers": "header", "paths": "path"}

// parameters reads which parameters a request must have.
func (r *reader) parameters(e *HTTPEvent, n *node, what string) {
	known := keys{}
	for plural, location := range locations {
		known[plural] = func(v *node) {
			if !r.is(v, object, what+"."+plural) {
				return
			}
			for _, f := range v.fields {
				if r.required(e, f, location, what+"."+plural+"."+f.key) {
					e.Parameters = append(e.Parameters, location+"."+f.key)
				}
			}
		}
	}
	r.object(n, what, known, effects{})
}

// required reads true, false or {required, mappedValue}.
func (r *reader) required(e *HTTPEvent, f field, location, what string) bool {
	v := r.vars.resolve(f.value)
	if v.kind != object {
		return r.boolean(v, what)
	}
	required := true
	r.object(v, what, keys{
		"required": func(v *node) { required = r.boolean(v, what+".required") },
		"mappedValue": func(v *node) {
			if e.Integration == IntegrationHTTP && r.value(v, what+".mappedValue") != "method.request."+location+"."+f.key {
				r.fail(v.pos, "%s.mappedValue is not supported yet: parameters go on by the names that they came with", what)
			}
		},
	}, effects{})
	return required
}

// models reads the schemas that bodies must obey, by content type.
func (r *reader) models(e *HTTPEvent, n *node, what string) {
	if !r.is(n, object, what) {
		return
	}
	e.Models = map[string]string{}
	for _, f := range n.fields {
		v := r.vars.resolve(f.value)
		if v.kind == null || v.kind == broken {
			continue
		}
		if known := r.gates.schemas[v.text]; v.scalar() && known != nil {
			v = known
		}
		e.Models[f.key] = r.schema(v, fmt.Sprintf("%s.%s", what, f.key))
	}
}

// schema reads a JSON schema: a map, a map with it under schema, or its text.
func (r *reader) schema(n *node, what string) string {
	if own := r.vars.resolve(n.get("schema")); n.kind == object && own != nil && own.kind == object {
		n = own
	}
	if n.kind == object {
		return r.text(r.plainValue(n), n, what)
	}
	var doc map[string]any
	if n.scalar() && json.Unmarshal([]byte(n.text), &doc) != nil {
		r.fail(n.pos, "%s: %q is neither a schema of provider.apiGateway.request.schemas nor JSON", what, n.text)
	} else if !n.scalar() {
		r.fail(n.pos, "%s must be a JSON schema, not %s", what, kindNames[n.kind])
	}
	return n.text
}

// response reads response of an http event. With a proxy its only key is
// transferMode; the Serverless Framework drops the others as we do.
func (r *reader) response(e *HTTPEvent, n *node, what string) {
	known, harm := keys{}, effects{}
	if e.Integration == IntegrationProxy || e.Integration == IntegrationHTTP {
		known["transferMode"] = func(v *node) {
			switch mode := strings.ToUpper(r.str(v, what+".transferMode")); mode {
			case "STREAM":
				e.Stream = true
			case "", "BUFFERED":
			default:
				r.fail(v.pos, "%s.transferMode must be BUFFERED or STREAM, not %q", what, v.text)
			}
		}
	} else {
		const plainly = "answers would not be mapped; use lambda-proxy, and answer with statusCode, headers and body"
		harm = effects{"headers": plainly, "template": plainly, "statusCodes": plainly, "contentHandling": plainly}
		harm["transferMode"] = "it goes with lambda-proxy only"
	}
	r.object(n, what, known, harm)
}
