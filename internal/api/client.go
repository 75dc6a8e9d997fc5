package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// Client calls a platform's AWS endpoint.
type Client struct {
	Endpoint string // http://127.0.0.1:4566
	Keys     aws.Credentials
}

// Call calls an action of the control plane.
func (c *Client) Call(ctx context.Context, action string, in, out any) error {
	return c.AWS(ctx, "dropstack", "Dropstack."+action, in, out)
}

// FilterLogs reads one page of log events.
func (c *Client) FilterLogs(ctx context.Context, in logs.FilterLogEventsInput) (logs.FilterLogEventsOutput, error) {
	var out logs.FilterLogEventsOutput
	err := c.AWS(ctx, "logs", "Logs_20140328.FilterLogEvents", in, &out)
	return out, err
}

// Invocation is what Invoke came to.
type Invocation struct {
	Payload       []byte
	FunctionError string
	LogTail       []byte
	RequestID     string
}

// Invoke runs a function, or queues the event when async.
func (c *Client) Invoke(ctx context.Context, name string, payload []byte, async bool) (Invocation, error) {
	header := http.Header{"X-Amz-Log-Type": {"Tail"}, "X-Amz-Invocation-Type": {"RequestResponse"}}
	if async {
		header.Set("X-Amz-Invocation-Type", "Event")
	}
	resp, body, err := c.do(ctx, "lambda", "/2015-03-31/functions/"+url.PathEscape(name)+"/invocations", header, payload)
	if err != nil {
		return Invocation{}, err
	}
	tail, err := decodeBase64(resp.Header.Get("X-Amz-Log-Result"))
	return Invocation{body, resp.Header.Get("X-Amz-Function-Error"), tail, resp.Header.Get("X-Amzn-RequestId")}, err
}

// AWS calls an operation of a service as AWS JSON: target is what X-Amz-Target
// says, such as AmazonSSM.PutParameter.
func (c *Client) AWS(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"}}
	_, answer, err := c.do(ctx, service, "/", header, body)
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the platform's answer is not what this version expects: %w", target, err)
	}
	return nil
}

// do sends one signed POST and reads the answer whole.
func (c *Client) do(ctx context.Context, service, path string, header http.Header, body []byte) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "endpoint %q: %w", c.Endpoint, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if err := v4.NewSigner().SignHTTP(ctx, c.Keys, req, hash, service, arn.Region, time.Now()); err != nil {
		return nil, nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, nil, fault.Errorf(fault.Unavailable, "no platform answers at %s; is `dropstack up` running? (%w)", c.Endpoint, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, nil, clientError(resp.StatusCode, answer)
	}
	return resp, answer, nil
}

// PutArtifact uploads an artifact under its SHA-256, unless it is there already and
// stays.
func (c *Client) PutArtifact(ctx context.Context, sha, path string) error {
	store := c.S3()
	bucket, key := aws.String(deploy.ArtifactBucket), aws.String(deploy.ArtifactKey(sha))
	there, err := store.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err == nil && deploy.Fresh(aws.ToTime(there.LastModified)) {
		return nil
	}
	if _, missing := errors.AsType[*types.NotFound](err); err != nil && !missing {
		return fault.Errorf(fault.Unavailable, "look for artifact %s: %w", sha, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: f}); err != nil {
		return fault.Errorf(fault.Unavailable, "upload artifact %s: %w", path, err)
	}
	return nil
}

// S3 is a client of the platform's object store.
func (c *Client) S3() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(c.Endpoint), Region: arn.Region, UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c.Keys, nil }),
	})
}

// clientError is a call's error as its caller sees it; it keeps the kind.
func clientError(status int, doc []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(doc, &e) != nil || e.Message == "" {
		e.Message = strings.TrimSpace(string(doc))
	}
	for kind, s := range statuses {
		if s == status && kind != fault.Unauthenticated {
			return fault.Coded(kind, e.Type, "%s", e.Message)
		}
	}
	return fmt.Errorf("the platform answered %d: %s", status, e.Message)
}
