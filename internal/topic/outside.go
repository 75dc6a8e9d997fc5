package topic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/trace"
)

// Bounds of deliveries to one endpoint.
const (
	maxOutside = 32 // at once, to a web server
	maxMail    = 2  // at once, to a person
	beat       = ackWait / 3
	// drainGrace is how long deliveries under way may take at the end.
	drainGrace = 10 * time.Second
)

// courier delivers the messages of one subscription to an endpoint outside, as
// function.Deliver does to a function: with a retry as the plan says, failures
// recorded apart from deliveries, and a dead letter at the end.
type courier struct {
	*reader
	consumer jetstream.Consumer
	failures jetstream.KeyValue
	run      context.Context // of deliveries: outlives that of the loop by the grace
	slots    chan struct{}
	pace     pace
}

// courier returns the courier of a subscription.
func (t *Topics) courier(ctx context.Context, r *reader, consumer jetstream.Consumer) (*courier, error) {
	failures, err := t.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: failuresBucket, TTL: 24 * time.Hour})
	if err != nil {
		return nil, fmt.Errorf("open the record of failures: %w", err)
	}
	slots := maxOutside
	if r.sub.protocol() == ProtocolEmail || r.sub.protocol() == ProtocolEmailJSON {
		slots = maxMail
	}
	return &courier{reader: r, consumer: consumer, failures: failures, slots: make(chan struct{}, slots)}, nil
}

// deliver returns nil once ctx has ended and what was under way is finished, or
// the error that keeps it from reading the consumer.
func (c *courier) deliver(ctx context.Context) error {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	c.run = run
	var group sync.WaitGroup
	defer func() {
		timer := time.AfterFunc(drainGrace, stop)
		defer timer.Stop()
		group.Wait()
	}()
	for {
		// Half of the slots at once: a fetch costs as much as a delivery.
		n := (cap(c.slots) + 1) / 2
		for range n {
			select {
			case c.slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
		}
		batch, err := c.consumer.Fetch(n, jetstream.FetchContext(ctx))
		if err == nil {
			for msg := range batch.Messages() {
				if ctx.Err() != nil {
					continue // it comes again
				}
				n--
				group.Go(func() { defer func() { <-c.slots }(); c.handle(msg) })
			}
			err = batch.Error()
		}
		for range n {
			<-c.slots
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("fetch messages: %w", err)
		}
	}
}

// handle brings one message a step further: done with, to come again later, or
// left as it is, to come again soon.
func (c *courier) handle(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		c.Log.Error("a message without metadata is skipped", "subscription", c.sub.ARN, "err", err)
		return
	}
	defer keepAlive(msg)()
	d := &delivery{courier: c, msg: msg, meta: meta, key: consumerName(c.sub.ARN) + "." + strconv.FormatUint(meta.Sequence.Stream, 10)}
	rec, ok, err := c.read(msg)
	switch {
	case err != nil:
		c.Log.Error("a message that cannot be read is dropped", "subscription", c.sub.ARN, "err", err)
		err = msg.TermWithReason(err.Error())
	case !ok:
		err = msg.Ack()
	default:
		d.rec = rec
		err = d.attempt()
	}
	if err != nil && c.run.Err() == nil {
		c.Log.Warn("delivery is put off", "subscription", c.sub.ARN, "message", d.rec.ID, "err", err)
		_ = msg.NakWithDelay(min(5*time.Minute, time.Second<<min(meta.NumDelivered-1, 9)))
	}
}

// keepAlive keeps the server from delivering a message again while it is handled.
func keepAlive(msg jetstream.Msg) (stop func()) {
	var mu sync.Mutex
	var timer *time.Timer
	stopped := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(beat, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			_ = msg.InProgress()
			timer.Reset(beat)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// failed is what is recorded of a message that the endpoint did not take.
type failed struct {
	Count     int       `json:"count"`
	NotBefore time.Time `json:"notBefore"`
	Last      string    `json:"last"`
}

// delivery is one message being delivered.
type delivery struct {
	*courier
	msg  jetstream.Msg
	meta *jetstream.MsgMetadata
	key  string
	rec  record
	past failed
}

func (d *delivery) attempt() error {
	if err := d.recall(); err != nil {
		return err
	}
	if wait := time.Until(d.past.NotBefore); wait > 0 { // a crash brought it back early
		return d.msg.NakWithDelay(wait)
	}
	topic, p, err := d.planned(d.sub)
	if err != nil {
		return err
	}
	if err := d.pace.wait(d.run, p.perSecond); err != nil {
		return nil // shutting down
	}
	doc, err := d.notify(topic, d.sub, d.rec)
	if err != nil {
		return err
	}
	err = d.send(trace.With(d.run, d.rec.Trace), d.sub, p, doc)
	switch _, final := errors.AsType[refused](err); {
	case err == nil:
		d.count(resultDelivered)
		d.forget()
		return d.msg.Ack()
	case d.run.Err() != nil:
		return nil // abandoned: nobody knows how it ended
	case final, d.past.Count >= p.NumRetries:
		return d.bury(err)
	}
	return d.retry(p.delay(d.past.Count), err)
}

// planned is the topic and the plan of a subscription at this moment.
func (t *Topics) planned(sub Subscription) (*Topic, plan, error) {
	o := t.load().topics[sub.Topic]
	if o == nil {
		return nil, plan{}, fmt.Errorf("topic %s is gone", sub.Topic)
	}
	return &o.Topic, planFor(&o.Topic, sub), nil
}

// send brings a document to its endpoint.
func (t *Topics) send(ctx context.Context, sub Subscription, p plan, d document) error {
	switch sub.protocol() {
	case ProtocolEmail, ProtocolEmailJSON:
		if t.Mail == nil {
			return errors.New("e-mail is not configured any more")
		}
		return t.Mail.Mail(ctx, sub.Endpoint, d.subject, d.text)
	case ProtocolSQS:
		return t.toQueue(ctx, sub.Endpoint, sub.ARN+" "+d.id, string(d.body), d.attributes)
	}
	return t.post(ctx, sub, p, d)
}

// recall reads what is recorded of the message; there is nothing at its first delivery.
func (d *delivery) recall() error {
	if d.meta.NumDelivered <= 1 {
		return nil
	}
	entry, err := d.failures.Get(d.run, d.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), &d.past)
	}
	if err != nil {
		return fmt.Errorf("read the record of failures: %w", err)
	}
	return nil
}

// retry records a failure before the message is put off: after a crash it counts.
func (d *delivery) retry(after time.Duration, why error) error {
	d.past = failed{d.past.Count + 1, time.Now().Add(after), why.Error()}
	value, err := json.Marshal(d.past)
	if err != nil {
		return err
	}
	if _, err := d.failures.Put(d.run, d.key, value); err != nil {
		return fmt.Errorf("record a failure: %w", err)
	}
	d.count(resultFailed)
	d.Log.Info("endpoint failed", "subscription", d.sub.ARN, "message", d.rec.ID, "failures", d.past.Count, "retry", after, "err", why)
	return d.msg.NakWithDelay(after)
}

func (d *delivery) forget() {
	if d.past.Count == 0 {
		return
	}
	if err := d.failures.Purge(d.run, d.key); err != nil {
		d.Log.Warn("the record of failures expires by itself", "subscription", d.sub.ARN, "err", err)
	}
}

// bury keeps the message as a dead letter and is done with it.
func (d *delivery) bury(why error) error {
	if err := d.keepLetter(d.run, d.key, d.sub, d.rec, why); err != nil {
		return err
	}
	if err := d.redrive(d.run, d.sub, d.rec, 0, why.Error()); err != nil {
		return err
	}
	d.count(resultDead)
	d.Log.Warn("message became a dead letter", "subscription", d.sub.ARN, "message", d.rec.ID, "err", why)
	d.forget()
	return d.msg.Ack()
}

// pace spreads deliveries over time.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// wait returns when it is the caller's turn, at so many turns a second; 0 is no limit.
func (p *pace) wait(ctx context.Context, perSecond int) error {
	if perSecond == 0 {
		return nil
	}
	p.mu.Lock()
	turn := p.next
	if turn.Before(time.Now()) {
		turn = time.Now()
	}
	p.next = turn.Add(time.Second / time.Duration(perSecond))
	p.mu.Unlock()
	select {
	case <-time.After(time.Until(turn)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
