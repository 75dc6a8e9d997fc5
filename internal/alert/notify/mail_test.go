package notify_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/testkit"
)

// mailbox is a mail server of Nodemailer's, as npm has it.
type mailbox struct {
	port     int
	ca       string // file of the certificate that vouches for it
	received chan letter
}

// letter is a mail as the server understood it.
type letter struct {
	From, Subject, ID, InReplyTo, Text, HTML, User, Type string
	To                                                   []string
	Secure                                               bool
	References                                           any // a string, or a list of them
	Attachments                                          int
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	dir := t.TempDir()
	installed := testkit.NPM(t, "notify", "testdata/npm")
	identity := httptest.NewUnstartedServer(nil)
	identity.StartTLS()
	defer identity.Close()
	cert := identity.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{ca: filepath.Join(dir, "cert.pem"), received: make(chan letter, 10)}
	for path, b := range map[string]*pem.Block{m.ca: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, filepath.Join(dir, "key.pem"): {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", filepath.Join("testdata", "smtp.cjs"), filepath.Join(dir, "key.pem"), m.ca)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(installed, "node_modules"))
	cmd.Stderr = writer{t}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		t.Fatal("the mail server does not start")
	}
	if _, err := fmt.Sscanf(lines.Text(), `{"port":%d}`, &m.port); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			var l letter
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				t.Errorf("the mail server said %s", lines.Bytes())
			}
			m.received <- l
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-done
		_ = cmd.Wait()
	})
	return m
}

func (m *mailbox) next(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-m.received:
		return l
	case <-time.After(patience):
		t.Fatal("no mail")
		panic("unreachable")
	}
}

// mailing is a configuration that sends mail through m.
func (m *mailbox) mailing(to string) string {
	return fmt.Sprintf(`global:
  smtp_smarthost: 127.0.0.1:%d
  smtp_from: Alerts <alerts@example.com>
  smtp_auth_username: dropstack
  smtp_auth_password: ${ssm:/smtp/password}
  smtp_tls_config: {ca_file: %s, server_name: example.com}
`, m.port, m.ca) + routes("    email_configs:\n      - to: "+to+"\n")
}

func TestMailIsReceivedAndItsEndLandsInTheSameThread(t *testing.T) {
	m := newMailbox(t)
	n := open(t, t.TempDir(), func(n *notify.Notifier) {
		file(t, m.mailing("Ops <ops@example.com>, second@example.com"))(n)
		evidence(n)
	})
	defer closed(t, n)
	a := failing("charge")
	n.Send(t.Context(), a)
	first := m.next(t)
	if first.From != "alerts@example.com" || strings.Join(first.To, " ") != "ops@example.com second@example.com" || !first.Secure || first.User != "dropstack" {
		t.Errorf("got %+v", first)
	}
	if first.Subject != "[1 firing] ErrorRatio: charge" || first.Type != "multipart/alternative" || first.References != "" || first.Attachments != 0 {
		t.Errorf("got subject %q, type %s, references %v", first.Subject, first.Type, first.References)
	}
	for _, part := range []string{first.Text, first.HTML} {
		for _, want := range []string{"charge fails", "▁", "boom 4", "payments team", "http://127.0.0.1:8090/functions/charge", "shop-dev"} {
			if !strings.Contains(part, want) {
				t.Errorf("%q is not in\n%s", want, part)
			}
		}
	}
	if strings.Contains(first.HTML, "<charge>") || !strings.Contains(first.Text, "<charge> & co") {
		t.Errorf("HTML is not escaped, or text is:\n%s\n%s", first.HTML, first.Text)
	}
	n.Send(t.Context(), over(a))
	last := m.next(t)
	if last.Subject != "[resolved] ErrorRatio: charge" || last.References != first.ID || last.InReplyTo != first.ID || last.ID == first.ID {
		t.Errorf("got %q, referring to %v and %q, want it to be in the thread of %q", last.Subject, last.References, last.InReplyTo, first.ID)
	}
}

func TestMailThatIsRefusedIsAFailureWithoutThePassword(t *testing.T) {
	m := newMailbox(t)
	n := open(t, t.TempDir(), file(t, m.mailing("nobody@example.com")))
	defer closed(t, n)
	got, err := n.Test(t.Context(), notify.TestInput{Receiver: "team"})
	if err != nil || len(got.Results) != 1 || got.Results[0].Delivered || !strings.Contains(got.Results[0].Reason, "no such mailbox") {
		t.Errorf("got %+v, %v", got, err)
	}
	if f := n.Failures(); len(f) != 1 || strings.Contains(fmt.Sprint(f), "very secret") {
		t.Errorf("got %+v", f)
	}
}
