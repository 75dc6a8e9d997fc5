// Package inbox is where messages about alerts arrive in tests: what behaves as Slack
// does, and refuses what Slack would, and a mail server of npm's.
package inbox

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come.
const patience = time.Minute

// Slack behaves as Slack's API does, as far as messages go.
type Slack struct {
	t   *testing.T
	URL string

	// Refuse makes it answer otherwise; a status of 0: no. It is set before anything is sent.
	Refuse func(method string) (status int, body string, header http.Header)

	mu       sync.Mutex
	messages map[string]map[string]any // by ts
	calls    []Call
	changed  chan struct{} // closed and replaced by each call
	clock    int
}

// Call is a request that Slack took.
type Call struct {
	Method string // a method of the API, or "webhook"
	Body   map[string]any
}

// Token is the bot's.
const Token = "xoxb-very-secret"

// NewSlack starts one for a test.
func NewSlack(t *testing.T) *Slack {
	s := &Slack{t: t, messages: map[string]map[string]any{}, changed: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { close(s.changed); s.changed = make(chan struct{}) }()
	doc, _ := io.ReadAll(r.Body)
	var body map[string]any
	if err := json.Unmarshal(doc, &body); err != nil {
		s.t.Errorf("Slack was sent what is no JSON: %v", err)
	}
	method, api := strings.CutPrefix(r.URL.Path, "/api/")
	if !api {
		method = "webhook"
	}
	if s.Refuse != nil {
		if status, text, head := s.Refuse(method); status != 0 {
			for name, values := range head {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
			return
		}
	}
	s.calls = append(s.calls, Call{method, body})
	if err := valid(doc); err != nil {
		s.t.Errorf("%s: Slack would refuse %s: %v", method, doc, err)
	}
	if !api {
		_, _ = w.Write([]byte("ok"))
		return
	}
	answer := map[string]any{"ok": true, "channel": "C024BE91L"}
	fail := func(code string) { answer = map[string]any{"ok": false, "error": code} }
	ts, _ := body["ts"].(string)
	switch {
	case r.Header.Get("Authorization") != "Bearer "+Token:
		fail("invalid_auth")
	case method == "chat.postMessage":
		s.clock++
		ts = fmt.Sprintf("1503435956.%06d", s.clock)
		s.messages[ts] = body
		answer["ts"] = ts
	case method == "chat.update" && s.messages[ts] == nil:
		fail("message_not_found")
	case method == "chat.update" && body["channel"] != "C024BE91L":
		fail("channel_not_found")
	case method == "chat.update":
		s.messages[ts] = body
		answer["ts"] = ts
	default:
		fail("unknown_method")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}

// Await waits until so many calls have been made, and returns them.
func (s *Slack) Await(t *testing.T, n int) []Call {
	t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		calls, changed := append([]Call(nil), s.calls...), s.changed
		s.mu.Unlock()
		if len(calls) >= n {
			return calls
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("Slack was called %d times, want %d", len(calls), n)
		}
	}
}

// Forget deletes all messages.
func (s *Slack) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.messages)
}

// Text is all of a message.
func (c Call) Text() string {
	doc, _ := json.Marshal(c.Body)
	return string(doc)
}
