package inbox

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
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// Mailbox is a mail server of Nodemailer's, as npm has it.
type Mailbox struct {
	Port     int
	CA       string // file of the certificate that vouches for it
	received chan Letter
}

// Letter is a mail as the server understood it.
type Letter struct {
	From, Subject, ID, InReplyTo, Text, HTML, User, Type string
	To                                                   []string
	Secure                                               bool
	References                                           any // a string, or a list of them
	Attachments                                          int
}

// NewMailbox starts one for a test, which takes mail by TLS alone, from who logs in.
func NewMailbox(t *testing.T) *Mailbox { return newMailbox(t, "secure") }

// NewPlainMailbox starts one that has no TLS and takes mail from everybody.
func NewPlainMailbox(t *testing.T) *Mailbox { return newMailbox(t, "plain") }

func newMailbox(t *testing.T, kind string) *Mailbox {
	t.Helper()
	dir := t.TempDir()
	installed := Packages(t)
	identity := httptest.NewUnstartedServer(nil)
	identity.StartTLS()
	defer identity.Close()
	cert := identity.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	m := &Mailbox{CA: filepath.Join(dir, "cert.pem"), received: make(chan Letter, 10)}
	for path, b := range map[string]*pem.Block{m.CA: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, filepath.Join(dir, "key.pem"): {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("node", filepath.Join(testkit.Root(t), "internal", "testkit", "inbox", "testdata", "smtp.cjs"), filepath.Join(dir, "key.pem"), m.CA, kind)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(installed, "node_modules"))
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
	if _, err := fmt.Sscanf(lines.Text(), `{"port":%d}`, &m.Port); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			var l Letter
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

// Next is the next mail.
func (m *Mailbox) Next(t *testing.T) Letter {
	t.Helper()
	select {
	case l := <-m.received:
		return l
	case <-time.After(patience):
		t.Fatal("no mail")
		panic("unreachable")
	}
}

// Packages is the directory of what npm has installed: the mail server, and Slack's
// types.
func Packages(t *testing.T) string {
	t.Helper()
	return testkit.NPM(t, "inbox", filepath.Join(testkit.Root(t), "internal", "testkit", "inbox", "testdata", "npm"))
}
