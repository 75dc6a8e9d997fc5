package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
)

// resource is a resource of a stack as it is deployed.
type resource struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Physical   string            `json:"physical"`
	Ref        string            `json:"ref,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Properties map[string]any    `json:"properties,omitempty"`
	Policy     map[string]any    `json:"policy,omitempty"`
	Deletion   string            `json:"deletion,omitempty"` // DeletionPolicy
	State      state             `json:"state,omitzero"`
}

// same reports whether r asks for what other does.
func (r *resource) same(other *resource) bool {
	return r.Type == other.Type && reflect.DeepEqual(r.Properties, other.Properties) && reflect.DeepEqual(r.Policy, other.Policy)
}

// pass turns a template into a revision. It changes nothing but the store of
// artifacts, and can be made again.
type pass struct {
	evaluation
	plan     plan
	kinds    map[string]kind
	before   map[string]resource // of the stack as it is
	answered map[string]Identity // of custom resources that have been called
	exported map[string]string   // names of other stacks' exports, and those stacks

	resources []resource // that are made, or stay as they are
	ready     []resource // custom resources that can be called now
	waiting   []string   // resources that depend on those
	outputs   []deploy.Output
	imports   []string
	wrong     Problems
}

// run works out everything that can be; what depends on a custom resource that has
// not been called is left as it is in the stack.
func (p *pass) run(ctx context.Context) error {
	p.made, p.unknown = map[string]Identity{}, map[string]bool{}
	p.plan.templates, p.plan.made = map[string]Resource{}, map[string]Identity{}
	if err := p.decide(ctx); err != nil {
		return err
	}
	sorted, needs, err := p.order(ctx)
	if err != nil {
		return err
	}
	lookup := p.imported
	p.imported = func(name string) (string, error) {
		v, err := lookup(name)
		if err == nil && !slices.Contains(p.imports, name) {
			p.imports = append(p.imports, name)
		}
		return v, err
	}
	for _, d := range sorted {
		if slices.ContainsFunc(needs[d.ID], func(id string) bool { return p.unknown[id] }) {
			p.wait(ctx, d)
			continue
		}
		p.wrong.of(d, p.make(ctx, d))
	}
	p.show(ctx)
	slices.Sort(p.imports)
	p.plan.revision.Imports = p.imports
	p.plan.revision.Outputs = p.outputs
	return p.wrong.err()
}

// make works out a resource and adds it to the revision.
func (p *pass) make(ctx context.Context, d *declaration) error {
	add, ours := p.kinds[d.Type]
	if !ours && !custom(d.Type) {
		return unsupported(d)
	}
	properties, err := p.each(ctx, d.Properties, "")
	if err != nil {
		return known(err)
	}
	policy, err := p.each(ctx, d.Update, "UpdatePolicy")
	if err != nil {
		return known(err)
	}
	r := resource{ID: d.ID, Type: d.Type, Properties: properties, Policy: policy, Deletion: d.Deletion}
	if len(r.Policy) == 0 {
		r.Policy = nil
	}
	was, there := p.before[d.ID]
	if there && was.Type == d.Type {
		r.Physical = was.Physical
	}
	if !ours {
		return p.custom(r, was, there)
	}
	seen := r.seen()
	seen.Metadata, _ = d.Metadata.(map[string]any)
	p.plan.templates[r.ID] = seen
	identity, err := add(ctx, &p.plan, seen)
	if err != nil {
		delete(p.plan.templates, r.ID)
		return err
	}
	p.keep(r, identity)
	return nil
}

// warned is what of a resource has no effect here, for its event.
func (p *pass) warned(id string) string {
	var list []string
	for _, w := range p.plan.warnings {
		if w.ID == id {
			list = append(list, w.Message)
		}
	}
	return strings.Join(list, "; ")
}

// keep notes what became of a resource.
func (p *pass) keep(r resource, identity Identity) {
	r.Physical, r.Ref, r.Attributes = identity.Physical, identity.Ref, identity.Attributes
	p.resources = append(p.resources, r)
	p.made[r.ID], p.plan.made[r.ID] = identity, identity
	seen := r.seen()
	seen.Metadata = p.plan.templates[r.ID].Metadata
	p.plan.templates[r.ID] = seen
}

// seen is a resource as its kind sees it.
func (r *resource) seen() Resource {
	return Resource{
		ID: r.ID, Type: r.Type, Properties: r.Properties, Policy: r.Policy, Physical: r.Physical,
		Retain: r.Deletion == policyRetain || r.Deletion == policyRetainExceptOnCreate,
	}
}

// wait puts off a resource; one that is in the stack stays as it is.
func (p *pass) wait(ctx context.Context, d *declaration) {
	p.unknown[d.ID] = true
	p.waiting = append(p.waiting, d.ID)
	was, there := p.before[d.ID]
	if !there || was.Type != d.Type {
		if _, ours := p.kinds[d.Type]; !ours && !custom(d.Type) {
			p.wrong.of(d, unsupported(d))
		}
		return
	}
	identity := Identity{Physical: was.Physical, Ref: was.Ref, Attributes: was.Attributes}
	if add, ours := p.kinds[d.Type]; ours {
		var err error
		if identity, err = add(ctx, &p.plan, was.seen()); err != nil {
			p.wrong.of(d, err)
			return
		}
	}
	p.plan.made[d.ID], p.plan.templates[d.ID] = identity, was.seen()
	p.resources = append(p.resources, was)
}

// known is an error without what only says that another resource has one.
func known(err error) error {
	var list []error
	for _, one := range parts(err) {
		if !errors.Is(one, errUnknown) {
			list = append(list, one)
		}
	}
	return errors.Join(list...)
}

// unsupported says what to do in place of a type that is not deployed.
func unsupported(d *declaration) error {
	return fmt.Errorf("%s is not deployed here: %s", d.Type, advice(d.Type))
}

// show works out the outputs.
func (p *pass) show(ctx context.Context) {
	for _, key := range names(p.template.Outputs) {
		o := p.template.Outputs[key]
		report := func(err error) {
			if err = known(err); err != nil {
				p.wrong.add(o.line, "output %s: %v", key, err)
			}
		}
		if o.Condition != "" {
			holds, err := p.holds(ctx, o.Condition)
			if report(err); err != nil || !holds {
				continue
			}
		}
		value, err := p.one(ctx, o.Value, "", "Value")
		if report(err); err != nil {
			continue
		}
		out := deploy.Output{Key: key, Value: value, Description: o.Description}
		if o.Export != nil {
			out.Export, err = p.one(ctx, o.Export, "", "the name of the export")
			if report(err); err != nil {
				continue
			}
			if stack, taken := p.exported[out.Export]; taken {
				report(fmt.Errorf("Export with name %s is already exported by stack %s", out.Export, stack))
			}
		}
		p.outputs = append(p.outputs, out)
	}
	var twice []string
	for _, o := range p.outputs {
		if o.Export != "" && slices.Contains(twice, o.Export) {
			p.wrong.add(0, "Export %s is exported by two outputs of the template", o.Export)
		}
		twice = append(twice, o.Export)
	}
}

// custom reports whether a type is a custom resource, which a function makes.
func custom(kind string) bool {
	return strings.HasPrefix(kind, "Custom::") && refusals[kind] == "" || kind == "AWS::CloudFormation::CustomResource"
}

// custom has a custom resource called when it is new or has changed.
func (p *pass) custom(r, was resource, there bool) error {
	if token, ok := r.Properties["ServiceToken"].(string); !ok || token == "" {
		return errors.New("ServiceToken is missing; it is the ARN of the function that makes the resource")
	}
	if identity, ok := p.answered[r.ID]; ok {
		p.keep(r, identity)
		return nil
	}
	if there && r.same(&was) {
		p.keep(r, Identity{Physical: was.Physical, Ref: was.Ref, Attributes: was.Attributes})
		return nil
	}
	p.ready = append(p.ready, r)
	p.unknown[r.ID] = true
	if there && was.Type == r.Type {
		p.resources = append(p.resources, was)
	}
	return nil
}

// byID are resources by their logical ids.
func byID(list []resource) map[string]resource {
	m := map[string]resource{}
	for _, r := range list {
		m[r.ID] = r
	}
	return m
}
