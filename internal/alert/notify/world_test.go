package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/notify"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// slack behaves as Slack's API does, as far as messages go.
type slack struct {
	t   *testing.T
	url string

	mu       sync.Mutex
	messages map[string]map[string]any // by ts
	calls    []call
	refuse   func(method string) (status int, body string, header http.Header) // 0: no
	changed  chan struct{}                                                     // closed and replaced by each call
	clock    int
}

type call struct {
	method string // a method of the API, or "webhook"
	body   map[string]any
}

const token = "xoxb-very-secret"

func newSlack(t *testing.T) *slack {
	s := &slack{t: t, messages: map[string]map[string]any{}, changed: make(chan struct{})}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s *slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
	if s.refuse != nil {
		if status, text, head := s.refuse(method); status != 0 {
			for name, values := range head {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
			return
		}
	}
	s.calls = append(s.calls, call{method, body})
	if err := validSlack(doc); err != nil {
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
	case r.Header.Get("Authorization") != "Bearer "+token:
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

// await waits until so many calls have been made, and returns them.
func (s *slack) await(t *testing.T, n int) []call {
	t.Helper()
	late := time.After(patience)
	for {
		s.mu.Lock()
		calls, changed := append([]call(nil), s.calls...), s.changed
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

// open opens a notifier in dir that tells whom the configuration says.
func open(t *testing.T, dir string, change func(*notify.Notifier)) *notify.Notifier {
	t.Helper()
	n := &notify.Notifier{
		Dir: dir, Console: "http://127.0.0.1:8090", Log: slog.New(slog.NewTextHandler(writer{t}, nil)),
		Parameter: func(_ context.Context, name string) (string, error) {
			if name == "/slack/token" {
				return token, nil
			}
			return "", fmt.Errorf("parameter %s does not exist", name)
		},
	}
	if change != nil {
		change(n)
	}
	if err := n.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func closed(t *testing.T, n *notify.Notifier) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// writer writes to the test's log, until the test is over.
type writer struct{ t *testing.T }

func (w writer) Write(b []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(string(bytes.TrimSpace(b)))
	}
	return len(b), nil
}

// routes is a configuration that waits for nobody.
func routes(receivers string) string {
	return `route:
  receiver: team
  group_by: [alertname, stack, function]
  group_wait: 20ms
  group_interval: 100ms
  repeat_interval: 4h
inhibit_rules:
  - source_matchers: ['severity="critical"']
    target_matchers: ['severity="warning"']
    equal: [function]
receivers:
  - name: team
` + receivers
}

func bot(s *slack) string {
	return routes(`    slack_configs:
      - channel: '#alerts'
        app_token: ${ssm:/slack/token}
        app_url: ` + s.url + `/api/chat.postMessage
`)
}

// failing is an alert of a function.
func failing(function string) alert.Alert {
	return alert.Alert{
		Labels:      map[string]string{"alertname": "ErrorRatio", "function": function, "stack": "shop-dev", "severity": "warning"},
		Annotations: map[string]string{"summary": function + " fails", "description": "more than half of the calls of <" + function + "> & co fail"},
		Starts:      time.Now().Add(-90 * time.Second), Value: 0.6, Rule: "ErrorRatio",
	}
}

func over(a alert.Alert) alert.Alert {
	a.Ends = time.Now()
	return a
}

// write writes a file of a configuration.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
