package waf

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MaxSamples is how many requests are kept a rule.
	MaxSamples = 100
	// SampleTime is for how long.
	SampleTime = 3 * time.Hour
	// Undecided is the name under which requests are sampled that no rule has ended.
	Undecided = "Default_Action"
)

// Sample is a request that a rule has matched, secrets left out.
type Sample struct {
	At      time.Time   `json:"at"`
	Action  string      `json:"action"` // ALLOW, BLOCK or COUNT
	Rule    string      `json:"rule"`   // as in Verdict
	Client  string      `json:"client"`
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Proto   string      `json:"proto"`
	Header  http.Header `json:"header"`
	Labels  []string    `json:"labels,omitempty"`
	Request string      `json:"request"` // its id
	Field   string      `json:"field,omitempty"`
	Status  int         `json:"status,omitempty"` // of an answer in place of the origin's
}

// samples is the last requests that a rule has matched.
type samples struct {
	last atomic.Int64 // when due has said yes, nanoseconds
	mu   sync.Mutex
	kept []Sample // a ring once it is full
	next int
}

// due says whether to keep another request of so many: one a second.
func (s *samples) due(now time.Time) bool {
	last := s.last.Load()
	return now.UnixNano()-last >= int64(time.Second) && s.last.CompareAndSwap(last, now.UnixNano())
}

func (s *samples) add(one Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) < MaxSamples {
		s.kept = append(s.kept, one)
		return
	}
	s.kept[s.next] = one
	s.next = (s.next + 1) % MaxSamples
}

// since returns what is not older than that, the oldest first.
func (s *samples) since(from time.Time) []Sample {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Sample
	for i := range s.kept {
		if one := s.kept[(s.next+i)%len(s.kept)]; !one.At.Before(from) {
			out = append(out, one)
		}
	}
	return out
}

// sampled makes a sample of the request at hand.
func sampled(x *exam, r *rule, action string, now time.Time) Sample {
	h := x.http
	s := Sample{
		At: now, Action: action, Rule: r.full, Client: x.q.Client.String(), Method: h.Method, URI: redactedURI(h.URL),
		Proto: h.Proto, Header: make(http.Header, len(h.Header)+1), Request: x.q.ID, Field: x.found.name,
		Labels: append([]string(nil), x.labels...),
	}
	s.Header.Set("Host", h.Host)
	for name, values := range h.Header {
		if secret(name) {
			values = []string{redacted}
		}
		s.Header[name] = values
	}
	if b := r.action.Block; action == "BLOCK" && b != nil {
		if s.Status = http.StatusForbidden; b.CustomResponse != nil {
			s.Status = b.CustomResponse.ResponseCode
		}
	}
	return s
}

const redacted = "REDACTED"

// secretWords are in the names of headers and arguments that hold secrets.
var secretWords = []string{"auth", "token", "key", "secret", "passw", "pwd", "session", "signature", "credential", "cookie", "sid", "csrf", "xsrf", "jwt", "otp"}

// secret says whether what has this name is nobody's business.
func secret(name string) bool {
	name = strings.ToLower(name)
	if name == "code" || name == "sig" || name == "state" || name == "pass" || name == "pin" {
		return true
	}
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// redactedURI is the path and the query, without the values of secret arguments.
func redactedURI(u *url.URL) string {
	path := u.EscapedPath()
	if u.RawQuery == "" {
		return path
	}
	pairs := strings.Split(u.RawQuery, "&")
	for i, pair := range pairs {
		name, _, ok := strings.Cut(pair, "=")
		if plain := percentDecode(name, true); ok && secret(plain) {
			pairs[i] = name + "=" + redacted
		}
	}
	return path + "?" + strings.Join(pairs, "&")
}
