package testkit

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Client is an HTTP client that knows, as browsers and curl do, that every name
// below localhost is this machine (RFC 6761), and that follows no redirect.
func Client() *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if host, port, err := net.SplitHostPort(addr); err == nil && strings.HasSuffix(host, ".localhost") {
					addr = net.JoinHostPort("127.0.0.1", port)
				}
				return dialer.DialContext(ctx, network, addr)
			},
			MaxIdleConnsPerHost: 64,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// AWSClient is an HTTP client for AWS's SDK that lets a request's body be read to
// its end. The SDK closes it as soon as an answer begins; a server as near as the
// one of a test begins before the transport has seen the end, and the transport
// then drops the connection with the rest of the answer (aws/aws-sdk-go-v2#2737).
func AWSClient() interface {
	Do(*http.Request) (*http.Response, error)
} {
	return patient{Client()}
}

type patient struct{ *http.Client }

func (p patient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = io.NopCloser(r.Body)
	}
	return p.Client.Do(r)
}
