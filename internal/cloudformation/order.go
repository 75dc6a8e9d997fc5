package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// plainly are types of resources that others often name by a text instead of a
// reference: they come before the others where they can, the lowest first.
var plainly = map[string]int{"AWS::IAM::Role": -3, "AWS::Lambda::Function": -2, "AWS::SNS::Topic": -1, "AWS::SQS::Queue": -1, "AWS::S3::Bucket": -1}

// order is the resources whose conditions hold, each after those it refers to; of
// those that could come next, first the ones that others name plainly, and the one
// whose logical id is first in the alphabet.
func (e *evaluation) order(ctx context.Context) ([]*declaration, map[string][]string, error) {
	needs := map[string][]string{}
	var wrong Problems
	for _, id := range names(e.template.Resources) {
		d := e.template.Resources[id]
		if d.Condition != "" && !e.conditions[d.Condition] {
			continue
		}
		list := e.references(ctx, d.Update, e.references(ctx, d.Properties, nil))
		for _, other := range d.DependsOn {
			if e.template.Resources[other] == nil {
				wrong.of(d, fmt.Errorf("DependsOn: there is no resource %q in the template", other))
			}
			list = append(list, other)
		}
		slices.Sort(list)
		needs[id] = slices.Compact(list)
	}
	if err := wrong.err(); err != nil {
		return nil, nil, err
	}
	var sorted []*declaration
	state := map[string]int{} // 1: on the way, 2: done
	var visit func(id string, path []string) error
	visit = func(id string, path []string) error {
		switch {
		case state[id] == 2:
			return nil
		case state[id] == 1:
			circle := path[slices.Index(path, id):]
			return invalid("Circular dependency between resources: [%s]", strings.Join(append(circle, id), " -> "))
		}
		state[id] = 1
		for _, other := range needs[id] {
			if _, there := needs[other]; there {
				if err := visit(other, append(slices.Clone(path), id)); err != nil {
					return err
				}
			}
		}
		state[id] = 2
		sorted = append(sorted, e.template.Resources[id])
		return nil
	}
	ids := names(needs)
	slices.SortStableFunc(ids, func(a, b string) int {
		return plainly[e.template.Resources[a].Type] - plainly[e.template.Resources[b].Type]
	})
	for _, id := range ids {
		if err := visit(id, nil); err != nil {
			return nil, nil, err
		}
	}
	return sorted, needs, nil
}

// references adds the logical ids that a value refers to, by the branches of
// Fn::If that count.
func (e *evaluation) references(ctx context.Context, v any, list []string) []string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			list = e.references(ctx, item, list)
		}
	case map[string]any:
		name, argument, _ := call(v)
		switch name {
		case "Ref":
			return e.declared(text(argument), list)
		case "Fn::GetAtt":
			if args, ok := argument.([]any); ok && len(args) > 0 {
				argument = args[0]
			}
			id, _, _ := strings.Cut(text(argument), ".")
			return e.declared(id, list)
		case "Fn::If":
			taken, err := e.branch(ctx, argument)
			if err != nil {
				return list // told when it is worked out
			}
			return e.references(ctx, taken, list)
		case "Fn::Sub":
			list = e.substituted(argument, list)
		}
		for _, key := range names(v) {
			list = e.references(ctx, v[key], list)
		}
	}
	return list
}

// substituted adds what the variables of Fn::Sub refer to.
func (e *evaluation) substituted(argument any, list []string) []string {
	var own map[string]any
	if args, ok := argument.([]any); ok && len(args) == 2 {
		own, _ = args[1].(map[string]any)
		argument = args[0]
	}
	_, _ = substitute(text(argument), func(name string) string { // an error is told when it is worked out
		if _, given := own[name]; !given {
			id, _, _ := strings.Cut(name, ".")
			list = e.declared(id, list)
		}
		return ""
	})
	return list
}

func (e *evaluation) declared(id string, list []string) []string {
	if e.template.Resources[id] != nil {
		list = append(list, id)
	}
	return list
}
