package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/dropstack/dropstack/services/wire"
)

// Drops is what the pages need of the drops service.
type Drops interface {
	View(ctx context.Context, req wire.ViewRequest) (wire.ViewReply, error)
	List(ctx context.Context, req wire.ListRequest) (wire.ListReply, error)
}

// errBusy is returned when the drops service refuses for being at its limit.
var errBusy = errors.New("the drops service is busy")

// maxReply bounds an answer of the drops service; Lambda's own limit is 6 MB.
const maxReply = 8 << 20

// lambdaDrops asks by invoking the service's functions.
type lambdaDrops struct {
	client     *lambda.Client
	view, list string // function names
}

// newLambdaDrops builds the client from the environment alone: the SDK's config
// loader looks through files and the network, which a cold start need not pay.
func newLambdaDrops(env func(string) string) (*lambdaDrops, error) {
	d := &lambdaDrops{view: env("DROPS_VIEW_FUNCTION"), list: env("DROPS_LIST_FUNCTION")}
	if d.view == "" || d.list == "" {
		return nil, errors.New("DROPS_VIEW_FUNCTION and DROPS_LIST_FUNCTION must name the drops service's functions; set them in serverless.yml")
	}
	cfg := aws.Config{
		Region: env("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     env("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: env("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    env("AWS_SESSION_TOKEN"),
				Source:          "environment",
			}, nil
		}),
		// A view is counted when it is answered, so a lost answer is not asked for again.
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}
	for _, key := range []string{"AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"} {
		if u := env(key); u != "" {
			cfg.BaseEndpoint = aws.String(u)
			break
		}
	}
	d.client = lambda.NewFromConfig(cfg)
	return d, nil
}

func (d *lambdaDrops) View(ctx context.Context, req wire.ViewRequest) (reply wire.ViewReply, err error) {
	return reply, d.invoke(ctx, d.view, req, &reply)
}

func (d *lambdaDrops) List(ctx context.Context, req wire.ListRequest) (reply wire.ListReply, err error) {
	return reply, d.invoke(ctx, d.list, req, &reply)
}

func (d *lambdaDrops) invoke(ctx context.Context, function string, req, reply any) error {
	payload, err := json.Marshal(req)
	if err != nil {
		return err
	}
	out, err := d.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		if _, ok := errors.AsType[*types.TooManyRequestsException](err); ok {
			return fmt.Errorf("invoke %s: %w", function, errBusy)
		}
		return fmt.Errorf("invoke %s: %w", function, err)
	}
	if out.FunctionError != nil {
		return fmt.Errorf("invoke %s: %s: %.500s", function, *out.FunctionError, out.Payload)
	}
	if err := json.Unmarshal(out.Payload, reply); err != nil {
		return fmt.Errorf("answer of %s: %w", function, err)
	}
	return nil
}

// httpDrops asks a drops server that runs outside Lambda. The path is that of
// Lambda's Invoke call, with the functions' short names.
type httpDrops struct {
	url    string
	client *http.Client
}

func newHTTPDrops(url string) *httpDrops {
	return &httpDrops{url: url, client: &http.Client{Timeout: 30 * time.Second}}
}

func (d *httpDrops) View(ctx context.Context, req wire.ViewRequest) (reply wire.ViewReply, err error) {
	return reply, d.call(ctx, "viewDrop", req, &reply)
}

func (d *httpDrops) List(ctx context.Context, req wire.ListRequest) (reply wire.ListReply, err error) {
	return reply, d.call(ctx, "listDrops", req, &reply)
}

func (d *httpDrops) call(ctx context.Context, function string, req, reply any) error {
	payload, err := json.Marshal(req)
	if err != nil {
		return err
	}
	u := d.url + "/2015-03-31/functions/" + function + "/invocations"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(payload))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(r)
	if err != nil {
		return fmt.Errorf("call %s: %w", function, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	switch {
	case err != nil:
		return fmt.Errorf("call %s: %w", function, err)
	case resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("call %s: %w", function, errBusy)
	case resp.StatusCode != http.StatusOK || resp.Header.Get("X-Amz-Function-Error") != "":
		return fmt.Errorf("call %s: %s: %.500s", function, resp.Status, body)
	}
	if err := json.Unmarshal(body, reply); err != nil {
		return fmt.Errorf("answer of %s: %w", function, err)
	}
	return nil
}
