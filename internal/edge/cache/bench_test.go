package cache_test

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/edge/cache"
)

// sink is a client that costs nothing.
type sink struct {
	header http.Header
	bytes  int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { s.bytes += len(p); return len(p), nil }
func (s *sink) Flush()                      {}

func bench(b *testing.B, size int, control string, header ...string) {
	c := &cache.Cache{Memory: 64 << 20, Log: slog.New(slog.DiscardHandler)}
	if err := c.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	body := bytesOf("x", size)
	length := strconv.Itoa(size)
	origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain")
		h.Set("Cache-Control", control)
		h.Set("Content-Length", length)
		h.Set("Etag", `"1"`)
		w.Write(body)
	})
	policy := &cache.Policy{
		DefaultTTL: time.Hour, MaxTTL: year, Encodings: []string{"br", "gzip"},
		Query: cache.Selection{Mode: cache.All},
	}
	in := request("GET", "/some/path/to/a/file.js?version=12", append(header, "Accept-Encoding: gzip, deflate, br, zstd", "User-Agent: Mozilla/5.0")...)
	out := in.Clone(in.Context())
	out.Host = "origin"
	q := cache.Request{In: in, Out: out, Zone: "E1234567890123", Policy: policy, Origin: origin}
	w := &sink{header: http.Header{}}
	c.Serve(w, q)
	w.bytes = 0
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		if control == "miss" {
			in.URL.RawQuery = strconv.Itoa(w.bytes)
		}
		c.Serve(w, q)
	}
	if want := b.N * size; len(header) == 0 && w.bytes < want {
		b.Errorf("sent %d bytes, want %d", w.bytes, want)
	}
}

func BenchmarkHit(b *testing.B)         { bench(b, 900, "max-age=3600") }
func BenchmarkHit1MB(b *testing.B)      { bench(b, 1<<20, "max-age=3600") }
func BenchmarkNotModified(b *testing.B) { bench(b, 900, "max-age=3600", `If-None-Match: "1"`) }
func BenchmarkMiss(b *testing.B)        { bench(b, 900, "miss") }
func BenchmarkPass(b *testing.B)        { bench(b, 900, "no-store") }

func BenchmarkHitParallel(b *testing.B) {
	c := &cache.Cache{Memory: 64 << 20, Log: slog.New(slog.DiscardHandler)}
	if err := c.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	origin := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	policy := &cache.Policy{DefaultTTL: time.Hour, MaxTTL: year}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		in := request("GET", "/a")
		q := cache.Request{In: in, Out: in.Clone(in.Context()), Zone: "E1", Policy: policy, Origin: origin}
		w := &sink{header: http.Header{}}
		for pb.Next() {
			clear(w.header)
			c.Serve(w, q)
		}
	})
}
