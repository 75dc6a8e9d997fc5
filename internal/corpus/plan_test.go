package corpus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
)

// deployed is what comes of a service, in a form that both sides can be brought to.
// Lists of what has no name are sets of sentences.
type deployed struct {
	Functions     map[string]deployedFunction
	Routes        map[string]bool // METHOD PATH FUNCTION
	HTTPRoutes    map[string]bool
	Topics        map[string]bool
	Subscriptions map[string]bool // TOPIC FUNCTION FILTER
	Schedules     map[string]bool // EXPRESSION FUNCTION ENABLED INPUT
	Buckets       map[string]bool
	Notifications map[string]bool // BUCKET EVENT PREFIX SUFFIX FUNCTION
	URLs          map[string]bool // FUNCTION AUTH

	Access, Authorizers, Validation, Keys, Plans, Mappings, Rules, Buses map[string]bool // access_test.go
	Tags                                                                 map[string]bool // FUNCTION KEY VALUE
	Outputs                                                              map[string]bool // KEY, EXPORT
}

type deployedFunction struct {
	Handler, Runtime, Description string
	Memory, Timeout               int
	Reserved                      int // -1: none
	Storage                       int
	Environment                   map[string]string
}

func nothing() deployed {
	d := deployed{Functions: map[string]deployedFunction{}}
	for _, set := range []*map[string]bool{&d.Routes, &d.HTTPRoutes, &d.Topics, &d.Subscriptions, &d.Schedules, &d.Buckets, &d.Notifications, &d.URLs, &d.Access, &d.Authorizers, &d.Validation, &d.Keys, &d.Plans, &d.Mappings, &d.Rules, &d.Buses, &d.Tags, &d.Outputs} {
		*set = map[string]bool{}
	}
	return d
}

func (d deployed) json(t *testing.T) []byte {
	t.Helper()
	doc, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// plan is what dropstack would deploy.
func (s *sample) plan(t *testing.T) []byte {
	t.Helper()
	svc, err := deploy.Load(t.Context(), s.dir, s.options())
	if err != nil {
		t.Fatal(err)
	}
	artifacts, layers := map[string]string{}, map[string]string{}
	for _, f := range svc.Functions {
		artifacts[f.Key] = strings.Repeat("0", 64)
	}
	for _, l := range svc.Layers {
		layers[l.Key] = strings.Repeat("1", 64)
	}
	r, err := deploy.Plan(svc, artifacts, layers)
	if err != nil {
		t.Fatal(err)
	}
	d := nothing()
	for _, f := range r.Functions {
		out := deployedFunction{f.Handler, f.Runtime, f.Description, f.MemoryMB, f.Timeout, -1, max(f.StorageMB, 512), f.Environment}
		if f.Concurrency != nil {
			out.Reserved = *f.Concurrency
		}
		d.Functions[f.Name] = out
	}
	for _, api := range r.APIs {
		for _, route := range api.Routes {
			switch api.Kind {
			case gateway.URL:
				d.URLs[route.Function+" "+api.Auth] = true
			case gateway.HTTP:
				d.HTTPRoutes[httpRoute(route)+" "+route.Function] = true
			default:
				d.Routes[route.Method+" "+route.Path+" "+route.Function] = true
			}
		}
	}
	for _, topic := range r.Topics {
		if !topic.Named {
			d.Topics[topic.Name] = true
		}
	}
	for _, s := range r.Subscriptions {
		d.Subscriptions[last(s.Topic)+" "+s.Function+" "+compact(s.Filter)] = true
	}
	for _, s := range r.Schedules {
		d.Schedules[fmt.Sprintf("%s %s %t %s", s.Expression, s.Function, !s.Disabled, compact(s.Input))] = true
	}
	for _, b := range r.Buckets {
		d.Buckets[b] = true
	}
	for _, n := range r.Notifications {
		d.Notifications[fmt.Sprintf("%s %s %s* *%s %s", n.Bucket, n.Event, n.Prefix, n.Suffix, n.Function)] = true
	}
	d.access(r)
	for _, f := range r.Functions {
		for key, value := range f.Tags {
			d.Tags[f.Name+" "+key+" "+value] = true
		}
	}
	for _, o := range r.Outputs {
		d.Outputs[o.Key+" "+o.Export] = true
	}
	return d.json(t)
}

func httpRoute(r gateway.Route) string {
	if r.Path == "$default" {
		return r.Path
	}
	return r.Method + " " + r.Path
}

func last(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

// compact is JSON with sorted keys and no blanks.
func compact(doc string) string {
	var v any
	if json.Unmarshal([]byte(doc), &v) != nil {
		return doc
	}
	out, err := json.Marshal(v)
	if err != nil {
		return doc
	}
	return string(out)
}

func sorted(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
