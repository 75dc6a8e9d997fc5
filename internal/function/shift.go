package function

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
)

// Standing is where an alias stands against what is deployed of its function.
type Standing struct {
	Alias   Alias  // without a name when there is none
	Current string // the version that is what is deployed; "": it is not published
}

// Standing tells of an alias of a function.
func (i *Invoker) Standing(name, alias string) (Standing, error) {
	t := i.snapshot()
	e := t.functions[name]
	if e == nil {
		return Standing{}, notFound(i.Region, name)
	}
	var s Standing
	p := t.published[name]
	if p == nil {
		return s, nil
	}
	s.Alias = p.aliases[alias]
	last := p.newest()
	for _, v := range []*version{p.versions[s.Alias.Version], p.versions[s.Alias.Additional], last} {
		if v != nil && same(v.Function, e.Function) {
			s.Current = v.Version
			break
		}
	}
	return s, nil
}

// current is the version of a function that is shifted which its alias names and
// which is what is deployed; "" if there is none. The lock is held.
func (i *Invoker) current(name string) string {
	e := i.snapshot().functions[name]
	if e.Shift == nil || e.Provisioned > 0 {
		return ""
	}
	s, err := i.Standing(name, e.Shift.Alias)
	if err != nil || s.Alias.Name == "" {
		return ""
	}
	return s.Current
}

// PublishDeployed publishes what is deployed of a function that an alias is to
// stand for, if there is no such alias yet, and makes the alias. It is for a
// function about to become another, which callers are to be moved away from.
func (i *Invoker) PublishDeployed(ctx context.Context, name, alias string) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	if _, exists := i.snapshot().published[name].clone().aliases[alias]; exists || i.snapshot().functions[name] == nil {
		return nil
	}
	fn, err := i.publish(ctx, name, "")
	if err != nil {
		return fmt.Errorf("publish a version of %s: %w", name, err)
	}
	return i.putAlias(ctx, name, Alias{Name: alias, Version: fn.Version}, func(bool) error { return nil })
}

// MoveAlias makes an alias, or changes whom it sends its callers to. A version that
// gets more of them has instances ready first: as many as the one before has, so
// that a shift under load costs nobody a cold start.
func (i *Invoker) MoveAlias(ctx context.Context, name string, a Alias) error {
	i.ready(name, a)
	i.replace.Lock()
	defer i.replace.Unlock()
	return i.putAlias(ctx, name, a, func(bool) error { return nil })
}

// ready starts instances of the versions that an alias will name.
func (i *Invoker) ready(name string, a Alias) {
	t := i.snapshot()
	e, p := t.functions[name], t.published[name]
	if e == nil || p == nil {
		return
	}
	was := e // callers that have no alias yet
	if before := p.aliases[a.Name]; before.Name != "" {
		was, _ = i.resolve(t, e, cmp.Or(before.Version, Latest)) // nil on an error, which the invocations get
	}
	if was == nil {
		return
	}
	most := float64(min(i.Pool.Ready(was.config.ID), 2*runtime.GOMAXPROCS(0)))
	for v, share := range map[string]float64{a.Version: 1 - a.Weight, a.Additional: a.Weight} {
		if v == "" {
			continue
		}
		next, err := i.resolve(t, e, v)
		if err != nil || next == nil || next.config.ID == was.config.ID {
			continue
		}
		if n := int(math.Ceil(most*share)) - i.Pool.Ready(next.config.ID); n > 0 {
			i.Pool.Prestart(next.config, n)
		}
	}
}

// Published lists the published versions of all functions.
func (i *Invoker) Published() (list []Function) {
	for _, p := range i.snapshot().published {
		for _, v := range p.versions {
			list = append(list, v.Function)
		}
	}
	return list
}

// PruneVersions deletes all but the newest versions of a function, sparing those
// that aliases name and those that spared says are named elsewhere. It returns
// those that it deleted.
func (i *Invoker) PruneVersions(ctx context.Context, name string, keep int, spared func(version string) bool) (deleted []string, err error) {
	p := i.snapshot().published[name].clone()
	var numbers []string
	for v := range p.versions {
		numbers = append(numbers, v)
	}
	slices.SortFunc(numbers, func(a, b string) int { return number(a) - number(b) })
	named := map[string]bool{}
	for _, a := range p.aliases {
		named[a.Version], named[a.Additional] = true, true
	}
	for _, v := range numbers[:max(0, len(numbers)-max(1, keep))] {
		if named[v] || spared(v) {
			continue
		}
		if err := i.DeleteVersion(ctx, name, v); err != nil { // a conflict if an alias has come to name it
			return deleted, err
		}
		deleted = append(deleted, v)
	}
	return deleted, nil
}
