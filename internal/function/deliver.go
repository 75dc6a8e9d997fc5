package function

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// maxDeliveries is how many events of one consumer run at once, unless the
// function's reserved concurrency is lower.
const maxDeliveries = 64

var defaultRetryDelays = []time.Duration{time.Minute, 2 * time.Minute}

func (i *Invoker) retryDelays() []time.Duration {
	if i.RetryDelays != nil {
		return i.RetryDelays
	}
	return defaultRetryDelays
}

func (i *Invoker) ackWait() time.Duration     { return or(i.AckWait, 10*time.Second) }
func (i *Invoker) maxEventAge() time.Duration { return or(i.MaxEventAge, 6*time.Hour) }
func (i *Invoker) drainGrace() time.Duration  { return or(i.DrainGrace, 10*time.Second) }

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// maxUnsettled is how many events of a consumer may be under way or wait for
// their retry: the server delivers no others meanwhile, so a failing function
// must not come near it within the minutes that a retry takes.
const maxUnsettled = 100_000

// Consumer configures a consumer as Deliver needs it. subject may be empty.
func (i *Invoker) Consumer(durable, subject string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: durable, FilterSubject: subject, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: i.ackWait(), MaxDeliver: -1, MaxAckPending: maxUnsettled,
	}
}

// Deliver invokes a function for every message of a consumer, until ctx ends.
// It returns nil then, once the invocations under way have finished or DrainGrace
// is over; an error says that the consumer cannot be read.
//
// A message is acknowledged when the function has succeeded, or when its retries
// are used up and the event is kept as a dead letter. name is the function, by
// name or ARN. decode reads the invocation from a message; ok false skips the
// message, an error makes it a dead letter, as it will never be readable. The
// consumer is made with the configuration that Consumer returns; its AckWait is
// prolonged while the function runs.
func (i *Invoker) Deliver(ctx context.Context, consumer jetstream.Consumer, name string, decode func(msg jetstream.Msg) (inv Invocation, ok bool, err error)) error {
	q, err := i.open(ctx)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	info := consumer.CachedInfo()
	d := &delivery{
		Invoker: i, queues: q, function: name, decode: decode, run: run,
		key:   base64.RawURLEncoding.EncodeToString([]byte(info.Stream + "/" + info.Name)),
		beat:  max(info.Config.AckWait/3, 10*time.Millisecond),
		freed: make(chan struct{}, 1),
	}
	err = d.pull(ctx, consumer)
	d.drain(stop)
	return err
}

// delivery is the state of one Deliver.
type delivery struct {
	*Invoker
	queues   *queues
	function string
	decode   func(msg jetstream.Msg) (inv Invocation, ok bool, err error)
	key      string // of the consumer, in the record of failures
	beat     time.Duration
	run      context.Context // of the invocations: outlives Deliver's by the grace

	group sync.WaitGroup
	mu    sync.Mutex
	busy  int
	freed chan struct{}
}

func (d *delivery) pull(ctx context.Context, consumer jetstream.Consumer) error {
	for ctx.Err() == nil {
		free := d.free()
		if free == 0 {
			select {
			case <-d.freed:
			case <-ctx.Done():
			}
			continue
		}
		batch, err := consumer.Fetch(free, jetstream.FetchContext(ctx))
		if err != nil {
			return ended(ctx, err)
		}
		for msg := range batch.Messages() {
			if ctx.Err() == nil { // else it comes again
				d.start(msg)
			}
		}
		if err := batch.Error(); err != nil {
			return ended(ctx, err)
		}
	}
	return nil
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("fetch messages: %w", err)
}

func (d *delivery) free() int {
	limit := maxDeliveries
	if e, _, err := d.find(d.function); err == nil {
		if reserved := d.deployed(e).Concurrency; reserved != nil {
			limit = max(1, min(limit, *reserved))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(0, limit-d.busy)
}

func (d *delivery) start(msg jetstream.Msg) {
	d.mu.Lock()
	d.busy++
	d.mu.Unlock()
	d.group.Go(func() {
		d.handle(msg)
		d.mu.Lock()
		d.busy--
		d.mu.Unlock()
		select {
		case d.freed <- struct{}{}:
		default:
		}
	})
}

// drain waits for the invocations under way, and abandons them after the grace.
func (d *delivery) drain(stop func()) {
	timer := time.AfterFunc(d.drainGrace(), stop)
	defer timer.Stop()
	d.group.Wait()
}

// handle brings one message a step further: acknowledged, to come again later,
// or left as it is, to come again soon.
func (d *delivery) handle(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		d.Log.Error("a message without metadata is skipped", "function", d.function, "err", err)
		return
	}
	defer d.keepAlive(msg)()
	t := &task{delivery: d, msg: msg, meta: meta, key: d.key + "." + strconv.FormatUint(meta.Sequence.Stream, 10)}
	inv, ok, err := d.decode(msg)
	switch {
	case err != nil:
		t.inv = Invocation{Function: d.function, Payload: msg.Data()}
		err = t.bury(verdict{Code: 400, Message: err.Error()})
	case !ok:
		err = msg.Ack()
	default:
		t.inv = inv
		if t.inv.ID == "" { // the same for every attempt
			t.inv.ID = requestID(t.key + "/")
		}
		err = t.attempt()
	}
	if err != nil && d.run.Err() == nil {
		d.Log.Warn("delivery is put off", "function", d.function, "request", t.inv.ID, "err", err)
		_ = msg.NakWithDelay(backOff(meta.NumDelivered))
	}
}

// keepAlive keeps the server from delivering a message again while it is handled.
func (d *delivery) keepAlive(msg jetstream.Msg) (stop func()) {
	var timer *time.Timer
	var mu sync.Mutex
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(d.beat, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			_ = msg.InProgress()
			timer.Reset(d.beat)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// backOff grows from one second to five minutes.
func backOff(delivered uint64) time.Duration {
	return min(5*time.Minute, time.Second<<min(delivered-1, 9))
}

// verdict is why an event failed. Code is a status of HTTP: 200 when it was the
// function that failed.
type verdict struct {
	Code    int    `json:"code"`
	Message string `json:"message"`

	// Of an event that ran:
	Version       string          `json:"version,omitempty"`
	FunctionError string          `json:"functionError,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"` // if not over maxKept
	tooOld        bool            // it has waited for too long
}

// maxKept is up to which size the error object of a failure is kept until the
// destination is told.
const maxKept = 64 << 10

// failures is what is recorded of an event whose function has failed. It is kept
// apart from the server's count of deliveries, which crashes and throttling
// increase too.
type failures struct {
	Count     int       `json:"count"`
	NotBefore time.Time `json:"notBefore"`
	Last      verdict   `json:"last"`
}

// task is one message being handled.
type task struct {
	*delivery
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
	inv  Invocation
	key  string
	past failures
}

// attempt invokes the function once, unless it is too early or too late.
func (t *task) attempt() error {
	if err := t.recall(); err != nil {
		return err
	}
	if t.past.Count > len(t.delays()) {
		return t.bury(t.past.Last)
	}
	if t.meta.NumDelivered > 1 && time.Since(t.meta.Timestamp) > t.oldest() {
		last := t.past.Last
		last.tooOld = true
		if last.Code == 0 {
			last.Code, last.Message = 408, fmt.Sprintf("the event is older than %v", t.oldest())
		}
		return t.bury(last)
	}
	if wait := time.Until(t.past.NotBefore); wait > 0 { // a crash brought it back early
		return t.msg.NakWithDelay(wait)
	}
	t.waited()
	res, err := t.Invoke(t.run, t.inv)
	switch {
	case err == nil && res.FunctionError == "":
		if err := t.succeeded(res); err != nil {
			return err
		}
		if err := t.settled(Outcome{Fate: Delivered}); err != nil {
			return err
		}
		t.forget()
		return t.msg.Ack()
	case err == nil:
		return t.failed(failureOf(res))
	case t.run.Err() != nil:
		return nil // abandoned: nobody knows how it ended
	}
	tooOld := time.Since(t.meta.Timestamp) > t.oldest()
	if final(err) || t.neverRuns() || tooOld {
		return t.bury(verdict{Code: statusOf(err), Message: err.Error(), tooOld: tooOld})
	}
	return err
}

func failureOf(res Result) verdict {
	v := verdict{Code: 200, Message: errorMessage(res), Version: res.ExecutedVersion, FunctionError: res.FunctionError}
	if len(res.Payload) <= maxKept && json.Valid(res.Payload) {
		v.Payload = res.Payload
	}
	return v
}

// delays are those before the retries that the function has.
func (t *task) delays() []time.Duration {
	delays := t.retryDelays()
	if e, _, err := t.find(t.inv.Function); err == nil {
		if most := t.deployed(e).MaxRetries; most != nil {
			delays = delays[:max(0, min(len(delays), *most))]
		}
	}
	return delays
}

// oldest is the age at which the function's events are given up.
func (t *task) oldest() time.Duration {
	if e, _, err := t.find(t.inv.Function); err == nil {
		if age := t.deployed(e).MaxEventAge; age > 0 {
			return min(t.maxEventAge(), time.Duration(age)*time.Second)
		}
	}
	return t.maxEventAge()
}

// recall reads what is recorded of the event; there is nothing at its first delivery.
func (t *task) recall() error {
	if t.meta.NumDelivered <= 1 {
		return nil
	}
	entry, err := t.queues.failures.Get(t.run, t.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the record of failures: %w", err)
	}
	if err := json.Unmarshal(entry.Value(), &t.past); err != nil {
		return fmt.Errorf("read the record of failures: %w", err)
	}
	return nil
}

// failed records a failure before the event is put off: after a crash it counts.
func (t *task) failed(v verdict) error {
	t.past.Count++
	t.past.Last = v
	delays := t.delays()
	retry := t.past.Count <= len(delays)
	if retry {
		t.past.NotBefore = time.Now().Add(delays[t.past.Count-1])
	}
	value, err := json.Marshal(t.past)
	if err != nil {
		return err
	}
	if _, err := t.queues.failures.Put(t.run, t.key, value); err != nil {
		return fmt.Errorf("record a failure: %w", err)
	}
	t.Log.Info("function failed on a queued event", "function", t.function, "request", t.inv.ID, "failures", t.past.Count, "retry", retry)
	if !retry {
		return t.bury(v)
	}
	if err := t.settled(Outcome{Fate: Retried}); err != nil {
		return err
	}
	return t.msg.NakWithDelay(delays[t.past.Count-1])
}

func (t *task) settled(o Outcome) error {
	if t.inv.Settled == nil {
		return nil
	}
	return t.inv.Settled(t.run, o)
}

func (t *task) forget() {
	if t.past.Count == 0 {
		return
	}
	if err := t.queues.failures.Purge(t.run, t.key); err != nil {
		t.Log.Warn("the record of failures expires by itself", "function", t.function, "err", err)
	}
}

// neverRuns reports whether the function was switched off by a concurrency of 0.
func (t *task) neverRuns() bool {
	e, _, err := t.find(t.inv.Function)
	if err != nil {
		return false
	}
	limit := t.deployed(e).Concurrency
	return limit != nil && *limit == 0
}

// final reports whether an event that was refused will be refused for ever.
func final(err error) bool {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid, fault.TooLarge:
		return true
	}
	return false
}

func statusOf(err error) int {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return 404
	case fault.Invalid:
		return 400
	case fault.TooLarge:
		return 413
	case fault.Throttled:
		return 429
	}
	return 500
}

func errorMessage(res Result) string {
	var e struct{ ErrorMessage string }
	if json.Unmarshal(res.Payload, &e) != nil || e.ErrorMessage == "" {
		return res.ErrorType
	}
	return e.ErrorMessage
}
