package topic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/network"
)

// Bounds of a call to an endpoint.
const (
	callTimeout = 15 * time.Second // SNS's
	maxAnswer   = 64 << 10         // of which nothing is kept
)

// outside is the HTTP clients: one for endpoints that may be at addresses inside,
// and one for others.
type outside struct {
	once           sync.Once
	public, inside *http.Client
}

// refused is an answer or a fault after which another attempt would meet the same.
type refused struct{ err error }

func (r refused) Error() string { return r.err.Error() }
func (r refused) Unwrap() error { return r.err }

func (t *Topics) client(inside bool) *http.Client {
	t.outside.once.Do(func() {
		t.outside.public, t.outside.inside = t.newClient(false), t.newClient(true)
	})
	if inside {
		return t.outside.inside
	}
	return t.outside.public
}

// newClient makes a client that follows no redirects and uses no proxy: either
// would lead it past the check of addresses, which is made on what it connects to,
// not on what a name meant some time before.
func (t *Topics) newClient(inside bool) *http.Client {
	guard := network.Guard(inside) // subscriptions can be made by functions
	dialer := &net.Dialer{Timeout: callTimeout, Control: func(network, address string, c syscall.RawConn) error {
		if err := guard(network, address, c); err != nil {
			return refused{err}
		}
		return nil
	}}
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: t.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: callTimeout, ForceAttemptHTTP2: true,
			MaxIdleConns: 1024, MaxIdleConnsPerHost: 8 * maxOutside, IdleConnTimeout: time.Minute, // several subscriptions may be one host's
		},
	}
}

// post posts a document to an endpoint. A 2xx is success; after 429, 5xx and what
// the network does it can be tried again; anything else is refused.
func (t *Topics) post(ctx context.Context, sub Subscription, p plan, d document) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Endpoint, bytes.NewReader(d.body))
	if err != nil {
		return refused{err}
	}
	req.Header.Set("Content-Type", cmp.Or(p.contentType, "text/plain; charset=UTF-8"))
	req.Header.Set("User-Agent", "Amazon Simple Notification Service Agent") // receivers look for it
	req.Header.Set("X-Amz-Sns-Message-Type", d.kind)
	req.Header.Set("X-Amz-Sns-Message-Id", d.id)
	req.Header.Set("X-Amz-Sns-Topic-Arn", sub.Topic)
	if d.kind == typeNotification {
		req.Header.Set("X-Amz-Sns-Subscription-Arn", sub.ARN)
	}
	if d.raw {
		req.Header.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	resp, err := t.client(sub.Inside).Do(req)
	if err != nil {
		if r, ok := errors.AsType[refused](err); ok {
			return r
		}
		return withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // to use the connection again
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("the endpoint answered %d", resp.StatusCode)
	}
	return refused{fmt.Errorf("the endpoint answered %d", resp.StatusCode)}
}

// withoutURL is what went wrong without the endpoint, which may hold a password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
