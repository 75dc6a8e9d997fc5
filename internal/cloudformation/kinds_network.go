package cloudformation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
	"github.com/dropstack/dropstack/internal/wire"
)

// networkPart is the types of AWS::EC2 and AWS::Route53 that networks are made of.
// They are read together, as a route is of all subnets that its table is ever
// associated with; so each is read with those before it.
func networkPart(_ context.Context, p *plan, r Resource) (Identity, error) {
	var all []spec.TemplateResource
	for _, id := range slices.Sorted(maps.Keys(p.templates)) {
		if before := p.templates[id]; spec.IsNetwork(before.Type) && id != r.ID {
			all = append(all, spec.TemplateResource{ID: id, Type: before.Type, Properties: before.Properties, Metadata: before.Metadata})
		}
	}
	all = append(all, spec.TemplateResource{ID: r.ID, Type: r.Type, Properties: r.Properties, Metadata: r.Metadata})
	made := spec.Networks(p.stack, all)
	var wrong []error
	for _, text := range made.Problems {
		wrong = append(wrong, fault.Coded(fault.Invalid, "ValidationError", "%s", bare(r, text)))
	}
	if len(wrong) > 0 {
		return Identity{}, errors.Join(wrong...)
	}
	for _, text := range made.Warnings {
		if w := (Warning{r.ID, bare(r, text)}); strings.HasPrefix(text, "resource "+r.ID) && !slices.Contains(p.warnings, w) {
			p.warnings = append(p.warnings, w)
		}
	}
	p.revision.Network = made.Model
	attributes := made.Attributes[r.ID]
	if block, ok := wire.Plain(r.Properties["CidrBlock"]); ok {
		attributes["CidrBlock"] = block
	}
	return Identity{Physical: made.IDs[r.ID], Attributes: attributes}, nil
}

// bare is what is said of a resource without its name, which is told beside it.
func bare(r Resource, text string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "resource "), r.ID)
	return strings.TrimLeft(rest, ".: ")
}
