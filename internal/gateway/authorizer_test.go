package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

// lambdas answers as functions that are named; every invocation is written down.
type lambdas struct {
	answers map[string]func(payload []byte) (answer, functionError string)

	mu    sync.Mutex
	calls map[string][][]byte // payloads, by function
}

func (l *lambdas) Invoke(_ context.Context, inv function.Invocation) (function.Result, error) {
	l.mu.Lock()
	if l.calls == nil {
		l.calls = map[string][][]byte{}
	}
	l.calls[inv.Function] = append(l.calls[inv.Function], inv.Payload)
	l.mu.Unlock()
	answer, failed := `{"statusCode":200,"body":"let in"}`, ""
	if own := l.answers[inv.Function]; own != nil {
		answer, failed = own(inv.Payload)
	}
	return function.Result{RequestID: "inv-1", Payload: []byte(answer), FunctionError: failed}, nil
}

func (l *lambdas) called(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls[name])
}

func (l *lambdas) last(t testing.TB, name string, into any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.calls[name]
	if len(all) == 0 {
		t.Fatalf("%s was not called", name)
	}
	if err := json.Unmarshal(all[len(all)-1], into); err != nil {
		t.Fatal(err)
	}
}

// open serves one API with keys and plans.
func open(t testing.TB, g *gateway.Gateway, api gateway.API, keys []gateway.APIKey, plans []gateway.UsagePlan) http.Handler {
	t.Helper()
	if g.Log == nil {
		g.Log = slog.New(slog.DiscardHandler)
	}
	if g.Region == "" {
		g.Region = "us-east-1"
	}
	if err := g.Replace(api.Stack, []gateway.API{api}, keys, plans); err != nil {
		t.Fatal(err)
	}
	h, _ := g.Handler(api.Stack, api.Kind)
	return h
}

func policyAnswer(effect, resource, rest string) string {
	return fmt.Sprintf(`{"principalId":"user-1","policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"execute-api:Invoke","Effect":%q,"Resource":%q}]}%s}`, effect, resource, rest)
}

func guardedRoute(method, path, authorizer string) gateway.Route {
	r := route(method, path)
	r.Function, r.Authorizer = "backend", authorizer
	return r
}

func TestTokenAuthorizer(t *testing.T) {
	method := "arn:aws:execute-api:us-east-1:000000000000:" + rest().ID + "/dev/"
	for name, c := range map[string]struct {
		token, answer, failure string
		path                   string
		want                   int
		body                   string // "" is what the function says
		asked                  bool
	}{
		"allowed":                       {token: "good", answer: policyAnswer("Allow", method+"GET/pets/*", ""), want: 200, asked: true},
		"allowed anywhere":              {token: "good", answer: policyAnswer("Allow", "arn:aws:execute-api:*:*:*", ""), want: 200, asked: true},
		"allowed elsewhere":             {token: "good", answer: policyAnswer("Allow", method+"GET/users/*", ""), want: 403, body: `{"Message":"User is not authorized to access this resource"}`, asked: true},
		"denied":                        {token: "good", answer: policyAnswer("Deny", "*", ""), want: 403, body: `{"Message":"User is not authorized to access this resource with an explicit deny"}`, asked: true},
		"escaped where it is denied":    {token: "good", path: "/p%65ts/1", answer: policyAnswer("Deny", method+"GET/pets/*", ""), want: 403, body: `{"Message":"User is not authorized to access this resource with an explicit deny"}`, asked: true},
		"a slash at the end":            {token: "good", path: "/pets/1/", answer: policyAnswer("Allow", method+"GET/pets/1", ""), want: 200, asked: true},
		"a slash within a part":         {token: "good", path: "/pets/a%2Fb", answer: policyAnswer("Allow", method+"GET/pets/a/b", ""), want: 403, body: `{"Message":"User is not authorized to access this resource"}`, asked: true},
		"no token":                      {want: 401, body: `{"message":"Unauthorized"}`},
		"a token of another shape":      {token: "bad token", want: 401, body: `{"message":"Unauthorized"}`},
		"the function says so":          {token: "good", answer: `{"errorMessage":"Unauthorized"}`, failure: "Unhandled", want: 401, body: `{"message":"Unauthorized"}`, asked: true},
		"the function fails":            {token: "good", answer: `{"errorMessage":"boom"}`, failure: "Unhandled", want: 500, body: `{"message":null}`, asked: true},
		"the function answers nonsense": {token: "good", answer: `"yes"`, want: 500, body: `{"message":null}`, asked: true},
		"no principal":                  {token: "good", answer: `{"policyDocument":{"Version":"2012-10-17","Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}]}}`, want: 500, body: `{"message":null}`, asked: true},
		"a list in the context":         {token: "good", answer: policyAnswer("Allow", "*", `,"context":{"a":[1]}`), want: 500, body: `{"message":null}`, asked: true},
	} {
		fn := &lambdas{answers: map[string]func([]byte) (string, string){
			"auth": func([]byte) (string, string) { return c.answer, c.failure },
		}}
		api := rest(guardedRoute("GET", "/pets/{id}", "auth"))
		api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}, Pattern: `\w+`}}
		path := c.path
		if path == "" {
			path = "/pets/1"
		}
		r := httptest.NewRequest("GET", path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		res := do(open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil), r)
		if c.body == "" {
			c.body = "let in"
		}
		if res.Code != c.want || res.Body.String() != c.body {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.want, c.body)
		}
		if (fn.called("auth") > 0) != c.asked {
			t.Errorf("%s: the authorizer was called %d times", name, fn.called("auth"))
		}
		if (fn.called("backend") > 0) != (c.want == 200) {
			t.Errorf("%s: the function was called %d times", name, fn.called("backend"))
		}
		if !c.asked {
			continue
		}
		var asked events.APIGatewayCustomAuthorizerRequest
		fn.last(t, "auth", &asked)
		if asked.Type != "TOKEN" || asked.AuthorizationToken != c.token || !strings.HasPrefix(asked.MethodArn, method+"GET/pets/") {
			t.Errorf("%s: asked with %+v", name, asked)
		}
	}
}

func TestBodiesOfStrangersAreNotRead(t *testing.T) {
	fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) { return policyAnswer("Deny", "*", ""), "" }}}
	api := rest(guardedRoute("POST", "/a", "auth"))
	api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}}}
	h := open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil)
	for token, want := range map[string]int{"": 401, "stranger": 403} {
		r := httptest.NewRequest("POST", "/a", failing{t})
		r.Header.Set("Authorization", token)
		if res := do(h, r); res.Code != want {
			t.Errorf("token %q: got %d %s, want %d", token, res.Code, res.Body, want)
		}
	}
}

func TestAuthorizerContext(t *testing.T) {
	answer := policyAnswer("Allow", "*", `,"context":{"name":"Ada","age":36,"admin":true}`)
	authorizer := gateway.Authorizer{Name: "auth", Kind: gateway.AuthorizerRequest, Function: "auth", Identity: []string{"method.request.querystring.who", "stageVariables.tenant", "context.httpMethod"}}
	fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) { return answer, "" }}}
	api := rest(guardedRoute("GET", "/a/{id}", "auth"))
	api.Authorizers, api.Variables = []gateway.Authorizer{authorizer}, map[string]string{"tenant": "acme"}
	h := open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil)
	if res := do(h, httptest.NewRequest("GET", "/a/7", nil)); res.Code != 401 || fn.called("auth") > 0 {
		t.Errorf("without an identity source: got %d %s, %d calls", res.Code, res.Body, fn.called("auth"))
	}
	if res := do(h, httptest.NewRequest("GET", "/a/7?who=ada", nil)); res.Code != 200 {
		t.Fatalf("got %d %s", res.Code, res.Body)
	}
	var asked events.APIGatewayCustomAuthorizerRequestTypeRequest
	fn.last(t, "auth", &asked)
	if asked.Type != "REQUEST" || asked.PathParameters["id"] != "7" || asked.QueryStringParameters["who"] != "ada" || asked.StageVariables["tenant"] != "acme" || asked.RequestContext.Stage != "dev" {
		t.Errorf("asked with %+v", asked)
	}
	var got events.APIGatewayProxyRequest
	fn.last(t, "backend", &got)
	delete(got.RequestContext.Authorizer, "integrationLatency")
	want := map[string]any{"principalId": "user-1", "name": "Ada", "age": "36", "admin": "true"}
	if diff := cmp.Diff(want, got.RequestContext.Authorizer); diff != "" {
		t.Errorf("requestContext.authorizer (-want +got):\n%s", diff)
	}
	if got.StageVariables["tenant"] != "acme" {
		t.Errorf("stage variables: got %v", got.StageVariables)
	}
}

func TestHTTPAuthorizers(t *testing.T) {
	allow := `{"isAuthorized":true,"context":{"roles":["a","b"],"age":36}}`
	for name, c := range map[string]struct {
		authorizer gateway.Authorizer
		payload    string // of the route
		answer     string
		want       int
		body       string
		authorized string // requestContext.authorizer, JSON
	}{
		"a simple yes":              {gateway.Authorizer{Simple: true, Payload: "2.0"}, "", allow, 200, "let in", `{"lambda":{"roles":["a","b"],"age":36}}`},
		"a simple no":               {gateway.Authorizer{Simple: true, Payload: "2.0"}, "", `{"isAuthorized":false}`, 403, `{"message":"Forbidden"}`, ""},
		"simple, but a policy":      {gateway.Authorizer{Simple: true, Payload: "2.0"}, "", policyAnswer("Allow", "*", ""), 500, `{"message":"Internal Server Error"}`, ""},
		"a policy in 2.0":           {gateway.Authorizer{Payload: "2.0"}, "", policyAnswer("Allow", "*", `,"context":{"a":"b"}`), 200, "let in", `{"lambda":{"a":"b"}}`},
		"a policy in 1.0":           {gateway.Authorizer{Payload: "1.0"}, "1.0", policyAnswer("Allow", "*", `,"context":{"a":1}`), 200, "let in", `{"principalId":"user-1","integrationLatency":0,"a":"1"}`},
		"a policy for another path": {gateway.Authorizer{Payload: "1.0"}, "", policyAnswer("Allow", "arn:aws:execute-api:us-east-1:000000000000:"+httpAPI().ID+"/$default/POST/a", ""), 403, `{"message":"Forbidden"}`, ""},
		"a policy for this path":    {gateway.Authorizer{Payload: "1.0"}, "2.0", policyAnswer("Allow", "arn:aws:execute-api:us-east-1:000000000000:"+httpAPI().ID+"/$default/GET/a", ""), 200, "let in", `{"lambda":{}}`},
	} {
		fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) { return c.answer, "" }}}
		a := c.authorizer
		a.Name, a.Kind, a.Function, a.Identity = "auth", gateway.AuthorizerRequest, "auth", []string{"$request.header.X-One", "$request.querystring.two"}
		r := guardedRoute("GET", "/a", "auth")
		r.Payload = c.payload
		api := httpAPI(r)
		api.Authorizers = []gateway.Authorizer{a}
		h := open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil)
		req := httptest.NewRequest("GET", "/a?two=2", nil)
		if res := do(h, req); res.Code != 401 || fn.called("auth") > 0 {
			t.Errorf("%s: without a header: got %d %s", name, res.Code, res.Body)
		}
		req.Header.Set("X-One", "1")
		res := do(h, req)
		if res.Code != c.want || res.Body.String() != c.body {
			t.Errorf("%s: got %d %s, want %d %s", name, res.Code, res.Body, c.want, c.body)
		}
		if a.Payload == "1.0" {
			var asked events.APIGatewayV2CustomAuthorizerV1Request
			fn.last(t, "auth", &asked)
			if asked.Version != "1.0" || asked.IdentitySource != "1,2" || asked.Path != "/a" || asked.HTTPMethod != "GET" {
				t.Errorf("%s: asked with %+v", name, asked)
			}
		} else {
			var asked events.APIGatewayV2CustomAuthorizerV2Request
			fn.last(t, "auth", &asked)
			if asked.Version != "2.0" || !cmp.Equal(asked.IdentitySource, []string{"1", "2"}) || asked.RouteKey != "GET /a" || !strings.HasSuffix(asked.RouteArn, "/$default/GET/a") {
				t.Errorf("%s: asked with %+v", name, asked)
			}
		}
		if c.want != 200 {
			continue
		}
		var got struct{ RequestContext struct{ Authorizer any } }
		fn.last(t, "backend", &got)
		var want any
		if err := json.Unmarshal([]byte(c.authorized), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.RequestContext.Authorizer); diff != "" {
			t.Errorf("%s: requestContext.authorizer (-want +got):\n%s", name, diff)
		}
	}
}

func TestAuthorizerAnswersAreKeptByIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := policyAnswer("Allow", "arn:aws:execute-api:us-east-1:000000000000:"+rest().ID+"/dev/GET/a", "")
		fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) {
			time.Sleep(100 * time.Millisecond) // of the bubble
			return answer, ""
		}}}
		api := rest(guardedRoute("GET", "/a", "auth"), guardedRoute("GET", "/b", "auth"))
		api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", TTL: 60, Identity: []string{"method.request.header.Authorization"}}}
		h := open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil)
		ask := func(path, token string) int {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Authorization", token)
			return do(h, r).Code
		}
		var together sync.WaitGroup
		for range 8 {
			together.Go(func() {
				if got := ask("/a", "ada"); got != 200 {
					t.Errorf("got %d", got)
				}
			})
		}
		together.Wait()
		for _, step := range []struct {
			what, path, token string
			after             time.Duration
			want, calls       int
		}{
			{"together", "/a", "ada", 0, 200, 1},
			{"another path, the same policy", "/b", "ada", 0, 403, 1},
			{"another identity", "/a", "bob", 0, 200, 2},
			{"just before the end", "/a", "ada", 59 * time.Second, 200, 2},
			{"after the end", "/a", "ada", 2 * time.Second, 200, 3},
		} {
			time.Sleep(step.after)
			if got := ask(step.path, step.token); got != step.want || fn.called("auth") != step.calls {
				t.Errorf("%s: got %d after %d calls, want %d after %d", step.what, got, fn.called("auth"), step.want, step.calls)
			}
		}
	})
}

func TestAuthorizerWithoutTTLIsAlwaysAsked(t *testing.T) {
	fn := &lambdas{answers: map[string]func([]byte) (string, string){"auth": func([]byte) (string, string) { return policyAnswer("Allow", "*", ""), "" }}}
	api := rest(guardedRoute("GET", "/a", "auth"))
	api.Authorizers = []gateway.Authorizer{{Name: "auth", Kind: gateway.AuthorizerToken, Function: "auth", Identity: []string{"method.request.header.Authorization"}}}
	h := open(t, &gateway.Gateway{Invoker: fn}, api, nil, nil)
	for range 3 {
		r := httptest.NewRequest("GET", "/a", nil)
		r.Header.Set("Authorization", "ada")
		do(h, r)
	}
	if got := fn.called("auth"); got != 3 {
		t.Errorf("called %d times, want 3", got)
	}
}
