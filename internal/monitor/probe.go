package monitor

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Probe makes checks for a platform elsewhere, as one of its locations.
type Probe struct {
	Location string
	Join     string // URL of the platform's console
	Key      string
	Checks   Checks
	Log      *slog.Logger
	Client   *http.Client // nil: http.DefaultClient
	// Joined is called when the platform has taken the probe. Optional.
	Joined func()

	slots chan struct{}
	mu    sync.Mutex
	done  []finished // results that the platform has not taken yet
	news  chan struct{}
}

// finished is a result and when it came.
type finished struct {
	Result
	at time.Time
}

const (
	maxProbe    = 64                     // checks at the same time
	keepResults = 5 * time.Minute        // that the platform does not take
	maxDone     = 2000                   // of those
	firstPause  = 250 * time.Millisecond // between two attempts to join
	longPause   = 10 * time.Second
)

// Run makes checks until ctx ends, and returns nil then. A platform that is not
// reached is tried again; one that refuses the key, or has another probe in this one's
// place, is an error.
func (p *Probe) Run(ctx context.Context) error {
	p.slots, p.news = make(chan struct{}, maxProbe), make(chan struct{}, 1)
	var work sync.WaitGroup
	defer work.Wait()
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := p.session(ctx, &work)
		if ctx.Err() != nil {
			return nil
		}
		if kind := fault.KindOf(err); kind == fault.Unauthenticated || kind == fault.Conflict {
			return err
		}
		if time.Since(began) > silence {
			pause = firstPause
		}
		wait := pause/2 + rand.N(pause) // which spreads probes that have lost the same platform
		pause = min(2*pause, longPause)
		p.Log.Warn("the platform is not heard from", "join", p.Join, "err", err, "again", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// session is one connection for work, with results going back beside it.
func (p *Probe) session(ctx context.Context, work *sync.WaitGroup) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errors.New("the platform has been silent")) })
	defer quiet.Stop()
	resp, err := p.do(ctx, http.MethodGet, "work", nil)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer func() { _ = resp.Body.Close() }()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel(nil)
	sending.Go(func() { p.report(ctx, cancel) })
	lines := bufio.NewReader(resp.Body)
	for first := true; ; first = false {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("the connection to the platform broke: %w", err)
		}
		quiet.Reset(silence)
		var o order
		if err := json.Unmarshal(line, &o); err != nil {
			return fmt.Errorf("what the platform asks for cannot be read: %w", err)
		}
		switch {
		case o.End != "":
			if strings.HasPrefix(o.End, "another probe") {
				return fault.Errorf(fault.Conflict, "%s; each needs a location of its own", o.End)
			}
			return errors.New(o.End)
		case o.Check != nil:
			work.Go(func() { p.check(ctx, *o.Check) })
		case first && p.Joined != nil:
			p.Joined()
		}
	}
}

// check makes one check and keeps what came of it. When the connection ends meanwhile
// it is not worth anything any more.
func (p *Probe) check(ctx context.Context, t Task) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return
	}
	if err := t.Target.Check(); err != nil {
		p.Log.Warn("a check is not made", "monitor", t.Monitor, "err", err)
		return
	}
	r := p.Checks.Check(ctx, t)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	p.done = append(p.done, finished{r, time.Now()})
	p.done = p.done[max(0, len(p.done)-maxDone):]
	p.mu.Unlock()
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// report sends results as they come, and signs of life.
func (p *Probe) report(ctx context.Context, cancel context.CancelCauseFunc) {
	pulse := time.NewTicker(beat)
	defer pulse.Stop()
	for {
		if err := p.send(ctx); err != nil {
			if ctx.Err() == nil {
				p.Log.Warn("results are not taken", "err", err)
			}
			if fault.KindOf(err) != fault.Unavailable {
				cancel(err)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-pulse.C:
		case <-p.news:
		}
	}
}

// send sends the results that are there, and forgets them once they are taken.
func (p *Probe) send(ctx context.Context) error {
	p.mu.Lock()
	var out report
	for _, f := range p.done {
		out.Results = append(out.Results, measured{f.Result, Duration(time.Since(f.at))})
	}
	n := len(p.done)
	p.mu.Unlock()
	doc, err := json.Marshal(out)
	if err != nil {
		return err
	}
	bounded, stop := context.WithTimeout(ctx, silence)
	defer stop()
	resp, err := p.do(bounded, http.MethodPost, "results", doc)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		_ = resp.Body.Close()
		p.done = p.done[min(n, len(p.done)):]
		return nil
	}
	for len(p.done) > 0 && time.Since(p.done[0].at) > keepResults {
		p.done = p.done[1:]
	}
	return err
}

// do sends one request to the platform. What it refuses is an error of its kind;
// what may go better another time is fault.Unavailable.
func (p *Probe) do(ctx context.Context, method, what string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(p.Join, "/")+"/probe/"+what, bytes.NewReader(body))
	if err != nil {
		return nil, fault.Errorf(fault.Conflict, "--join: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.Key)
	req.Header.Set(locationHeader, p.Location)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", UserAgent)
	client := p.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "%s", plain(err))
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 512))
	_ = resp.Body.Close()
	kind := fault.Unavailable
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = fault.Unauthenticated
	case http.StatusConflict:
		kind = fault.Internal // it joins anew
	}
	return nil, fault.Errorf(kind, "the platform answered %d: %s", resp.StatusCode, strings.TrimSpace(string(text)))
}
