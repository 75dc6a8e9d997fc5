package notify_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/cli"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// TestMain lets the test's program be amtool, Alertmanager's own client and judge.
func TestMain(m *testing.M) {
	if os.Getenv("BE_AMTOOL") != "" {
		cli.Execute()
		return
	}
	os.Exit(m.Run())
}

// amtool runs amtool and returns what it prints.
func amtool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), "BE_AMTOOL=1", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestAmtoolSpeaksToTheAPI(t *testing.T) {
	s := inbox.NewSlack(t)
	dir := t.TempDir()
	n := open(t, dir, file(t, bot(s)))
	srv := httptest.NewServer(n.Handler())
	defer srv.Close()
	ask := func(args ...string) string {
		t.Helper()
		out, err := amtool(t, append([]string{"--alertmanager.url=" + srv.URL}, args...)...)
		if err != nil {
			t.Fatalf("amtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	id := strings.TrimSpace(ask("silence", "add", "--author=ops", "--comment=planned", "--duration=2h", "function=charge", "alertname=~Error.*"))
	if !regexp.MustCompile(`^[0-9a-f-]{36}$`).MatchString(id) {
		t.Fatalf("silence add printed %q, want an id", id)
	}
	// a crash right after the answer
	n2 := open(t, dir, file(t, bot(s)))
	again := httptest.NewServer(n2.Handler())
	defer again.Close()
	if out, err := amtool(t, "--alertmanager.url="+again.URL, "silence", "query"); err != nil || !strings.Contains(out, id) || !strings.Contains(out, "planned") {
		t.Errorf("after a crash: %v\n%s", err, out)
	}
	closed(t, n2)
	n.Send(t.Context(), failing("charge"), failing("refund"))
	s.Await(t, 1)
	if out := ask("alert", "query"); strings.Contains(out, "charge fails") || !strings.Contains(out, "refund fails") {
		t.Errorf("alert query:\n%s", out)
	}
	if out := ask("alert", "query", "--silenced", "function=charge"); !strings.Contains(out, "charge fails") {
		t.Errorf("alert query --silenced:\n%s", out)
	}
	ask("silence", "expire", id)
	if out := ask("silence", "query", "--expired"); !strings.Contains(out, id) {
		t.Errorf("silence query --expired:\n%s", out)
	}
	calls := s.Await(t, 2) // of both: the silence is over
	if got := calls[0].Text() + calls[1].Text(); !strings.Contains(got, "charge") || !strings.Contains(got, "refund") {
		t.Errorf("Slack got %s", got)
	}
	ask("alert", "add", "alertname=Manual", "severity=info", "--annotation=summary=by hand")
	s.Await(t, 3)
	if out := ask("config", "show"); !strings.Contains(out, "receiver: team") || strings.Contains(out, inbox.Token) || !strings.Contains(out, "<secret>") {
		t.Errorf("config show:\n%s", out)
	}
	closed(t, n)
}

func TestAmtoolAcceptsWhatIsBuiltIn(t *testing.T) {
	for _, mail := range []notify.Mail{{}, {Server: "mail.example.com:587", From: "dropstack@example.com", To: "ops@example.com"}} {
		n := open(t, t.TempDir(), func(n *notify.Notifier) { n.Mail = mail })
		defer closed(t, n)
		path := filepath.Join(t.TempDir(), "built-in.yml")
		if err := os.WriteFile(path, []byte(n.Configuration()), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := amtool(t, "check-config", path); err != nil || !strings.Contains(out, "SUCCESS") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
