package secret

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

var nameSyntax = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// ARN is the resource that policies know a parameter or a path by. It takes what
// requests name them by: names, ARNs, either with a version or a label behind a
// colon. It reads them as the actions do, so that what is asked for and what is
// read are never two parameters; an action refuses what cannot be read.
func (p *Parameters) ARN(name string) string {
	if ref, err := p.parse(name); err == nil {
		name = ref.name
	}
	return p.arn(name)
}

func (p *Parameters) arn(name string) string {
	return arn.ARN{Partition: "aws", Service: "ssm", Region: p.Region, Account: arn.Account, Resource: "parameter/" + strings.Trim(name, "/")}.String()
}

// Tags returns the tags of a parameter that a request names, for the condition
// keys aws:ResourceTag.
func (p *Parameters) Tags(name string) map[string]string {
	ref, err := p.parse(name)
	if err != nil {
		return nil
	}
	r, ok := p.find(ref)
	if !ok {
		return nil
	}
	return r.Tags
}

// checkName says what is wrong with the name of a parameter that is to be put.
func (p *Parameters) checkName(name string) error {
	levels := strings.Split(strings.TrimPrefix(name, "/"), "/")
	first := strings.ToLower(levels[0])
	switch {
	case name == "":
		return invalid("Name is required")
	case !nameSyntax.MatchString(name):
		return invalid("Name %q: a name has letters, digits, _, ., - and /, which begins each level of a hierarchy", name)
	case strings.HasPrefix(first, "aws") && len(levels) > 1 && strings.HasPrefix(name, "/"):
		return fault.Coded(fault.Denied, "AccessDeniedException", "Name %q: no access to reserved names", name)
	case strings.HasPrefix(first, "aws"), strings.HasPrefix(first, "ssm"):
		return invalid("Name %q: names that begin with aws or ssm, in any case, are reserved", name)
	case len(levels) > 1 && !strings.HasPrefix(name, "/"):
		return invalid("Name %q: a name in a hierarchy begins with /", name)
	case slices.Contains(levels, ""):
		return invalid("Name %q: no level of a hierarchy is empty, and a name does not end in /", name)
	case len(levels) > maxLevels:
		return fault.Coded(fault.TooLarge, "HierarchyLevelLimitExceededException", "Name %q has %d levels; at most %d are possible", name, len(levels), maxLevels)
	case len(p.arn(name)) > maxName:
		return invalid("Name has %d characters with the ARN before it; at most %d are possible", len(p.arn(name)), maxName)
	}
	return nil
}

// reference is how a request names a parameter.
type reference struct {
	text    string // as given
	name    string
	byARN   bool   // the name may or may not begin with a slash
	version int64  // 0: none
	label   string // empty: none
}

// selector is what follows the name.
func (r reference) selector() string {
	switch {
	case r.version > 0:
		return ":" + strconv.FormatInt(r.version, 10)
	case r.label != "":
		return ":" + r.label
	}
	return ""
}

// parse reads a name, an ARN, and the version or label behind either.
func (p *Parameters) parse(text string) (reference, error) {
	ref := reference{text: text}
	rest := strings.Trim(text, " ")
	if strings.HasPrefix(rest, "arn:") && strings.Count(rest, ":") >= 5 { // a parameter may be called arn
		a, err := arn.Parse(rest)
		name, ok := strings.CutPrefix(a.Resource, "parameter/")
		if err != nil || a.Partition != "aws" || a.Service != "ssm" || !ok || strings.HasPrefix(name, "/") {
			return ref, invalid("Name %q is not the ARN of a parameter, such as %s", text, p.arn("NAME"))
		}
		if a.Region != p.Region || a.Account != arn.Account {
			return ref, notFound(text)
		}
		rest, ref.byARN = "/"+name, true
	}
	name, selector, selected := strings.Cut(rest, ":")
	if ref.name = name; !nameSyntax.MatchString(name) {
		return ref, invalid("Name %q: a name has letters, digits, _, ., - and /; a version or a label may follow behind a colon", text)
	}
	if !selected {
		return ref, nil
	}
	if selector == "" || strings.Contains(selector, ":") {
		return ref, invalid("Name %q: what follows the name is a colon and a version or a label", text)
	}
	number, err := strconv.ParseInt(selector, 10, 64)
	switch {
	case err == nil && number > 0:
		ref.version = number
	case err == nil || strings.Trim(selector, "0123456789") == "":
		return ref, noVersion(name, selector)
	default:
		ref.label = selector
	}
	return ref, nil
}

// find returns what is known of the parameter that a reference names.
func (p *Parameters) find(ref reference) (*record, bool) {
	r, ok := p.index.get(ref.name)
	if !ok && ref.byARN {
		r, ok = p.index.get(strings.TrimPrefix(ref.name, "/"))
	}
	return r, ok
}

// choose returns the version that a reference means.
func (r *record) choose(ref reference) (*version, error) {
	if ref.version == 0 && ref.label == "" {
		return r.last(), nil
	}
	for i := range r.Versions {
		v := &r.Versions[i]
		if v.Number == ref.version || ref.label != "" && slices.Contains(v.Labels, ref.label) {
			return v, nil
		}
	}
	return nil, noVersion(r.Name, strings.TrimPrefix(ref.selector(), ":"))
}
