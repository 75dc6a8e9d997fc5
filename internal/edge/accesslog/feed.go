package accesslog

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

const (
	defaultWindow   = 500 * time.Millisecond
	defaultWaiting  = 20_000
	maxWaitingBytes = 16 << 20
	// attempts are how often a batch that the function fails on is tried. An
	// invocation for which there is no room is none of them.
	attempts       = 10
	firstRetry     = 100 * time.Millisecond
	lastRetry      = 10 * time.Second
	maxEventBytes  = function.MaxSyncPayload - 64<<10
	bytesPerRecord = 1 << 10 // of an event, besides its data
)

// feed brings a reader its records, in order, one batch after the other.
type feed struct {
	readers *readers
	wake    chan struct{}
	stop    context.CancelFunc // lets go of what waits

	mu      sync.Mutex
	reader  Reader
	waiting []entry
	bytes   int
	lost    int
	closing bool // nothing comes any more
}

// entry is a record in the stream.
type entry struct {
	sequence uint64
	at       time.Time // when it came
	key      string
	data     []byte
}

func (f *feed) add(entries []entry) {
	f.mu.Lock()
	for _, e := range entries {
		f.waiting = append(f.waiting, e)
		f.bytes += len(e.data)
	}
	drop := max(len(f.waiting)-cmp.Or(f.readers.log.Waiting, defaultWaiting), 0)
	for i := 0; i < drop || f.bytes > maxWaitingBytes && i < len(f.waiting); i++ {
		f.bytes -= len(f.waiting[i].data)
		drop = max(drop, i+1)
	}
	f.waiting = slices.Delete(f.waiting, 0, drop)
	f.lost += drop
	f.mu.Unlock()
	f.signal()
}

func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run delivers until the feed is closing and nothing waits, or ctx ends.
func (f *feed) run(ctx context.Context) {
	for {
		batch, more := f.next(ctx)
		if len(batch) > 0 {
			f.deliver(ctx, batch)
		}
		if !more {
			break
		}
	}
	f.mu.Lock()
	lost := f.lost + len(f.waiting)
	f.waiting, f.lost = nil, 0
	f.mu.Unlock()
	f.lose(lost, errors.New("the reader has ended"))
}

func (f *feed) lose(n int, err error) {
	f.readers.log.lose(f.now().ID, n, "function", f.now().Function, "err", err)
}

func (f *feed) now() Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader
}

// next waits for a batch: as many as the reader wants, or what has come within its
// window.
func (f *feed) next(ctx context.Context) (batch []entry, more bool) {
	for {
		batch, more, wait := f.cut()
		if len(batch) > 0 || !more {
			return batch, more
		}
		timer := time.NewTimer(wait)
		select {
		case <-f.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, false
		}
		timer.Stop()
	}
}

// cut takes a batch if there is one, or says how long to wait for it.
func (f *feed) cut() (batch []entry, more bool, wait time.Duration) {
	f.mu.Lock()
	if lost := f.lost; lost > 0 {
		f.lost = 0
		defer f.lose(lost, errors.New("they come faster than the function takes them"))
	}
	defer f.mu.Unlock()
	most := cmp.Or(f.reader.Batch, DefaultBatch)
	wait = time.Hour
	if len(f.waiting) > 0 {
		wait = time.Until(f.waiting[0].at.Add(cmp.Or(f.reader.Window, defaultWindow)))
	}
	if len(f.waiting) < most && wait > 0 && !f.closing {
		return nil, true, wait
	}
	n, size := 0, 0
	for n < min(most, len(f.waiting)) {
		if size += bytesPerRecord + len(f.waiting[n].data)*4/3; size > maxEventBytes && n > 0 {
			break
		}
		f.bytes -= len(f.waiting[n].data)
		n++
	}
	batch = slices.Clone(f.waiting[:n])
	f.waiting = slices.Delete(f.waiting, 0, n)
	return batch, !f.closing || len(f.waiting) > 0, 0
}

// deliver has the function handle a batch, and tries again while it fails.
func (f *feed) deliver(ctx context.Context, batch []entry) {
	pause := firstRetry
	for tried := 0; ; {
		reader := f.now()
		err := f.readers.log.invoke(f.readers.work, reader, batch)
		if err == nil {
			return
		}
		if kind := fault.KindOf(err); kind != fault.Throttled && kind != fault.Unavailable {
			tried++
		}
		f.mu.Lock()
		closing := f.closing
		f.mu.Unlock()
		if tried == attempts || closing || ctx.Err() != nil {
			f.lose(len(batch), err)
			return
		}
		f.readers.log.Log.Warn("a reader of access records failed, and gets them again",
			"function", reader.Function, "records", len(batch), "again", pause, "err", err)
		if !f.rest(ctx, pause) {
			f.lose(len(batch), err)
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

func (f *feed) rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
