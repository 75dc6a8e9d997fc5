package policy

// Outcome is what a policy, or all of them, say of a request.
type Outcome uint8

// The outcomes, from the weakest; an explicit denial wins over everything.
const (
	ImplicitDeny Outcome = iota // nothing allows it
	Allow
	ExplicitDeny
)

// String is the simulator's word.
func (o Outcome) String() string {
	return [...]string{"implicitDeny", "allowed", "explicitDeny"}[o]
}

// Request is what is asked.
type Request struct {
	Action   string // such as s3:GetObject
	Resource string // an ARN, or "*" for an action on none
	Caller   Caller
	Keys     Keys
}

// Source is a document with where it comes from.
type Source struct {
	ID       string // the policy's ARN, or its name
	Type     string // in the simulator's words: user, group, role, aws-managed, user-managed, resource …
	Document *Document
}

// Policies are all that speak about a request, in one account.
type Policies struct {
	Identity []Source
	// Session narrows the identity's: one of these has to allow as well. None
	// narrow nothing.
	Session []Source
	// Resource are the resource's own. They add to the identity's, or, when
	// Required, must allow the request or leave it to the account.
	Resource []Source
	Required bool
	// All says that the identity needs no policy: the account's root.
	All bool
}

// Side is the kind of policy that a decision hangs on.
type Side string

// The sides, in the words of AWS's messages.
const (
	OfIdentity Side = "identity-based policy"
	OfSession  Side = "session policy"
	OfResource Side = "resource-based policy"
)

// Decision is what came out, and why.
type Decision struct {
	Outcome Outcome
	// Side is where the decision fell: the statement that decided, or, for
	// ImplicitDeny, the kind of policy that does not allow.
	Side Side
	// By is the statement that decided; nil when none did.
	By *Match
}

// Match is a statement that a request matches.
type Match struct {
	Source     Source
	Index      int // of the statement, from 0
	Sid        string
	Deny       bool
	Start, End Position
}

// evaluation is a request, prepared.
type evaluation struct {
	Request
	arn   segments
	isARN bool
}

func prepare(r Request) evaluation {
	e := evaluation{Request: r}
	e.arn, e.isARN = split(r.Resource)
	return e
}

// Decide gives AWS's decision: a matching Deny anywhere wins; then something has
// to allow.
func Decide(r Request, p Policies) Decision {
	e := prepare(r)
	var resource grant
	for i := range p.Resource {
		if m := e.resource(&p.Resource[i], &resource); m != nil {
			return Decision{ExplicitDeny, OfResource, m}
		}
	}
	session, deny := e.all(p.Session)
	if deny != nil {
		return Decision{ExplicitDeny, OfSession, deny}
	}
	identity, deny := e.all(p.Identity)
	if deny != nil {
		return Decision{ExplicitDeny, OfIdentity, deny}
	}
	return p.unite(identity, session, &resource)
}

// grant is what a resource's policies allow.
type grant struct {
	reach reach
	by    *Match
}

// unite decides when nothing denies. A resource's policy that names the caller
// itself is not narrowed by the session's policy; one that names its role is.
func (p *Policies) unite(identity, session *Match, resource *grant) Decision {
	narrowed := len(p.Session) > 0 && session == nil
	switch {
	case resource.reach == byName, resource.reach == byRole && !narrowed:
		return Decision{Allow, OfResource, resource.by}
	case p.Required && resource.reach == unreached:
		return Decision{ImplicitDeny, OfResource, nil}
	case identity == nil && !p.All:
		return Decision{ImplicitDeny, OfIdentity, nil}
	case narrowed:
		return Decision{ImplicitDeny, OfSession, nil}
	}
	return Decision{Allow, OfIdentity, identity}
}

// all looks through policies that are added up.
func (e *evaluation) all(list []Source) (allow, deny *Match) {
	for i := range list {
		a, d := e.scan(&list[i])
		if d != nil {
			return nil, d
		}
		if allow == nil {
			allow = a
		}
	}
	return allow, nil
}

// scan looks for the first statements of a document that allow and that deny.
func (e *evaluation) scan(s *Source) (allow, deny *Match) {
	list := s.Document.statements
	for i := range list {
		st := &list[i]
		if !st.deny && allow != nil || !e.applies(st) {
			continue
		}
		if st.deny {
			return nil, matched(s, i)
		}
		allow = matched(s, i)
	}
	return allow, nil
}

// resource looks for a denial in a resource's policy, and adds to g what it
// allows.
func (e *evaluation) resource(s *Source, g *grant) (deny *Match) {
	list := s.Document.statements
	for i := range list {
		st := &list[i]
		reached := st.reach(&e.Caller)
		if reached == unreached || !st.deny && reached <= g.reach || !e.applies(st) {
			continue
		}
		if st.deny {
			return matched(s, i)
		}
		g.reach, g.by = reached, matched(s, i)
	}
	return nil
}

// reach is how a statement's principals reach a caller.
func (s *statement) reach(c *Caller) reach {
	best := unreached
	for i := range s.principals {
		best = max(best, s.principals[i].reach(c))
	}
	if s.notPrinc {
		if best == unreached {
			return byName
		}
		return unreached
	}
	return best
}

func matched(s *Source, i int) *Match {
	st := &s.Document.statements[i]
	return &Match{*s, i, st.sid, st.deny, st.start, st.end}
}

// applies tells whether everything but the principal of a statement matches.
func (e *evaluation) applies(s *statement) bool {
	return e.action(s) && e.onResource(s) && e.condition(s) == nil
}

func (e *evaluation) action(s *statement) bool {
	for i := range s.actions {
		if s.actions[i].match(e.Action, true, nil) {
			return !s.notActions
		}
	}
	return s.notActions
}

func (e *evaluation) onResource(s *statement) bool {
	if s.anywhere {
		return true
	}
	for i := range s.resources {
		if s.resources[i].match(&e.arn, e.isARN, e.Keys) {
			return !s.notRes
		}
		if s.notRes && !s.deny && s.resources[i].undefined(e.Keys) {
			return false // it would allow what it was to leave out
		}
	}
	return s.notRes
}

// condition is the first that is not met; nil when all are.
func (e *evaluation) condition(s *statement) *condition {
	for i := range s.conditions {
		if !s.conditions[i].holds(e.Keys) {
			return &s.conditions[i]
		}
	}
	return nil
}
