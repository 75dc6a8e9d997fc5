package edgejudge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// model is RFC 9111 as far as random requests need it, written without a look at the
// cache: what the origin has said, and whether it may answer a request.
type model struct {
	mu     sync.Mutex
	events []event // in the order in which the origin spoke
}

// event is a response of the origin.
type event struct {
	at      time.Time
	mark    string // of a response with a body
	method  string
	path    string // with its query
	asked   http.Header
	status  int
	headers http.Header
	stored  bool // the cache has said that it is
}

// note says that the cache has said to store a response.
func (m *model) note(mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.events {
		if m.events[i].mark == mark {
			m.events[i].stored = true
		}
	}
}

func (m *model) add(e event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.at = time.Now()
	m.events = append(m.events, e)
}

// slack is how far clocks, which count whole seconds, may be apart.
const slack = 2 * time.Second

// wrong says why the marked response must not answer the request, which was made
// between from and to; "" if it may.
func (m *model) wrong(mark, method, path string, headers http.Header, from, to time.Time) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.events, func(e event) bool { return e.mark == mark })
	if i < 0 {
		return "the origin never said it"
	}
	e := m.events[i]
	switch {
	case e.path != path:
		return "it is of " + e.path
	case !varies(e, headers):
		return "it varies by " + e.headers.Get("Vary") + " and was asked with other headers"
	case e.at.After(from) && e.method == method:
		return "" // the origin's answer to this request
	case method != http.MethodGet && method != http.MethodHead:
		return "a " + method + " is never answered by what is stored"
	case e.method != http.MethodGet && e.method != method:
		return "it was the answer to a " + e.method
	}
	if why := unstorable(e); why != "" {
		return why
	}
	for _, later := range m.events[i+1:] {
		if later.path != path || later.at.After(from) {
			continue
		}
		unsafe := later.method == http.MethodPost || later.method == http.MethodDelete
		if unsafe && later.status >= 200 && later.status < 400 {
			return "a " + later.method + " has invalidated it"
		}
		if later.stored && later.status < 500 && varies(later, headers) && !behind(path) {
			return "a newer one is stored: " + later.mark
		}
	}
	return m.timely(e, from, to)
}

// state is a stored response at a moment: each 304 makes another of it.
type state struct {
	at      time.Time
	status  int
	headers http.Header
}

// timely says whether the response is fresh, or may be served stale.
func (m *model) timely(e event, from, to time.Time) string {
	states := []state{{e.at, e.status, e.headers}}
	failed := false
	for _, later := range m.events {
		if later.path != e.path || later.at.Before(e.at) {
			continue
		}
		if later.status == http.StatusNotModified && slices.Contains(tags(later.asked), e.headers.Get("ETag")) && later.headers.Get("ETag") == e.headers.Get("ETag") {
			if later.at.After(from) && later.at.Before(to) {
				return "" // validated for this very request
			}
			next := state{later.at, e.status, states[len(states)-1].headers.Clone()}
			next.headers.Del("Age")
			for name, values := range later.headers {
				next.headers[name] = values
			}
			states = append(states, next)
		}
		failed = failed || later.status >= 500 && from.Sub(later.at) < errorTTL
	}
	if !behind(e.path) {
		states = states[len(states)-1:] // behind an answer what was said last may not have come yet
	}
	why := ""
	for _, s := range states {
		if why = s.stale(to, failed); why == "" {
			return ""
		}
	}
	return why
}

// stale says why it must not be used; failed: the origin has.
func (s state) stale(now time.Time, failed bool) string {
	if _, no := value(s.headers, "no-cache"); no {
		return "no-cache, and the origin was not asked"
	}
	if fresh(s.headers, s.at, now) || slices.Contains(minimum, s.status) && age(s.headers, s.at, now) < errorTTL {
		return ""
	}
	for _, never := range []string{"must-revalidate", "proxy-revalidate", "s-maxage"} {
		if _, has := value(s.headers, never); has {
			return "stale with " + never
		}
	}
	over := age(s.headers, s.at, now) - lifetime(s.headers)
	if within(s.headers, "stale-while-revalidate", over) {
		return ""
	}
	if _, says := value(s.headers, "stale-if-error"); failed && (!says || within(s.headers, "stale-if-error", over)) {
		return ""
	}
	return "stale by " + over.String()
}

func within(headers http.Header, directive string, over time.Duration) bool {
	v, ok := value(headers, directive)
	n, err := strconv.Atoi(v)
	return ok && err == nil && over <= time.Duration(n)*time.Second+slack
}

// errorTTL is how long CloudFront keeps these errors at least, whatever their headers
// say of their lifetime, and does without asking an origin that has failed.
const errorTTL = 10*time.Second + slack

var minimum = []int{404, 414, 500, 501, 502, 503, 504}

// behind says of which paths the edge may ask behind an answer: of those what was
// said last may not have arrived.
func behind(path string) bool { return strings.HasPrefix(path, "/behind") }

func fresh(headers http.Header, at, now time.Time) bool {
	return lifetime(headers) > 0 && age(headers, at, now) < lifetime(headers)+slack
}

func age(headers http.Header, at, now time.Time) time.Duration {
	n, _ := strconv.Atoi(headers.Get("Age"))
	return now.Sub(at) + time.Duration(n)*time.Second
}

func lifetime(headers http.Header) time.Duration {
	for _, directive := range []string{"s-maxage", "max-age"} {
		if v, ok := value(headers, directive); ok {
			n, _ := strconv.Atoi(v)
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

// unstorable says why a shared cache must not store the response.
func unstorable(e event) string {
	_, noStore := value(e.headers, "no-store")
	_, private := value(e.headers, "private")
	allowed := false
	for _, directive := range []string{"public", "s-maxage", "must-revalidate"} {
		_, has := value(e.headers, directive)
		allowed = allowed || has
	}
	switch {
	case noStore:
		return "no-store"
	case private:
		return "private"
	case e.headers.Get("Set-Cookie") != "":
		return "it sets a cookie"
	case e.asked.Get("Authorization") != "" && !allowed:
		return "it was asked with Authorization"
	}
	return ""
}

// varies says whether the headers are those that the response was asked with.
func varies(e event, headers http.Header) bool {
	for name := range strings.SplitSeq(e.headers.Get("Vary"), ",") {
		name = strings.TrimSpace(name)
		if name == "*" {
			return e.asked.Get("X-Ask") == headers.Get("X-Ask")
		}
		if name != "" && e.asked.Get(name) != headers.Get(name) {
			return false
		}
	}
	return true
}

func tags(asked http.Header) (list []string) {
	for tag := range strings.SplitSeq(asked.Get("If-None-Match"), ",") {
		list = append(list, strings.TrimSpace(tag))
	}
	return list
}

func value(headers http.Header, directive string) (string, bool) {
	for part := range strings.SplitSeq(headers.Get("Cache-Control"), ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if name == directive {
			return v, true
		}
	}
	return "", false
}
