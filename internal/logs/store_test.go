package logs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

// batched are the messages of a selection's batches, and their groups.
func batched(t testing.TB, s *logs.Store, sel logs.Selection) (messages, groups []string) {
	t.Helper()
	for b, err := range s.Batches(t.Context(), sel) {
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, b.Group())
		for i := range b.Len() {
			m, _ := b.Column(logs.FieldMessage).At(i)
			messages = append(messages, m)
		}
	}
	return messages, groups
}

func sequence(records ...logs.Record) iter.Seq2[logs.Record, error] {
	return func(yield func(logs.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func at(hours int, group, message string) logs.Record {
	return logs.Record{Time: base.Add(time.Duration(hours) * time.Hour), Group: group, Stream: "s", Message: message}
}

func TestBatches(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	for i, r := range []logs.Record{at(-3, "/a", "a one"), at(-2, "/b", "b two"), at(-1, "/a", "a three")} {
		if taken, n, err := s.Import(t.Context(), fmt.Sprint(i), sequence(r)); !taken || n != 1 || err != nil {
			t.Fatal(taken, n, err)
		}
	}
	s.Append(at(0, "/a", "a four"))
	s.Append(at(0, "/c", "c five"))
	for name, c := range map[string]struct {
		sel              logs.Selection
		messages, groups []string
	}{
		"all":         {logs.Selection{}, []string{"a one", "b two", "a three", "a four", "c five"}, []string{"/a", "/b", "/a", "/a", "/c"}},
		"a group":     {logs.Selection{Groups: []string{"/a", "/a", "/none"}}, []string{"a one", "a three", "a four"}, []string{"/a", "/a", "/a"}},
		"newest":      {logs.Selection{Groups: []string{"/a", "/b"}, Newest: true}, []string{"a four", "a three", "b two", "a one"}, []string{"/a", "/a", "/b", "/a"}},
		"of a time":   {logs.Selection{Start: base.Add(-2 * time.Hour), End: base}, []string{"b two", "a three"}, []string{"/b", "/a"}},
		"with a text": {logs.Selection{Has: []string{"three"}}, []string{"a three"}, []string{"/a"}},
		"with two":    {logs.Selection{Has: []string{"a ", "our"}}, []string{"a four"}, []string{"/a"}},
		"of a value":  {logs.Selection{Equal: []logs.Field{{Name: logs.FieldGroup, Value: "/b"}}}, []string{"b two"}, []string{"/b"}},
		"nothing":     {logs.Selection{Has: []string{"six"}}, nil, nil},
	} {
		messages, groups := batched(t, s, c.sel)
		if diff := cmp.Diff([2][]string{c.messages, c.groups}, [2][]string{messages, groups}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	must(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "/a", RetentionInDays: 1})
	must(t, s.DeleteLogStream, logs.LogStreamInput{LogGroupName: "/a", LogStreamName: "s"})
	s.Append(at(0, "/a", "a six"))
	if messages, _ := batched(t, s, logs.Selection{Groups: []string{"/a"}}); len(messages) != 1 {
		t.Errorf("what was deleted is shown: %q", messages)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range s.Batches(ctx, logs.Selection{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
	}
}

func TestImport(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	s := openIn(t, streams, dir)
	broken := errors.New("the source is broken")
	_, _, err := s.Import(t.Context(), "x", func(yield func(logs.Record, error) bool) {
		_ = yield(at(0, "/a", "first"), nil) && yield(logs.Record{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if messages, _ := batched(t, s, logs.Selection{}); messages != nil {
		t.Errorf("half of a source is there: %q", messages)
	}
	var imports sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 4 {
		imports.Go(func() {
			ok, n, err := s.Import(t.Context(), "x", sequence(at(0, "/a", "first"), at(-31*24, "/a", "too old"), at(0, "/b", "second")))
			if err != nil || ok && n != 2 {
				t.Error(n, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				taken++
			}
		})
	}
	imports.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIn(t, streams, dir)
	if ok, _, err := s.Import(t.Context(), "x", sequence(at(0, "/a", "again"))); ok || err != nil || taken != 1 {
		t.Errorf("taken %d times, and %v after a restart, %v", taken, ok, err)
	}
	if diff := cmp.Diff([]string{"first"}, messages(t, s, logs.Filter{Group: "/a"})); diff != "" {
		t.Error(diff)
	}
	if got := described(must(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "/b"})); len(got) != 1 {
		t.Errorf("streams: %q", got)
	}
}

// TestImportsAreMerged imports what a distribution says in an hour, an object a minute.
func TestImportsAreMerged(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	var want []string
	for i := range 60 {
		m := fmt.Sprint("line ", i)
		want = append(want, m)
		if _, _, err := s.Import(t.Context(), m, sequence(at(0, "/a", m))); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, messages(t, s, logs.Filter{Group: "/a", Limit: 7})); diff != "" {
		t.Error(diff)
	}
	if st := s.Stats(); st.Blocks > 10 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	}
}

func TestSubscribers(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	type got struct {
		group string
		n     int
	}
	all, slow := make(chan got, 1000), make(chan struct{})
	seen := 0
	stop := s.Subscribe(func(records []logs.Record) { all <- got{records[0].Group, len(records)} })
	stopSlow := s.Subscribe(func(records []logs.Record) {
		<-slow
		seen += len(records)
	})
	const n = 80_000 // more than may wait
	for from := 0; from < n; from += 10_000 {
		fill(s, "/a", 10_000)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for told < n {
		told += (<-all).n
	}
	close(slow)
	stop()
	fill(s, "/a", 1)
	if err := s.Close(); err != nil { // tells what waits
		t.Fatal(err)
	}
	stopSlow()
	if st := s.Stats(); st.Untold == 0 || seen+int(st.Untold) != n+1 || len(all) != 0 {
		t.Errorf("%d seen and %d not, want %d; after the end %d", seen, st.Untold, n+1, len(all))
	}
}

// TestRecordsOfAnEarlierVersion has streams as they were before there were blocks.
func TestRecordsOfAnEarlierVersion(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	for _, name := range []string{"logs", "edge-logs"} {
		if _, err := streams.CreateStream(t.Context(), jetstream.StreamConfig{Name: name, Subjects: []string{name + ".>"}}); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(stream string, records ...logs.Record) {
		doc, err := json.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := streams.Publish(t.Context(), stream+".x", doc); err != nil {
			t.Fatal(err)
		}
	}
	gone := at(0, "/a", "deleted")
	gone.Stream = "gone"
	publish("logs", at(0, "/a", "one"), gone, at(0, "/b", "two"))
	publish("logs", at(0, "/a", "three"))
	publish("edge-logs", at(0, logs.EdgeGroup, "four"))
	groups, err := streams.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "log-groups"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := groups.PutString(t.Context(), "L2E", `{"name":"/a","created":1,"retention":7,"loose":true,"hidden":{"gone":8191}}`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := openIn(t, streams, dir)
		s.Append(at(0, "/a", "new"))
		group(t, s, "/to-be-deleted")
		must(t, s.DeleteLogGroup, logs.LogGroupNameInput{LogGroupName: "/to-be-deleted"}) // waits for them
		if diff := cmp.Diff([]string{"one", "three", "new"}, messages(t, s, logs.Filter{Group: "/a"})[:3]); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"four"}, messages(t, s, logs.Filter{Group: logs.EdgeGroup})); diff != "" {
			t.Error(diff)
		}
		if g := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{LogGroupNamePrefix: "/a"}).LogGroups[0]; g.RetentionInDays != 7 {
			t.Errorf("%+v", g)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"logs", "edge-logs"} {
			if _, err := streams.Stream(t.Context(), name); !errors.Is(err, jetstream.ErrStreamNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestRecordsExpire has less be kept than before.
func TestRecordsExpire(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	s := openIn(t, streams, dir)
	for id, r := range map[string]logs.Record{"old": at(-48, "/a", "old"), "now": at(0, "/a", "now"), "other": at(-48, "/b", "old")} {
		if _, n, err := s.Import(t.Context(), id, sequence(r)); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = &logs.Store{Dir: dir, Streams: streams, State: streams, MaxAge: 24 * time.Hour, Log: slog.New(slog.DiscardHandler)}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"now"}, messages(t, s, logs.Filter{Group: "/a"})); diff != "" {
		t.Error(diff)
	}
	if st := s.Stats(); st.Blocks != 1 {
		t.Errorf("%+v", st)
	}
}
