package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// decide works out every condition of the template.
func (e *evaluation) decide(ctx context.Context) error {
	e.conditions = map[string]bool{}
	var wrong Problems
	for _, name := range names(e.template.Conditions) {
		if _, err := e.holds(ctx, name); err != nil {
			wrong.add(0, "condition %s: %v", name, err)
		}
	}
	for _, d := range e.template.Resources {
		if _, known := e.template.Conditions[d.Condition]; d.Condition != "" && !known {
			wrong.of(d, fmt.Errorf("there is no condition %q in the template", d.Condition))
		}
	}
	return wrong.err()
}

// holds reports whether the named condition is true.
func (e *evaluation) holds(ctx context.Context, name string) (bool, error) {
	if v, known := e.conditions[name]; known {
		return v, nil
	}
	body, ok := e.template.Conditions[name]
	if !ok {
		return false, fmt.Errorf("there is no condition %q in the template", name)
	}
	if slices.Contains(e.asking, name) {
		return false, fmt.Errorf("conditions depend on each other: %s", strings.Join(append(e.asking, name), ", "))
	}
	e.asking = append(e.asking, name)
	defer func() { e.asking = e.asking[:len(e.asking)-1] }()
	v, err := e.truth(ctx, body)
	if err == nil {
		e.conditions[name] = v
	}
	return v, err
}

// truth works out a condition's function.
func (e *evaluation) truth(ctx context.Context, v any) (bool, error) {
	m, _ := v.(map[string]any)
	if len(m) == 1 {
		for name, argument := range m {
			list, _ := argument.([]any)
			switch name {
			case "Condition":
				return e.holds(ctx, text(argument))
			case "Fn::Equals":
				return e.equal(ctx, list)
			case "Fn::Not":
				if len(list) != 1 {
					return false, errors.New("Fn::Not takes [condition]")
				}
				b, err := e.truth(ctx, list[0])
				return !b, err
			case "Fn::And", "Fn::Or":
				return e.all(ctx, name, list)
			}
		}
	}
	return false, errors.New("a condition is one of Fn::Equals, Fn::And, Fn::Or, Fn::Not, Condition")
}

func (e *evaluation) equal(ctx context.Context, list []any) (bool, error) {
	if len(list) != 2 {
		return false, errors.New("Fn::Equals takes [value, value]")
	}
	var sides [2]string
	for i := range list {
		v, err := e.value(ctx, list[i], "")
		if errors.Is(err, errUnknown) {
			return false, errors.New("conditions cannot depend on resources, only on parameters")
		}
		if err != nil {
			return false, err
		}
		sides[i] = text(v)
	}
	return sides[0] == sides[1], nil
}

// all is Fn::And, and Fn::Or.
func (e *evaluation) all(ctx context.Context, name string, list []any) (bool, error) {
	if len(list) < 2 || len(list) > 10 {
		return false, fmt.Errorf("%s takes two to ten conditions", name)
	}
	and := name == "Fn::And"
	result := and
	for _, item := range list {
		b, err := e.truth(ctx, item)
		if err != nil {
			return false, err
		}
		if b != and {
			result = !and
		}
	}
	return result, nil
}

// choose is Fn::If.
func (e *evaluation) choose(ctx context.Context, argument any, path string) (any, error) {
	taken, err := e.branch(ctx, argument)
	if err != nil {
		return nil, at(path, err)
	}
	return e.value(ctx, taken, path)
}

// branch is the value of Fn::If that counts.
func (e *evaluation) branch(ctx context.Context, argument any) (any, error) {
	args, ok := argument.([]any)
	if !ok || len(args) != 3 {
		return nil, errors.New("Fn::If takes [condition, value if it holds, value if not]")
	}
	name, ok := args[0].(string)
	if !ok {
		return nil, errors.New("Fn::If: the condition is a name from Conditions")
	}
	holds, err := e.holds(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("Fn::If: %w", err)
	}
	if holds {
		return args[1], nil
	}
	return args[2], nil
}
