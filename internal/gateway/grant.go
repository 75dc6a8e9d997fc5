package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// grant is what an authorizer has answered. It may be kept and given to many
// requests: it never changes.
type grant struct {
	principal string
	policy    *policy.Document // nil: allowed says it all
	allowed   bool
	context   map[string]any
	usageKey  string            // usageIdentifierKey
	claims    map[string]string // of a token
	scopes    []string          // of a token, if the route asks for scopes
	request   string            // id of the invocation
	latency   time.Duration
}

// answered is the JSON that a function authorizes with.
type answered struct {
	PrincipalID  *string         `json:"principalId"`
	Policy       json.RawMessage `json:"policyDocument"`
	Context      map[string]any  `json:"context"`
	UsageKey     string          `json:"usageIdentifierKey"`
	IsAuthorized *bool           `json:"isAuthorized"`
}

// readGrant reads a function's answer. Values of its context are strings, numbers
// and booleans, of which strings are made; only format 2.0 has more and keeps them
// as they are.
func readGrant(a *Authorizer, policies *policy.Cache, payload []byte) (*grant, error) {
	var in answered
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil, fmt.Errorf("the answer is not what an authorizer answers: %w", err)
	}
	g := &grant{context: in.Context, usageKey: in.UsageKey}
	if in.PrincipalID != nil {
		g.principal = *in.PrincipalID
	}
	if a.Payload != "2.0" {
		var err error
		if g.context, err = texts(in.Context); err != nil {
			return nil, err
		}
	}
	if a.Simple {
		if in.IsAuthorized == nil {
			return nil, errors.New("the answer has no isAuthorized, and the authorizer is one of simple responses")
		}
		g.allowed = *in.IsAuthorized
		return g, nil
	}
	if in.PrincipalID == nil && a.Payload == "" {
		return nil, errors.New("the answer has no principalId")
	}
	if len(in.Policy) == 0 {
		return nil, errors.New("the answer has no policyDocument")
	}
	document, err := policies.Parse(policy.Identity, string(in.Policy))
	if err != nil {
		return nil, fmt.Errorf("the answer's policy: %w", err)
	}
	g.policy = &document
	return g, nil
}

// texts makes strings of the values of a context.
func texts(context map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(context))
	for name, value := range context {
		text, err := scalar(value)
		if err != nil {
			return nil, fmt.Errorf("the answer's context: %q must be a string, a number or a boolean", name)
		}
		if value != nil {
			out[name] = text
		}
	}
	return out, nil
}

// decide asks the answer about a request. The message is AWS's.
func (g *grant) decide(r *request, region string) error {
	if g.policy == nil {
		if g.allowed {
			return nil
		}
		return &failure{cause: denied}
	}
	d := policy.Decide(policy.Request{
		Action: invokeAction, Resource: r.methodARN(region),
		Keys: policy.Map{
			"aws:sourceip": {sourceIP(r.RemoteAddr)}, "aws:useragent": {r.UserAgent()}, "aws:referer": {r.Referer()},
			"aws:currenttime": {r.at.Format(time.RFC3339)}, "aws:epochtime": {strconv.FormatInt(r.at.Unix(), 10)},
			"aws:securetransport": {strconv.FormatBool(r.TLS != nil)},
		},
	}, policy.Policies{Identity: []policy.Source{{ID: "authorizer", Document: g.policy}}})
	switch d.Outcome {
	case policy.Allow:
		return nil
	case policy.ExplicitDeny:
		return &failure{cause: denied, message: worded[REST][denied].message + " with an explicit deny"}
	}
	return &failure{cause: denied}
}

// first is requestContext.authorizer of format 1.0: null in a REST API without an
// authorizer, empty claims in an HTTP API.
func (g *grant) first(kind string) map[string]any {
	switch {
	case g != nil && g.claims != nil:
		return map[string]any{"claims": g.claims, "scopes": g.scopes}
	case g != nil:
		all := map[string]any{}
		maps.Copy(all, g.context)
		all["principalId"], all["integrationLatency"] = g.principal, g.latency.Milliseconds()
		return all
	case kind == HTTP:
		return map[string]any{"claims": nil, "scopes": nil}
	}
	return nil
}

// allowed is the answer about the request; an empty one without an authorizer.
func (r *request) allowed() *grant {
	if r.grant == nil {
		return &grant{}
	}
	return r.grant
}

func (g *grant) took() string { return milliseconds(g.latency) }

func (g *grant) status() string {
	if g.request == "" {
		return ""
	}
	return "200"
}

// failureOf is the error of a function that failed instead of answering. A function
// that fails with the word Unauthorized answers: nobody is let in.
func failureOf(name string, res function.Result) error {
	var told struct {
		Message string `json:"errorMessage"`
	}
	if err := json.Unmarshal(res.Payload, &told); err == nil && strings.TrimSpace(told.Message) == "Unauthorized" {
		return &failure{cause: unauthorized}
	}
	return &failure{cause: authorizerFailed, err: fmt.Errorf("authorizer %s: function error %s", name, res.ErrorType)}
}
