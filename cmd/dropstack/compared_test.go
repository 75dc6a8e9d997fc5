package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/monitor/comparison"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// TestADeploymentThatIsWorse deploys code that fails for every third caller: people are
// told as soon as that is known, though nobody calls the other function.
func TestADeploymentThatIsWorse(t *testing.T) {
	t.Parallel() // most of it is waiting for the comparison
	slack := inbox.NewSlack(t)
	files := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(files, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("serverless.yml", `service: till
provider: {name: aws, runtime: nodejs20.x}
functions:
  pay: {handler: index.pay}
  list: {handler: index.list}
`)
	put("receivers.yml", fmt.Sprintf(`route: {receiver: team, group_by: [alertname, function], group_wait: 1s, group_interval: 1s}
receivers:
  - name: team
    slack_configs: [{channel: '#alerts', app_token: '${ssm:/alerts/slack}', app_url: '%s/api/chat.postMessage'}]
`, slack.URL))
	put("index.js", "exports.pay = async (e) => 'paid'; exports.list = async () => []\n")
	p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--without-rule", "all", "--alerts", filepath.Join(files, "receivers.yml"))
	dropstack(t, p, "", "param", "put", "/alerts/slack", inbox.Token, "--type", "SecureString")
	calls := func(failing bool) {
		t.Helper()
		for i := range 240 {
			out, err := admin(t, p).Invoke(t.Context(), "till-dev-pay", fmt.Appendf(nil, `{"n":%d}`, i), false)
			if err != nil || (out.FunctionError != "") != (failing && i%3 == 0) {
				t.Fatalf("call %d: %+v, %v", i, out, err)
			}
		}
	}
	dropstack(t, p, "", "deploy", files)
	calls(false)
	put("index.js", "exports.pay = async (e) => { if (e.n % 3 == 0) throw new Error('the till is closed'); return 'paid' }\nexports.list = async () => []\n")
	dropstack(t, p, "", "deploy", files)
	calls(true)
	var c comparison.Comparison
	eventually(t, "the deployment is found worse", func() (bool, string) {
		out := dropstack(t, p, "", "monitor", "deployments", "till-dev", "--json")
		if err := json.Unmarshal([]byte(out), &c); err != nil || len(c.Functions) != 2 {
			return false, out
		}
		return c.Functions[0].Verdict != "", out
	})
	f := c.Functions[0]
	if f.Name != "till-dev-pay" || f.Verdict != comparison.Worse || !f.Graver || f.Old.Invocations != 240 || f.Old.Errors != 0 || f.New.Invocations != 240 || f.New.Errors != 80 {
		t.Errorf("got %+v", f)
	}
	if c.Verdict != comparison.Pending || c.Functions[1].Verdict != "" {
		t.Errorf("of what nobody has called: %s, %+v", c.Verdict, c.Functions[1])
	}
	if told := slack.Await(t, 1)[0].Text(); !strings.Contains(told, "till-dev-pay is worse since the deployment of") || !strings.Contains(told, "dropstack rollback") {
		t.Errorf("people are told %s", told)
	}
	if out := dropstack(t, p, "", "monitor", "deployments", "till-dev"); !strings.Contains(out, "worse") || !strings.Contains(out, "till-dev-pay") {
		t.Errorf("monitor deployments:\n%s", out)
	}
}
