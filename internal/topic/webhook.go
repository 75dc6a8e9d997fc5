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
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"
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
	dialer := &net.Dialer{Timeout: callTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return refused{err}
		}
		return checkAddress(at.Addr(), inside)
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

// closed is what nobody's messages go to from outside: networks that are not the
// internet, and ways around to them.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

// metadata is where clouds keep their secrets, besides link-local addresses.
var metadata = []netip.Addr{netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200")}

// checkAddress says whether messages may go to an address. Subscriptions can be
// made by functions, which must not reach through us what they cannot reach
// themselves.
func checkAddress(a netip.Addr, inside bool) error {
	a = a.Unmap().WithZone("")
	never := a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified()
	for _, m := range metadata {
		never = never || a == m
	}
	if never {
		return refused{fmt.Errorf("messages do not go to %s", a)}
	}
	private := a.IsLoopback() || a.IsPrivate()
	for _, p := range closed {
		private = private || p.Contains(a)
	}
	if private && !inside {
		return refused{fmt.Errorf("messages of this subscription do not go to %s, which is not on the internet; the administrator's may", a)}
	}
	return nil
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
