// Package store keeps drops. Store is what the service needs of a database;
// storetest judges implementations, sqlite is the one in use.
//
// Every change of a drop, the event that announces it (outbox) and the objects
// that it makes superfluous (garbage) are one transaction: after a crash all
// three are there or none. When a method that changes a drop returns, the change
// is on disk; only uncapped view counts may lose their last moments to a power
// cut.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/wire"
)

// Errors that callers act on.
var (
	ErrNotFound  = errors.New("no such drop")
	ErrGone      = errors.New("the drop is expired, used up or deleted")
	ErrCodeTaken = errors.New("the code is taken")
	ErrKeyTaken  = errors.New("the object belongs to another drop")
)

// Store is safe for concurrent use by goroutines and by processes.
type Store interface {
	// Insert stores new drops, all or none, with a created event for each.
	// ErrCodeTaken asks for other codes; ErrKeyTaken means that an object is
	// already another drop's.
	Insert(ctx context.Context, drops ...drop.Drop) ([]Message, error)
	// Get returns a drop in any state, ErrNotFound when the code was never used
	// or its tombstone is pruned.
	Get(ctx context.Context, code string) (drop.Drop, error)
	// View counts one view of d and returns the counted state, ErrGone when d is
	// expired, deleted or has no view left. Exactly MaxViews calls succeed.
	View(ctx context.Context, d drop.Drop, now time.Time) (drop.Drop, error)
	// Update changes a living drop, adds one to its version and returns it with
	// its updated event. An error of change is returned as it is and changes
	// nothing.
	Update(ctx context.Context, code string, now time.Time, change func(*drop.Drop) error) (drop.Drop, Message, error)
	// Delete turns a drop into a tombstone, with a deleted event; its objects
	// become garbage that is due at once. ErrGone when it was deleted before.
	Delete(ctx context.Context, code string, now time.Time) (drop.Drop, Message, error)
	// List returns living drops, newest first, and how many there are.
	List(ctx context.Context, q Query) ([]drop.Drop, int, error)
	// Due returns codes of drops that are expired, or used up for longer than
	// drop.ViewGrace, and not deleted yet.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Owns reports whether a drop or the garbage list refers to the object.
	Owns(ctx context.Context, bucket, key string) (bool, error)

	// StepDone reports whether a step of a version was finished.
	StepDone(ctx context.Context, code string, version int, step string) (bool, error)
	// FinishStep records the step and applies change to the drop, once: of
	// several calls for a step exactly one is Applied or Gone. An object key
	// that change replaces becomes garbage after a delay of keep.
	FinishStep(ctx context.Context, s Step, keep time.Duration, change func(*drop.Drop)) (Finish, error)

	// Outbox returns unsent messages that are older than before, oldest first.
	Outbox(ctx context.Context, before time.Time, limit int) ([]Message, error)
	// Sent removes messages from the outbox.
	Sent(ctx context.Context, messages ...Message) error
	// Garbage returns objects whose time has come.
	Garbage(ctx context.Context, now time.Time, limit int) ([]Object, error)
	// Collected forgets garbage whose objects are deleted.
	Collected(ctx context.Context, objects ...Object) error

	// AddActivity adds a line to the feed once for each (code, version, what).
	AddActivity(ctx context.Context, a wire.Activity, version int) error
	// Activity returns the newest lines.
	Activity(ctx context.Context, limit int) ([]wire.Activity, error)

	// Attempt counts a try of a password and reports how long to wait when
	// there were too many (0: go ahead).
	Attempt(ctx context.Context, code, ip string, now time.Time) (time.Duration, error)
	// Forgive forgets the tries after a right password.
	Forgive(ctx context.Context, code, ip string) error

	// Prune forgets tombstones older than Tombstones, old tries and all but the
	// newest lines of the feed.
	Prune(ctx context.Context, now time.Time) error
	Close() error
}

// Limits that hold for every implementation.
const (
	Tombstones    = 30 * 24 * time.Hour // a deleted code answers 410 for this long
	AttemptWindow = 15 * time.Minute
	MaxAttempts   = 10 // wrong passwords per drop, address and window
	MaxActivity   = 1000
)

// Message is an event that has to be published. Topic is one of wire.Topic….
type Message struct {
	ID    int64
	Topic string
	Event wire.DropEvent
}

// Object is an object without an owner.
type Object struct {
	ID     int64
	Bucket string
	Key    string
}

// Query selects drops for a list.
type Query struct {
	Offset int
	Amount int
	Type   string
	Words  string // all of which the title holds
	Now    time.Time
}

// Step identifies one processing step of one version of a drop.
type Step struct {
	Code    string
	Version int
	Name    string
	Detail  string // why it was skipped, or ""
	At      time.Time
	// Exact means that the result is of this version only and is not applied to
	// a later one.
	Exact bool
}

// Finish is what became of a finished step.
type Finish int

// Outcomes of FinishStep.
const (
	Applied  Finish = iota
	Repeated        // another delivery finished it first
	Gone            // the drop is deleted, or newer than an exact step
)
