package topic_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/topic"
)

// post is a mail server that speaks enough of RFC 5321 for a submission: EHLO,
// STARTTLS, AUTH PLAIN, one message. It takes no password in the clear and refuses
// mail for nobody@….
type post struct {
	net.Listener
	tls     *tls.Config
	letters chan *mail.Message
}

func newPost(t *testing.T) (*post, *x509.CertPool) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &post{l, &tls.Config{Certificates: web.TLS.Certificates}, make(chan *mail.Message, 100)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p, roots
}

func (p *post) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c, secure, known := textproto.NewConn(conn), false, false
	_ = c.PrintfLine("220 post")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, arg, _ := strings.Cut(line, " ")
		switch {
		case verb == "EHLO" && secure:
			_ = c.PrintfLine("250-post\r\n250 AUTH PLAIN")
		case verb == "EHLO":
			_ = c.PrintfLine("250-post\r\n250 STARTTLS")
		case verb == "STARTTLS":
			_ = c.PrintfLine("220 go on")
			conn = tls.Server(conn, p.tls)
			c, secure = textproto.NewConn(conn), true
		case verb == "AUTH":
			secret, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(arg, "PLAIN "))
			if known = secure && string(secret) == "\x00user\x00password"; !known {
				_ = c.PrintfLine("535 no")
				continue
			}
			_ = c.PrintfLine("235 yes")
		case !known && verb != "QUIT":
			_ = c.PrintfLine("530 who are you")
		case verb == "RCPT" && strings.Contains(arg, "<nobody@"):
			_ = c.PrintfLine("550 nobody of that name")
		case verb == "DATA":
			_ = c.PrintfLine("354 go on")
			m, err := mail.ReadMessage(bufio.NewReader(c.DotReader()))
			if err != nil {
				return
			}
			body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if err != nil {
				return
			}
			m.Body = strings.NewReader(string(body))
			p.letters <- m
			_ = c.PrintfLine("250 it is mine now")
		case verb == "QUIT":
			_ = c.PrintfLine("221 bye")
			return
		default:
			_ = c.PrintfLine("250 fine")
		}
	}
}

// next returns the text and the subject of the next letter to somebody.
func (p *post) next(t *testing.T, to string) (subject, text string) {
	t.Helper()
	select {
	case m := <-p.letters:
		if got := m.Header.Get("To"); got != "<"+to+">" {
			t.Errorf("a letter to %s, want %s", got, to)
		}
		body, err := io.ReadAll(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
			t.Fatal(err)
		}
		return subject, strings.ReplaceAll(string(body), "\r\n", "\n")
	case <-time.After(20 * time.Second):
		t.Fatal("no letter came")
		return "", ""
	}
}

func TestMailConfirmsAndReceives(t *testing.T) {
	to := newTopics(t, streams(t), serial{})
	edited(t, to)
	server, roots := newPost(t)
	to.Mail = &topic.SMTP{Server: server.Addr().String(), From: "Dropstack <sns@example.com>", User: "user", Password: "password", RequireTLS: true, RootCAs: roots}
	run(t, to)
	at := create(t, to, "orders")
	token := regexp.MustCompile(`Token=([0-9a-f]+)`)
	for _, c := range []struct{ protocol, address string }{{"email", "person@example.com"}, {"email-json", "program@example.com"}} {
		must(t, to.Subscribe, topic.SubscribeInput{TopicArn: at, Protocol: c.protocol, Endpoint: c.address})
		subject, text := server.next(t, c.address)
		found := token.FindStringSubmatch(text)
		if subject != "AWS Notification - Subscription Confirmation" || found == nil {
			t.Fatalf("asked with %q %s", subject, text)
		}
		must(t, to.ConfirmSubscription, topic.ConfirmSubscriptionInput{TopicArn: at, Token: found[1]})
		must(t, to.Publish, topic.PublishInput{TopicArn: at, Message: "Grüße\nund\n.\nmehr", Subject: "Übersicht"})
		subject, text = server.next(t, c.address)
		if subject != "Übersicht" {
			t.Errorf("subject %q, want Übersicht", subject)
		}
		if c.protocol == "email" {
			if !strings.HasPrefix(text, "Grüße\nund\n.\nmehr\n") || !strings.Contains(text, "Action=Unsubscribe") {
				t.Errorf("got %q, want the message and the way out", text)
			}
			must(t, to.Unsubscribe, topic.UnsubscribeInput{SubscriptionArn: to.Subscriptions()[0].ARN})
			continue
		}
		var p map[string]any
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		verify(t, to, p, "Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
	}
}

func TestMailThatIsRefused(t *testing.T) {
	server, roots := newPost(t)
	smtp := topic.SMTP{Server: server.Addr().String(), From: "sns@example.com", User: "user", Password: "password", RootCAs: roots}
	for name, c := range map[string]struct {
		change func(*topic.SMTP)
		to     string
		want   string
	}{
		"nobody of that name": {func(*topic.SMTP) {}, "nobody@example.com", "550"},
		"a wrong password":    {func(s *topic.SMTP) { s.Password = "guess" }, "a@example.com", "535"},
		"a stranger's server": {func(s *topic.SMTP) { s.RootCAs = nil }, "a@example.com", "certificate"},
		"nobody at home":      {func(s *topic.SMTP) { s.Server = "127.0.0.1:1" }, "a@example.com", "reach the SMTP server"},
	} {
		s := smtp
		c.change(&s)
		err := s.Mail(t.Context(), c.to, "s", "t")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: got %v, want it to say %q", name, err, c.want)
		}
	}
	if err := smtp.Check(); err != nil {
		t.Error(err)
	}
	for _, wrong := range []topic.SMTP{{Server: "mail", From: "a@b.c"}, {Server: "mail:25", From: "a"}} {
		if wrong.Check() == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
