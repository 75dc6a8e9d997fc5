package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/testkit"
)

// streaming is an invoker whose function streams what its payload says.
type streaming struct {
	one
	next chan struct{} // lets it go on
}

func (s *streaming) Invoke(ctx context.Context, inv function.Invocation) (function.Result, error) {
	if inv.Stream == nil || string(inv.Payload) == `"buffered"` {
		return s.one.Invoke(ctx, inv)
	}
	done := function.Result{Streamed: true, LogTail: []byte("END\n")}
	switch string(inv.Payload) {
	case `"gated"`:
		inv.Stream.Begin("text/plain")
		for _, part := range []string{"first", "second"} {
			if _, err := io.WriteString(inv.Stream, part); err != nil {
				return done, nil
			}
			<-s.next
		}
	case `"large"`:
		inv.Stream.Begin("")
		if _, err := inv.Stream.Write(bytes.Repeat([]byte("0123456789abcdef"), 3<<16+1)); err != nil {
			return done, nil
		}
	case `"midway"`:
		inv.Stream.Begin("")
		_, _ = io.WriteString(inv.Stream, "half")
		done.FunctionError, done.ErrorType, done.Payload = "Unhandled", "Oops", []byte(`{"errorType":"Oops"}`)
	case `"lost"`:
		inv.Stream.Begin("")
		return function.Result{}, errors.New("the secret path is gone")
	case `"throttled"`:
		return function.Result{}, fault.Coded(fault.Throttled, "TooManyRequestsException", "Rate Exceeded.")
	}
	return done, nil
}

// streamClient is the official client of an endpoint with such an invoker.
func streamClient(t *testing.T) (*lambda.Client, *streaming) {
	t.Helper()
	invoker := &streaming{next: make(chan struct{})}
	w := serve(t, &api.Server{Lambda: invoking(invoker), Log: slog.New(slog.DiscardHandler)})
	return lambda.New(lambda.Options{HTTPClient: testkit.AWSClient(), BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.keys.Admin()), RetryMaxAttempts: 1}), invoker
}

// TestTheOfficialClientReadsStreams: what it makes of each way for an invocation
// to end.
func TestTheOfficialClientReadsStreams(t *testing.T) {
	client, _ := streamClient(t)
	for payload, want := range map[string]struct{ body, code, details string }{
		`"buffered"`: {`"buffered"`, "", ""},
		`"nothing"`:  {"", "", ""},
		`"large"`:    {strings.Repeat("0123456789abcdef", 3<<16+1), "", ""},
		`"midway"`:   {"half", "Unhandled", `{"errorType":"Oops"}`},
		`"lost"`:     {"", "InternalFailure", "the invocation broke off"},
	} {
		out, err := client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{
			FunctionName: aws.String("known"), Payload: []byte(payload), LogType: types.LogTypeTail,
		})
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		var body []byte
		var end *types.InvokeWithResponseStreamCompleteEvent
		for e := range out.GetStream().Events() {
			switch e := e.(type) {
			case *types.InvokeWithResponseStreamResponseEventMemberPayloadChunk:
				body = append(body, e.Value.Payload...)
			case *types.InvokeWithResponseStreamResponseEventMemberInvokeComplete:
				end = &e.Value
			}
		}
		if err := out.GetStream().Err(); err != nil || end == nil {
			t.Errorf("%s: no end, %v", payload, err)
			continue
		}
		if string(body) != want.body || aws.ToString(end.ErrorCode) != want.code || aws.ToString(end.ErrorDetails) != want.details {
			t.Errorf("%s: got %d bytes %.40q, %q %q", payload, len(body), body, aws.ToString(end.ErrorCode), aws.ToString(end.ErrorDetails))
		}
		if got := aws.ToString(end.LogResult); got != "RU5ECg==" && want.code != "InternalFailure" {
			t.Errorf("%s: log %q", payload, got)
		}
	}
}

func TestStreamsThatNeverBegin(t *testing.T) {
	client, _ := streamClient(t)
	_, err := client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("nobody")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("unknown function: got %v", err)
	}
	_, err = client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("known"), Payload: []byte(`"throttled"`)})
	if _, ok := errors.AsType[*types.TooManyRequestsException](err); !ok {
		t.Errorf("throttled: got %v", err)
	}
	_, err = client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("known"), InvocationType: "Event"})
	if err == nil || !strings.Contains(err.Error(), "RequestResponse or DryRun") {
		t.Errorf("an event: got %v", err)
	}
}

// TestChunksArriveAtOnce: each is there while the function waits for it to be.
func TestChunksArriveAtOnce(t *testing.T) {
	client, invoker := streamClient(t)
	out, err := client.InvokeWithResponseStream(t.Context(), &lambda.InvokeWithResponseStreamInput{FunctionName: aws.String("known"), Payload: []byte(`"gated"`)})
	if err != nil {
		t.Fatal(err)
	}
	defer out.GetStream().Close()
	for _, want := range []string{"first", "second"} {
		e, ok := (<-out.GetStream().Events()).(*types.InvokeWithResponseStreamResponseEventMemberPayloadChunk)
		if !ok || string(e.Value.Payload) != want {
			t.Fatalf("got %+v, want %q", e, want)
		}
		invoker.next <- struct{}{}
	}
	if e, ok := (<-out.GetStream().Events()).(*types.InvokeWithResponseStreamResponseEventMemberInvokeComplete); !ok || e.Value.ErrorCode != nil {
		t.Errorf("the end: got %+v", e)
	}
}
