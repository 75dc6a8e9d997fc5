package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/function"
)

// forward passes a request on to the route's URL, and its answer back, as they are.
func (s *server) forward(w http.ResponseWriter, r *request) {
	to, err := r.destination()
	if err != nil {
		s.fail(w, r, &failure{cause: noRoute})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), r.target.limit)
	defer cancel()
	began := time.Now()
	proxy := &httputil.ReverseProxy{
		Transport: s.gateway.transport(),
		ErrorLog:  slog.NewLogLogger(s.gateway.Log.Handler(), slog.LevelDebug), // what broke off in the midst
		Rewrite:   func(p *httputil.ProxyRequest) { rewrite(p, to) },
		ModifyResponse: func(resp *http.Response) error {
			r.took, r.integrationStatus = time.Since(began), resp.StatusCode
			inside(resp.Header)
			if s.cors != nil {
				s.cors.apply(resp.Header, r.Request)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			why := &failure{cause: unreachable, err: fmt.Errorf("forward to %s: %w", to.Host, err)}
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				why.cause = timedOut
			}
			r.done(function.Result{}, time.Since(began), why)
			s.refuse(w, r, why)
		},
	}
	out := r.Request.WithContext(ctx)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
	if len(r.body) == 0 {
		out.Body = http.NoBody
	}
	proxy.ServeHTTP(w, out)
}

// rewrite makes the request that goes out. What the edge tells the APIs of this
// machine stays here.
func rewrite(p *httputil.ProxyRequest, to *url.URL) {
	p.Out.URL, p.Out.Host = to, ""
	inside(p.Out.Header)
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port"} {
		if values := p.In.Header[name]; len(values) > 0 {
			p.Out.Header[name] = values
		}
	}
}

// inside drops the headers that are between the edge and the APIs of this machine: a
// server elsewhere must not hear them, and its own must not have objects sent.
func inside(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, reserved) {
			delete(h, name)
		}
	}
}

const reserved = "X-Dropstack-"

// destination is where a request is forwarded to: the route's URL with the path's
// parameters in their places, as they were sent, and the request's query.
func (r *request) destination() (*url.URL, error) {
	text := r.target.URL
	for i, name := range r.target.names {
		value := r.values[i]
		if strays(value) {
			return nil, errors.New("a part of the path leads upwards")
		}
		text = strings.ReplaceAll(text, "{"+name+"}", value)
		text = strings.ReplaceAll(text, "{"+name+"+}", value)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	u.RawQuery = strings.Trim(u.RawQuery+"&"+r.URL.RawQuery, "&")
	return u, nil
}

// strays says whether a value, put into a path, leads out of its place.
func strays(value string) bool {
	for part := range strings.SplitSeq(value, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return true
		}
		for step := range strings.SplitSeq(strings.ReplaceAll(plain, `\`, "/"), "/") {
			if step == "." || step == ".." {
				return true
			}
		}
	}
	return false
}
