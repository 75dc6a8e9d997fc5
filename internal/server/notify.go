package server

import (
	"cmp"
	"context"
	"net/mail"
	"os"
	"path/filepath"
	"slices"

	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/secret"
)

func (c *Config) checkAlerts() error {
	if c.Alerts != "" {
		if _, err := os.Stat(c.Alerts); err != nil {
			return fault.Errorf(fault.Invalid, "--alerts: %w", err)
		}
	}
	if c.AlertEmail == "" {
		return nil
	}
	if _, err := mail.ParseAddressList(c.AlertEmail); err != nil {
		return fault.Errorf(fault.Invalid, "--alert-email %q is not an address: %w", c.AlertEmail, err)
	}
	if c.SMTP.Server == "" {
		return fault.Errorf(fault.Invalid, "--alert-email %s: there is no mail server; name one with --smtp", c.AlertEmail)
	}
	return nil
}

// openNotifier opens who tells people of alerts.
func (r *rooms) openNotifier(ctx context.Context, cfg Config, console string) error {
	r.notifier = &notify.Notifier{
		Dir: filepath.Join(cfg.Dir, "alerts"), File: cfg.Alerts, Console: console, Log: cfg.Log,
		Mail: notify.Mail{
			Server: cfg.SMTP.Server, From: cfg.SMTP.From, User: cfg.SMTP.User, Password: cfg.SMTP.Password,
			RequireTLS: cfg.SMTP.RequireTLS, To: cfg.AlertEmail,
		},
		Parameter: r.secrets.forAlerts,
		Readable: func(ctx context.Context, name string) error {
			_, err := r.secrets.parameters.Resolve(ctx, []string{name})
			return err
		},
		Logs: witnesses{r.logs}, Metrics: r.metrics, Counts: r.metrics,
	}
	if err := r.notifier.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, r.notifier.Close)
	return nil
}

// forAlerts reads a parameter for a message about an alert. Whoever said that it be
// sent was allowed to read it then.
func (s *secrets) forAlerts(ctx context.Context, name string) (string, error) {
	ctx = iam.With(withItself(ctx), iam.Principal{Type: iam.TypeService, Name: "alerts.dropstack"}, iam.Request{UserAgent: "dropstack", SecureTransport: true})
	out, err := s.parameters.GetParameter(ctx, secret.GetParameterInput{Name: name, WithDecryption: true})
	if failed := s.parameters.Record(ctx, "GetParameter", []string{name}, err); failed != nil {
		return "", cmp.Or(err, fault.Errorf(fault.Unavailable, "record that a parameter is read: %w", failed))
	}
	return out.Parameter.Value, err
}

// witnesses finds log records that bear witness to alerts.
type witnesses struct{ *logs.Store }

// errorWords are what the errors of functions have in them.
const errorWords = `?ERROR ?Error ?error ?FATAL ?Exception ?panic ?"Task timed out"`

// Newest are the newest errors of a function, the newest first.
func (w witnesses) Newest(ctx context.Context, q notify.Question) ([]logs.Record, error) {
	if q.Function == "" {
		return nil, nil
	}
	pattern, err := logs.Compile(errorWords)
	if err != nil {
		return nil, err
	}
	f := logs.Filter{Group: "/aws/lambda/" + q.Function, Start: q.Start, End: q.End, Pattern: pattern}
	var last []logs.Record
	for {
		page, next, err := w.Filter(ctx, f)
		if err != nil {
			return nil, err
		}
		last = append(last, page...)
		last = slices.Clone(last[max(0, len(last)-q.Limit):])
		if f.After = next; next == 0 {
			slices.Reverse(last)
			return last, nil
		}
	}
}
