package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/nats-io/nats.go/jetstream"
)

// pointed returns the stack's active revision and the pointer's sequence.
func (d *Deployer) pointed(ctx context.Context, stack string) (*Revision, uint64, error) {
	entry, err := d.stacks.Get(ctx, stack)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, 0, fault.Errorf(fault.NotFound, "stack %q is not deployed", stack)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the pointer of %s: %w", stack, err)
	}
	rev, err := d.read(ctx, stack, string(entry.Value()))
	if err != nil {
		return nil, 0, err
	}
	return rev, entry.Revision(), nil
}

// read returns a revision that is stored.
func (d *Deployer) read(ctx context.Context, stack, id string) (*Revision, error) {
	rev, err := d.stored(ctx, stack, id)
	if err != nil {
		return nil, err
	}
	if err := d.open(ctx, rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	return rev, nil
}

// stored is a revision as it is stored: its environments stay sealed.
func (d *Deployer) stored(ctx context.Context, stack, id string) (*Revision, error) {
	doc, err := d.revisions.Get(ctx, stack+"."+id)
	if err != nil {
		return nil, fmt.Errorf("read revision %s of %s: %w", id, stack, err)
	}
	rev := new(Revision)
	if err := json.Unmarshal(doc.Value(), rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	return rev, nil
}

func (d *Deployer) write(ctx context.Context, r, old *Revision) error {
	stored, err := d.seal(ctx, r, old)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	if _, err := d.revisions.Create(ctx, r.Stack+"."+r.ID, doc); err != nil {
		return fault.Errorf(fault.Unavailable, "write revision %s of %s: %w", r.ID, r.Stack, err)
	}
	return nil
}

// point moves the pointer from the state at sequence at; 0 when there is none.
func (d *Deployer) point(ctx context.Context, stack, id string, at uint64) error {
	var err error
	if at == 0 {
		_, err = d.stacks.Create(ctx, stack, []byte(id))
	} else {
		_, err = d.stacks.Update(ctx, stack, []byte(id), at)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return fault.Errorf(fault.Conflict, "stack %s was deployed by somebody else meanwhile; deploy again", stack)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "activate %s: %w", stack, err)
	}
	return nil
}

func newID(t time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return idAt(t) + hex.EncodeToString(b[:])
}

// idAt is what the ids of revisions of a moment begin with.
func idAt(t time.Time) string {
	// KV keys take no colon, and a dot would part the key
	t = t.UTC()
	return t.Format("20060102T150405") + fmt.Sprintf("%03d", t.Nanosecond()/1e6) + "Z-"
}
