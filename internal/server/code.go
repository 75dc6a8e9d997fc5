package server

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dropstack/dropstack/internal/iam"
)

// codeTime is how long a URL of code is good, as Lambda's are.
const codeTime = 10 * time.Minute

// presigner makes URLs of objects that whoever has them can fetch for a while.
func presigner(endpoint, region string, keys iam.Credentials) func(ctx context.Context, bucket, key string) (string, error) {
	return func(ctx context.Context, bucket, key string) (string, error) {
		at := endpoint + "/" + url.PathEscape(bucket) + "/" + url.PathEscape(key) + "?X-Amz-Expires=" + strconv.Itoa(int(codeTime.Seconds()))
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return "", err
		}
		c := aws.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		signed, _, err := signer.PresignHTTP(ctx, c, req, "UNSIGNED-PAYLOAD", "s3", region, time.Now())
		return signed, err
	}
}

// onHost makes URLs of other hosts of the same listener.
func onHost(base string) func(host string) string {
	return func(host string) string {
		u, err := url.Parse(base)
		if err != nil {
			return base
		}
		if port := u.Port(); port != "" {
			host += ":" + port
		}
		u.Host = host
		return u.String()
	}
}

// byPath is where a stage of an API answers, below a base URL.
func byPath(base string) func(id, stage string) string {
	return func(id, stage string) string { return base + "/restapis/" + id + "/" + stage + "/_user_request_" }
}
