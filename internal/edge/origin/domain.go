package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Defaults of a Domain, which are CloudFront's.
const (
	DefaultAttempts       = 3
	DefaultConnectTimeout = 10 * time.Second
	DefaultTimeout        = 30 * time.Second
	DefaultKeepAlive      = 5 * time.Second
	SocketIdle            = 10 * time.Minute // of a WebSocket, in both directions
)

// Domain is any HTTP server. A request whose Host is empty gets the domain's own.
// Connections stay open for the next request, are never those of another Domain, and
// take no proxy of the environment.
//
// A request that has reached the server is never sent twice, unless its method is
// idempotent and the connection was closed before a byte of the answer.
type Domain struct {
	Host           string // name or address, without port
	Scheme         string // "http" or "https"; "": as the client came
	HTTPPort       int    // 0: 80
	HTTPSPort      int    // 0: 443
	Attempts       int    // to connect
	ConnectTimeout time.Duration
	Timeout        time.Duration // for the answer to begin, and between two reads of it
	KeepAlive      time.Duration
	RootCAs        *x509.CertPool                                                    // nil: the system's
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error) // one attempt; nil: over TCP
	Answer         Answer
	Log            *slog.Logger

	once      sync.Once
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// pool lends a proxy its buffers.
type pool struct{}

func (pool) Get() []byte  { return buffers.Get().(*[32 << 10]byte)[:] }
func (pool) Put(b []byte) { buffers.Put((*[32 << 10]byte)(b)) }

func (d *Domain) open() {
	dial := d.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: or(d.ConnectTimeout, DefaultConnectTimeout), KeepAlive: 15 * time.Second}).DialContext
	}
	plain := &http.Protocols{}
	plain.SetHTTP1(true)
	d.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (c net.Conn, err error) {
			for range or(d.Attempts, DefaultAttempts) {
				if c, err = dial(ctx, network, addr); err == nil || ctx.Err() != nil {
					break
				}
			}
			return c, err
		},
		Protocols:              plain, // as CloudFront speaks to origins
		TLSClientConfig:        &tls.Config{RootCAs: d.RootCAs, ServerName: d.Host, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    or(d.ConnectTimeout, DefaultConnectTimeout),
		ResponseHeaderTimeout:  or(d.Timeout, DefaultTimeout),
		IdleConnTimeout:        or(d.KeepAlive, DefaultKeepAlive),
		MaxIdleConnsPerHost:    1024, // they close soon anyway
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
	}
	d.proxy = &httputil.ReverseProxy{
		Rewrite: d.rewrite, Transport: d.transport, BufferPool: pool{}, ErrorHandler: d.fail, ModifyResponse: d.watch,
		ErrorLog: slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug), // aborted copies; failures are answered
	}
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Close lets go of connections that nobody uses; those in use go when they are idle.
func (d *Domain) Close() {
	d.once.Do(d.open)
	d.transport.CloseIdleConnections()
}

// exchange is one request's way to the server and back.
type exchange struct {
	cancel context.CancelCauseFunc
	body   *steady
}

type exchangeKey struct{}

// ServeHTTP implements http.Handler.
func (d *Domain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.once.Do(d.open)
	x := &exchange{}
	ctx, cancel := context.WithCancelCause(r.Context())
	x.cancel = cancel
	defer cancel(nil)
	d.proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, exchangeKey{}, x)))
	if x.body != nil && x.body.broken() {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
}

// rewrite addresses the request. What the edge has said in X-Forwarded-* stays, and
// the query goes as it came.
func (d *Domain) rewrite(p *httputil.ProxyRequest) {
	scheme, port := d.Scheme, or(d.HTTPPort, 80)
	if scheme == "" {
		scheme = "http"
		if From(p.In.Context()).Secure {
			scheme = "https"
		}
	}
	usual := 80
	if scheme == "https" {
		port, usual = or(d.HTTPSPort, 443), 443
	}
	own := d.Host
	if strings.Contains(own, ":") { // an IPv6 address
		own = "[" + own + "]"
	}
	p.Out.URL.Scheme, p.Out.URL.Host = scheme, own+":"+strconv.Itoa(port)
	if p.Out.Host == "" {
		p.Out.Host = own
		if port != usual {
			p.Out.Host = p.Out.URL.Host
		}
	}
	p.Out.URL.RawQuery, p.Out.URL.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"} {
		if v, ok := p.In.Header[name]; ok {
			p.Out.Header[name] = v
		}
	}
}

// errStalled ends an answer that stopped coming.
var errStalled = errors.New("the origin has stopped sending")

// watch bounds how long the body may be silent. Of a switch of protocols the body is
// the connection.
func (d *Domain) watch(res *http.Response) error {
	for _, name := range []string{"X-Dropstack-Send-Object", "Proxy-Connection", "Proxy-Authenticate"} {
		res.Header.Del(name) // a server elsewhere has no say over our buckets
	}
	if res.Body == nil {
		return nil
	}
	ctx := res.Request.Context()
	x := ctx.Value(exchangeKey{}).(*exchange)
	if res.StatusCode == http.StatusSwitchingProtocols {
		if conn, ok := res.Body.(readWriteCloser); ok {
			res.Body = newSocket(conn, SocketIdle, From(ctx))
		}
		return nil
	}
	x.body = &steady{ReadCloser: res.Body, patience: or(d.Timeout, DefaultTimeout), asked: From(ctx)}
	x.body.timer = time.AfterFunc(x.body.patience, func() { x.cancel(errStalled) })
	x.body.timer.Stop() // until somebody waits for it
	res.Body = x.body
	return nil
}

// fail says why there is no answer.
func (d *Domain) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && context.Cause(r.Context()) != errStalled {
		panic(http.ErrAbortHandler) // the client has left; nothing that we say is an answer
	}
	f := Failure{Status: http.StatusBadGateway, Detail: "OriginCommError", Err: err}
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &lookup):
		f.Detail = "OriginDnsError"
	case errors.As(err, &op) && op.Op == "dial":
		f.Detail = "OriginConnectError"
	case isTimeout(err):
		f.Status = http.StatusGatewayTimeout
	case strings.Contains(err.Error(), "tls: ") || strings.Contains(err.Error(), "x509: "):
		f.Detail = "OriginConnectError"
	case strings.Contains(err.Error(), "malformed HTTP"):
		f.Detail = "OriginInvalidResponseError"
	case strings.Contains(err.Error(), "server response headers exceeded"):
		f.Detail = "OriginHeaderTooBigError"
	}
	if isTimeout(err) {
		f.Status = http.StatusGatewayTimeout
	}
	d.Answer.give(w, r, f)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}
