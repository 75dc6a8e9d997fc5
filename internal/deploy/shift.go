package deploy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// Versions is the part of the function room that moves callers.
type Versions interface {
	Standing(name, alias string) (function.Standing, error)
	PublishDeployed(ctx context.Context, name, alias string) error
	MoveAlias(ctx context.Context, name string, a function.Alias) error
	DeleteAlias(ctx context.Context, name, alias string) error
	Tally(name, version string) function.Tally
	Published() []function.Function
	// Foretell is the version that f will have when it is deployed and published.
	Foretell(ctx context.Context, f function.Function) (string, error)
	PruneVersions(ctx context.Context, name string, keep int, spared func(version string) bool) (deleted []string, err error)
}

// States of a shift, as CodeDeploy names them.
const (
	InProgress = "InProgress"
	Succeeded  = "Succeeded"
	Failed     = "Failed"  // by the new version's errors, or a hook
	Stopped    = "Stopped" // by somebody
)

// Shift moves the callers of a stack's aliases to the versions of a new revision,
// bit by bit.
type Shift struct {
	Stack    string    `json:"stack"`
	Revision string    `json:"revision"` // whose versions callers are moved to
	Back     string    `json:"back"`     // the revision that comes back if it fails
	Status   string    `json:"status"`
	Code     string    `json:"code,omitempty"` // CodeDeploy's of the reason
	Reason   string    `json:"reason,omitempty"`
	Undo     bool      `json:"undo,omitempty"` // Back is yet to come back
	Created  time.Time `json:"created"`
	Ended    time.Time `json:"ended,omitzero"`
	Moves    []Move    `json:"moves"`
}

// Phases of a move.
const (
	phaseBefore  = "before" // the hook that is asked before any caller is moved
	phaseTraffic = "traffic"
	phaseAfter   = "after" // the hook that is asked after all are
	phaseDone    = "done"
)

// Move is a shift's part of one alias.
type Move struct {
	ID       string    `json:"id"` // CodeDeploy's of the deployment: d-ABCDEFGHI
	Function string    `json:"function"`
	Alias    string    `json:"alias"`
	From     string    `json:"from"` // versions
	To       string    `json:"to"`
	Type     string    `json:"type"`
	Before   string    `json:"before,omitempty"` // functions that are asked
	After    string    `json:"after,omitempty"`
	Phase    string    `json:"phase"`
	Since    time.Time `json:"since"`            // when the phase began
	Weight   float64   `json:"weight,omitempty"` // share of the callers that have the new version
	Hook     string    `json:"hook,omitempty"`   // the hook's execution under way
	Answer   string    `json:"answer,omitempty"` // what it has reported
}

// moved is the alias with a share of its callers at the new version.
func (m *Move) moved(a function.Alias, weight float64) function.Alias {
	a.Name, a.Version, a.Additional, a.Weight = m.Alias, m.From, m.To, weight
	switch weight {
	case 0:
		a.Additional = ""
	case 1:
		a.Version, a.Additional, a.Weight = m.To, "", 0
	}
	return a
}

// ledger is what is known of a stack's aliases and shifts. It is stored.
type ledger struct {
	Settled string                   `json:"settled"` // revision whose aliases are as it says
	Current *Shift                   `json:"current,omitempty"`
	Past    []Shift                  `json:"past,omitempty"`    // the oldest first
	Aliases []function.DeclaredAlias `json:"aliases,omitempty"` // that the settled revision made
}

// keepShifts is how many shifts of a stack are remembered.
const keepShifts = 20

func (l *ledger) copy() *ledger {
	next := *l
	next.Past = slices.Clone(l.Past)
	if l.Current != nil {
		current := *l.Current
		current.Moves = slices.Clone(current.Moves)
		next.Current = &current
	}
	return &next
}

// shifting is the shift of a stack that is under way, nil if there is none.
func (l *ledger) shifting() *Shift {
	if l == nil || l.Current == nil || l.Current.Status != InProgress && !l.Current.Undo {
		return nil
	}
	return l.Current
}

// Shifting returns the last shift of a stack, nil if it had none.
func (d *Deployer) Shifting(stack string) *Shift {
	if l := d.ledger(stack); l != nil {
		return l.Current
	}
	return nil
}

// ledger is that of a stack; nil: it has none. It is not changed.
func (d *Deployer) ledger(stack string) *ledger {
	if all := d.ledgers.Load(); all != nil {
		return (*all)[stack]
	}
	return nil
}

// keep stores a stack's ledger; nil deletes it. The lock is held.
func (d *Deployer) keep(ctx context.Context, stack string, l *ledger) error {
	var err error
	if l == nil {
		err = d.shifts.Purge(ctx, stack)
	} else {
		var doc []byte
		if doc, err = json.Marshal(l); err == nil {
			_, err = d.shifts.Put(ctx, stack, doc)
		}
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "store the shift of %s: %w", stack, err)
	}
	next := map[string]*ledger{}
	if all := d.ledgers.Load(); all != nil {
		maps.Copy(next, *all)
	}
	next[stack] = l
	if l == nil {
		delete(next, stack)
	}
	d.ledgers.Store(&next)
	return nil
}

// loadShifts reads the ledgers.
func (d *Deployer) loadShifts(ctx context.Context) (err error) {
	if d.shifts, err = d.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "shifts"}); err != nil {
		return fmt.Errorf("open the shifts: %w", err)
	}
	keys, err := d.shifts.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("list the shifts: %w", err)
	}
	all := map[string]*ledger{}
	for stack := range keys.Keys() {
		entry, err := d.shifts.Get(ctx, stack)
		if err != nil {
			return fmt.Errorf("read the shift of %s: %w", stack, err)
		}
		l := new(ledger)
		if err := json.Unmarshal(entry.Value(), l); err != nil {
			return fmt.Errorf("read the shift of %s: %w", stack, err)
		}
		all[stack] = l
	}
	d.ledgers.Store(&all)
	return nil
}

// aliases are those that a revision says of its functions: those that it declares
// and those that shifts move.
func (r *Revision) aliases() []function.DeclaredAlias {
	list := slices.Clone(r.Aliases)
	for _, f := range r.Functions {
		if f.Shift != nil && !declares(list, f.Name, f.Shift.Alias) {
			list = append(list, function.DeclaredAlias{Function: f.Name, Alias: function.Alias{Name: f.Shift.Alias}})
		}
	}
	return list
}

func declares(list []function.DeclaredAlias, name, alias string) bool {
	return slices.ContainsFunc(list, func(a function.DeclaredAlias) bool { return a.Function == name && a.Name == alias })
}

// shiftOf is how callers of an alias are moved; nil: at once.
func (r *Revision) shiftOf(name, alias string) *function.Shift {
	for _, f := range r.Functions {
		if f.Name == name && f.Shift != nil && f.Shift.Alias == alias {
			return f.Shift
		}
	}
	return nil
}

// leave publishes what callers are to be moved away from, where that is not a
// version yet. It changes nothing for anybody.
func (d *Deployer) leave(ctx context.Context, old, next *Revision) error {
	if old == nil || d.Rooms.Versions == nil {
		return nil
	}
	for _, f := range next.Functions {
		stays := slices.ContainsFunc(old.Functions, func(was function.Function) bool { return was.Name == f.Name })
		if f.Shift == nil || !stays {
			continue
		}
		if err := d.Rooms.Versions.PublishDeployed(ctx, f.Name, f.Shift.Alias); err != nil {
			return err
		}
	}
	return nil
}

// alias makes the aliases of a revision, before anything calls them. Those that
// exist and whose callers are to be moved bit by bit stay as they are.
func (d *Deployer) alias(ctx context.Context, next *Revision) error {
	if l := d.ledger(next.Stack); d.Rooms.Versions == nil || l != nil && l.Settled == next.ID {
		return nil // or a restart, which leaves alone what was changed since
	}
	for _, a := range next.aliases() {
		s, err := d.Rooms.Versions.Standing(a.Function, a.Name)
		if err != nil {
			return err
		}
		if s.Alias.Name != "" && next.shiftOf(a.Function, a.Name) != nil {
			continue
		}
		if a.Version == "" {
			a.Version = s.Current
		}
		if err := d.Rooms.Versions.MoveAlias(ctx, a.Function, a.Alias); err != nil {
			return fmt.Errorf("alias %s of %s: %w", a.Name, a.Function, err)
		}
	}
	return nil
}

// standing is how the aliases stand that making a revision active moves, makes or
// deletes. One that is not there has no version.
func (d *Deployer) standing(next *Revision) ([]function.DeclaredAlias, error) {
	if d.Rooms.Versions == nil {
		return nil, nil
	}
	list := next.aliases()
	if l := d.ledger(next.Stack); l != nil {
		list = append(list, l.Aliases...)
	}
	for i := range list {
		a := &list[i]
		s, err := d.Rooms.Versions.Standing(a.Function, a.Name)
		if err != nil && fault.KindOf(err) != fault.NotFound { // of a function that is new
			return nil, err
		}
		if a.Version = ""; s.Alias.Name != "" {
			a.Alias = s.Alias
		}
	}
	return list, nil
}

// moveBack has aliases as they stood.
func (d *Deployer) moveBack(ctx context.Context, stood []function.DeclaredAlias) error {
	var wrong []error
	for _, a := range stood {
		if a.Version == "" {
			wrong = append(wrong, d.Rooms.Versions.DeleteAlias(ctx, a.Function, a.Name))
		} else {
			wrong = append(wrong, d.Rooms.Versions.MoveAlias(ctx, a.Function, a.Alias))
		}
	}
	return errors.Join(wrong...)
}

// begin moves callers to what a revision has brought, now that all rooms have it:
// at once, or by a shift that Run goes on with. It is repeated after a crash.
func (d *Deployer) begin(ctx context.Context, next *Revision) error {
	last := d.ledger(next.Stack)
	if d.Rooms.Versions == nil || last == nil && len(next.aliases()) == 0 {
		return nil
	}
	if last == nil {
		last = &ledger{}
	}
	if last.Settled == next.ID {
		return nil
	}
	l := last.copy()
	moves, err := d.moves(ctx, next, l.shifting())
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	switch {
	case len(moves) > 0:
		if l.Current != nil {
			l.Past = append(l.Past, *l.Current)
			l.Past = l.Past[max(0, len(l.Past)-keepShifts):]
		}
		l.Current = &Shift{Stack: next.Stack, Revision: next.ID, Back: next.Previous, Status: InProgress, Created: now, Moves: moves}
	case l.shifting() != nil && !l.Current.Undo:
		l.Current.Revision = next.ID // an edit of something else
	}
	for _, a := range l.Aliases {
		if declares(next.aliases(), a.Function, a.Name) {
			continue
		}
		if err := d.Rooms.Versions.DeleteAlias(ctx, a.Function, a.Name); err != nil {
			return err
		}
	}
	l.Settled, l.Aliases = next.ID, next.aliases()
	if err := d.keep(ctx, next.Stack, l); err != nil {
		return err
	}
	d.kick()
	return nil
}

// moves are those that a revision needs, besides those of the shift under way.
// Those at once are made.
func (d *Deployer) moves(ctx context.Context, next *Revision, now *Shift) (list []Move, err error) {
	for _, f := range next.Functions {
		if f.Shift == nil {
			continue
		}
		s, err := d.Rooms.Versions.Standing(f.Name, f.Shift.Alias)
		if err != nil {
			return nil, err
		}
		if s.Current == "" || s.Alias.Version == s.Current && s.Alias.Additional == "" || now.moves(f.Name, s.Current) {
			continue
		}
		m := Move{
			ID: newDeploymentID(), Function: f.Name, Alias: f.Shift.Alias, From: s.Alias.Version, To: s.Current,
			Type: f.Shift.Type, Before: f.Shift.Before, After: f.Shift.After, Phase: phaseBefore, Since: time.Now().UTC(),
		}
		t, err := parseTraffic(m.Type)
		if err != nil {
			return nil, err
		}
		atOnce := t.took() == 0 && m.Before == "" && m.After == ""
		if atOnce || next.Restores != "" || next.Previous == "" || m.From == m.To {
			if err := d.Rooms.Versions.MoveAlias(ctx, m.Function, m.moved(s.Alias, 1)); err != nil {
				return nil, err
			}
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// moves reports whether a shift moves callers of a function to a version.
func (s *Shift) moves(name, version string) bool {
	return s != nil && s.Status == InProgress && slices.ContainsFunc(s.Moves, func(m Move) bool { return m.Function == name && m.To == version })
}

// newDeploymentID makes an id as CodeDeploy's are.
func newDeploymentID() string { return "d-" + rand.Text()[:9] }

// busy is an error while callers of the stack are being moved.
func (d *Deployer) busy(stack string) error {
	s := d.ledger(stack).shifting()
	if s == nil {
		return nil
	}
	if s.Undo {
		return fault.Coded(fault.Conflict, "DeploymentLimitExceededException", "stack %s is going back to revision %s just now; try again in a moment", stack, s.Back)
	}
	return fault.Coded(fault.Conflict, "DeploymentLimitExceededException",
		"callers of stack %s are being moved to revision %s, for %s yet; wait, stop that with `dropstack rollback`, or deploy with --force, which stops it too", stack, s.Revision, s.Left(time.Now()))
}

// Left is how long the shift takes yet, hooks aside.
func (s *Shift) Left(now time.Time) time.Duration {
	var most time.Duration
	for _, m := range s.Moves {
		t, err := parseTraffic(m.Type)
		if err != nil {
			continue
		}
		switch m.Phase {
		case phaseBefore:
			most = max(most, t.took())
		case phaseTraffic:
			most = max(most, t.took()-now.Sub(m.Since))
		}
	}
	return most.Round(time.Second)
}

// disturbs is an error if an edit would change code whose callers are being moved.
func (d *Deployer) disturbs(old, next *Revision) error {
	s := d.ledger(next.Stack).shifting()
	if s == nil {
		return nil
	}
	for _, m := range s.Moves {
		was := slices.IndexFunc(old.Functions, func(f function.Function) bool { return f.Name == m.Function })
		is := slices.IndexFunc(next.Functions, func(f function.Function) bool { return f.Name == m.Function })
		if s.Undo || was < 0 || is < 0 || function.Restarts(old.Functions[was], next.Functions[is]) {
			return fault.Coded(fault.Conflict, "ResourceConflictException", "%w", d.busy(next.Stack))
		}
	}
	return nil
}
