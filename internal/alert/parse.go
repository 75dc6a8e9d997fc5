package alert

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/dropstack/dropstack/internal/fault"
)

// Parse reads a file of rules in Prometheus' format: groups of rules, each an alert
// or a record. A rule may ask the logs, which Prometheus' own files cannot: query,
// with within and log_groups, in place of expr. An error is fault.Invalid and has a
// line, FILE:LINE: ..., for each thing that is wrong.
func Parse(file string, doc []byte) ([]Rule, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(doc, &root); err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	p := &reading{file: file}
	if len(root.Content) > 0 {
		p.fields(root.Content[0], "the file", map[string]func(*yaml.Node){"groups": func(n *yaml.Node) {
			p.each(n, "groups", p.group)
		}})
	}
	if len(p.errs) > 0 {
		return nil, fault.Errorf(fault.Invalid, "%w", errors.Join(p.errs...))
	}
	return p.rules, nil
}

// reading is a file of rules that is being read.
type reading struct {
	file  string
	rules []Rule
	seen  map[string]int // lines of groups
	errs  []error
}

func (p *reading) fail(n *yaml.Node, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s:%d: %w", p.file, n.Line, fmt.Errorf(format, args...)))
}

// fields hands the values of an object to who takes them, and refuses others.
func (p *reading) fields(n *yaml.Node, what string, take map[string]func(*yaml.Node)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		p.fail(n, "%s must be an object", what)
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		f := take[key.Value]
		if f == nil {
			p.fail(key, "%s has no field %q; it may have %s", what, key.Value, strings.Join(slices.Sorted(maps.Keys(take)), ", "))
			continue
		}
		f(n.Content[i+1])
	}
}

func (p *reading) each(n *yaml.Node, what string, take func(*yaml.Node)) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n, "%s must be a list", what)
		return
	}
	for _, item := range n.Content {
		take(item)
	}
}

// into decodes a value.
func into[T any](p *reading, what string, to *T) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(to); err != nil {
			p.fail(n, "%s: %s", what, strings.TrimPrefix(err.Error(), "yaml: "))
		}
	}
}

func (p *reading) time(what string, to *time.Duration) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d, err := model.ParseDuration(n.Value)
		if err != nil {
			p.fail(n, "%s: %v", what, err)
		}
		*to = time.Duration(d)
	}
}

func (p *reading) group(n *yaml.Node) {
	var like Rule // what the group says of its rules
	var list *yaml.Node
	p.fields(n, "a group", map[string]func(*yaml.Node){
		"name":         into(p, "name", &like.Group),
		"interval":     p.time("interval", &like.Every),
		"query_offset": p.time("query_offset", &like.Behind),
		"limit":        into(p, "limit", &like.Limit),
		"labels":       into(p, "labels", &like.Labels),
		"rules":        func(n *yaml.Node) { list = n },
	})
	if like.Group == "" {
		p.fail(n, "a group needs a name")
	}
	if first, twice := p.seen[like.Group]; twice {
		p.fail(n, "group %q is there already, in line %d", like.Group, first)
	}
	if p.seen == nil {
		p.seen = map[string]int{}
	}
	p.seen[like.Group] = n.Line
	if list != nil {
		p.each(list, "rules", func(n *yaml.Node) { p.rule(n, like) })
	}
}

func (p *reading) rule(n *yaml.Node, r Rule) {
	var alert, record string
	expr := n
	own := map[string]string{}
	before := len(p.errs)
	p.fields(n, "a rule", map[string]func(*yaml.Node){
		"alert":           into(p, "alert", &alert),
		"record":          into(p, "record", &record),
		"expr":            func(n *yaml.Node) { expr = n; into(p, "expr", &r.Expr)(n) },
		"query":           func(n *yaml.Node) { expr = n; into(p, "query", &r.Query)(n) },
		"within":          p.time("within", &r.Within),
		"log_groups":      into(p, "log_groups", &r.Groups),
		"for":             p.time("for", &r.For),
		"keep_firing_for": p.time("keep_firing_for", &r.KeepFiring),
		"labels":          into(p, "labels", &own),
		"annotations":     into(p, "annotations", &r.Annotations),
	})
	if (alert == "") == (record == "") {
		p.fail(n, "a rule is an alert or a record: give it one of the two names")
	}
	r.Name, r.Record, r.Source = alert+record, record != "", fmt.Sprintf("%s:%d", p.file, n.Line)
	if len(own) > 0 {
		all := maps.Clone(r.Labels)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, own)
		r.Labels = all
	}
	if len(p.errs) == before {
		if err := r.Check(); err != nil {
			p.fail(expr, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	p.rules = append(p.rules, r)
}
