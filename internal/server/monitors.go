package server

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/monitor"
	"github.com/dropstack/dropstack/internal/monitor/status"
)

// openMonitors reads what is watched.
func (r *rooms) openMonitors(ctx context.Context, cfg Config, ls *listeners) error {
	at := onHost(ls.endpoints.HTTP)
	tell := r.news(cfg)
	r.monitors = &monitor.Monitors{
		Streams: r.eng.Streams, Checks: &monitor.Checker{}, Log: cfg.Log, Least: cfg.MonitorInterval,
		URL:            func(stack string) string { return at(strings.ToLower(stack) + ".localhost") },
		MayReachInside: cfg.mayReachInside,
		Level: func(name string, labels map[string]string, v float64) {
			r.metrics.Gauge(name, metric.Labels(labels)).Set(v)
		},
		Sample: func(ctx context.Context, name string, labels map[string]string, at time.Time, v float64) error {
			return r.metrics.Record(ctx, name, metric.Labels(labels), at, v)
		},
		Notify: func(ctx context.Context, n monitor.Notice) { tell(ctx, noticed(n)) },
	}
	r.statusPage = http.StripPrefix("/status", &status.Page{Source: r.monitors, Title: cfg.StatusTitle, Log: cfg.Log})
	return r.monitors.Load(ctx)
}

// probes is what locations join at.
func (r *rooms) probes() http.Handler { return http.StripPrefix("/probe", r.monitors.Handler()) }

// monitorDown is the shipped rule of monitors.
const monitorDown = "MonitorDown"

// noticed is what people are told of a monitor. Its labels are those that the shipped
// rule of monitors gives, so that both are one alert, whichever comes first.
func noticed(n monitor.Notice) alert.Alert {
	a := alert.Alert{
		Rule: monitorDown, Starts: n.Incident.Opened, Value: 2,
		Labels:      map[string]string{alert.SeverityLabel: "critical", "monitor": n.Monitor.Name},
		Annotations: map[string]string{alert.SummaryAnnotation: n.Summary, alert.DescriptionAnnotation: n.Detail},
	}
	if n.State == monitor.Slow {
		a.Rule, a.Value, a.Labels[alert.SeverityLabel] = "MonitorSlow", 1, "warning"
	}
	a.Labels[alert.NameLabel] = a.Rule
	for name, value := range map[string]string{alert.OwnerAnnotation: n.Monitor.Owner, alert.RunbookAnnotation: n.Monitor.Runbook} {
		if value != "" {
			a.Annotations[name] = value
		}
	}
	if n.Monitor.Stack != "" {
		a.Labels[alert.StackLabel] = n.Monitor.Stack
	}
	if n.Over {
		a.Ends = n.Incident.Resolved
		if a.Ends.IsZero() {
			a.Ends = time.Now()
		}
	}
	return a
}

// witnessed gives alerts about monitors the words of their incidents, which the rules
// do not know.
func (r *rooms) witnessed(ctx context.Context, alerts []alert.Alert) []alert.Alert {
	out := slices.DeleteFunc(slices.Clone(alerts), func(a alert.Alert) bool { return r.outdated(ctx, a) })
	for i, a := range out {
		name := a.Labels["monitor"]
		if name == "" || a.Annotations[alert.DescriptionAnnotation] != "" || r.monitors == nil {
			continue
		}
		s, err := r.monitors.Describe(ctx, monitor.NameInput{Name: name})
		if err != nil || s.Incident == nil {
			continue // it is over, or gone
		}
		told := noticed(s.Notice())
		out[i].Annotations = told.Annotations
	}
	return out
}

// outdated reports whether the rule of monitors says otherwise than the monitor, which
// it hears of some moments later: people would be told again of what is over, or that
// something is over which has just come back. What the monitors say themselves never is.
func (r *rooms) outdated(ctx context.Context, a alert.Alert) bool {
	if a.Rule != monitorDown || a.Labels["monitor"] == "" || r.monitors == nil {
		return false
	}
	for name := range a.Labels {
		if !slices.Contains([]string{alert.NameLabel, alert.SeverityLabel, alert.StackLabel, "monitor"}, name) {
			return false // of somebody's own rule of this name, which is about something else
		}
	}
	s, err := r.monitors.Describe(ctx, monitor.NameInput{Name: a.Labels["monitor"]})
	down := err == nil && s.State == monitor.Down
	return down != a.Ends.IsZero()
}
