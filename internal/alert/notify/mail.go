package notify

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/nflog"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/email"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"
)

// mailSender sends a mail for each change of a group; those about the same trouble
// are a thread. The engine's own sender waits for ever for a server that is silent, and
// speaks TLS only where it is demanded.
type mailSender struct {
	conf   *config.EmailConfig
	tmpl   *template.Template
	log    *slog.Logger
	dialer *net.Dialer
}

// mailRoot is the Message-ID of the first mail of a group, in the notification log.
const mailRoot = "mail_root"

// Notify sends the mail. What the server refuses for good is not tried again before
// the group is due again.
func (s *mailSender) Notify(ctx context.Context, list ...*am.Alert) (again bool, err error) {
	data := engine.GetTemplateData(ctx, s.tmpl, list, s.log)
	l, err := s.compose(data)
	if err != nil {
		return false, err
	}
	store, known := engine.NflogStore(ctx)
	if !known {
		store = nflog.NewStore(nil)
	}
	l.id = "<" + rand.Text() + "@" + domain(l.from.Address) + ">"
	l.root, _ = store.GetStr(mailRoot)
	if err := s.deliver(ctx, l); err != nil {
		e, ok := errors.AsType[*textproto.Error](err)
		return !ok || e.Code < 500, err
	}
	if l.root == "" {
		store.SetStr(mailRoot, l.id)
	}
	return false, nil
}

// deliver has the conversation with the server.
func (s *mailSender) deliver(ctx context.Context, l *letter) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return fmt.Errorf("reach the SMTP server: %w", err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	c, err := smtp.NewClient(conn, s.conf.Smarthost.Host)
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer func() { _ = c.Close() }()
	if err := s.greet(c); err != nil {
		return fmt.Errorf("greet the SMTP server: %w", err)
	}
	if err := c.Mail(l.from.Address); err != nil {
		return fmt.Errorf("sender %s: %w", l.from.Address, err)
	}
	for _, to := range l.to {
		if err := c.Rcpt(to.Address); err != nil {
			return fmt.Errorf("recipient %s: %w", to.Address, err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(l.bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil { // here the server answers for the message
		return fmt.Errorf("the SMTP server refused the message: %w", err)
	}
	_ = c.Quit() // it has the message
	return nil
}

// implicit says whether the server speaks TLS from the first byte on.
func (s *mailSender) implicit() bool {
	if s.conf.ForceImplicitTLS != nil {
		return *s.conf.ForceImplicitTLS
	}
	return s.conf.Smarthost.Port == "465"
}

func (s *mailSender) dial(ctx context.Context) (net.Conn, error) {
	if !s.implicit() {
		return s.dialer.DialContext(ctx, "tcp", s.conf.Smarthost.String())
	}
	conf, err := s.tls()
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: s.dialer, Config: conf}).DialContext(ctx, "tcp", s.conf.Smarthost.String())
}

func (s *mailSender) tls() (*tls.Config, error) {
	given := s.conf.TLSConfig
	if given == nil {
		given = &commoncfg.TLSConfig{}
	}
	conf, err := commoncfg.NewTLSConfig(given)
	if err == nil && conf.ServerName == "" {
		conf.ServerName = s.conf.Smarthost.Host
	}
	return conf, err
}

// greet says who we are, by TLS if the server has it.
func (s *mailSender) greet(c *smtp.Client) error {
	if s.conf.Hello != "" {
		if err := c.Hello(s.conf.Hello); err != nil {
			return err
		}
	}
	offered, _ := c.Extension("STARTTLS")
	switch {
	case s.implicit():
	case offered:
		conf, err := s.tls()
		if err != nil {
			return err
		}
		if err := c.StartTLS(conf); err != nil {
			return err
		}
	case s.conf.RequireTLS != nil && *s.conf.RequireTLS:
		return errors.New("the server offers no TLS, which smtp_require_tls demands unless it is false")
	}
	if s.conf.AuthUsername == "" {
		return nil
	}
	_, mechanisms := c.Extension("AUTH")
	auth, err := s.auth(mechanisms)
	if err != nil {
		return err
	}
	return c.Auth(auth)
}

// auth is the first way to log in that the server offers and there is a secret for.
func (s *mailSender) auth(mechanisms string) (smtp.Auth, error) {
	for mechanism := range strings.FieldsSeq(mechanisms) {
		switch mechanism {
		case "CRAM-MD5":
			secret, err := secretOf(string(s.conf.AuthSecret), s.conf.AuthSecretFile)
			if err != nil {
				return nil, err
			}
			if secret != "" {
				return smtp.CRAMMD5Auth(s.conf.AuthUsername, secret), nil
			}
		case "PLAIN", "LOGIN":
			password, err := secretOf(string(s.conf.AuthPassword), s.conf.AuthPasswordFile)
			if err != nil {
				return nil, err
			}
			if mechanism == "LOGIN" {
				return email.LoginAuth(s.conf.AuthUsername, password), nil
			}
			return smtp.PlainAuth(s.conf.AuthIdentity, s.conf.AuthUsername, password, s.conf.Smarthost.Host), nil
		}
	}
	return nil, fmt.Errorf("the server offers to log in by %q, of which none is CRAM-MD5, PLAIN or LOGIN with a secret that is configured", mechanisms)
}

// secretOf is a secret that stands in the configuration or in a file.
func secretOf(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func domain(address string) string {
	_, d, _ := strings.Cut(address, "@")
	return d
}

// addresses reads the From and the To of the configuration.
func addresses(from, to string) (*mail.Address, []*mail.Address, error) {
	sender, err := mail.ParseAddress(from)
	if err != nil {
		return nil, nil, fmt.Errorf("the sender %q is not an address: %w", from, err)
	}
	list, err := mail.ParseAddressList(to)
	if err != nil {
		return nil, nil, fmt.Errorf("the recipients %q are not addresses: %w", to, err)
	}
	return sender, list, nil
}
