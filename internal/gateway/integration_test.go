package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// queue takes events.
type queue struct {
	got []function.Invocation
	err error
}

func (q *queue) Enqueue(_ context.Context, inv function.Invocation) error {
	q.got = append(q.got, inv)
	return q.err
}

func leading(method, path, integration string) gateway.Route {
	r := route(method, path)
	r.Function, r.Integration = "backend", integration
	return r
}

func TestMappedEvents(t *testing.T) {
	r := leading("POST", "/jobs/{id}", gateway.IntegrationAsync)
	r.Authorizer = "auth"
	api := rest(r)
	api.Variables = map[string]string{"team": "backend"}
	api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}}}
	fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) {
		return policyAnswer("Allow", "*", `,"context":{"age":36}`), ""
	}}}
	for name, c := range map[string]struct {
		media, body string
		want        any    // body of the event
		fails       string // what the client is answered; "" is 200 {}
		status      int
	}{
		"JSON":              {"application/json", `{"a":[1,"b"]}`, map[string]any{"a": []any{1.0, "b"}}, "", 200},
		"JSON by default":   {"", `"text"`, "text", "", 200},
		"nothing":           {"application/json", "", map[string]any{}, "", 200},
		"a form":            {"application/x-www-form-urlencoded; charset=utf-8", "a=1&b=x+%26y&c=&d&e=1=2&&", map[string]any{"a": "1", "b": "x &y", "c": "", "d": "", "e": "1"}, "", 200},
		"no JSON":           {"application/json", "{", nil, `{"message":"Could not parse request body into json"}`, 400},
		"something unknown": {"text/plain", "a", nil, `{"message":"Unsupported Media Type"}`, 415},
	} {
		q := &queue{}
		req := httptest.NewRequest("POST", "/jobs/a%20b?x=1&x=2", strings.NewReader(c.body))
		req.Header.Set("Authorization", "t")
		req.Header.Set("User-Agent", "curl/8")
		if c.media != "" {
			req.Header.Set("Content-Type", c.media)
		}
		res := do(open(t, &gateway.Gateway{Invoker: fn, Events: q}, api, nil, nil), req)
		if c.fails != "" {
			if res.Code != c.status || res.Body.String() != c.fails || len(q.got) > 0 {
				t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.status, c.fails)
			}
			continue
		}
		if res.Code != 200 || res.Body.String() != "{}" || len(q.got) != 1 || q.got[0].Function != "backend" {
			t.Fatalf("%s: got %d %s, %d events", name, res.Code, res.Body, len(q.got))
		}
		var got map[string]any
		if err := json.Unmarshal(q.got[0].Payload, &got); err != nil {
			t.Fatal(err)
		}
		headers := got["headers"].(map[string]any)
		if headers["User-Agent"] != "curl/8" || headers["Authorization"] != "t" {
			t.Errorf("%s: headers: %v", name, headers)
		}
		delete(got, "headers")
		delete(got["enhancedAuthContext"].(map[string]any), "integrationLatency")
		want := map[string]any{
			"body": c.want, "method": "POST", "principalId": "user-1", "stage": "dev",
			"cognitoPoolClaims": map[string]any{"sub": ""}, "enhancedAuthContext": map[string]any{"principalId": "user-1", "age": "36"},
			"query": map[string]any{"x": "2"}, "path": map[string]any{"id": "a b"},
			"identity": map[string]any{
				"accessKey": "", "accountId": "", "caller": "", "cognitoAuthenticationProvider": "", "cognitoAuthenticationType": "",
				"cognitoIdentityId": "", "cognitoIdentityPoolId": "", "principalOrgId": "", "sourceIp": "192.0.2.1",
				"user": "", "userAgent": "curl/8", "userArn": "",
			},
			"stageVariables": map[string]any{"team": "backend"}, "requestPath": "/jobs/{id}",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: event (-want +got):\n%s", name, diff)
		}
	}
}

func TestAsyncThatCannotBeQueued(t *testing.T) {
	api := rest(leading("POST", "/jobs", gateway.IntegrationAsync))
	g := &gateway.Gateway{Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "no queue") {
		t.Errorf("without a queue: got %v", err)
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"too large":      {fault.Errorf(fault.TooLarge, "1048577 bytes"), 413},
		"the disk is":    {errors.New("full"), 500},
		"being shut off": {fault.Errorf(fault.Unavailable, "shutting down"), 500},
	} {
		res := do(open(t, &gateway.Gateway{Events: &queue{err: c.err}}, api, nil, nil), httptest.NewRequest("POST", "/jobs", nil))
		if res.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, res.Code, res.Body, c.want)
		}
	}
}

func TestMappedResults(t *testing.T) {
	for name, c := range map[string]struct {
		payload, failure string
		want             int
	}{
		"a result":             {`{"a":1}`, "", 200},
		"a text":               {`"a"`, "", 200},
		"a status in brackets": {`{"errorMessage":"[404] no such thing"}`, "Unhandled", 404},
		"in the middle":        {`{"errorMessage":"oh:\n[422] no"}`, "Unhandled", 422},
		"no status":            {`{"errorMessage":"boom"}`, "Unhandled", 200},
		"another status":       {`{"errorMessage":"[418] teapot"}`, "Unhandled", 200},
		"an early exit":        {`{"errorMessage":"RequestId: 1 Process exited before completing request"}`, "Unhandled", 500},
		"a timeout":            {`{"errorMessage":"2026-01-01T00:00:00Z 1 Task timed out after 3.00 seconds"}`, "Unhandled", 504},
	} {
		fn := &invokes{payload: c.payload, failure: c.failure}
		res := do(serve(t, fn, rest(leading("GET", "/a", gateway.IntegrationEvent)), nil), httptest.NewRequest("GET", "/a", nil))
		if res.Code != c.want || res.Body.String() != c.payload || res.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.want, c.payload)
		}
	}
}

func TestMock(t *testing.T) {
	res := do(open(t, &gateway.Gateway{}, rest(leading("GET", "/a", gateway.IntegrationMock)), nil, nil), httptest.NewRequest("GET", "/a", nil))
	if res.Code != 200 || res.Body.Len() != 0 {
		t.Errorf("got %d %s", res.Code, res.Body)
	}
}

func TestMappedCORS(t *testing.T) {
	for name, c := range map[string]struct {
		cors                *gateway.CORS
		origin, credentials string
	}{
		"none":            {nil, "", ""},
		"any origin":      {&gateway.CORS{}, "*", ""},
		"several origins": {&gateway.CORS{Origins: []string{"https://a.example", "https://b.example"}, AllowCredentials: true}, "https://a.example,https://b.example", "true"},
	} {
		for _, integration := range []string{gateway.IntegrationEvent, gateway.IntegrationAsync, gateway.IntegrationMock} {
			r := leading("GET", "/a", integration)
			r.CORS = c.cors
			g := &gateway.Gateway{Invoker: &invokes{payload: "{}"}, Events: &queue{}}
			h := do(open(t, g, rest(r), nil, nil), httptest.NewRequest("GET", "/a", nil)).Header()
			if got := h.Get("Access-Control-Allow-Origin"); got != c.origin || h.Get("Access-Control-Allow-Credentials") != c.credentials {
				t.Errorf("%s, %s: got origin %q, credentials %q", name, integration, got, h.Get("Access-Control-Allow-Credentials"))
			}
		}
	}
}

func TestForwarding(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Host", r.Host)
		w.Header().Set("X-Dropstack-Send-Object", "drops/secret")
		w.Header().Set("X-Owner", r.Header.Get("X-Dropstack-Owner"))
		w.Header().Set("X-For", r.Header.Get("X-Forwarded-For"))
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	}))
	defer backend.Close()
	to := leading("ANY", "/v1/{id}/{proxy+}", gateway.IntegrationHTTP)
	to.URL = backend.URL + "/base/{id}/{proxy}?k=v"
	for name, c := range map[string]struct {
		path string
		want int
		says string
	}{
		"parameters and query":  {"/v1/a%20b/x/y%2Fz?q=1", http.StatusTeapot, "PUT /base/a%20b/x/y%2Fz?k=v&q=1 hello"},
		"upwards":               {"/v1/a/x/../../../secret", 0, ""},
		"upwards, escaped":      {"/v1/a/x/%2e%2e/y", 0, ""},
		"upwards within a part": {"/v1/a/x%2F..%2Fy", 0, ""},
	} {
		for _, api := range []gateway.API{rest(to), httpAPI(to)} {
			r := httptest.NewRequest("PUT", c.path, strings.NewReader("hello"))
			r.Header.Set("X-Dropstack-Owner", "1")
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			res := do(open(t, &gateway.Gateway{}, api, nil, nil), r)
			if c.want == 0 {
				if want := map[string]int{gateway.REST: 403, gateway.HTTP: 404}[api.Kind]; res.Code != want {
					t.Errorf("%s, %s: got %d %s, want %d", name, api.Kind, res.Code, res.Body, want)
				}
				continue
			}
			if res.Code != c.want || res.Body.String() != c.says {
				t.Errorf("%s, %s: got %d %s, want %d %s", name, api.Kind, res.Code, res.Body, c.want, c.says)
			}
			h := res.Header()
			if h.Get("X-Host") != strings.TrimPrefix(backend.URL, "http://") || h.Get("X-Owner")+h.Get("X-Dropstack-Send-Object") != "" || h.Get("X-For") != "203.0.113.7" {
				t.Errorf("%s, %s: the backend saw host %q, owner %q, for %q", name, api.Kind, h.Get("X-Host"), h.Get("X-Owner"), h.Get("X-For"))
			}
		}
	}
}

func TestForwardingToNobody(t *testing.T) {
	backend := httptest.NewServer(http.NotFoundHandler())
	to := leading("GET", "/a", gateway.IntegrationHTTP)
	to.URL = backend.URL
	backend.Close()
	for api, want := range map[*gateway.API]string{
		new(rest(to)): `504 {"message":"Network error communicating with endpoint"}`, new(httpAPI(to)): `503 {"message":"Service Unavailable"}`,
	} {
		res := do(open(t, &gateway.Gateway{}, *api, nil, nil), httptest.NewRequest("GET", "/a", nil))
		if got := res.Result().Status[:4] + res.Body.String(); got != want {
			t.Errorf("%s: got %s, want %s", api.Kind, got, want)
		}
	}
}

func TestRouteTimeout(t *testing.T) {
	for _, c := range []struct {
		api     gateway.API
		timeout int
		want    time.Duration
		status  int
	}{
		{rest(route("GET", "/a")), 0, gateway.RESTTimeout, 504},
		{rest(route("GET", "/a")), 2500, 2500 * time.Millisecond, 504},
		{httpAPI(route("GET", "/a")), 5000, 5 * time.Second, 503},
		{httpAPI(route("GET", "/a")), 90_000, gateway.HTTPTimeout, 503},
	} {
		synctest.Test(t, func(t *testing.T) {
			c.api.Routes[0].Timeout = c.timeout
			began := time.Now()
			res := do(serve(t, &invokes{wait: true}, c.api, nil), httptest.NewRequest("GET", "/a", nil))
			if took := time.Since(began); took != c.want || res.Code != c.status {
				t.Errorf("%s, %d ms: got %d after %v, want %d after %v", c.api.Kind, c.timeout, res.Code, took, c.status, c.want)
			}
		})
	}
}

func TestFirstFormatOfHTTPAPIs(t *testing.T) {
	r := route("POST", "/user/{id}")
	r.Payload = "1.0"
	api := httpAPI(r)
	api.Stage, api.Variables = "prod", map[string]string{"team": "backend"}
	for name, c := range map[string]struct {
		payload string
		want    int
		body    string
	}{
		"what the format asks for":   {`{"statusCode":201,"body":"made","multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}`, 201, "made"},
		"nothing is made of a value": {`{"hello":"world"}`, 500, `{"message":"Internal Server Error"}`},
	} {
		fn := &invokes{payload: c.payload}
		req := httptest.NewRequest("POST", "/user/a%20b?q=1&q=2", strings.NewReader("text"))
		req.Header.Set("Content-Type", "text/plain")
		res := do(serve(t, fn, api, nil), req)
		if res.Code != c.want || res.Body.String() != c.body {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.want, c.body)
		}
		var version struct{ Version string }
		var e events.APIGatewayProxyRequest
		if err := errors.Join(json.Unmarshal(fn.got.Payload, &version), json.Unmarshal(fn.got.Payload, &e)); err != nil {
			t.Fatal(err)
		}
		if version.Version != "1.0" || e.Resource != "/user/{id}" || e.Path != "/prod/user/a b" || e.Body != "text" || e.IsBase64Encoded ||
			e.QueryStringParameters["q"] != "2" || e.StageVariables["team"] != "backend" || e.RequestContext.Stage != "prod" || e.PathParameters["id"] != "a b" {
			t.Errorf("%s: event %s", name, fn.got.Payload)
		}
		if authorizer := e.RequestContext.Authorizer; len(authorizer) != 2 || authorizer["claims"] != nil || authorizer["scopes"] != nil {
			t.Errorf("%s: authorizer %v", name, authorizer)
		}
	}
}
