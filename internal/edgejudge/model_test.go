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
		if _, ask := value(later.headers, "no-cache"); !ask && later.method == http.MethodGet && later.mark != "" && later.status == http.StatusOK && unstorable(later) == "" &&
			varies(later, headers) && fresh(later.headers, later.at, later.at) && !behind(path) {
			return "a newer one is stored: " + later.mark
		}
	}
	return m.timely(e, headers, from, to)
}

// timely says whether the response is fresh, or may be served stale.
func (m *model) timely(e event, asked http.Header, from, to time.Time) string {
	said, last := []event{e}, e
	failed := false
	for _, later := range m.events {
		if later.path != e.path || later.at.Before(e.at) {
			continue
		}
		if later.status == http.StatusNotModified && slices.Contains(tags(later.asked), e.headers.Get("ETag")) && later.headers.Get("ETag") == e.headers.Get("ETag") {
			if later.at.After(from) && later.at.Before(to) && !behind(e.path) {
				return "" // validated for this very request
			}
			last = later
			said = append(said, later)
		}
		failed = failed || later.status >= 500 && from.Sub(later.at) < errorTTL
	}
	if !behind(e.path) {
		said = []event{last} // the last word counts; behind an answer it may not have come yet
	}
	why := ""
	for _, one := range said {
		if why = stale(e, one, to, failed); why == "" {
			return ""
		}
	}
	return why
}

func stale(e, word event, now time.Time, failed bool) string {
	headers := e.headers.Clone()
	for name, values := range word.headers {
		headers[name] = values
	}
	if word.mark == "" && word.headers.Get("Age") == "" {
		headers.Del("Age")
	}
	if _, no := value(headers, "no-cache"); no {
		return "no-cache, and the origin was not asked"
	}
	if fresh(headers, word.at, now) || slices.Contains(minimum, e.status) && age(headers, word.at, now) < errorTTL {
		return ""
	}
	for _, never := range []string{"must-revalidate", "proxy-revalidate", "s-maxage"} {
		if _, has := value(headers, never); has {
			return "stale with " + never
		}
	}
	over := age(headers, word.at, now) - lifetime(headers)
	if within(headers, "stale-while-revalidate", over) {
		return ""
	}
	if _, says := value(headers, "stale-if-error"); failed && (!says || within(headers, "stale-if-error", over)) {
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
