package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/dropstack/dropstack/internal/network"
)

// TemplateResource is a resource of a network in a template, in which what refers to
// others has been put in.
type TemplateResource struct {
	ID                   string // logical
	Type                 string
	Properties, Metadata map[string]any
}

// TemplateNetworks is the networks that resources of a template declare.
type TemplateNetworks struct {
	Model      network.Model
	IDs        map[string]string            // by logical id
	Attributes map[string]map[string]string // what Fn::GetAtt gives, by logical id
	Warnings   []string
	Problems   []string
}

// IsNetwork reports whether a type of resource is a network's.
func IsNetwork(typ string) bool {
	return slices.ContainsFunc(networkTypes, func(t networkType) bool { return t.name == typ })
}

// Networks reads the resources of networks of a template as those of a serverless.yml
// are read.
func Networks(stack string, resources []TemplateResource) TemplateNetworks {
	r := &reader{svc: &Service{}, names: map[string]resource{}}
	r.vars = &variables{done: map[*node]*node{}}
	r.nets = nets{declared: map[string][]declared{}, place: map[string]Pos{}, table: map[string]string{}, stack: stack}
	for _, t := range resources {
		n := &node{kind: object, fields: []field{{key: "Properties", value: valueNode(t.Properties)}}}
		if t.Metadata != nil {
			n.fields = append(n.fields, field{key: "Metadata", value: valueNode(t.Metadata)})
		}
		r.nameNetwork(t.Type, field{key: t.ID, value: n}, n)
	}
	r.networks()
	out := TemplateNetworks{Model: r.svc.Network, IDs: map[string]string{}, Attributes: map[string]map[string]string{}}
	for _, t := range resources {
		out.IDs[t.ID], out.Attributes[t.ID] = r.names[t.ID].name, r.names[t.ID].atts
	}
	for _, p := range r.warnings {
		out.Warnings = append(out.Warnings, p.Message)
	}
	for _, p := range r.problems {
		out.Problems = append(out.Problems, p.Message)
	}
	return out
}

// valueNode is a value as the reader has it.
func valueNode(v any) *node {
	switch v := v.(type) {
	case nil:
		return &node{kind: null}
	case map[string]any:
		n := &node{kind: object}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n.fields = append(n.fields, field{key: key, value: valueNode(v[key])})
		}
		return n
	case []any:
		n := &node{kind: list}
		for _, item := range v {
			n.items = append(n.items, valueNode(item))
		}
		return n
	case bool:
		return &node{kind: boolean, text: strconv.FormatBool(v)}
	case float64:
		return &node{kind: number, text: strconv.FormatFloat(v, 'f', -1, 64)}
	case int:
		return &node{kind: number, text: strconv.Itoa(v)}
	case json.Number:
		return &node{kind: number, text: v.String()}
	}
	return &node{kind: text, text: fmt.Sprint(v), literal: true}
}
