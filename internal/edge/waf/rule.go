package waf

import (
	"net/http"
)

// matcher is a statement, compiled. It says by x.matched what it has matched by.
type matcher interface {
	match(x *exam) bool
}

// rule is a rule of a web ACL, or of a group, compiled.
type rule struct {
	name      string
	full      string // as verdicts have it: ACL/RULE or ACL/GROUP/RULE
	statement matcher
	scope     matcher // of a group: what it looks at; nil: everything
	group     []*rule // in place of statement
	only      bool    // a group whose rules only count
	action    Action
	labels    []string // whole
	metric    string
	counted   bool
	samples   *samples // nil: none are kept
}

// acl is a web ACL, compiled. It never changes.
type acl struct {
	rules   []*rule // in order
	other   Action
	bodies  map[string]CustomResponseBody
	metric  string   // "": not counted
	samples *samples // of requests that no rule has ended; nil: none are kept
}

// decide goes through the rules until one ends it. note hears of every rule that
// has matched.
func (a *acl) decide(x *exam, note func(r *rule, action string)) Verdict {
	for _, r := range a.rules {
		if r.group == nil {
			if v, over := a.apply(r, x, false, note); over {
				return v
			}
			continue
		}
		if r.scope != nil && !r.scope.match(x) {
			continue
		}
		for _, member := range r.group {
			if v, over := a.apply(member, x, r.only, note); over {
				return v
			}
		}
	}
	return a.end(a.other, x)
}

// apply asks one rule; over says that it has decided.
func (a *acl) apply(r *rule, x *exam, only bool, note func(r *rule, action string)) (v Verdict, over bool) {
	x.found = finding{}
	if !r.statement.match(x) {
		return Verdict{}, false
	}
	x.labels = append(x.labels, r.labels...)
	action := r.action
	if only {
		action = Action{Count: &CountAction{}}
	}
	switch {
	case action.Block != nil:
		v = a.end(action, x)
		v.Rule = r.full
		note(r, "BLOCK")
		return v, true
	case action.Allow != nil:
		v = a.end(action, x)
		v.Rule = r.full
		note(r, "ALLOW")
		return v, true
	case action.Count != nil:
		x.add(action.Count.CustomRequestHandling)
	}
	note(r, "COUNT")
	return Verdict{}, false
}

// end is the verdict of an action that ends.
func (a *acl) end(action Action, x *exam) Verdict {
	if b := action.Block; b != nil {
		v := Verdict{Block: true, Status: http.StatusForbidden, Labels: x.labels}
		if c := b.CustomResponse; c != nil {
			a.answer(c, &v)
		}
		return v
	}
	if action.Allow != nil {
		x.add(action.Allow.CustomRequestHandling)
	}
	return Verdict{Labels: x.labels, Insert: x.insert}
}

// contentTypes are those of custom bodies.
var contentTypes = map[string]string{
	"TEXT_PLAIN": "text/plain; charset=utf-8", "TEXT_HTML": "text/html; charset=utf-8", "APPLICATION_JSON": "application/json",
}

// answer fills in the answer that a rule has of its own.
func (a *acl) answer(c *CustomResponse, v *Verdict) {
	v.Status = c.ResponseCode
	if len(c.ResponseHeaders) > 0 {
		v.Header = make(http.Header, len(c.ResponseHeaders))
		for _, h := range c.ResponseHeaders {
			v.Header.Add(h.Name, h.Value)
		}
	}
	if c.CustomResponseBodyKey != "" {
		b := a.bodies[c.CustomResponseBodyKey]
		v.ContentType, v.Body = contentTypes[b.ContentType], []byte(b.Content)
	}
}

// inserted begins the name of every header that a rule adds to a request, so that
// nobody outside can write one that the application would believe.
const inserted = "X-Amzn-Waf-"

// add adds headers for the origin.
func (x *exam) add(h *RequestHandling) {
	if h == nil {
		return
	}
	if x.insert == nil {
		x.insert = http.Header{}
	}
	for _, h := range h.InsertHeaders {
		x.insert.Set(inserted+h.Name, h.Value)
	}
}
