package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// rules are a Validation, read once.
type rules struct {
	parameters []parameterRule
	models     map[string]*jsonschema.Schema // by content type
}

type parameterRule struct {
	origin
	name string
}

// anyType is the model of the types that have none of their own.
const anyType = "$default"

// newRules reads a route's validation; nil when there is none.
func newRules(v *Validation) (*rules, error) {
	if v == nil || len(v.Parameters) == 0 && len(v.Models) == 0 {
		return nil, nil
	}
	var errs []error
	r := &rules{models: map[string]*jsonschema.Schema{}}
	for _, text := range v.Parameters {
		place, name, _ := strings.Cut(text, ".")
		if name == "" || !slices.Contains([]string{"querystring", "header", "path"}, place) {
			errs = append(errs, fmt.Errorf("required parameter %q must be querystring.NAME, header.NAME or path.NAME", text))
			continue
		}
		r.parameters = append(r.parameters, parameterRule{origin{place, name}, name})
	}
	for media, text := range v.Models {
		schema, err := compileModel(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("model for %s: %w", media, err))
			continue
		}
		r.models[strings.ToLower(media)] = schema
	}
	return r, errors.Join(errs...)
}

// compileModel reads a JSON schema, of draft 4 unless it says otherwise. It may refer
// to itself and to nothing else.
func compileModel(text string) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(noLoader{})
	const here = "model:///model.json"
	if err := c.AddResource(here, doc); err != nil {
		return nil, err
	}
	return c.Compile(here)
}

// noLoader keeps schemas from reading files and URLs.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a model may not refer to %s; put what it says into the model", url)
}

// check is a failure unless a request has what the route asks for.
func (v *rules) check(r *request) error {
	var missing []string
	for _, p := range v.parameters {
		if value, _ := p.of(r); strings.TrimSpace(value) == "" {
			missing = append(missing, p.name)
		}
	}
	if len(missing) > 0 {
		return &failure{cause: badParameters, message: "Missing required request parameters: [" + strings.Join(missing, ", ") + "]"}
	}
	schema := v.models[contentType(r.Header)]
	if schema == nil {
		schema = v.models[anyType]
	}
	if schema == nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.body))
	if err != nil {
		return &failure{cause: badBody, detail: "[the body is not JSON]"}
	}
	if err := schema.Validate(doc); err != nil {
		return &failure{cause: badBody, detail: describe(err)}
	}
	return nil
}

// describe lists what a body lacks, for $context.error.validationErrorString.
func describe(err error) string {
	var all []string
	var visit func(*jsonschema.ValidationError)
	visit = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			unit := *e
			all = append(all, strings.TrimSpace(unit.Error()))
		}
		for _, cause := range e.Causes {
			visit(cause)
		}
	}
	if e, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		visit(e)
	}
	return "[" + strings.Join(all, ", ") + "]"
}
