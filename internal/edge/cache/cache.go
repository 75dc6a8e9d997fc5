// Package cache is a shared HTTP cache (RFC 9111): which stored response a request
// may be answered with, for how long, and what has to be asked again.
package cache

import (
	"net/http"
	"time"
)

// Request is a request that a stored response may answer.
type Request struct {
	In     *http.Request // as the client sent it: its conditions, ranges and Cache-Control count
	Out    *http.Request // as the origin is to get it, with what is forwarded and nothing else
	Zone   string        // whose responses: the id of a distribution
	Policy *Policy
	Origin http.Handler
	// ErrorTTL is how long an origin's answer with an error status is stored, at least;
	// false: only when its own headers say so. nil: of no status.
	ErrorTTL func(status int) (ttl time.Duration, ok bool)
}

// Outcome says how a request was answered, in the words of CloudFront's log.
type Outcome struct {
	Result string // Hit, RefreshHit, Miss, Error
	Detail string // x-edge-detailed-result-type: Hit, OriginShieldHit, MissGeneratedResponse ...; "": as Result
}
