package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/pattern"
	"github.com/dropstack/dropstack/internal/wire"
)

// world writes down what was sent where; fail is asked first, by name.
type world struct {
	mu          sync.Mutex
	sent        []string
	invocations []function.Invocation
	fail        map[string]error
}

func (w *world) take(where, body string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail[where]; err != nil {
		return err
	}
	w.sent = append(w.sent, where+" "+body)
	return nil
}

func (w *world) Enqueue(_ context.Context, inv function.Invocation) error {
	if err := w.take(inv.Function, string(inv.Payload)); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.invocations = append(w.invocations, inv)
	return nil
}

func (w *world) publish(_ context.Context, topicARN string, body []byte, _ map[string]string) error {
	return w.take(topicARN, string(body))
}

func (w *world) send(_ context.Context, queueARN, _, body, group string, attributes map[string]string) error {
	if group != "" {
		queueARN += "#" + group
	}
	if why := attributes["ERROR_CODE"]; why != "" {
		body += " " + why
	}
	return w.take(queueARN, body)
}

// got are the places that something was sent to, sorted.
func (w *world) got() (places []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.sent {
		place, _, _ := strings.Cut(s, " ")
		places = append(places, place)
	}
	w.sent = nil
	slices.Sort(places)
	return places
}

func newBuses(t *testing.T) (*bus.Buses, *world) {
	w := &world{fail: map[string]error{}}
	return &bus.Buses{Invoker: w, Publish: w.publish, Send: w.send, Region: arn.Region, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, w
}

func rule(name, onBus, text string, targets ...string) bus.Rule {
	r := bus.Rule{Name: name, ARN: arn.Rule(arn.Region, name), Bus: onBus, Pattern: text}
	for i, target := range targets {
		r.Targets = append(r.Targets, bus.Target{ID: fmt.Sprint("t", i), ARN: target})
	}
	return r
}

func named(name string) bus.Bus { return bus.Bus{Name: name, ARN: arn.EventBus(arn.Region, name)} }

func replace(t *testing.T, b *bus.Buses, buses []bus.Bus, rules ...bus.Rule) {
	t.Helper()
	if err := b.Replace("s-dev", buses, rules); err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, b *bus.Buses, entries ...bus.PutEventsRequestEntry) bus.PutEventsOutput {
	t.Helper()
	out, err := b.PutEvents(t.Context(), bus.PutEventsInput{Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var order = bus.PutEventsRequestEntry{Source: "shop", DetailType: "order", Detail: `{"n":1}`}

var (
	f     = arn.Function(arn.Region, "f")
	topic = arn.Topic(arn.Region, "t")
	queue = "arn:aws:sqs:us-east-1:000000000000:q"
)

func on(name string, entry bus.PutEventsRequestEntry) bus.PutEventsRequestEntry {
	entry.EventBusName = name
	return entry
}

func TestRulesSendEventsToTheirTargets(t *testing.T) {
	b, w := newBuses(t)
	off := rule("off", "", `{"source":["shop"]}`, arn.Function(arn.Region, "off"))
	off.Disabled = true
	fifo := rule("fifo", "", `{"detail":{"n":[1]}}`, queue+".fifo")
	fifo.Targets[0].Group = "g"
	replace(
		t, b, []bus.Bus{named("other")}, rule("all", "", `{"source":["shop"]}`, f+":live", topic, queue), rule("none", "", `{"source":["bank"]}`, f),
		off, fifo, rule("elsewhere", "other", `{"source":["shop"]}`, arn.Function(arn.Region, "g")),
	)
	out := put(t, b, order)
	if diff := cmp.Diff([]string{topic, queue, queue + ".fifo#g", "f:live"}, w.got()); diff != "" {
		t.Errorf("default bus (-want +got):\n%s", diff)
	}
	if out.FailedEntryCount != 0 || len(out.Entries) != 1 || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(out.Entries[0].EventId) {
		t.Errorf("answer: %+v", out)
	}
	put(t, b, on("other", order), on(arn.EventBus(arn.Region, "other"), order))
	if diff := cmp.Diff([]string{"g", "g"}, w.got()); diff != "" {
		t.Errorf("other bus (-want +got):\n%s", diff)
	}
	if ids := w.invocations; ids[0].ID == ids[1].ID || ids[1].ID == ids[2].ID {
		t.Errorf("ids: %+v", ids)
	}
	replace(t, b, nil)
	put(t, b, order)
	if got := w.got(); got != nil {
		t.Errorf("after the stack is gone: %v", got)
	}
}

func TestEventIsAsEventBridgeSendsIt(t *testing.T) {
	b, w := newBuses(t)
	replace(t, b, nil, rule("all", "", `{"source":["shop"]}`, f))
	entry := order
	entry.Detail, entry.Resources, entry.TraceHeader = ` { "a" : "<b>&" } `, []string{"r1"}, "Root=1-2-3"
	entry.Time = wire.At(time.Date(2026, 3, 4, 5, 6, 7, 8e8, time.FixedZone("", 3600)))
	out := put(t, b, entry)
	inv := w.invocations[0]
	want := `{"version":"0","id":"` + out.Entries[0].EventId + `","detail-type":"order","source":"shop","account":"000000000000","time":"2026-03-04T04:06:07Z","region":"us-east-1","resources":["r1"],"detail":{"a":"<b>&"}}`
	if got := string(inv.Payload); got != want || inv.TraceID != "Root=1-2-3" {
		t.Errorf("got  %s %s\nwant %s", got, inv.TraceID, want)
	}
	before := time.Now().UTC().Truncate(time.Second)
	put(t, b, order)
	var got struct {
		Time      time.Time
		Resources []string
	}
	if err := json.Unmarshal(w.invocations[1].Payload, &got); err != nil || got.Time.Before(before) || got.Time.After(time.Now()) || got.Resources == nil {
		t.Errorf("without time and resources: %s, %v", w.invocations[1].Payload, err)
	}
}

func TestInputOfATarget(t *testing.T) {
	b, w := newBuses(t)
	r := rule("r", "", `{"source":["shop"]}`, f, f, f)
	r.Targets[0].Input = pattern.Input{Text: `{"constant":true}`}
	r.Targets[1].Input = pattern.Input{Path: "$.detail.n"}
	r.Targets[2].Input = pattern.Input{Transformer: &pattern.Transformer{Paths: map[string]string{"n": "$.detail.n"}, Template: `{"by":<aws.events.rule-name>,"n":"<n>"}`}}
	replace(t, b, nil, r)
	put(t, b, order)
	slices.Sort(w.sent)
	if diff := cmp.Diff([]string{`f 1`, `f {"by":"r","n":"1"}`, `f {"constant":true}`}, w.sent); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	ids := map[string]bool{}
	for _, inv := range w.invocations {
		ids[inv.ID] = true
	}
	if len(ids) != 3 { // a function's queue drops what has an id that it has had
		t.Errorf("ids: %v", ids)
	}
}

func TestEntriesThatAreRefused(t *testing.T) {
	b, w := newBuses(t)
	replace(t, b, nil, rule("r", "", `{"source":[{"prefix":""}]}`, f))
	change := func(edit func(*bus.PutEventsRequestEntry)) bus.PutEventsRequestEntry {
		e := order
		edit(&e)
		return e
	}
	out := put(
		t, b,
		change(func(e *bus.PutEventsRequestEntry) { e.Source = "" }), change(func(e *bus.PutEventsRequestEntry) { e.DetailType = "" }),
		change(func(e *bus.PutEventsRequestEntry) { e.Detail = "" }), change(func(e *bus.PutEventsRequestEntry) { e.Detail = "{" }),
		change(func(e *bus.PutEventsRequestEntry) { e.Detail = "[1]" }), change(func(e *bus.PutEventsRequestEntry) { e.Source = "aws.s3" }),
		on("nowhere", order), order,
	)
	var codes []string
	for _, e := range out.Entries {
		codes = append(codes, e.ErrorCode)
	}
	want := []string{
		"InvalidArgument", "InvalidArgument", "InvalidArgument", "MalformedDetail", "MalformedDetail", "NotAuthorizedForSourceException", "ResourceNotFoundException", "",
	}
	if diff := cmp.Diff(want, codes); diff != "" || out.FailedEntryCount != 7 || out.Entries[7].EventId == "" || out.Entries[0].EventId != "" {
		t.Errorf("%d failed, codes (-want +got):\n%s", out.FailedEntryCount, diff)
	}
	if got := w.got(); len(got) != 1 {
		t.Errorf("sent: %v", got)
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	b, _ := newBuses(t)
	big := order
	big.Detail = `{"a":"` + strings.Repeat("x", 600<<10) + `"}`
	for name, in := range map[string]bus.PutEventsInput{
		"no entries":      {},
		"eleven":          {Entries: slices.Repeat([]bus.PutEventsRequestEntry{order}, 11)},
		"over a megabyte": {Entries: []bus.PutEventsRequestEntry{big, big}},
		"an endpoint":     {Entries: []bus.PutEventsRequestEntry{order}, EndpointId: "x.y"},
	} {
		if _, err := b.PutEvents(t.Context(), in); fault.CodeOf(err) != "ValidationException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out := put(t, b, big); out.FailedEntryCount != 0 {
		t.Errorf("600 KB: %+v", out)
	}
}

func TestWhatCannotBeStoredFailsTheEntryAndWhatIsRefusedDoesNot(t *testing.T) {
	b, w := newBuses(t)
	letters := rule("letters", "", `{"source":["shop"]}`, arn.Function(arn.Region, "gone"))
	letters.Targets[0].DeadLetter = queue
	letters.Targets[0].Input = pattern.Input{Path: "$.detail"}
	replace(t, b, nil, rule("r", "", `{"source":["shop"]}`, f, topic), letters)
	w.fail["gone"] = fault.Errorf(fault.NotFound, "function gone")
	w.fail[topic] = fault.Errorf(fault.TooLarge, "message too long")
	if out := put(t, b, order); out.FailedEntryCount != 0 {
		t.Errorf("refused for good: %+v", out)
	}
	if diff := cmp.Diff([]string{queue, "f"}, w.got()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, passing := range []string{"f", queue} {
		w.fail[passing] = errors.New("disk full")
		out := put(t, b, order)
		if out.FailedEntryCount != 1 || out.Entries[0].ErrorCode != "InternalFailure" || strings.Contains(out.Entries[0].ErrorMessage, "disk") {
			t.Errorf("%s fails: %+v", passing, out)
		}
		delete(w.fail, passing)
	}
	w.fail[queue] = fault.Errorf(fault.NotFound, "no queue")
	if out := put(t, b, order); out.FailedEntryCount != 0 {
		t.Errorf("without a queue for dead letters: %+v", out)
	}
}

func TestBusesSendEachOtherEventsAndNotInCircles(t *testing.T) {
	b, w := newBuses(t)
	all := `{"source":["shop"]}`
	replace(
		t, b, []bus.Bus{named("a"), named("b")},
		rule("default", "", all, arn.EventBus(arn.Region, "a"), arn.EventBus(arn.Region, "gone")), rule("a", "a", all, f, arn.EventBus(arn.Region, "b")),
		rule("b", "b", all, arn.EventBus(arn.Region, "a"), arn.EventBus(arn.Region, "default"), topic),
	)
	if out := put(t, b, order); out.FailedEntryCount != 0 {
		t.Errorf("answer: %+v", out)
	}
	if diff := cmp.Diff([]string{topic, "f"}, w.got()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	w.fail[topic] = errors.New("disk full")
	if out := put(t, b, order); out.FailedEntryCount != 1 {
		t.Errorf("a failure two buses on: %+v", out)
	}
}

func TestReplaceRefusesWhatCannotBe(t *testing.T) {
	b, w := newBuses(t)
	replace(t, b, []bus.Bus{named("mine")}, rule("r", "", `{"source":["shop"]}`, f))
	with := func(edit func(*bus.Rule)) []bus.Rule {
		r := rule("x", "", `{"source":["shop"]}`, f)
		edit(&r)
		return []bus.Rule{r}
	}
	for want, c := range map[string]struct {
		buses []bus.Bus
		rules []bus.Rule
	}{
		"mine of stack t-dev exists in stack s-dev": {buses: []bus.Bus{named("mine")}},
		"rule/r of stack t-dev exists":              {rules: []bus.Rule{rule("r", "", `{"a":[1]}`)}},
		`the name "default"`:                        {buses: []bus.Bus{named("default")}},
		`the name "a b"`:                            {rules: []bus.Rule{rule("a b", "", `{"a":[1]}`)}},
		"Event pattern is not valid":                {rules: []bus.Rule{rule("x", "", `{"a":1}`)}},
		"6 targets":                                 {rules: []bus.Rule{rule("x", "", `{"a":[1]}`, f, f, f, f, f, f)}},
		"is there twice":                            {rules: with(func(r *bus.Rule) { r.Targets = append(r.Targets, r.Targets[0]) })},
		"other targets are not supported":           {rules: []bus.Rule{rule("x", "", `{"a":[1]}`, "arn:aws:kinesis:us-east-1:000000000000:stream/s")}},
		"of this account":                           {rules: []bus.Rule{rule("x", "", `{"a":[1]}`, "arn:aws:sqs:us-east-1:111111111111:q")}},
		"an id has":                                 {rules: with(func(r *bus.Rule) { r.Targets[0].ID = "" })},
		"MessageGroupId is for FIFO":                {rules: with(func(r *bus.Rule) { r.Targets[0].Group = "g" })},
		"a FIFO queue needs":                        {rules: []bus.Rule{rule("x", "", `{"a":[1]}`, queue+".fifo")}},
		"MaximumEventAgeInSeconds 59":               {rules: with(func(r *bus.Rule) { r.Targets[0].MaxAge = 59 })},
		"MaximumRetryAttempts 186":                  {rules: with(func(r *bus.Rule) { r.Targets[0].MaxRetries = new(186) })},
		"is not the ARN of a standard queue":        {rules: with(func(r *bus.Rule) { r.Targets[0].DeadLetter = topic })},
		"Input is not JSON":                         {rules: with(func(r *bus.Rule) { r.Targets[0].Input.Text = "x" })},
		"Description has 513 bytes":                 {rules: with(func(r *bus.Rule) { r.Description = strings.Repeat("x", 513) })},
	} {
		err := b.Replace("t-dev", c.buses, c.rules)
		if kind := fault.KindOf(err); err == nil || kind != fault.Invalid && kind != fault.Conflict || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	put(t, b, order)
	if diff := cmp.Diff([]string{"f"}, w.got()); diff != "" {
		t.Errorf("what was refused changed something (-want +got):\n%s", diff)
	}
	b.Send = nil
	if err := b.Admit(nil, []bus.Rule{rule("x", "", `{"a":[1]}`, queue)}); err == nil || !strings.Contains(err.Error(), "queues are not offered") {
		t.Errorf("without queues: %v", err)
	}
}

func TestARuleWaitsForItsBus(t *testing.T) {
	b, w := newBuses(t)
	replace(t, b, nil, rule("r", "later", `{"source":["shop"]}`, f))
	if err := b.Replace("t-dev", []bus.Bus{named("later")}, nil); err != nil {
		t.Fatal(err)
	}
	put(t, b, on("later", order))
	if diff := cmp.Diff([]string{"f"}, w.got()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
