package function

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/trace"
)

const (
	queueName    = "invocations"
	lettersName  = "dead-letters"
	failuresName = "delivery-failures"

	headerID      = "Dropstack-Request-Id"
	headerContext = "Dropstack-Client-Context" // base64
	headerTrace   = "Dropstack-Trace-Id"
	headerVersion = "Dropstack-Qualifier"
	headerTrigger = "Dropstack-Trigger" // without one: TriggerAsync

	// dedupe is how long a second event with the same ID is recognised.
	dedupe = 15 * time.Minute
	// keepLetters is SQS's longest retention.
	keepLetters = 14 * 24 * time.Hour
)

// queues are the stored things of this room.
type queues struct {
	events   jetstream.Stream
	letters  jetstream.Stream
	failures jetstream.KeyValue
}

// open makes the streams that do not exist yet.
func (i *Invoker) open(ctx context.Context) (*queues, error) {
	i.opening.Lock()
	defer i.opening.Unlock()
	if i.opened != nil {
		return i.opened, nil
	}
	var q queues
	var err error
	if q.events, err = i.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: queueName, Subjects: []string{queueName + ".>"}, Retention: jetstream.WorkQueuePolicy,
		Storage: jetstream.FileStorage, Duplicates: dedupe,
	}); err != nil {
		return nil, fmt.Errorf("open the stream of queued events: %w", err)
	}
	if q.letters, err = i.Streams.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: lettersName, Subjects: []string{lettersName + ".>"}, Storage: jetstream.FileStorage,
		MaxAge: keepLetters, Duplicates: dedupe,
	}); err != nil {
		return nil, fmt.Errorf("open the stream of dead letters: %w", err)
	}
	if q.failures, err = i.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: failuresName, Storage: jetstream.FileStorage, TTL: 7 * 24 * time.Hour,
	}); err != nil {
		return nil, fmt.Errorf("open the record of failed deliveries: %w", err)
	}
	i.opened = &q
	return i.opened, nil
}

// Enqueue answers once the event is on disk; Run delivers it.
func (i *Invoker) Enqueue(ctx context.Context, inv Invocation) error {
	e, qualifier, err := i.find(inv.Function)
	if err != nil {
		return err
	}
	payload, err := checkPayload(inv, MaxAsyncPayload)
	if err != nil {
		return err
	}
	if _, err := i.open(ctx); err != nil {
		return unavailable(err)
	}
	if inv.ID == "" {
		inv.ID = newID()
	}
	msg := nats.NewMsg(queueName + "." + e.Name)
	msg.Data = payload
	msg.Header.Set(headerID, requestID(inv.ID))
	if qualifier != "" {
		msg.Header.Set(headerVersion, qualifier)
	}
	if inv.Trigger != "" {
		msg.Header.Set(headerTrigger, inv.Trigger)
	}
	if _, ok := trace.Parse(inv.TraceID); !ok { // then all attempts have one in common
		inv.TraceID = i.Traces.Carry(ctx)
	}
	msg.Header.Set(headerTrace, inv.TraceID)
	msg.Header.Set(headerContext, base64.StdEncoding.EncodeToString([]byte(inv.ClientContext)))
	id := base64.RawURLEncoding.EncodeToString([]byte(inv.ID)) // a header's value may not hold everything
	if _, err := i.Streams.PublishMsg(ctx, msg, jetstream.WithMsgID(e.Name+"/"+id)); err != nil {
		return unavailable(fmt.Errorf("queue an event for %s: %w", e.Name, err))
	}
	return nil
}

func unavailable(err error) error { return fault.Errorf(fault.Unavailable, "%w", err) }

// queued reads what Enqueue wrote.
func queued(msg jetstream.Msg) (Invocation, bool, error) {
	clientContext, err := base64.StdEncoding.DecodeString(msg.Headers().Get(headerContext))
	if err != nil {
		return Invocation{}, false, fmt.Errorf("client context of a queued event: %w", err)
	}
	name := strings.TrimPrefix(msg.Subject(), queueName+".")
	if qualifier := msg.Headers().Get(headerVersion); qualifier != "" {
		name += ":" + qualifier
	}
	return Invocation{
		ID: msg.Headers().Get(headerID), Function: name,
		Payload: msg.Data(), Marshalled: true,
		ClientContext: string(clientContext), TraceID: msg.Headers().Get(headerTrace),
		Trigger: cmp.Or(msg.Headers().Get(headerTrigger), TriggerAsync),
	}, true, nil
}

// signal tells Run that the functions have changed.
func (i *Invoker) signal() {
	select {
	case i.changes() <- struct{}{}:
	default:
	}
}

func (i *Invoker) changes() chan struct{} {
	i.opening.Lock()
	defer i.opening.Unlock()
	if i.changed == nil {
		i.changed = make(chan struct{}, 1)
	}
	return i.changed
}

// pollRemoved is how often Run looks whether a removed function's queue is empty.
const pollRemoved = 2 * time.Second

// Run delivers queued events until ctx ends and the deliveries under way have
// finished, or DrainGrace is over: what is unfinished then is delivered again
// after the next start.
func (i *Invoker) Run(ctx context.Context) error {
	q, err := i.open(ctx)
	if err != nil {
		return err
	}
	names, err := i.owed(ctx, q)
	if err != nil {
		return err
	}
	w := &workers{Invoker: i, queues: q, cancel: map[string]context.CancelFunc{}}
	defer w.group.Wait()
	for _, name := range names {
		w.start(ctx, name)
	}
	for {
		removed := w.reconcile(ctx)
		var poll <-chan time.Time
		if removed {
			poll = time.After(pollRemoved)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-i.changes():
		case <-poll:
		}
	}
}

// owed are the functions that have a consumer or events from an earlier run;
// they may have been removed since.
func (i *Invoker) owed(ctx context.Context, q *queues) ([]string, error) {
	var names []string
	list := q.events.ConsumerNames(ctx)
	for name := range list.Name() {
		names = append(names, name)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("list the consumers of queued events: %w", err)
	}
	info, err := q.events.Info(ctx, jetstream.WithSubjectFilter(">"))
	if err != nil {
		return nil, fmt.Errorf("list the queued events: %w", err)
	}
	for subject := range info.State.Subjects {
		names = append(names, strings.TrimPrefix(subject, queueName+"."))
	}
	return names, nil
}

// workers are the deliveries of queued events, one a function.
type workers struct {
	*Invoker
	queues *queues
	cancel map[string]context.CancelFunc
	group  sync.WaitGroup
}

// reconcile starts deliveries for new functions and ends those of removed ones
// whose queue is empty. It reports whether there are others.
func (w *workers) reconcile(ctx context.Context) (removed bool) {
	functions := w.snapshot().functions
	for name := range functions {
		w.start(ctx, name)
	}
	for name := range w.cancel {
		if functions[name] != nil {
			continue
		}
		done, err := w.end(ctx, name)
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("remove the queue of a removed function", "function", name, "err", err)
		}
		removed = removed || !done
	}
	return removed
}

func (w *workers) start(ctx context.Context, name string) {
	if w.cancel[name] != nil {
		return
	}
	ctx, w.cancel[name] = context.WithCancel(ctx)
	w.group.Go(func() { w.work(ctx, name) })
}

// work delivers one function's events until ctx ends.
func (w *workers) work(ctx context.Context, name string) {
	for ctx.Err() == nil {
		consumer, err := w.queues.events.CreateOrUpdateConsumer(ctx, w.Consumer(name, queueName+"."+name))
		if err == nil {
			err = w.Deliver(ctx, consumer, name, queued)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		w.Log.Error("queued events are not delivered; trying again", "function", name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// end removes the consumer of a removed function when it owes nothing: its events
// are becoming dead letters. The stream is asked what is left, since it keeps an
// event until it is acknowledged, and knows of those no consumer has seen yet.
func (w *workers) end(ctx context.Context, name string) (bool, error) {
	subject := queueName + "." + name
	info, err := w.queues.events.Info(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil || info.State.Subjects[subject] > 0 {
		return false, err
	}
	w.cancel[name]()
	delete(w.cancel, name)
	err = w.queues.events.DeleteConsumer(ctx, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		err = nil // was just being made; the next start removes it
	}
	return true, err
}
