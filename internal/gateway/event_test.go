package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/gateway"
)

func richRequest() *http.Request {
	r := httptest.NewRequest("POST", "/user/a%20b/x/y?name=me%26you&q=a&q=b+c&flag&bad=%zz", strings.NewReader("<ünïcode>"))
	r.Host = "drops-dev.localhost:8080"
	r.RemoteAddr = "203.0.113.7:4711"
	r.Header = http.Header{
		"Accept": {"text/html"}, "Content-Length": {"10"}, "Content-Type": {"text/plain"},
		"Cookie": {"a=1; c=3", "b=2"}, "User-Agent": {"curl/8"}, "X-Forwarded-For": {"203.0.113.7"},
		"X-Amzn-Trace-Id": {"Root=1-5e66d96f-7491f09xmpl79d18acf3d050"},
	}
	return r
}

// event returns the event that a request becomes.
func event(t testing.TB, api gateway.API, r *http.Request) []byte {
	t.Helper()
	fn := &invokes{payload: `{"statusCode":200}`}
	if res := do(serve(t, fn, api, nil), r); res.Code != 200 {
		t.Fatalf("got %d %s", res.Code, res.Body)
	}
	return fn.got.Payload
}

// golden compares an event with a file after checking and blanking what differs
// from request to request.
func golden(t *testing.T, file string, payload []byte) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g, w map[string]any
	if err := json.Unmarshal(payload, &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	c := g["requestContext"].(map[string]any)
	for key, rule := range map[string]struct{ pattern, blank string }{
		"requestTime":       {`^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$`, "TIME"},
		"time":              {`^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$`, "TIME"},
		"extendedRequestId": {`^[\w-]{15}=$`, "EXTENDED"},
		"requestId":         {`^([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|[\w-]{15}=)$`, "ID"},
		"resourceId":        {`^[0-9a-z]{6}$`, "RESOURCE"},
		"apiId":             {`^([0-9a-z]{10}|[0-9a-z]{32})$`, "API"},
	} {
		if v, ok := c[key]; ok {
			if text, _ := v.(string); !regexp.MustCompile(rule.pattern).MatchString(text) {
				t.Errorf("%s: got %v, want %s", key, v, rule.pattern)
			}
			c[key] = rule.blank
		}
	}
	for _, key := range []string{"requestTimeEpoch", "timeEpoch"} {
		if v, ok := c[key].(float64); ok {
			if age := time.Since(time.UnixMilli(int64(v))); age < 0 || age > time.Hour {
				t.Errorf("%s: got %v", key, v)
			}
			c[key] = 0.0
		}
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestRESTEvent(t *testing.T) {
	payload := event(t, rest(route("POST", "/user/{id}/{proxy+}")), richRequest())
	golden(t, "testdata/rest.json", payload)
	var judge events.APIGatewayProxyRequest
	if err := json.Unmarshal(payload, &judge); err != nil {
		t.Fatal(err)
	}
	if judge.RequestContext.Identity.SourceIP != "203.0.113.7" || judge.QueryStringParameters["q"] != "b c" {
		t.Errorf("as aws-lambda-go reads it: %+v", judge)
	}
}

func TestHTTPEvent(t *testing.T) {
	payload := event(t, httpAPI(route("POST", "/user/{id}/{proxy+}")), richRequest())
	golden(t, "testdata/http.json", payload)
	var judge events.APIGatewayV2HTTPRequest
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&judge); err != nil {
		t.Fatal(err)
	}
	if judge.RequestContext.HTTP.SourceIP != "203.0.113.7" || judge.Cookies[2] != "b=2" {
		t.Errorf("as aws-lambda-go reads it: %+v", judge)
	}
}

func TestBareRequest(t *testing.T) {
	var rested, http map[string]any
	r := httptest.NewRequest("GET", "/", nil)
	if err := json.Unmarshal(event(t, rest(route("GET", "/")), r), &rested); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"} {
		if v, ok := rested[key]; !ok || v != nil {
			t.Errorf("REST %s: got %v (there: %v), want null", key, v, ok)
		}
	}
	if err := json.Unmarshal(event(t, httpAPI(route("GET", "/")), r), &http); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"queryStringParameters", "cookies", "pathParameters", "stageVariables", "body"} {
		if v, ok := http[key]; ok {
			t.Errorf("HTTP %s: got %v, want it absent", key, v)
		}
	}
	trace := http["headers"].(map[string]any)["x-amzn-trace-id"].(string)
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`).MatchString(trace) {
		t.Errorf("trace header: got %q", trace)
	}
}

func TestRawPath(t *testing.T) {
	api := httpAPI(route("ANY", "$default"))
	for path, want := range map[string]string{"/a%2Fb": "/a/b", "/a%3Fb=c": "/a", "/a+b": "/a+b"} {
		var e events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(event(t, api, httptest.NewRequest("GET", path, nil)), &e); err != nil {
			t.Fatal(err)
		}
		if e.RawPath != want {
			t.Errorf("%s: got %q, want %q", path, e.RawPath, want)
		}
	}
	api.Stage = "prod"
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(event(t, api, httptest.NewRequest("GET", "/a", nil)), &e); err != nil {
		t.Fatal(err)
	}
	if e.RawPath != "/prod/a" || e.RequestContext.HTTP.Path != "/prod/a" {
		t.Errorf("named stage: got %q", e.RawPath)
	}
}

func TestBodies(t *testing.T) {
	binary := rest(route("POST", "/"))
	binary.BinaryTypes = []string{"image/*", "application/octet-stream"}
	all := rest(route("POST", "/"))
	all.BinaryTypes = []string{"*/*"}
	for name, c := range map[string]struct {
		api         gateway.API
		media, body string
		base64      bool
	}{
		"REST text":                {rest(route("POST", "/")), "text/plain", "x", false},
		"REST image, no types":     {rest(route("POST", "/")), "image/png", "x", false},
		"REST image":               {binary, "Image/PNG; x=y", "\xff\x00", true},
		"REST other type":          {binary, "application/json", "{}", false},
		"REST everything":          {all, "text/plain", "x", true},
		"REST everything, no type": {all, "", "x", true},
		"HTTP text":                {httpAPI(route("POST", "/")), "text/plain; charset=utf-8", "x", false},
		"HTTP json":                {httpAPI(route("POST", "/")), "application/json", "{}", false},
		"HTTP vendor json":         {httpAPI(route("POST", "/")), "application/vnd.dropstack.upload+json", "{}", false},
		"HTTP xml":                 {httpAPI(route("POST", "/")), "application/xml", "<a/>", false},
		"HTTP javascript":          {httpAPI(route("POST", "/")), "application/javascript", "1", false},
		"HTTP form":                {httpAPI(route("POST", "/")), "application/x-www-form-urlencoded", "a=b", true},
		"HTTP no type":             {httpAPI(route("POST", "/")), "", "x", true},
		"HTTP text, not UTF-8":     {httpAPI(route("POST", "/")), "text/plain", "\xff", true},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.media)
		var e struct {
			Body            string
			IsBase64Encoded bool
		}
		if err := json.Unmarshal(event(t, c.api, r), &e); err != nil {
			t.Fatal(err)
		}
		want := c.body
		if c.base64 {
			want = base64.StdEncoding.EncodeToString([]byte(c.body))
		}
		if e.IsBase64Encoded != c.base64 || e.Body != want {
			t.Errorf("%s: got %+v, want %q", name, e, want)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("/user/a%20b/x", "q=1&q=2&%zz", "a=1; b", "text/plain", []byte("body"))
	f.Add("//", "&&=;", ";", "image/png;;", []byte{0xff})
	f.Fuzz(func(t *testing.T, path, query, cookie, media string, body []byte) {
		r, err := http.NewRequest("POST", "http://x.localhost/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		u, err := r.URL.Parse("/" + path)
		if err != nil {
			return
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, query
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Content-Type", media)
		for _, api := range []gateway.API{rest(route("ANY", "/"), route("ANY", "/{a}/{b+}")), httpAPI(route("ANY", "$default"), route("ANY", "/{a}/{b+}"))} {
			api.BinaryTypes = []string{"*/*"}
			fn := &invokes{payload: `{"statusCode":200}`}
			do(serve(t, fn, api, nil), r.Clone(t.Context()))
			if fn.calls == 0 {
				continue
			}
			var e struct {
				Body            string
				IsBase64Encoded bool
			}
			if err := json.Unmarshal(fn.got.Payload, &e); err != nil {
				t.Fatalf("%s: %v", fn.got.Payload, err)
			}
			r.Body, _ = r.GetBody()
			got := []byte(e.Body)
			if e.IsBase64Encoded {
				if got, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, body) {
				t.Fatalf("body: got %q, want %q", got, body)
			}
		}
	})
}
