// Package kmstest gives tests an authority over keys that decides by the policies
// of the keys and a table, as far as tests of the room need it.
package kmstest

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

type callers struct{}

// As is a context in which somebody calls, by their ARNs.
func As(ctx context.Context, arns ...string) context.Context {
	return context.WithValue(ctx, callers{}, arns)
}

// User is the ARN of a user.
func User(name string) string { return "arn:aws:iam::" + arn.Account + ":user/" + name }

// Authority decides by key policies: Allow and Deny; Principal by ARN, * or the
// account's root, which leaves it to Identity; Action with *; Condition
// StringEquals. Nobody in the context is nobody.
type Authority struct {
	// Identity are the actions that callers may do by policies of their own, by
	// ARN, as patterns of package path.
	Identity map[string][]string

	mu   sync.Mutex
	asks []Ask
}

// Ask is a question that was asked.
type Ask struct {
	Caller, Action, Resource string
	Policy                   string // of the key
	Conditions               map[string][]string
}

// Asks returns the questions since the last call.
func (a *Authority) Asks() []Ask {
	a.mu.Lock()
	defer a.mu.Unlock()
	asks := a.asks
	a.asks = nil
	return asks
}

// Callers implements kms.Authority.
func (*Authority) Callers(ctx context.Context) []string {
	arns, _ := ctx.Value(callers{}).([]string)
	return arns
}

type statement struct {
	Effect    string
	Principal struct{ AWS string }
	Action    oneOrMore
	Condition struct{ StringEquals map[string]string }
}

type oneOrMore []string

func (o *oneOrMore) UnmarshalJSON(doc []byte) error {
	if doc[0] == '[' {
		return json.Unmarshal(doc, (*[]string)(o))
	}
	*o = make(oneOrMore, 1)
	return json.Unmarshal(doc, &(*o)[0])
}

func (o oneOrMore) match(action string) bool {
	return slices.ContainsFunc(o, func(pattern string) bool {
		ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(action))
		return ok && err == nil
	})
}

func parse(policy string) ([]statement, error) {
	var doc struct{ Statement []statement }
	err := json.Unmarshal([]byte(policy), &doc)
	for _, s := range doc.Statement {
		if s.Effect != "Allow" && s.Effect != "Deny" {
			err = errors.Join(err, errors.New("an Effect is neither Allow nor Deny"))
		}
	}
	return doc.Statement, err
}

// CheckKeyPolicy implements kms.Authority.
func (*Authority) CheckKeyPolicy(policy string) error {
	_, err := parse(policy)
	return err
}

// AuthorizeKey implements kms.Authority.
func (a *Authority) AuthorizeKey(ctx context.Context, action, resource, keyPolicy string, conditions map[string][]string) error {
	arns := a.Callers(ctx)
	denied := fault.Coded(fault.Denied, "AccessDeniedException", "%v may not %s on %s", arns, action, resource)
	if len(arns) == 0 {
		return denied
	}
	a.mu.Lock()
	a.asks = append(a.asks, Ask{arns[0], action, resource, keyPolicy, conditions})
	a.mu.Unlock()
	delegated, allowed := keyPolicy == "", false
	var statements []statement
	if keyPolicy != "" {
		var err error
		if statements, err = parse(keyPolicy); err != nil {
			return err
		}
	}
	for _, s := range statements {
		if !s.Action.match(action) || !s.holds(conditions) {
			continue
		}
		switch who := s.Principal.AWS; {
		case who != "*" && who != root && !slices.Contains(arns, who):
		case s.Effect == "Deny":
			return denied
		case who == root:
			delegated = true
		default:
			allowed = true
		}
	}
	for _, who := range arns {
		allowed = allowed || delegated && (who == root || oneOrMore(a.Identity[who]).match(action))
	}
	if !allowed {
		return denied
	}
	return nil
}

const root = "arn:aws:iam::" + arn.Account + ":root"

func (s statement) holds(conditions map[string][]string) bool {
	for name, want := range s.Condition.StringEquals {
		if !slices.Contains(conditions[name], want) {
			return false
		}
	}
	return true
}

// Root is a context in which the account's root calls.
func Root(ctx context.Context) context.Context { return As(ctx, root) }
