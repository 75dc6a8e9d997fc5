// Package notify tells people of alerts: once, with the evidence.
//
// Alerts come from rules and monitors by Send, and from clients by Alertmanager's
// API. Alertmanager's own engine, embedded, groups them, holds back what is silenced,
// inhibited or outside of the hours of a route, and hands what is left to receivers:
// Slack, e-mail, webhooks and PagerDuty. Who is told is written in Alertmanager's
// file format.
//
// What a crash must not lose is kept below Dir, each file replaced whole and synced:
//
//	firing         JSON: the alerts that go on, and those that ended lately
//	told           Alertmanager's notification log: which state of a group a receiver
//	               knows, and where the message stands that told it
//	silences       Alertmanager's silences
//	receivers.yml  who is told, as PutReceivers was given it
//
// An alert is kept before Send returns, and a silence before it is acknowledged. What
// is in "told" is not told again. A crash between the telling and the writing tells
// once more: the other order would leave people untold.
package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	engine "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/prometheus/alertmanager/eventrecorder"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/metric"
)

// Renewed is how long an alert without an end goes on after it was sent last. Who
// evaluates rules sends them again sooner.
const Renewed = 15 * time.Minute

const (
	retention = 5 * 24 * time.Hour // of silences that are over, and of what was told
	tidyEvery = 15 * time.Minute
)

// Logs is what evidence needs of the logs: the newest records, the newest first, of
// the function, or that answer the question.
type Logs interface {
	Newest(ctx context.Context, q Question) ([]logs.Record, error)
}

// Question says which log records bear witness to an alert.
type Question struct {
	Function   string // its errors; "": the Query alone
	Query      string // as the annotation logs has it
	Start, End time.Time
	Limit      int
}

// Ranger answers a PromQL question about every step from start to end.
type Ranger interface {
	Range(ctx context.Context, expression string, start, end time.Time, step time.Duration) ([]metric.Series, error)
}

// Counters makes counters.
type Counters interface {
	Counter(name string, l metric.Labels) *metric.Counter
}

// Notifier decides who is told of which alert, and tells them. Dir and Log are
// required. Open comes first, then Run, and Close last.
type Notifier struct {
	Dir     string // exists
	File    string // who is told, as a file of the operator; "": as PutReceivers was given, or Mail
	Console string // URL of the console, for links
	Mail    Mail   // who gets mail as long as nothing else is configured
	// Parameter reads a secret that the configuration refers to.
	Parameter func(ctx context.Context, name string) (string, error)
	// Readable says why the caller may not read a parameter, or that there is none.
	Readable func(ctx context.Context, name string) error
	// MayReachInside says whether a caller may have messages sent to loopback and
	// private addresses. Optional: nobody may.
	MayReachInside func(ctx context.Context) bool
	// Rule is the rule that an alert comes from. Optional, as all of the evidence.
	Rule    func(name string, labels map[string]string) (alert.Rule, bool)
	Logs    Logs
	Metrics Ranger
	Counts  Counters
	Log     *slog.Logger

	registry *prometheus.Registry // the engine's own instruments
	alerts   *alerts
	silences *silence.Silences
	silencer *silence.Silencer
	told     *ledger
	muted    marker.GroupMarker
	pipeline *engine.PipelineBuilder
	failures failures

	putting sync.Mutex // of the stored configuration and what counts together
	mu      sync.Mutex // of changes of who is told, and of writing silences
	current atomic.Pointer[routing]
	handler func() http.Handler
}

// Open reads what is kept and begins to tell.
func (n *Notifier) Open(ctx context.Context) error {
	n.registry = prometheus.NewRegistry()
	log := quiet(n.Log)
	var err error
	if n.told, err = openLedger(filepath.Join(n.Dir, "told"), n.registry, log); err != nil {
		return err
	}
	n.silences, err = silence.New(silence.Options{
		SnapshotFile: filepath.Join(n.Dir, "silences"), Retention: retention, Logger: log, Metrics: n.registry,
		Limits: silence.Limits{MaxSilences: func() int { return maxSilences }, MaxSilenceSizeBytes: func() int { return maxSilenceSize }},
	})
	if err != nil {
		return fmt.Errorf("read silences: %w; what cannot be read is in %s", err, filepath.Join(n.Dir, "silences"))
	}
	none := eventrecorder.Recorder{}
	n.silencer = silence.NewSilencer(n.silences, log, none)
	if n.alerts, err = openAlerts(filepath.Join(n.Dir, "firing"), n.silencer, n.registry, log); err != nil {
		return err
	}
	n.muted = marker.NewGroupMarker()
	n.pipeline = engine.NewPipelineBuilder(n.registry, featurecontrol.NoopFlags{}, none)
	n.handler = sync.OnceValue(n.api)
	plan, err := n.load()
	if err != nil {
		n.alerts.Close()
		return err
	}
	return n.apply(ctx, plan)
}

// load reads who is told, from where it is said.
func (n *Notifier) load() (*plan, error) {
	path, trusted := n.File, true
	if path == "" {
		path, trusted = n.stored(), false
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && n.File == "" {
		return n.fallback()
	}
	if err != nil {
		return nil, fmt.Errorf("who is told of alerts: %w", err)
	}
	return parse(path, string(text), trusted, n.Mail)
}

func (n *Notifier) stored() string { return filepath.Join(n.Dir, "receivers.yml") }

// Run tidies up until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := n.tidy(); err != nil {
				n.Log.Error("what is known of alerts cannot be written", "err", err)
			}
		}
	}
}

func (n *Notifier) tidy() error {
	n.mu.Lock()
	_, failed := n.silences.GC()
	failed = errors.Join(failed, n.keepSilences())
	n.mu.Unlock()
	return errors.Join(failed, n.told.tidy(), n.alerts.keep(true))
}

// Close lets the message that is being sent reach its receiver, and stops.
func (n *Notifier) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.current.Load().stop()
	n.alerts.Close()
	return nil
}

// quiet is the engine's log: what it says below a warning is of no use to operators.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(above{log.Handler(), slog.LevelWarn})
}

// above lets records pass from a level on.
type above struct {
	slog.Handler
	level slog.Level
}

func (a above) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= a.level && a.Handler.Enabled(ctx, l)
}

func (a above) WithAttrs(attrs []slog.Attr) slog.Handler {
	return above{a.Handler.WithAttrs(attrs), a.level}
}

func (a above) WithGroup(name string) slog.Handler { return above{a.Handler.WithGroup(name), a.level} }
