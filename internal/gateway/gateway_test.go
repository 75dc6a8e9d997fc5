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

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// invokes answers every invocation the same way and keeps the last one.
type invokes struct {
	payload string
	failure string // FunctionError
	err     error
	wait    bool // until the context ends
	got     function.Invocation
	calls   int

	deadline bool // the last one had a deadline
}

func (i *invokes) Invoke(ctx context.Context, inv function.Invocation) (function.Result, error) {
	i.got, i.calls = inv, i.calls+1
	_, i.deadline = ctx.Deadline()
	if i.wait {
		<-ctx.Done()
		return function.Result{}, ctx.Err()
	}
	return function.Result{RequestID: "inv-1", Payload: []byte(i.payload), FunctionError: i.failure}, i.err
}

func rest(routes ...gateway.Route) gateway.API {
	return gateway.API{Stack: "drops-dev", ID: arn.APIID("drops-dev", gateway.REST), Kind: gateway.REST, Name: "dev-drops", Stage: "dev", Routes: routes}
}

func httpAPI(routes ...gateway.Route) gateway.API {
	return gateway.API{Stack: "drops-dev", ID: arn.APIID("drops-dev", gateway.HTTP), Kind: gateway.HTTP, Name: "dev-drops", Stage: "$default", Routes: routes}
}

func route(method, path string) gateway.Route {
	return gateway.Route{Method: method, Path: path, Function: "fn:" + method + path}
}

// serve returns the handler of the one API.
func serve(t testing.TB, fn *invokes, api gateway.API, log io.Writer) http.Handler {
	t.Helper()
	if log == nil {
		log = io.Discard
	}
	g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.NewTextHandler(log, nil))}
	if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); err != nil {
		t.Fatal(err)
	}
	h, ok := g.Handler(api.Stack, api.Kind)
	if !ok {
		t.Fatal("no handler")
	}
	return h
}

func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestReplaceIsWholeOrNothing(t *testing.T) {
	g := &gateway.Gateway{Log: slog.New(slog.DiscardHandler)}
	good := rest(route("GET", "/a"))
	if err := g.Replace("drops-dev", []gateway.API{good, httpAPI(route("GET", "/b"))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	bad := rest(route("GET", "/a"), route("GET", "/a"))
	if err := g.Replace("drops-dev", []gateway.API{bad}, nil, nil); fault.KindOf(err) != fault.Invalid {
		t.Fatalf("duplicate route: got %v", err)
	}
	if got := len(g.List()); got != 2 {
		t.Fatalf("after a refused replacement: got %d APIs, want 2", got)
	}
	h, _ := g.Handler("drops-dev", "")
	viaHTTP, _ := g.Handler("drops-dev", gateway.HTTP)
	if h != viaHTTP {
		t.Error("kind \"\" is not the HTTP API")
	}
	api, h, ok := g.ByID(good.ID)
	viaREST, _ := g.Handler("drops-dev", gateway.REST)
	if !ok || h != viaREST || api.Stage != "dev" {
		t.Errorf("ByID: got %v %v", api, ok)
	}
	if _, ok := g.Stage(good.ID, "prod"); ok {
		t.Error("a stage that does not exist has a handler")
	}
	if err := g.Replace("drops-dev", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := g.Handler("drops-dev", ""); ok || len(g.List()) != 0 {
		t.Error("the stack's APIs are still there")
	}
	if err := g.Replace("other", []gateway.API{good}, nil, nil); fault.KindOf(err) != fault.Invalid {
		t.Errorf("API of another stack: got %v", err)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		apis []gateway.API
		want string // part of the message; "" is right
	}{
		"right":                   {[]gateway.API{rest(route("GET", "/"), route("ANY", "/{proxy+}"), route("GET", "/a/{id}"), route("POST", "/a/{id}"))}, ""},
		"default route":           {[]gateway.API{httpAPI(route("ANY", "$default"), route("ANY", "/"))}, ""},
		"names differ, HTTP":      {[]gateway.API{httpAPI(route("GET", "/a/{x}"), route("POST", "/a/{y}"))}, ""},
		"names differ, REST":      {[]gateway.API{rest(route("GET", "/a/{x}"), route("POST", "/a/{y}"))}, "one name"},
		"duplicate":               {[]gateway.API{httpAPI(route("GET", "/a"), route("GET", "/a"))}, "are the same"},
		"duplicate by other name": {[]gateway.API{httpAPI(route("GET", "/a/{x}"), route("GET", "/a/{y}"))}, "are the same"},
		"two defaults":            {[]gateway.API{httpAPI(route("ANY", "$default"), route("ANY", "$default"))}, "are the same"},
		"unknown method":          {[]gateway.API{rest(route("FETCH", "/a"))}, "method must be one of"},
		"no slash":                {[]gateway.API{rest(route("GET", "a"))}, "begin with /"},
		"empty part":              {[]gateway.API{rest(route("GET", "/a//b"))}, "empty part"},
		"slash at the end":        {[]gateway.API{rest(route("GET", "/a/"))}, "empty part"},
		"greedy in the middle":    {[]gateway.API{rest(route("GET", "/{p+}/b"))}, "last part"},
		"half a parameter":        {[]gateway.API{rest(route("GET", "/a-{id}"))}, "plain text or one"},
		"name twice":              {[]gateway.API{rest(route("GET", "/{a}/{a}"))}, "twice"},
		"empty name":              {[]gateway.API{rest(route("GET", "/{}"))}, "needs a name"},
		"default in REST":         {[]gateway.API{rest(route("ANY", "$default"))}, "HTTP APIs"},
		"no function":             {[]gateway.API{rest(gateway.Route{Method: "GET", Path: "/"})}, "no function"},
		"one id twice":            {[]gateway.API{rest(), rest()}, "two APIs with the id"},
		"two of a kind":           {[]gateway.API{rest(), func() gateway.API { a := rest(); a.ID = "another"; return a }()}, ""},
		"unknown kind":            {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: "SOAP"}}, "REST, HTTP or URL"},
		"streaming":               {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: gateway.REST, Routes: []gateway.Route{{Method: "GET", Path: "/", Function: "f", Stream: true}}}}, ""},
		"streaming HTTP API":      {[]gateway.API{httpAPI(gateway.Route{Method: "GET", Path: "/", Function: "f", Stream: true})}, "cannot stream"},
		"two URLs":                {[]gateway.API{functionURL(), gateway.FunctionURL("drops-dev", "other", "")}, ""},
		"URL of two routes":       {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: gateway.URL}}, "one route"},
		"URL auth":                {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: gateway.URL, Auth: "JWT", Routes: functionURL().Routes}}, "NONE or AWS_IAM"},
		"auth elsewhere":          {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: gateway.HTTP, Auth: "NONE"}}, "function URLs"},
		"credentials for all":     {[]gateway.API{{Stack: "s", ID: "i", Stage: "s", Kind: gateway.HTTP, CORS: &gateway.CORS{Origins: []string{"*"}, AllowCredentials: true}}}, "by name"},
	} {
		err := gateway.Check(c.apis)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v, want no error", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestRoutes(t *testing.T) {
	routes := []gateway.Route{
		route("GET", "/"), route("GET", "/pets/dog/1"), route("GET", "/pets/dog/{id}"), route("POST", "/pets/dog/{id}"),
		route("GET", "/pets/{proxy+}"), route("ANY", "/users/{name}"), route("GET", "/users/me"), route("GET", "/users/{name}/keys"),
	}
	type want struct{ rest, http string } // routes; "" is none
	for request, w := range map[string]want{
		"GET /":              {"GET/", "GET/"},
		"POST /":             {"", ""},
		"GET /pets/dog/1":    {"GET/pets/dog/1", "GET/pets/dog/1"},
		"POST /pets/dog/1":   {"", "POST/pets/dog/{id}"}, // a REST API has decided on the resource by then
		"GET /pets/dog/2":    {"GET/pets/dog/{id}", "GET/pets/dog/{id}"},
		"GET /pets/cat/2":    {"GET/pets/{proxy+}", "GET/pets/{proxy+}"},
		"GET /pets/dog/2/x":  {"GET/pets/{proxy+}", "GET/pets/{proxy+}"},
		"GET /pets":          {"", ""},
		"GET /pets/":         {"", ""},
		"GET /users/me":      {"GET/users/me", "GET/users/me"},
		"PUT /users/me":      {"", "ANY/users/{name}"},
		"GET /users/me/keys": {"GET/users/{name}/keys", "GET/users/{name}/keys"},
		"GET /users/a%2Fb":   {"ANY/users/{name}", "ANY/users/{name}"},
		"GET /users/m%65":    {"GET/users/me", "GET/users/me"},
		"GET /users/":        {"", ""},
		"GET /users/x/":      {"ANY/users/{name}", ""}, // only REST ignores the slash at the end
		"GET /USERS/me":      {"", ""},
		"GET /nowhere":       {"", ""},
	} {
		method, path, _ := strings.Cut(request, " ")
		for kind, api := range map[string]gateway.API{w.rest: rest(routes...), w.http: httpAPI(routes...)} {
			want := kind
			fn := &invokes{payload: `{"statusCode":200}`}
			res := do(serve(t, fn, api, nil), httptest.NewRequest(method, path, nil))
			if got := strings.TrimPrefix(fn.got.Function, "fn:"); got != want {
				t.Errorf("%s %s: got route %q, want %q", api.Kind, request, got, want)
			}
			if want == "" && res.Code != map[string]int{gateway.REST: 403, gateway.HTTP: 404}[api.Kind] {
				t.Errorf("%s %s: got %d %s", api.Kind, request, res.Code, res.Body)
			}
		}
	}
}

func TestDefaultRoute(t *testing.T) {
	fn := &invokes{payload: `{"statusCode":200}`}
	h := serve(t, fn, httpAPI(route("ANY", "$default"), route("GET", "/a")), nil)
	for request, want := range map[string]string{"GET /a": "fn:GET/a", "POST /a": "fn:ANY$default", "GET /": "fn:ANY$default", "OPTIONS /x/y": "fn:ANY$default"} {
		method, path, _ := strings.Cut(request, " ")
		do(h, httptest.NewRequest(method, path, nil))
		if fn.got.Function != want {
			t.Errorf("%s: got %s, want %s", request, fn.got.Function, want)
		}
	}
}

func TestPathParameters(t *testing.T) {
	fn := &invokes{payload: `{"statusCode":200}`}
	h := serve(t, fn, rest(route("GET", "/user/{id}/{proxy+}")), nil)
	do(h, httptest.NewRequest("GET", "/user/a%2Fb%20c/x/y%3F/z", nil))
	var e struct{ PathParameters map[string]string }
	if err := json.Unmarshal(fn.got.Payload, &e); err != nil {
		t.Fatal(err)
	}
	if e.PathParameters["id"] != "a/b c" || e.PathParameters["proxy"] != "x/y?/z" || len(e.PathParameters) != 2 {
		t.Errorf("got %v", e.PathParameters)
	}
}

func TestLimits(t *testing.T) {
	for _, api := range []gateway.API{rest(route("POST", "/")), httpAPI(route("POST", "/"))} {
		fn := &invokes{payload: `{"statusCode":200}`}
		h := serve(t, fn, api, nil)
		declared := httptest.NewRequest("POST", "/", failing{t})
		declared.ContentLength = gateway.MaxBody + 1
		chunked := httptest.NewRequest("POST", "/", io.LimitReader(zeros{}, gateway.MaxBody+1))
		chunked.ContentLength = -1
		event := httptest.NewRequest("POST", "/", io.LimitReader(zeros{}, function.MaxSyncPayload))
		event.Header.Set("Content-Type", "text/plain")
		for name, c := range map[string]struct {
			r     *http.Request
			limit string
		}{"declared": {declared, "10485760"}, "chunked": {chunked, "10485760"}, "event": {event, "6291456"}} {
			res := do(h, c.r)
			if res.Code != 413 || !strings.Contains(res.Body.String(), c.limit+" bytes") {
				t.Errorf("%s %s: got %d %s", api.Kind, name, res.Code, res.Body)
			}
		}
		if fn.calls != 0 {
			t.Errorf("%s: the function was called %d times", api.Kind, fn.calls)
		}
	}
}

// failing is a body that must not be read.
type failing struct{ t *testing.T }

func (f failing) Read([]byte) (int, error) {
	f.t.Error("the body was read")
	return 0, errors.New("read")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func BenchmarkRequest(b *testing.B) {
	var routes []gateway.Route
	for noun := range strings.FieldsSeq("users drops boards teams notes links files keys hooks jobs") {
		routes = append(routes, route("GET", "/"+noun), route("POST", "/"+noun), route("GET", "/"+noun+"/{id}"), route("DELETE", "/"+noun+"/{id}"), route("ANY", "/"+noun+"/{id}/{proxy+}"))
	}
	for _, api := range []gateway.API{rest(routes...), httpAPI(routes...)} {
		b.Run(api.Kind, func(b *testing.B) {
			h := serve(b, &invokes{payload: `{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"hi"}`}, api, nil)
			r := httptest.NewRequest("GET", "/jobs/42/a/b?x=1&y=2", nil)
			r.Header.Set("User-Agent", "bench")
			b.ReportAllocs()
			for b.Loop() {
				do(h, r)
			}
		})
	}
}
