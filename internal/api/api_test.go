package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

const caller = "arn:aws:lambda:us-east-1:000000000000:function:caller"

// one is an invoker with one function, "known".
type one struct {
	api.LambdaInvoker // what it does not have panics
	queued            []function.Invocation
}

func (o *one) known(name string) error {
	if name != "known" {
		return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Function not found: %s", name)
	}
	return nil
}

func (o *one) Invoke(_ context.Context, inv function.Invocation) (function.Result, error) {
	if err := o.known(inv.Function); err != nil {
		return function.Result{}, err
	}
	r := function.Result{Payload: inv.Payload, ExecutedVersion: "$LATEST", LogTail: []byte("END\n")}
	switch string(inv.Payload) {
	case `"fail"`:
		r.FunctionError, r.Payload = "Unhandled", []byte(`{"errorMessage":"failed"}`)
	case `"throttle"`:
		return r, fault.Coded(fault.Throttled, "TooManyRequestsException", "Rate Exceeded.")
	case `"break"`:
		return r, errors.New("the secret path /var/lib is gone")
	}
	return r, nil
}

func (o *one) Enqueue(_ context.Context, inv function.Invocation) error {
	o.queued = append(o.queued, inv)
	return o.known(inv.Function)
}

func (o *one) Get(name string) (function.Function, error) {
	return function.Function{Name: name, MemoryMB: 128}, o.known(name)
}

func (o *one) List() []function.Function { return []function.Function{{Name: "known"}} }

type echo struct{ Text string }

func echoes() *api.Service {
	return api.ServiceOf("dropstack", "Dropstack.", "Echo", func(_ context.Context, in echo) (echo, error) { return in, nil })
}

func endpoint(t *testing.T) (*world, *one) {
	t.Helper()
	invoker := &one{}
	return serve(t, &api.Server{
		Lambda:   invoking(invoker),
		Services: []*api.Service{echoes()},
	}), invoker
}

func client(url string, c iam.Credentials) *api.Client {
	return &api.Client{Endpoint: url, Keys: aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}}
}

func TestControlPlane(t *testing.T) {
	w, _ := endpoint(t)
	url, keys := w.url, w.keys
	admin := client(url, keys.Admin())
	var out echo
	if err := admin.Call(t.Context(), "Echo", echo{"hello"}, &out); err != nil || out.Text != "hello" {
		t.Errorf("got %+v, %v", out, err)
	}
	wrong := keys.Admin()
	wrong.SecretAccessKey = "other"
	for name, tt := range map[string]struct {
		client *api.Client
		action string
		in     any
		kind   fault.Kind
		words  string
	}{
		"unknown action":    {admin, "Nothing", echo{}, fault.Invalid, "Nothing"},
		"unknown field":     {admin, "Echo", map[string]int{"Txt": 1}, fault.Invalid, "Txt"},
		"function's key":    {client(url, w.function), "Echo", echo{}, fault.Denied, "not authorized to perform: dropstack:Echo"},
		"wrong secret":      {client(url, wrong), "Echo", echo{}, fault.Denied, "signature"},
		"removed function":  {client(url, w.removed), "Echo", echo{}, fault.Denied, "token"},
		"body over a limit": {admin, "Echo", echo{strings.Repeat("x", 9<<20)}, fault.TooLarge, "8388608"},
	} {
		err := tt.client.Call(t.Context(), tt.action, tt.in, nil)
		if fault.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.words) {
			t.Errorf("%s: got %v (%v), want %v with %q", name, err, fault.KindOf(err), tt.kind, tt.words)
		}
	}
	nobody := client("http://127.0.0.1:1", keys.Admin())
	if err := nobody.Call(t.Context(), "Echo", echo{}, nil); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "dropstack up") {
		t.Errorf("nobody there: got %v", err)
	}
}

// TestUnsignedRequests: what a bucket's policy gives everybody reaches the store.
func TestUnsignedRequests(t *testing.T) {
	open := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::open/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::open/not/*"}]}`
	w := serve(t, &api.Server{Objects: &api.Objects{
		Store: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
		Policy: func(_ context.Context, bucket string) (string, error) {
			return map[string]string{"open": open}[bucket], nil
		},
	}})
	for request, want := range map[string]int{
		"GET /healthz": http.StatusOK, "GET /open/key": http.StatusTeapot, "GET /open/not/key": http.StatusForbidden, "PUT /open/key": http.StatusForbidden,
		"GET /": http.StatusForbidden, "GET /open": http.StatusForbidden, "GET /bucket/key": http.StatusForbidden, "OPTIONS /bucket/key": http.StatusTeapot,
		"POST /open": http.StatusBadRequest,
	} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequest(method, w.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", request, resp.StatusCode, want)
		}
	}
}

func provider(c iam.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, nil
	})
}

func TestTheOfficialLambdaClientAgrees(t *testing.T) {
	w, invoker := endpoint(t)
	url, keys := w.url, w.keys
	ctx := t.Context()
	for name, c := range map[string]iam.Credentials{"admin": keys.Admin(), "function": w.function} {
		l := lambda.New(lambda.Options{BaseEndpoint: &url, Region: "us-east-1", Credentials: provider(c), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1})
		out, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), Payload: []byte(`{"a":1}`), LogType: types.LogTypeTail})
		if err != nil || string(out.Payload) != `{"a":1}` || aws.ToString(out.ExecutedVersion) != "$LATEST" || aws.ToString(out.LogResult) != "RU5ECg==" {
			t.Errorf("%s: got %+v, %v", name, out, err)
		}
		if out, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), Payload: []byte(`"fail"`)}); err != nil || aws.ToString(out.FunctionError) != "Unhandled" {
			t.Errorf("%s: a failing function: got %+v, %v", name, out, err)
		}
		if out, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), InvocationType: types.InvocationTypeEvent}); err != nil || out.StatusCode != http.StatusAccepted {
			t.Errorf("%s: event: got %+v, %v", name, out, err)
		}
		if out, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), InvocationType: types.InvocationTypeDryRun}); err != nil || out.StatusCode != http.StatusNoContent {
			t.Errorf("%s: dry run: got %+v, %v", name, out, err)
		}
		_, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("nobody")})
		if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
			t.Errorf("%s: unknown function: got %v", name, err)
		}
		_, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), Payload: []byte(`"throttle"`)})
		if _, ok := errors.AsType[*types.TooManyRequestsException](err); !ok {
			t.Errorf("%s: throttled: got %v", name, err)
		}
		_, err = l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("known"), Payload: []byte(`"break"`)})
		if err == nil || strings.Contains(err.Error(), "secret path") || !strings.Contains(err.Error(), "under request") {
			t.Errorf("%s: an internal error: got %v, want only its request id", name, err)
		}
		_, err = l.ListFunctions(ctx, &lambda.ListFunctionsInput{})
		if (err == nil) != (name == "admin") {
			t.Errorf("%s lists functions: %v", name, err)
		}
	}
	if len(invoker.queued) != 2 {
		t.Errorf("queued %d events, want 2", len(invoker.queued))
	}
}
