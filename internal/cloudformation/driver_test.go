package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// ground is the platform that the kinds stand on in tests.
type ground struct {
	stacks  map[string]*deploy.Revision
	newest  map[string]function.Function // by name
	next    map[string]int               // likewise
	objects map[string]string            // content by bucket/key; nil: there is every object, its content its key
	shas    map[string]string            // of objects, by the last part of the key; others have that of their content
	stored  [][]byte
	secrets int
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func (g *ground) Artifact(_ context.Context, bucket, key, _ string) (string, int64, error) {
	content, ok := g.objects[bucket+"/"+key]
	if g.objects == nil {
		content, ok = lastPart(key), true
	}
	if sha, known := g.shas[lastPart(key)]; known {
		return sha, 100, nil
	}
	if !ok {
		return "", 0, fault.Coded(fault.NotFound, "NoSuchKey", "The specified key does not exist.")
	}
	return sum(content), int64(len(content)), nil
}

func (g *ground) Store(_ context.Context, zip []byte) (string, int64, error) {
	g.stored = append(g.stored, zip)
	return sum(string(zip)), int64(len(zip)), nil
}

func (g *ground) NextVersion(_ context.Context, name string) (int, function.Function, error) {
	return max(g.next[name], 1), g.newest[name], nil
}

func (g *ground) List() map[string]*deploy.Revision { return g.stacks }

func (g *ground) Secret() string {
	g.secrets++
	return fmt.Sprintf("Secret%018d", g.secrets)
}

// template is a template as far as the tests of kinds need one.
type template struct {
	Resources map[string]struct {
		Type           string
		Properties     map[string]any
		Metadata       map[string]any
		UpdatePolicy   map[string]any
		DeletionPolicy string
		DependsOn      any
	}
}

// driver turns a template into a revision: Ref, Fn::GetAtt, Fn::Join and Fn::Sub,
// in the order in which resources refer to each other.
type driver struct {
	t        *template
	p        *plan
	physical map[string]string // of the stack as it is
	open     map[string]bool
}

func newPlan(g *ground) *plan {
	return &plan{
		revision: &deploy.Revision{Stack: "shop-dev", Region: arn.Region}, stack: "shop-dev", region: arn.Region, platform: g,
		templates: map[string]Resource{}, made: map[string]Identity{},
	}
}

func parse(t *testing.T, text string) *template {
	t.Helper()
	out := new(template)
	if err := json.Unmarshal([]byte(text), out); err != nil {
		t.Fatal(err)
	}
	return out
}

// run makes the plan of a template; physical are the ids that the stack has already.
func run(t *testing.T, g *ground, tpl *template, physical map[string]string) (*plan, error) {
	t.Helper()
	d := &driver{tpl, newPlan(g), physical, map[string]bool{}}
	for _, id := range slices.Sorted(maps.Keys(tpl.Resources)) {
		if err := d.make(t.Context(), id); err != nil {
			return nil, err
		}
	}
	return d.p, nil
}

// planned is run of a template that is right.
func planned(t *testing.T, g *ground, text string) *plan {
	t.Helper()
	p, err := run(t, g, parse(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (d *driver) make(ctx context.Context, id string) error {
	in, ok := d.t.Resources[id]
	if _, done := d.p.made[id]; done || !ok || d.open[id] {
		return nil
	}
	d.open[id] = true
	for _, dep := range list(in.DependsOn) {
		if err := d.make(ctx, dep.(string)); err != nil {
			return err
		}
	}
	var err error
	r := Resource{ID: id, Type: in.Type, Metadata: in.Metadata, Retain: in.DeletionPolicy == "Retain", Physical: d.physical[id]}
	for to, from := range map[*map[string]any]map[string]any{&r.Properties: in.Properties, &r.Policy: in.UpdatePolicy} {
		var v any
		if v, err = d.value(ctx, from); err != nil {
			return err
		}
		*to, _ = v.(map[string]any)
	}
	d.p.templates[id] = r
	made, err := kindOf(in.Type)(ctx, d.p, r)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	d.p.made[id] = made
	return nil
}

// sprintf fills a template.
func sprintf(text string, parts ...any) string { return fmt.Sprintf(text, parts...) }

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func (d *driver) value(ctx context.Context, v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = d.value(ctx, v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		for name, arg := range v {
			if len(v) == 1 && (name == "Ref" || strings.HasPrefix(name, "Fn::")) {
				return d.call(ctx, name, arg)
			}
		}
		out := map[string]any{}
		for name := range v {
			var err error
			if out[name], err = d.value(ctx, v[name]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func (d *driver) call(ctx context.Context, name string, arg any) (any, error) {
	switch name {
	case "Ref":
		return d.ref(ctx, arg.(string))
	case "Fn::GetAtt":
		parts := arg.([]any)
		return d.att(ctx, parts[0].(string), parts[1].(string))
	case "Fn::Join":
		parts := arg.([]any)
		items, err := d.value(ctx, parts[1])
		if err != nil {
			return nil, err
		}
		var texts []string
		for _, item := range items.([]any) {
			texts = append(texts, fmt.Sprint(item))
		}
		return strings.Join(texts, parts[0].(string)), nil
	case "Fn::Sub":
		out := arg.(string)
		for strings.Contains(out, "${") {
			before, rest, _ := strings.Cut(out, "${")
			id, after, _ := strings.Cut(rest, "}")
			v, err := d.ref(ctx, id)
			if err != nil {
				return nil, err
			}
			out = before + v.(string) + after
		}
		return out, nil
	}
	return nil, fmt.Errorf("the tests' driver does not know %s", name)
}

func (d *driver) ref(ctx context.Context, id string) (any, error) {
	if v, ok := map[string]string{"AWS::Region": arn.Region, "AWS::AccountId": arn.Account, "AWS::Partition": "aws", "AWS::URLSuffix": "localhost", "AWS::StackName": "shop-dev"}[id]; ok {
		return v, nil
	}
	if err := d.make(ctx, id); err != nil {
		return nil, err
	}
	made, ok := d.p.made[id]
	if !ok {
		return nil, fmt.Errorf("Ref %s: there is no such resource", id)
	}
	if made.Ref != "" {
		return made.Ref, nil
	}
	return made.Physical, nil
}

func (d *driver) att(ctx context.Context, id, name string) (any, error) {
	if err := d.make(ctx, id); err != nil {
		return nil, err
	}
	v, ok := d.p.made[id].Attributes[name]
	if !ok {
		return nil, fmt.Errorf("Fn::GetAtt %s: no attribute %s", id, name)
	}
	return v, nil
}
