package bucket_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// queue keeps what is enqueued, or fails.
type queue struct {
	mu   sync.Mutex
	invs []function.Invocation
	err  error
}

func (q *queue) Enqueue(_ context.Context, inv function.Invocation) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.invs = append(q.invs, inv)
	}
	return q.err
}

func notifications(t *testing.T) (*bucket.Notifications, *queue) {
	q := &queue{}
	return &bucket.Notifications{Invoker: q, Region: "us-east-1", Log: slog.New(slog.NewTextHandler(t.Output(), nil))}, q
}

func replace(t *testing.T, n *bucket.Notifications, stack string, list ...bucket.Notification) {
	t.Helper()
	if err := n.Replace(stack, list); err != nil {
		t.Fatal(err)
	}
}

func happen(t *testing.T, n *bucket.Notifications, e engine.ObjectEvent) {
	t.Helper()
	if err := n.OnObject(e); err != nil {
		t.Fatal(err)
	}
}

func wants(event, prefix, suffix, function string) bucket.Notification {
	return bucket.Notification{ID: "id-of-" + function, Bucket: "drops", Event: event, Prefix: prefix, Suffix: suffix, Function: function}
}

var at = time.Date(2026, 11, 23, 7, 42, 23, 456_789_000, time.UTC)

func put(key string) engine.ObjectEvent {
	return engine.ObjectEvent{Name: "ObjectCreated:Put", Bucket: "drops", Key: key, Size: 12, ETag: `"0cc175b9c0f1b6a831c399e269772661"`, At: at}
}

func TestWhoIsTold(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a",
		wants("s3:ObjectCreated:*", "in/", ".jpg", "pictures"),
		wants("s3:ObjectCreated:Put", "in/", ".txt", "texts"),
		wants("s3:ObjectRemoved:*", "", "", "sweeper"),
	)
	for _, c := range []struct{ name, event, bucket, key, want string }{
		{"all of a family", "ObjectCreated:CompleteMultipartUpload", "drops", "in/a.jpg", "pictures"},
		{"one type", "ObjectCreated:Put", "drops", "in/a.txt", "texts"},
		{"another type of the family", "ObjectCreated:Copy", "drops", "in/a.txt", ""},
		{"another prefix", "ObjectCreated:Put", "drops", "out/a.jpg", ""},
		{"another suffix", "ObjectCreated:Put", "drops", "in/a.gif", ""},
		{"another bucket", "ObjectCreated:Put", "others", "in/a.jpg", ""},
		{"removal", "ObjectRemoved:Delete", "drops", "in/a.jpg", "sweeper"},
	} {
		q.invs = nil
		happen(t, n, engine.ObjectEvent{Name: c.event, Bucket: c.bucket, Key: c.key, At: at})
		var got []string
		for _, inv := range q.invs {
			got = append(got, inv.Function)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: told %q, want %q", c.name, got, c.want)
		}
	}
}

func TestReplaceIsOfOneStack(t *testing.T) {
	n, q := notifications(t)
	happen(t, n, put("early")) // before anybody wants anything
	replace(t, n, "a", wants("s3:ObjectCreated:*", "a/", "", "fa"))
	replace(t, n, "b", wants("s3:ObjectCreated:*", "b/", "", "fb"))
	replace(t, n, "a", wants("s3:ObjectCreated:*", "c/", "", "fc"))
	for _, key := range []string{"a/1", "b/1", "c/1"} {
		happen(t, n, put(key))
	}
	replace(t, n, "b")
	happen(t, n, put("b/2"))
	if len(q.invs) != 2 || q.invs[0].Function != "fb" || q.invs[1].Function != "fc" {
		t.Errorf("got %v, want fb and fc once each", q.invs)
	}
}

func TestReplaceRefuses(t *testing.T) {
	all := "s3:ObjectCreated:*"
	for name, c := range map[string]struct {
		a, b bucket.Notification
		want string // "" when it is right
	}{
		"same twice":               {wants(all, "", "", "f"), wants(all, "", "", "g"), "overlap"},
		"family and member":        {wants(all, "", "", "f"), wants("s3:ObjectCreated:Copy", "", "", "g"), "overlap"},
		"prefix within prefix":     {wants(all, "in/", "", "f"), wants(all, "in/a", "", "g"), "overlap"},
		"suffix within suffix":     {wants(all, "", ".gz", "f"), wants(all, "", ".tar.gz", "g"), "overlap"},
		"prefix against suffix":    {wants(all, "in/", "", "f"), wants(all, "", ".jpg", "g"), "overlap"},
		"prefixes apart":           {wants(all, "in/", ".jpg", "f"), wants(all, "out/", ".jpg", "g"), ""},
		"suffixes apart":           {wants(all, "in/", ".jpg", "f"), wants(all, "in/a", ".png", "g"), ""},
		"families apart":           {wants(all, "", "", "f"), wants("s3:ObjectRemoved:*", "", "", "g"), ""},
		"members apart":            {wants("s3:ObjectCreated:Put", "", "", "f"), wants("s3:ObjectCreated:Copy", "", "", "g"), ""},
		"buckets apart":            {wants(all, "", "", "f"), bucket.Notification{Bucket: "others", Event: all, Function: "g"}, ""},
		"unknown event":            {wants(all, "", "", "f"), wants("s3:ObjectRestore:*", "", "", "g"), `"s3:ObjectRestore:*" is not supported`},
		"event without its prefix": {wants(all, "", "", "f"), wants("ObjectCreated:Put", "", "", "g"), "not supported"},
		"no bucket":                {wants(all, "", "", "f"), bucket.Notification{ID: "n", Event: all, Function: "g"}, "needs a bucket"},
	} {
		for where, stacks := range map[string][2]string{"in one stack": {"s", "s"}, "in two": {"s", "t"}} {
			n, q := notifications(t)
			replace(t, n, stacks[0], c.a)
			list := []bucket.Notification{c.b}
			if where == "in one stack" {
				list = []bucket.Notification{c.a, c.b}
			}
			err := n.Replace(stacks[1], list)
			if c.want == "" {
				if err != nil {
					t.Errorf("%s %s: %v", name, where, err)
				}
				continue
			}
			if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "InvalidArgument" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s %s: got %v, want invalid, with %q", name, where, err, c.want)
			}
			happen(t, n, put("in/a.jpg.tar.gz"))
			happen(t, n, put("in/a.jpg"))
			for _, inv := range q.invs {
				if inv.Function != "f" {
					t.Errorf("%s %s: the refused list is in force", name, where)
				}
			}
		}
	}
}

func TestEventIsWhatS3Sends(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a", wants("s3:ObjectCreated:*", "", "", "f"), wants("s3:ObjectRemoved:*", "", "", "g"))
	happen(t, n, put("photos/my cat & Größe (1)+.jpg"))
	happen(t, n, engine.ObjectEvent{Name: "ObjectCreated:Copy", Bucket: "drops", Key: "empty", ETag: "d41d8cd98f00b204e9800998ecf8427e", VersionID: "v1", At: at})
	happen(t, n, engine.ObjectEvent{Name: "ObjectRemoved:Delete", Bucket: "drops", Key: "gone", Size: 12, ETag: "x", At: at})
	for i, file := range []string{"testdata/put.json", "testdata/copy-of-empty.json", "testdata/delete.json"} {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(golden, &want); err != nil {
			t.Fatal(file, err)
		}
		if err := json.Unmarshal(q.invs[i].Payload, &got); err != nil {
			t.Fatal(err)
		}
		elements := got.(map[string]any)["Records"].([]any)[0].(map[string]any)["responseElements"].(map[string]any)
		for key, value := range elements {
			if value == "" {
				t.Errorf("%s: %s is empty", file, key)
			}
			elements[key] = "*"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", file, diff)
		}
	}
}

func TestEventAsTheOfficialLibraryReadsIt(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a", wants("s3:ObjectCreated:*", "", "", "f"))
	const key = "photos/my cat & Größe (1)+100%.jpg"
	happen(t, n, put(key))
	happen(t, n, put(key))
	var sequence []string
	for _, inv := range q.invs {
		var e events.S3Event
		if err := json.Unmarshal(inv.Payload, &e); err != nil {
			t.Fatal(err)
		}
		r := e.Records[0]
		if r.S3.Object.URLDecodedKey != key || r.S3.Object.ETag != "0cc175b9c0f1b6a831c399e269772661" || r.S3.Object.Size != 12 {
			t.Errorf("object %+v", r.S3.Object)
		}
		if r.S3.Bucket.Name != "drops" || r.S3.Bucket.Arn != "arn:aws:s3:::drops" || r.S3.ConfigurationID != "id-of-f" {
			t.Errorf("got %+v", r.S3)
		}
		if !r.EventTime.Equal(at.Truncate(time.Millisecond)) || r.EventName != "ObjectCreated:Put" || r.EventSource != "aws:s3" {
			t.Errorf("got %+v", r)
		}
		sequence = append(sequence, r.S3.Object.Sequencer)
	}
	if sequence[0] >= sequence[1] {
		t.Errorf("sequencers %q do not increase", sequence)
	}
}

func TestInvocationIDIsOfTheEvent(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a", wants("s3:ObjectCreated:*", "", "", "f"))
	later := put("k")
	later.At = at.Add(1)
	for _, e := range []engine.ObjectEvent{put("k"), put("k"), put("l"), later} {
		happen(t, n, e)
	}
	if len(q.invs[0].ID) != 36 || q.invs[0].ID != q.invs[1].ID {
		t.Errorf("reported twice: ids %s and %s, want the same UUID", q.invs[0].ID, q.invs[1].ID)
	}
	if q.invs[2].ID == q.invs[0].ID || q.invs[3].ID == q.invs[0].ID {
		t.Errorf("another key %s and another time %s have the id %s", q.invs[2].ID, q.invs[3].ID, q.invs[0].ID)
	}
}

func TestSequencersIncreaseUnderConcurrency(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a", wants("s3:ObjectCreated:*", "", "", "f"))
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if err := n.OnObject(put("k")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, inv := range q.invs {
		var e events.S3Event
		if err := json.Unmarshal(inv.Payload, &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Records[0].S3.Object.Sequencer] = true
	}
	if len(seen) != 200 {
		t.Errorf("%d sequencers for 200 events", len(seen))
	}
}

func TestQueueFailureFailsTheRequest(t *testing.T) {
	n, q := notifications(t)
	replace(t, n, "a", wants("s3:ObjectCreated:*", "", "", "f"))
	q.err = fault.Errorf(fault.Unavailable, "%w", errors.New("no space left on device"))
	if err := n.OnObject(put("k")); fault.KindOf(err) != fault.Unavailable || !errors.Is(err, q.err) {
		t.Errorf("got %v, want the queue's error", err)
	}
	q.err = fault.Errorf(fault.NotFound, "function f")
	if err := n.OnObject(put("k")); err != nil {
		t.Errorf("a function that is gone fails the upload: %v", err)
	}
}
