// Package origin holds what a distribution's answers come from besides the APIs of
// stacks: buckets, HTTP servers anywhere, and pairs of origins of which the second
// helps out. Each is an http.Handler that gets requests as the edge has made them
// up.
//
// An origin that fails says so in CloudFront's words, through Asked, for the access
// record; what the client is told is up to the edge (Answer).
package origin

import (
	"context"
	"net/http"
	"sync/atomic"
)

// Asked is what origins know about a request besides itself, and where they say what
// went wrong. It travels in the context.
type Asked struct {
	ID     string // X-Amz-Cf-Id
	Secure bool   // the client came by HTTPS
	detail atomic.Pointer[string]
	traffic
}

type askedKey struct{}

// With puts a into a context.
func With(ctx context.Context, a *Asked) context.Context {
	return context.WithValue(ctx, askedKey{}, a)
}

// From is the context's Asked, or one that nobody looks at.
func From(ctx context.Context) *Asked {
	if a, ok := ctx.Value(askedKey{}).(*Asked); ok {
		return a
	}
	return &Asked{}
}

// Failed notes what went wrong, as x-edge-detailed-result-type has it.
func (a *Asked) Failed(detail string) { a.detail.Store(&detail) }

// Detail is what went wrong last, or "".
func (a *Asked) Detail() string {
	if d := a.detail.Load(); d != nil {
		return *d
	}
	return ""
}

// Failure is that an origin has not answered.
type Failure struct {
	Status int    // 502, 503 or 504
	Detail string // OriginDnsError, OriginConnectError ...
	Err    error
}

// Answer tells the client that an origin has not answered.
type Answer func(w http.ResponseWriter, r *http.Request, f Failure)

// silent is a writer that wants to know that an origin has not answered, and answers
// itself.
type silent interface{ unanswered(f Failure) }

// give hands a failure to whoever waits for the answer.
func (answer Answer) give(w http.ResponseWriter, r *http.Request, f Failure) {
	From(r.Context()).Failed(f.Detail)
	if s, ok := w.(silent); ok {
		s.unanswered(f)
		return
	}
	answer(w, r, f)
}
