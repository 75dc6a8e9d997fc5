package schedule

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
)

const (
	// late is how long after its instant a tick is still worth firing: it bounds
	// the retries, and what is made up for after the machine was asleep.
	late = time.Minute
	// nap bounds a sleep, because timers stand still while the machine is
	// suspended and know nothing of a clock that is set.
	nap = 30 * time.Second
	// patience bounds one attempt, so that one stuck queue does not hold up others.
	patience = 10 * time.Second
)

// Buckets is what the scheduler needs of JetStream.
type Buckets interface {
	CreateOrUpdateKeyValue(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error)
}

// Scheduler fires the ticks of all stacks' schedules.
type Scheduler struct {
	Streams Buckets // of the durable server
	Enqueue function.Enqueues
	// Deliver tells a topic, a queue, with the group of a FIFO one, or an event bus, and
	// answers once that is on disk. id is the tick's. Optional: then schedules call
	// functions only.
	Deliver func(ctx context.Context, to, group, id string, body []byte) error
	// Completed is told of a schedule that is to be removed once it has no tick left.
	// Optional: then they stay.
	Completed func(ctx context.Context, s Schedule) error
	// Ticked is told what became of ticks: "fired", late after their time, "missed" or
	// "failed". Optional.
	Ticked func(s Schedule, result string, late time.Duration)
	Region string
	Log    *slog.Logger

	writing sync.Mutex // one Replace at a time

	mu     sync.Mutex
	stacks map[string][]entry // never changed in place
	wake   chan struct{}
}

// entry is a schedule that is ready to be asked for ticks.
type entry struct {
	Schedule
	expr  Expression
	since time.Time
}

// anchor remembers since when a rule's rate() counts.
type anchor struct {
	Expression string    `json:"expression"`
	Disabled   bool      `json:"disabled,omitempty"`
	Since      time.Time `json:"since"`
}

// Replace makes schedules the whole of a stack's schedules, none to remove them.
// On an error nothing has changed; a bad expression is fault.Invalid. Rules whose
// expression is unchanged keep counting from where they did, over restarts too; a
// changed or re-enabled one counts from now.
func (s *Scheduler) Replace(ctx context.Context, stack string, schedules []Schedule) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	exprs := make([]Expression, len(schedules))
	for i, sch := range schedules {
		err := sch.Check()
		if err == nil {
			exprs[i], err = sch.expression()
		}
		if err != nil {
			return fmt.Errorf("schedule %s: %w", sch.Name, err)
		}
	}
	anchors, err := s.anchors(ctx, stack, schedules)
	if err != nil {
		return fmt.Errorf("keep the schedules of %s: %w", stack, err)
	}
	entries := make([]entry, len(schedules))
	for i, sch := range schedules {
		entries[i] = entry{Schedule: sch, expr: exprs[i], since: anchors[sch.ARN].Since}
	}
	s.swap(stack, entries)
	return nil
}

// anchors brings the stored anchors of a stack up to date and returns them.
func (s *Scheduler) anchors(ctx context.Context, stack string, schedules []Schedule) (map[string]anchor, error) {
	kv, err := s.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "schedules", Description: "since when the rules of a stack count", Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, err
	}
	if len(schedules) == 0 {
		return nil, kv.Purge(ctx, stack)
	}
	old, err := load(ctx, kv, stack)
	if err != nil {
		return nil, err
	}
	// Whole seconds, as events have them, and never less than one full period.
	now := time.Now().UTC().Add(time.Second - 1).Truncate(time.Second)
	anchors := map[string]anchor{}
	for _, sch := range schedules {
		a, known := old[sch.ARN]
		if !known || a.Expression != sch.Expression || (a.Disabled && !sch.Disabled) {
			a = anchor{Expression: sch.Expression, Since: now}
			if sch.Scheduler {
				a.Since = now.Add(time.Second) // its first tick, which must be still to come when Run looks
			}
		}
		a.Disabled = sch.Disabled
		anchors[sch.ARN] = a
	}
	if maps.Equal(old, anchors) {
		return anchors, nil
	}
	doc, err := json.Marshal(anchors)
	if err != nil {
		return nil, err
	}
	_, err = kv.Put(ctx, stack, doc)
	return anchors, err
}

func load(ctx context.Context, kv jetstream.KeyValue, stack string) (map[string]anchor, error) {
	doc, err := kv.Get(ctx, stack)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var anchors map[string]anchor
	if err := json.Unmarshal(doc.Value(), &anchors); err != nil {
		return nil, fmt.Errorf("key %s of bucket schedules: %w", stack, err)
	}
	return anchors, nil
}

func (s *Scheduler) swap(stack string, entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := maps.Clone(s.stacks)
	if next == nil {
		next = map[string][]entry{}
	}
	next[stack] = entries
	if len(entries) == 0 {
		delete(next, stack)
	}
	s.stacks = next
	if s.wake != nil {
		close(s.wake)
		s.wake = nil
	}
}

// snapshot returns the entries and a channel that is closed when they change.
func (s *Scheduler) snapshot() (map[string][]entry, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake == nil {
		s.wake = make(chan struct{})
	}
	return s.stacks, s.wake
}

// Run fires ticks until ctx ends, and returns nil then. Ticks that were due before
// it started are gone.
func (s *Scheduler) Run(ctx context.Context) error {
	var p plan
	var removing sync.WaitGroup
	defer removing.Wait()
	for ctx.Err() == nil {
		stacks, changed := s.snapshot()
		p.update(stacks, time.Now())
		due, missed := p.due(time.Now())
		for rule, tick := range missed {
			s.Log.Warn("ticks missed", "schedule", rule, "from", tick.first, "ticks", tick.count)
			for range tick.count {
				s.ticked(tick.Schedule, "missed", 0)
			}
		}
		for _, d := range due {
			s.fire(ctx, d)
		}
		for _, d := range p.completed() {
			removing.Go(func() { s.complete(ctx, d) })
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(p.sleep(time.Now())):
		}
	}
	return nil
}

// complete has a schedule removed that has no tick left. It is not waited for, since a
// deployment may be under way.
func (s *Scheduler) complete(ctx context.Context, of Schedule) {
	if s.Completed == nil {
		return
	}
	if err := s.Completed(ctx, of); err != nil && ctx.Err() == nil {
		s.Log.Error("completed schedule not removed", "schedule", of.ARN, "err", err)
	}
}

// fire queues one tick and settles when its schedule is looked at again.
func (s *Scheduler) fire(ctx context.Context, p *pending) {
	attempt, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := tickID(p.key(), p.tick)
	err := s.hand(attempt, p, id)
	log := s.Log.With("schedule", p.ARN, "tick", p.tick, "request", id)
	switch {
	case err == nil:
		s.ticked(p.Schedule, "fired", max(0, time.Since(p.tick)))
		p.advance(p.tick)
	case ctx.Err() != nil:
	case !transient(err):
		log.Error("tick refused", "err", err)
		s.ticked(p.Schedule, "failed", 0)
		s.bury(attempt, p, id)
		p.advance(p.tick)
	case p.retry(time.Now()):
		log.Warn("tick not queued yet", "err", err, "attempt", p.failed, "again", p.wake)
	default:
		log.Error("tick lost", "err", err, "attempt", p.failed)
		s.ticked(p.Schedule, "failed", 0)
		s.bury(attempt, p, id)
		p.advance(p.tick)
	}
}

func (s *Scheduler) ticked(of Schedule, result string, late time.Duration) {
	if s.Ticked != nil {
		s.Ticked(of, result, late)
	}
}

// hand gives a tick to its target.
func (s *Scheduler) hand(ctx context.Context, p *pending, id string) error {
	payload, err := s.payload(p, id)
	switch {
	case err != nil:
		return fault.Errorf(fault.Invalid, "make the event: %w", err)
	case p.To == "":
		return s.Enqueue.Enqueue(ctx, function.Invocation{ID: id, Function: p.Function, Payload: payload, Trigger: function.TriggerSchedule})
	case s.Deliver == nil:
		return fault.Errorf(fault.Invalid, "%s is not a function, and nothing else can be told", p.To)
	}
	return s.Deliver(ctx, p.To, p.ToGroup, id, payload)
}

// bury puts a tick that nobody took into the queue of dead letters, if there is one.
func (s *Scheduler) bury(ctx context.Context, p *pending, id string) {
	if p.DeadLetter == "" || s.Deliver == nil {
		return
	}
	payload, err := s.payload(p, id)
	if err == nil {
		err = s.Deliver(ctx, p.DeadLetter, "", id, payload)
	}
	if err != nil {
		s.Log.Error("tick not kept as a dead letter", "schedule", p.ARN, "tick", p.tick, "queue", p.DeadLetter, "err", err)
	}
}

// transient says whether the same tick may go through later.
func transient(err error) bool {
	switch fault.KindOf(err) {
	case fault.Internal, fault.Throttled, fault.Unavailable:
		return true
	}
	return false
}

// payload is what the function gets of a tick.
func (s *Scheduler) payload(p *pending, id string) ([]byte, error) {
	if p.Scheduler && p.Input != "" {
		return []byte(words(p.ARN, p.tick, id).Replace(p.Input)), nil
	}
	e := scheduledEvent{
		Version: "0", ID: id, DetailType: "Scheduled Event", Source: "aws.events", Account: arn.Account,
		Time: p.tick.UTC().Format(instantFormat), Region: s.Region, Resources: []string{p.ARN}, Detail: struct{}{},
	}
	if p.Scheduler {
		e.Source, e.Detail = "aws.scheduler", "{}" // a string, as AWS has it
	}
	event, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return p.input().Apply(event, pattern.Origin{RuleARN: p.ARN, RuleName: p.Name, Ingested: p.tick})
}

const instantFormat = "2006-01-02T15:04:05Z"

// words puts what it is in place of each word that EventBridge Scheduler knows in an
// input.
func words(arn string, tick time.Time, id string) *strings.Replacer {
	return strings.NewReplacer(
		"<aws.scheduler.schedule-arn>", arn, "<aws.scheduler.scheduled-time>", tick.UTC().Format(instantFormat),
		"<aws.scheduler.execution-id>", id, "<aws.scheduler.attempt-number>", "1",
	)
}

// scheduledEvent is what EventBridge sends for a rule with a schedule, and its
// Scheduler for a schedule without an input.
type scheduledEvent struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// tickID is the same for the same rule and instant, in the shape of a UUID of
// version 8 (RFC 9562), which leaves the contents to us.
func tickID(rule string, tick time.Time) string {
	h := sha256.Sum256([]byte(rule + "\n" + tick.UTC().Format(time.RFC3339)))
	h[6] = h[6]&0x0f | 0x80
	h[8] = h[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
