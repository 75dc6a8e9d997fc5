package instance

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// Pool keeps the instances of all functions.
type Pool struct {
	Log  *slog.Logger
	Logs logs.Appender // takes what functions write
	// TempDir is where instances get their temporary directories; "" is the
	// system's. Every user must be able to search it.
	TempDir     string
	IdleAfter   time.Duration // an idle instance is kept at least as long; 0: 5 minutes
	IdleAtMost  time.Duration // and at most, when it is called now and then; 0: 1 hour
	FreezeAfter time.Duration // an idle instance is frozen; 0: 1 second
	Spares      int           // processes kept waiting for functions, by command; 0: 2, negative: none
	InitTimeout time.Duration // of a cold start; 0: 10 seconds
	Grace       time.Duration // of a shutdown with external extensions; 0: Lambda's 2 seconds
	// Boxes makes the sandboxes; nil: of the level process.
	Boxes *sandbox.Maker
	// ServeAWS serves the AWS endpoint on a listener of a sandbox, until it closes.
	ServeAWS func(net.Listener)
	// ServeNames serves AWS's own host names on one, by TLS, until it closes.
	ServeNames func(net.Listener)
	// Network connects an instance, of the given log stream; nil: to nothing.
	Network func(cfg Config, stream string) (sandbox.Network, error)

	mu       sync.Mutex
	idle     map[string][]*instance // by Config.ID, the last used at the end
	waiting  map[string][]*waiter   // by Config.ID, the oldest first; never beside idle ones
	all      map[*instance]struct{}
	launched map[*instance]struct{} // those that are not in all yet: their extensions are starting
	live     map[string]bool        // nil: everything is
	rhythms  map[string]*rhythm     // by Config.Name
	reserved map[string]*reserve    // by Config.ID
	shelves  map[string]*shelf      // by command
	tender   *time.Timer
	tends    time.Time // when tender fires
	closed   bool
	work     sync.WaitGroup // goroutines; begun under mu while not closed

	starting chan struct{} // a place per instance that is starting; made once
	making   sync.Once
	boxing   sync.Once
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// boxes makes the sandboxes.
func (p *Pool) boxes() *sandbox.Maker {
	p.boxing.Do(func() {
		if p.Boxes == nil {
			p.Boxes = &sandbox.Maker{Level: sandbox.Confine, TempDir: p.TempDir, Log: p.Log}
		}
	})
	return p.Boxes
}

var errClosed = fault.Errorf(fault.Unavailable, "the platform is shutting down")

// Do runs one event on the instance that was used last, or on a new one. That a
// function failed is an Outcome. An error means that the platform could not run
// it (fault.Unavailable), or that ctx ended: then the invocation goes on without
// its caller.
func (p *Pool) Do(ctx context.Context, cfg Config, ev Event) (Outcome, error) {
	ev, done := gated(ev)
	defer done()
	out, err := p.do(ctx, cfg, ev)
	if err != errLeft {
		ev.ended(out, err)
		return out, err
	}
	return Outcome{}, fmt.Errorf("wait for request %s: %w", ev.RequestID, context.Cause(ctx))
}

func (p *Pool) do(ctx context.Context, cfg Config, ev Event) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, notStarted(ctx, ev)
	}
	for {
		inst, w, err := p.take(cfg)
		if err != nil {
			return Outcome{}, err
		}
		if inst == nil {
			var place func()
			if inst, place = p.await(ctx, w); place != nil {
				return p.doCold(ctx, cfg, ev, place)
			}
			if inst == nil {
				return Outcome{}, notStarted(ctx, ev)
			}
		}
		r, err := inst.begin(ev, time.Now(), 0)
		if err != nil {
			continue
		}
		out, err := r.wait(ctx.Done())
		switch err {
		case errUndelivered:
			p.detach(inst)
			continue
		case errLeft:
			if p.background(func() { p.goOn(r, cfg, ev) }) {
				return Outcome{}, errLeft
			}
			return Outcome{}, errClosed
		}
		p.put(inst)
		return out, err
	}
}

func notStarted(ctx context.Context, ev Event) error {
	return fmt.Errorf("request %s was not started: %w", ev.RequestID, context.Cause(ctx))
}

// goOn sees an invocation through whose caller has left.
func (p *Pool) goOn(r *run, cfg Config, ev Event) {
	out, err := r.wait(nil)
	if err == errUndelivered {
		p.detach(r.instance)
		ev.Payload = r.flight.event.Payload // the copy: ours, unlike the caller's
		_, _ = p.Do(context.Background(), cfg, ev)
		return
	}
	p.put(r.instance)
	ev.ended(out, err)
}

// doCold starts an instance for the event; placed is called when it has started.
func (p *Pool) doCold(ctx context.Context, cfg Config, ev Event, placed func()) (Outcome, error) {
	type result struct {
		out Outcome
		err error
	}
	ended := make(chan result, 1)
	ev.Payload = append([]byte(nil), ev.Payload...)
	started := p.background(func() {
		defer placed()
		out, err := p.cold(cfg, ev, placed)
		ended <- result{out, err}
	})
	if !started {
		placed()
		return Outcome{}, errClosed
	}
	select {
	case r := <-ended:
		return r.out, r.err
	case <-ctx.Done():
		go func() { // ends with the one above, which the pool waits for
			r := <-ended
			ev.ended(r.out, r.err)
		}()
		return Outcome{}, errLeft
	}
}

// background runs f in a goroutine that Close waits for, unless closed.
func (p *Pool) background(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Go(f)
	return true
}

// take removes the last used idle instance from the pool, or queues for one.
func (p *Pool) take(cfg Config) (*instance, *waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errClosed
	}
	list := p.idle[cfg.ID]
	if now := time.Now(); slices.ContainsFunc(list, func(inst *instance) bool { return inst.worn(now) }) {
		list = p.discardWorn(list, now)
		p.idle[cfg.ID] = list
	}
	if len(list) == 0 {
		return nil, p.queue(cfg), nil
	}
	inst := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[cfg.ID] = list[:len(list)-1]
	if gap := time.Since(inst.idleSince); gap > time.Second {
		p.rhythm(cfg.Name).wanted(gap)
	}
	p.thaw(inst)
	return inst, nil, nil
}

// put makes an instance available again, unless its version is not wanted any more.
func (p *Pool) put(inst *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, alive := p.all[inst]; !alive || p.closed || inst.stopping.Load() {
		return
	}
	if p.live != nil && !p.live[inst.cfg.ID] || inst.worn(time.Now()) {
		p.stop(inst)
		return
	}
	if p.hand(inst) {
		return
	}
	inst.idleSince = time.Now()
	p.idle[inst.cfg.ID] = append(p.idle[inst.cfg.ID], inst)
	p.tendBy(inst.idleSince.Add(or(p.FreezeAfter, time.Second)))
	if !inst.expires.IsZero() {
		p.tendBy(inst.expires)
	}
}

// detach keeps an instance aside that has not come back for its next event: it
// returns when it does, and is killed when it has not by its timeout.
func (p *Pool) detach(inst *instance) {
	if !inst.api.detach() {
		p.put(inst)
		return
	}
	time.AfterFunc(inst.cfg.Timeout, func() {
		if inst.api.isDetached() {
			inst.stopping.Store(true)
			inst.asked("timeout")
		}
	})
}

// stop ends an instance in the background; the lock is held.
func (p *Pool) stop(inst *instance) {
	inst.stopping.Store(true)
	inst.asked("spindown")
}

// Keep names the versions (Config.ID) that may be used from now on. Idle
// instances of others stop at once, busy ones after their invocation.
func (p *Pool) Keep(live map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = map[string]bool{}
	maps.Copy(p.live, live)
	maps.DeleteFunc(p.reserved, func(id string, _ *reserve) bool { return !live[id] })
	for id, list := range p.idle {
		if live[id] || p.closed {
			continue
		}
		for _, inst := range list {
			p.stop(inst)
		}
		delete(p.idle, id)
	}
}

// Warm starts an instance, unless an idle one is there. The error says why the
// function does not start.
func (p *Pool) Warm(ctx context.Context, cfg Config) error {
	p.mu.Lock()
	enough := len(p.idle[cfg.ID]) > 0
	p.mu.Unlock()
	if enough {
		return nil
	}
	failed := make(chan error, 1)
	if !p.background(func() { failed <- p.start(cfg) }) {
		return errClosed
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends all instances, with SIGTERM first, and returns when nothing of them
// is left. Invocations under way fail with fault.Unavailable.
func (p *Pool) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		for inst := range p.all {
			inst.polite.Store(true) // who shuts a machine down asks first, though Lambda does not
			p.stop(inst)
		}
		for inst := range p.launched {
			p.stop(inst)
		}
		for _, s := range p.shelves {
			for _, sp := range s.ready {
				sp.proc.Kill() // its guard does the rest
			}
		}
		if p.tender != nil {
			p.tender.Stop()
		}
		p.idle, p.reserved = nil, nil
	}
	p.mu.Unlock()
	p.work.Wait()
	return nil
}
