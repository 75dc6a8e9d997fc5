package waf

import (
	"encoding/json"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// PlatformSet is the ARN by which rules refer to a set of the platform's own, such as
// "bans" and "reputation".
func PlatformSet(name string) string { return "dropstack:ipset/" + name }

// compiler makes a snapshot out of what all stacks have declared.
type compiler struct {
	firewall *Firewall
	sources  sources
	sets     map[string]Addresses
	patterns map[string][]*regexp.Regexp
	before   *snapshot
	kept     kept
	acl      *WebACL
}

// kept is what goes on over a change of web ACLs, by the rules that it is of.
type kept struct {
	counts  map[string]*counts
	samples map[string]*samples
}

// build is the snapshot of nothing but the default ACL.
func (f *Firewall) build(stacks map[string]declared) *snapshot {
	next, err := f.compile(stacks, &snapshot{})
	if err != nil {
		panic(err) // there is nothing declared that could be wrong
	}
	return next
}

// compile makes the next snapshot; before is the present one.
func (f *Firewall) compile(stacks map[string]declared, before *snapshot) (*snapshot, error) {
	c := &compiler{
		firewall: f, before: before, sets: map[string]Addresses{}, patterns: map[string][]*regexp.Regexp{},
		kept: kept{map[string]*counts{}, map[string]*samples{}},
	}
	for name, set := range f.Sets {
		c.sets[PlatformSet(name)] = set
	}
	next := &snapshot{stacks: stacks, acls: map[string]*acl{}}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		if err := c.declare(stack, stacks[stack]); err != nil {
			return nil, err
		}
	}
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		for i := range stacks[stack].acls {
			w := &stacks[stack].acls[i]
			if next.acls[w.ARN] != nil {
				return nil, fault.Coded(fault.Conflict, "WAFDuplicateItemException", "two web ACLs have the ARN %s; give one of them another name", w.ARN)
			}
			a, err := c.webACL(w)
			if err != nil {
				return nil, err
			}
			next.acls[w.ARN] = a
		}
	}
	var listed matcher
	if f.Listed != nil {
		listed = client{f.Listed}
	}
	a := standard(listed)
	for _, r := range a.rules {
		r.samples = c.keepSamples(Default, r.name)
	}
	a.samples = c.keepSamples(Default, Undecided)
	next.acls[Default] = a
	next.sources, next.kept = c.sources.next, c.kept
	return next, nil
}

// declare makes the sets of a stack known.
func (c *compiler) declare(stack string, d declared) error {
	for _, s := range d.sets {
		if c.sets[s.ARN] != nil {
			return fault.Coded(fault.Conflict, "WAFDuplicateItemException", "two IP sets have the ARN %s; give that of stack %q another name", s.ARN, stack)
		}
		prefixes := make([]netip.Prefix, 0, len(s.Addresses))
		for _, text := range s.Addresses {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				return err
			}
			prefixes = append(prefixes, p)
		}
		c.sets[s.ARN] = MakeRanges(prefixes)
	}
	for _, s := range d.patterns {
		if c.patterns[s.ARN] != nil {
			return fault.Coded(fault.Conflict, "WAFDuplicateItemException", "two pattern sets have the ARN %s; give that of stack %q another name", s.ARN, stack)
		}
		list := make([]*regexp.Regexp, 0, len(s.RegularExpressionList))
		for _, p := range s.RegularExpressionList {
			e, err := regexp.Compile(p.RegexString)
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		c.patterns[s.ARN] = list
	}
	return nil
}

// keep returns what there was of a kind under a key before, or new.
func keep[T any](before, now map[string]*T, key string) *T {
	one := before[key]
	if one == nil {
		one = new(T)
	}
	now[key] = one
	return one
}

func (c *compiler) keepSamples(acl, rule string) *samples {
	return keep(c.before.kept.samples, c.kept.samples, acl+"/"+rule)
}

// webACL compiles one.
func (c *compiler) webACL(w *WebACL) (*acl, error) {
	c.acl = w
	a := &acl{other: w.DefaultAction, bodies: w.CustomResponseBodies}
	if w.VisibilityConfig.CloudWatchMetricsEnabled {
		a.metric = w.VisibilityConfig.MetricName
	}
	if w.VisibilityConfig.SampledRequestsEnabled {
		a.samples = c.keepSamples(w.ARN, Undecided)
	}
	rules := slices.SortedFunc(slices.Values(w.Rules), func(x, y Rule) int { return x.Priority - y.Priority })
	for i := range rules {
		r, err := c.rule(&rules[i])
		if err != nil {
			return nil, fault.Coded(fault.KindOf(err), fault.CodeOf(err), "web ACL %q: rule %q: %w", w.Name, rules[i].Name, err)
		}
		a.rules = append(a.rules, r)
	}
	return a, nil
}

func (c *compiler) rule(of *Rule) (*rule, error) {
	seen := of.VisibilityConfig
	r := &rule{name: of.Name, full: c.acl.Name + "/" + of.Name, metric: seen.MetricName, counted: seen.CloudWatchMetricsEnabled}
	if seen.SampledRequestsEnabled {
		r.samples = c.keepSamples(c.acl.ARN, of.Name)
	}
	for _, l := range of.RuleLabels {
		r.labels = append(r.labels, labelPrefix(c.acl.Name)+l.Name)
	}
	if g := of.Statement.ManagedRuleGroupStatement; g != nil {
		return r, c.group(r, g, of.OverrideAction)
	}
	if of.Action != nil {
		r.action = *of.Action
	}
	var err error
	r.statement, err = c.statement(&of.Statement, of.Name)
	return r, err
}

// labelPrefix begins the labels of the rules of a web ACL.
func labelPrefix(acl string) string { return "awswaf:" + arn.Account + ":webacl:" + acl + ":" }

// statement compiles one; at names it for what is kept over changes.
func (c *compiler) statement(s *Statement, at string) (matcher, error) {
	switch {
	case s.AndStatement != nil:
		list, err := c.several(s.AndStatement.Statements, at)
		return allOf(list), err
	case s.OrStatement != nil:
		list, err := c.several(s.OrStatement.Statements, at)
		return oneOf(list), err
	case s.NotStatement != nil:
		one, err := c.statement(s.NotStatement.Statement, at)
		return not{one}, err
	case s.IPSetReferenceStatement != nil:
		return c.addresses(s.IPSetReferenceStatement)
	case s.LabelMatchStatement != nil:
		key := s.LabelMatchStatement.Key
		if !strings.HasPrefix(key, "awswaf:") {
			key = labelPrefix(c.acl.Name) + key
		}
		return labelled{key, s.LabelMatchStatement.Scope == "NAMESPACE"}, nil
	case s.RateBasedStatement != nil:
		return c.rate(s.RateBasedStatement, at)
	}
	return c.fieldStatement(s)
}

func (c *compiler) several(list []Statement, at string) ([]matcher, error) {
	out := make([]matcher, len(list))
	for i := range list {
		var err error
		if out[i], err = c.statement(&list[i], at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fieldStatement compiles a statement that tests the texts of a field.
func (c *compiler) fieldStatement(s *Statement) (matcher, error) {
	switch {
	case s.ByteMatchStatement != nil:
		m := s.ByteMatchStatement
		in, search := positions[m.PositionalConstraint], string(m.SearchString)
		return c.field(m.FieldToMatch, m.TextTransformations, func(text string) bool { return in(text, search) })
	case s.RegexMatchStatement != nil:
		m := s.RegexMatchStatement
		e, err := regexp.Compile(m.RegexString)
		if err != nil {
			return nil, err
		}
		return c.field(m.FieldToMatch, m.TextTransformations, e.MatchString)
	case s.RegexPatternSetReferenceStatement != nil:
		m := s.RegexPatternSetReferenceStatement
		list := c.patterns[m.ARN]
		if list == nil {
			return nil, fault.Coded(fault.Invalid, "WAFNonexistentItemException", "there is no regex pattern set %s; declare it, or correct the ARN", m.ARN)
		}
		return c.field(m.FieldToMatch, m.TextTransformations, patterns(list))
	case s.SqliMatchStatement != nil:
		m := s.SqliMatchStatement
		high := m.SensitivityLevel == "HIGH"
		f, err := c.field(m.FieldToMatch, m.TextTransformations, func(text string) bool { return sqli(text, made(text), high) })
		if err == nil {
			f.injection = true
		}
		return f, err
	case s.XssMatchStatement != nil:
		m := s.XssMatchStatement
		f, err := c.field(m.FieldToMatch, m.TextTransformations, func(text string) bool { return xss(text, made(text)) })
		if err == nil {
			f.injection = true
		}
		return f, err
	default:
		return c.size(s.SizeConstraintStatement)
	}
}

func (c *compiler) field(f Field, steps []Transformation, test func(string) bool) (*fieldMatch, error) {
	from, err := c.sources.of(f, steps)
	if err != nil {
		return nil, err
	}
	m := &fieldMatch{from: from, test: test}
	m.oversize, m.invalid = oversize(f)
	return m, nil
}

func (c *compiler) size(m *Size) (matcher, error) {
	compare := comparisons[m.ComparisonOperator]
	read, err := c.field(m.FieldToMatch, m.TextTransformations, func(text string) bool { return compare(int64(len(text)), m.Size) })
	if err != nil {
		return nil, err
	}
	untouched := !slices.ContainsFunc(m.TextTransformations, func(t Transformation) bool { return t.Type != "NONE" })
	if m.FieldToMatch.Body != nil && untouched {
		return declaredSize{m.Size, compare, read}, nil
	}
	return read, nil
}

func (c *compiler) addresses(m *IPSetRef) (matcher, error) {
	set := c.sets[m.ARN]
	if set == nil {
		return nil, fault.Coded(fault.Invalid, "WAFNonexistentItemException", "there is no IP set %s; declare it, or correct the ARN", m.ARN)
	}
	if f := m.IPSetForwardedIPConfig; f != nil {
		return forwarded{set, f.HeaderName, f.FallbackBehavior == "MATCH", f.Position}, nil
	}
	return client{set}, nil
}

func (c *compiler) rate(r *RateBased, at string) (matcher, error) {
	key, err := c.rateKey(r)
	if err != nil {
		return nil, err
	}
	window := r.EvaluationWindowSec
	if window == 0 {
		window = 300
	}
	m := rate{limit: r.Limit, window: time.Duration(window) * time.Second, key: key}
	m.absent = r.ForwardedIPConfig != nil && r.ForwardedIPConfig.FallbackBehavior == "MATCH"
	if r.ScopeDownStatement != nil {
		if m.scope, err = c.statement(r.ScopeDownStatement, at); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	m.counts = keep(c.before.kept.counts, c.kept.counts, c.acl.ARN+"/"+at+"/"+string(text))
	return m, nil
}
