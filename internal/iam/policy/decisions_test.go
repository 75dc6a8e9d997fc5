package policy_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/iam/policy"
)

const account = "000000000000"

// callers are who asks in testdata/decisions.txt, with the keys that come with
// them.
var callers = map[string]struct {
	caller policy.Caller
	keys   policy.Map
}{
	"alice":  {policy.Caller{ARN: "arn:aws:iam::" + account + ":user/alice", Account: account, UserID: "AIDAALICE"}, policy.Map{"aws:username": {"alice"}, "aws:principalarn": {"arn:aws:iam::" + account + ":user/alice"}}},
	"bob":    {policy.Caller{ARN: "arn:aws:iam::" + account + ":user/bob", Account: account, UserID: "AIDABOB"}, policy.Map{"aws:username": {"bob"}}},
	"worker": {policy.Caller{ARN: "arn:aws:sts::" + account + ":assumed-role/worker/job", RoleARN: "arn:aws:iam::" + account + ":role/worker", Account: account, UserID: "AROAWORKER:job"}, nil},
	"root":   {policy.Caller{ARN: "arn:aws:iam::" + account + ":root", Account: account, UserID: account}, nil},
	"events": {policy.Caller{Account: account, Service: "events.amazonaws.com"}, nil},
	"lambda": {policy.Caller{Account: account, Service: "lambda.amazonaws.com"}, nil},
}

// group is a set of policies with the decisions by them.
type group struct {
	name     string
	policies policy.Policies
}

func TestDecisions(t *testing.T) {
	doc, err := os.ReadFile("testdata/decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var g group
	kind, text, decisions := "", "", 0
	finish := func(line int) {
		if kind != "" {
			g.add(t, line, kind, text)
		}
		kind, text = "", ""
	}
	for i, line := range strings.Split(string(doc), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			finish(i)
			g = group{name: line[3:]}
		case line == "identity" || line == "session" || line == "resource" || line == "key" || line == "trust":
			finish(i)
			kind = line
		case strings.HasPrefix(line, "{"):
			text += line + "\n"
		default:
			finish(i)
			g.decide(t, i+1, line)
			decisions++
		}
	}
	if decisions < 150 {
		t.Errorf("%d decisions were tested; the file was read wrongly", decisions)
	}
}

func (g *group) add(t *testing.T, line int, kind, text string) {
	t.Helper()
	if !strings.HasPrefix(text, `{"Version"`) && !strings.HasPrefix(text, `{"Statement"`) {
		text = fmt.Sprintf(`{"Version":"2012-10-17","Statement":[%s]}`, text)
	}
	kinds := map[string]policy.Kind{"identity": policy.Identity, "session": policy.Identity, "trust": policy.Trust}
	of, ok := kinds[kind]
	if !ok {
		of = policy.Resource
	}
	d, err := policy.Parse(of, text)
	if err != nil {
		t.Fatalf("before line %d: %v", line, err)
	}
	s := policy.Source{ID: kind, Type: kind, Document: &d}
	switch kind {
	case "identity":
		g.policies.Identity = append(g.policies.Identity, s)
	case "session":
		g.policies.Session = append(g.policies.Session, s)
	default:
		g.policies.Resource = append(g.policies.Resource, s)
		g.policies.Required = kind != "resource"
	}
}

func (g *group) decide(t *testing.T, line int, text string) {
	t.Helper()
	ask, rule, ok := strings.Cut(text, " | ")
	f := strings.Fields(ask)
	if !ok || len(f) < 3 {
		t.Fatalf("line %d: %q is no decision", line, text)
	}
	as, keys := "alice", policy.Map{}
	for _, pair := range f[3:] {
		name, v, _ := strings.Cut(pair, "=")
		if name == "as" {
			as = v
			continue
		}
		name = strings.ToLower(name)
		keys[name] = append(keys[name], v)
	}
	who, ok := callers[as]
	if !ok {
		t.Fatalf("line %d: nobody is called %s", line, as)
	}
	for name, values := range who.keys {
		if _, given := keys[name]; !given {
			keys[name] = values
		}
	}
	p := g.policies
	p.All = as == "root"
	if as == "root" || who.caller.Service != "" {
		p.Identity, p.Session = nil, nil
	} else if as != "worker" {
		p.Session = nil
	}
	r := policy.Request{Action: f[1], Resource: f[2], Caller: who.caller, Keys: keys}
	got := policy.Decide(r, p)
	if got.Outcome.String() != f[0] {
		t.Errorf("line %d, %s: %s\n%s\ngot %s by the %s, want %s\n%s", line, g.name, rule, ask, got.Outcome, got.Side, f[0], reasons(r, p))
	}
	if got.Outcome == policy.ExplicitDeny && (got.By == nil || !got.By.Deny) || got.Side == "" {
		t.Errorf("line %d: the decision does not say by what: %+v", line, got)
	}
}

func reasons(r policy.Request, p policy.Policies) string {
	var b strings.Builder
	for _, why := range policy.Explain(r, p) {
		fmt.Fprintf(&b, "  %s, statement %d: %v %s\n", why.Source.ID, why.Index, why.Matches, why.Why)
	}
	return b.String()
}
