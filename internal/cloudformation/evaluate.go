package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// urlSuffix is what AWS::URLSuffix is: what the names of services end with, which
// policies compose from it too. Addresses of APIs that are made of it are told as
// the ones that answer here.
const urlSuffix = "amazonaws.com"

// evaluation works out what a template says: its conditions and functions. What it
// does not know yet of a resource is errUnknown.
type evaluation struct {
	template   *Template
	parameters map[string]any
	region     string
	stack, id  string // name and ARN
	topics     []string
	made       map[string]Identity // of resources so far
	unknown    map[string]bool     // resources that are not made yet, though nothing is wrong
	imported   func(name string) (string, error)
	stored     lookup

	conditions map[string]bool // worked out so far
	asking     []string        // conditions that are being worked out
}

// errUnknown says that a value depends on a resource that is still to be made.
var errUnknown = errors.New("known when the resource is made")

// absent is what Ref gives of AWS::NoValue: the property is not there.
type absent struct{}

// value works out a value. path says where it is, for errors.
func (e *evaluation) value(ctx context.Context, v any, path string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		if name, argument, ok := call(v); ok {
			return e.call(ctx, name, argument, path)
		}
		return e.each(ctx, v, path)
	case []any:
		list := make([]any, 0, len(v))
		var wrong []error
		for i, item := range v {
			out, err := e.value(ctx, item, path+"."+strconv.Itoa(i))
			if _, none := out.(absent); !none {
				list = append(list, out)
			}
			wrong = append(wrong, err)
		}
		return list, errors.Join(wrong...)
	case string:
		out, err := e.dynamic(ctx, v)
		return out, at(path, err)
	default:
		return v, nil
	}
}

// each works out the values of a map; what is wrong with any of them is told.
func (e *evaluation) each(ctx context.Context, m map[string]any, path string) (map[string]any, error) {
	out := make(map[string]any, len(m))
	var wrong []error
	for _, key := range names(m) {
		v, err := e.value(ctx, m[key], join(path, key))
		if _, none := v.(absent); !none {
			out[key] = v
		}
		wrong = append(wrong, err)
	}
	return out, errors.Join(wrong...)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func at(path string, err error) error {
	if err == nil || path == "" || errors.Is(err, errUnknown) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// call is the function that a map is, as {"Ref": name} and {"Fn::Join": ...} are.
func call(m map[string]any) (name string, argument any, ok bool) {
	if len(m) != 1 {
		return "", nil, false
	}
	for name, argument = range m {
		ok = name == "Ref" || strings.HasPrefix(name, "Fn::")
	}
	return name, argument, ok
}

// functions are what values may call; conditions have their own besides.
var functions map[string]func(e *evaluation, ctx context.Context, argument any, path string) (any, error)

func init() {
	functions = map[string]func(*evaluation, context.Context, any, string) (any, error){
		"Ref": (*evaluation).ref, "Fn::GetAtt": (*evaluation).getAtt, "Fn::Join": (*evaluation).join, "Fn::Sub": (*evaluation).sub,
		"Fn::If": (*evaluation).choose, "Fn::Select": (*evaluation).pick, "Fn::Split": (*evaluation).split,
		"Fn::FindInMap": (*evaluation).find, "Fn::ImportValue": (*evaluation).importValue, "Fn::Base64": (*evaluation).base64,
		"Fn::GetAZs": (*evaluation).zones, "Fn::Cidr": (*evaluation).cidr,
	}
}

func (e *evaluation) call(ctx context.Context, name string, argument any, path string) (any, error) {
	f, ok := functions[name]
	if !ok {
		switch name {
		case "Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals":
			return nil, at(path, fmt.Errorf("%s is for Conditions; name the condition there and use Fn::If here", name))
		case "Fn::Length", "Fn::ToJsonString", "Fn::ForEach":
			return nil, at(path, fmt.Errorf("%s is not supported here: it is a function of the transform AWS::LanguageExtensions; write its result", name))
		case "Fn::Transform":
			return nil, at(path, fmt.Errorf("Fn::Transform is not supported here: macros run at Amazon; write their result"))
		}
		return nil, at(path, fmt.Errorf("%s is no function; there are %s", name, strings.Join(slices.Sorted(maps.Keys(functions)), ", ")))
	}
	out, err := f(e, ctx, argument, path)
	return out, err
}

// ref gives a parameter, what the platform knows, or what a resource is called.
func (e *evaluation) ref(ctx context.Context, argument any, path string) (any, error) {
	name, ok := argument.(string)
	if !ok {
		return nil, at(path, invalid("Ref takes the name of a parameter or a resource"))
	}
	if v, ok := e.pseudo(name); ok {
		return v, nil
	}
	if v, ok := e.parameters[name]; ok {
		if s, ok := v.(string); ok {
			s, err := e.dynamic(ctx, s)
			return s, at(path, err)
		}
		return v, nil
	}
	identity, err := e.of(name)
	if err != nil {
		return nil, at(path, invalid("Ref: %w", err))
	}
	if identity.Ref != "" {
		return identity.Ref, nil
	}
	return identity.Physical, nil
}

// pseudo are the parameters that every template has.
func (e *evaluation) pseudo(name string) (any, bool) {
	switch name {
	case "AWS::AccountId":
		return arn.Account, true
	case "AWS::Region":
		return e.region, true
	case "AWS::Partition":
		return "aws", true
	case "AWS::StackId":
		return e.id, true
	case "AWS::StackName":
		return e.stack, true
	case "AWS::URLSuffix":
		return urlSuffix, true
	case "AWS::NoValue":
		return absent{}, true
	case "AWS::NotificationARNs":
		list := []any{}
		for _, topic := range e.topics {
			list = append(list, topic)
		}
		return list, true
	}
	return nil, false
}

// of is what is known of a resource.
func (e *evaluation) of(id string) (Identity, error) {
	if identity, ok := e.made[id]; ok {
		return identity, nil
	}
	d, declared := e.template.Resources[id]
	switch {
	case e.unknown[id]:
		return Identity{}, errUnknown
	case !declared && strings.HasPrefix(id, "AWS::"):
		return Identity{}, fmt.Errorf("%s is no pseudo parameter", id)
	case !declared:
		return Identity{}, fmt.Errorf("there is no parameter or resource %q in the template", id)
	case d.Condition != "" && !e.conditions[d.Condition]:
		return Identity{}, fmt.Errorf("resource %s is not there: its condition %s does not hold", id, d.Condition)
	}
	return Identity{}, errUnknown // what is wrong with it is told where it is
}

// getAtt gives an attribute of a resource.
func (e *evaluation) getAtt(ctx context.Context, argument any, path string) (any, error) {
	id, attribute, err := e.attribute(ctx, argument, path)
	if err != nil {
		return nil, at(path, err)
	}
	v, err := e.attributeOf(id, attribute)
	return v, at(path, err)
}

// attribute is what Fn::GetAtt names: [ID, NAME] or ID.NAME.
func (e *evaluation) attribute(ctx context.Context, argument any, path string) (id, name string, err error) {
	switch v := argument.(type) {
	case string:
		id, name, _ = strings.Cut(v, ".")
	case []any:
		if len(v) == 2 {
			id, _ = v[0].(string)
			out, err := e.value(ctx, v[1], path)
			if err != nil {
				return "", "", err
			}
			name, _ = out.(string)
		}
	}
	if id == "" || name == "" {
		return "", "", errors.New("Fn::GetAtt takes a list of a logical id and the name of an attribute")
	}
	return id, name, nil
}

func (e *evaluation) attributeOf(id, name string) (any, error) {
	identity, err := e.of(id)
	if err != nil {
		return nil, fmt.Errorf("Fn::GetAtt: %w", err)
	}
	if v, ok := identity.Attributes[name]; ok {
		return v, nil
	}
	known := strings.Join(names(identity.Attributes), ", ")
	if known == "" {
		known = "none"
	}
	return nil, fmt.Errorf("resource %s (%s) has no attribute %s here; there are: %s", id, e.template.Resources[id].Type, name, known)
}
