package cache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// failing says whether a status means that the origin cannot answer (RFC 5861,
// section 4).
func failing(status int) bool {
	return status == 500 || status == 502 || status == 503 || status == 504
}

// errorLifetime is how long an error is worth remembering.
func (x *exchange) errorLifetime(status int) time.Duration {
	if x.errorTTL == nil {
		return 0
	}
	ttl, _ := x.errorTTL(status)
	return ttl
}

// excuse lets the object stand in for the origin for a while without it being asked.
func (o *object) excuse(now time.Time, ttl time.Duration) {
	o.excused.Store(now.Add(ttl).UnixNano())
}

// notRenewed are fields that a 304 does not change, because they describe the stored
// bytes, which may be an encoding of the origin's (RFC 9111, section 3.2), or the one
// client whose request it answered.
var notRenewed = []string{"Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Etag", "Set-Cookie", "Transfer-Encoding"}

// renew stores the response anew with what a 304, or the head of the same response,
// says of it, and returns it; it is not stored when that says so (section 4.3.4).
func (x *exchange) renew(o *object, news http.Header, requested, received time.Time) *object {
	fresh := storedHeader(news, nil, received)
	merged := o.header.Clone()
	for name, values := range fresh {
		if !slices.Contains(notRenewed, name) {
			merged[name] = values
		}
	}
	if values := o.header["Vary"]; len(values) > 0 && !sameNames(values, fresh["Vary"]) {
		merged["Vary"] = values // what it was chosen by, and Accept-Encoding where it was compressed
	}
	judged := merged.Clone()
	judged["Age"] = news["Age"]
	j := x.judge(o.status, judged, requested, received)
	next := &object{
		key: o.key, zone: o.zone, path: o.path, query: o.query, status: o.status,
		header: storedHeader(merged, j.strip, received), varies: o.varies, selecting: o.selecting,
		received: received, judgement: j, size: o.size, body: o.body, file: o.file, seq: x.seq,
	}
	next.header["Content-Length"] = o.header["Content-Length"]
	if !j.store {
		x.cache.remove(o)
		return next
	}
	x.cache.replace(o, next)
	return next
}

func sameNames(a, b []string) bool { return slices.Equal(varyNames(a), varyNames(b)) }

// freshenByHead compares the response to a HEAD with the stored one: the same, and it
// renews it; another, and the stored one is no longer used (section 4.3.5).
func (x *exchange) freshenByHead(o *object, status int, h http.Header, requested time.Time) {
	if failing(status) || status == http.StatusNotModified {
		return
	}
	etag, modified, length := h.Get("Etag"), h.Get("Last-Modified"), contentLength(h)
	same := status == o.status && (etag != "" || modified != "") &&
		(etag == "" || weakMatch(etag, o.header.Get("Etag"))) &&
		(modified == "" || modified == o.header.Get("Last-Modified")) &&
		(length < 0 || length == o.size || len(o.header["Content-Encoding"]) > 0)
	if !same {
		x.cache.remove(o)
		return
	}
	x.seq = o.seq
	x.renew(o, h, requested, time.Now())
}

// weakMatch and strongMatch compare entity tags (RFC 9110, section 8.8.3.2).
func weakMatch(a, b string) bool {
	a, b = strings.TrimPrefix(a, "W/"), strings.TrimPrefix(b, "W/")
	return a == b && a != ""
}

func strongMatch(a, b string) bool {
	return a == b && strings.HasPrefix(a, `"`)
}

// anyTag says whether one of a list of entity tags, or "*", matches.
func anyTag(lines []string, etag string, match func(a, b string) bool) bool {
	for _, line := range lines {
		rest := line
		for {
			rest = strings.TrimLeft(rest, " \t,")
			if rest == "" {
				break
			}
			if rest[0] == '*' {
				return true
			}
			tag := rest
			start := 0
			if strings.HasPrefix(rest, "W/") {
				start = 2
			}
			if !strings.HasPrefix(rest[start:], `"`) {
				break // not an entity tag
			}
			end := strings.IndexByte(rest[start+1:], '"')
			if end < 0 {
				break
			}
			tag, rest = rest[:start+end+2], rest[start+end+2:]
			if match(tag, etag) {
				return true
			}
		}
	}
	return false
}
