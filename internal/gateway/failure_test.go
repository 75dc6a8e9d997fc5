package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
)

func TestGatewayResponses(t *testing.T) {
	own := []gateway.Response{
		{Type: "MISSING_AUTHENTICATION_TOKEN", Status: 404, Templates: map[string]string{
			"application/json": `{"error":$context.error.messageString,"type":"$context.error.responseType","path":"$context.path","q":"$method.request.querystring.q","v":"$stageVariables.team"}`,
			"application/xml":  `<error>$context.error.message</error>`,
		}},
		{Type: "DEFAULT_4XX", Parameters: map[string]string{
			"gatewayresponse.header.X-Kind":   "'client'",
			"gatewayresponse.header.X-Asked":  "method.request.header.X-Trace",
			"gatewayresponse.header.X-Absent": "method.request.header.X-Absent",
			"gatewayresponse.header.X-From":   "context.identity.sourceIp",
		}},
		{Type: "DEFAULT_5XX", Status: 503},
		{Type: "BAD_REQUEST_BODY", Templates: map[string]string{"application/json": `{"why":"$context.error.validationErrorString"}`}},
	}
	get, post, auth := route("GET", "/a"), route("POST", "/a"), guardedRoute("GET", "/auth", "auth")
	post.Validation = &gateway.Validation{Models: map[string]string{"application/json": `{"type":"object","required":["name"]}`}}
	api := rest(get, post, auth)
	api.Responses, api.Variables = own, map[string]string{"team": "backend"}
	api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}}}
	for name, c := range map[string]struct {
		method, path, accept, body string
		payload                    string
		err                        error
		want                       int
		says                       string
		header                     http.Header
	}{
		"a status and a template": {"GET", "/x?q=a", "", "", "", nil, 404, `{"error":"Missing Authentication Token","type":"MISSING_AUTHENTICATION_TOKEN","path":"/dev/x","q":"a","v":"backend"}`, http.Header{"Content-Type": {"application/json"}}},
		"a template by type":      {"GET", "/x", "text/html, application/xml;q=0.9", "", "", nil, 404, `<error>Missing Authentication Token</error>`, http.Header{"Content-Type": {"application/xml"}}},
		"the default's headers":   {"GET", "/auth", "", "", "", nil, 401, `{"message":"Unauthorized"}`, http.Header{"X-Kind": {"client"}, "X-Asked": {"t1"}, "X-From": {"192.0.2.1"}, "X-Absent": nil}},
		"the default's status":    {"GET", "/a", "", "", "", fault.Errorf(fault.Unavailable, "gone"), 503, `{"message":"Internal server error"}`, nil},
		"a failed function":       {"GET", "/a", "", "", "nonsense", nil, 503, `{"message":"Internal server error"}`, nil},
		"what a body lacks":       {"POST", "/a", "", "{}", "", nil, 400, `{"why":"[`, nil},
	} {
		fn := &invokes{payload: c.payload, err: c.err}
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Accept", c.accept)
		r.Header.Set("X-Trace", "t1")
		res := do(serve(t, fn, api, nil), r)
		if res.Code != c.want || !strings.HasPrefix(res.Body.String(), c.says) {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.want, c.says)
		}
		for header, want := range c.header {
			if got := res.Header()[header]; !cmp.Equal(got, want) {
				t.Errorf("%s: %s: got %q, want %q", name, header, got, want)
			}
		}
	}
}

func TestCheckAccess(t *testing.T) {
	with := func(change func(*gateway.API)) gateway.API {
		api := rest(route("GET", "/a"))
		change(&api)
		return api
	}
	authorized := func(kind string, a gateway.Authorizer) gateway.API {
		a.Name = "auth"
		api := rest(guardedRoute("GET", "/a", "auth"))
		api.Kind, api.Authorizers = kind, []gateway.Authorizer{a}
		return api
	}
	for name, c := range map[string]struct {
		api  gateway.API
		want string // part of the message; "" is right
	}{
		"right":                        {authorized(gateway.REST, gateway.Authorizer{Kind: "TOKEN", Function: "f", TTL: 300, Identity: []string{"method.request.header.Authorization"}}), ""},
		"no such authorizer":           {with(func(a *gateway.API) { a.Routes[0].Authorizer = "auth" }), `no authorizer "auth"`},
		"JWT in a REST API":            {authorized(gateway.REST, gateway.Authorizer{Kind: "JWT", Issuer: "https://a.example", Audience: []string{"a"}}), "TOKEN and REQUEST"},
		"TOKEN in an HTTP API":         {authorized(gateway.HTTP, gateway.Authorizer{Kind: "TOKEN", Function: "f", Identity: []string{"$request.header.A"}}), "REQUEST and JWT"},
		"no issuer":                    {authorized(gateway.HTTP, gateway.Authorizer{Kind: "JWT", Audience: []string{"a"}}), "issuer"},
		"no audience":                  {authorized(gateway.HTTP, gateway.Authorizer{Kind: "JWT", Issuer: "https://a.example"}), "audience"},
		"no function":                  {authorized(gateway.REST, gateway.Authorizer{Kind: "REQUEST"}), "names no function"},
		"a TTL and nothing to keep by": {authorized(gateway.REST, gateway.Authorizer{Kind: "REQUEST", Function: "f", TTL: 300}), "TTL to 0"},
		"too long a TTL":               {authorized(gateway.REST, gateway.Authorizer{Kind: "REQUEST", Function: "f", TTL: 3601, Identity: []string{"context.path"}}), "0 to 3600"},
		"no such place":                {authorized(gateway.REST, gateway.Authorizer{Kind: "REQUEST", Function: "f", Identity: []string{"method.request.body"}}), "header.NAME"},
		"a pattern that is none":       {authorized(gateway.REST, gateway.Authorizer{Kind: "TOKEN", Function: "f", Pattern: "(", Identity: []string{"method.request.header.A"}}), "identityValidationExpression"},
		"scopes without JWT":           {with(func(a *gateway.API) { a.Routes[0].Scopes = []string{"a"} }), "JWT authorizers"},
		"a key in an HTTP API":         {with(func(a *gateway.API) { a.Kind, a.Routes[0].KeyRequired = gateway.HTTP, true }), "REST APIs"},
		"another gateway response":     {with(func(a *gateway.API) { a.Responses = []gateway.Response{{Type: "TEAPOT"}} }), "must be one of"},
		"a header from nowhere": {with(func(a *gateway.API) {
			a.Responses = []gateway.Response{{Type: "THROTTLED", Parameters: map[string]string{"gatewayresponse.header.A": "text"}}}
		}), "quoted text"},
		"a header of the edge": {with(func(a *gateway.API) {
			a.Responses = []gateway.Response{{Type: "THROTTLED", Parameters: map[string]string{"gatewayresponse.header.x-dropstack-send-object": "'a/b'"}}}
		}), "gateway response THROTTLED"},
		"a model that is no JSON": {with(func(a *gateway.API) {
			a.Routes[0].Validation = &gateway.Validation{Models: map[string]string{"application/json": "{"}}
		}), "not JSON"},
		"a model that refers elsewhere": {with(func(a *gateway.API) {
			a.Routes[0].Validation = &gateway.Validation{Models: map[string]string{"application/json": `{"$ref":"file:///etc/passwd"}`}}
		}), "may not refer"},
		"a parameter of a body": {with(func(a *gateway.API) { a.Routes[0].Validation = &gateway.Validation{Parameters: []string{"body.a"}} }), "querystring.NAME"},
		"a URL that is none": {with(func(a *gateway.API) {
			a.Routes[0] = gateway.Route{Method: "GET", Path: "/{a}", Integration: "http", URL: "http://{a}.example/"}
		}), "name of a host"},
		"no such integration":         {with(func(a *gateway.API) { a.Routes[0].Integration = "sqs" }), "integration"},
		"a negative timeout":          {with(func(a *gateway.API) { a.Routes[0].Timeout = -1 }), "negative"},
		"payload of a REST API":       {with(func(a *gateway.API) { a.Routes[0].Payload = "2.0" }), "payload format version"},
		"a log without a format":      {with(func(a *gateway.API) { a.AccessLog = &gateway.AccessLog{Group: "g"} }), "format"},
		"a compression beyond reason": {with(func(a *gateway.API) { n := -1; a.Compress = &n }), "minimumCompressionSize"},
	} {
		err := gateway.Check([]gateway.API{c.api})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want no error", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestValidation(t *testing.T) {
	r := route("POST", "/a/{id}")
	r.Validation = &gateway.Validation{
		Parameters: []string{"querystring.page", "header.X-Key", "path.id"},
		Models:     map[string]string{"application/json": `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["name"],"properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0,"exclusiveMinimum":true}},"additionalProperties":false}`},
	}
	for name, c := range map[string]struct {
		path, key, media, body string
		want                   string // "": let in
	}{
		"right":                     {"/a/1?page=2", "k", "application/json; charset=utf-8", `{"name":"Ada","age":36}`, ""},
		"no type is JSON":           {"/a/1?page=2", "k", "", `{"name":"Ada"}`, ""},
		"another type has no model": {"/a/1?page=2", "k", "text/plain", `hello`, ""},
		"no page":                   {"/a/1", "k", "application/json", `{"name":"Ada"}`, "Missing required request parameters: [page]"},
		"a blank page":              {"/a/1?page=+", "k", "application/json", `{"name":"Ada"}`, "Missing required request parameters: [page]"},
		"no page and no header":     {"/a/1", "", "application/json", `{"name":"Ada"}`, "Missing required request parameters: [page, X-Key]"},
		"no name":                   {"/a/1?page=2", "k", "application/json", `{}`, "Invalid request body"},
		"draft 4's minimum":         {"/a/1?page=2", "k", "application/json", `{"name":"Ada","age":0}`, "Invalid request body"},
		"something else":            {"/a/1?page=2", "k", "application/json", `{"name":"Ada","b":1}`, "Invalid request body"},
		"no JSON":                   {"/a/1?page=2", "k", "application/json", `name=Ada`, "Invalid request body"},
		"no body":                   {"/a/1?page=2", "k", "application/json", ``, "Invalid request body"},
	} {
		fn := &invokes{payload: `{"statusCode":200}`}
		req := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
		req.Header.Set("X-Key", c.key)
		if c.media != "" {
			req.Header.Set("Content-Type", c.media)
		}
		res := do(serve(t, fn, rest(r), nil), req)
		if c.want == "" {
			if res.Code != 200 || fn.calls != 1 {
				t.Errorf("%s: got %d %s", name, res.Code, res.Body)
			}
			continue
		}
		if want := `{"message":"` + c.want + `"}`; res.Code != 400 || res.Body.String() != want || fn.calls != 0 {
			t.Errorf("%s: got %d %s, want 400 %s", name, res.Code, res.Body, want)
		}
	}
}
