package comparison

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// key is that of a comparison; of all of a stack for revision ">".
func key(stack, revision string) string { return stack + "." + revision }

// Load opens what is stored, and finds what is yet to be compared.
func (c *Comparisons) Load(ctx context.Context) (err error) {
	if c.kv, err = c.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: "comparisons", Description: "of deployments with those before", Storage: jetstream.FileStorage,
	}); err != nil {
		return fmt.Errorf("open the comparisons: %w", err)
	}
	c.wake, c.pending = make(chan struct{}, 1), map[string]Comparison{}
	list, err := c.read(ctx, ">")
	if err != nil {
		return err
	}
	for _, one := range list {
		if one.Compared.IsZero() {
			c.pending[one.Stack] = one
		}
	}
	return nil
}

// put writes a comparison; the oldest of its stack go.
func (c *Comparisons) put(ctx context.Context, one Comparison) error {
	doc, err := json.Marshal(one)
	if err == nil {
		_, err = c.kv.Put(ctx, key(one.Stack, one.Revision), doc)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "store the comparison of %s: %w", one.Stack, err)
	}
	list, err := c.read(ctx, key(one.Stack, ">"))
	for _, old := range list[min(keep, len(list)):] {
		err = errors.Join(err, c.kv.Purge(ctx, key(old.Stack, old.Revision)))
	}
	return err
}

// read reads comparisons, the newest first.
func (c *Comparisons) read(ctx context.Context, keys string) (list []Comparison, err error) {
	watcher, err := c.kv.Watch(ctx, keys, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read the comparisons: %w", err)
	}
	defer func() { _ = watcher.Stop() }()
	for entry := range watcher.Updates() {
		if entry == nil {
			break
		}
		var one Comparison
		if err := json.Unmarshal(entry.Value(), &one); err != nil {
			return nil, fmt.Errorf("key %s of bucket comparisons: %w", entry.Key(), err)
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Comparison) int {
		return cmp.Or(b.Deployed.Compare(a.Deployed), cmp.Compare(a.Stack, b.Stack))
	})
	return list, ctx.Err()
}

// ListInput names a stack, or none for all.
type ListInput struct {
	Stack string `json:"stack,omitempty"`
}

// ListOutput is comparisons, the newest first.
type ListOutput struct {
	Comparisons []Comparison `json:"comparisons"`
}

// List lists the comparisons of a stack, or of all.
func (c *Comparisons) List(ctx context.Context, in ListInput) (ListOutput, error) {
	keys := ">"
	if in.Stack != "" {
		keys = key(in.Stack, ">")
	}
	list, err := c.read(ctx, keys)
	return ListOutput{append([]Comparison{}, list...)}, err
}

// Forget removes what is kept of a stack that is gone.
func (c *Comparisons) Forget(ctx context.Context, stack string) error {
	c.mu.Lock()
	delete(c.pending, stack)
	c.mu.Unlock()
	list, err := c.read(ctx, key(stack, ">"))
	for _, one := range list {
		err = errors.Join(err, c.kv.Purge(ctx, key(one.Stack, one.Revision)))
	}
	return err
}
