package topic

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"
)

// Mailer sends an e-mail of plain text.
type Mailer interface {
	Mail(ctx context.Context, to, subject, text string) error
}

// SMTP sends through a server. It speaks TLS as soon as the server offers it, and
// gives the password away only then, or on this machine.
type SMTP struct {
	Server   string // host:port
	From     string // an address, or "Name <address>"
	User     string // "": no authentication
	Password string
	// RequireTLS refuses a server that does not offer TLS.
	RequireTLS bool
	RootCAs    *x509.CertPool // nil: the system's
}

// Check says what is wrong with the configuration.
func (s *SMTP) Check() error {
	if _, _, err := net.SplitHostPort(s.Server); err != nil {
		return fmt.Errorf("the SMTP server %q is not host:port: %w", s.Server, err)
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		return fmt.Errorf("the sender %q is not an address: %w", s.From, err)
	}
	return nil
}

// mailTimeout bounds the whole conversation with the server.
const mailTimeout = time.Minute

// Mail hands one message to the server. What the server refuses for good (5xx) is
// not worth another attempt.
func (s *SMTP) Mail(ctx context.Context, to, subject, text string) (err error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return fmt.Errorf("reach the SMTP server: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		_ = conn.Close()
		return worded(err)
	}
	defer func() { _ = c.Close() }()
	if err := s.greet(c, host); err != nil {
		return worded(err)
	}
	return worded(s.hand(c, from, to, subject, text))
}

func (s *SMTP) greet(c *smtp.Client, host string) error {
	if offered, _ := c.Extension("STARTTLS"); offered {
		if err := c.StartTLS(&tls.Config{ServerName: host, RootCAs: s.RootCAs, MinVersion: tls.VersionTLS12}); err != nil {
			return err
		}
	} else if s.RequireTLS {
		return errors.New("the server offers no TLS")
	}
	if s.User == "" {
		return nil
	}
	return c.Auth(smtp.PlainAuth("", s.User, s.Password, host))
}

func (s *SMTP) hand(c *smtp.Client, from *mail.Address, to, subject, text string) error {
	if err := c.Mail(from.Address); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(letter(from, to, subject, text)); err != nil {
		return err
	}
	if err := w.Close(); err != nil { // here the server answers for the message
		return err
	}
	return c.Quit()
}

// letter is the message with its headers.
func letter(from *mail.Address, to, subject, text string) []byte {
	var b strings.Builder
	head := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	_, domain, _ := strings.Cut(from.Address, "@")
	head("From", from.String())
	head("To", (&mail.Address{Address: to}).String())
	head("Subject", mime.QEncoding.Encode("utf-8", subject))
	head("Date", time.Now().Format(time.RFC1123Z))
	head("Message-ID", "<"+rand.Text()+"@"+domain+">")
	head("MIME-Version", "1.0")
	head("Content-Type", "text/plain; charset=utf-8")
	head("Content-Transfer-Encoding", "quoted-printable")
	head("Auto-Submitted", "auto-generated")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	_, _ = q.Write([]byte(text)) // into memory
	_ = q.Close()
	return []byte(b.String())
}

// worded marks what the server refuses for good.
func worded(err error) error {
	if e, ok := errors.AsType[*textproto.Error](err); ok && e.Code >= 500 {
		return refused{fmt.Errorf("the SMTP server refused: %w", err)}
	}
	if err != nil {
		return fmt.Errorf("send through the SMTP server: %w", err)
	}
	return nil
}
