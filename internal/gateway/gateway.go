// Package gateway turns HTTP requests into proxy events and results into
// responses, as API Gateway does: REST APIs with format 1.0, HTTP APIs with 2.0;
// and as Lambda does for function URLs, with 2.0 and rules of their own (url.go).
//
// A request reaches an API's handler with a path relative to the stage; it is
// matched against the routes, becomes an event, and the function's answer becomes
// the response. All APIs are one immutable snapshot, replaced stack by stack.
//
// A route may stream: the response is then sent while the function writes it
// (stream.go).
//
// The formats are those of AWS's developer guide ("Input format of a Lambda
// function for proxy integration", "Create AWS Lambda proxy integrations for HTTP
// APIs"). Go's server has put header names into canonical form by the time we see
// them, so format 1.0 shows "Dnt" for a client's "DNT"; format 2.0 is lower case
// anyway.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/trace"
)

// Kinds of API.
const (
	REST = "REST"
	HTTP = "HTTP"
	URL  = "URL" // a function URL
)

// Limits of API Gateway.
const (
	MaxBody     = 10 << 20         // bytes of a request's body
	RESTTimeout = 29 * time.Second // of one request to a REST API
	HTTPTimeout = 30 * time.Second // of one request to an HTTP API
	// Of a streamed response of a REST API ("Considerations for response payload
	// streaming"). What a function URL answers with, and when, is up to the
	// function and its own timeout.
	StreamTimeout = 15 * time.Minute // from the request to the last byte
	StreamIdle    = 5 * time.Minute  // without a byte
)

// API is one deployed API of a stack: a stage of a REST API or an HTTP API, or the
// URL of one of its functions or their aliases.
type API struct {
	Stack       string            `json:"stack"`
	ID          string            `json:"id"` // 10 characters, of a URL 32; the same for the same stack and kind, or function
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	Stage       string            `json:"stage"` // REST: the stage; else "$default"
	Routes      []Route           `json:"routes"`
	BinaryTypes []string          `json:"binaryMediaTypes,omitempty"` // REST only
	CORS        *CORS             `json:"cors,omitempty"`             // not REST, whose routes have it
	Auth        string            `json:"auth,omitempty"`             // URL only: AuthNone (also "") or AuthIAM
	Variables   map[string]string `json:"stageVariables,omitempty"`
	Authorizers []Authorizer      `json:"authorizers,omitempty"`
	Responses   []Response        `json:"gatewayResponses,omitempty"` // REST only
	AccessLog   *AccessLog        `json:"accessLog,omitempty"`
	Compress    *int              `json:"minimumCompressionSize,omitempty"` // REST: bytes from which responses are compressed; nil: never
	KeySource   string            `json:"apiKeySource,omitempty"`           // REST: HEADER (also "") or AUTHORIZER
	Throttle    *Throttle         `json:"throttle,omitempty"`               // of the stage
	Description string            `json:"description,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Settings    *StageSettings    `json:"stageSettings,omitempty"` // REST only
	WebACL      string            `json:"webACL,omitempty"`        // ARN, of the stage; whoever asks it is asked for that first
	// Created and Modified are of a URL that calls of the AWS API made or changed.
	Created  time.Time `json:"created,omitzero"`
	Modified time.Time `json:"modified,omitzero"`
}

// Route sends a method and path to a function. Method "ANY" and path parts
// {name} and {name+} are as in API Gateway; "$default" is the HTTP API's catch-all.
type Route struct {
	Method   string `json:"method"`
	Path     string `json:"path"`
	Function string `json:"function"`         // name or name:qualifier
	CORS     *CORS  `json:"cors,omitempty"`   // REST only
	Stream   bool   `json:"stream,omitempty"` // REST and URL: send the response while the function writes it

	Integration string      `json:"integration,omitempty"`          // IntegrationProxy and the others
	URL         string      `json:"url,omitempty"`                  // of IntegrationHTTP
	Payload     string      `json:"payloadFormatVersion,omitempty"` // HTTP: "1.0", or "2.0" (also "")
	Timeout     int         `json:"timeout,omitempty"`              // milliseconds; 0: the kind's longest
	Authorizer  string      `json:"authorizer,omitempty"`           // name of one of the API's, or AuthorizerIAM; "": anybody
	Scopes      []string    `json:"scopes,omitempty"`               // JWT: any of which the token must have
	KeyRequired bool        `json:"apiKeyRequired,omitempty"`
	Validation  *Validation `json:"validation,omitempty"`
}

// Key is the route's name: "GET /notes/{id}", or "$default".
func (r Route) Key() string {
	if r.Path == catchAll {
		return catchAll
	}
	return r.Method + " " + r.Path
}

// CORS is what preflight requests are answered with.
type CORS struct {
	Origins          []string `json:"origins,omitempty"`
	Headers          []string `json:"headers,omitempty"`
	Methods          []string `json:"methods,omitempty"`
	ExposeHeaders    []string `json:"exposeHeaders,omitempty"`
	AllowCredentials bool     `json:"allowCredentials,omitempty"`
	MaxAgeSeconds    int      `json:"maxAge,omitempty"`
}

// Gateway serves the APIs of all stacks.
type Gateway struct {
	Invoker function.Invokes
	// Events takes what functions are told and not waited for; routes with
	// IntegrationAsync need it.
	Events function.Enqueues
	Log    *slog.Logger
	// Logs takes access logs, and drops lines rather than wait. Optional: without it
	// there are none.
	Logs logs.Appender
	// Traces takes a span of each request that a route takes. Optional: then traces
	// pass through.
	Traces *trace.Traces
	// Served is told of every request that an API has answered. Optional.
	Served func(r Served)
	// Verify checks the signatures that function URLs with AuthIAM ask for.
	// Optional: without it such URLs are refused.
	Verify Verifier
	// Authorize is an error unless the caller in the context may do an action to a
	// resource: execute-api:Invoke to a method of an API, for routes with
	// AuthorizerIAM. Such routes need it and Verify.
	Authorize func(ctx context.Context, action, resource string, conditions map[string][]string) error
	// Permit is an error unless the caller in the context may call a function, as
	// name or name:alias, by its URL. Without it nobody may who has to sign.
	Permit func(ctx context.Context, function string) error
	// Meter counts the requests that come with API keys. Optional: without it they
	// are counted until the end of the process.
	Meter  *Meter
	Region string // in the names of methods

	replacing sync.Mutex
	current   atomic.Pointer[snapshot]
	counts    Meter // without a Meter
	buckets   buckets
	issuers   issuers
	policies  policy.Cache // of authorizers' answers
	outbound  sync.Once
	carrier   *http.Transport // of outbound
}

// snapshot is every API at one moment. It never changes.
type snapshot struct {
	stacks map[string][]*server
	ids    map[string]*server
	ring   *ring
}

func (g *Gateway) snapshot() *snapshot {
	if s := g.current.Load(); s != nil {
		return s
	}
	return &snapshot{}
}

// Replace makes apis the APIs of the stack, with its API keys and usage plans; none
// removes them. Either all of them take effect, for requests that begin afterwards,
// or none does.
func (g *Gateway) Replace(stack string, apis []API, keys []APIKey, plans []UsagePlan) error {
	if err := errors.Join(Check(apis), CheckKeys(stack, keys, plans)); err != nil {
		return err
	}
	var servers []*server
	for _, api := range apis {
		if api.Stack != stack {
			return fault.Errorf(fault.Invalid, "API %q is of stack %q, not of %q", api.Name, api.Stack, stack)
		}
		if err := g.able(api); err != nil {
			return err
		}
		servers = append(servers, newServer(g, api))
	}
	g.replacing.Lock()
	defer g.replacing.Unlock()
	old := g.snapshot()
	next := &snapshot{stacks: maps.Clone(old.stacks), ids: map[string]*server{}}
	if next.stacks == nil {
		next.stacks = map[string][]*server{}
	}
	delete(next.stacks, stack)
	if len(servers) > 0 {
		next.stacks[stack] = servers
	}
	for _, of := range next.stacks {
		for _, s := range of {
			if other, taken := next.ids[s.api.ID]; taken {
				return fault.Errorf(fault.Conflict, "stacks %q and %q both have an API with id %s", other.api.Stack, s.api.Stack, s.api.ID)
			}
			next.ids[s.api.ID] = s
		}
	}
	var err error
	if next.ring, err = old.ring.with(stack, keys, plans); err != nil {
		return err
	}
	g.current.Store(next)
	g.buckets.keep(next.throttles)
	return nil
}

// able is an error for an API that asks for what this gateway was not given.
func (g *Gateway) able(api API) error {
	iam := func(r Route) bool { return r.Authorizer == AuthorizerIAM }
	async := func(r Route) bool { return r.Integration == IntegrationAsync }
	switch {
	case g.Events == nil && slices.ContainsFunc(api.Routes, async):
		return fault.Errorf(fault.Invalid, "stack %q has asynchronous routes, and there is no queue for their events here", api.Stack)
	case g.Verify == nil && api.Auth == AuthIAM:
		return fault.Errorf(fault.Invalid, "stack %q has a function URL with AWS_IAM, which cannot be checked here; use authorizer none", api.Stack)
	case (g.Verify == nil || g.Authorize == nil) && slices.ContainsFunc(api.Routes, iam):
		return fault.Errorf(fault.Invalid, "stack %q has routes with AWS_IAM, which cannot be checked here; use another authorizer", api.Stack)
	}
	return nil
}

// throttles says whether there is still a stage, or a key in a plan, that a bucket
// with the name is of.
func (s *snapshot) throttles(name string) bool {
	owner, key, of := strings.Cut(name, "/")
	if !of {
		_, ok := s.ids[owner]
		return ok
	}
	for _, plans := range s.ring.of {
		for _, p := range plans {
			if p.ID == owner && slices.Contains(p.Keys, key) {
				return true
			}
		}
	}
	return false
}

func (g *Gateway) meter() *Meter {
	if g.Meter != nil {
		return g.Meter
	}
	return &g.counts
}

// Handler returns what serves an API of the stack, the first of its kind. Kind "" is
// its HTTP API, else its REST API, else its only function URL.
func (g *Gateway) Handler(stack, kind string) (http.Handler, bool) {
	kinds := []string{kind}
	if kind == "" {
		kinds = []string{HTTP, REST, URL}
	}
	of := g.snapshot().named(stack)
	for _, kind := range kinds {
		is := func(s *server) bool { return s.api.Kind == kind }
		if i := slices.IndexFunc(of, is); i >= 0 && (kind != URL || !slices.ContainsFunc(of[i+1:], is)) {
			return of[i], true
		}
	}
	return nil, false
}

// named returns what serves a stack; host names have lost the case of theirs.
func (s *snapshot) named(stack string) []*server {
	if servers, ok := s.stacks[stack]; ok {
		return servers
	}
	for name, servers := range s.stacks {
		if strings.EqualFold(name, stack) {
			return servers
		}
	}
	return nil
}

// ByID returns the API with the id and what serves it.
func (g *Gateway) ByID(id string) (API, http.Handler, bool) {
	s, ok := g.snapshot().ids[id]
	if !ok {
		return API{}, nil, false
	}
	return s.api, s, true
}

// Stage returns what serves a stage of the API with the id.
func (g *Gateway) Stage(id, stage string) (http.Handler, bool) {
	s, ok := g.snapshot().ids[id]
	if !ok || s.api.Stage != stage {
		return nil, false
	}
	return s, true
}

// List returns every API, by stack, kind and name.
func (g *Gateway) List() []API {
	var all []API
	for _, s := range g.snapshot().ids {
		all = append(all, s.api)
	}
	slices.SortFunc(all, func(a, b API) int {
		return strings.Compare(a.Stack+"\x00"+a.Kind+"\x00"+a.Name, b.Stack+"\x00"+b.Kind+"\x00"+b.Name)
	})
	return all
}
