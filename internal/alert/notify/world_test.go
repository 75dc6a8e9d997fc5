package notify_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// open opens a notifier in dir that tells whom the configuration says.
func open(t *testing.T, dir string, change func(*notify.Notifier)) *notify.Notifier {
	t.Helper()
	n := &notify.Notifier{
		Dir: dir, Console: "http://127.0.0.1:8090", Log: slog.New(slog.NewTextHandler(writer{t}, nil)),
		MayReachInside: func(context.Context) bool { return true },
		Parameter: func(_ context.Context, name string) (string, error) {
			if v, ok := map[string]string{"/slack/token": inbox.Token, "/smtp/password": "very secret", "/pager/key": "R0UT1NG"}[name]; ok {
				return v, nil
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

func bot(s *inbox.Slack) string {
	return routes(`    slack_configs:
      - channel: '#alerts'
        app_token: ${ssm:/slack/token}
        app_url: ` + s.URL + `/api/chat.postMessage
`)
}

// failing is an alert of a function.
func failing(function string) alert.Alert {
	return alert.Alert{
		Labels:      map[string]string{"alertname": "ErrorRatio", "function": function, "stack": "shop-dev", "severity": "warning"},
		Annotations: map[string]string{"summary": function + " fails", "owner": "payments team", "description": "more than half of the calls of <" + function + "> & co fail"},
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

var quiet = slog.New(slog.DiscardHandler)
