package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/gateway"
)

func TestResponses(t *testing.T) {
	type want struct {
		status int
		header http.Header // checked by name
		body   string
	}
	malformedREST := &want{502, http.Header{"Content-Type": {"application/json"}}, `{"message":"Internal server error"}`}
	malformedHTTP := &want{500, http.Header{"Content-Type": {"application/json"}}, `{"message":"Internal Server Error"}`}
	for name, c := range map[string]struct {
		payload    string
		rest, http *want
	}{
		"plain": {
			`{"statusCode":201,"headers":{"content-type":"text/html"},"body":"<p>"}`,
			&want{201, http.Header{"Content-Type": {"text/html"}, "Content-Length": {"3"}}, "<p>"},
			&want{201, http.Header{"Content-Type": {"text/html"}}, "<p>"},
		},
		"null maps": {
			`{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":"x"}`,
			&want{200, http.Header{"Content-Type": {"application/json"}}, "x"},
			&want{200, http.Header{"Content-Type": {"text/plain;charset=UTF-8"}}, "x"},
		},
		"multi wins": {
			`{"statusCode":200,"headers":{"x-a":"1","x-b":"2"},"multiValueHeaders":{"X-A":["3","4"]}}`,
			&want{200, http.Header{"X-A": {"3", "4"}, "X-B": {"2"}}, ""},
			&want{200, http.Header{"X-A": {"3", "4"}, "X-B": {"2"}}, ""},
		},
		"multi alone": {
			`{"statusCode":200,"multiValueHeaders":{"content-type":["text/css"],"set-cookie":["a=1","b=2"]},"body":"a{}"}`,
			&want{200, http.Header{"Content-Type": {"text/css"}, "Set-Cookie": {"a=1", "b=2"}}, "a{}"},
			&want{200, http.Header{"Content-Type": {"text/css"}, "Set-Cookie": {"a=1", "b=2"}}, "a{}"},
		},
		"cookies by case": {
			`{"statusCode":200,"headers":{"Set-cookie":"a=1","sEt-cookie":"b=2","SEt-cookie":"c=3"}}`,
			&want{200, http.Header{"Set-Cookie": {"a=1", "b=2", "c=3"}}, ""},
			&want{200, http.Header{"Set-Cookie": {"a=1", "b=2", "c=3"}}, ""},
		},
		"types by case": {
			`{"statusCode":200,"headers":{"content-type":"a/a","Content-Type":"b/b"}}`,
			&want{200, http.Header{"Content-Type": {"b/b"}}, ""},
			&want{200, http.Header{"Content-Type": {"b/b"}}, ""},
		},
		"hop by hop": {
			`{"statusCode":200,"headers":{"connection":"close","keep-alive":"timeout=5","transfer-encoding":"chunked","content-length":"99","x-a":"1"},"body":"hey"}`,
			&want{200, http.Header{"Connection": nil, "Keep-Alive": nil, "Transfer-Encoding": nil, "Content-Length": {"3"}, "X-A": {"1"}}, "hey"},
			&want{200, http.Header{"Connection": nil, "Keep-Alive": nil, "Transfer-Encoding": nil, "Content-Length": {"3"}, "X-A": {"1"}}, "hey"},
		},
		"cookies": {
			`{"statusCode":200,"cookies":["a=1; Path=/","b=2"]}`,
			&want{200, http.Header{"Set-Cookie": nil}, ""},
			&want{200, http.Header{"Set-Cookie": {"a=1; Path=/", "b=2"}}, ""},
		},
		"numbers and booleans": {
			`{"statusCode":"200","headers":{"x-n":5,"x-b":true}}`,
			&want{200, http.Header{"X-N": {"5"}, "X-B": {"true"}}, ""},
			&want{200, http.Header{"X-N": {"5"}, "X-B": {"true"}}, ""},
		},
		"base64": {
			`{"statusCode":200,"body":"aGV5","isBase64Encoded":true}`,
			&want{200, nil, "aGV5"}, // no binary types: as it came
			&want{200, nil, "hey"},
		},
		"no content":       {`{"statusCode":204,"body":"x"}`, &want{204, http.Header{"Content-Length": nil}, ""}, &want{204, nil, ""}},
		"bad base64":       {`{"statusCode":200,"body":"%","isBase64Encoded":true}`, nil, malformedHTTP},
		"any object":       {`{"ok":true}`, malformedREST, &want{200, http.Header{"Content-Type": {"application/json"}}, `{"ok":true}`}},
		"a string":         {`"hello"`, malformedREST, &want{200, http.Header{"Content-Type": {"application/json"}}, `hello`}},
		"null":             {`null`, malformedREST, &want{200, nil, `null`}},
		"not JSON":         {`{"statusCode":`, malformedREST, malformedHTTP},
		"nothing":          {``, malformedREST, malformedHTTP},
		"status of text":   {`{"statusCode":"ok"}`, malformedREST, malformedHTTP},
		"status too small": {`{"statusCode":99}`, malformedREST, malformedHTTP},
		"status too large": {`{"statusCode":1000}`, malformedREST, malformedHTTP},
		"body of object":   {`{"statusCode":200,"body":{"a":1}}`, malformedREST, malformedHTTP},
		"header of object": {`{"statusCode":200,"headers":{"a":{}}}`, malformedREST, malformedHTTP},
		"headers of text":  {`{"statusCode":200,"headers":"a: b"}`, malformedREST, malformedHTTP},
	} {
		for kind, w := range map[string]*want{gateway.REST: c.rest, gateway.HTTP: c.http} {
			if w == nil {
				continue
			}
			api := rest(route("GET", "/"))
			if kind == gateway.HTTP {
				api = httpAPI(route("GET", "/"))
			}
			res := do(serve(t, &invokes{payload: c.payload}, api, nil), httptest.NewRequest("GET", "/", nil))
			if res.Code != w.status || res.Body.String() != w.body {
				t.Errorf("%s %s: got %d %q, want %d %q", kind, name, res.Code, res.Body, w.status, w.body)
			}
			for h, values := range w.header {
				if diff := cmp.Diff(values, res.Header()[h]); diff != "" {
					t.Errorf("%s %s: %s (-want +got):\n%s", kind, name, h, diff)
				}
			}
		}
	}
}

func TestOfficialTypesAsAnswers(t *testing.T) {
	one, err := json.Marshal(events.APIGatewayProxyResponse{StatusCode: 200, MultiValueHeaders: map[string][]string{"Set-Cookie": {"a=1", "b=2"}}, Body: "x"})
	if err != nil {
		t.Fatal(err)
	}
	two, err := json.Marshal(events.APIGatewayV2HTTPResponse{StatusCode: 200, Cookies: []string{"a=1", "b=2"}, Body: "eA==", IsBase64Encoded: true})
	if err != nil {
		t.Fatal(err)
	}
	for payload, api := range map[string]gateway.API{string(one): rest(route("GET", "/")), string(two): httpAPI(route("GET", "/"))} {
		res := do(serve(t, &invokes{payload: payload}, api, nil), httptest.NewRequest("GET", "/", nil))
		if res.Code != 200 || res.Body.String() != "x" || len(res.Header()["Set-Cookie"]) != 2 {
			t.Errorf("%s: got %d %q %v", api.Kind, res.Code, res.Body, res.Header())
		}
	}
}

func TestBinaryAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		types  []string
		accept string
		want   string
	}{
		"first entry matches":  {[]string{"image/png"}, "image/png,*/*", "hey"},
		"first entry does not": {[]string{"image/png"}, "text/html,image/png", "aGV5"},
		"anything":             {[]string{"*/*"}, "text/html", "hey"},
		"anything, no Accept":  {[]string{"*/*"}, "", "hey"},
		"no Accept":            {[]string{"image/png"}, "", "aGV5"},
	} {
		api := rest(route("GET", "/"))
		api.BinaryTypes = c.types
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept", c.accept)
		res := do(serve(t, &invokes{payload: `{"statusCode":200,"body":"aGV5","isBase64Encoded":true}`}, api, nil), r)
		if res.Body.String() != c.want {
			t.Errorf("%s: got %q, want %q", name, res.Body, c.want)
		}
	}
}

func TestHead(t *testing.T) {
	for payload, want := range map[string]string{
		`{"statusCode":200,"headers":{"content-length":"1234"}}`:             "1234",
		`{"statusCode":200,"headers":{"content-length":"1234"},"body":"hi"}`: "2",
	} {
		res := do(serve(t, &invokes{payload: payload}, rest(route("ANY", "/")), nil), httptest.NewRequest("HEAD", "/", nil))
		if got := res.Header().Get("Content-Length"); got != want || res.Body.Len() != 0 {
			t.Errorf("%s: got length %s and %d bytes, want %s and none", payload, got, res.Body.Len(), want)
		}
	}
}

func TestFailures(t *testing.T) {
	type want struct {
		rest, http int
		message    string // in lower case
	}
	for name, c := range map[string]struct {
		fn   invokes
		want want
	}{
		"function error": {invokes{payload: `{"errorMessage":"secret"}`, failure: "Unhandled"}, want{502, 500, "internal server error"}},
		"throttled":      {invokes{err: fault.Errorf(fault.Throttled, "rate exceeded")}, want{500, 503, ""}},
		"shutting down":  {invokes{err: fault.Errorf(fault.Unavailable, "closing")}, want{500, 503, ""}},
		"no function":    {invokes{err: fault.Errorf(fault.NotFound, "gone")}, want{500, 500, "internal server error"}},
		"internal":       {invokes{err: errors.New("secret")}, want{500, 500, "internal server error"}},
		"too large":      {invokes{err: fault.Errorf(fault.TooLarge, "over 6291456 bytes")}, want{413, 413, "over 6291456 bytes"}},
	} {
		for api, status := range map[*gateway.API]int{new(rest(route("GET", "/"))): c.want.rest, new(httpAPI(route("GET", "/"))): c.want.http} {
			var log bytes.Buffer
			res := do(serve(t, &c.fn, *api, &log), httptest.NewRequest("GET", "/", nil))
			if res.Code != status || !strings.Contains(strings.ToLower(res.Body.String()), c.want.message) || strings.Contains(res.Body.String(), "secret") {
				t.Errorf("%s %s: got %d %s, want %d", api.Kind, name, res.Code, res.Body, status)
			}
			id := res.Header().Get(map[string]string{gateway.REST: "X-Amzn-Requestid", gateway.HTTP: "Apigw-Requestid"}[api.Kind])
			if id == "" || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), id) {
				t.Errorf("%s %s: id %q, want it once in the log:\n%s", api.Kind, name, id, log.String())
			}
		}
	}
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		api     gateway.API
		after   time.Duration
		status  int
		message string
	}{
		{rest(route("GET", "/")), 29 * time.Second, 504, `{"message":"Endpoint request timed out"}`},
		{httpAPI(route("GET", "/")), 30 * time.Second, 503, `{"message":"Service Unavailable"}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			res := do(serve(t, &invokes{wait: true}, c.api, nil), httptest.NewRequest("GET", "/", nil))
			if got := time.Since(start); got != c.after || res.Code != c.status || res.Body.String() != c.message {
				t.Errorf("%s: got %d %s after %v", c.api.Kind, res.Code, res.Body, got)
			}
		})
	}
}

func TestRESTPreflight(t *testing.T) {
	cors := gateway.CORS{Origins: []string{"https://a.example", "https://*.b.example"}, AllowCredentials: true, MaxAgeSeconds: 60}
	one := route("GET", "/one")
	one.CORS = &gateway.CORS{}
	two, three := route("GET", "/two/{id}"), route("POST", "/two/{id}")
	two.CORS, three.CORS = &cors, &cors
	own, any := route("OPTIONS", "/own"), route("ANY", "/any")
	own.CORS, any.CORS = &gateway.CORS{}, &gateway.CORS{}
	fn := &invokes{payload: `{"statusCode":200,"body":"own"}`}
	h := serve(t, fn, rest(one, two, three, own, any, route("GET", "/none")), nil)
	ask := func(path, origin string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("OPTIONS", path, nil)
		r.Header.Set("Origin", origin)
		return do(h, r)
	}
	res := ask("/one", "https://x.example")
	want := http.Header{
		"Access-Control-Allow-Origin":  {"*"},
		"Access-Control-Allow-Methods": {"OPTIONS,GET"},
		"Access-Control-Allow-Headers": {"Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,X-Amz-User-Agent,X-Amzn-Trace-Id"},
		"Content-Type":                 {"application/json"},
	}
	got := res.Header().Clone()
	got.Del("X-Amzn-Requestid")
	got.Del("X-Amz-Apigw-Id")
	if diff := cmp.Diff(want, got); diff != "" || res.Code != 200 {
		t.Errorf("defaults: %d (-want +got):\n%s", res.Code, diff)
	}
	for origin, want := range map[string]string{"https://a.example": "https://a.example", "https://x.b.example": "https://x.b.example", "https://evil.example": ""} {
		h := ask("/two/5", origin).Header()
		if h.Get("Access-Control-Allow-Origin") != want || h.Get("Access-Control-Allow-Methods") != "OPTIONS,GET,POST" || h.Get("Access-Control-Max-Age") != "60" || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: got %v", origin, h)
		}
	}
	if got := ask("/any", "x").Header().Get("Access-Control-Allow-Methods"); got != "OPTIONS,DELETE,GET,HEAD,PATCH,POST,PUT" {
		t.Errorf("ANY: got %q", got)
	}
	if fn.calls != 0 {
		t.Errorf("preflights called the function %d times", fn.calls)
	}
	if res := ask("/own", "x"); res.Body.String() != "own" {
		t.Errorf("own OPTIONS: got %s", res.Body)
	}
	if res := ask("/none", "x"); res.Code != 403 {
		t.Errorf("without cors: got %d", res.Code)
	}
}

func TestHTTPCORS(t *testing.T) {
	api := httpAPI(route("GET", "/a"), route("ANY", "$default"))
	api.CORS = &gateway.CORS{Origins: []string{"https://a.example"}, ExposeHeaders: []string{"x-a"}, AllowCredentials: true, MaxAgeSeconds: 9}
	fn := &invokes{payload: `{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*","x-a":"1"}}`}
	h := serve(t, fn, api, nil)
	ask := func(method, origin, wants string) http.Header {
		r := httptest.NewRequest(method, "/a", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if wants != "" {
			r.Header.Set("Access-Control-Request-Method", wants)
		}
		res := do(h, r)
		res.Header().Set("Status", http.StatusText(res.Code))
		return res.Header()
	}
	if h := ask("OPTIONS", "https://a.example", "GET"); h.Get("Status") != "No Content" || h.Get("Access-Control-Allow-Origin") != "https://a.example" ||
		h.Get("Access-Control-Allow-Methods") != "OPTIONS,GET,DELETE,HEAD,PATCH,POST,PUT" || h.Get("Access-Control-Max-Age") != "9" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight: got %v", h)
	}
	if h := ask("OPTIONS", "https://evil.example", "GET"); h.Get("Status") != "No Content" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of a stranger: got %v", h)
	}
	if fn.calls != 0 {
		t.Errorf("preflights called the function %d times", fn.calls)
	}
	if h := ask("GET", "https://a.example", ""); h.Get("Access-Control-Allow-Origin") != "https://a.example" || h.Get("Access-Control-Expose-Headers") != "x-a" || h.Get("Vary") != "Origin" {
		t.Errorf("request: got %v", h)
	}
	if h := ask("GET", "", ""); h.Get("Access-Control-Allow-Origin") != "" || h.Get("X-A") != "1" {
		t.Errorf("the function's CORS headers passed: %v", h)
	}
	if ask("OPTIONS", "", ""); fn.calls != 3 {
		t.Errorf("an ordinary OPTIONS request did not reach the function: %d calls", fn.calls)
	}
}

func FuzzResponse(f *testing.F) {
	f.Add(`{"statusCode":200,"headers":{"a":"b"},"body":"x","isBase64Encoded":true}`)
	f.Add(`{"statusCode":"204","multiValueHeaders":{"content-length":["-1"]},"cookies":[""]}`)
	f.Fuzz(func(t *testing.T, payload string) {
		for _, api := range []gateway.API{rest(route("ANY", "/")), httpAPI(route("ANY", "/"))} {
			res := do(serve(t, &invokes{payload: payload}, api, nil), httptest.NewRequest("GET", "/", nil))
			if res.Code < 200 || res.Code > 599 {
				t.Errorf("got status %d", res.Code)
			}
		}
	})
}
