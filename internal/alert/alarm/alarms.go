package alarm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

const (
	// fine is how often alarms with periods under a minute are evaluated, and what
	// their periods end at.
	fine   = 10 * time.Second
	coarse = time.Minute
	// settled is how long after the end of a period it is looked at.
	settled = 2 * time.Second
	// keepHistory is how many changes of an alarm are remembered.
	keepHistory = 100
)

// Editor makes the next revision of a stack, "" being that of what calls of the API
// make, with other alarms.
type Editor interface {
	EditAlarms(ctx context.Context, stack string, change func([]Alarm) ([]Alarm, error)) error
}

// Alarms evaluates alarms and tells of them. Fill in what it needs, Open it, and Run
// it.
type Alarms struct {
	Metrics *metric.Store
	Streams jetstream.JetStream
	Editor  Editor // set before the API is served
	Region  string
	Log     *slog.Logger
	// Publish tells a topic.
	Publish func(ctx context.Context, topicARN, subject, message string) error
	// Invoke hands an event to a function; the same id is handed over once.
	Invoke func(ctx context.Context, functionARN, id string, event []byte) error
	// Notify is told of alarms as of other alerts. It must not block for long.
	Notify func(ctx context.Context, alerts ...alert.Alert)

	kv    jetstream.KeyValue
	added chan struct{} // wakes Run

	mu     sync.Mutex // guards what follows; alarms are evaluated one after the other
	alarms map[string]*watched
	stored map[string]*state // of alarms that have not been declared yet
}

// watched is an alarm and how it is.
type watched struct {
	Alarm
	stack     string
	state     state
	evaluated time.Time // the end of the last period that was looked at
	complaint string    // why it cannot be evaluated
	told      time.Time // when receivers were told last
}

// state is what is stored of an alarm. A stored state is never changed.
type state struct {
	Name         string    `json:"name"`
	Config       string    `json:"config"` // fingerprint of the alarm as it was
	Configured   time.Time `json:"configured"`
	Value        string    `json:"value"`
	Reason       string    `json:"reason"`
	Data         string    `json:"data,omitempty"`
	Updated      time.Time `json:"updated"`
	Transitioned time.Time `json:"transitioned"`
	Measured     float64   `json:"measured"` // the newest value
	Owed         []owed    `json:"owed,omitempty"`
	History      []item    `json:"history,omitempty"` // the newest first
}

// owed is an action that is to be done.
type owed struct {
	Action  string `json:"action"`
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"` // for a topic
	Message string `json:"message"`
}

// item is a line of an alarm's history.
type item struct {
	Time    time.Time `json:"time"`
	Type    string    `json:"type"`
	Summary string    `json:"summary"`
	Data    string    `json:"data,omitempty"`
}

// Types of items.
const (
	configured   = "ConfigurationUpdate"
	stateChanged = "StateUpdate"
	actionDone   = "Action"
)

// Open reads the states.
func (a *Alarms) Open(ctx context.Context) error {
	var err error
	if a.kv, err = a.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "alarms"}); err != nil {
		return fmt.Errorf("open the alarms: %w", err)
	}
	a.added, a.alarms, a.stored = make(chan struct{}, 1), map[string]*watched{}, map[string]*state{}
	watch, err := a.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("read the alarms: %w", err)
	}
	defer func() { _ = watch.Stop() }()
	for entry := range watch.Updates() {
		if entry == nil {
			return nil
		}
		st := new(state)
		if err := json.Unmarshal(entry.Value(), st); err != nil {
			return fmt.Errorf("read the alarm %s: %w", entry.Key(), err)
		}
		a.stored[st.Name] = st
	}
	return ctx.Err()
}

// key is where a state is stored: names have any characters.
func key(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (a *Alarms) keep(ctx context.Context, st *state) error {
	doc, err := json.Marshal(st)
	if err == nil {
		_, err = a.kv.Put(ctx, key(st.Name), doc)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "store the alarm %s: %w", st.Name, err)
	}
	return nil
}

func fingerprint(a Alarm) string {
	doc, _ := json.Marshal(a) // it has come as JSON
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:])
}

// Replace makes the alarms of a stack the truth.
func (a *Alarms) Replace(ctx context.Context, stack string, list []Alarm) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	is := map[string]bool{}
	for _, al := range list {
		is[al.AlarmName] = true
		if err := a.declare(ctx, stack, al); err != nil {
			return err
		}
	}
	for name, w := range a.alarms {
		if w.stack != stack || is[name] {
			continue
		}
		if err := a.kv.Purge(ctx, key(name)); err != nil {
			return fault.Errorf(fault.Unavailable, "remove the alarm %s: %w", name, err)
		}
		delete(a.alarms, name)
		if w.state.Value == Ringing {
			a.notify(ctx, w, time.Now())
		}
	}
	select {
	case a.added <- struct{}{}:
	default:
	}
	return nil
}

// declare takes an alarm in, with the state that it had; the lock is held.
func (a *Alarms) declare(ctx context.Context, stack string, al Alarm) error {
	w := a.alarms[al.AlarmName]
	now := time.Now().UTC()
	var was *state
	switch {
	case w != nil:
		was = &w.state
	default:
		was = a.stored[al.AlarmName]
	}
	next := state{
		Name: al.AlarmName, Config: fingerprint(al), Configured: now, Value: Insufficient, Reason: "Unchecked: Initial alarm creation",
		Updated: now, Transitioned: now,
	}
	switch {
	case was != nil && was.Config == next.Config:
		next = *was
	case was != nil:
		next = *was
		next.Config, next.Configured = fingerprint(al), now
		next = next.with(item{now, configured, fmt.Sprintf("Alarm %q updated", al.AlarmName), ""})
	default:
		next = next.with(item{now, configured, fmt.Sprintf("Alarm %q created", al.AlarmName), ""})
	}
	if was == nil || was.Config != next.Config {
		if err := a.keep(ctx, &next); err != nil {
			return err
		}
	}
	delete(a.stored, al.AlarmName)
	fresh := &watched{Alarm: al, stack: stack, state: next}
	if w != nil {
		fresh.told = w.told
	}
	a.alarms[al.AlarmName] = fresh
	return nil
}

// with is the state with one more line of history.
func (s state) with(it item) state {
	s.History = append([]item{it}, s.History...)
	s.History = s.History[:min(len(s.History), keepHistory)]
	return s
}

// Admit says which of a stack's alarms cannot be: names are one of a kind.
func (a *Alarms) Admit(stack string, list []Alarm) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := map[string]bool{}
	for _, al := range list {
		if err := al.Check(); err != nil {
			return fmt.Errorf("alarm %s: %w", al.AlarmName, err)
		}
		if w := a.alarms[al.AlarmName]; w != nil && w.stack != stack {
			return fault.Errorf(fault.Conflict, "alarm %s is there already, of stack %s", al.AlarmName, w.stack)
		}
		if seen[al.AlarmName] {
			return fault.Errorf(fault.Invalid, "alarm %s is there twice", al.AlarmName)
		}
		seen[al.AlarmName] = true
	}
	return nil
}

// Ringing is those of the named alarms that are in ALARM.
func (a *Alarms) Ringing(names []string) (ringing []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		if w := a.alarms[Name(name)]; w != nil && w.state.Value == Ringing {
			ringing = append(ringing, w.AlarmName)
		}
	}
	return ringing
}

// Run evaluates alarms until ctx ends.
func (a *Alarms) Run(ctx context.Context) error {
	for {
		now := time.Now()
		select {
		case <-ctx.Done():
			return nil
		case <-a.added:
		case <-time.After(now.Truncate(fine).Add(fine + settled).Sub(now)):
		}
		a.evaluate(ctx, time.Now())
	}
}

// evaluate looks at the alarms of which a period has ended, and does what is owed.
func (a *Alarms) evaluate(ctx context.Context, now time.Time) {
	a.mu.Lock()
	names := slices.Sorted(maps.Keys(a.alarms))
	a.mu.Unlock()
	for _, name := range names {
		if ctx.Err() != nil {
			return
		}
		if err := a.look(ctx, name, now); err != nil && ctx.Err() == nil {
			a.Log.Error("an alarm's state is not kept", "alarm", name, "err", err)
		}
	}
}

// look evaluates one alarm, if it is time, and does what it owes.
func (a *Alarms) look(ctx context.Context, name string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.alarms[name]
	if w == nil {
		return nil
	}
	step := coarse
	if w.period() < 60 {
		step = fine
	}
	var errs []error
	if end := now.Truncate(step); end.After(w.evaluated) {
		w.evaluated = end
		errs = append(errs, a.judge(ctx, w, end))
	}
	errs = append(errs, a.settle(ctx, w))
	if w.state.Value == Ringing && now.Sub(w.told) >= coarse {
		a.notify(ctx, w, time.Time{})
	}
	return errors.Join(errs...)
}

// judge decides what state the periods until end mean; the lock is held.
func (a *Alarms) judge(ctx context.Context, w *watched, end time.Time) error {
	points, err := a.measure(ctx, &w.Alarm, end)
	if err != nil {
		if w.complaint != err.Error() {
			w.complaint = err.Error()
			a.Log.Warn("an alarm cannot be evaluated", "alarm", w.AlarmName, "err", err)
		}
		return nil
	}
	w.complaint = ""
	d := w.decide(points)
	if d.state == "" || d.state == w.state.Value {
		return nil
	}
	return a.change(ctx, w, d.state, d.reason, data(&w.Alarm, d, end), d.recent)
}

// change puts an alarm into another state, and tells; the lock is held.
func (a *Alarms) change(ctx context.Context, w *watched, value, reason, data string, recent []datapoint) error {
	now := time.Now().UTC()
	was, next := w.state, w.state
	next.Value, next.Reason, next.Data, next.Updated = value, reason, data, now
	if len(recent) > 0 {
		next.Measured = recent[0].value
	}
	if value != was.Value {
		next.Transitioned = now
		next = next.with(item{now, stateChanged, fmt.Sprintf("Alarm updated from %s to %s", was.Value, value), historyData(was, next)})
		next.Owed = slices.Clone(next.Owed)
		if w.enabled() {
			for i, action := range w.actions(value) {
				o, err := a.owe(w, was, next, action)
				if err != nil {
					return err
				}
				o.ID = fmt.Sprintf("alarm-%s-%d-%d", key(w.AlarmName)[:16], now.UnixNano(), i)
				next.Owed = append(next.Owed, o)
			}
		}
	}
	if err := a.keep(ctx, &next); err != nil {
		return err
	}
	w.state = next
	if value != was.Value {
		a.Log.Info("alarm changed", "alarm", w.AlarmName, "from", was.Value, "to", value, "reason", reason)
		if value == Ringing {
			a.notify(ctx, w, time.Time{})
		} else if was.Value == Ringing {
			a.notify(ctx, w, now)
		}
	}
	return a.settle(ctx, w)
}

// settle does what an alarm owes; what cannot be done now is tried again. The lock
// is held.
func (a *Alarms) settle(ctx context.Context, w *watched) error {
	if len(w.state.Owed) == 0 {
		return nil
	}
	next := w.state
	next.Owed = nil
	for _, o := range w.state.Owed {
		err := a.act(ctx, o)
		kind := fault.KindOf(err)
		switch {
		case err == nil:
			next = next.with(item{time.Now().UTC(), actionDone, "Successfully executed action " + o.Action, ""})
		case kind == fault.NotFound || kind == fault.Invalid || kind == fault.Denied || kind == fault.TooLarge:
			next = next.with(item{time.Now().UTC(), actionDone, "Failed to execute action " + o.Action + ": " + err.Error(), ""})
			a.Log.Warn("an alarm's action cannot be done", "alarm", w.AlarmName, "action", o.Action, "err", err)
		default:
			next.Owed = append(next.Owed, o)
			a.Log.Warn("an alarm's action is tried again", "alarm", w.AlarmName, "action", o.Action, "err", err)
		}
	}
	if err := a.keep(ctx, &next); err != nil {
		return err
	}
	w.state = next
	return nil
}

// notify tells receivers of an alarm that rings, or has until ended; the lock is held.
func (a *Alarms) notify(ctx context.Context, w *watched, ended time.Time) {
	w.told = time.Now()
	if a.Notify != nil {
		al := w.alert()
		al.Ends = ended
		a.Notify(ctx, al)
	}
}

// alert is the alarm in the words of other alerts.
func (w *watched) alert() alert.Alert {
	al := alert.Alert{
		Rule: w.AlarmName, Starts: w.state.Transitioned, Value: w.state.Measured,
		Labels:      map[string]string{alert.NameLabel: w.AlarmName, alert.SeverityLabel: "warning", alert.StackLabel: w.stack},
		Annotations: map[string]string{alert.SummaryAnnotation: w.AlarmDescription, alert.DescriptionAnnotation: w.state.Reason},
	}
	if w.AlarmDescription == "" {
		al.Annotations[alert.SummaryAnnotation] = "Alarm " + w.AlarmName
	}
	for _, d := range w.Dimensions {
		if d.Name == "FunctionName" {
			al.Labels[alert.FunctionLabel] = d.Value
		}
	}
	return al
}

// Alerts are the alarms that ring, for lists.
func (a *Alarms) Alerts() []alert.Active {
	a.mu.Lock()
	defer a.mu.Unlock()
	var list []alert.Active
	for _, name := range slices.Sorted(maps.Keys(a.alarms)) {
		if w := a.alarms[name]; w.state.Value == Ringing {
			list = append(list, alert.Active{Alert: w.alert(), State: alert.Firing, Since: w.state.Transitioned})
		}
	}
	return list
}
