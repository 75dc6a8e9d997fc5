package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Reason says of one statement whether it matches a request and, if not, what of
// it does not.
type Reason struct {
	Match
	Matches bool
	Why     string // empty when it matches
}

// Explain goes through every statement, those of the identity first.
func Explain(r Request, p Policies) []Reason {
	e := prepare(r)
	var list []Reason
	add := func(s *Source, ofResource bool) {
		for i := range s.Document.statements {
			st := &s.Document.statements[i]
			why := e.why(st)
			if ofResource && st.reach(&e.Caller) == unreached {
				why = "the caller is not among its principals"
			}
			list = append(list, Reason{*matched(s, i), why == "", why})
		}
	}
	for i := range p.Identity {
		add(&p.Identity[i], false)
	}
	for i := range p.Session {
		add(&p.Session[i], false)
	}
	for i := range p.Resource {
		add(&p.Resource[i], true)
	}
	return list
}

// why says what of a statement does not match.
func (e *evaluation) why(s *statement) string {
	switch {
	case !e.action(s) && s.notActions:
		return fmt.Sprintf("NotAction excludes %s", e.Action)
	case !e.action(s):
		return fmt.Sprintf("no Action matches %s", e.Action)
	case !e.onResource(s) && s.notRes:
		return fmt.Sprintf("NotResource excludes %s", e.Resource)
	case !e.onResource(s):
		return fmt.Sprintf("no Resource matches %s", e.Resource)
	}
	c := e.condition(s)
	if c == nil {
		return ""
	}
	got := e.Keys.Values(c.lower)
	if len(got) == 0 {
		return fmt.Sprintf("condition %s: the request has no %s", c.written, c.key)
	}
	return fmt.Sprintf("condition %s: %s is %s", c.written, c.key, strings.Join(got, ", "))
}

// Missing are the condition keys that the policies ask for and the request lacks.
func Missing(r Request, p Policies) []string {
	var list []string
	sources := append(slices.Clone(p.Identity), p.Resource...)
	for _, s := range append(sources, p.Session...) {
		for _, key := range s.Document.ContextKeys() {
			if len(r.Keys.Values(strings.ToLower(key))) == 0 && !slices.Contains(list, key) {
				list = append(list, key)
			}
		}
	}
	slices.Sort(list)
	return list
}
