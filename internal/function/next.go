package function

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// NextVersion is the number that the next version of a function will have, and the
// newest that is published, without a Version when there is none. The function
// need not be there.
func (i *Invoker) NextVersion(ctx context.Context, name string) (next int, newest Function, err error) {
	name, _, _ = parseName(i.Region, name)
	if last := i.snapshot().published[name].newest(); last != nil {
		newest = last.Function
	}
	if i.kv == nil {
		return 0, newest, fault.Errorf(fault.Unavailable, "versions are not loaded")
	}
	key := "counter." + name
	last, err := i.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 1, newest, nil
	}
	if err != nil {
		return 0, newest, wrapStore(key, err)
	}
	return number(string(last.Value())) + 1, newest, nil
}
