package notify

import (
	"context"
	"fmt"
	"os"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/durable"
	"github.com/dropstack/dropstack/internal/fault"
)

// Receivers is who is told of alerts, and what came of it.
type Receivers struct {
	Source        string     `json:"source"`        // where it is said: a file, or "built in"
	Configuration string     `json:"configuration"` // as the engine understands it; secrets are <secret>
	Receivers     []Receiver `json:"receivers"`
	Failures      []Failure  `json:"failures"` // of receivers that have not been reached since
}

// Receiver is a name that routes lead to.
type Receiver struct {
	Name         string   `json:"name"`
	Integrations []string `json:"integrations"` // slack, email, webhook, pagerduty
}

// PutInput is a configuration in Alertmanager's format.
type PutInput struct {
	Name string `json:"name,omitempty"` // of the file, for errors
	// A secret that stands in it is refused, and must not be in the audit log then.
	Configuration string `json:"configuration" audit:"hidden"`
}

// TestInput names a receiver.
type TestInput struct {
	Receiver string `json:"receiver"`
}

// Tested is what became of a test.
type Tested struct {
	Results []Result `json:"results"`
}

// Result is what became of a message.
type Result struct {
	Integration string `json:"integration"`
	Delivered   bool   `json:"delivered"`
	Reason      string `json:"reason,omitempty"` // why it was not
}

// Get tells who is told.
func (n *Notifier) Get(context.Context) (Receivers, error) {
	p := n.current.Load().plan
	out := Receivers{Source: p.name, Configuration: p.conf.String(), Receivers: []Receiver{}, Failures: n.Failures()}
	for _, r := range p.conf.Receivers {
		one := Receiver{Name: r.Name, Integrations: []string{}}
		for _, in := range n.integrations(p, nil)[r.Name] {
			one.Integrations = append(one.Integrations, in.Name())
		}
		out.Receivers = append(out.Receivers, one)
	}
	return out, nil
}

// Configuration is who is told, as the engine understands it, without secrets.
func (n *Notifier) Configuration() string { return n.current.Load().plan.conf.String() }

// Put changes who is told. The configuration is checked whole, and the parameters that
// it refers to are read, as the caller: who cannot read a secret cannot have it sent
// anywhere. It counts, and is on the disk, when Put returns.
func (n *Notifier) Put(ctx context.Context, in PutInput) (Receivers, error) {
	if n.File != "" {
		return Receivers{}, fault.Errorf(fault.Conflict, "who is told is said by the file %s, with which the platform was started; change that one and start it again", n.File)
	}
	name := in.Name
	if name == "" {
		name = "receivers.yml"
	}
	p, err := parse(name, in.Configuration, false, n.Mail)
	if err != nil {
		return Receivers{}, err
	}
	for _, parameter := range p.parameters {
		if n.Readable == nil {
			return Receivers{}, fault.Errorf(fault.Invalid, "%s: ${ssm:%s}: there is no Parameter Store here", name, parameter)
		}
		if err := n.Readable(ctx, parameter); err != nil {
			return Receivers{}, fmt.Errorf("%s: ${ssm:%s}: %w", name, parameter, err)
		}
	}
	text := in.Configuration
	if n.MayReachInside == nil || !n.MayReachInside(ctx) {
		p.inside = false
		text += outside
	}
	p.name = n.stored()
	n.putting.Lock()
	defer n.putting.Unlock()
	if err := durable.WriteFile(n.stored(), []byte(text), 0o600); err != nil {
		return Receivers{}, err
	}
	if err := n.apply(context.WithoutCancel(ctx), p); err != nil {
		return Receivers{}, err
	}
	return n.Get(ctx)
}

// Test sends an alert of nothing to a receiver by all of its ways, and
// says what became of it. It is not told again, and concerns no group.
func (n *Notifier) Test(ctx context.Context, in TestInput) (Tested, error) {
	p := n.current.Load().plan
	tmpl, err := n.templates(p)
	if err != nil {
		return Tested{}, err
	}
	list, known := n.integrations(p, tmpl)[in.Receiver]
	if !known {
		return Tested{}, fault.Errorf(fault.NotFound, "receiver %q; `dropstack alert receivers show` names those that there are", in.Receiver)
	}
	now := time.Now()
	host, _ := os.Hostname()
	a := &am.Alert{UpdatedAt: now, Alert: model.Alert{
		Labels: model.LabelSet{alert.NameLabel: "Test", alert.SeverityLabel: "info"},
		Annotations: model.LabelSet{
			alert.SummaryAnnotation:     "A test: alerts reach you",
			alert.DescriptionAnnotation: model.LabelValue("Somebody has tried out the receiver " + in.Receiver + " on " + host + ". There is nothing to do."),
		},
		StartsAt: now,
	}}
	ctx = engine.WithReceiverName(ctx, in.Receiver)
	ctx = engine.WithGroupKey(ctx, "test:"+now.Format(time.RFC3339Nano))
	ctx = engine.WithGroupLabels(ctx, model.LabelSet{alert.NameLabel: "Test"})
	ctx = engine.WithNotificationReason(ctx, engine.ReasonFirstNotification)
	out := Tested{Results: []Result{}}
	for i := range list {
		_, err := list[i].Notify(ctx, a)
		r := Result{Integration: list[i].Name(), Delivered: err == nil}
		if err != nil {
			r.Reason = err.Error()
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}
