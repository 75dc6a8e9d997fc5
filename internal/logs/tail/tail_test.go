package tail_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/logstest"
	"github.com/dropstack/dropstack/internal/logs/tail"
)

func say(book *logstest.Book, group, stream, message string) {
	book.Append(logs.Record{Time: time.UnixMilli(1764151200123), Group: group, Stream: stream, Request: "r", Message: message})
}

func TestFilter(t *testing.T) {
	errors, err := logs.Compile("ERROR")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		filter tail.Filter
		want   string
	}{
		"everything":       {tail.Filter{}, "a1 ERROR a2 b1 e1"},
		"a group":          {tail.Filter{Groups: []string{"/aws/lambda/a"}}, "a1 ERROR a2"},
		"many by one word": {tail.Filter{Groups: []string{"/aws/lambda/*"}}, "a1 ERROR a2 b1"},
		"two":              {tail.Filter{Groups: []string{"/aws/lambda/b", "/edge"}}, "b1 e1"},
		"streams":          {tail.Filter{Streams: []string{"s2*"}}, "b1 e1"},
		"a pattern":        {tail.Filter{Pattern: errors}, "ERROR a2"},
	} {
		book := &logstest.Book{}
		f := (&tail.Hub{Records: book}).Follow(c.filter)
		say(book, "/aws/lambda/a", "s1", "a1")
		say(book, "/aws/lambda/a", "s1", "ERROR a2")
		say(book, "/aws/lambda/b", "s2", "b1")
		say(book, "/edge", "s22", "e1")
		records, lost, ok := f.Next(t.Context())
		var got []string
		for _, r := range records {
			got = append(got, r.Message)
		}
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" || lost != 0 || !ok {
			t.Errorf("%s: lost %d, want - got +\n%s", name, lost, diff)
		}
		f.End()
		say(book, "/edge", "s22", "later")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, ok := f.Next(ctx); ok {
			t.Errorf("%s: it goes on after its end", name)
		}
	}
}

// Who is slow loses the oldest, and is told how many.
func TestSlowFollower(t *testing.T) {
	book := &logstest.Book{}
	f := (&tail.Hub{Records: book}).Follow(tail.Filter{})
	defer f.End()
	for i := range 6000 {
		say(book, "/g", "s", fmt.Sprint(i))
	}
	records, lost, _ := f.Next(t.Context())
	if len(records) != 5000 || lost != 1000 || records[0].Message != "1000" {
		t.Errorf("got %d records from %s on, %d lost", len(records), records[0].Message, lost)
	}
}

func TestServerSentEvents(t *testing.T) {
	book, done := &logstest.Book{}, make(chan struct{})
	server := httptest.NewServer(&tail.Hub{Records: book, Done: done})
	defer server.Close()
	resp, err := http.Get(server.URL + "/api/tail?groups=/a,/b*&filter=" + url.QueryEscape("-skip"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" || resp.StatusCode != 200 {
		t.Fatalf("got %s %s", resp.Status, got)
	}
	say(book, "/a", "s", "one")
	say(book, "/a", "s", "skip this")
	say(book, "/c", "s", "of another group")
	say(book, "/bc", "s", "two\nlines")
	lines := bufio.NewScanner(resp.Body)
	var got []string
	for len(got) < 2 && lines.Scan() {
		if lines.Text() != "" {
			got = append(got, lines.Text())
		}
	}
	want := []string{
		`data: {"time":1764151200123,"group":"/a","stream":"s","requestId":"r","message":"one"}`,
		`data: {"time":1764151200123,"group":"/bc","stream":"s","requestId":"r","message":"two\nlines"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want - got +\n%s", diff)
	}
	close(done) // the platform ends, and so does the stream
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the end: %v", err)
	}
	for query, status := range map[string]int{"?filter=" + url.QueryEscape("{ $."): 400} {
		resp, err := http.Get(server.URL + query)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("%s: got %s", query, resp.Status)
		}
	}
}

func TestLiveTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := &logstest.Book{}
		hub := &tail.Hub{Records: book}
		s, err := hub.StartLiveTail(t.Context(), tail.StartLiveTailInput{
			LogGroupIdentifiers:   []string{"arn:aws:logs:us-east-1:000000000000:log-group:/a"},
			LogStreamNamePrefixes: []string{"2026"}, LogEventFilterPattern: "hello",
		})
		if err != nil {
			t.Fatal(err)
		}
		say(book, "/a", "2026/1", "hello")
		say(book, "/a", "2025/1", "hello of a year before")
		say(book, "/a", "2026/1", "other")
		for range 700 {
			say(book, "/a", "2026/1", "hello again")
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []int
		err = s.Run(ctx, "000000000000", func(u tail.SessionUpdate) error {
			got = append(got, len(u.SessionResults))
			if len(got) == 1 {
				want := tail.LiveEvent{LogGroupIdentifier: "000000000000:/a", LogStreamName: "2026/1", Message: "hello", Timestamp: 1764151200123, IngestionTime: time.Now().UnixMilli()}
				if diff := cmp.Diff(want, u.SessionResults[0]); diff != "" {
					t.Errorf("want - got +\n%s", diff)
				}
			}
			if len(got) == 4 {
				cancel()
			}
			return nil
		})
		if diff := cmp.Diff([]int{500, 201, 0, 0}, got); diff != "" || err != nil {
			t.Errorf("%v, want - got +\n%s", err, diff)
		}
	})
}

func TestLiveTailRefuses(t *testing.T) {
	one := []string{"/a"}
	for name, in := range map[string]tail.StartLiveTailInput{
		"no group":           {},
		"eleven groups":      {LogGroupIdentifiers: strings.Split("a b c d e f g h i j k", " ")},
		"names and prefixes": {LogGroupIdentifiers: one, LogStreamNames: one, LogStreamNamePrefixes: one},
		"a wrong pattern":    {LogGroupIdentifiers: one, LogEventFilterPattern: "{ $."},
	} {
		if _, err := (&tail.Hub{Records: &logstest.Book{}}).StartLiveTail(t.Context(), in); fault.CodeOf(err) != "InvalidParameterException" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
