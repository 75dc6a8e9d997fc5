package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/schedule"
)

// queue records what is enqueued and when; fail answers first, if set.
type queue struct {
	mu   sync.Mutex
	got  []function.Invocation
	at   []time.Time
	fail func(function.Invocation) error
}

func (q *queue) Enqueue(_ context.Context, inv function.Invocation) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fail != nil {
		if err := q.fail(inv); err != nil {
			return err
		}
	}
	q.got, q.at = append(q.got, inv), append(q.at, time.Now())
	return nil
}

// offsets returns when each function ran, in time since start.
func (q *queue) offsets(start time.Time) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	var s []string
	for i, inv := range q.got {
		s = append(s, fmt.Sprint(inv.Function, " ", q.at[i].Sub(start)))
	}
	return s
}

// all is what has been enqueued so far.
func (q *queue) all() []function.Invocation {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.got)
}

// memory is a KV bucket without a server, for inside a bubble; the conformance
// of what it stands for is judged by TestAnchorsSurviveRestart.
type memory struct {
	jetstream.KeyValue
	docs map[string][]byte
	fail error
}

type entry struct {
	jetstream.KeyValueEntry
	value []byte
}

func (e entry) Value() []byte { return e.value }

func (m *memory) CreateOrUpdateKeyValue(context.Context, jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	return m, m.fail
}

func (m *memory) Get(_ context.Context, key string) (jetstream.KeyValueEntry, error) {
	if v, ok := m.docs[key]; ok {
		return entry{value: v}, nil
	}
	return nil, jetstream.ErrKeyNotFound
}

func (m *memory) Put(_ context.Context, key string, value []byte) (uint64, error) {
	m.docs[key] = slices.Clone(value)
	return 1, nil
}

func (m *memory) Purge(_ context.Context, key string, _ ...jetstream.KVDeleteOpt) error {
	delete(m.docs, key)
	return nil
}

func rule(name, expr string) schedule.Schedule {
	return schedule.Schedule{Stack: "drops-dev", Name: name, ARN: "arn:aws:events:us-east-1:000000000000:rule/" + name, Expression: expr, Function: name}
}

// bubble runs a scheduler in a synctest bubble, whose clock starts at
// 2000-01-01 00:00 UTC.
func bubble(t *testing.T, test func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q, start := &queue{}, time.Now()
		s := &schedule.Scheduler{Streams: &memory{docs: map[string][]byte{}}, Enqueue: q, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		test(t, s, q, start)
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func replace(t *testing.T, s *schedule.Scheduler, rules ...schedule.Schedule) {
	t.Helper()
	if err := s.Replace(t.Context(), "drops-dev", rules); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, q *queue, start time.Time, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, q.offsets(start)); diff != "" {
		t.Errorf("ticks (-want +got):\n%s", diff)
	}
}

func TestFiresOnTime(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		off := rule("off", "rate(1 minute)")
		off.Disabled = true
		replace(t, s, rule("rate", "rate(90 minutes)"), rule("cron", "cron(30 2 * * ? *)"), rule("past", "cron(0 0 1 1 ? 1999)"), off)
		time.Sleep(5 * time.Hour)
		want(t, q, start, "rate 1h30m0s", "cron 2h30m0s", "rate 3h0m0s", "rate 4h30m0s")
	})
}

func TestEventIsAsEventBridgeSendsIt(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		own := rule("own", "cron(0 5 ? * MON *)")
		own.Input = `{"sweep":true}`
		replace(t, s, rule("plain", "cron(0 5 ? * MON *)"), own)
		time.Sleep(3 * 24 * time.Hour) // 2000-01-01 was a Saturday
		want(t, q, start, "own 53h0m0s", "plain 53h0m0s")
		if got := string(q.all()[0].Payload); got != own.Input {
			t.Errorf("payload with input: %s", got)
		}
		id := q.all()[1].ID
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) || id == q.all()[0].ID {
			t.Errorf("ids %q and %q", id, q.all()[0].ID)
		}
		var got any
		if err := json.Unmarshal(q.all()[1].Payload, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(map[string]any{
			"version": "0", "id": id, "detail-type": "Scheduled Event", "source": "aws.events", "account": "000000000000",
			"time": "2000-01-03T05:00:00Z", "region": "us-east-1",
			"resources": []any{"arn:aws:events:us-east-1:000000000000:rule/plain"}, "detail": map[string]any{},
		}), got); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	})
}

func TestReplaceKeepsCountsAndRemoves(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		same, other := rule("same", "rate(1 hour)"), rule("other", "rate(1 hour)")
		replace(t, s, same, other)
		time.Sleep(30 * time.Minute)
		other.Expression = "rate(2 hours)"
		same.Input = "{}"
		replace(t, s, same, other)
		time.Sleep(2 * time.Hour) // at 2:30
		want(t, q, start, "same 1h0m0s", "same 2h0m0s", "other 2h30m0s")
		same.Disabled = true
		replace(t, s, same)
		time.Sleep(2 * time.Hour) // at 4:30
		want(t, q, start, "same 1h0m0s", "same 2h0m0s", "other 2h30m0s")
		same.Disabled = false
		replace(t, s, same)
		time.Sleep(time.Hour)
		want(t, q, start, "same 1h0m0s", "same 2h0m0s", "other 2h30m0s", "same 5h30m0s")
		replace(t, s)
		time.Sleep(24 * time.Hour)
		want(t, q, start, "same 1h0m0s", "same 2h0m0s", "other 2h30m0s", "same 5h30m0s")
	})
}

func TestReplaceAtTheVeryInstantLosesNoTick(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		replace(t, s, rule("a", "rate(1 hour)"))
		for range 3 {
			time.Sleep(time.Hour)
			replace(t, s, rule("a", "rate(1 hour)"))
		}
		want(t, q, start, "a 1h0m0s", "a 2h0m0s", "a 3h0m0s")
	})
}

func TestStacksAreApart(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		replace(t, s, rule("a", "rate(1 hour)"))
		if err := s.Replace(t.Context(), "web-dev", []schedule.Schedule{rule("b", "rate(1 hour)")}); err != nil {
			t.Fatal(err)
		}
		replace(t, s)
		time.Sleep(time.Hour)
		want(t, q, start, "b 1h0m0s")
	})
}

func TestErrorChangesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		replace(t, s, rule("a", "rate(1 hour)"))
		err := s.Replace(t.Context(), "drops-dev", []schedule.Schedule{rule("b", "rate(1 hour)"), rule("c", "rate(1 hours)")})
		if fault.KindOf(err) != fault.Invalid {
			t.Errorf("got %v", err)
		}
		s.Streams.(*memory).fail = errors.New("disk full")
		if err := s.Replace(t.Context(), "drops-dev", nil); err == nil {
			t.Error("no error from the disk")
		}
		time.Sleep(time.Hour)
		want(t, q, start, "a 1h0m0s")
	})
}

func TestRetriesTheSameTickForAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		ids := map[string]int{}
		q.fail = func(inv function.Invocation) error {
			ids[inv.ID]++
			switch since := time.Since(start); {
			case since < 10*time.Minute:
				return nil
			case since < 10*time.Minute+10*time.Second, since >= 20*time.Minute && since < 25*time.Minute:
				return fault.Errorf(fault.Unavailable, "disk full")
			}
			return nil
		}
		replace(t, s, rule("a", "rate(10 minutes)"))
		time.Sleep(30 * time.Minute)
		want(t, q, start, "a 10m15s", "a 30m0s") // after 1, 2, 4, 8 s; the second is lost
		if got, want := slices.Sorted(maps.Values(ids)), []int{1, 5, 10}; !slices.Equal(got, want) {
			t.Errorf("attempts for each tick: got %v, want %v", got, want)
		}
	})
}

func TestRefusedTickIsNotRetriedAndBlocksNobody(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		tries := 0
		q.fail = func(inv function.Invocation) error {
			if inv.Function == "gone" {
				tries++
				return fault.Errorf(fault.NotFound, "function gone")
			}
			return nil
		}
		replace(t, s, rule("gone", "rate(1 hour)"), rule("here", "rate(1 hour)"))
		time.Sleep(2 * time.Hour)
		want(t, q, start, "here 1h0m0s", "here 2h0m0s")
		if tries != 2 {
			t.Errorf("%d attempts for two ticks", tries)
		}
	})
}

func TestNoCatchUpAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, disk := time.Now(), &memory{docs: map[string][]byte{}}
		for range 2 {
			q := &queue{}
			s := &schedule.Scheduler{Streams: disk, Enqueue: q, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
			replace(t, s, rule("a", "rate(1 hour)"))
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			began := time.Since(start)
			time.Sleep(61 * time.Minute)
			want(t, q, start, "a "+(began.Truncate(time.Hour)+time.Hour).String())
			stop()
			<-done
			time.Sleep(5*time.Hour - 61*time.Minute + 20*time.Minute)
		}
	})
}

func TestAnchorsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	kv := func(t *testing.T, rules ...schedule.Schedule) string {
		js := enginetest.StreamsIn(t, dir)
		s := &schedule.Scheduler{Streams: js, Enqueue: &queue{}, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
		replace(t, s, rules...)
		bucket, err := js.KeyValue(t.Context(), "schedules")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := bucket.Get(t.Context(), "drops-dev")
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %s", doc.Revision(), doc.Value())
	}
	var first string
	t.Run("first start", func(t *testing.T) { first = kv(t, rule("a", "rate(1 hour)")) })
	t.Run("unchanged", func(t *testing.T) {
		if got := kv(t, rule("a", "rate(1 hour)")); got != first {
			t.Errorf("got %s, want %s", got, first)
		}
	})
	t.Run("changed", func(t *testing.T) {
		if got := kv(t, rule("a", "rate(2 hours)")); got == first {
			t.Errorf("still %s", got)
		}
	})
	t.Run("removed", func(t *testing.T) {
		if got := kv(t); got != "" {
			t.Errorf("still %s", got)
		}
	})
}

func TestEachTargetOfARuleIsCalledOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, _ time.Time) {
		one, two, none := rule("r", "rate(1 minute)"), rule("r", "rate(1 minute)"), rule("empty", "rate(1 minute)")
		one.Target, one.Input = "one", `1`
		two.Target, two.Input = "two", `2`
		none.Function = ""
		if err := s.Replace(t.Context(), "drops-dev", []schedule.Schedule{one, two, none}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(90 * time.Second)
		q.mu.Lock()
		defer q.mu.Unlock()
		if len(q.got) != 2 || string(q.got[0].Payload) != `1` || string(q.got[1].Payload) != `2` || q.got[0].ID == q.got[1].ID {
			t.Errorf("got %+v", q.got)
		}
	})
}
