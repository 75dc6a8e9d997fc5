package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
)

// maxDecisions bounds what an authorizer remembers.
const maxDecisions = 10_000

// functionGuard asks a function who may pass, and remembers its answers.
type functionGuard struct {
	*Authorizer
	gateway  *Gateway
	identity []origin
	pattern  *regexp.Regexp // of TOKEN; nil: anything
	policies *policy.Cache

	calls singleflight.Group
	mu    sync.Mutex
	kept  map[[sha256.Size]byte]decision // by identity, which may be a secret
}

type decision struct {
	*grant
	until time.Time
}

func newFunctionGuard(s *server, a Authorizer) *functionGuard {
	switch {
	case s.api.Kind == REST:
		a.Payload, a.Simple = "", false // it has one form
	case a.Payload == "":
		a.Payload = "2.0"
	}
	g := &functionGuard{Authorizer: &a, gateway: s.gateway, policies: &s.gateway.policies, kept: map[[sha256.Size]byte]decision{}}
	for _, text := range a.Identity {
		if from, err := parseOrigin(text); err == nil { // Check has refused others
			g.identity = append(g.identity, from)
		}
	}
	if a.Pattern != "" {
		g.pattern, _ = regexp.Compile(whole(a.Pattern)) // likewise
	}
	return g
}

// whole makes a pattern match a whole text, as API Gateway's do.
func whole(pattern string) string { return `^(?:` + pattern + `)$` }

func (g *functionGuard) of(Route) guard { return g }

// admit lets a request pass that the function, now or a while ago, has allowed.
func (g *functionGuard) admit(r *request) error {
	identity, ok := g.identify(r)
	if !ok {
		return &failure{cause: unauthorized}
	}
	answer, err := g.ask(r, identity)
	if err != nil {
		r.authorizerError = err.Error()
		return err
	}
	r.grant = answer
	return answer.decide(r, g.gateway.Region)
}

// identify reads what the request is known by; false when a part is missing.
func (g *functionGuard) identify(r *request) ([]string, bool) {
	identity := make([]string, len(g.identity))
	for i, from := range g.identity {
		value, ok := from.of(r)
		if !ok || value == "" {
			return nil, false
		}
		identity[i] = value
	}
	return identity, g.pattern == nil || g.pattern.MatchString(strings.Join(identity, ","))
}

// ask returns the function's answer, from memory while it is fresh. Requests of one
// identity that come at the same time make one call.
func (g *functionGuard) ask(r *request, identity []string) (*grant, error) {
	if g.TTL == 0 || len(identity) == 0 {
		return g.call(r, identity)
	}
	parts, err := json.Marshal(identity) // which keeps them apart, whatever is in them
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(parts)
	if kept := g.recall(key); kept != nil {
		return kept, nil
	}
	answer, err, _ := g.calls.Do(string(key[:]), func() (any, error) {
		if kept := g.recall(key); kept != nil { // it came while we were on our way here
			return kept, nil
		}
		fresh, err := g.call(r, identity)
		if err == nil {
			g.keep(key, fresh)
		}
		return fresh, err
	})
	if err != nil {
		return nil, err
	}
	return answer.(*grant), nil // of what the call above returns
}

func (g *functionGuard) recall(key [sha256.Size]byte) *grant {
	g.mu.Lock()
	defer g.mu.Unlock()
	d, ok := g.kept[key]
	if !ok || time.Now().After(d.until) {
		return nil
	}
	return d.grant
}

// keep remembers an answer. When there are too many, those that are over go, then
// any.
func (g *functionGuard) keep(key [sha256.Size]byte, answer *grant) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if len(g.kept) >= maxDecisions {
		for old, d := range g.kept {
			if now.After(d.until) {
				delete(g.kept, old)
			}
		}
	}
	for old := range g.kept {
		if len(g.kept) < maxDecisions {
			break
		}
		delete(g.kept, old)
	}
	g.kept[key] = decision{answer, now.Add(time.Duration(g.TTL) * time.Second)}
}

// call invokes the function. A client that leaves does not end it: others may wait
// for the same answer.
func (g *functionGuard) call(r *request, identity []string) (*grant, error) {
	event, err := json.Marshal(g.event(r, identity))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), RESTTimeout)
	defer cancel()
	began := time.Now()
	res, err := g.gateway.Invoker.Invoke(ctx, function.Invocation{
		Function: g.Function, Payload: event, Marshalled: true, TraceID: r.Header.Get("X-Amzn-Trace-Id"),
		Trigger: function.TriggerHTTP,
	})
	if err != nil {
		return nil, &failure{cause: authorizerFailed, err: fmt.Errorf("authorizer %s: %w", g.Name, err)}
	}
	if res.FunctionError != "" {
		return nil, failureOf(g.Name, res)
	}
	answer, err := readGrant(g.Authorizer, g.policies, res.Payload)
	if err != nil {
		return nil, &failure{cause: authorizerWrong, err: fmt.Errorf("authorizer %s: %w", g.Name, err)}
	}
	answer.request, answer.latency = res.RequestID, time.Since(began)
	return answer, nil
}

// tokenEvent is what a TOKEN authorizer is asked with.
type tokenEvent struct {
	Type  string `json:"type"`
	ARN   string `json:"methodArn"`
	Token string `json:"authorizationToken"`
}

// requestEvent is what a REQUEST authorizer of a REST API is asked with.
type requestEvent struct {
	Type string `json:"type"`
	ARN  string `json:"methodArn"`
	bodiless
}

// bodiless is format 1.0 without the body, which authorizers do not get.
type bodiless struct {
	Resource       string              `json:"resource"`
	Path           string              `json:"path"`
	HTTPMethod     string              `json:"httpMethod"`
	Headers        map[string]string   `json:"headers"`
	MultiHeaders   map[string][]string `json:"multiValueHeaders"`
	Query          map[string]string   `json:"queryStringParameters"`
	MultiQuery     map[string][]string `json:"multiValueQueryStringParameters"`
	PathParameters map[string]string   `json:"pathParameters"`
	StageVariables map[string]string   `json:"stageVariables"`
	RequestContext restContext         `json:"requestContext"`
}

// firstRequest is what one of an HTTP API is asked with in format 1.0.
type firstRequest struct {
	Version  string `json:"version"`
	Type     string `json:"type"`
	ARN      string `json:"methodArn"`
	Identity string `json:"identitySource"`
	Token    string `json:"authorizationToken"`
	bodiless
}

// secondRequest is the same in format 2.0.
type secondRequest struct {
	Version        string            `json:"version"`
	Type           string            `json:"type"`
	ARN            string            `json:"routeArn"`
	Identity       []string          `json:"identitySource"`
	RouteKey       string            `json:"routeKey"`
	RawPath        string            `json:"rawPath"`
	RawQueryString string            `json:"rawQueryString"`
	Cookies        []string          `json:"cookies,omitempty"`
	Headers        map[string]string `json:"headers"`
	Query          map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext httpContext       `json:"requestContext"`
	PathParameters map[string]string `json:"pathParameters,omitempty"`
	StageVariables map[string]string `json:"stageVariables,omitempty"`
}

func (g *functionGuard) event(r *request, identity []string) any {
	name := r.methodARN(g.gateway.Region)
	switch {
	case g.Kind == AuthorizerToken:
		return tokenEvent{AuthorizerToken, name, strings.Join(identity, ",")}
	case r.api.Kind == REST:
		return requestEvent{AuthorizerRequest, name, withoutBody(r.rest())}
	case g.Payload == "1.0":
		all := strings.Join(identity, ",")
		return firstRequest{"1.0", AuthorizerRequest, name, all, all, withoutBody(r.first().restEvent)}
	}
	e := r.http()
	return secondRequest{
		Version: "2.0", Type: AuthorizerRequest, ARN: name, Identity: identity,
		RouteKey: e.RouteKey, RawPath: e.RawPath, RawQueryString: e.RawQueryString, Cookies: e.Cookies,
		Headers: e.Headers, Query: e.Query, RequestContext: e.RequestContext,
		PathParameters: e.PathParameters, StageVariables: e.StageVariables,
	}
}

func withoutBody(e restEvent) bodiless {
	return bodiless{
		Resource: e.Resource, Path: e.Path, HTTPMethod: e.HTTPMethod, Headers: e.Headers, MultiHeaders: e.MultiHeaders,
		Query: e.Query, MultiQuery: e.MultiQuery, PathParameters: e.PathParameters, StageVariables: e.StageVariables,
		RequestContext: e.RequestContext,
	}
}
