package alert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

const (
	// resend is how often an alert that goes on is told again: who has forgotten it,
	// or was not there, learns of it.
	resend = time.Minute
	// outage is for how long the platform may have been away so that alerts that were
	// waiting for their time do not begin anew.
	outage = time.Hour
	// grace is what an alert waits at least after an outage.
	grace = time.Minute
)

// Names of series that tell how the rules themselves do.
const (
	lagName      = "dropstack_rule_lag_seconds"
	failuresName = "dropstack_rule_failures_total"
)

// Searcher is what rules need of the logs: the rows that a question answers about
// what was logged from start to end, each with its text fields and one number.
type Searcher interface {
	Rows(ctx context.Context, query string, groups []string, start, end time.Time) ([]Row, error)
}

// Row is one row of an answer of the logs.
type Row struct {
	Labels map[string]string // fields that are no numbers
	Value  float64           // the first that is; 1 if none is
}

// Watcher asks rules, and tells of their alerts. Fill in what it needs, Open it, and
// Run it.
type Watcher struct {
	Metrics *metric.Store
	Logs    Searcher // nil: rules that ask the logs fail, and say so
	Log     *slog.Logger
	Files   []string      // of rules, or directories of such files; they are read again when they change
	Without []string      // names of shipped rules that are off
	Every   time.Duration // how often a rule is asked that says nothing about it; 0: 15 s
	// Notify is told of every alert that begins to fire, each minute while it goes on,
	// and when it ends. It must not block for long.
	Notify func(ctx context.Context, alerts ...Alert)

	engine    *rules.Manager
	lag       *metric.Gauge
	late      sync.Map // group → time.Duration, how late it was evaluated last
	functions atomic.Pointer[map[string]*Declared]

	mu     sync.Mutex // guards what follows, and loading
	files  map[string]file
	stacks map[string]*Declared
	loaded map[string][]Rule // what the engine has, by source

	refused   map[string]stamp // files that were not taken
	complaint string           // why
}

// Declared is what a stack says of alerts.
type Declared struct {
	Rules     []Rule
	Settings  Settings
	Functions []string // names of its functions
}

// Open prepares the rules; the files must be right.
func (w *Watcher) Open() error {
	w.lag = w.Metrics.Gauge(lagName, nil)
	w.engine = rules.NewManager(&rules.ManagerOptions{
		ExternalURL: &url.URL{}, QueryFunc: w.ask, NotifyFunc: w.notify, Context: context.Background(),
		AppendableV2: w.Metrics.Storage(), Queryable: w.Metrics.Storage(), Logger: w.Log.With("engine", "rules"),
		Registerer: prometheus.NewRegistry(), OutageTolerance: outage, ForGracePeriod: grace, ResendDelay: resend,
		GroupLoader: loader{w}, RestoreNewRuleGroups: true,
		DefaultRuleQueryOffset: func() time.Duration { return 0 },
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	files, err := readFiles(w.Files)
	if err != nil {
		return err
	}
	w.files = files
	_, err = w.load() // nothing has fired yet
	return err
}

// Run asks the rules until ctx ends, and looks after the files.
func (w *Watcher) Run(ctx context.Context) error {
	done := make(chan struct{})
	go func() { defer close(done); w.engine.Run() }()
	defer func() { w.engine.Stop(); <-done }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reread):
			w.reload()
		}
	}
}

// Replace makes what a stack declares the truth; nil: the stack is gone.
func (w *Watcher) Replace(stack string, d *Declared) error {
	ended, err := w.replace(stack, d)
	w.notify(context.Background(), "", ended...)
	return err
}

func (w *Watcher) replace(stack string, d *Declared) (ended []*rules.Alert, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was := w.stacks[stack]
	next := maps.Clone(w.stacks)
	if next == nil {
		next = map[string]*Declared{}
	}
	if next[stack] = d; d == nil {
		delete(next, stack)
	}
	w.stacks = next
	if was == nil && (d == nil || d.empty()) || was != nil && d != nil && was.empty() && d.empty() {
		w.place() // nothing of the rules is different
		return nil, nil
	}
	return w.load()
}

func (d *Declared) empty() bool { return len(d.Rules) == 0 && len(d.Settings.Shipped) == 0 }

// load has the engine take over all rules; the lock is held. The alerts are told of,
// without the lock, that are over since their rule has gone.
func (w *Watcher) load() (ended []*rules.Alert, err error) {
	next, err := w.collect()
	if err != nil {
		return nil, err
	}
	before, firing := w.loaded, w.firing()
	w.loaded = next
	if err := w.engine.Update(cmp.Or(w.Every, every), slices.Sorted(maps.Keys(next)), labels.EmptyLabels(), "", w.iterate); err != nil {
		w.loaded = before
		return nil, fmt.Errorf("load the rules: %w", err)
	}
	w.place()
	return w.ended(firing), nil
}

// firing are the alerts that fire, by their labels.
func (w *Watcher) firing() map[string]*rules.Alert {
	all := map[string]*rules.Alert{}
	for _, r := range w.engine.AlertingRules() {
		for _, a := range r.ActiveAlerts() {
			if a.State == rules.StateFiring {
				all[a.Labels.String()] = a
			}
		}
	}
	return all
}

// ended are the alerts whose rule has gone: they are over, and the engine says nothing
// of them any more.
func (w *Watcher) ended(before map[string]*rules.Alert) (list []*rules.Alert) {
	now := w.firing()
	for key, a := range before {
		if now[key] == nil {
			a.ResolvedAt = time.Now()
			list = append(list, a)
		}
	}
	return list
}

// collect is every rule, by where it stands.
func (w *Watcher) collect() (map[string][]Rule, error) {
	all, named := map[string][]Rule{}, map[string]bool{}
	for name, f := range w.files {
		all[name] = f.rules
		for _, r := range f.rules {
			named[r.Name] = true
		}
	}
	for _, off := range w.Without {
		if off != "all" && !slices.ContainsFunc(Shipped(), func(r Rule) bool { return r.Name == off }) {
			return nil, fault.Errorf(fault.Invalid, "there is no built-in rule %q to leave out; they are %v", off, shippedNames())
		}
	}
	var own []Rule
	for _, r := range Shipped() {
		if !named[r.Name] && !slices.Contains(w.Without, r.Name) && !slices.Contains(w.Without, "all") {
			own = append(own, r)
		}
	}
	for _, stack := range slices.Sorted(maps.Keys(w.stacks)) {
		d := w.stacks[stack]
		list, err := d.rules(stack, own)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			all["stack "+stack] = list
		}
	}
	own, err := w.except(own)
	if err != nil {
		return nil, err
	}
	all[BuiltIn] = own
	return all, nil
}

// place notes whose the functions are; the lock is held.
func (w *Watcher) place() {
	next := map[string]*Declared{}
	for stack, d := range w.stacks {
		for _, f := range d.Functions {
			next[f] = &Declared{Settings: d.Settings, Functions: []string{stack}}
		}
	}
	w.functions.Store(&next)
}

// loader hands the rules to the engine, which knows them by where they stand.
type loader struct{ *Watcher }

func (l loader) Load(source string, _ bool, _ model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	return groups(l.loaded[source]), nil
}

func (loader) Parse(query string) (parser.Expr, error) {
	return parser.NewParser(parser.Options{}).ParseExpr(query)
}

// iterate evaluates a group, and notes how late it is and what fails.
func (w *Watcher) iterate(ctx context.Context, g *rules.Group, at time.Time) {
	rules.DefaultEvalIterationFunc(ctx, g, at)
	w.late.Store(rules.GroupKey(g.File(), g.Name()), time.Since(at))
	most := time.Duration(0)
	w.late.Range(func(_, d any) bool { most = max(most, d.(time.Duration)); return true })
	w.lag.Set(most.Seconds())
	for _, r := range g.Rules() {
		if r.LastError() != nil {
			w.Metrics.Counter(failuresName, metric.Labels{"rule": r.Name()}).Add(1)
		}
	}
}

// ask answers an expression, by the metrics or the logs.
func (w *Watcher) ask(ctx context.Context, expression string, at time.Time) (promql.Vector, error) {
	if r, ok := question(expression); ok {
		return w.search(ctx, r, at)
	}
	return rules.EngineQueryFunc(w.Metrics.Evaluator(), w.Metrics.Storage())(ctx, expression, at)
}

// search asks the logs; every row is an alert.
func (w *Watcher) search(ctx context.Context, r Rule, at time.Time) (promql.Vector, error) {
	if w.Logs == nil {
		return nil, errors.New("the logs cannot be asked")
	}
	rows, err := w.Logs.Rows(ctx, r.Query, r.Groups, at.Add(-r.Within), at)
	if err != nil {
		return nil, err
	}
	var out promql.Vector
	for _, row := range rows {
		b := labels.NewBuilder(labels.EmptyLabels())
		for name, value := range row.Labels {
			b.Set(labelName(name), value)
		}
		out = append(out, promql.Sample{T: at.UnixMilli(), F: row.Value, Metric: b.Labels()})
	}
	return out, nil
}

// notify tells of alerts as the engine hands them on.
func (w *Watcher) notify(ctx context.Context, _ string, list ...*rules.Alert) {
	if w.Notify == nil || len(list) == 0 {
		return
	}
	out := make([]Alert, len(list))
	for i, a := range list {
		out[i] = w.alert(a)
	}
	w.Notify(ctx, out...)
}

// alert is what the engine says, with whose it is.
func (w *Watcher) alert(a *rules.Alert) Alert {
	out := Alert{
		Labels: a.Labels.Map(), Annotations: a.Annotations.Map(), Starts: a.FiredAt, Ends: a.ResolvedAt, Value: a.Value,
		Rule: a.Labels.Get(NameLabel),
	}
	if out.Starts.IsZero() {
		out.Starts = a.ActiveAt
	}
	if d := (*w.functions.Load())[out.Labels[FunctionLabel]]; d != nil {
		if out.Labels[StackLabel] == "" {
			out.Labels[StackLabel] = d.Functions[0]
		}
		d.Settings.annotate(out)
	}
	return out
}
