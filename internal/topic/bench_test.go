package topic_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

// BenchmarkPublish is the time until a synced publish is acknowledged.
func BenchmarkPublish(b *testing.B) {
	to := newTopics(b, streams(b), serial{})
	replace(b, to, "drops", topics(created), subs(created, "f1"))
	in := topic.PublishInput{TopicArn: created, Message: string(make([]byte, 512))}
	b.ResetTimer()
	for b.Loop() {
		if _, err := to.Publish(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFanOut is the time from a publish until six subscribers' handlers were
// entered, one message after another.
func BenchmarkFanOut(b *testing.B) {
	var wg sync.WaitGroup
	to := newTopics(b, streams(b), serial{handle: func(function.Invocation) error { wg.Done(); return nil }})
	replace(b, to, "drops", topics(created), subs(created, six...))
	run(b, to)
	var worst time.Duration
	for b.Loop() {
		began := time.Now()
		wg.Add(len(six))
		publish(b, to, created, "m")
		wg.Wait()
		worst = max(worst, time.Since(began))
	}
	b.ReportMetric(float64(worst.Microseconds()), "µs-max")
}

// BenchmarkWebhooks is how many deliveries of raw messages six web servers get in
// a second, all in this process.
func BenchmarkWebhooks(b *testing.B) {
	to := newTopics(b, streams(b), serial{})
	var left atomic.Int64
	left.Store(int64(len(six) * b.N))
	done := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if left.Add(-1) == 0 {
			close(done)
		}
	}))
	defer web.Close()
	var list []topic.Subscription
	for i := range six {
		s, err := topic.Declare("drops", created, "http", fmt.Sprint(web.URL, "/", i))
		if err != nil {
			b.Fatal(err)
		}
		s.State, s.Requested, s.Raw = "", time.Now(), true // as if confirmed
		list = append(list, s)
	}
	replace(b, to, "drops", topics(created), list)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range (b.N + i) / 16 {
				publish(b, to, created, "m")
			}
		})
	}
	wg.Wait()
	b.ResetTimer()
	run(b, to)
	<-done
	b.ReportMetric(float64(len(six)*b.N)/b.Elapsed().Seconds(), "deliveries/s")
}
