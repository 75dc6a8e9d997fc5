package cloudformation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

func parse(t *testing.T, text string) *Template {
	t.Helper()
	tpl, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// run makes the plan of a template; physical are the ids that the stack has already.
func run(t *testing.T, g *ground, tpl *Template, physical map[string]string) (*plan, error) {
	t.Helper()
	before := map[string]resource{}
	for id, name := range physical {
		if name != "" {
			before[id] = resource{ID: id, Type: tpl.Resources[id].Type, Physical: name}
		}
	}
	p := &pass{
		evaluation: evaluation{template: tpl, region: arn.Region, stack: "shop-dev", id: StackARN(arn.Region, "shop-dev", "u"), imported: func(name string) (string, error) {
			return "", fmt.Errorf("no export %s", name)
		}},
		plan:  plan{revision: &deploy.Revision{Stack: "shop-dev", Region: arn.Region}, stack: "shop-dev", region: arn.Region, platform: g},
		kinds: kinds, before: before,
	}
	err := p.run(t.Context())
	return &p.plan, err
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
