package verdict

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Client calls operations that speak AWS's JSON 1.1. It is all of an SDK that three
// operations need, and starts in no time.
type Client struct {
	Endpoint string
	Region   string
	Keys     aws.Credentials
	HTTP     *http.Client
}

// Failure is an error that the other side has answered.
type Failure struct {
	Status  int
	Code    string // such as WAFOptimisticLockException
	Message string
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Code, f.Message) }

// maxAnswer bounds an answer; an IP set of 10,000 prefixes has half a megabyte.
const maxAnswer = 4 << 20

// Call calls an operation of a service, such as AWSWAF_20190729.GetIPSet of wafv2.
func (c *Client) Call(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, c.Keys, req, hex.EncodeToString(sum[:]), service, c.Region, time.Now()); err != nil {
		return err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if resp.StatusCode >= 300 {
		return failure(resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s: the answer is not what was expected: %w", target, err)
	}
	return nil
}

func failure(status int, answer []byte) error {
	var e struct {
		Type    string `json:"__type"`
		Message string
	}
	if json.Unmarshal(answer, &e) != nil || e.Type == "" {
		e.Type, e.Message = http.StatusText(status), fmt.Sprintf("%.200s", answer)
	}
	code := e.Type[strings.LastIndexByte(e.Type, '#')+1:] // some put a namespace before it
	return &Failure{Status: status, Code: code, Message: e.Message}
}
