package accesslog_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

// site is an origin of bodies of many lengths.
type site struct{}

func (site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	if n%7 == 0 {
		w.WriteHeader(http.StatusNotFound)
	}
	io.WriteString(w, strings.Repeat("x", n*13))
}

func (s site) Handler(string, string) (http.Handler, bool) { return s, true }
func (s site) Stage(string, string) (http.Handler, bool)   { return s, true }
func (s site) API(string) http.Handler                     { return s }
func (s site) URL(string) http.Handler                     { return s }

// tally is what a sink has of the requests.
type tally struct {
	records  int
	bytes    int64
	statuses map[int]int
	requests map[string]bool
}

func (y *tally) add(r edge.AccessRecord) {
	if y.statuses == nil {
		y.statuses, y.requests = map[int]int{}, map[string]bool{}
	}
	y.records++
	y.bytes += r.BytesOut
	y.statuses[r.Status]++
	y.requests[r.Request] = true
}

func (y *tally) String() string {
	return fmt.Sprintf("%d records of %d requests, %d bytes, %v", y.records, len(y.requests), y.bytes, y.statuses)
}

// TestTotalsAgree sends requests through a real edge at the same time; every sink has
// each of them once.
func TestTotalsAgree(t *testing.T) {
	const clients, each = 20, 50
	streams := enginetest.Streams(t)
	store := &logs.Store{Dir: t.TempDir(), Streams: streams, State: streams, Region: arn.Region, Log: quiet}
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	w, c := newWorld(), &calls{}
	w.invoke = c.invoke
	front := &edge.Server{Origins: site{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := front.Replace("web", []edge.Distribution{{
		Stack: "web", ID: "E1", Domain: "d1.cloudfront.localhost", Aliases: []string{"www.example.com"},
		Behaviours: []edge.Behaviour{{Path: "*", Origin: "web"}}, Log: &edge.LogTo{Bucket: "logs", Prefix: "cf"},
	}}); err != nil {
		t.Fatal(err)
	}
	l := newLog(t, w, t.TempDir())
	l.Logs, l.Destination = store, front.LogTo
	if err := l.Replace("abuse", []accesslog.Reader{banner}); err != nil {
		t.Fatal(err)
	}
	var seen tally
	var mu sync.Mutex
	front.Access = func(r edge.AccessRecord) {
		l.Record(r)
		mu.Lock()
		seen.add(r)
		mu.Unlock()
	}
	server := httptest.NewServer(front)
	end := run(l)
	var bodies int64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for k := range each {
				r, _ := http.NewRequest("GET", fmt.Sprintf("%s/p/%d?n=%d", server.URL, i, k), nil)
				r.Host = "www.example.com"
				res, err := server.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				n, err := io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				bodies += n
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	server.Close() // waits for requests
	end()

	var objects, messages, stream tally
	for _, key := range w.keys() {
		for _, line := range w.lines(t, key) {
			r, err := accesslog.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			objects.add(r)
		}
	}
	for _, e := range c.events {
		for _, record := range e.Records {
			r, err := accesslog.ParseRealTime(string(record.Kinesis.Data))
			if err != nil {
				t.Fatal(err)
			}
			stream.add(r)
		}
	}
	if err := store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, _, err := store.Filter(t.Context(), logs.Filter{Group: "/aws/cloudfront/E1", Limit: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records {
		var m struct {
			Bytes   int64  `json:"sc-bytes"`
			Status  int    `json:"sc-status"`
			Request string `json:"x-edge-request-id"`
		}
		if err := json.Unmarshal([]byte(record.Message), &m); err != nil {
			t.Fatal(err)
		}
		messages.add(edge.AccessRecord{BytesOut: m.Bytes, Status: m.Status, Request: m.Request})
	}
	want := seen.String()
	if seen.records != clients*each || len(seen.requests) != clients*each || seen.bytes < bodies {
		t.Errorf("the edge recorded %s; bodies had %d bytes", want, bodies)
	}
	for name, got := range map[string]string{"objects": objects.String(), "log store": messages.String(), "stream": stream.String()} {
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if len(w.lost) > 0 {
		t.Errorf("lost %v", w.lost)
	}
}

// TestWhatAQueueCannotTakeIsCounted records more than may wait, before anything is
// written.
func TestWhatAQueueCannotTakeIsCounted(t *testing.T) {
	w := newWorld()
	l := newLog(t, w, t.TempDir())
	const n = 20_000
	for range n {
		l.Record(whole)
	}
	run(l)()
	lines := 0
	for _, key := range w.keys() {
		lines += len(w.lines(t, key))
	}
	if lost := w.lost["objects"]; lost == 0 || lost+lines != n {
		t.Errorf("objects: %d lines, %d lost, want %d together", lines, lost, n)
	}
	if lost := w.lost["logs"]; lost == 0 || lost+len(w.records) != n {
		t.Errorf("log store: %d records, %d lost, want %d together", len(w.records), lost, n)
	}
}
