package logs_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

func must[In, Out any](t testing.TB, call func(context.Context, In) (Out, error), in In) Out {
	t.Helper()
	out, err := call(t.Context(), in)
	if err != nil {
		t.Fatalf("%+v: %v", in, err)
	}
	return out
}

func refused[In, Out any](t testing.TB, call func(context.Context, In) (Out, error), in In, want string) {
	t.Helper()
	if _, err := call(t.Context(), in); fault.CodeOf(err) != want {
		t.Errorf("%.100s: got %v, want %s", fmt.Sprintf("%+v", in), err, want)
	}
}

const (
	exists  = "ResourceAlreadyExistsException"
	missing = "ResourceNotFoundException"
	wrong   = "InvalidParameterException"
)

// group makes a group with streams.
func group(t testing.TB, s *logs.Store, name string, streams ...string) {
	t.Helper()
	must(t, s.CreateLogGroup, logs.CreateLogGroupInput{LogGroupName: name})
	for _, stream := range streams {
		must(t, s.CreateLogStream, logs.LogStreamInput{LogGroupName: name, LogStreamName: stream})
	}
}

// events are n events, a second apart, the last of them now.
func events(n int) []logs.InputLogEvent {
	list := make([]logs.InputLogEvent, n)
	for i := range list {
		list[i] = logs.InputLogEvent{Timestamp: time.Now().Add(time.Duration(i+1-n) * time.Second).UnixMilli(), Message: fmt.Sprint("event ", i)}
	}
	return list
}

func put(t testing.TB, s *logs.Store, group, stream string, list []logs.InputLogEvent) *logs.RejectedLogEventsInfo {
	t.Helper()
	return must(t, s.PutLogEvents, logs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: list}).RejectedLogEventsInfo
}

func names(out logs.DescribeLogGroupsOutput) (list []string) {
	for _, g := range out.LogGroups {
		list = append(list, g.LogGroupName)
	}
	return list
}

func TestGroups(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	s := openIn(t, streams, dir)
	for _, name := range []string{"/b", "/a/1", "/a/2", "/a/3"} {
		group(t, s, name)
	}
	refused(t, s.CreateLogGroup, logs.CreateLogGroupInput{LogGroupName: "/b"}, exists)
	refused(t, s.CreateLogGroup, logs.CreateLogGroupInput{LogGroupName: "a b"}, wrong)
	refused(t, s.CreateLogGroup, logs.CreateLogGroupInput{}, wrong)
	refused(t, s.CreateLogGroup, logs.CreateLogGroupInput{LogGroupName: "/k", KmsKeyID: "arn:aws:kms:x"}, wrong)

	page := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{LogGroupNamePrefix: "/a", Limit: 2})
	rest := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{LogGroupNamePrefix: "/a", Limit: 2, NextToken: page.NextToken})
	if diff := cmp.Diff([][]string{{"/a/1", "/a/2"}, {"/a/3"}}, [][]string{names(page), names(rest)}); diff != "" || rest.NextToken != "" {
		t.Errorf("pages: %s, then %q", diff, rest.NextToken)
	}
	refused(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{NextToken: "!"}, wrong)
	refused(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{Limit: 51}, wrong)

	must(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "/b", RetentionInDays: 7})
	refused(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "/b", RetentionInDays: 8}, wrong)
	refused(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "/c", RetentionInDays: 7}, missing)
	arn := logs.ARN("us-east-1", "/b")
	must(t, s.TagResource, logs.TagResourceInput{ResourceARN: arn, Tags: map[string]string{"team": "x", "env": "dev"}})
	must(t, s.UntagResource, logs.UntagResourceInput{ResourceARN: arn, TagKeys: []string{"env", "other"}})
	refused(t, s.TagResource, logs.TagResourceInput{ResourceARN: arn + "x", Tags: map[string]string{"a": "b"}}, missing)
	refused(t, s.TagResource, logs.TagResourceInput{ResourceARN: arn, Tags: map[string]string{"aws:a": "b"}}, wrong)
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint(i)] = ""
	}
	refused(t, s.TagResource, logs.TagResourceInput{ResourceARN: arn, Tags: many}, "TooManyTagsException")
	must(t, s.DeleteLogGroup, logs.LogGroupNameInput{LogGroupName: "/a/1"})
	refused(t, s.DeleteLogGroup, logs.LogGroupNameInput{LogGroupName: "/a/1"}, missing)
	s.Close()

	s = openIn(t, streams, dir) // all of that is kept
	out := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{})
	if diff := cmp.Diff([]string{"/a/2", "/a/3", "/b"}, names(out)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
	if got := out.LogGroups[2]; got.RetentionInDays != 7 || got.LogGroupARN != arn || got.ARN != arn+":*" || got.LogGroupClass != "STANDARD" {
		t.Errorf("got %+v", got)
	}
	tags := must(t, s.ListTagsForResource, logs.ListTagsForResourceInput{ResourceARN: arn + ":*"})
	if diff := cmp.Diff(map[string]string{"team": "x"}, tags.Tags); diff != "" {
		t.Error(diff)
	}
	must(t, s.DeleteRetentionPolicy, logs.LogGroupNameInput{LogGroupName: "/b"})
	if got := must(t, s.DescribeLogGroups, logs.DescribeLogGroupsInput{LogGroupNamePattern: "B"}).LogGroups[0].RetentionInDays; got != 0 {
		t.Errorf("got a retention of %d days", got)
	}
	must(t, s.CreateLogGroup, logs.CreateLogGroupInput{LogGroupName: "/kept", DeletionProtectionEnabled: true})
	refused(t, s.DeleteLogGroup, logs.LogGroupNameInput{LogGroupName: "/kept"}, "ValidationException")
}

func described(out logs.DescribeLogStreamsOutput) (list []string) {
	for _, st := range out.LogStreams {
		list = append(list, st.LogStreamName)
	}
	return list
}

func TestStreams(t *testing.T) {
	streams, dir := enginetest.Streams(t), t.TempDir()
	s := openIn(t, streams, dir)
	group(t, s, "g", "a", "b", "c")
	refused(t, s.CreateLogStream, logs.LogStreamInput{LogGroupName: "g", LogStreamName: "a"}, exists)
	refused(t, s.CreateLogStream, logs.LogStreamInput{LogGroupName: "h", LogStreamName: "a"}, missing)
	refused(t, s.CreateLogStream, logs.LogStreamInput{LogGroupName: "g", LogStreamName: "a:b"}, wrong)
	put(t, s, "g", "b", events(3))
	put(t, s, "g", "a", []logs.InputLogEvent{{Timestamp: events(1)[0].Timestamp - 10_000, Message: "x"}})
	s.Append(logs.Record{Time: time.Now().Add(time.Second), Group: "g", Stream: "of a function", Message: "y"})

	out := must(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "g"})
	if diff := cmp.Diff([]string{"a", "b", "c", "of a function"}, described(out)); diff != "" {
		t.Error(diff)
	}
	if st := out.LogStreams[1]; st.LastEventTimestamp-st.FirstEventTimestamp < 2000 || st.LastIngestionTime == 0 || st.ARN != logs.ARN("us-east-1", "g")+":log-stream:b" {
		t.Errorf("got %+v", st)
	}
	var got []string
	in := logs.DescribeLogStreamsInput{LogGroupIdentifier: logs.ARN("us-east-1", "g"), OrderBy: "LastEventTime", Descending: true, Limit: 3}
	for {
		out := must(t, s.DescribeLogStreams, in)
		got = append(got, strings.Join(described(out), ","))
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"of a function,b,a", "c"}, got); diff != "" {
		t.Error(diff)
	}
	refused(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "h"}, missing)
	refused(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "g", OrderBy: "Size"}, wrong)
	refused(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "g", OrderBy: "LastEventTime", LogStreamNamePrefix: "a"}, wrong)

	must(t, s.DeleteLogStream, logs.LogStreamInput{LogGroupName: "g", LogStreamName: "b"})
	refused(t, s.DeleteLogStream, logs.LogStreamInput{LogGroupName: "g", LogStreamName: "b"}, missing)
	refused(t, s.GetLogEvents, logs.GetLogEventsInput{LogGroupName: "g", LogStreamName: "b"}, missing)
	s.Close()
	s = openIn(t, streams, dir)
	must(t, s.CreateLogStream, logs.LogStreamInput{LogGroupName: "g", LogStreamName: "b"}) // again, and empty
	put(t, s, "g", "b", []logs.InputLogEvent{{Timestamp: time.Now().UnixMilli(), Message: "second life"}})
	if diff := cmp.Diff([]string{"x", "y", "second life"}, messages(t, s, logs.Filter{Group: "g"})); diff != "" {
		t.Error(diff)
	}
	if got := described(must(t, s.DescribeLogStreams, logs.DescribeLogStreamsInput{LogGroupName: "g"})); len(got) != 4 {
		t.Errorf("after a restart: got the streams %q", got)
	}
	must(t, s.DeleteLogGroup, logs.LogGroupNameInput{LogGroupName: "g"})
	group(t, s, "g", "b")
	if got := messages(t, s, logs.Filter{Group: "g"}); got != nil {
		t.Errorf("a group that was deleted has %q", got)
	}
}

func TestPutLogEvents(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "g", "s")
	now := time.Now()
	at := func(age time.Duration) logs.InputLogEvent {
		return logs.InputLogEvent{Timestamp: now.Add(-age).UnixMilli(), Message: fmt.Sprint(age)}
	}
	const day = 24 * time.Hour
	for name, list := range map[string][]logs.InputLogEvent{
		"none":            nil,
		"too many":        make([]logs.InputLogEvent, 10_001),
		"an empty one":    {{Timestamp: now.UnixMilli()}},
		"out of order":    {at(0), at(time.Second)},
		"over a day":      {at(25 * time.Hour), at(0)},
		"over a megabyte": {{Timestamp: now.UnixMilli(), Message: strings.Repeat("x", 1<<20)}},
	} {
		_, err := s.PutLogEvents(t.Context(), logs.PutLogEventsInput{LogGroupName: "g", LogStreamName: "s", LogEvents: list})
		if fault.CodeOf(err) != wrong {
			t.Errorf("%s: got %v, want %s", name, err, wrong)
		}
	}
	refused(t, s.PutLogEvents, logs.PutLogEventsInput{LogGroupName: "h", LogStreamName: "s", LogEvents: events(1)}, missing)
	refused(t, s.PutLogEvents, logs.PutLogEventsInput{LogGroupName: "g", LogStreamName: "t", LogEvents: events(1)}, missing)

	if got := put(t, s, "g", "s", []logs.InputLogEvent{at(14*day + time.Minute), at(14*day - time.Minute)}); got == nil || *got.TooOldLogEventEndIndex != 1 {
		t.Errorf("too old: got %+v", got)
	}
	if got := put(t, s, "g", "s", []logs.InputLogEvent{at(-time.Hour), at(-3 * time.Hour)}); got == nil || *got.TooNewLogEventStartIndex != 1 {
		t.Errorf("too new: got %+v", got)
	}
	must(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "g", RetentionInDays: 1})
	if got := put(t, s, "g", "s", []logs.InputLogEvent{at(25 * time.Hour), at(23 * time.Hour)}); got == nil || *got.ExpiredLogEventEndIndex != 1 {
		t.Errorf("expired: got %+v", got)
	}
	if got := put(t, s, "g", "s", []logs.InputLogEvent{at(16 * day), at(16 * day)}); got == nil || *got.TooOldLogEventEndIndex != 2 {
		t.Errorf("all too old: got %+v", got)
	}
	want := []string{"-1h0m0s", "23h0m0s"} // what is 14 days old is past the retention now
	if diff := cmp.Diff(want, messages(t, s, logs.Filter{Group: "g"})); diff != "" {
		t.Error(diff)
	}
	// though they came in an order of their own, they are found by their times
	for name, c := range map[string]struct {
		from, to time.Duration
		want     []string
	}{
		"of yesterday":  {24 * time.Hour, 22 * time.Hour, []string{"23h0m0s"}},
		"of the future": {-30 * time.Minute, -2 * time.Hour, []string{"-1h0m0s"}},
		"of now":        {time.Hour, -time.Minute, nil},
	} {
		if diff := cmp.Diff(c.want, messages(t, s, logs.Filter{Group: "g", Start: now.Add(-c.from), End: now.Add(-c.to)})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRetention(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "old", "s")
	group(t, s, "new", "s")
	for _, g := range []string{"old", "new"} {
		put(t, s, g, "s", []logs.InputLogEvent{{Timestamp: time.Now().Add(-47 * time.Hour).UnixMilli(), Message: "of then"}})
		put(t, s, g, "s", events(1))
	}
	must(t, s.PutRetentionPolicy, logs.PutRetentionPolicyInput{LogGroupName: "old", RetentionInDays: 1})
	for range 2 {
		if diff := cmp.Diff([]string{"event 0"}, messages(t, s, logs.Filter{Group: "old"})); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"of then", "event 0"}, messages(t, s, logs.Filter{Group: "new"})); diff != "" {
			t.Error(diff)
		}
		if err := s.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func texts(list []logs.OutputLogEvent) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(strings.TrimPrefix(e.Message, "event "))
	}
	return b.String()
}

func TestGetLogEvents(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "g", "s", "other", "empty")
	put(t, s, "g", "s", events(6))
	put(t, s, "g", "other", events(3))
	put(t, s, "g", "s", []logs.InputLogEvent{{Timestamp: time.Now().UnixMilli(), Message: "event 6"}})
	get := func(in logs.GetLogEventsInput) logs.GetLogEventsOutput {
		t.Helper()
		if in.LogGroupName, in.Limit = "g", 3; in.LogStreamName == "" {
			in.LogStreamName = "s"
		}
		return must(t, s.GetLogEvents, in)
	}
	out := get(logs.GetLogEventsInput{StartFromHead: true})
	var got []string
	for settled := false; !settled; { // to the end, where the token stays
		got = append(got, texts(out.Events))
		next := get(logs.GetLogEventsInput{NextToken: out.NextForwardToken})
		settled = next.NextForwardToken == out.NextForwardToken
		out = next
	}
	if diff := cmp.Diff([]string{"012", "345", "6"}, got); diff != "" {
		t.Errorf("forwards: %s", diff)
	}
	out, got = get(logs.GetLogEventsInput{}), nil // the latest, and back to the beginning
	end := out.NextForwardToken
	for settled := false; !settled; {
		got = append(got, texts(out.Events))
		next := get(logs.GetLogEventsInput{NextToken: out.NextBackwardToken})
		settled = next.NextBackwardToken == out.NextBackwardToken
		out = next
	}
	if diff := cmp.Diff([]string{"456", "123", "0"}, got); diff != "" {
		t.Errorf("backwards: %s", diff)
	}
	if got := texts(get(logs.GetLogEventsInput{NextToken: out.NextForwardToken}).Events); got != "012" {
		t.Errorf("forwards from the beginning: got %q", got)
	}
	put(t, s, "g", "s", []logs.InputLogEvent{{Timestamp: time.Now().UnixMilli(), Message: "event 7"}})
	if got := texts(get(logs.GetLogEventsInput{NextToken: end}).Events); got != "7" {
		t.Errorf("what came since: got %q", got)
	}
	out = get(logs.GetLogEventsInput{LogStreamName: "empty"})
	if again := get(logs.GetLogEventsInput{LogStreamName: "empty", NextToken: out.NextBackwardToken}); len(out.Events)+len(again.Events) != 0 || again.NextBackwardToken != out.NextBackwardToken {
		t.Errorf("an empty stream: got %+v, then %+v", out, again)
	}
	put(t, s, "g", "empty", events(1))
	if got := texts(get(logs.GetLogEventsInput{LogStreamName: "empty", NextToken: out.NextForwardToken}).Events); got != "0" {
		t.Errorf("an empty stream that gets an event: got %q", got)
	}
	refused(t, s.GetLogEvents, logs.GetLogEventsInput{LogGroupName: "g", LogStreamName: "s", NextToken: "x/1"}, wrong)
	refused(t, s.GetLogEvents, logs.GetLogEventsInput{LogGroupName: "g", LogStreamName: "nobody"}, missing)
	refused(t, s.GetLogEvents, logs.GetLogEventsInput{LogGroupName: "h", LogStreamName: "s"}, missing)
}

func TestFilterLogEvents(t *testing.T) {
	s := open(t, enginetest.Streams(t))
	group(t, s, "g", "a1", "a2", "b")
	start := time.Now().UnixMilli()
	for i, stream := range []string{"a1", "a2", "b", "a1"} {
		put(t, s, "g", stream, []logs.InputLogEvent{{Timestamp: start + int64(i), Message: fmt.Sprintf(`{"n":%d}`, i)}})
	}
	for name, c := range map[string]struct {
		in   logs.FilterLogEventsInput
		want string
	}{
		"all":               {logs.FilterLogEventsInput{}, "0123"},
		"a prefix":          {logs.FilterLogEventsInput{LogStreamNamePrefix: "a"}, "013"},
		"names":             {logs.FilterLogEventsInput{LogStreamNames: []string{"a2", "b"}}, "12"},
		"a pattern":         {logs.FilterLogEventsInput{FilterPattern: "{ $.n >= 2 }"}, "23"},
		"times, both ends":  {logs.FilterLogEventsInput{StartTime: start + 1, EndTime: start + 2}, "12"},
		"nothing":           {logs.FilterLogEventsInput{FilterPattern: "x"}, ""},
		"pages of one":      {logs.FilterLogEventsInput{Limit: 1}, "0123"},
		"pages of a stream": {logs.FilterLogEventsInput{Limit: 1, LogStreamNames: []string{"a1"}}, "03"},
	} {
		c.in.LogGroupName = "g"
		var got string
		ids := map[string]bool{}
		for {
			out := must(t, s.FilterLogEvents, c.in)
			for _, e := range out.Events {
				got += strings.Trim(e.Message, `{"n:}`)
				ids[e.EventID] = true
			}
			if c.in.NextToken = out.NextToken; c.in.NextToken == "" {
				break
			}
		}
		if got != c.want || len(ids) != len(c.want) {
			t.Errorf("%s: got %q with %d ids, want %q", name, got, len(ids), c.want)
		}
	}
	refused(t, s.FilterLogEvents, logs.FilterLogEventsInput{LogGroupName: "h"}, missing)
	refused(t, s.FilterLogEvents, logs.FilterLogEventsInput{}, wrong)
	refused(t, s.FilterLogEvents, logs.FilterLogEventsInput{LogGroupName: "g", FilterPattern: "{"}, wrong)
	refused(t, s.FilterLogEvents, logs.FilterLogEventsInput{LogGroupName: "g", NextToken: "x"}, wrong)
	refused(t, s.FilterLogEvents, logs.FilterLogEventsInput{LogGroupName: "g", LogStreamNames: []string{"a1"}, LogStreamNamePrefix: "a"}, wrong)
}
