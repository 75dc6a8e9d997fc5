package notify_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// Whoever may say who is told, but is not the administrator, makes the platform reach
// nothing that is not on the internet, by no kind of receiver.
func TestReceiversReachTheInternetOnly(t *testing.T) {
	h, m := newHook(t, http.StatusOK), inbox.NewMailbox(t)
	h.busy = true
	smarthost := fmt.Sprintf("127.0.0.1:%d", m.Port)
	const mail = "    email_configs:\n      - to: ops@example.com\n        from: alerts@example.com\n"
	for name, c := range map[string]struct {
		receivers string
		own       string // mail server of the platform
		reached   bool   // without being the administrator
	}{
		"webhook":                        {receivers: "    webhook_configs:\n      - url: " + h.url + "\n"},
		"webhook, named":                 {receivers: "    webhook_configs:\n      - url: " + strings.Replace(h.url, "127.0.0.1", "localhost", 1) + "\n"},
		"slack":                          {receivers: "    slack_configs:\n      - channel: a\n        app_token: ${ssm:/slack/token}\n        app_url: " + h.url + "/api/chat.postMessage\n"},
		"pagerduty":                      {receivers: "    pagerduty_configs:\n      - routing_key: ${ssm:/pager/key}\n        url: " + h.url + "\n"},
		"mail":                           {receivers: mail + "        smarthost: " + smarthost + "\n"},
		"the platform's own mail server": {receivers: mail, own: smarthost, reached: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			as := func(administrator bool) func(n *notify.Notifier) {
				return func(n *notify.Notifier) {
					n.Readable = func(context.Context, string) error { return nil }
					n.MayReachInside = func(context.Context) bool { return administrator }
					n.Mail = notify.Mail{Server: c.own}
				}
			}
			refused := func(n *notify.Notifier) bool {
				out, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"})
				if err != nil || len(out.Results) != 1 {
					t.Fatalf("got %+v, %v", out, err)
				}
				return strings.Contains(out.Results[0].Reason, "is not on the internet")
			}
			put := notify.PutInput{Configuration: routes(c.receivers)}
			n := open(t, dir, as(false))
			if _, err := n.Put(t.Context(), put); err != nil {
				t.Fatal(err)
			}
			if refused(n) == c.reached {
				t.Errorf("reached: %v", !c.reached)
			}
			closed(t, n)
			n = open(t, dir, as(true)) // who opens it does not matter
			if refused(n) == c.reached {
				t.Errorf("reached after a start: %v", !c.reached)
			}
			if _, err := n.Put(t.Context(), put); err != nil {
				t.Fatal(err)
			}
			if refused(n) {
				t.Error("not even the administrator reaches it")
			}
			closed(t, n)
			n = open(t, dir, as(false))
			defer closed(t, n)
			if refused(n) {
				t.Error("what the administrator has put does not count after a start")
			}
		})
	}
}
