package gateway

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

var methods = []string{"ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

var parameterName = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

// Check says everything that is wrong with the APIs of one stack, as fault.Invalid.
func Check(apis []API) error {
	var faults []error
	add := func(format string, args ...any) {
		faults = append(faults, fault.Errorf(fault.Invalid, format, args...))
	}
	ids := map[string]bool{}
	for _, api := range apis {
		if ids[api.ID] && api.ID != "" {
			add("stack %q has two APIs with the id %s", api.Stack, api.ID)
		}
		ids[api.ID] = true
		checkAPI(api, add)
	}
	if len(faults) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Err: errors.Join(faults...)}
}

func checkAPI(api API, add func(string, ...any)) {
	switch {
	case api.Kind != REST && api.Kind != HTTP && api.Kind != URL:
		add("API %q is of kind %q; it must be REST, HTTP or URL", api.Name, api.Kind)
	case api.Stack == "":
		add("API %q names no stack", api.Name)
	case api.ID == "" || api.Stage == "":
		add("API %q has no id or no stage", api.Name)
	}
	if api.CORS != nil && api.CORS.AllowCredentials && slices.Contains(api.CORS.Origins, "*") {
		add("API %q: CORS with credentials needs origins by name, not \"*\"", api.Name)
	}
	checkURL(api, add)
	checkAccess(api, add)
	seen := map[string]Route{}
	siblings := map[string]string{}
	for _, r := range api.Routes {
		if !slices.Contains(methods, r.Method) {
			add("route %q: method must be one of %s", r.Key(), strings.Join(methods, ", "))
		}
		checkIntegration(api.Kind, r, add)
		if r.Stream && api.Kind == HTTP {
			add("route %q: HTTP APIs cannot stream responses; use a REST API or a function URL", r.Key())
		}
		shape, err := checkPath(api.Kind, r, siblings)
		if err != nil {
			add("route %q: %w", r.Key(), err)
			continue
		}
		if other, dup := seen[r.Method+" "+shape]; dup {
			add("routes %q (function %s) and %q (function %s) are the same", other.Key(), other.Function, r.Key(), r.Function)
		}
		seen[r.Method+" "+shape] = r
	}
}

// checkPath returns the path with its parameters' names taken out, which two
// routes of one method must not share.
func checkPath(kind string, r Route, siblings map[string]string) (string, error) {
	if r.Path == catchAll {
		if kind == REST || r.Method != "ANY" {
			return "", errors.New("$default is for HTTP APIs, with method ANY")
		}
		return catchAll, nil
	}
	if !strings.HasPrefix(r.Path, "/") {
		return "", errors.New("the path must begin with /")
	}
	names := map[string]bool{}
	parts := segments(r.Path)
	shape := ""
	for i, p := range parts {
		s, err := parseSegment(p)
		switch {
		case err != nil:
			return "", err
		case s.kind == static:
			shape += "/" + p
			continue
		case s.kind == greedy && i < len(parts)-1:
			return "", errors.New(p + " must be the last part of the path")
		case names[s.name]:
			return "", errors.New("the name {" + s.name + "} is there twice")
		}
		names[s.name] = true
		if s.kind == greedy {
			shape += "/{+}"
			continue
		}
		// A REST API is a tree of resources, where one place has one name.
		if other, taken := siblings[shape]; kind == REST && taken && other != p {
			return "", errors.New(other + " stands in the same place in another route; a REST API needs one name there")
		}
		siblings[shape] = p
		shape += "/{}"
	}
	return shape, nil
}

// checkIntegration says what is wrong with where a route leads.
func checkIntegration(kind string, r Route, add func(string, ...any)) {
	switch r.Integration {
	case IntegrationProxy:
	case IntegrationAsync, IntegrationEvent, IntegrationMock:
		if kind != REST {
			add("route %q: integration %s is for REST APIs", r.Key(), r.Integration)
		}
	case IntegrationHTTP:
		host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL, "http://"), "https://"), "/")
		if u, err := url.Parse(plainURL(r.URL)); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(host, "{}?") {
			add("route %q: url %q must begin with http:// or https:// and the name of a host; parameters stand in its path", r.Key(), r.URL)
		}
	default:
		add("route %q: integration %q must be %q, %q, %q, %q or nothing", r.Key(), r.Integration, IntegrationAsync, IntegrationEvent, IntegrationHTTP, IntegrationMock)
	}
	if r.Function == "" && r.Integration != IntegrationHTTP && r.Integration != IntegrationMock {
		add("route %q names no function", r.Key())
	}
	if r.Stream && r.Integration != IntegrationProxy {
		add("route %q: only a function that answers the request itself can stream", r.Key())
	}
	if r.Payload != "" && (kind != HTTP || r.Payload != "1.0" && r.Payload != "2.0") {
		add("route %q: payload format version %q: HTTP APIs have 1.0 and 2.0, others none", r.Key(), r.Payload)
	}
	if r.Timeout < 0 {
		add("route %q: timeout is %d ms; it must not be negative", r.Key(), r.Timeout)
	}
}

// checkAccess says what is wrong with who may call an API, and how it is told.
func checkAccess(api API, add func(string, ...any)) {
	names := map[string]string{"": "", AuthorizerIAM: AuthorizerIAM}
	for _, a := range api.Authorizers {
		if _, taken := names[a.Name]; taken {
			add("API %q: there cannot be another authorizer with the name %q", api.Name, a.Name)
		}
		names[a.Name] = a.Kind
		if err := checkAuthorizer(api.Kind, a); err != nil {
			add("API %q: authorizer %q: %w", api.Name, a.Name, err)
		}
	}
	for _, r := range api.Routes {
		kind, ok := names[r.Authorizer]
		switch {
		case !ok:
			add("route %q: there is no authorizer %q", r.Key(), r.Authorizer)
		case r.Authorizer != "" && api.Kind == URL:
			add("route %q: a function URL has no authorizers", r.Key())
		case len(r.Scopes) > 0 && kind != AuthorizerJWT:
			add("route %q: scopes are for JWT authorizers", r.Key())
		case (r.KeyRequired || r.Validation != nil) && api.Kind != REST:
			add("route %q: API keys and request validation are for REST APIs", r.Key())
		}
		if _, err := newRules(r.Validation); err != nil {
			add("route %q: %w", r.Key(), err)
		}
	}
	if api.Kind != REST && (len(api.Responses) > 0 || api.Compress != nil || api.KeySource != "") {
		add("API %q: gateway responses, compression and an API key source are for REST APIs", api.Name)
	}
	if api.KeySource != "" && api.KeySource != KeyInHeader && api.KeySource != KeyOfAuthorizer {
		add("API %q: the API key source %q must be HEADER or AUTHORIZER", api.Name, api.KeySource)
	}
	if c := api.Compress; c != nil && (*c < 0 || *c > MaxBody) {
		add("API %q: minimumCompressionSize is %d; it must be 0 to %d", api.Name, *c, MaxBody)
	}
	for _, r := range api.Responses {
		if !slices.Contains(responseTypes, r.Type) {
			add("API %q: gateway response %q must be one of %s", api.Name, r.Type, strings.Join(responseTypes, ", "))
		}
		if r.Status != 0 && (r.Status < 200 || r.Status > 599) {
			add("API %q: gateway response %s: status %d must be 200 to 599", api.Name, r.Type, r.Status)
		}
	}
	if _, err := customise(api.Responses); err != nil {
		add("API %q: %w", api.Name, err)
	}
	if err := checkThrottle(api.Throttle); err != nil {
		add("API %q: %w", api.Name, err)
	}
	if api.Kind == URL && (api.Throttle != nil || api.AccessLog != nil) {
		add("function URL %q has no throttle and no access log", api.Name)
	}
	if l := api.AccessLog; l != nil && (l.Group == "" || l.Format == "") {
		add("API %q: an access log needs a log group and a format", api.Name)
	}
}

func checkAuthorizer(kind string, a Authorizer) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case a.Kind == AuthorizerJWT && kind == HTTP:
		if u, err := url.Parse(a.Issuer); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			add("issuer %q must be a URL", a.Issuer)
		}
		if len(a.Audience) == 0 {
			add("it needs at least one audience")
		}
	case a.Kind == AuthorizerToken && kind == REST, a.Kind == AuthorizerRequest && kind != URL:
		if a.Function == "" {
			add("it names no function")
		}
	default:
		add("kind %q: a REST API has TOKEN and REQUEST, an HTTP API REQUEST and JWT", a.Kind)
	}
	if a.Kind == AuthorizerToken && len(a.Identity) != 1 {
		add("a TOKEN authorizer has one identity source")
	}
	if a.TTL > 0 && len(a.Identity) == 0 && a.Kind != AuthorizerJWT {
		add("answers are kept by identity sources, and it has none; set the TTL to 0 or name some")
	}
	if a.TTL < 0 || a.TTL > 3600 {
		add("the TTL is %d; it must be 0 to 3600 seconds", a.TTL)
	}
	if a.Payload != "" && a.Payload != "1.0" && a.Payload != "2.0" {
		add("payload format version %q must be 1.0 or 2.0", a.Payload)
	}
	if a.Simple && a.Payload == "1.0" {
		add("simple responses need payload format version 2.0")
	}
	for _, text := range a.Identity {
		if _, err := parseOrigin(text); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := regexp.Compile(whole(a.Pattern)); err != nil {
		add("identityValidationExpression %q: %w", a.Pattern, err)
	}
	return errors.Join(errs...)
}

// plainURL is the URL of a route with nothing in the place of its parameters.
func plainURL(text string) string {
	return strings.NewReplacer("{", "", "}", "", "+", "").Replace(text)
}
