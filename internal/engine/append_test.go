package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
)

func TestConcurrentAppendsShareBatches(t *testing.T) {
	js := enginetest.Streams(t)
	s := stream(t, js)
	a := engine.NewAppender(js, "topic")
	defer a.Close()
	const publishers, each = 64, 40
	seqs := make([][]uint64, publishers)
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				h := nats.Header{"X-Publisher": {strconv.Itoa(p)}}
				seq, err := a.Append(context.Background(), "topic.a", h, fmt.Appendf(nil, "%d/%d", p, i))
				if err != nil {
					t.Error(err)
					return
				}
				seqs[p] = append(seqs[p], seq)
			}
		})
	}
	wg.Wait()
	batched := false
	for p := range publishers {
		for i, seq := range seqs[p] {
			msg, err := s.GetMsg(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(msg.Data), fmt.Sprintf("%d/%d", p, i); got != want {
				t.Errorf("message %d: got %s, want %s", seq, got, want)
			}
			if got := msg.Header.Get("X-Publisher"); got != strconv.Itoa(p) {
				t.Errorf("message %d: header of %s, want %d", seq, got, p)
			}
			batched = batched || msg.Header.Get("Nats-Batch-Id") != ""
		}
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.State.Msgs, uint64(publishers*each); got != want {
		t.Errorf("stored %d messages, want %d", got, want)
	}
	if !batched {
		t.Error("no two appends shared a batch")
	}
}

// queueUp appends n messages at once.
func queueUp(t *testing.T, a *engine.Appender, n int, header func(i int) nats.Header, data func(i int) []byte) []error {
	t.Helper()
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = a.Append(t.Context(), "topic.a", header(i), data(i)) })
	}
	wg.Wait()
	return errs
}

func TestADuplicateInABatchHurtsNobody(t *testing.T) {
	js := enginetest.Streams(t)
	s := stream(t, js)
	a := engine.NewAppender(js, "topic")
	defer a.Close()
	for _, err := range queueUp(t, a, 200, func(i int) nats.Header {
		return nats.Header{"Nats-Msg-Id": {strconv.Itoa(i / 2)}} // everyone twice
	}, func(int) []byte { return nil }) {
		if err != nil {
			t.Error(err)
		}
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != 100 {
		t.Errorf("stored %d messages, want each of 100 once", info.State.Msgs)
	}
}

func TestAMessageTooLargeFailsAlone(t *testing.T) {
	js := enginetest.Streams(t)
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "topic", Subjects: []string{"topic.>"}, AllowAtomicPublish: true, MaxMsgSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	a := engine.NewAppender(js, "topic")
	defer a.Close()
	none := func(int) nats.Header { return nil }
	for i, err := range queueUp(t, a, 100, none, func(i int) []byte { return []byte(strings.Repeat("x", i*100)) }) {
		if fits := i < 10; (err == nil) != fits {
			t.Errorf("append of %d bytes: got %v", i*100, err)
		}
	}
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs == 0 || info.State.Msgs > 10 {
		t.Errorf("stored %d messages, want those up to 1000 bytes", info.State.Msgs)
	}
	_, err = a.Append(t.Context(), "topic.a", nil, make([]byte, 9<<20))
	if fault.KindOf(err) != fault.TooLarge {
		t.Errorf("append of 9 MB: got %v, want too large", err)
	}
}

func TestCloseWritesWhatIsQueued(t *testing.T) {
	js := enginetest.Streams(t)
	s := stream(t, js)
	a := engine.NewAppender(js, "topic")
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for range 100 {
		wg.Go(func() {
			if _, err := a.Append(context.Background(), "topic.a", nil, nil); err == nil {
				mu.Lock()
				stored++
				mu.Unlock()
			} else if fault.KindOf(err) != fault.Unavailable {
				t.Error(err)
			}
		})
	}
	a.Close()
	wg.Wait()
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Msgs != uint64(stored) {
		t.Errorf("stored %d messages, but %d were acknowledged", info.State.Msgs, stored)
	}
	if _, err := a.Append(t.Context(), "topic.a", nil, nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("append after close: got %v, want unavailable", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, publishers := range []int{1, 8, 32, 128, 512} {
		b.Run(fmt.Sprintf("raw/%d", publishers), func(b *testing.B) {
			js := enginetest.Streams(b)
			stream(b, js)
			spread(b, publishers, func(data []byte) error {
				_, err := js.Publish(context.Background(), "topic.a", data)
				return err
			})
		})
		b.Run(fmt.Sprintf("grouped/%d", publishers), func(b *testing.B) {
			js := enginetest.Streams(b)
			stream(b, js)
			a := engine.NewAppender(js, "topic")
			defer a.Close()
			spread(b, publishers, func(data []byte) error {
				_, err := a.Append(context.Background(), "topic.a", nil, data)
				return err
			})
		})
		b.Run(fmt.Sprintf("staged/%d", publishers), func(b *testing.B) {
			e := open(b, b.TempDir(), nil)
			stream(b, e.Streams)
			a := e.NewAppender("topic")
			defer a.Close()
			spread(b, publishers, func(data []byte) error {
				_, err := a.Append(context.Background(), "topic.a", nil, data)
				return err
			})
		})
	}
}

func spread(b *testing.B, publishers int, publish func([]byte) error) {
	data := []byte(strings.Repeat("x", 500))
	turns := make(chan struct{}, b.N)
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	b.ResetTimer()
	var wg sync.WaitGroup
	for range publishers {
		wg.Go(func() {
			for range turns {
				if err := publish(data); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
