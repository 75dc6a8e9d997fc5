package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
)

func functionURL() gateway.API { return gateway.FunctionURL("drops-dev", "drops-dev-hello", "") }

func TestURLID(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range []string{"a", "b", "a:live"} {
		id := gateway.URLID("drops-dev", name)
		if !regexp.MustCompile(`^[0-9a-z]{32}$`).MatchString(id) || seen[id] || id != gateway.URLID("drops-dev", name) {
			t.Errorf("%s: got %q", name, id)
		}
		seen[id] = true
	}
	if got, want := gateway.URLHost("abc", "us-east-1"), "abc.lambda-url.us-east-1.on.localhost"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if api := gateway.FunctionURL("s", "f", "live"); api.Routes[0].Function != "f:live" || api.ID == gateway.FunctionURL("s", "f", "").ID {
		t.Errorf("with a qualifier: got %+v", api)
	}
}

func TestURLEvent(t *testing.T) {
	r := richRequest()
	r.Host = gateway.URLHost(functionURL().ID, "us-east-1") + ":8080"
	payload := event(t, functionURL(), r)
	golden(t, "testdata/url.json", payload)
	var judge events.LambdaFunctionURLRequest
	if err := json.Unmarshal(payload, &judge); err != nil {
		t.Fatal(err)
	}
	c := judge.RequestContext
	if c.APIID != functionURL().ID || c.DomainPrefix != c.APIID || c.HTTP.SourceIP != "203.0.113.7" || judge.Cookies[2] != "b=2" {
		t.Errorf("as aws-lambda-go reads it: %+v", judge)
	}
}

func TestURLPathsAreAsSent(t *testing.T) {
	for path, want := range map[string]string{"/": "/", "/a%2Fb": "/a%2Fb", "/a%3Fb=c?d=e": "/a%3Fb=c", "/a+b%20c": "/a+b%20c", "/%C3%BC": "/%C3%BC"} {
		var e events.LambdaFunctionURLRequest
		if err := json.Unmarshal(event(t, functionURL(), httptest.NewRequest("GET", path, nil)), &e); err != nil {
			t.Fatal(err)
		}
		if e.RawPath != want || e.RequestContext.HTTP.Path != want {
			t.Errorf("%s: got %q and %q, want %q", path, e.RawPath, e.RequestContext.HTTP.Path, want)
		}
	}
}

func TestURLResponses(t *testing.T) {
	bad := "Internal Server Error"
	for name, c := range map[string]struct {
		payload string
		status  int
		header  http.Header
		body    string
	}{
		"whole":        {`{"statusCode":201,"headers":{"content-type":"text/html","x-a":"1"},"cookies":["a=1","b=2; Path=/"],"body":"<p>"}`, 201, http.Header{"Content-Type": {"text/html"}, "X-A": {"1"}, "Set-Cookie": {"a=1", "b=2; Path=/"}}, "<p>"},
		"text status":  {`{"statusCode":"418","body":"teapot","isBase64Encoded":false}`, 418, http.Header{"Content-Type": {"application/json"}}, "teapot"},
		"no status":    {`{"ok":true}`, 200, http.Header{"Content-Type": {"application/json"}}, `{"ok":true}`},
		"a string":     {`"hello"`, 200, http.Header{"Content-Type": {"application/json"}}, `hello`},
		"base64":       {`{"statusCode":200,"body":"aGV5","isBase64Encoded":true}`, 200, nil, "hey"},
		"null maps":    {`{"statusCode":200,"headers":null,"multiValueHeaders":null,"cookies":null,"body":"x"}`, 200, nil, "x"},
		"cookie cases": {`{"statusCode":200,"headers":{"Set-cookie":"a=1","sEt-cookie":"b=2"}}`, 200, http.Header{"Set-Cookie": {"a=1", "b=2"}}, ""},
		"no content":   {`{"statusCode":204}`, 204, http.Header{"Content-Length": nil, "Content-Type": nil}, ""},
		"not JSON":     {`{`, 502, http.Header{"Content-Type": {"application/json"}}, bad},
		"nothing":      {``, 502, nil, bad},
		"bad status":   {`{"statusCode":99}`, 502, nil, bad},
		"a prelude": {
			`{"statusCode":203,"headers":{"content-type":"text/x"},"cookies":["a=1"]}` + nuls + "raw \x00 bytes", 203,
			http.Header{"Content-Type": {"text/x"}, "Set-Cookie": {"a=1"}, "Content-Length": {"11"}},
			"raw \x00 bytes",
		},
		"a bad prelude": {`{"statusCode":` + nuls + "x", 502, nil, bad},
	} {
		res := do(serve(t, &invokes{payload: c.payload}, functionURL(), nil), httptest.NewRequest("GET", "/", nil))
		if res.Code != c.status || res.Body.String() != c.body {
			t.Errorf("%s: got %d %q, want %d %q", name, res.Code, res.Body, c.status, c.body)
		}
		for h, values := range c.header {
			if diff := cmp.Diff(values, res.Header()[h]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, h, diff)
			}
		}
	}
}

func TestURLFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fn     invokes
		status int
		body   string
		kind   string // X-Amzn-Errortype
	}{
		"function error": {invokes{payload: `{"errorMessage":"secret"}`, failure: "Unhandled"}, 502, "Internal Server Error", ""},
		"throttled":      {invokes{err: fault.Errorf(fault.Throttled, "rate exceeded")}, 429, `{"message":"Rate Exceeded."}`, "TooManyRequestsException"},
		"shutting down":  {invokes{err: fault.Errorf(fault.Unavailable, "closing")}, 503, `{"message":"Service Unavailable"}`, ""},
		"internal":       {invokes{err: errors.New("secret")}, 500, `{"message":"Internal Server Error"}`, ""},
		"too large":      {invokes{err: fault.Errorf(fault.TooLarge, "over 6291456 bytes")}, 413, `{"message":"over 6291456 bytes"}`, ""},
	} {
		for _, stream := range []bool{false, true} {
			api := functionURL()
			api.Routes[0].Stream = stream
			var log bytes.Buffer
			res := do(serve(t, &c.fn, api, &log), httptest.NewRequest("GET", "/", nil))
			if res.Code != c.status || res.Body.String() != c.body || res.Header().Get("X-Amzn-Errortype") != c.kind || res.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s (stream %v): got %d %s %v, want %d %s", name, stream, res.Code, res.Body, res.Header(), c.status, c.body)
			}
			if id := res.Header().Get("X-Amzn-Requestid"); id == "" || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), id) {
				t.Errorf("%s (stream %v): id %q, want it once in the log:\n%s", name, stream, id, log.String())
			}
		}
	}
}

func TestUnknownURL(t *testing.T) {
	g := &gateway.Gateway{Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace("drops-dev", []gateway.API{rest(route("GET", "/"))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{strings.Repeat("0", 32), arn.APIID("drops-dev", gateway.REST)} {
		res := do(g.URL(id), httptest.NewRequest("GET", "/", nil))
		if res.Code != 403 || res.Body.String() != `{"Message":null}` || res.Header().Get("X-Amzn-Errortype") != "AccessDeniedException" {
			t.Errorf("%s: got %d %s", id, res.Code, res.Body)
		}
	}
}

func TestSeveralURLs(t *testing.T) {
	fn := &invokes{payload: `{}`}
	g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.DiscardHandler)}
	one, two := functionURL(), gateway.FunctionURL("drops-dev", "drops-dev-hello", "live")
	replace := func(apis ...gateway.API) {
		t.Helper()
		if err := g.Replace("drops-dev", apis, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	replace(one)
	if _, ok := g.Handler("drops-dev", ""); !ok {
		t.Error("a stack's only URL is not its main API")
	}
	replace(one, two)
	if _, ok := g.Handler("drops-dev", ""); ok {
		t.Error("one of two URLs is the stack's main API")
	}
	do(g.URL(two.ID), httptest.NewRequest("GET", "/", nil))
	if fn.got.Function != "drops-dev-hello:live" {
		t.Errorf("got %q", fn.got.Function)
	}
	replace(one, two, rest(route("GET", "/a")))
	main, _ := g.Handler("drops-dev", "")
	if byKind, _ := g.Handler("drops-dev", gateway.REST); main == nil || main != byKind {
		t.Error("the REST API is not the main one")
	}
	if h, ok := g.Stage(one.ID, "$default"); !ok || do(h, httptest.NewRequest("GET", "/", nil)).Code != 200 {
		t.Error("no way to the URL by path")
	}
	if got := len(g.List()); got != 3 {
		t.Errorf("got %d APIs, want 3", got)
	}
}

func TestURLCORS(t *testing.T) {
	api := functionURL()
	api.CORS = &gateway.CORS{Origins: []string{"https://a.example"}, Methods: []string{"GET"}, Headers: []string{"x-a"}, AllowCredentials: true, MaxAgeSeconds: 9}
	fn := &invokes{payload: `{"statusCode":200,"headers":{"access-control-allow-origin":"*"}}`}
	h := serve(t, fn, api, nil)
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://a.example")
	r.Header.Set("Access-Control-Request-Method", "GET")
	res := do(h, r)
	if res.Code != 200 || fn.calls != 0 || res.Header().Get("Access-Control-Allow-Methods") != "GET" || res.Header().Get("Access-Control-Allow-Origin") != "https://a.example" || res.Header().Get("Access-Control-Max-Age") != "9" {
		t.Errorf("preflight: got %d %v, %d calls", res.Code, res.Header(), fn.calls)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Origin", "https://a.example")
	if got := do(h, r).Header()["Access-Control-Allow-Origin"]; !cmp.Equal(got, []string{"*", "https://a.example"}) {
		t.Errorf("the function's header and the URL's: got %v", got)
	}
}

// TestIAM has the official signer ask.
func TestIAM(t *testing.T) {
	keys, err := iam.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	caller := "arn:aws:lambda:us-east-1:" + arn.Account + ":function:caller"
	mute := "arn:aws:lambda:us-east-1:" + arn.Account + ":function:mute"
	role := iam.DeclaredRole{Name: "caller", Inline: map[string]string{
		"call": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"lambda:InvokeFunctionUrl","Resource":"` + arn.Function("us-east-1", "drops-dev-hello") + `"}]}`,
	}}
	if err := keys.Replace("drops-dev", iam.Declaration{Roles: []iam.DeclaredRole{role}, Functions: map[string]string{caller: arn.Role("/", "caller"), mute: ""}}); err != nil {
		t.Fatal(err)
	}
	instance, err := keys.Instance(caller, "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.Instance(mute, "", "i-2")
	if err != nil {
		t.Fatal(err)
	}
	api := functionURL()
	api.Auth = gateway.AuthIAM
	fn := &invokes{payload: `{"statusCode":200}`}
	g := &gateway.Gateway{Invoker: fn, Log: slog.New(slog.DiscardHandler)}
	if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "AWS_IAM") {
		t.Errorf("without a verifier: got %v", err)
	}
	g.Verify = keys
	g.Permit = func(ctx context.Context, function string) error {
		return keys.AuthorizeWith(ctx, "lambda:InvokeFunctionUrl", arn.Function("us-east-1", function), map[string][]string{"lambda:FunctionUrlAuthType": {gateway.AuthIAM}})
	}
	if err := g.Replace(api.Stack, []gateway.API{api}, nil, nil); err != nil {
		t.Fatal(err)
	}
	ask := func(c iam.Credentials, service, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://"+gateway.URLHost(api.ID, "us-east-1")+"/a%20b?c=d", strings.NewReader(body))
		if c.AccessKeyID != "" {
			sum := sha256.Sum256([]byte("signed"))
			own := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
			if err := v4.NewSigner().SignHTTP(t.Context(), own, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		return do(g.URL(api.ID), r)
	}
	wrong := keys.Admin()
	wrong.SecretAccessKey += "x"
	for name, c := range map[string]struct {
		keys    iam.Credentials
		service string
		body    string
		words   string // of the refusal; "" is let in
		arn     string
	}{
		"the administrator": {keys.Admin(), "lambda", "signed", "", "arn:aws:iam::" + arn.Account + ":root"},
		"a function":        {instance, "lambda", "signed", "", "arn:aws:sts::" + arn.Account + ":assumed-role/caller/caller"},
		"without a policy":  {other, "lambda", "signed", `{"Message":"Forbidden"}`, ""},
		"nobody":            {iam.Credentials{}, "", "signed", `{"Message":"Forbidden"}`, ""},
		"a wrong secret":    {wrong, "lambda", "signed", "signature we calculated does not match", ""},
		"another body":      {keys.Admin(), "lambda", "other", "signature we calculated does not match", ""},
		"another service":   {keys.Admin(), "s3", "signed", "'lambda'", ""},
	} {
		fn.calls = 0
		res := ask(c.keys, c.service, c.body)
		if c.words != "" {
			if res.Code != 403 || !strings.Contains(res.Body.String(), c.words) || fn.calls != 0 || res.Header().Get("X-Amzn-Errortype") == "" {
				t.Errorf("%s: got %d %s, %d calls", name, res.Code, res.Body, fn.calls)
			}
			continue
		}
		var e events.LambdaFunctionURLRequest
		if err := json.Unmarshal(fn.got.Payload, &e); err != nil || res.Code != 200 {
			t.Fatalf("%s: got %d %s, %v", name, res.Code, res.Body, err)
		}
		who := e.RequestContext.Authorizer.IAM
		if who.UserARN != c.arn || who.AccessKey != c.keys.AccessKeyID || e.RequestContext.AccountID != arn.Account {
			t.Errorf("%s: got %+v of %s", name, who, e.RequestContext.AccountID)
		}
	}
}

func TestURLHasNoTimeoutOfItsOwn(t *testing.T) {
	// An HTTP API's would end this; the function's own ends a URL's.
	fn := &invokes{payload: `{"statusCode":200}`}
	do(serve(t, fn, functionURL(), nil), httptest.NewRequest("GET", "/", nil))
	if fn.deadline {
		t.Error("the invocation has a deadline")
	}
	do(serve(t, fn, httpAPI(route("GET", "/")), nil), httptest.NewRequest("GET", "/", nil))
	if !fn.deadline {
		t.Error("that of an HTTP API has none")
	}
}

func TestURLLimits(t *testing.T) {
	fn := &invokes{payload: `{}`}
	r := httptest.NewRequest("POST", "/", io.LimitReader(zeros{}, function.MaxSyncPayload))
	r.Header.Set("Content-Type", "text/plain")
	if res := do(serve(t, fn, functionURL(), nil), r); res.Code != 413 || fn.calls != 0 {
		t.Errorf("got %d %s, %d calls", res.Code, res.Body, fn.calls)
	}
}
