package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what is kept for extensions.
const (
	maxBacklog     = 1 << 20                // bytes of events before the init is over, for who subscribes late
	deliveryTries  = 3                      // of one batch
	deliveryPause  = 100 * time.Millisecond // between them
	deliveryLimit  = 5 * time.Second        // of one try
	bufferedFactor = 4                      // a subscriber that is slow has so many batches waiting
)

const eventTime = "2006-01-02T15:04:05.000Z"

// telemetry tells the subscribed extensions of one instance what happens in it.
type telemetry struct {
	idle atomic.Bool // nobody listens and nobody will: the usual case, kept cheap

	mu      sync.Mutex
	subs    []*subscriber
	backlog []happening // until the init is over
	kept    int         // bytes of it
	started bool        // the init is over: no more subscriptions
	closed  bool
	work    sync.WaitGroup

	pauses sync.RWMutex // held for reading by deliveries, for writing while there are to be none
}

// happening is one event: its type and its JSON {time, type, record}.
type happening struct {
	category, kind string
	body           []byte
}

// subscriber is an extension that subscribed, with what it has not received.
type subscriber struct {
	from     *telemetry
	name     string
	types    []string
	legacy   bool // over the Logs API
	maxItems int
	maxBytes int
	every    time.Duration
	deliver  func(ctx context.Context, batch [][]byte) error
	end      context.CancelFunc

	mu                 sync.Mutex
	items              [][]byte
	bytes              int
	lostItems, lostAll int // since the last report of it; the latter in bytes
	flushes            []chan struct{}
	timer              *time.Timer
	kick               chan struct{} // of capacity 1
}

// envelope is the JSON of an event.
func envelope(at time.Time, kind string, record any) []byte {
	b, err := json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{at.UTC().Format(eventTime), kind, record})
	if err != nil {
		panic(err) // records are plain data
	}
	return b
}

// tell sends an event to whom it concerns.
func (t *telemetry) tell(category, kind string, body []byte) {
	if t == nil || t.idle.Load() {
		return
	}
	h := happening{category, kind, body}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.started && t.kept+len(body) <= maxBacklog {
		t.backlog = append(t.backlog, h)
		t.kept += len(body)
	}
	for _, s := range t.subs {
		s.take(h)
	}
}

// listening reports whether events are worth making.
func (t *telemetry) listening() bool { return t != nil && !t.idle.Load() }

// subscribe adds a subscriber, in place of an earlier one of that name, and gives
// it what has happened so far. It returns why not, if not.
func (t *telemetry) subscribe(s *subscriber) (refusal []byte) {
	api := map[bool]string{false: "Telemetry", true: "Logs"}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.started || t.closed {
		return failure(403, api[s.legacy]+".SubscriptionClosed", api[s.legacy]+" API subscription is closed already")
	}
	s.from, s.kick = t, make(chan struct{}, 1)
	s.timer = time.AfterFunc(time.Hour, s.wake)
	s.timer.Stop()
	at := slices.IndexFunc(t.subs, func(o *subscriber) bool { return o.name == s.name })
	if at >= 0 && t.subs[at].legacy != s.legacy {
		return failure(400, "ValidationError", s.name+" is subscribed to the "+api[!s.legacy]+" API already")
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	if at >= 0 {
		t.subs[at].end()
		t.subs[at] = s
	} else {
		t.subs = append(t.subs, s)
		for _, h := range t.backlog {
			s.take(h)
		}
	}
	t.work.Go(func() { s.run(ctx) })
	return nil
}

// initOver ends the time for subscriptions.
func (t *telemetry) initOver() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started, t.backlog = true, nil
	t.idle.Store(len(t.subs) == 0)
}

// flush has everything delivered now rather than when a buffer is full, and waits
// for that, but not beyond limit.
func (t *telemetry) flush(limit time.Duration) {
	t.mu.Lock()
	var flushes []chan struct{}
	for _, s := range t.subs {
		flushes = append(flushes, s.flush())
	}
	t.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for _, done := range flushes {
		select {
		case <-done:
		case <-timer.C:
			return
		}
	}
}

// flush returns a channel that is closed when there is nothing left to deliver.
func (s *subscriber) flush() chan struct{} {
	done := make(chan struct{})
	s.mu.Lock()
	s.flushes = append(s.flushes, done)
	s.mu.Unlock()
	s.wake()
	return done
}

// pause holds deliveries back, as long as extensions are frozen, unless one is
// under way.
func (t *telemetry) pause() bool { return t.pauses.TryLock() }

func (t *telemetry) resume() { t.pauses.Unlock() }

// close ends the deliveries; what is not delivered is lost.
func (t *telemetry) close() {
	t.mu.Lock()
	t.closed = true
	t.idle.Store(true)
	for _, s := range t.subs {
		s.end()
	}
	t.mu.Unlock()
	t.work.Wait()
}

// wants reports whether an event concerns the subscriber. The two APIs differ in
// what they call events.
func (s *subscriber) wants(h happening) bool {
	if !slices.Contains(s.types, h.category) {
		return false
	}
	switch h.kind {
	case "platform.end", "platform.fault", "platform.logsSubscription":
		return s.legacy
	case "platform.initStart", "platform.initRuntimeDone", "platform.initReport", "platform.telemetrySubscription":
		return !s.legacy
	}
	return true
}

func (s *subscriber) take(h happening) {
	if !s.wants(h) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bytes+len(h.body) > bufferedFactor*s.maxBytes || len(s.items) >= bufferedFactor*s.maxItems {
		s.lostItems++
		s.lostAll += len(h.body)
		return
	}
	s.items = append(s.items, h.body)
	s.bytes += len(h.body)
	switch {
	case len(s.items) >= s.maxItems || s.bytes >= s.maxBytes:
		s.wake()
	case len(s.items) == 1:
		s.timer.Reset(s.every)
	}
}

func (s *subscriber) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

func (s *subscriber) run(ctx context.Context) {
	defer s.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
		for batch := s.next(); len(batch) > 0 && ctx.Err() == nil; batch = s.next() {
			s.send(ctx, batch)
		}
		s.flushed()
	}
}

// flushed tells those who wait for it that all is delivered, if it is.
func (s *subscriber) flushed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) > 0 {
		s.wake()
		return
	}
	for _, done := range s.flushes {
		close(done)
	}
	s.flushes = nil
}

// next takes as much as goes into one delivery.
func (s *subscriber) next() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lostItems > 0 && slices.Contains(s.types, "platform") {
		s.items = append(s.items, envelope(time.Now(), "platform.logsDropped", logsDropped{
			"Consumer seems to have fallen behind as it has not acknowledged receipt of logs.", s.lostItems, s.lostAll,
		}))
		s.lostItems, s.lostAll = 0, 0
	}
	n, size := 0, 0
	for n < len(s.items) && n < s.maxItems && (n == 0 || size+len(s.items[n]) <= s.maxBytes) {
		size += len(s.items[n])
		n++
	}
	batch := s.items[:n:n]
	s.items = s.items[n:]
	s.bytes = max(0, s.bytes-size)
	return batch
}

func (s *subscriber) send(ctx context.Context, batch [][]byte) {
	s.from.pauses.RLock()
	defer s.from.pauses.RUnlock()
	for try := 1; ; try++ {
		limited, cancel := context.WithTimeout(ctx, deliveryLimit)
		err := s.deliver(limited, batch)
		cancel()
		if err == nil {
			return
		}
		if try == deliveryTries || ctx.Err() != nil {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(deliveryPause):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lostItems += len(batch)
	for _, b := range batch {
		s.lostAll += len(b)
	}
}

// dialer connects to a port of the sandbox.
type dialer func(ctx context.Context, port int) (net.Conn, error)

// overHTTP delivers batches as JSON arrays. The name that the extension knows
// itself by, sandbox.localdomain, is its own sandbox.
func overHTTP(dial dialer, host string, port int, path string) func(ctx context.Context, batch [][]byte) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, port) },
	}}
	return func(ctx context.Context, batch [][]byte) error {
		body := append(append([]byte{'['}, bytes.Join(batch, []byte(","))...), ']')
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+net.JoinHostPort(host, strconv.Itoa(port))+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode >= 400 {
			return fmt.Errorf("the extension answers %s", res.Status)
		}
		return nil
	}
}

// overTCP delivers batches as lines of JSON, each batch over a connection of its
// own: a listener that went away in between is noticed.
func overTCP(dial dialer, port int) func(ctx context.Context, batch [][]byte) error {
	return func(ctx context.Context, batch [][]byte) error {
		conn, err := dial(ctx, port)
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetWriteDeadline(deadline)
		}
		_, err = conn.Write(append(bytes.Join(batch, []byte("\n")), '\n'))
		return err
	}
}
