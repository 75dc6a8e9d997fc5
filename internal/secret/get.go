package secret

import (
	"context"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/wire"
)

// Parameter is one version of a parameter.
type Parameter struct {
	Name             string
	Type             string
	Value            string `audit:"hidden"`
	Version          int64
	Selector         string `json:",omitempty"` // how it was asked for: :3 or :label
	LastModifiedDate wire.Time
	ARN              string
	DataType         string
}

// GetParameterInput names a parameter: a name or an ARN, and a version or a label
// behind a colon.
type GetParameterInput struct {
	Name           string
	WithDecryption bool `json:",omitempty"`
}

// GetParameterOutput is the parameter.
type GetParameterOutput struct{ Parameter Parameter }

// GetParameter returns a parameter; without WithDecryption the value of a
// SecureString is its ciphertext.
func (p *Parameters) GetParameter(ctx context.Context, in GetParameterInput) (GetParameterOutput, error) {
	ref, err := p.parse(in.Name)
	if err != nil {
		return GetParameterOutput{}, err
	}
	out, err := p.get(ctx, ref, in.WithDecryption)
	return GetParameterOutput{out}, err
}

// get returns the version that a reference means.
func (p *Parameters) get(ctx context.Context, ref reference, clear bool) (Parameter, error) {
	known, ok := p.find(ref)
	if !ok {
		return Parameter{}, notFound(ref.text)
	}
	r, _, err := p.read(ctx, known.Name)
	if err != nil {
		return Parameter{}, err
	}
	if len(r.Versions) == 0 {
		return Parameter{}, notFound(ref.text)
	}
	v, err := r.choose(ref)
	if err != nil {
		return Parameter{}, err
	}
	value, err := p.text(ctx, v, clear)
	if err != nil {
		return Parameter{}, err
	}
	return Parameter{
		Name: r.Name, Type: v.Type, Value: value, Version: v.Number, Selector: ref.selector(),
		LastModifiedDate: wire.At(v.Modified), ARN: p.arn(r.Name), DataType: v.DataType,
	}, nil
}

// GetParametersInput names up to ten parameters.
type GetParametersInput struct {
	Names          []string
	WithDecryption bool `json:",omitempty"`
}

// GetParametersOutput is those that there are, and the names of which there are
// none.
type GetParametersOutput struct {
	Parameters        []Parameter
	InvalidParameters []string
}

// GetParameters returns several parameters.
func (p *Parameters) GetParameters(ctx context.Context, in GetParametersInput) (GetParametersOutput, error) {
	if err := checkNames(in.Names); err != nil {
		return GetParametersOutput{}, err
	}
	out := GetParametersOutput{[]Parameter{}, []string{}}
	for i, name := range in.Names {
		if slices.Contains(in.Names[:i], name) {
			continue
		}
		ref, err := p.parse(name)
		if err == nil {
			var found Parameter
			if found, err = p.get(ctx, ref, in.WithDecryption); err == nil {
				out.Parameters = append(out.Parameters, found)
			}
		}
		if isMissing(err) {
			out.InvalidParameters = append(out.InvalidParameters, name)
		} else if err != nil {
			return GetParametersOutput{}, err
		}
	}
	return out, nil
}

func checkNames(names []string) error {
	if len(names) < 1 || len(names) > maxNames {
		return invalid("Names has %d names; 1 to %d are possible", len(names), maxNames)
	}
	return nil
}

// GetParametersByPathInput asks for a page of what is below a path.
type GetParametersByPathInput struct {
	Path             string
	Recursive        bool              `json:",omitempty"`
	WithDecryption   bool              `json:",omitempty"`
	ParameterFilters []ParameterFilter `json:",omitempty"`
	MaxResults       *int              `json:",omitempty"` // 1 to 10; 10
	NextToken        string            `json:",omitempty"`
}

// GetParametersByPathOutput is a page.
type GetParametersByPathOutput struct {
	Parameters []Parameter
	NextToken  string `json:",omitempty"`
}

// GetParametersByPath returns the parameters below a path, by name: those right
// below it, or with Recursive all. What the caller is explicitly denied is left
// out.
func (p *Parameters) GetParametersByPath(ctx context.Context, in GetParametersByPathInput) (GetParametersByPathOutput, error) {
	matches, err := p.below(ctx, in)
	if err != nil {
		return GetParametersByPathOutput{}, err
	}
	filters, err := pathFilters(in.ParameterFilters)
	if err != nil {
		return GetParametersByPathOutput{}, err
	}
	n, err := results(in.MaxResults, maxPathResults, maxPathResults)
	if err != nil {
		return GetParametersByPathOutput{}, err
	}
	query := in
	query.MaxResults, query.NextToken = nil, ""
	last, err := p.position(in.NextToken, "GetParametersByPath", query)
	if err != nil {
		return GetParametersByPathOutput{}, err
	}
	label := labelOf(filters)
	found, more := p.index.after(prefixOf(in.Path), last, n, func(r *record) bool { return matches(r) && filters.match(r) })
	out := GetParametersByPathOutput{Parameters: []Parameter{}}
	for _, r := range found {
		param, err := p.get(ctx, reference{text: r.Name, name: r.Name, label: label}, in.WithDecryption)
		if isMissing(err) {
			continue // it went meanwhile
		}
		if err != nil {
			return GetParametersByPathOutput{}, err
		}
		param.Selector = ""
		out.Parameters = append(out.Parameters, param)
	}
	if more {
		out.NextToken = p.token("GetParametersByPath", query, found[len(found)-1].Name)
	}
	return out, nil
}

// prefixOf is what the names below a path begin with. The names without a
// hierarchy are below the path /.
func prefixOf(path string) string {
	path = strings.TrimRight(path, "/")
	if path == "" {
		return ""
	}
	return path + "/"
}

// below returns what decides whether a parameter is below the path of a request
// and not denied to the caller.
func (p *Parameters) below(ctx context.Context, in GetParametersByPathInput) (func(*record) bool, error) {
	switch {
	case !strings.HasPrefix(in.Path, "/"):
		return nil, invalid("Path %q: a path begins with /", in.Path)
	case !nameSyntax.MatchString(in.Path) || strings.Contains(in.Path, "//"):
		return nil, invalid("Path %q: a path is / and levels of letters, digits, _, . and -", in.Path)
	}
	prefix := prefixOf(in.Path)
	return func(r *record) bool {
		rest := strings.TrimPrefix(strings.TrimPrefix(r.Name, prefix), "/")
		if !in.Recursive && strings.Contains(rest, "/") {
			return false
		}
		conditions := resourceTags(r.Tags)
		conditions["ssm:Recursive"] = []string{boolText(in.Recursive)}
		for _, action := range []string{"ssm:GetParametersByPath", "ssm:GetParameter"} {
			if p.Authority.Forbids(ctx, action, p.arn(r.Name), conditions) {
				return false
			}
		}
		return true
	}, nil
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// resourceTags is tags as condition keys.
func resourceTags(tags map[string]string) map[string][]string {
	conditions := map[string][]string{}
	for name, value := range tags {
		conditions["aws:ResourceTag/"+name] = []string{value}
	}
	return conditions
}
