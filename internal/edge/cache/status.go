package cache

import (
	"net/http"
	"strconv"
	"time"
)

// how a response came to be sent.
type how int

const (
	miss how = iota
	hit
	refreshHit
	stale
)

const (
	resultHit     = "Hit"
	resultRefresh = "RefreshHit"
	resultMiss    = "Miss"
	resultError   = "Error"
)

var results = map[how]string{miss: resultMiss, hit: resultHit, refreshHit: resultRefresh, stale: resultHit}

// outcome is CloudFront's result of a response.
func outcome(h how, status int) Outcome {
	if status >= 400 {
		return Outcome{Result: resultError}
	}
	return Outcome{Result: results[h]}
}

// X-Cache, in the words of CloudFront.
var (
	xHit     = []string{"Hit from cloudfront"}
	xRefresh = []string{"RefreshHit from cloudfront"}
	xMiss    = []string{"Miss from cloudfront"}
	xError   = []string{"Error from cloudfront"}
)

func setXCache(h http.Header, how how, status int) {
	switch {
	case status >= 400:
		h["X-Cache"] = xError
	case how == miss:
		h["X-Cache"] = xMiss
	case how == refreshHit:
		h["X-Cache"] = xRefresh
	default:
		h["X-Cache"] = xHit
	}
}

// member of Cache-Status that is ours (RFC 9211).
const member = "dropstack"

// say appends the cache's member to those of caches closer to the origin.
func say(h http.Header, params []byte) {
	h["Cache-Status"] = append(h["Cache-Status"], string(params))
}

// sayStored marks a response that was stored before the request.
func sayStored(h http.Header, how how, status int, left time.Duration) {
	b := make([]byte, 0, 48)
	b = append(b, member...)
	switch how {
	case refreshHit:
		b = append(b, "; fwd=stale; fwd-status=304; ttl="...)
	case stale:
		b = append(b, "; fwd=stale; detail=origin-failed; ttl="...)
	default:
		b = append(b, "; hit; ttl="...)
	}
	b = strconv.AppendInt(b, int64(left/time.Second), 10)
	say(h, b)
	setXCache(h, how, status)
}

// sayForwarded marks a response that the origin gave to this request.
func (x *exchange) sayForwarded(h http.Header, status int, reason string, kept bool) {
	b := make([]byte, 0, 64)
	b = append(append(append(b, member...), "; fwd="...), reason...)
	b = strconv.AppendInt(append(b, "; fwd-status="...), int64(status), 10)
	if kept {
		b = append(b, "; stored"...)
	}
	if x.collapsed {
		b = append(b, "; collapsed"...)
	}
	say(h, b)
	setXCache(h, miss, status)
}

// reason is why the request went to the origin.
func (x *exchange) reason(o *object) string {
	switch {
	case o != nil:
		return "stale"
	case x.key == key{}:
		return "bypass"
	case x.others:
		return "vary-miss"
	}
	return "uri-miss"
}

// notCached refuses a request that takes a stored response only (section 5.2.1.7).
func (x *exchange) notCached() Outcome {
	h := x.w.Header()
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Length"] = []string{"0"}
	say(h, []byte(member+"; detail=only-if-cached"))
	h["X-Cache"] = xError
	x.w.WriteHeader(http.StatusGatewayTimeout)
	return Outcome{Result: resultError, Detail: "Error"}
}

func copyHeader(to, from http.Header) {
	for name, values := range from {
		to[name] = values
	}
}
