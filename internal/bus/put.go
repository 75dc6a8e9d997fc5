package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// Limits of a call.
const (
	MaxEntries = 10
	MaxSize    = 1 << 20 // of all entries together, bytes, as AWS counts them
)

// PutEventsInput is up to MaxEntries events.
type PutEventsInput struct {
	Entries    []PutEventsRequestEntry
	EndpointId string `json:",omitempty"`
}

// PutEventsRequestEntry is an event as it is put. Detail is a JSON object.
type PutEventsRequestEntry struct {
	Time         wire.Time
	Source       string
	Resources    []string
	DetailType   string
	Detail       string `audit:"hidden"`
	EventBusName string // or its ARN; "": Default
	TraceHeader  string
}

// PutEventsOutput is what became of the entries, in their order.
type PutEventsOutput struct {
	FailedEntryCount int
	Entries          []PutEventsResultEntry
}

// PutEventsResultEntry is an event's id, or why there is none.
type PutEventsResultEntry struct {
	EventId      string `json:",omitempty"`
	ErrorCode    string `json:",omitempty"`
	ErrorMessage string `json:",omitempty"`
}

// PutEvents answers once every event is where the rules send it. Each entry has a
// result of its own; an error means that nothing was put.
func (b *Buses) PutEvents(ctx context.Context, in PutEventsInput) (PutEventsOutput, error) {
	if err := in.check(); err != nil {
		return PutEventsOutput{}, err
	}
	now := time.Now()
	out := PutEventsOutput{Entries: make([]PutEventsResultEntry, len(in.Entries))}
	var wg sync.WaitGroup
	for i := range in.Entries {
		wg.Go(func() { out.Entries[i] = b.put(ctx, &in.Entries[i], now) })
	}
	wg.Wait()
	for _, e := range out.Entries {
		if e.ErrorCode != "" {
			out.FailedEntryCount++
		}
	}
	return out, nil
}

func (in *PutEventsInput) check() error {
	if in.EndpointId != "" {
		return invalid("EndpointId is not supported here: there are no global endpoints")
	}
	if n := len(in.Entries); n < 1 || n > MaxEntries {
		return invalid("1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and %d; there are %d", MaxEntries, n)
	}
	total := 0
	for i := range in.Entries {
		total += in.Entries[i].size()
	}
	if total > MaxSize {
		return invalid("Total size of the entries in the request is over the limit: %d bytes, at most %d", total, MaxSize)
	}
	return nil
}

// size is an entry's size as AWS counts it.
func (e *PutEventsRequestEntry) size() int {
	n := len(e.Source) + len(e.DetailType) + len(e.Detail)
	if !e.Time.IsZero() {
		n += 14
	}
	for _, r := range e.Resources {
		n += len(r)
	}
	return n
}

func (b *Buses) put(ctx context.Context, e *PutEventsRequestEntry, now time.Time) PutEventsResultEntry {
	ev, err := b.compose(e, now)
	if ev.trace == "" {
		ev.trace = b.Traces.Carry(ctx)
	}
	if err == nil {
		err = b.publish(ctx, ev, Name(e.EventBusName))
	}
	if err == nil {
		return PutEventsResultEntry{EventId: ev.id}
	}
	if code := fault.CodeOf(err); code != "" {
		return PutEventsResultEntry{ErrorCode: code, ErrorMessage: err.Error()}
	}
	b.Log.Error("event not put", "event", ev.id, "source", e.Source, "err", err)
	return PutEventsResultEntry{ErrorCode: "InternalFailure", ErrorMessage: "The event could not be stored for every target; put it again."}
}

// event is an event on its way.
type event struct {
	id       string
	doc      []byte // as targets get it
	ingested time.Time
	trace    string
}

// document is an event as EventBridge sends it.
type document struct {
	Version    string          `json:"version"`
	ID         string          `json:"id"`
	DetailType string          `json:"detail-type"`
	Source     string          `json:"source"`
	Account    string          `json:"account"`
	Time       string          `json:"time"`
	Region     string          `json:"region"`
	Resources  []string        `json:"resources"`
	Detail     json.RawMessage `json:"detail"`
}

// compose checks an entry and makes the event of it.
func (b *Buses) compose(e *PutEventsRequestEntry, now time.Time) (event, error) {
	for _, required := range []struct{ name, value string }{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if required.value == "" {
			return event{}, fault.Coded(fault.Invalid, "InvalidArgument", "Parameter %s is not valid. Reason: %s is a required argument.", required.name, required.name)
		}
	}
	if strings.HasPrefix(e.Source, "aws.") {
		return event{}, fault.Coded(fault.Invalid, "NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	if detail := strings.TrimLeft(e.Detail, " \t\r\n"); !strings.HasPrefix(detail, "{") || !json.Valid([]byte(detail)) {
		return event{}, fault.Coded(fault.Invalid, "MalformedDetail", "Detail is malformed. It is a JSON object, as a string.")
	}
	at := e.Time.Time
	if at.IsZero() {
		at = now
	}
	id := newID()
	doc, err := encode(document{
		Version: "0", ID: id, DetailType: e.DetailType, Source: e.Source, Account: arn.Account, Time: at.UTC().Format("2006-01-02T15:04:05Z"),
		Region: b.Region, Resources: append([]string{}, e.Resources...), Detail: json.RawMessage(e.Detail),
	})
	return event{id: id, doc: doc, ingested: now, trace: e.TraceHeader}, err
}

// encode is JSON in which <, > and & stand as they were put.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write an event: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
