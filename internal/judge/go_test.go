package judge

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// sdk makes the calls of the SDK for Go to one service.
type sdk struct {
	*testing.T
	service string
	world   *world
	config  aws.Config // the administrator's
}

// TestGo makes the calls of every service.
func TestGo(t *testing.T) {
	t.Parallel()
	w := start(t)
	keys, err := iam.ReadCredentials(filepath.Join(w.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(w.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	}
	for service, calls := range map[string]func(*sdk){
		"apigateway": apigatewayCalls, "cloudformation": cloudformationCalls, "cloudwatch": cloudwatchCalls, "events": eventsCalls, "iam": iamCalls, "kms": kmsCalls, "lambda": lambdaCalls,
		"logs": logsCalls, "s3": s3Calls, "sns": snsCalls, "sqs": sqsCalls, "ssm": ssmCalls, "sts": stsCalls,
	} {
		t.Run(service, func(t *testing.T) { calls(&sdk{t, service, w, config}) })
	}
}

// method is an operation of a client.
type method[In, Opt, Out any] func(context.Context, *In, ...func(*Opt)) (*Out, error)

// call makes a call that has to succeed; check, if not nil, says what is wrong
// with its answer. What follows needs it, so a wrong one ends the service's calls.
func call[In, Opt, Out any](s *sdk, name string, do method[In, Opt, Out], in *In, check func(*Out) error) *Out {
	s.Helper()
	out, err := do(s.Context(), in)
	if err == nil && check != nil {
		err = check(out)
	}
	s.judge(name, false, err)
	return out
}

// fails makes a call that has to fail with an error of exactly this code.
func fails[In, Opt, Out any](s *sdk, name, code string, do method[In, Opt, Out], in *In) {
	s.Helper()
	_, err := do(s.Context(), in)
	s.judge(name, true, coded(err, code))
}

// judge reports a call.
func (s *sdk) judge(name string, wantsError bool, err error) {
	s.Helper()
	report(s.T, called{"go", s.service, name, wantsError}, err)
	if err != nil {
		s.FailNow()
	}
}

// coded is nil when err has the code.
func coded(err error, code string) error {
	if err == nil {
		return fmt.Errorf("it succeeded, want %s", code)
	}
	if known, ok := errors.AsType[smithy.APIError](err); ok && known.ErrorCode() == code {
		return nil
	}
	return fmt.Errorf("it failed with %w, want %s", err, code)
}

// as is the configuration of somebody with other keys.
func (s *sdk) as(id, secret, token *string) aws.Config {
	config := s.config.Copy()
	config.Credentials = credentials.NewStaticCredentialsProvider(aws.ToString(id), aws.ToString(secret), aws.ToString(token))
	return config
}

// same says how an answer differs from what it should be.
func same(got, want any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("the answer is not as it should be (-want +got):\n%s", diff)
	}
	return nil
}

// eventually asks until the answer is right, for what happens after a call.
func (s *sdk) eventually(name string, right func() (bool, error)) {
	s.Helper()
	deadline := time.After(30 * time.Second)
	for {
		ok, err := right()
		if ok || err != nil {
			s.judge(name, false, err)
			return
		}
		select {
		case <-deadline:
			s.judge(name, false, errors.New("it did not happen within 30 s"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// code is a zip of a function that answers with a text.
func code(answer string) []byte {
	var doc bytes.Buffer
	z := zip.NewWriter(&doc)
	f, err := z.Create("index.js")
	if err == nil {
		_, err = fmt.Fprintf(f, "exports.handler = async () => %q;\n", answer)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err) // memory takes everything
	}
	return doc.Bytes()
}
