package root

import (
	"context"
	"errors"
	"fmt"

	"github.com/dropstack/dropstack/internal/secret/store"
)

// Kept is a secret made at the first start and kept in a bucket, sealed under the
// root key. What is derived from it or sealed by it stays the same when the root
// key is rotated: only the secret itself is rewrapped.
type Kept struct {
	bucket store.Bucket
	key    string
	sealer *Sealer
	ring   ring // of the one secret
}

// OpenKept reads the secret under a key of a bucket, or makes it, and holds it
// for the root key.
func OpenKept(ctx context.Context, r *Root, bucket store.Bucket, key string) (*Kept, error) {
	k := &Kept{bucket: bucket, key: key, sealer: r.Sealer("kept " + key)}
	r.Hold("kept "+key, k)
	at, err := bucket.Get(ctx, key)
	if errors.Is(err, store.ErrMissing) {
		return k, k.make(ctx)
	}
	if err != nil {
		return nil, err
	}
	secret, err := k.sealer.Open(at.Value, []byte(key))
	if err != nil || len(secret) != size {
		return nil, fmt.Errorf("the secret %q: %w", key, err)
	}
	k.ring = ring{current: newKey(secret)}
	return k, nil
}

func (k *Kept) make(ctx context.Context) error {
	k.ring = ring{current: fresh()}
	sealed, err := k.sealer.Seal(k.ring.current.secret[:], []byte(k.key))
	if err != nil {
		return err
	}
	_, err = k.bucket.Create(ctx, k.key, sealed)
	return err
}

// Derive makes n bytes for a use, always the same.
func (k *Kept) Derive(use string, n int) []byte { return k.ring.current.Derive(use, n) }

// Sealer seals for a use.
func (k *Kept) Sealer(use string) *Sealer {
	return &Sealer{keys: func() *ring { return &k.ring }, use: use}
}

// Rewrap implements Rewrapper.
func (k *Kept) Rewrap(ctx context.Context) (int, error) {
	at, err := k.bucket.Get(ctx, k.key)
	if err != nil || k.sealer.Current(at.Value) {
		return 0, err
	}
	sealed, err := k.sealer.Seal(k.ring.current.secret[:], []byte(k.key))
	if err != nil {
		return 0, err
	}
	_, err = k.bucket.Update(ctx, k.key, sealed, at.Revision)
	return 1, err
}

// String names the secret and does not show it.
func (k *Kept) String() string { return "secret " + k.key }
