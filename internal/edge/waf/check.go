package waf

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// WAFv2's limits.
const (
	Included     = 1500 // capacity units of a web ACL that AWS does not charge for
	MaxCapacity  = 5000
	MaxAddresses = 10_000
	MaxPatterns  = 10
	maxPattern   = 512 // characters of a regular expression
	maxSearch    = 200
	maxSteps     = 10 // transformations of a statement
	maxNesting   = 10 // statements within statements
	maxBodies    = 50 << 10
	maxLabels    = 100
)

var (
	entityName = regexp.MustCompile(`^[\w-]{1,128}$`)
	metricName = regexp.MustCompile(`^[\w#:./-]{1,255}$`)
	labelName  = regexp.MustCompile(`^[0-9A-Za-z_:-]{1,1000}$`)
	headerName = regexp.MustCompile("^[a-zA-Z0-9._$-]{1,255}$")
)

// checker gathers what is wrong, each with where it is.
type checker struct {
	faults []error
	where  []string
	bodies map[string]CustomResponseBody
}

func (c *checker) add(format string, args ...any) {
	where := strings.Join(c.where, ": ")
	c.faults = append(c.faults, fmt.Errorf("%s: %w", where, fmt.Errorf(format, args...)))
}

// in checks something within something.
func (c *checker) in(where string, check func()) {
	c.where = append(c.where, where)
	check()
	c.where = c.where[:len(c.where)-1]
}

func (c *checker) among(what, value string, known ...string) {
	if !slices.Contains(known, value) {
		c.add("%s %q must be one of %s", what, value, strings.Join(known, ", "))
	}
}

// Check says everything that is wrong with the web ACLs and sets of one stack, as
// fault.Invalid. Whether the sets exist that rules refer to is known to Replace.
func Check(acls []WebACL, sets []IPSet, patterns []RegexPatternSet) error {
	c := &checker{}
	names := map[string]bool{}
	once := func(kind, name, arn string) {
		if !entityName.MatchString(name) {
			c.add("the name must have 1 to 128 letters, digits, - and _")
		}
		if arn == "" {
			c.add("it has no ARN")
		}
		if key := kind + arn; names[key] {
			c.add("there are two of them with the ARN %s", arn)
		} else {
			names[key] = true
		}
	}
	for i := range sets {
		c.in(fmt.Sprintf("IP set %q", sets[i].Name), func() {
			once("ipset", sets[i].Name, sets[i].ARN)
			c.addresses(&sets[i])
		})
	}
	for i := range patterns {
		c.in(fmt.Sprintf("regex pattern set %q", patterns[i].Name), func() {
			once("regexpatternset", patterns[i].Name, patterns[i].ARN)
			c.patternSet(&patterns[i])
		})
	}
	for i := range acls {
		c.in(fmt.Sprintf("web ACL %q", acls[i].Name), func() {
			once("webacl", acls[i].Name, acls[i].ARN)
			c.webACL(&acls[i])
		})
	}
	if len(c.faults) > 0 {
		return &fault.Error{Kind: fault.Invalid, Code: "WAFInvalidParameterException", Err: errors.Join(c.faults...)}
	}
	return nil
}

func (c *checker) addresses(s *IPSet) {
	c.among("IPAddressVersion", s.IPAddressVersion, "IPV4", "IPV6")
	if len(s.Addresses) > MaxAddresses {
		c.add("it has %d addresses; %d is the most, make several sets", len(s.Addresses), MaxAddresses)
	}
	for _, text := range s.Addresses {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			c.add("address %q is no CIDR such as 192.0.2.0/24 or 2001:db8::/32", text)
		case p.Bits() == 0:
			c.add("address %q is everybody; use the default action for that, or two halves if you must", text)
		case p.Addr().Is4() != (s.IPAddressVersion == "IPV4"):
			c.add("address %q is not of version %s", text, s.IPAddressVersion)
		}
	}
}

func (c *checker) patternSet(s *RegexPatternSet) {
	if n := len(s.RegularExpressionList); n < 1 || n > MaxPatterns {
		c.add("it has %d patterns; it must have 1 to %d", n, MaxPatterns)
	}
	for _, p := range s.RegularExpressionList {
		c.pattern(p.RegexString)
	}
}

// pattern checks a regular expression. Ours are RE2: what takes backtracking, which
// AWS WAF refuses in part too, is refused with its name.
func (c *checker) pattern(text string) {
	if text == "" || len(text) > maxPattern {
		c.add("regular expression of %d characters; it must have 1 to %d", len(text), maxPattern)
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		c.add("regular expression %q: %w. The syntax is RE2: no look-ahead or look-behind, back-references, possessive quantifiers, atomic groups, conditionals or recursion, and no count beyond 1000", text, err)
	}
}

func (c *checker) webACL(w *WebACL) {
	c.bodies = w.CustomResponseBodies
	if a := w.DefaultAction; (a.Allow == nil) == (a.Block == nil) || a.Count != nil || a.None != nil {
		c.add("DefaultAction must be Allow or Block")
	}
	c.in("DefaultAction", func() { c.actionParts(&w.DefaultAction) })
	total := 0
	for key, b := range w.CustomResponseBodies {
		total += len(b.Content)
		if !entityName.MatchString(key) {
			c.add("CustomResponseBodies: key %q must have 1 to 128 letters, digits, - and _", key)
		}
		if contentTypes[b.ContentType] == "" {
			c.add("CustomResponseBodies: %s: ContentType %q must be one of APPLICATION_JSON, TEXT_HTML, TEXT_PLAIN", key, b.ContentType)
		}
	}
	if total > maxBodies {
		c.add("CustomResponseBodies have %d bytes together; %d is the most", total, maxBodies)
	}
	c.visibility(w.VisibilityConfig)
	names, priorities := map[string]bool{}, map[int]string{}
	var capacity int64
	for i := range w.Rules {
		r := &w.Rules[i]
		c.in(fmt.Sprintf("rule %q", r.Name), func() {
			if names[r.Name] {
				c.add("there are two rules of this name")
			}
			if other, taken := priorities[r.Priority]; taken {
				c.add("priority %d is that of rule %q too; each needs its own", r.Priority, other)
			}
			names[r.Name], priorities[r.Priority] = true, r.Name
			c.rule(r)
		})
		capacity += Capacity(&r.Statement)
	}
	if capacity > MaxCapacity {
		c.add("its rules need %d capacity units; %d is the most (and beyond %d AWS charges for them)", capacity, MaxCapacity, Included)
	}
}

func (c *checker) rule(r *Rule) {
	if !entityName.MatchString(r.Name) {
		c.add("the name must have 1 to 128 letters, digits, - and _")
	}
	if r.Priority < 0 {
		c.add("priority %d is negative", r.Priority)
	}
	if len(r.RuleLabels) > maxLabels {
		c.add("it gives %d labels; %d is the most", len(r.RuleLabels), maxLabels)
	}
	for _, l := range r.RuleLabels {
		if !labelName.MatchString(l.Name) || strings.HasPrefix(l.Name, "awswaf:") || strings.HasSuffix(l.Name, ":") {
			c.add("label %q must have letters, digits, _ and -, parts divided by single colons, and not begin with awswaf:", l.Name)
		}
		for part := range strings.SplitSeq(l.Name, ":") {
			if part == "" || len(part) > 128 || slices.Contains([]string{"aws", "waf", "managed", "rulegroup", "webacl", "regexpatternset", "ipset"}, strings.ToLower(part)) {
				c.add("label %q: part %q is empty, too long or a reserved word", l.Name, part)
			}
		}
	}
	c.visibility(r.VisibilityConfig)
	if r.Statement.ManagedRuleGroupStatement != nil {
		o := r.OverrideAction
		if r.Action != nil || o == nil || (o.Count == nil) == (o.None == nil) || o.Allow != nil || o.Block != nil {
			c.add("a rule group takes OverrideAction, Count or None, and no Action")
		}
	} else {
		a := r.Action
		if r.OverrideAction != nil || a == nil || !oneOfThem(a.Allow != nil, a.Block != nil, a.Count != nil) || a.None != nil {
			c.add("it takes Action, one of Allow, Block and Count, and no OverrideAction. CAPTCHA and Challenge are AWS's own")
		} else {
			c.in("Action", func() { c.actionParts(a) })
		}
	}
	c.in("Statement", func() { c.statement(&r.Statement, 0, true) })
}

// oneOfThem says whether exactly one is true.
func oneOfThem(is ...bool) bool {
	n := 0
	for _, one := range is {
		if one {
			n++
		}
	}
	return n == 1
}

func (c *checker) visibility(v Visibility) {
	if v.MetricName == "" && !v.CloudWatchMetricsEnabled {
		return
	}
	if !metricName.MatchString(v.MetricName) || v.MetricName == "All" || v.MetricName == Undecided {
		c.add("VisibilityConfig: MetricName %q must have 1 to 255 of letters, digits and _-#:./, and not be All or %s", v.MetricName, Undecided)
	}
}

// actionParts checks headers and answers of an action.
func (c *checker) actionParts(a *Action) {
	handling := func(h *RequestHandling) {
		if h == nil {
			return
		}
		if len(h.InsertHeaders) == 0 {
			c.add("CustomRequestHandling has no InsertHeaders")
		}
		c.headers("InsertHeaders", h.InsertHeaders)
	}
	switch {
	case a.Allow != nil:
		handling(a.Allow.CustomRequestHandling)
	case a.Count != nil:
		handling(a.Count.CustomRequestHandling)
	case a.Block != nil && a.Block.CustomResponse != nil:
		r := a.Block.CustomResponse
		if r.ResponseCode < 200 || r.ResponseCode > 599 || http.StatusText(r.ResponseCode) == "" {
			c.add("CustomResponse: ResponseCode %d must be a status from 200 to 599", r.ResponseCode)
		}
		if key := r.CustomResponseBodyKey; key != "" {
			if _, ok := c.bodies[key]; !ok {
				c.add("CustomResponse: CustomResponseBodies has no %q", key)
			}
		}
		c.headers("ResponseHeaders", r.ResponseHeaders)
	}
}

func (c *checker) headers(what string, list []Header) {
	names := map[string]bool{}
	for _, h := range list {
		name := strings.ToLower(h.Name)
		switch {
		case !headerName.MatchString(h.Name) || len(h.Name) > 64:
			c.add("%s: %q must have 1 to 64 letters, digits and ._$-", what, h.Name)
		case h.Value == "" || len(h.Value) > 255 || strings.ContainsAny(h.Value, "\r\n\x00"):
			c.add("%s: %s must have a value of 1 to 255 characters without line breaks", what, h.Name)
		case names[name]:
			c.add("%s: %s is there twice", what, h.Name)
		case what == "ResponseHeaders" && slices.Contains([]string{"content-length", "transfer-encoding", "connection", "content-type", "date", "server"}, name):
			c.add("%s: %s is set by the edge", what, h.Name)
		}
		names[name] = true
	}
	if len(list) > 10 {
		c.add("%s: %d headers; 10 is the most", what, len(list))
	}
}
