package judge

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// sdk makes the calls of the SDK for Go.
type sdk struct {
	*testing.T
	world  *world
	config aws.Config
}

// call makes a call that has to succeed; check, if not nil, says what is wrong
// with its answer.
func call[Out any](s *sdk, name string, make func() (Out, error), check func(Out) error) Out {
	s.Helper()
	out, err := make()
	if err == nil && check != nil {
		err = check(out)
	}
	report(s.T, "go", name, err)
	return out
}

// fails makes a call that has to fail with an error of this code.
func fails[Out any](s *sdk, name, code string, make func() (Out, error)) {
	s.Helper()
	_, err := make()
	var known smithy.APIError
	switch {
	case err == nil:
		err = fmt.Errorf("it succeeded, want %s", code)
	case errors.As(err, &known) && known.ErrorCode() == code:
		err = nil
	default:
		err = fmt.Errorf("it failed with %w, want %s", err, code)
	}
	report(s.T, "go", name, err)
}

// TestGo makes the calls of every service that has some.
func TestGo(t *testing.T) {
	w := start(t)
	keys, err := iam.ReadCredentials(filepath.Join(w.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(w.AWS), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, ""),
	}
	for name, calls := range map[string]func(*sdk){"lambda": lambdaCalls} {
		t.Run(name, func(t *testing.T) { calls(&sdk{t, w, config}) })
	}
}

func lambdaCalls(s *sdk) {
	c, ctx := lambda.NewFromConfig(s.config), s.Context()
	call(s, "invoke", func() (*lambda.InvokeOutput, error) {
		return c.Invoke(ctx, &lambda.InvokeInput{FunctionName: &s.world.function, Payload: []byte(`{"a":1}`)})
	}, func(out *lambda.InvokeOutput) error {
		if string(out.Payload) != `{"a":1}` {
			return fmt.Errorf("answered %s", out.Payload)
		}
		return nil
	})
	fails(s, "invoke nobody", "ResourceNotFoundException", func() (*lambda.InvokeOutput, error) {
		return c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("nobody")})
	})
}
