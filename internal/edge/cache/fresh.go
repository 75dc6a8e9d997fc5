package cache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// judgement is what the rules say of a response: whether it may be stored and, if so,
// how it may be reused.
type judgement struct {
	store bool
	why   string // why not, for the log

	lifetime time.Duration // freshness lifetime (RFC 9111, section 4.2.1)
	age      time.Duration // corrected initial age (section 4.2.3)

	validate bool // before every use: no-cache
	strict   bool // never stale, not even when the origin fails

	whileRevalidate time.Duration // how long after lifetime it may be used while it is refreshed
	ifError         time.Duration // ... when the origin fails; -1: not said
	noTransform     bool
	strip           []string // fields that are not stored
}

// judge applies RFC 9111, section 3 and 4.2, and CloudFront's rules, to a response of
// the origin.
//
// MinTTL over zero overrides no-cache, no-store and private, as CloudFront does and
// operators ask for knowingly. It does not override what shows that a response is one
// person's: a cookie that it sets, or credentials that made it.
func (x *exchange) judge(status int, h http.Header, requested, received time.Time) judgement {
	d, targetedHere := parseTargeted(h[targeted])
	if !targetedHere {
		d = parseCacheControl(h["Cache-Control"])
		if len(h["Cache-Control"]) == 0 && strings.EqualFold(h.Get("Pragma"), "no-cache") {
			d.noCache = true // section 5.4: meant by those who know no better
		}
	}
	if d.mustUnderstand { // section 5.2.2.3
		d.noStore = understood[status] == unknown
	}
	if x.policy.MinTTL > 0 {
		d.noCache, d.noStore, d.private = false, false, false
	}
	j := judgement{
		age:             initialAge(h, requested, received),
		validate:        d.noCache,
		strict:          d.mustRevalidate || d.proxyRevalidate || d.noCache,
		whileRevalidate: max(d.whileRevalidate, 0),
		ifError:         d.ifError,
		noTransform:     d.noTransform || parseCacheControl(h["Cache-Control"]).noTransform,
		strip:           append(d.noCacheFields, d.privateFields...),
	}
	if d.sMaxAge >= 0 && !targetedHere && d.ifError < 0 {
		// s-maxage means proxy-revalidate too (section 5.2.2.10), unless the response
		// says itself for how long it may be stale.
		j.ifError = 0
	}
	if j.strict {
		j.whileRevalidate, j.ifError = 0, 0
	}
	if j.why = x.forbidden(status, h, d, j.strip); j.why != "" {
		return j
	}
	lifetime, ok := x.lifetime(status, h, d, targetedHere, received)
	if !ok {
		j.why = "nothing says that it may be stored"
		return j
	}
	j.lifetime = lifetime
	validator := h.Get("Etag") != "" || h.Get("Last-Modified") != ""
	// Stale as it comes it may still stand in for an origin that fails.
	switch useful := j.lifetime > j.age || j.whileRevalidate > 0 || j.lifetime > 0 && !j.strict && j.ifError != 0; {
	case j.validate && !validator, !validator && !useful:
		j.why = "it could never be used"
	default:
		j.store = true
	}
	return j
}

// forbidden says why a response must not be stored whatever its lifetime (RFC 9111,
// sections 3 and 3.5); "" when nothing forbids it.
func (x *exchange) forbidden(status int, h http.Header, d directives, strip []string) string {
	switch {
	case understood[status] == never || status < 200 || status > 599:
		return "its status"
	case d.noStore:
		return "no-store"
	case d.private:
		return "private"
	case x.noStore:
		return "the request's no-store"
	case len(h["Set-Cookie"]) > 0 && !slices.Contains(strip, "Set-Cookie"):
		// Were it only the header that is somebody's; but an origin that opens a
		// session writes the session into the page as well.
		return "it sets a cookie"
	case varyStar(h["Vary"]):
		return "Vary: *"
	}
	shared := d.public || d.sMaxAge >= 0
	if x.secretForwarded() && !shared && !d.mustRevalidate {
		return "it answers credentials that are not in the key"
	}
	if x.cookieForwarded() && !shared {
		return "it answers a cookie that is not in the key"
	}
	return ""
}

// secretForwarded says whether the origin sees credentials that the key does not hold.
func (x *exchange) secretForwarded() bool {
	return len(x.out.Header["Authorization"]) > 0 && !(x.policy.Headers.Mode == Only && x.policy.Headers.HasHeader("Authorization"))
}

func (x *exchange) cookieForwarded() bool {
	if x.policy.Headers.Mode == Only && x.policy.Headers.HasHeader("Cookie") {
		return false
	}
	for _, line := range x.out.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if name != "" && !x.policy.Cookies.Has(strings.TrimRight(name, " \t")) {
				return true
			}
		}
	}
	return false
}

// lifetime is how long the response is fresh; false when it is not to be stored
// because neither it nor the policy says anything.
func (x *exchange) lifetime(status int, h http.Header, d directives, targetedHere bool, received time.Time) (time.Duration, bool) {
	p := x.policy
	said, explicit := time.Duration(0), true
	switch {
	case d.sMaxAge >= 0:
		said = d.sMaxAge
	case d.maxAge >= 0:
		said = d.maxAge
	case len(h["Expires"]) > 0 && !targetedHere:
		said = expiresIn(h, received)
	default:
		explicit = false
	}
	if explicit {
		said = min(max(said, p.MinTTL), p.MaxTTL)
	}
	if status >= 400 && x.errorTTL != nil {
		if ttl, ok := x.errorTTL(status); ok {
			return max(said, ttl), true
		}
		return said, explicit
	}
	if explicit {
		return said, true
	}
	if status >= 400 || understood[status] != heuristic && !d.public {
		return 0, false
	}
	return min(max(p.DefaultTTL, p.MinTTL), p.MaxTTL), true
}

// expiresIn is Expires less Date; what cannot be read is the past (section 5.3).
func expiresIn(h http.Header, received time.Time) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = received.Truncate(time.Second)
	}
	in := time.Duration(forever)
	for _, line := range h["Expires"] {
		at, err := http.ParseTime(strings.TrimSpace(line))
		if err != nil {
			return 0
		}
		in = min(in, at.Sub(date))
	}
	return max(in, 0)
}

// initialAge is the corrected_initial_age of section 4.2.3.
func initialAge(h http.Header, requested, received time.Time) time.Duration {
	apparent := time.Duration(0)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		apparent = max(0, received.Truncate(time.Second).Sub(date)) // Date has no fractions
	}
	said, _, _ := strings.Cut(h.Get("Age"), ",") // of several the first (section 5.1)
	age, _ := deltaSeconds(strings.TrimSpace(said))
	return max(apparent, age+received.Sub(requested))
}

// How much of a status code the cache knows.
const (
	unknown   = iota // to be stored when the response says so explicitly
	known            // likewise; its requirements on caches are understood
	heuristic        // to be stored for the default TTL
	never            // an answer to one request only, or one of parts
)

var understood = map[int]int{
	200: heuristic, 203: heuristic, 204: heuristic, 300: heuristic, 301: heuristic, 308: heuristic,
	404: heuristic, 405: heuristic, 410: heuristic, 414: heuristic, 501: heuristic, 451: heuristic,
	302: known, 303: known, 307: known,
	400: known, 403: known, 412: known, 415: known, 500: known, 502: known, 503: known, 504: known,
	// 206 and 304 are parts of other responses; the rest speak of who asks or when.
	206: never, 304: never, 401: never, 407: never, 408: never, 416: never, 417: never, 421: never,
	425: never, 426: never, 428: never, 429: never, 511: never,
}

func varyStar(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(name) == "*" {
				return true
			}
		}
	}
	return false
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
