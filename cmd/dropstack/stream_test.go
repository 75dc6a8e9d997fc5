package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestStreamedResponses: what a function has written arrives while it still runs,
// through its URL and through a route of a REST API. The function waits at a gate
// that opens once its first words have been read.
func TestStreamedResponses(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--isolation", "process") // the gate is on this machine's loopback
	if out, errs, code := p.Run(t, "", "deploy", filepath.Join(testkit.Root(t), "cmd/dropstack/testdata/stream")); code != 0 {
		t.Fatalf("deploy: exit %d\n%s%s", code, out, errs)
	}
	read := make(chan struct{})
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-read:
		case <-r.Context().Done():
		}
		io.WriteString(w, "second")
	}))
	defer gate.Close()

	out, _, _ := p.Run(t, "", "info", "stream-dev", "--json")
	var info api.Info
	if err := json.Unmarshal([]byte(out), &info); err != nil {
		t.Fatal(err)
	}
	for _, a := range info.Revision.APIs {
		at := p.HTTP + "/restapis/" + a.ID + "/dev/_user_request_/chunks"
		if a.Kind == gateway.URL {
			at = hostURL(p.HTTP, gateway.URLHost(a.ID, info.Revision.Region)) + "/"
			if text, _, _ := p.Run(t, "", "info", "stream-dev"); !strings.Contains(text, at) {
				t.Errorf("info does not show %s:\n%s", at, text)
			}
		}
		resp, err := visitor.Get(at + "?gate=" + url.QueryEscape(gate.URL))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("first"))
		if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
			t.Fatalf("%s: got %q, %v\n%s", a.Kind, first, err, p.Log())
		}
		read <- struct{}{}
		rest, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(rest) != "second" {
			t.Errorf("%s: then got %q, %v", a.Kind, rest, err)
		}
		if resp.StatusCode != http.StatusAccepted || resp.Header.Get("Content-Type") != "text/event-stream" || len(resp.Header.Values("Set-Cookie")) != 2 {
			t.Errorf("%s: got %d %v", a.Kind, resp.StatusCode, resp.Header)
		}
	}
	invokeStream(t, p, gate.URL, read)
	if n := len(info.Revision.APIs); n != 2 {
		t.Errorf("%d APIs, want a REST API and a URL", n)
	}
}

// invokeStream has the official client read the same function: the prelude, the
// delimiter and both parts, the second only once the first has come.
func invokeStream(t *testing.T, p *testkit.Platform, gate string, read chan<- struct{}) {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"queryStringParameters": map[string]string{"gate": gate}})
	if err != nil {
		t.Fatal(err)
	}
	keys := admin(t, p).Keys
	client := lambda.New(lambda.Options{
		HTTPClient: testkit.AWSClient(),
		Region:     arn.Region, BaseEndpoint: aws.String(p.AWS), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
	out, err := client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{
		FunctionName: aws.String("stream-dev-chunks"), Payload: payload, LogType: types.LogTypeTail,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer out.GetStream().Close()
	if v := aws.ToString(out.ExecutedVersion); v != "$LATEST" {
		t.Errorf("executed version %q", v)
	}
	var body []byte
	var end *types.InvokeWithResponseStreamCompleteEvent
	opened := false
	for e := range out.GetStream().Events() {
		switch e := e.(type) {
		case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
			body = append(body, e.Value.Payload...)
			if !opened && strings.HasSuffix(string(body), "first") {
				read <- struct{}{}
				opened = true
			}
		case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
			end = &e.Value
		}
	}
	if err := out.GetStream().Err(); err != nil || end == nil || end.ErrorCode != nil || aws.ToString(end.LogResult) == "" {
		t.Errorf("the end: got %+v, %v", end, err)
	}
	if !strings.HasPrefix(string(body), `{"statusCode":202,`) || !strings.HasSuffix(string(body), strings.Repeat("\x00", 8)+"firstsecond") {
		t.Errorf("got %q", body)
	}
}
