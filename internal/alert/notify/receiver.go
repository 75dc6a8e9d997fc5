package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/pagerduty"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"

	"github.com/dropstack/dropstack/internal/metric"
)

// attempt is how long one try to reach a receiver may take, evidence and all. The
// engine tries again, ever more seldom, until the group's interval is over, and then
// with the next one.
const attempt = 20 * time.Second

// integration is one way to one receiver.
type integration struct {
	n        *Notifier
	secrets  *secretsOf
	tmpl     *template.Template
	receiver string
	kind     string
	index    int
}

// secretsOf fills in the parameters of a plan, and remembers the configuration that
// came of them for as long as they stay the same.
type secretsOf struct {
	plan *plan
	read func(ctx context.Context, name string) (string, error)

	mu     sync.Mutex
	values map[string]string
	conf   *config.Config
}

// now is the configuration with the parameters as they are. What is wrong with a value
// is not said: it is secret.
func (s *secretsOf) now(ctx context.Context) (*config.Config, error) {
	if len(s.plan.parameters) == 0 {
		return s.plan.conf, nil
	}
	values := map[string]string{}
	for _, name := range s.plan.parameters {
		if s.read == nil {
			return nil, fmt.Errorf("${ssm:%s}: there is no Parameter Store here", name)
		}
		v, err := s.read(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("${ssm:%s}: %w", name, err)
		}
		values[name] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conf != nil && maps.Equal(values, s.values) {
		return s.conf, nil
	}
	conf, err := s.plan.read(func(name string) string { return values[name] })
	if err != nil {
		return nil, errors.New("the configuration of receivers cannot be read with the values that its parameters have now; is one of them no URL?")
	}
	s.values, s.conf = values, conf
	return conf, nil
}

// integrations are the ways to every receiver that there is.
func (n *Notifier) integrations(p *plan, tmpl *template.Template) map[string][]engine.Integration {
	secrets := &secretsOf{plan: p, read: n.Parameter}
	out := map[string][]engine.Integration{}
	for _, r := range p.conf.Receivers {
		list := []engine.Integration{}
		add := func(kind string, index int, resolved engine.ResolvedSender) {
			in := &integration{n, secrets, tmpl, r.Name, kind, index}
			list = append(list, engine.NewIntegration(in, resolved, kind, index, r.Name))
		}
		for i, c := range r.SlackConfigs {
			add("slack", i, c)
		}
		for i, c := range r.EmailConfigs {
			add("email", i, c)
		}
		for i, c := range r.WebhookConfigs {
			add("webhook", i, c)
		}
		for i, c := range r.PagerdutyConfigs {
			add("pagerduty", i, c)
		}
		out[r.Name] = list
	}
	return out
}

// Notify tells the receiver of a group, with the evidence. A message that is on its way
// when the platform stops is let through.
func (in *integration) Notify(ctx context.Context, list ...*am.Alert) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return true, err
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), attempt)
	defer cancel()
	again, err = in.send(bounded, list)
	err = engine.RedactURL(err)
	in.n.note(in.receiver, in.kind, err)
	if e, ok := errors.AsType[enough](err); ok {
		select {
		case <-time.After(e.pause):
		case <-ctx.Done():
		}
	}
	return again, err
}

func (in *integration) send(ctx context.Context, list []*am.Alert) (again bool, err error) {
	conf, err := in.secrets.now(ctx)
	if err != nil {
		return true, err
	}
	to, err := in.sender(conf)
	if err != nil {
		return false, err
	}
	return to.Notify(ctx, in.n.witness(ctx, list)...)
}

// sender is who speaks to the receiver.
func (in *integration) sender(conf *config.Config) (engine.Notifier, error) {
	log, p := quiet(in.n.Log), in.secrets.plan
	for _, r := range conf.Receivers {
		if r.Name != in.receiver {
			continue
		}
		switch in.kind {
		case "slack":
			return &slackSender{conf: r.SlackConfigs[in.index], tmpl: in.tmpl, log: log, web: p.web()}, nil
		case "email":
			s := &mailSender{conf: r.EmailConfigs[in.index], tmpl: in.tmpl, log: log, dialer: p.dialer()}
			if s.conf.Smarthost.String() == in.n.Mail.Server {
				s.dialer = &net.Dialer{} // the platform's own, wherever it is
			}
			return s, nil
		case "webhook":
			return webhook.New(r.WebhookConfigs[in.index], in.tmpl, log, p.web())
		default:
			return pagerduty.New(pages(r.PagerdutyConfigs[in.index]), in.tmpl, log, p.web())
		}
	}
	return nil, fmt.Errorf("receiver %q is gone", in.receiver)
}

// pages gives the configuration of PagerDuty what evidence there is: the links, and
// the severity of the alert.
func pages(c *pagerduty.PagerdutyConfig) *pagerduty.PagerdutyConfig {
	out := *c
	if out.Severity == "" {
		out.Severity = `{{ with .CommonLabels.severity }}{{ if match "^(critical|warning|info)$" . }}{{ . }}{{ else }}error{{ end }}{{ else }}error{{ end }}`
	}
	if len(out.Links) == 0 {
		for _, l := range []struct{ name, text string }{
			{consoleAnnotation, "Console"}, {logsURLAnnotation, "Logs"}, {"runbook", "Runbook"}, {silenceAnnotation, "Silence"},
		} {
			out.Links = append(out.Links, pagerduty.PagerdutyLink{
				Href: fmt.Sprintf(`{{ with index .Alerts 0 }}{{ index .Annotations %q }}{{ end }}`, l.name), Text: l.text,
			})
		}
	}
	return &out
}

// Failure is what a receiver was last not told for.
type Failure struct {
	Receiver    string    `json:"receiver"`
	Integration string    `json:"integration"`
	Time        time.Time `json:"time"`
	Reason      string    `json:"reason"`
}

// failures are those of receivers that have not been reached since.
type failures struct {
	mu   sync.Mutex
	last map[[2]string]Failure
}

// note counts a message, and remembers or forgets a failure.
func (n *Notifier) note(receiver, kind string, err error) {
	result := "delivered"
	if _, ok := errors.AsType[enough](err); ok {
		result = "limited"
	} else if err != nil {
		result = "failed"
	}
	if n.Counts != nil {
		n.Counts.Counter("dropstack_notifications_total", metric.Labels{"receiver": receiver, "integration": kind, "result": result}).Add(1)
	}
	f := &n.failures
	f.mu.Lock()
	defer f.mu.Unlock()
	key := [2]string{receiver, kind}
	if err == nil {
		delete(f.last, key)
		return
	}
	if f.last == nil {
		f.last = map[[2]string]Failure{}
	}
	f.last[key] = Failure{receiver, kind, time.Now(), err.Error()}
}

// Failures are why receivers were last not reached, of those that have not been since.
func (n *Notifier) Failures() []Failure {
	f := &n.failures
	f.mu.Lock()
	defer f.mu.Unlock()
	out := slices.AppendSeq([]Failure{}, maps.Values(f.last))
	slices.SortFunc(out, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Receiver, b.Receiver), cmp.Compare(a.Integration, b.Integration))
	})
	return out
}
