package main

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

func TestEventsBecomeRequests(t *testing.T) {
	var got *http.Request
	var body string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "b=2")
		w.Header().Set("X-One", "1")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "héllo")
	})
	ev := events.APIGatewayV2HTTPRequest{
		RawPath: "/Abc1234/a%20b.png", RawQueryString: "t=1&t=2", Cookies: []string{"x=1", "y=2"},
		Headers: map[string]string{"host": "127.0.0.1:8080", "x-dropstack-owner": "1"},
		Body:    "cGFzc3dvcmQ9eA==", IsBase64Encoded: true,
	}
	ev.RequestContext.HTTP.Method = "POST"
	ev.RequestContext.HTTP.SourceIP = "2001:db8::1"
	out, err := adapt(h)(t.Context(), ev)
	if err != nil {
		t.Fatal(err)
	}
	if got.URL.Path != "/Abc1234/a b.png" || got.URL.RawQuery != "t=1&t=2" || got.Host != "127.0.0.1:8080" || got.Method != "POST" || body != "password=x" {
		t.Errorf("request %s %s, host %s, body %q", got.Method, got.URL, got.Host, body)
	}
	if c, err := got.Cookie("y"); err != nil || c.Value != "2" || sourceIP(got) != "2001:db8::1" || got.Header.Get(ownerHeader) != "1" {
		t.Errorf("cookies %v, source %s, owner %q", got.Cookies(), sourceIP(got), got.Header.Get(ownerHeader))
	}
	want := events.APIGatewayV2HTTPResponse{StatusCode: 418, Headers: map[string]string{"X-One": "1"}, Cookies: []string{"a=1", "b=2"}, Body: "héllo"}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
}

func TestEventOddities(t *testing.T) {
	bytesOut := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe}) })
	var ev events.APIGatewayV2HTTPRequest
	ev.RawPath, ev.RequestContext.HTTP.Method, ev.RequestContext.DomainName = "/x y", "GET", "api.example"
	if out, _ := adapt(bytesOut)(t.Context(), ev); out.StatusCode != 200 || !out.IsBase64Encoded || out.Body != "//4=" {
		t.Errorf("bytes: %+v", out)
	}
	host := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+r.URL.Path) })
	if out, _ := adapt(host)(t.Context(), ev); out.Body != "api.example/x y" {
		t.Errorf("host and path: %q", out.Body)
	}
	ev.RequestContext.HTTP.Method = "HEAD"
	if out, _ := adapt(bytesOut)(t.Context(), ev); out.Body != "" || out.IsBase64Encoded {
		t.Errorf("HEAD: %+v", out)
	}
	ev.Body, ev.IsBase64Encoded = "%%%", true
	if out, err := adapt(bytesOut)(t.Context(), ev); err != nil || out.StatusCode != 400 {
		t.Errorf("bad base64: %+v, %v", out, err)
	}
}
