package waf

import (
	"fmt"
	"strings"
)

// statement checks one. top says that it is a rule's own, which groups and rates have
// to be.
func (c *checker) statement(s *Statement, depth int, top bool) {
	if depth > maxNesting {
		c.add("statements are nested deeper than %d", maxNesting)
		return
	}
	if !oneOfThem(s.ByteMatchStatement != nil, s.SqliMatchStatement != nil, s.XssMatchStatement != nil, s.SizeConstraintStatement != nil,
		s.GeoMatchStatement != nil, s.IPSetReferenceStatement != nil, s.RegexMatchStatement != nil, s.RegexPatternSetReferenceStatement != nil,
		s.RateBasedStatement != nil, s.LabelMatchStatement != nil, s.AndStatement != nil, s.OrStatement != nil, s.NotStatement != nil,
		s.ManagedRuleGroupStatement != nil) {
		c.add("it must have one kind of statement, of those in docs/firewall.md")
		return
	}
	switch {
	case s.AndStatement != nil:
		c.in("AndStatement", func() { c.several(s.AndStatement.Statements, depth) })
	case s.OrStatement != nil:
		c.in("OrStatement", func() { c.several(s.OrStatement.Statements, depth) })
	case s.NotStatement != nil:
		c.in("NotStatement", func() {
			if s.NotStatement.Statement == nil {
				c.add("Statement is missing")
				return
			}
			c.statement(s.NotStatement.Statement, depth+1, false)
		})
	case s.RateBasedStatement != nil:
		c.in("RateBasedStatement", func() {
			if !top {
				c.add("it must be a rule's own statement; put what it is about into ScopeDownStatement")
			}
			c.rate(s.RateBasedStatement, depth)
		})
	case s.ManagedRuleGroupStatement != nil:
		c.in("ManagedRuleGroupStatement", func() {
			g := s.ManagedRuleGroupStatement
			if !top {
				c.add("it must be a rule's own statement; put what it is about into ScopeDownStatement")
			}
			if err := checkGroup(g); err != nil {
				c.add("%w", err)
			}
			for i := range g.RuleActionOverrides {
				c.in(g.RuleActionOverrides[i].Name, func() { c.actionParts(&g.RuleActionOverrides[i].ActionToUse) })
			}
			c.scope(g.ScopeDownStatement, depth)
		})
	default:
		c.simple(s)
	}
}

func (c *checker) several(list []Statement, depth int) {
	if len(list) < 2 {
		c.add("it has %d statements; it must have two at least", len(list))
	}
	for i := range list {
		c.in(fmt.Sprintf("%d", i), func() { c.statement(&list[i], depth+1, false) })
	}
}

func (c *checker) scope(s *Statement, depth int) {
	if s != nil {
		c.in("ScopeDownStatement", func() { c.statement(s, depth+1, false) })
	}
}

// simple checks a statement without statements in it.
func (c *checker) simple(s *Statement) {
	switch {
	case s.ByteMatchStatement != nil:
		m := s.ByteMatchStatement
		c.in("ByteMatchStatement", func() {
			if len(m.SearchString) == 0 || len(m.SearchString) > maxSearch {
				c.add("SearchString has %d bytes; it must have 1 to %d", len(m.SearchString), maxSearch)
			}
			c.among("PositionalConstraint", m.PositionalConstraint, "EXACTLY", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "CONTAINS_WORD")
			c.field(m.FieldToMatch, m.TextTransformations)
		})
	case s.SqliMatchStatement != nil:
		m := s.SqliMatchStatement
		c.in("SqliMatchStatement", func() {
			c.among("SensitivityLevel", m.SensitivityLevel, "", "LOW", "HIGH")
			c.field(m.FieldToMatch, m.TextTransformations)
		})
	case s.XssMatchStatement != nil:
		c.in("XssMatchStatement", func() { c.field(s.XssMatchStatement.FieldToMatch, s.XssMatchStatement.TextTransformations) })
	case s.SizeConstraintStatement != nil:
		m := s.SizeConstraintStatement
		c.in("SizeConstraintStatement", func() {
			c.among("ComparisonOperator", m.ComparisonOperator, "EQ", "NE", "LE", "LT", "GE", "GT")
			if m.Size < 0 || m.Size > 21_474_836_480 {
				c.add("Size %d must be from 0 to 21474836480", m.Size)
			}
			c.field(m.FieldToMatch, m.TextTransformations)
		})
	case s.RegexMatchStatement != nil:
		m := s.RegexMatchStatement
		c.in("RegexMatchStatement", func() {
			c.pattern(m.RegexString)
			c.field(m.FieldToMatch, m.TextTransformations)
		})
	case s.RegexPatternSetReferenceStatement != nil:
		m := s.RegexPatternSetReferenceStatement
		c.in("RegexPatternSetReferenceStatement", func() { c.field(m.FieldToMatch, m.TextTransformations) })
	case s.GeoMatchStatement != nil:
		c.in("GeoMatchStatement", func() {
			c.add("which country an address is in is not known here; name the networks in an IP set instead")
		})
	case s.IPSetReferenceStatement != nil:
		if f := s.IPSetReferenceStatement.IPSetForwardedIPConfig; f != nil {
			c.in("IPSetForwardedIPConfig", func() {
				c.forwarded(f.HeaderName, f.FallbackBehavior)
				c.among("Position", f.Position, "FIRST", "LAST", "ANY")
			})
		}
	case s.LabelMatchStatement != nil:
		m := s.LabelMatchStatement
		c.in("LabelMatchStatement", func() {
			c.among("Scope", m.Scope, "LABEL", "NAMESPACE")
			if !labelName.MatchString(m.Key) {
				c.add("Key %q must have 1 to 1000 letters, digits, _, - and :", m.Key)
			}
			if m.Scope == "NAMESPACE" && !strings.HasSuffix(m.Key, ":") {
				c.add("Key %q is a namespace and must end in a colon", m.Key)
			}
		})
	}
}

func (c *checker) forwarded(header, fallback string) {
	if !headerName.MatchString(header) {
		c.add("HeaderName %q must be the name of a header, such as X-Forwarded-For", header)
	}
	c.among("FallbackBehavior", fallback, "MATCH", "NO_MATCH")
}

func (c *checker) rate(r *RateBased, depth int) {
	if r.Limit < 10 || r.Limit > 2_000_000_000 {
		c.add("Limit %d must be from 10 to 2000000000", r.Limit)
	}
	switch r.EvaluationWindowSec {
	case 0, 60, 120, 300, 600:
	default:
		c.add("EvaluationWindowSec %d must be 60, 120, 300 or 600", r.EvaluationWindowSec)
	}
	c.among("AggregateKeyType", r.AggregateKeyType, "IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT")
	forwarded := r.AggregateKeyType == "FORWARDED_IP"
	if r.AggregateKeyType == "CUSTOM_KEYS" {
		if len(r.CustomKeys) < 1 || len(r.CustomKeys) > 5 {
			c.add("CustomKeys has %d keys; it must have 1 to 5", len(r.CustomKeys))
		}
		for i := range r.CustomKeys {
			k := &r.CustomKeys[i]
			forwarded = forwarded || k.ForwardedIP != nil
			c.in(fmt.Sprintf("CustomKeys: %d", i), func() { c.customKey(k) })
		}
	} else if len(r.CustomKeys) > 0 {
		c.add("CustomKeys is for AggregateKeyType CUSTOM_KEYS")
	}
	if forwarded && r.ForwardedIPConfig == nil {
		c.add("ForwardedIPConfig is missing: it says which header the address is in")
	}
	if f := r.ForwardedIPConfig; f != nil {
		c.in("ForwardedIPConfig", func() { c.forwarded(f.HeaderName, f.FallbackBehavior) })
	}
	if r.AggregateKeyType == "CONSTANT" && r.ScopeDownStatement == nil {
		c.add("ScopeDownStatement is missing: with CONSTANT everybody's requests count together, so it has to say which")
	}
	c.scope(r.ScopeDownStatement, depth)
}

func (c *checker) customKey(k *RateCustomKey) {
	if !oneOfThem(k.Header != nil, k.Cookie != nil, k.QueryArgument != nil, k.QueryString != nil, k.HTTPMethod != nil, k.ForwardedIP != nil, k.IP != nil, k.UriPath != nil) {
		c.add("it must have one of Header, Cookie, QueryArgument, QueryString, HTTPMethod, ForwardedIP, IP and UriPath; label namespaces, fingerprints and ASNs are not known here")
		return
	}
	for _, f := range []struct {
		of    *RateKeyField
		named bool
	}{{k.Header, true}, {k.Cookie, true}, {k.QueryArgument, true}, {k.QueryString, false}, {k.UriPath, false}} {
		if f.of == nil {
			continue
		}
		if f.named && (f.of.Name == "" || len(f.of.Name) > 64) {
			c.add("Name has %d characters; it must have 1 to 64", len(f.of.Name))
		}
		c.transformations(f.of.TextTransformations)
	}
}

// field checks a field and what is done to it.
func (c *checker) field(f Field, steps []Transformation) {
	c.transformations(steps)
	c.in("FieldToMatch", func() {
		if f.HeaderOrder != nil {
			c.add("HeaderOrder: the order of headers does not reach us; use Headers or SingleHeader")
			return
		}
		if !oneOfThem(f.SingleHeader != nil, f.SingleQueryArgument != nil, f.AllQueryArguments != nil, f.UriPath != nil, f.QueryString != nil,
			f.Method != nil, f.Body != nil, f.JsonBody != nil, f.Headers != nil, f.Cookies != nil) {
			c.add("it must have one of SingleHeader, SingleQueryArgument, AllQueryArguments, UriPath, QueryString, Method, Body, JsonBody, Headers and Cookies")
			return
		}
		switch {
		case f.SingleHeader != nil && !headerName.MatchString(f.SingleHeader.Name):
			c.add("SingleHeader: Name %q is no name of a header", f.SingleHeader.Name)
		case f.SingleQueryArgument != nil && f.SingleQueryArgument.Name == "":
			c.add("SingleQueryArgument: Name is missing")
		case f.Body != nil:
			c.oversize(f.Body.OversizeHandling, "")
		case f.JsonBody != nil:
			c.jsonField(f.JsonBody)
		case f.Headers != nil:
			p := f.Headers.MatchPattern
			c.severalFields(f.Headers, p.IncludedHeaders, p.ExcludedHeaders)
		case f.Cookies != nil:
			p := f.Cookies.MatchPattern
			c.severalFields(f.Cookies, p.IncludedCookies, p.ExcludedCookies)
		}
	})
}

func (c *checker) oversize(handling string, also ...string) {
	c.among("OversizeHandling", handling, append([]string{"CONTINUE", "MATCH", "NO_MATCH"}, also...)...)
}

func (c *checker) severalFields(f *SeveralFields, included, excluded []string) {
	c.oversize(f.OversizeHandling)
	c.among("MatchScope", f.MatchScope, "ALL", "KEY", "VALUE")
	if !oneOfThem(f.MatchPattern.All != nil, len(included) > 0, len(excluded) > 0) {
		c.add("MatchPattern must have All, or names that are included, or names that are excluded")
	}
	if len(included)+len(excluded) > maxHeaders-1 {
		c.add("MatchPattern has %d names; %d is the most", len(included)+len(excluded), maxHeaders-1)
	}
}

func (c *checker) jsonField(f *JSONField) {
	c.oversize(f.OversizeHandling, "")
	c.among("MatchScope", f.MatchScope, "ALL", "KEY", "VALUE")
	c.among("InvalidFallbackBehavior", f.InvalidFallbackBehavior, "", "MATCH", "NO_MATCH", "EVALUATE_AS_STRING")
	if !oneOfThem(f.MatchPattern.All != nil, len(f.MatchPattern.IncludedPaths) > 0) {
		c.add("JsonBody: MatchPattern must have All or IncludedPaths")
	}
	for _, p := range f.MatchPattern.IncludedPaths {
		if !strings.HasPrefix(p, "/") || len(p) > 512 {
			c.add("JsonBody: path %q must be a JSON pointer, which begins with /", p)
		}
	}
}

func (c *checker) transformations(steps []Transformation) {
	if len(steps) < 1 || len(steps) > maxSteps {
		c.add("TextTransformations has %d; it must have 1 to %d, NONE if there is nothing to do", len(steps), maxSteps)
	}
	seen := map[int]bool{}
	for _, s := range steps {
		if transformations[s.Type] == nil {
			c.add("TextTransformations: there is no type %q", s.Type)
		}
		if seen[s.Priority] || s.Priority < 0 {
			c.add("TextTransformations: priority %d is there twice, or negative", s.Priority)
		}
		seen[s.Priority] = true
	}
}

// Capacity is how many capacity units (WCU) AWS WAF charges for a statement.
func Capacity(s *Statement) int64 {
	sum := func(list []Statement) (n int64) {
		for i := range list {
			n += Capacity(&list[i])
		}
		return n
	}
	switch {
	case s.AndStatement != nil:
		return sum(s.AndStatement.Statements)
	case s.OrStatement != nil:
		return sum(s.OrStatement.Statements)
	case s.NotStatement != nil && s.NotStatement.Statement != nil:
		return Capacity(s.NotStatement.Statement)
	case s.ManagedRuleGroupStatement != nil:
		n := groups[s.ManagedRuleGroupStatement.Name].capacity
		if d := s.ManagedRuleGroupStatement.ScopeDownStatement; d != nil {
			n += Capacity(d)
		}
		return n
	case s.RateBasedStatement != nil:
		n := 2 + 30*int64(len(s.RateBasedStatement.CustomKeys))
		if d := s.RateBasedStatement.ScopeDownStatement; d != nil {
			n += Capacity(d)
		}
		return n
	case s.ByteMatchStatement != nil:
		m := s.ByteMatchStatement
		if m.PositionalConstraint == "CONTAINS" || m.PositionalConstraint == "CONTAINS_WORD" {
			return fieldCapacity(10, m.FieldToMatch, m.TextTransformations)
		}
		return fieldCapacity(2, m.FieldToMatch, m.TextTransformations)
	case s.SqliMatchStatement != nil:
		m := s.SqliMatchStatement
		if m.SensitivityLevel == "HIGH" {
			return fieldCapacity(30, m.FieldToMatch, m.TextTransformations)
		}
		return fieldCapacity(20, m.FieldToMatch, m.TextTransformations)
	case s.XssMatchStatement != nil:
		return fieldCapacity(40, s.XssMatchStatement.FieldToMatch, s.XssMatchStatement.TextTransformations)
	case s.SizeConstraintStatement != nil:
		return fieldCapacity(1, s.SizeConstraintStatement.FieldToMatch, s.SizeConstraintStatement.TextTransformations)
	case s.RegexMatchStatement != nil:
		return fieldCapacity(3, s.RegexMatchStatement.FieldToMatch, s.RegexMatchStatement.TextTransformations)
	case s.RegexPatternSetReferenceStatement != nil:
		m := s.RegexPatternSetReferenceStatement
		return fieldCapacity(25, m.FieldToMatch, m.TextTransformations)
	}
	return 1
}

// fieldCapacity is what a field and its transformations add.
func fieldCapacity(base int64, f Field, steps []Transformation) int64 {
	if f.JsonBody != nil {
		base *= 2
	}
	if f.AllQueryArguments != nil {
		base += 10
	}
	for _, s := range steps {
		if s.Type != "NONE" {
			base += 10
		}
	}
	return base
}
