package fingerprint_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
	"github.com/dropstack/dropstack/internal/logs/logstest"
	"github.com/dropstack/dropstack/internal/wire"
)

func open(t *testing.T, streams jetstream.JetStream, book *logstest.Book) *fingerprint.Index {
	t.Helper()
	x := &fingerprint.Index{State: streams, Records: book, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := x.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return x
}

func failing(book *logstest.Book, function, version, message string, at time.Time) {
	book.Append(logs.Record{
		Time: at, Group: "/aws/lambda/" + function, Stream: "2026/11/26/[" + version + "]ab", Request: "r" + at.Format("150405.000"),
		Message: fmt.Sprintf(`{"errorType":"Error","errorMessage":%q,"stackTrace":["at f (/var/task/index.js:1:1)"]}`, message),
	})
}

func list(t *testing.T, x *fingerprint.Index, in fingerprint.ListInput) (out []string, ids []string) {
	t.Helper()
	got, err := x.List(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range got.Errors {
		out = append(out, fmt.Sprintf("%s %s %s x%d %s-%s", g.Function, g.Message, g.State, g.Count, g.FirstVersion, g.LastVersion))
		ids = append(ids, g.ID)
	}
	return out, ids
}

func TestGroups(t *testing.T) {
	streams, book := enginetest.Streams(t), &logstest.Book{}
	x := open(t, streams, book)
	now := time.Now().UTC().Truncate(time.Hour).Add(-time.Hour)
	for i := range 5 {
		failing(book, "notes", "7", fmt.Sprintf("no user %d", i), now.Add(time.Duration(i)*time.Minute))
	}
	failing(book, "notes", "9", "no group", now.Add(10*time.Minute))
	failing(book, "other", "1", "no user 1", now.Add(-2*time.Hour))
	const users, groups, other = "notes no user <n> open x5 7-7", "notes no group open x1 9-9", "other no user <n> open x1 1-1"
	for name, c := range map[string]struct {
		in   fingerprint.ListInput
		want []string
	}{
		"all":               {fingerprint.ListInput{}, []string{groups, users, other}},
		"of a function":     {fingerprint.ListInput{Function: "other"}, []string{other}},
		"seen lately":       {fingerprint.ListInput{Start: wire.At(now)}, []string{groups, users}},
		"new since version": {fingerprint.ListInput{NewSince: "7"}, []string{groups}},
		"one":               {fingerprint.ListInput{Limit: 1}, []string{groups}},
		"resolved":          {fingerprint.ListInput{State: fingerprint.Resolved}, nil},
	} {
		got, _ := list(t, x, c.in)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: want - got +\n%s", name, diff)
		}
	}
	_, ids := list(t, x, fingerprint.ListInput{})
	g, err := x.Get(t.Context(), fingerprint.GetInput{ID: ids[1][:6]})
	if err != nil {
		t.Fatal(err)
	}
	if g.Sample.Message != "no user 4" || g.Sample.Stack[0] != "at f (/var/task/index.js:1:1)" || !g.First.Equal(now) || !g.Last.Equal(now.Add(4*time.Minute)) {
		t.Errorf("got %+v", g)
	}
	if diff := cmp.Diff([]fingerprint.Hour{{Start: now.Unix(), Count: 5}}, g.Hours); diff != "" {
		t.Errorf("hours: want - got +\n%s", diff)
	}

	// What somebody decides is there after a restart, and so is what was counted.
	if _, err := x.Update(t.Context(), fingerprint.UpdateInput{ID: ids[1], State: fingerprint.Resolved}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Update(t.Context(), fingerprint.UpdateInput{ID: ids[2], State: fingerprint.Ignored}); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = open(t, streams, book)
	got, _ := list(t, x, fingerprint.ListInput{State: "all"})
	if diff := cmp.Diff([]string{groups, "notes no user <n> resolved x5 7-7", "other no user <n> ignored x1 1-1"}, got); diff != "" {
		t.Errorf("after a restart: want - got +\n%s", diff)
	}
	failing(book, "notes", "10", "no user 11", time.Now()) // it is back
	failing(book, "other", "2", "no user 1", time.Now())
	got, _ = list(t, x, fingerprint.ListInput{})
	if diff := cmp.Diff([]string{"notes no user <n> open x6 7-10", groups}, got); diff != "" {
		t.Errorf("what comes back: want - got +\n%s", diff)
	}
	if g, err := x.Get(t.Context(), fingerprint.GetInput{ID: ids[1]}); err != nil || !g.Regressed {
		t.Errorf("got %+v %v, want it to have regressed", g, err)
	}

	// Counting again comes to the same.
	before, _ := list(t, x, fingerprint.ListInput{State: "all"})
	out, err := x.Rebuild(t.Context(), fingerprint.RebuildInput{Start: wire.At(now.Add(-3 * time.Hour))})
	if err != nil || out.Found != 9 {
		t.Errorf("found %d %v, want 9", out.Found, err)
	}
	after, _ := list(t, x, fingerprint.ListInput{State: "all"})
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("counted again: want - got +\n%s", diff)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWrongQuestions(t *testing.T) {
	x := open(t, enginetest.Streams(t), &logstest.Book{})
	defer x.Close()
	if _, err := x.List(t.Context(), fingerprint.ListInput{State: "closed"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("state: %v", err)
	}
	if _, err := x.List(t.Context(), fingerprint.ListInput{Limit: -1}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("limit: %v", err)
	}
	if _, err := x.Get(t.Context(), fingerprint.GetInput{ID: "abcd"}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("get: %v", err)
	}
	if _, err := x.Update(t.Context(), fingerprint.UpdateInput{ID: "abcd", State: "closed"}); fault.KindOf(err) != fault.Invalid {
		t.Errorf("update: %v", err)
	}
	if _, err := x.Update(t.Context(), fingerprint.UpdateInput{ID: "abcd", State: fingerprint.Open}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("update: %v", err)
	}
}
