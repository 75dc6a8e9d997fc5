package topic_test

import (
	"sync"
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
