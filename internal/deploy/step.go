package deploy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

const (
	look     = 250 * time.Millisecond // how often a shift under way is looked at
	again    = 5 * time.Second        // and one that something is in the way of
	hookTime = time.Hour              // that a hook has to report in, as on AWS
	undoWait = 10 * time.Second       // between attempts to bring a revision back
)

// kick has Run look at the shifts now.
func (d *Deployer) kick() {
	select {
	case d.kicked <- struct{}{}:
	default: // it is about to
	}
}

// Run goes on with shifts, and removes what nobody refers to any more, until ctx
// ends.
func (d *Deployer) Run(ctx context.Context) error {
	sweep := time.NewTimer(0) // nothing runs yet that a crash has left
	defer sweep.Stop()
	for {
		var next <-chan time.Time
		if wait := d.stepAll(ctx); wait > 0 {
			next = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-d.kicked:
		case <-next:
		case <-sweep.C:
			if _, err := d.Sweep(ctx); err != nil && ctx.Err() == nil {
				d.Log.Warn("what nobody refers to is not removed", "err", err)
			}
			sweep.Reset(sweepEvery)
		}
	}
}

// stepAll takes every shift as far as it can go now, and says when to look again; 0:
// none is under way.
func (d *Deployer) stepAll(ctx context.Context) (wait time.Duration) {
	for stack, l := range *d.ledgers.Load() {
		if l.shifting() == nil || ctx.Err() != nil {
			continue
		}
		wait = max(wait, look)
		if err := d.step(ctx, stack, time.Now().UTC()); err != nil && ctx.Err() == nil {
			d.Log.Warn("callers not moved, it is tried again", "stack", stack, "err", err)
			wait = again
		}
	}
	return wait
}

// step goes on with the shift of a stack. What it stores comes before what it does,
// and is done again after a crash.
func (d *Deployer) step(ctx context.Context, stack string, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ledger(stack).shifting() == nil {
		return nil // it has ended meanwhile
	}
	l := d.ledger(stack).copy()
	s := l.Current
	if s.Undo {
		if now.Before(d.undoing[stack]) {
			return nil
		}
		return d.undo(ctx, stack)
	}
	done := true
	for i := range s.Moves {
		m := &s.Moves[i]
		changed, wrong, err := d.move(ctx, m, now)
		if wrong != nil {
			wrong.reason = fmt.Sprintf("%s:%s: %s", m.Function, m.Alias, wrong.reason)
			return d.giveUp(ctx, stack, Failed, *wrong)
		}
		if changed {
			err = errors.Join(err, d.keep(ctx, stack, l.copy()))
		}
		if err == nil && m.Phase == phaseTraffic {
			err = d.weigh(ctx, m)
		}
		if err != nil {
			return err
		}
		done = done && m.Phase == phaseDone
	}
	if !done {
		return nil
	}
	for _, m := range s.Moves {
		delete(d.counted, m.ID)
	}
	s.Status, s.Ended = Succeeded, now
	d.Log.Info("all callers are moved", "stack", stack, "revision", s.Revision)
	return d.keep(ctx, stack, l)
}

// failure is why a shift is given up, in CodeDeploy's code and in words.
type failure struct{ code, reason string }

// move is what is next of a move; wrong says that it has failed.
func (d *Deployer) move(ctx context.Context, m *Move, now time.Time) (changed bool, wrong *failure, err error) {
	was := *m
	enter := func(phase string) { m.Phase, m.Since, m.Hook, m.Answer = phase, now, "", "" }
	switch m.Phase {
	case phaseBefore:
		if wrong, err = d.ask(ctx, m, m.Before, now); wrong != nil || err != nil {
			break
		}
		if m.Before == "" || m.Answer == Succeeded {
			d.watch(m)
			enter(phaseTraffic)
			m.Weight = m.traffic().weight(0)
		}
	case phaseTraffic:
		if wrong = d.judge(m); wrong != nil {
			break
		}
		if w := m.traffic().weight(now.Sub(m.Since)); w > m.Weight {
			m.Weight = w
			break
		}
		if m.Weight == 1 {
			enter(phaseAfter)
		}
	case phaseAfter:
		if wrong = d.judge(m); wrong != nil {
			break
		}
		if wrong, err = d.ask(ctx, m, m.After, now); wrong != nil || err != nil {
			break
		}
		if m.After == "" || m.Answer == Succeeded {
			enter(phaseDone)
		}
	}
	return *m != was, wrong, err
}

func (m *Move) traffic() traffic {
	t, err := parseTraffic(m.Type)
	if err != nil {
		return traffic{percent: 100} // it was valid when it began
	}
	return t
}

// weigh makes the alias as the move says.
func (d *Deployer) weigh(ctx context.Context, m *Move) error {
	s, err := d.Rooms.Versions.Standing(m.Function, m.Alias)
	if err != nil {
		return err
	}
	next := m.moved(s.Alias, m.Weight)
	if next == s.Alias {
		return nil
	}
	return d.Rooms.Versions.MoveAlias(ctx, m.Function, next)
}

// ask has a function say whether a move may go on, once.
func (d *Deployer) ask(ctx context.Context, m *Move, name string, now time.Time) (*failure, error) {
	switch {
	case name == "" || m.Answer == Succeeded:
		return nil, nil
	case m.Answer != "":
		return &failure{"HOOK_EXECUTION_FAILURE", fmt.Sprintf("the hook %s has reported %s", name, m.Answer)}, nil
	case now.Sub(m.Since) > hookTime:
		return &failure{"HOOK_EXECUTION_FAILURE", fmt.Sprintf("the hook %s has not reported within %s", name, hookTime)}, nil
	case m.Hook != "" && d.asked[m.Hook]:
		return nil, nil
	}
	if m.Hook == "" {
		m.Hook = rand.Text()
		return nil, nil // stored first, so that it can report
	}
	payload, err := json.Marshal(map[string]string{"DeploymentId": m.ID, "LifecycleEventHookExecutionId": m.Hook})
	if err != nil {
		return nil, err
	}
	// after a crash it may be asked again, under the same id
	if err := d.Hooks.Enqueue(ctx, function.Invocation{ID: m.Hook, Function: name, Payload: payload}); err != nil {
		return nil, fmt.Errorf("hook %s: %w", name, err)
	}
	d.asked[m.Hook] = true
	return nil, nil
}

// counts is what both versions of a move had been counted when it began.
type counts struct{ from, to function.Tally }

// watch begins to count.
func (d *Deployer) watch(m *Move) {
	v := d.Rooms.Versions
	d.counted[m.ID] = counts{v.Tally(m.Function, m.From), v.Tally(m.Function, m.To)}
}

// judge says why a move is to be given up; nil if it is not.
func (d *Deployer) judge(m *Move) *failure {
	v, began := d.Rooms.Versions, d.counted[m.ID]
	since := func(version string, t function.Tally) function.Tally {
		now := v.Tally(m.Function, version)
		return function.Tally{Ended: now.Ended - t.Ended, Failed: now.Failed - t.Failed}
	}
	if why := failing(since(m.To, began.to), since(m.From, began.from)); why != "" {
		return &failure{"ALARM_ACTIVE", why}
	}
	if ringing := d.ringing(m.Function); len(ringing) > 0 {
		return &failure{"ALARM_ACTIVE", "in ALARM: " + strings.Join(ringing, ", ")}
	}
	return nil
}

// resume goes on after a start with what a stack's shift was at: what was counted
// is lost, so the step under way begins anew. The lock is held.
func (d *Deployer) resume(ctx context.Context, stack string) error {
	if d.ledger(stack).shifting() == nil || d.Rooms.Versions == nil {
		return nil
	}
	l, now := d.ledger(stack).copy(), time.Now().UTC()
	for i := range l.Current.Moves {
		m := &l.Current.Moves[i]
		if m.Phase != phaseTraffic || l.Current.Undo {
			continue
		}
		m.Since = m.traffic().since(now, m.Weight)
		if err := d.weigh(ctx, m); err != nil {
			return err
		}
	}
	return d.keep(ctx, stack, l)
}

// giveUp ends a shift and sends all callers back to what they had. The lock is held.
func (d *Deployer) giveUp(ctx context.Context, stack, status string, why failure) error {
	l := d.ledger(stack).copy()
	l.Current.Status, l.Current.Code, l.Current.Reason, l.Current.Undo = status, why.code, why.reason, true
	if err := d.keep(ctx, stack, l); err != nil {
		return err
	}
	d.Log.Warn("callers go back to the old version", "stack", stack, "revision", l.Current.Revision, "reason", why.reason)
	return d.undo(ctx, stack)
}

// undo sends callers back, then brings the revision before back for everything else.
func (d *Deployer) undo(ctx context.Context, stack string) error {
	s := d.ledger(stack).Current
	for i := range s.Moves {
		m := s.Moves[i]
		m.Weight = 0
		if err := d.weigh(ctx, &m); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	d.undoing[stack] = time.Now().Add(undoWait)
	if err := d.restore(ctx, s); err != nil {
		return fmt.Errorf("bring revision %s of %s back: %w", s.Back, stack, err)
	}
	delete(d.undoing, stack)
	for _, m := range s.Moves {
		delete(d.counted, m.ID)
	}
	l := d.ledger(stack).copy()
	l.Current.Undo, l.Current.Ended = false, time.Now().UTC()
	return d.keep(ctx, stack, l)
}

// restore activates the revision that a shift goes back to, unless it is done.
func (d *Deployer) restore(ctx context.Context, s *Shift) error {
	active, at, err := d.pointed(ctx, s.Stack)
	if err != nil {
		return err
	}
	if active.ID != s.Revision {
		return nil // a crash came after it
	}
	r, err := d.read(ctx, s.Stack, s.Back)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil // gone; callers have its versions
	}
	if err != nil {
		return err
	}
	r.Restores = s.Back
	d.files.RLock()
	defer d.files.RUnlock()
	if err := d.fetch(ctx, r); err != nil {
		return err
	}
	next, err := d.activate(ctx, active, at, r.over(active))
	if err == nil {
		d.Log.Info("rolled back", "stack", s.Stack, "revision", next.ID, "restores", s.Back)
	}
	return err
}

// stop gives up the shift of a stack that is under way, if there is one.
func (d *Deployer) stop(ctx context.Context, stack, reason string) (stopped bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.ledger(stack).shifting()
	if s == nil {
		return false, nil
	}
	if s.Undo {
		return true, d.undo(ctx, stack)
	}
	return true, d.giveUp(ctx, stack, Stopped, failure{"MANUAL_STOP", reason})
}
