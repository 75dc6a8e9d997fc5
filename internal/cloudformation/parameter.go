package cloudformation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// parameter is what a template asks of whoever deploys it.
type parameter struct {
	Name, Type                               string
	Default                                  any // nil: there is none
	Description                              string
	Constraint                               string // what to say of a value that is not allowed
	NoEcho                                   bool
	Allowed                                  []string
	Pattern                                  *regexp.Regexp
	pattern                                  string
	MinLength, MaxLength, MinValue, MaxValue *float64
}

// Types of parameters that are more than a text.
const (
	typeNumber = "Number"
	typeList   = "CommaDelimitedList"
	typeStored = "AWS::SSM::Parameter::Value<" // a parameter in Parameter Store
)

var parameterType = regexp.MustCompile(`^(String|Number|CommaDelimitedList|List<(Number|String|AWS::[A-Za-z0-9:]+)>|AWS::[A-Za-z0-9:]+|AWS::SSM::Parameter::Value<(String|CommaDelimitedList|List<String>|AWS::[A-Za-z0-9:]+|List<AWS::[A-Za-z0-9:]+>)>)$`)

// list reports whether values are lists.
func (p *parameter) list() bool {
	return p.Type == typeList || strings.HasPrefix(p.Type, "List<") || strings.HasPrefix(p.Type, typeStored+"List<") || p.Type == typeStored+typeList+">"
}

func (p *parameter) stored() bool { return strings.HasPrefix(p.Type, typeStored) }

func parameters(s *source, wrong *Problems) map[string]*parameter {
	all := map[string]*parameter{}
	for name, v := range s.section("Parameters", wrong) {
		line := s.line("Parameters", name)
		m, ok := v.(map[string]any)
		if !ok {
			wrong.add(line, "parameter %s: a parameter is a map with a Type", name)
			continue
		}
		p := &parameter{Name: name}
		for _, key := range names(m) {
			if err := p.set(key, m[key]); err != nil {
				wrong.add(line, "parameter %s: %v", name, err)
			}
		}
		if !parameterType.MatchString(p.Type) {
			wrong.add(line, "parameter %s: Type %q is none; there are String, Number, CommaDelimitedList, List<Number>, AWS::SSM::Parameter::Value<String> and the like", name, p.Type)
		}
		all[name] = p
	}
	return all
}

func (p *parameter) set(key string, v any) (err error) {
	switch key {
	case "Type":
		p.Type = text(v)
	case "Default":
		p.Default = v
	case "Description":
		p.Description = text(v)
	case "ConstraintDescription":
		p.Constraint = text(v)
	case "NoEcho":
		p.NoEcho, err = strconv.ParseBool(text(v))
	case "AllowedValues":
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("AllowedValues is not a list")
		}
		for _, item := range list {
			p.Allowed = append(p.Allowed, text(item))
		}
	case "AllowedPattern":
		p.pattern = text(v)
		if p.Pattern, err = regexp.Compile(`^(?:` + p.pattern + `)$`); err != nil {
			return fmt.Errorf("AllowedPattern: %w", err)
		}
	case "MinLength":
		p.MinLength, err = number(key, v)
	case "MaxLength":
		p.MaxLength, err = number(key, v)
	case "MinValue":
		p.MinValue, err = number(key, v)
	case "MaxValue":
		p.MaxValue, err = number(key, v)
	default:
		return fmt.Errorf("%q is no part of a parameter", key)
	}
	return err
}

func number(key string, v any) (*float64, error) {
	f, err := strconv.ParseFloat(text(v), 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a number", key, text(v))
	}
	return &f, nil
}

// Parameter is a value for a parameter, as clients give it and as stacks show it.
type Parameter struct {
	ParameterKey     string
	ParameterValue   string `json:",omitempty" audit:"hidden"`
	UsePreviousValue bool   `json:",omitempty"`
	ResolvedValue    string `json:",omitempty" audit:"hidden"`
}

// arguments are the texts that a template's parameters have: given, as they were
// before, or their defaults.
func (t *Template) arguments(given []Parameter, before map[string]string) (map[string]string, error) {
	values, missing, unknown := map[string]string{}, []string{}, []string{}
	for _, g := range given {
		if t.Parameters[g.ParameterKey] == nil {
			unknown = append(unknown, g.ParameterKey)
			continue
		}
		if !g.UsePreviousValue {
			values[g.ParameterKey] = g.ParameterValue
			continue
		}
		was, ok := before[g.ParameterKey]
		if !ok {
			return nil, invalid("Parameter %s has no previous value; give it one", g.ParameterKey)
		}
		values[g.ParameterKey] = was
	}
	if len(unknown) > 0 {
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	for _, name := range names(t.Parameters) {
		if _, ok := values[name]; ok {
			continue
		}
		if t.Parameters[name].Default == nil {
			missing = append(missing, name)
			continue
		}
		values[name] = text(t.Parameters[name].Default)
	}
	if len(missing) > 0 {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	var wrong Problems
	for _, name := range names(values) {
		if err := t.Parameters[name].check(values[name]); err != nil {
			wrong.add(0, "%v", err)
		}
	}
	return values, wrong.err()
}

// check says what a value must be. Values that may be secret are not quoted.
func (p *parameter) check(value string) error {
	if p.stored() {
		return nil // it is the name of what is checked when it is read
	}
	items := []string{value}
	if p.list() {
		items = split(value)
	}
	for _, item := range items {
		if why := p.wrong(item); why != "" {
			if p.Constraint != "" {
				why = p.Constraint
			}
			return fmt.Errorf("Parameter '%s' %s", p.Name, why)
		}
	}
	return nil
}

func (p *parameter) wrong(item string) string {
	if p.Type == typeNumber || p.Type == "List<Number>" {
		n, err := strconv.ParseFloat(item, 64)
		switch {
		case err != nil:
			return "must be a number"
		case p.MinValue != nil && n < *p.MinValue:
			return fmt.Sprintf("must be a number not less than %s", text(*p.MinValue))
		case p.MaxValue != nil && n > *p.MaxValue:
			return fmt.Sprintf("must be a number not greater than %s", text(*p.MaxValue))
		}
	}
	length := float64(len([]rune(item)))
	switch {
	case len(p.Allowed) > 0 && !slices.Contains(p.Allowed, item):
		return fmt.Sprintf("must be one of AllowedValues [%s]", strings.Join(p.Allowed, ", "))
	case p.Pattern != nil && !p.Pattern.MatchString(item):
		return "must match pattern " + p.pattern
	case p.MinLength != nil && length < *p.MinLength:
		return fmt.Sprintf("must contain at least %s characters", text(*p.MinLength))
	case p.MaxLength != nil && length > *p.MaxLength:
		return fmt.Sprintf("must contain at most %s characters", text(*p.MaxLength))
	}
	return ""
}

// split is a list that is written with commas.
func split(value string) []string {
	if value == "" {
		return nil
	}
	items := strings.Split(value, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

// referred are the values that Ref gives of parameters. Those that name parameters
// of Parameter Store are read, as the caller may.
func (t *Template) referred(ctx context.Context, arguments map[string]string, stored lookup) (map[string]any, error) {
	values := map[string]any{}
	var wrong Problems
	for _, name := range names(arguments) {
		p, value := t.Parameters[name], arguments[name]
		if p.stored() {
			read, err := stored(ctx, value)
			if err != nil {
				wrong.add(0, "Parameter '%s': %v", name, err)
				continue
			}
			value = read
		}
		values[name] = value
		if p.list() {
			list := []any{}
			for _, item := range split(value) {
				list = append(list, item)
			}
			values[name] = list
		}
	}
	return values, wrong.err()
}

// lookup reads a parameter of Parameter Store in clear: NAME or NAME:VERSION.
type lookup func(ctx context.Context, name string) (string, error)
