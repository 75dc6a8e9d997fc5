package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/nats-io/nats.go/jetstream"
)

// attempts bounds how often a change is tried again because another process has
// changed the same record meanwhile.
const attempts = 10

// key is where a record is stored.
func key(kind, name string) string {
	return kind + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.ToLower(name)))
}

func parseKey(key string) (kind, name string, err error) {
	kind, encoded, _ := strings.Cut(key, ".")
	b, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return "", "", fmt.Errorf("iam: the bucket has a key %q, which is none of ours", key)
	}
	return kind, string(b), nil
}

// follow applies what is stored, and what changes; initial: only what is stored.
func (a *Authority) follow(ctx context.Context, initial bool) error {
	w, err := a.kv.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("iam: read the bucket: %w", err)
	}
	defer func() { _ = w.Stop() }()
	var first []jetstream.KeyValueEntry
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return fault.Errorf(fault.Unavailable, "iam: the bucket can be watched no more")
			case e != nil && initial:
				first = append(first, e)
			case e != nil && e.Revision() <= a.now.Load().revisions[e.Key()]: // our own
			case e != nil:
				if err := a.swap(func(s *snapshot) error { return a.take(s, e) }); err != nil {
					return err
				}
			case initial: // nil: that is all
				return a.swap(func(s *snapshot) error {
					for _, e := range first {
						if err := a.take(s, e); err != nil {
							return err
						}
					}
					return nil
				})
			}
		}
	}
}

func (a *Authority) take(s *snapshot, e jetstream.KeyValueEntry) error {
	doc := e.Value()
	if e.Operation() != jetstream.KeyValuePut {
		doc = nil
	}
	return a.apply(s, e.Key(), e.Revision(), doc)
}

// errNotLoaded is for actions before Load.
var errNotLoaded = fault.Errorf(fault.Unavailable, "iam: what is stored has not been loaded yet")

// create stores a record that is not there yet.
func (a *Authority) create(ctx context.Context, kind, name string, record any) error {
	if a.kv == nil {
		return errNotLoaded
	}
	doc, err := json.Marshal(record)
	if err != nil {
		return err
	}
	k := key(kind, name)
	revision, err := a.kv.Create(ctx, k, doc)
	if errors.Is(err, jetstream.ErrKeyExists) {
		return fault.Coded(fault.Conflict, "EntityAlreadyExists", "%s with name %s already exists.", title(kind), name)
	}
	if err != nil {
		return fmt.Errorf("store %s %s: %w", kind, name, err)
	}
	return a.swap(func(s *snapshot) error { return a.apply(s, k, revision, doc) })
}

// stored reads a record; NoSuchEntity when there is none.
func stored[R any](ctx context.Context, a *Authority, kind, name string) (*R, uint64, error) {
	if a.kv == nil {
		return nil, 0, errNotLoaded
	}
	e, err := a.kv.Get(ctx, key(kind, name))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, noSuch(kind, name)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read %s %s: %w", kind, name, err)
	}
	r := new(R)
	if err := json.Unmarshal(e.Value(), r); err != nil {
		return nil, 0, fmt.Errorf("stored %s %s: %w", kind, name, err)
	}
	return r, e.Revision(), nil
}

// change stores what f makes of a record. f may be called again when another
// process has been faster.
func change[R any](ctx context.Context, a *Authority, kind, name string, f func(*R) error) error {
	a.changes.Lock()
	defer a.changes.Unlock()
	k := key(kind, name)
	for range attempts {
		r, revision, err := stored[R](ctx, a, kind, name)
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
		doc, err := json.Marshal(r)
		if err != nil {
			return err
		}
		revision, err = a.kv.Update(ctx, k, doc, revision)
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue // its revision is another by now
		}
		if err != nil {
			return fmt.Errorf("store %s %s: %w", kind, name, err)
		}
		return a.swap(func(s *snapshot) error { return a.apply(s, k, revision, doc) })
	}
	return fault.Coded(fault.Conflict, "ConcurrentModification", "%s %s is being changed by others; try again.", title(kind), name)
}

// remove deletes a record that check lets go.
func remove[R any](ctx context.Context, a *Authority, kind, name string, check func(*R) error) error {
	a.changes.Lock()
	defer a.changes.Unlock()
	k := key(kind, name)
	for range attempts {
		r, revision, err := stored[R](ctx, a, kind, name)
		if err != nil {
			return err
		}
		if err := check(r); err != nil {
			return err
		}
		err = a.kv.Delete(ctx, k, jetstream.LastRevision(revision))
		if errors.Is(err, jetstream.ErrKeyExists) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete %s %s: %w", kind, name, err)
		}
		// The marker's revision is not told; a record made again has a higher one.
		return a.swap(func(s *snapshot) error { return a.apply(s, k, revision+1, nil) })
	}
	return fault.Coded(fault.Conflict, "ConcurrentModification", "%s %s is being changed by others; try again.", title(kind), name)
}

func noSuch(kind, name string) error {
	return fault.Coded(fault.NotFound, "NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

func title(kind string) string { return strings.ToUpper(kind[:1]) + kind[1:] }
