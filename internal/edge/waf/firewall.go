package waf

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Addresses is a set of addresses that changes without a deployment: reputation
// lists, bans.
type Addresses interface {
	Contains(client netip.Addr) bool
}

// Firewall decides about requests by the web ACLs of all stacks. The zero value has
// the default ACL alone.
type Firewall struct {
	Log *slog.Logger // nil: nothing is said
	// Sets are the platform's own sets of addresses by their names, such as "bans";
	// rules refer to them as PlatformSet(name).
	Sets map[string]Addresses
	// Listed are addresses that the default ACL and the managed reputation group
	// block. Optional.
	Listed Addresses
	// Body is how much of a body is looked at, MaxBody at most; 0: DefaultBody.
	Body int
	// Count hears of what is counted: a metric of the namespace AWS/WAFV2 and the
	// values of its dimensions WebACL and Rule. Optional.
	Count func(metric, acl, rule string)
	// CRS is the OWASP Core Rule Set, for requests that ask for it. Optional.
	CRS CoreRules

	replacing sync.Mutex
	current   atomic.Pointer[snapshot]
	first     sync.Once
}

// CoreRules is what the firewall needs of the Core Rule Set.
type CoreRules interface {
	// Judge says whether the request is to be blocked, and by which rules. body is
	// called for the beginning of the request's body, if it comes to that.
	Judge(q *Request, body func() string) (block bool, rules []string, err error)
}

// declared is what one stack has declared.
type declared struct {
	acls     []WebACL
	sets     []IPSet
	patterns []RegexPatternSet
}

// snapshot is every web ACL at one moment. It never changes.
type snapshot struct {
	stacks  map[string]declared
	acls    map[string]*acl // by ARN
	sources int             // how many slots an exam needs
	kept    kept
}

func (f *Firewall) snapshot() *snapshot {
	f.first.Do(func() { f.current.CompareAndSwap(nil, f.build(nil)) })
	return f.current.Load()
}

// Replace makes these the web ACLs and sets of the stack; none removes them. Either
// all of them take effect, for requests that begin afterwards, or none does.
func (f *Firewall) Replace(stack string, acls []WebACL, sets []IPSet, patterns []RegexPatternSet) error {
	if err := Check(acls, sets, patterns); err != nil {
		return err
	}
	f.replacing.Lock()
	defer f.replacing.Unlock()
	next, err := f.compile(f.stacksWith(stack, acls, sets, patterns), f.snapshot())
	if err != nil {
		return err
	}
	f.current.Store(next)
	return nil
}

// Admit says what Replace would refuse.
func (f *Firewall) Admit(stack string, acls []WebACL, sets []IPSet, patterns []RegexPatternSet) error {
	if err := Check(acls, sets, patterns); err != nil {
		return err
	}
	_, err := f.compile(f.stacksWith(stack, acls, sets, patterns), f.snapshot())
	return err
}

// stacksWith is what all stacks declare once the stack declares this.
func (f *Firewall) stacksWith(stack string, acls []WebACL, sets []IPSet, patterns []RegexPatternSet) map[string]declared {
	stacks := maps.Clone(f.snapshot().stacks)
	if stacks == nil {
		stacks = map[string]declared{}
	}
	delete(stacks, stack)
	if len(acls)+len(sets)+len(patterns) > 0 {
		stacks[stack] = declared{slices.Clone(acls), slices.Clone(sets), slices.Clone(patterns)}
	}
	return stacks
}

// Match is a rule that a request has matched.
type Match struct {
	Rule   string   `json:"rule"`
	Action string   `json:"action"` // ALLOW, BLOCK or COUNT
	Labels []string `json:"labels,omitempty"`
	Field  string   `json:"field,omitempty"` // such as query.q, body.title
	Value  string   `json:"value,omitempty"` // decoded and transformed
}

// Decide says what becomes of a request. It reads the beginning of the body only if
// a rule asks for it. A web ACL that there is not lets everything through, and says
// so in the log.
func (f *Firewall) Decide(ctx context.Context, q *Request) Verdict {
	return f.decide(ctx, q, nil)
}

// nothing is the web ACL of a request that has none.
var nothing = acl{other: Action{Allow: &AllowAction{}}}

// Examine is Decide, and tells which rules have matched by what.
func (f *Firewall) Examine(ctx context.Context, q *Request) (Verdict, []Match) {
	var matches []Match
	v := f.decide(ctx, q, func(m Match) { matches = append(matches, m) })
	return v, matches
}

func (f *Firewall) decide(ctx context.Context, q *Request, tell func(Match)) Verdict {
	snap := f.snapshot()
	a := snap.acls[q.ACL]
	if a == nil {
		if f.Log != nil && q.ACL != "" {
			f.Log.ErrorContext(ctx, "there is no such web ACL; the request is let through", "acl", q.ACL, "request", q.ID)
		}
		a = &nothing
	}
	x := exams.Get().(*exam)
	x.begin(q, f.bodyLimit(), snap.sources)
	defer x.end()
	v := a.decide(x, func(r *rule, action string) {
		f.note(a, r, action, x)
		if tell != nil {
			tell(Match{r.full, action, slices.Clone(r.labels), x.found.name, x.found.text})
		}
	})
	if !v.Block && q.CRS {
		v = f.askCRS(ctx, x, v, tell)
	}
	if v.Rule == "" {
		f.noteUndecided(a, v, x)
	}
	return v
}

// askCRS has the Core Rule Set look at a request that the web ACL lets through. One
// that it cannot look at is not let through: the operator has asked for it.
func (f *Firewall) askCRS(ctx context.Context, x *exam, v Verdict, tell func(Match)) Verdict {
	if f.CRS == nil {
		if f.Log != nil {
			f.Log.ErrorContext(ctx, "the Core Rule Set is asked for, and this firewall has none", "request", x.q.ID)
		}
		return Verdict{Block: true, Rule: "CRS", Status: http.StatusInternalServerError}
	}
	block, rules, err := f.CRS.Judge(x.q, func() string { return x.content().text })
	if err != nil {
		if f.Log != nil {
			f.Log.ErrorContext(ctx, "the Core Rule Set does not work; the request is blocked", "request", x.q.ID, "err", err)
		}
		return Verdict{Block: true, Rule: "CRS", Status: http.StatusInternalServerError}
	}
	for _, rule := range rules {
		x.labels = append(x.labels, "awswaf:managed:owasp:crs:"+rule)
	}
	v.Labels = x.labels
	if !block {
		return v
	}
	if tell != nil {
		tell(Match{Rule: "CRS", Action: "BLOCK", Labels: rules})
	}
	return Verdict{Block: true, Rule: "CRS", Status: http.StatusForbidden, Labels: x.labels}
}

func (f *Firewall) bodyLimit() int {
	if f.Body == 0 {
		return DefaultBody
	}
	return min(f.Body, MaxBody)
}

// note counts and samples a rule that has matched.
func (f *Firewall) note(a *acl, r *rule, action string, x *exam) {
	if f.Count != nil && r.counted {
		f.Count(metrics[action], a.metric, r.metric)
	}
	if r.samples != nil {
		r.samples.add(sampled(x, r, action, time.Now()))
	}
}

// noteUndecided counts a request that no rule has ended, and samples one a second of
// them.
func (f *Firewall) noteUndecided(a *acl, v Verdict, x *exam) {
	action := "ALLOW"
	if v.Block {
		action = "BLOCK"
	}
	if f.Count != nil && a.metric != "" {
		f.Count(metrics[action], a.metric, Undecided)
	}
	if a.samples == nil {
		return
	}
	if now := time.Now(); a.samples.due(now) {
		x.found = finding{}
		a.samples.add(sampled(x, &rule{action: a.other}, action, now))
	}
}

var metrics = map[string]string{"ALLOW": "AllowedRequests", "BLOCK": "BlockedRequests", "COUNT": "CountedRequests"}

// Samples returns requests that a rule of a web ACL has matched since, the oldest
// first: at most MaxSamples, none older than SampleTime.
func (f *Firewall) Samples(acl, rule string, since time.Time) ([]Sample, error) {
	a := f.snapshot().acls[acl]
	if a == nil {
		return nil, fault.Coded(fault.NotFound, "WAFNonexistentItemException", "there is no web ACL %q", acl)
	}
	if oldest := time.Now().Add(-SampleTime); since.Before(oldest) {
		since = oldest
	}
	if rule == Undecided {
		return a.samples.since(since), nil
	}
	for _, r := range a.rules {
		if r.name == rule || r.metric == rule {
			return r.samples.since(since), nil
		}
	}
	return nil, fault.Coded(fault.NotFound, "WAFNonexistentItemException", "web ACL %q has no rule %q", acl, rule)
}
