package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit/inbox"
)

// mailing is a configuration that sends mail through m.
func mailing(m *inbox.Mailbox, to string) string {
	return fmt.Sprintf(`global:
  smtp_smarthost: 127.0.0.1:%d
  smtp_from: Alerts <alerts@example.com>
  smtp_auth_username: dropstack
  smtp_auth_password: ${ssm:/smtp/password}
  smtp_tls_config: {ca_file: %s, server_name: example.com}
`, m.Port, m.CA) + routes("    email_configs:\n      - to: "+to+"\n")
}

func TestMailIsReceivedAndItsEndLandsInTheSameThread(t *testing.T) {
	m := inbox.NewMailbox(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, mailing(m, "Ops <ops@example.com>, second@example.com"))(n)
		evidence(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	first := m.Next(t)
	if first.From != "alerts@example.com" || strings.Join(first.To, " ") != "ops@example.com second@example.com" || !first.Secure || first.User != "dropstack" {
		t.Errorf("got %+v", first)
	}
	if first.Subject != "[1 firing] ErrorRatio: charge" || first.Type != "multipart/alternative" || first.References != "" || first.Attachments != 0 {
		t.Errorf("got subject %q, type %s, references %v", first.Subject, first.Type, first.References)
	}
	for _, part := range []string{first.Text, first.HTML} {
		for _, want := range []string{"charge fails", "▁", "boom 4", "payments team", "http://127.0.0.1:8090/#/functions/charge", "shop-dev"} {
			if !strings.Contains(part, want) {
				t.Errorf("%q is not in\n%s", want, part)
			}
		}
	}
	if strings.Contains(first.HTML, "<charge>") || !strings.Contains(first.Text, "<charge> & co") {
		t.Errorf("HTML is not escaped, or text is:\n%s\n%s", first.HTML, first.Text)
	}
	n.Send(t.Context(), over(a))
	last := m.Next(t)
	if last.Subject != "[resolved] ErrorRatio: charge" || last.References != first.ID || last.InReplyTo != first.ID || last.ID == first.ID {
		t.Errorf("got %q, referring to %v and %q, want it to be in the thread of %q", last.Subject, last.References, last.InReplyTo, first.ID)
	}
}

func TestMailThatIsRefusedIsAFailureWithoutThePassword(t *testing.T) {
	m := inbox.NewMailbox(t)
	n := open(t, t.TempDir(), file(t, mailing(m, "nobody@example.com")))
	defer closed(t, n)
	got, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"})
	if err != nil || len(got.Results) != 1 || got.Results[0].Delivered || !strings.Contains(got.Results[0].Reason, "no such mailbox") {
		t.Errorf("got %+v, %v", got, err)
	}
	if f := n.Failures(); len(f) != 1 || strings.Contains(fmt.Sprint(f), "very secret") {
		t.Errorf("got %+v", f)
	}
}

func TestAsLongAsNothingIsSaidMailGoesToTheOperator(t *testing.T) {
	m := inbox.NewPlainMailbox(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		n.Mail = notify.Mail{Server: fmt.Sprintf("127.0.0.1:%d", m.Port), From: "dropstack@example.com", To: "ops@example.com"}
	})
	defer closed(t, n)
	n.Send(t.Context(), failing("charge"), failing("refund"))
	got := map[string]bool{}
	for range 2 {
		l := m.Next(t)
		got[l.Subject] = l.From == "dropstack@example.com" && l.To[0] == "ops@example.com" && !l.Secure
	}
	if !got["[1 firing] ErrorRatio: charge"] || !got["[1 firing] ErrorRatio: refund"] {
		t.Errorf("got %v", got)
	}
}
