package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

// Simple has the stacks know a few simple kinds of resources and no others.
func (s *Stacks) Simple() *Stacks {
	s.kinds = map[string]kind{bucketType: simpleBucket, "AWS::SNS::Topic": simpleTopic, "AWS::Lambda::Function": simpleFunction, logGroupType: logGroup}
	return s
}

func named(p *plan, r Resource, property string) string {
	if name, ok := r.Properties[property].(string); ok {
		return name
	}
	if r.Physical != "" {
		return r.Physical[strings.LastIndexByte(r.Physical, ':')+1:]
	}
	return strings.ToLower(p.stack + "-" + r.ID)
}

func simpleBucket(_ context.Context, p *plan, r Resource) (Identity, error) {
	name := named(p, r, "BucketName")
	p.revision.Buckets = append(p.revision.Buckets, name)
	return Identity{Physical: name, Attributes: map[string]string{"Arn": arn.Bucket(name)}}, nil
}

func simpleTopic(_ context.Context, p *plan, r Resource) (Identity, error) {
	name := named(p, r, "TopicName")
	if name == "refused" {
		return Identity{}, errors.New("TopicName: no topic may be called refused; call it something else")
	}
	t := topic.Topic{Stack: p.stack, Name: name, ARN: arn.Topic(p.region, name)}
	if display, ok := r.Properties["DisplayName"].(string); ok {
		t.DisplayName = display
	}
	p.revision.Topics = append(p.revision.Topics, t)
	return Identity{Physical: t.ARN, Attributes: map[string]string{"TopicName": name}}, nil
}

func simpleFunction(_ context.Context, p *plan, r Resource) (Identity, error) {
	name := named(p, r, "FunctionName")
	p.revision.Functions = append(p.revision.Functions, function.Function{Stack: p.stack, Name: name, ARN: arn.Function(p.region, name)})
	return Identity{Physical: name, Attributes: map[string]string{"Arn": arn.Function(p.region, name)}}, nil
}

// Worked is what becomes of a template: the properties of its resources by logical
// id, and its outputs, as JSON.
func Worked(ctx context.Context, template string, given []Parameter, stored func(context.Context, string) (string, error)) (string, error) {
	t, err := Parse(template)
	if err != nil {
		return "", err
	}
	arguments, err := t.arguments(given, nil)
	if err != nil {
		return "", err
	}
	values, err := t.referred(ctx, arguments, stored)
	if err != nil {
		return "", err
	}
	anything := func(_ context.Context, p *plan, r Resource) (Identity, error) {
		return Identity{Physical: "phys-" + r.ID, Attributes: map[string]string{"Arn": "arn:of:" + r.ID, "Nested.Name": "nested"}}, nil
	}
	p := &pass{
		evaluation: evaluation{
			template: t, parameters: values, region: "us-east-1", stack: "s", id: StackARN("us-east-1", "s", "u"), stored: stored,
			imported: func(name string) (string, error) {
				if name != "there" {
					return "", errors.New("No export named " + name + " found.")
				}
				return "imported", nil
			},
		},
		plan:  plan{revision: &deploy.Revision{Stack: "s"}, stack: "s", region: "us-east-1"},
		kinds: map[string]kind{"T": anything},
	}
	if err := p.run(ctx); err != nil {
		return "", err
	}
	out := map[string]any{}
	for _, r := range p.resources {
		out[r.ID] = r.Properties
	}
	for _, o := range p.outputs {
		out["output "+o.Key] = o.Value
	}
	doc, err := json.Marshal(out)
	return string(doc), err
}
