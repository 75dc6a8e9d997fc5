package notify_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

func TestAConfigurationThatIsWrongIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		trusted bool
		want    string
	}{
		"empty":                {"", false, "r.yml: nothing in it"},
		"not YAML":             {"route:\n\treceiver: a\n", false, "r.yml:2: found character that cannot start any token"},
		"no object":            {"vm\n", false, "r.yml:1: `vm` does not belong here"},
		"no route":             {"receivers: [{name: a}]\n", false, "r.yml: no routes provided"},
		"an unknown key":       {"route:\n  receiver: a\n  group_wiat: 1s\nreceivers: [{name: a}]\n", false, "r.yml:3: field group_wiat not found"},
		"a receiver's name":    {"route:\n  receiver: a\n  routes:\n    - receiver: b\nreceivers: [{name: a}]\n", false, `r.yml:4: undefined receiver "b" used in route`},
		"a duration":           {"route:\n  receiver: a\n  repeat_interval: soon\nreceivers: [{name: a}]\n", false, `r.yml:3: not a valid duration string: "soon"`},
		"a matcher":            {"route:\n  receiver: a\n  routes:\n    - matchers: [severity]\nreceivers: [{name: a}]\n", false, "severity"},
		"hours":                {"route:\n  receiver: a\n  routes:\n    - mute_time_intervals: [nights]\nreceivers: [{name: a}]\n", false, `r.yml:4: undefined time interval "nights" used in route`},
		"a secret":             {"route: {receiver: a}\nreceivers:\n  - name: a\n    slack_configs:\n      - channel: '#a'\n        app_token: xoxb-1\n", false, "r.yml:6: app_token is a secret: keep it with"},
		"a secret of the file": {"route: {receiver: a}\nreceivers:\n  - name: a\n    pagerduty_configs:\n      - routing_key: abc\n", true, "r.yml:5: routing_key is a secret"},
		"an integration":       {"route: {receiver: a}\nreceivers:\n  - name: a\n    telegram_configs:\n      - chat_id: 1\n", false, "r.yml:5: telegram_configs: messages go to slack_configs"},
		"a file, by the API":   {"route: {receiver: a}\nreceivers:\n  - name: a\n    webhook_configs:\n      - url_file: /etc/shadow\n", false, "r.yml:5: url_file: only the file of `up --alerts` may name files"},
		"mail without server":  {"route: {receiver: a}\nreceivers:\n  - name: a\n    email_configs:\n      - to: ops@example.com\n", false, "no global SMTP smarthost set"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if c.trusted {
				path := filepath.Join(t.TempDir(), "r.yml")
				if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
					t.Fatal(err)
				}
				n := &notify.Notifier{Dir: t.TempDir(), File: path, Log: quiet}
				err = n.Open(t.Context())
			} else {
				n := open(t, t.TempDir(), nil)
				defer closed(t, n)
				_, err = n.Put(t.Context(), notify.PutInput{Name: "r.yml", Configuration: c.text})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReceiversArePutShownAndTriedOut(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	var asked []string
	readable := func(n *notify.Notifier) {
		n.Readable = func(_ context.Context, name string) error {
			asked = append(asked, name)
			if name == "/not/yours" {
				return fault.Errorf(fault.Denied, "you may not")
			}
			return nil
		}
	}
	n := open(t, dir, readable)
	before, err := n.Get(t.Context())
	if err != nil || before.Source != "built in" || len(before.Receivers) != 1 || before.Receivers[0].Name != "console" {
		t.Errorf("got %+v, %v", before, err)
	}
	stolen := strings.Replace(bot(s), "/slack/token", "/not/yours", 1)
	if _, err := n.Put(t.Context(), notify.PutInput{Configuration: stolen}); fault.KindOf(err) != fault.Denied {
		t.Errorf("a secret that the caller may not read: got %v", err)
	}
	got, err := n.Put(t.Context(), notify.PutInput{Name: "team.yml", Configuration: bot(s)})
	if err != nil || len(got.Receivers) != 1 || got.Receivers[0].Integrations[0] != "slack" || asked[len(asked)-1] != "/slack/token" {
		t.Fatalf("got %+v, %v; asked for %v", got, err, asked)
	}
	if strings.Contains(got.Configuration, inbox.Token) || !strings.Contains(got.Configuration, "app_token: <secret>") {
		t.Errorf("got %s", got.Configuration)
	}
	closed(t, n)
	n = open(t, dir, readable) // it was stored
	defer closed(t, n)
	tested, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"})
	if err != nil || len(tested.Results) != 1 || !tested.Results[0].Delivered {
		t.Errorf("got %+v, %v", tested, err)
	}
	if got := s.Await(t, 1)[0]; !strings.Contains(got.Text(), "A test: alerts reach you") {
		t.Errorf("got %v", got)
	}
	if _, err := n.Test(t.Context(), notify.TestInput{Receiver: "teem"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestSilencesAreAddedListedAndExpired(t *testing.T) {
	dir := t.TempDir()
	n := open(t, dir, nil)
	defer closed(t, n)
	put, err := n.Silence(t.Context(), notify.PutSilenceInput{Matchers: []string{`function=charge`, `alertname=~"Error.*"`}, Seconds: 7200, Comment: "planned"})
	if err != nil || put.State != "active" || strings.Join(put.Matchers, " ") != `function="charge" alertname=~"Error.*"` {
		t.Fatalf("got %+v, %v", put, err)
	}
	again := open(t, crashed(t, dir), nil)
	defer closed(t, again)
	if list, err := again.Silences(t.Context(), notify.ListSilencesInput{}); err != nil || len(list.Silences) != 1 || list.Silences[0].ID != put.ID || list.Silences[0].Comment != "planned" {
		t.Errorf("after a crash: got %+v, %v", list, err)
	}
	if _, err := n.Expire(t.Context(), notify.SilenceID{ID: put.ID}); err != nil {
		t.Fatal(err)
	}
	now, err := n.Silences(t.Context(), notify.ListSilencesInput{})
	all, err2 := n.Silences(t.Context(), notify.ListSilencesInput{Expired: true})
	if err := errors.Join(err, err2); err != nil || len(now.Silences) != 0 || len(all.Silences) != 1 || all.Silences[0].State != "expired" {
		t.Errorf("got %+v and %+v, %v", now, all, err)
	}
	for name, in := range map[string]notify.PutSilenceInput{
		"no matcher":    {Seconds: 1, Comment: "x"},
		"no comment":    {Matchers: []string{"a=b"}, Seconds: 1},
		"no time":       {Matchers: []string{"a=b"}, Comment: "x"},
		"no such form":  {Matchers: []string{"a"}, Seconds: 1, Comment: "x"},
		"matches all":   {Matchers: []string{"a=~.*"}, Seconds: 1, Comment: "x"},
		"a wrong regex": {Matchers: []string{"a=~("}, Seconds: 1, Comment: "x"},
	} {
		if _, err := n.Silence(t.Context(), in); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := n.Expire(t.Context(), notify.SilenceID{ID: "nobody"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestThePasswordOfThePlatformsMailServerGoesToNoOther(t *testing.T) {
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		n.Mail = notify.Mail{Server: "mail.example.com:587", From: "dropstack@example.com", User: "dropstack", Password: "very secret", RequireTLS: true}
	})
	defer closed(t, n)
	for name, c := range map[string]struct{ text, want, not string }{
		"ours":     {"", "auth_password: <secret>", "evil"},
		"another":  {"        smarthost: evil.example:25\n        from: a@example.com\n        require_tls: false\n", "smarthost: evil.example:25", "auth_password"},
		"a sender": {"        from: a@example.com\n", "from: a@example.com", "dropstack@example.com"},
	} {
		got, err := n.Put(t.Context(), notify.PutInput{Configuration: "route: {receiver: a}\nreceivers:\n  - name: a\n    email_configs:\n      - to: ops@example.com\n" + c.text})
		if err != nil || !strings.Contains(got.Configuration, c.want) || strings.Contains(got.Configuration, c.not) || strings.Contains(got.Configuration, "very secret") {
			t.Errorf("%s: got %v\n%s", name, err, got.Configuration)
		}
	}
}
