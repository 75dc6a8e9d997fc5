package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dropstack/dropstack/internal/secret/store"
	"github.com/dropstack/dropstack/internal/wire"
)

// ScheduleKeyDeletionInput says when.
type ScheduleKeyDeletionInput struct {
	KeyId               string
	PendingWindowInDays *int `json:",omitempty"` // 7 to 30; 30
}

// ScheduleKeyDeletionOutput says when.
type ScheduleKeyDeletionOutput struct {
	KeyId               string
	DeletionDate        wire.Time
	KeyState            string
	PendingWindowInDays int
}

// ScheduleKeyDeletion has a key destroyed after some days, in which it cannot be
// used and the decision can be taken back.
func (k *Keys) ScheduleKeyDeletion(ctx context.Context, in ScheduleKeyDeletionInput) (ScheduleKeyDeletionOutput, error) {
	window := maxWindow
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	if window < minWindow || window > maxWindow {
		return ScheduleKeyDeletionOutput{}, invalid("PendingWindowInDays is %d; %d to %d are possible", window, minWindow, maxWindow)
	}
	found, err := k.find(in.KeyId)
	if err != nil {
		return ScheduleKeyDeletionOutput{}, err
	}
	conditions := map[string][]string{"kms:ScheduleKeyDeletionPendingWindowInDays": {fmt.Sprint(window)}}
	if err := k.authorize(ctx, found, ask{action: "ScheduleKeyDeletion", condition: conditions}); err != nil {
		return ScheduleKeyDeletionOutput{}, err
	}
	if err := found.own("ScheduleKeyDeletion"); err != nil {
		return ScheduleKeyDeletionOutput{}, err
	}
	at := time.Now().UTC().AddDate(0, 0, window)
	err = k.update(ctx, found.ID, func(r *record) error {
		if now := (&key{record: *r}); now.state() == pendingDeletion {
			return badState(now, "ScheduleKeyDeletion")
		}
		r.Deletion = at
		return nil
	})
	if err != nil {
		return ScheduleKeyDeletionOutput{}, err
	}
	k.Log.Info("key is to be destroyed", "key", found.ARN, "at", at)
	return ScheduleKeyDeletionOutput{found.ARN, wire.At(at), pendingDeletion, window}, nil
}

// CancelKeyDeletion takes the decision back; the key is disabled then.
func (k *Keys) CancelKeyDeletion(ctx context.Context, in KeyInput) (KeyOutput, error) {
	found, err := k.allowed(ctx, in.KeyId, "CancelKeyDeletion")
	if err != nil {
		return KeyOutput{}, err
	}
	err = k.update(ctx, found.ID, func(r *record) error {
		now := &key{record: *r}
		if now.state() != pendingDeletion {
			return badState(now, "CancelKeyDeletion")
		}
		if !time.Now().Before(r.Deletion) {
			return notFound("key %s is being destroyed", r.ARN)
		}
		r.Deletion, r.Disabled = time.Time{}, true
		return nil
	})
	return KeyOutput{found.ARN}, err
}

// retry is how long Run waits after a failure.
const retry = time.Minute

// Run destroys and rotates keys when it is time. It returns when ctx ends.
func (k *Keys) Run(ctx context.Context) error {
	for {
		next, err := k.tend(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			k.Log.Error("keys not tended", "err", err)
			next = time.Now().Add(retry)
		}
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-due:
		case <-k.wake:
		}
	}
}

// tend does what is due and returns when something will be due next: zero, if
// nothing will.
func (k *Keys) tend(ctx context.Context) (time.Time, error) {
	k.change.Lock()
	defer k.change.Unlock()
	var next time.Time
	var errs []error
	now := time.Now()
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for id, key := range k.current.Load().keys {
		switch {
		case key.state() == pendingDeletion:
			if now.Before(key.Deletion) {
				sooner(key.Deletion)
			} else if err := k.destroy(ctx, key); err != nil {
				errs = append(errs, fmt.Errorf("destroy %s: %w", key.ARN, err))
			}
		case key.Rotation.Period > 0 && key.state() == enabled:
			if !now.Before(key.Rotation.Next) {
				if err := k.rotate(ctx, key, automatic); err != nil {
					errs = append(errs, fmt.Errorf("rotate %s: %w", key.ARN, err))
					continue
				}
			}
			sooner(k.current.Load().keys[id].Rotation.Next)
		}
	}
	return next, errors.Join(errs...)
}

// destroy overwrites the material of a key and forgets it: its aliases first, its
// record last, so that what a crash leaves is destroyed at the next start. change
// must be held.
func (k *Keys) destroy(ctx context.Context, key *key) error {
	snap := k.current.Load()
	for _, name := range snap.aliasesOf(key.ID) {
		if err := k.unname(ctx, snap.aliases[name]); err != nil {
			return err
		}
	}
	for _, v := range key.Versions {
		at, err := k.Bucket.Get(ctx, materialKey(key.ID, v.Number))
		if errors.Is(err, store.ErrMissing) {
			continue
		}
		if err != nil {
			return err
		}
		if err := k.Bucket.Erase(ctx, at.Key, at.Revision); err != nil {
			return err
		}
	}
	if err := k.Bucket.Erase(ctx, store.Key(keyKind, key.ID), key.revision); err != nil {
		return err
	}
	k.swap(func(s *snapshot) { delete(s.keys, key.ID) })
	k.Log.Info("key destroyed", "key", key.ARN)
	return nil
}
