package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// TestTwoOfFiveFunctionsFailAndPeopleAreToldOnce has one rule watch five functions:
// one is healthy, two fail too often, one is not called and one too seldom to tell.
func TestTwoOfFiveFunctionsFailAndPeopleAreToldOnce(t *testing.T) {
	slack, mail := inbox.NewSlack(t), inbox.NewMailbox(t)
	files := t.TempDir()
	for name, text := range map[string]string{
		"serverless.yml": `service: shop
provider: {name: aws, runtime: nodejs20.x}
functions:
  healthy: {handler: index.call}
  sixty: {handler: index.call}
  eighty: {handler: index.call}
  idle: {handler: index.call}
  rare: {handler: index.call}
`,
		"index.js": "exports.call = async (e) => { if (e.fail) throw new Error('cannot charge card of ' + e.who) }\n",
		"rules.yml": `groups:
  - name: shop
    interval: 1s
    rules:
      - alert: FailsTooOften
        expr: |
          sum by (function) (increase(dropstack_function_errors_total[2m]))
            / sum by (function) (increase(dropstack_function_invocations_total[2m])) > 0.5
          and sum by (function) (increase(dropstack_function_invocations_total[2m])) >= 9
        labels: {severity: critical}
        annotations:
          summary: '{{ $labels.function }} fails'
          runbook: https://wiki.example.com/charge
          owner: payments team
`,
		"receivers.yml": fmt.Sprintf(`global:
  smtp_smarthost: 127.0.0.1:%d
  smtp_from: alerts@example.com
  smtp_auth_username: dropstack
  smtp_auth_password: ${ssm:/alerts/mail}
  smtp_tls_config: {ca_file: %s, server_name: example.com}
route:
  receiver: team
  group_by: [alertname, function]
  group_wait: 1s
  group_interval: 1s
receivers:
  - name: team
    slack_configs:
      - channel: '#alerts'
        app_token: ${ssm:/alerts/slack}
        app_url: %s/api/chat.postMessage
    email_configs:
      - to: ops@example.com
`, mail.Port, mail.CA, slack.URL),
	} {
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dir := testkit.Dir(t)
	args := []string{"--services", "none", "--without-rule", "all", "--rules", filepath.Join(files, "rules.yml"), "--alerts", filepath.Join(files, "receivers.yml")}
	p := testkit.Start(t, dir, args...)
	run := func(stdin string, args ...string) string {
		t.Helper()
		out, errs, code := p.Run(t, stdin, args...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s%s\n%s", args, code, out, errs, p.Log())
		}
		return out
	}
	run("", "param", "put", "/alerts/slack", inbox.Token, "--type", "SecureString")
	run("", "param", "put", "/alerts/mail", "very secret", "--type", "SecureString")
	run("", "deploy", files)
	call := func(function string, times, failing int) {
		t.Helper()
		for i := range times {
			payload := fmt.Sprintf(`{"who":"%d","fail":%t}`, i, i < failing)
			out, err := admin(t, p).Invoke(t.Context(), "shop-dev-"+function, []byte(payload), false)
			if err != nil || (out.FunctionError != "") != (i < failing) {
				t.Fatalf("%s: %+v, %v", function, out, err)
			}
		}
	}
	call("healthy", 10, 0)
	call("rare", 2, 2)
	call("sixty", 10, 6)
	call("eighty", 10, 8)
	posts := slack.Await(t, 2)
	told := map[string]any{} // the message about each function
	for _, c := range posts {
		for _, name := range []string{"healthy", "sixty", "eighty", "idle", "rare"} {
			if strings.Contains(c.Text(), "FailsTooOften: shop-dev-"+name) {
				told[name] = c
			}
		}
		for _, want := range []string{"cannot charge card of", "payments team", "https://wiki.example.com/charge", "last hour"} {
			if !strings.Contains(c.Text(), want) {
				t.Errorf("%q is not in %s", want, c.Text())
			}
		}
	}
	if len(told) != 2 || told["sixty"] == nil || told["eighty"] == nil {
		t.Fatalf("told of %v", told)
	}
	first := map[string]inbox.Letter{}
	for range 2 {
		l := mail.Next(t)
		first[l.Subject] = l
	}
	if len(first) != 2 || first["[1 firing] FailsTooOften: shop-dev-sixty"].ID == "" {
		t.Fatalf("got mails %v", first)
	}

	eventually(t, "who was told is noted", func() (bool, string) {
		doc, err := os.ReadFile(filepath.Join(dir, "alerts", "told"))
		return strings.Count(string(doc), "slack") >= 2 && strings.Count(string(doc), "email") >= 2, fmt.Sprintf("%q %v", doc, err)
	})
	p.Kill() // who was told stays told
	p = testkit.Start(t, dir, args...)
	id := strings.Fields(run("", "alert", "silence", "add", "function=shop-dev-sixty", "--for", "1h", "--comment", "a test"))[0]
	if out := run("", "alert", "silence", "list"); !strings.Contains(out, id) || !strings.Contains(out, `function="shop-dev-sixty"`) {
		t.Errorf("silence list:\n%s", out)
	}
	run("", "alert", "silence", "expire", id)
	call("sixty", 10, 0)
	call("eighty", 20, 0)
	calls := slack.Await(t, 6)
	var edits, replies []string
	for _, c := range calls[2:] {
		switch ts, _ := c.Body["ts"].(string); {
		case c.Method == "chat.update" && strings.Contains(c.Text(), "Resolved: FailsTooOften"):
			edits = append(edits, ts)
		case c.Body["thread_ts"] != nil:
			replies = append(replies, fmt.Sprint(c.Body["thread_ts"]))
		default:
			t.Errorf("Slack got %s %s", c.Method, c.Text())
		}
	}
	slices.Sort(edits)
	slices.Sort(replies)
	if len(edits) != 2 || edits[0] == edits[1] || !slices.Equal(edits, replies) {
		t.Errorf("edited %v and answered in %v, want each of the two messages once", edits, replies)
	}
	keys := admin(t, p).Keys
	asked, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Console+"/api/v2/receivers", nil)
	if err != nil {
		t.Fatal(err)
	}
	asked.SetBasicAuth(keys.AccessKeyID, keys.SecretAccessKey)
	resp, err := visitor.Do(asked)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"name":"team"`) {
		t.Errorf("Alertmanager's API answered %s %s, %v", resp.Status, body, err)
	}
	for range 2 {
		l := mail.Next(t)
		begun := first[strings.Replace(l.Subject, "[resolved]", "[1 firing]", 1)]
		if begun.ID == "" || l.InReplyTo != begun.ID {
			t.Errorf("%q answers %q, want %q", l.Subject, l.InReplyTo, begun.ID)
		}
	}
	if out := run("", "alert", "receivers", "show"); !strings.Contains(out, "slack, email") || strings.Contains(out, inbox.Token) {
		t.Errorf("receivers show:\n%s", out)
	}
	if got := slack.Await(t, 6); len(got) != 6 {
		t.Errorf("Slack got %d messages, want 6", len(got))
	}
	if out := run("", "alert", "receivers", "test", "team"); !strings.Contains(out, "slack: delivered") || !strings.Contains(out, "email: delivered") {
		t.Errorf("receivers test:\n%s", out)
	}
	if _, errs, code := p.Run(t, "", "alert", "receivers", "put", filepath.Join(files, "receivers.yml")); code == 0 || !strings.Contains(errs, "with which the platform was started") {
		t.Errorf("receivers put: exit %d, %s", code, errs)
	}
}
