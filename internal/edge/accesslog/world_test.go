package accesslog_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

// world is what a log writes to.
type world struct {
	mu      sync.Mutex
	objects map[string][]byte // by BUCKET/KEY
	puts    int
	refuse  func(bucket string) error // before an object is stored
	late    error                     // after it has been
	records []logs.Record
	invoke  func(ctx context.Context, inv function.Invocation) (function.Result, error)
	lost    map[string]int
}

func (w *world) Put(_ context.Context, bucket, key string, r io.Reader, size int64, _ engine.PutOptions) (engine.Object, error) {
	content, err := io.ReadAll(r)
	if err != nil || int64(len(content)) != size {
		return engine.Object{}, errors.New("not as long as was said")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.puts++
	if w.refuse != nil {
		if err := w.refuse(bucket); err != nil {
			return engine.Object{}, err
		}
	}
	w.objects[bucket+"/"+key] = content
	return engine.Object{}, w.late
}

func (w *world) Append(r logs.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, r)
}

func (w *world) Invoke(ctx context.Context, inv function.Invocation) (function.Result, error) {
	return w.invoke(ctx, inv)
}

func (w *world) keys() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.objects))
}

// lines are those of an object, without its header.
func (w *world) lines(t testing.TB, key string) []string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	z, err := gzip.NewReader(bytes.NewReader(w.objects[key]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	lines, ok := strings.CutPrefix(string(text), accesslog.Header)
	if !ok {
		t.Fatalf("%s begins with %.200s", key, text)
	}
	return strings.Split(strings.TrimSuffix(lines, "\n"), "\n")
}

func newWorld() *world { return &world{objects: map[string][]byte{}, lost: map[string]int{}} }

var quiet = slog.New(slog.DiscardHandler)

func destination(distribution string) *edge.LogTo {
	return map[string]*edge.LogTo{"E1": {Bucket: "logs", Prefix: "cf/"}, "E2": {Bucket: "others"}}[distribution]
}

// newLog is a log in a directory whose distributions E1 and E2 have a bucket.
func newLog(t testing.TB, w *world, dir string) *accesslog.Log {
	t.Helper()
	l := &accesslog.Log{
		Dir: dir, Objects: w, Logs: w, Invoker: w, Region: arn.Region,
		Log:         slog.New(slog.NewTextHandler(t.Output(), nil)),
		Destination: destination,
		Role:        func(string) string { return "arn:aws:iam::000000000000:role/r" },
		Lost: func(sink string, n int) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lost[sink] += n
		},
	}
	if err := l.Open(); err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs a log; what it returns ends it.
func run(l *accesslog.Log) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// at is a request that has ended at a moment.
func at(distribution string, end time.Time) edge.AccessRecord {
	r := whole
	r.Distribution, r.Time = distribution, end.Add(-r.Took)
	return r
}

// whole is a record with everything.
var whole = edge.AccessRecord{
	Time: time.Date(2026, 11, 26, 19, 59, 59, 900e6, time.UTC), Took: 1234567 * time.Microsecond, FirstByte: 42 * time.Millisecond,
	Client: "203.0.113.7", Port: 50123, Method: "GET", Host: "www.example.com", Domain: "d1.cloudfront.localhost", Path: "/a%20b/it's",
	Query: "q=1%2B1&p=100%", Cookie: "a=b; c=\"d\"", Status: 200, BytesIn: 321, BytesOut: 98765, Referrer: "https://example.com/<x>",
	UserAgent: "Mozilla/5.0 (X11; Linux) \u00fc\t50%", ForwardedFor: "198.51.100.1, 203.0.113.7", Request: "rid-1==",
	Distribution: "E1", Stack: "web-prod", Protocol: "https", Version: "HTTP/2.0", TLSVersion: "TLSv1.3", TLSCipher: "TLS_AES_128_GCM_SHA256",
	Result: "Hit", ResponseResult: "Hit", Detail: "Hit", ContentType: "text/html; charset=utf-8", ContentLength: 98000, RangeStart: "0", RangeEnd: "99",
	Rule: "sqli", Labels: []string{"a:b"}, Refused: true,
}
