package function

import (
	"context"
	"errors"
	"strconv"

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

// Foretell is the number of the version that a function will have once it is deployed
// as f and published: of the one that its callers are at if that is the same, as it is
// then not published again, of the newest likewise, else the next.
func (i *Invoker) Foretell(ctx context.Context, f Function) (string, error) {
	next, newest, err := i.NextVersion(ctx, f.Name)
	if err != nil {
		return "", err
	}
	if p := i.snapshot().published[f.Name]; p != nil && f.Shift != nil && f.Provisioned == 0 {
		a := p.aliases[f.Shift.Alias]
		for _, number := range []string{a.Version, a.Additional} {
			if v := p.versions[number]; v != nil && same(v.Function, f) {
				return number, nil
			}
		}
	}
	if newest.Version != "" && same(newest, f) {
		return newest.Version, nil
	}
	return strconv.Itoa(next), nil
}
