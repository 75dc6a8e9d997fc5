package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
)

const (
	// concurrency is how many batches of a mapping that does not say are handled at
	// once. As batches are gathered one after the other, an idle queue has one.
	concurrency = 10
	longPoll    = 20 * time.Second
	retryPause  = time.Second // after an error that is not the function's
)

// pollers run the mappings of the snapshot, while the room runs.
type pollers struct {
	mu      sync.Mutex
	run     context.Context // nil while the room does not run
	running map[string]*poller
	done    sync.WaitGroup
}

type poller struct {
	mapping Mapping
	stop    context.CancelFunc
}

// Run polls queues for functions until ctx ends and what has been begun is done.
func (q *Queues) Run(ctx context.Context) error {
	q.pollers.mu.Lock()
	q.pollers.run, q.pollers.running = ctx, map[string]*poller{}
	q.pollers.mu.Unlock()
	q.tend()
	<-ctx.Done()
	q.pollers.stop()
	return nil
}

// stop ends all pollers and waits for what they have begun.
func (p *pollers) stop() {
	p.mu.Lock()
	p.run = nil
	for _, one := range p.running {
		one.stop()
	}
	p.running = nil
	p.mu.Unlock()
	p.done.Wait()
}

// tend starts and stops pollers so that they are those of the snapshot.
func (q *Queues) tend() {
	p := &q.pollers
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return
	}
	want := q.load().mappings
	for id, one := range p.running {
		if m, ok := want[id]; !ok || m.Disabled || !same(m, one.mapping) {
			one.stop()
			delete(p.running, id)
		}
	}
	for id, m := range want {
		if p.running[id] != nil || m.Disabled {
			continue
		}
		ctx, stop := context.WithCancel(p.run)
		p.running[id] = &poller{m, stop}
		p.done.Go(func() { q.poll(ctx, m) })
	}
}

func same(a, b Mapping) bool {
	return a.Source == b.Source && a.Function == b.Function && a.BatchSize == b.BatchSize && a.Window == b.Window &&
		a.ReportFailures == b.ReportFailures && a.MaxConcurrency == b.MaxConcurrency && slices.Equal(a.Filters, b.Filters)
}

// poll gathers batches and hands them to the function, until ctx ends.
func (q *Queues) poll(ctx context.Context, m Mapping) {
	var filters []*pattern.Pattern
	for _, text := range m.Filters {
		f, err := pattern.Parse(text)
		if err != nil { // refused by Replace
			q.Log.Error("an event source mapping has a filter that is none", "mapping", m.ID, "err", err)
			return
		}
		filters = append(filters, f)
	}
	slots := make(chan struct{}, cmp.Or(m.MaxConcurrency, concurrency))
	var batches sync.WaitGroup
	defer batches.Wait()
	var complaint string // is made once
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		o, list, err := q.gather(ctx, m)
		if len(list) == 0 {
			<-slots
			if err != nil && err.Error() != complaint {
				q.Log.Warn("a mapping cannot poll its queue, and tries on", "mapping", m.ID, "queue", m.Source, "function", m.Function, "err", err)
				complaint = err.Error()
			}
			if err != nil && !pause(ctx) {
				return
			}
			continue
		}
		complaint = ""
		batches.Go(func() {
			defer func() { <-slots }()
			// what has been received is finished, also when the poller is stopped
			if err := q.handle(context.WithoutCancel(ctx), o, m, filters, list); err != nil {
				q.Log.Warn("a batch of messages was not handled, and comes again", "queue", m.Source, "function", m.Function, "messages", len(list), "err", err)
				pause(ctx)
			}
		})
	}
}

func pause(ctx context.Context) bool {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// gather receives a batch: what there is when the first message comes, or with a
// window what comes within it.
func (q *Queues) gather(ctx context.Context, m Mapping) (*open, []*given, error) {
	o, err := q.find(m.Source)
	if err != nil {
		return nil, nil, err
	}
	queue := o.get()
	hide := time.Duration(queue.visibility()) * time.Second
	list, err := q.receive(ctx, o, m.batch(), hide, longPoll)
	if err != nil || len(list) == 0 || m.Window == 0 && len(list) >= m.batch() {
		return o, list, err
	}
	end := time.Now().Add(time.Duration(m.Window) * time.Second)
	for len(list) < m.batch() && ctx.Err() == nil {
		more, err := q.receive(ctx, o, m.batch()-len(list), hide, max(time.Until(end), 0))
		if err != nil {
			return o, list, nil // which are ours already
		}
		if list = append(list, more...); len(more) == 0 {
			break
		}
	}
	return o, list, nil
}

// handle has the function handle a batch. Messages that it has handled are
// deleted; the others stay hidden for their time, and come again.
func (q *Queues) handle(ctx context.Context, o *open, m Mapping, filters []*pattern.Pattern, list []*given) error {
	wanted := list[:0:0]
	for _, h := range list {
		if len(filters) == 0 || slices.ContainsFunc(filters, func(p *pattern.Pattern) bool { return p.Match(h.filtered(o.get().FIFO)) }) {
			wanted = append(wanted, h)
		} else if err := o.settle(ctx, h.receipt); err != nil {
			return err
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	payload, err := event(q.Region, o.get(), wanted)
	if err != nil {
		return err
	}
	if len(payload) > function.MaxSyncPayload {
		return q.halves(ctx, o, m, wanted)
	}
	result, err := q.Invoker.Invoke(ctx, function.Invocation{Function: m.Function, Payload: payload, Marshalled: true, Trigger: function.TriggerQueue, TraceID: traceOf(wanted)})
	if err != nil {
		return err
	}
	if result.FunctionError != "" {
		return nil // told by the function's own log and metrics
	}
	failed, err := failures(m, result.Payload)
	if err != nil {
		return err
	}
	var errs error
	for _, h := range wanted {
		if !slices.Contains(failed, h.ID) {
			errs = cmp.Or(errs, o.settle(ctx, h.receipt))
		}
	}
	return errs
}

// traceOf is the trace that a batch is handled in: of messages of several, that of
// the first.
func traceOf(list []*given) string {
	for _, h := range list {
		if h.Trace != "" {
			return h.Trace
		}
	}
	return ""
}

// halves handles a batch that is too large for one event as two.
func (q *Queues) halves(ctx context.Context, o *open, m Mapping, list []*given) error {
	if len(list) == 1 {
		return fmt.Errorf("message %s is too large for an event", list[0].ID)
	}
	err := q.handle(ctx, o, m, nil, list[:len(list)/2])
	return cmp.Or(q.handle(ctx, o, m, nil, list[len(list)/2:]), err)
}

// failures are the messages that a function says it could not handle.
func failures(m Mapping, payload []byte) (ids []string, err error) {
	if !m.ReportFailures {
		return nil, nil
	}
	var answer struct {
		Failures []struct {
			ID *string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if len(payload) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(payload, &answer); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the function's answer is not {batchItemFailures: [{itemIdentifier}]}: %w", err)
	}
	for _, f := range answer.Failures {
		if f.ID == nil || *f.ID == "" {
			return nil, fault.Errorf(fault.Invalid, "the function's answer has a batchItemFailures without itemIdentifier")
		}
		ids = append(ids, *f.ID)
	}
	return ids, nil
}

// filtered is a message as filters see it: its body as JSON where it is some.
func (h *given) filtered(fifo bool) []byte {
	type attribute struct {
		StringValue *string `json:"stringValue,omitempty"`
		BinaryValue []byte  `json:"binaryValue,omitempty"`
		DataType    string  `json:"dataType"`
	}
	doc := struct {
		ID         string               `json:"messageId"`
		Body       any                  `json:"body"`
		Attributes map[string]string    `json:"attributes"`
		Own        map[string]attribute `json:"messageAttributes"`
	}{h.ID, h.Body, h.attributes(fifo), map[string]attribute{}}
	if json.Valid([]byte(h.Body)) {
		doc.Body = json.RawMessage(h.Body)
	}
	for name, a := range h.Attributes {
		doc.Own[name] = attribute{a.StringValue, a.BinaryValue, a.DataType}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return nil // which matches nothing; strings and valid JSON always marshal
	}
	return out
}
