package server

import (
	"cmp"
	"context"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/notify"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
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
		Parameter: r.secrets.forAlerts, MayReachInside: cfg.mayReachInside,
		Readable: func(ctx context.Context, name string) error {
			_, err := r.secrets.parameters.Resolve(ctx, []string{name})
			return err
		},
		Rule: r.ruleOf, Logs: witnesses{r.logs}, Metrics: r.metrics, Counts: r.metrics,
	}
	if err := r.notifier.Open(ctx); err != nil {
		return err
	}
	r.opened = append(r.opened, r.notifier.Close)
	r.people = r.notifier.Send
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

// errorWords are what functions say when they fail, whatever they are written in.
const errorWords = `filter @message like /(?i)(error|exception|panic|fatal|timed out)/ | sort @timestamp desc`

// Newest are the newest records that the question's query answers, or if it answers
// none, the newest errors of its function; the newest first.
func (w witnesses) Newest(ctx context.Context, q notify.Question) ([]logs.Record, error) {
	r := query.Range{Start: q.Start, End: q.End, MaxRows: q.Limit}
	if q.Function != "" {
		r.Groups = []string{"/aws/lambda/" + q.Function}
	}
	if q.Query != "" {
		found, err := w.ask(ctx, q.Query, r)
		if len(found) > 0 || q.Function == "" {
			return found, err
		}
	}
	if q.Function == "" {
		return nil, nil
	}
	return w.ask(ctx, errorWords, r)
}

// ask runs a query. What it makes up itself, such as statistics, is a record too.
func (w witnesses) ask(ctx context.Context, text string, r query.Range) ([]logs.Record, error) {
	asked, err := query.Parse(text)
	if err != nil {
		return nil, err
	}
	result, err := query.Run(ctx, w, asked, r, nil)
	if err != nil {
		return nil, err
	}
	var list []logs.Record
	for _, row := range result.Rows[:min(len(result.Rows), r.MaxRows)] {
		rec := logs.Record{Time: r.End}
		var other []string
		for i, name := range result.Columns {
			switch v := row[i]; {
			case name == logs.FieldTimestamp:
				if ms, ok := v.Float(); ok {
					rec.Time = time.UnixMilli(int64(ms))
				}
			case name == logs.FieldMessage:
				rec.Message = v.String()
			case v.String() != "":
				other = append(other, name+"="+v.String())
			}
		}
		rec.Message = cmp.Or(rec.Message, strings.Join(other, " "))
		list = append(list, rec)
	}
	return list, nil
}

// ruleOf finds the rule that an alert comes from.
func (r *rooms) ruleOf(name string, _ map[string]string) (alert.Rule, bool) {
	for _, s := range r.alerts.Rules() {
		if s.Name == name {
			return s.Rule, true
		}
	}
	return alert.Rule{}, false
}
