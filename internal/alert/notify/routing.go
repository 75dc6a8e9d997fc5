package notify

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	am "github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
)

// routing is the engine at work for one configuration. The next one takes over once
// the last message of this one is sent and noted, so that nobody hears from both.
type routing struct {
	plan       *plan
	dispatcher *dispatch.Dispatcher
	inhibitor  *inhibit.Inhibitor

	mu      sync.Mutex
	stopped bool
	working sync.WaitGroup // messages on their way
}

// apply makes a checked configuration the one that counts.
func (n *Notifier) apply(_ context.Context, p *plan) error {
	tmpl, err := n.templates(p)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.current.Load(); old != nil {
		old.stop()
	}
	log, none := quiet(n.Log), eventrecorder.Recorder{}
	r := &routing{plan: p, inhibitor: inhibit.NewInhibitor(n.alerts, p.conf.InhibitRules, log, none)}
	hours := map[string][]timeinterval.TimeInterval{}
	for _, t := range p.conf.TimeIntervals {
		hours[t.Name] = t.TimeIntervals
	}
	for _, t := range p.conf.MuteTimeIntervals {
		hours[t.Name] = t.TimeIntervals
	}
	pipeline := n.pipeline.New(n.integrations(p, tmpl), func() time.Duration { return 0 },
		r.inhibitor, n.silencer, timeinterval.NewIntervener(hours), n.muted, n.told, nil)
	// without a registry the instruments are nobody's
	metrics := dispatch.NewDispatcherMetrics(false, nil, featurecontrol.NoopFlags{})
	r.dispatcher = dispatch.NewDispatcher(n.alerts, dispatch.NewRoute(p.conf.Route, nil), n.step(r, pipeline), n.muted,
		func(d time.Duration) time.Duration { return max(d, engine.MinTimeout) },
		time.Minute, nil, log, none, metrics, tmpl)
	// what inhibits has to be known before anything may be sent
	go r.inhibitor.Run()
	r.inhibitor.WaitForLoading()
	go r.dispatcher.Run(time.Now())
	r.dispatcher.WaitForLoading()
	n.current.Store(r)
	return nil
}

// step runs the engine's pipeline over a group, unless the routing is at its end.
func (n *Notifier) step(r *routing, pipeline engine.Stage) engine.Stage {
	return engine.StageFunc(func(ctx context.Context, log *slog.Logger, list ...*am.Alert) (context.Context, []*am.Alert, error) {
		if !r.enter() {
			return ctx, nil, context.Canceled
		}
		defer r.working.Done()
		out, list, err := pipeline.Exec(ctx, log, list...)
		if failed := n.alerts.keep(false); failed != nil {
			n.Log.Error("alerts that went on cannot be written", "err", failed)
		}
		return out, list, err
	})
}

func (r *routing) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopped {
		r.working.Add(1)
	}
	return !r.stopped
}

// stop begins no further message and returns when the last one is sent and noted.
func (r *routing) stop() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.dispatcher.Stop()
	r.working.Wait()
	r.inhibitor.Stop()
}

// templates are the words of messages: the engine's, ours, and the configuration's.
func (n *Notifier) templates(p *plan) (*template.Template, error) {
	t, err := template.FromGlobs(nil)
	if err != nil {
		return nil, err
	}
	if err := t.Parse(strings.NewReader(mailTemplates)); err != nil {
		return nil, err
	}
	if err := parseTemplates(t, p.conf.Templates); err != nil {
		return nil, p.wrong(err)
	}
	t.ExternalURL, err = url.Parse(n.Console)
	return t, err
}

// mutes tells the API what holds an alert back.
func (n *Notifier) mutes(ctx context.Context, l model.LabelSet) {
	n.current.Load().inhibitor.Mutes(ctx, l)
	n.silencer.Mutes(ctx, l)
}

func (n *Notifier) groups(ctx context.Context, route func(*dispatch.Route) bool, which func(*am.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
	return n.current.Load().dispatcher.Groups(ctx, route, which)
}
