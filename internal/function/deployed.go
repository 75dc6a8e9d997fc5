package function

import (
	"context"
	"fmt"
	"slices"

	"github.com/dropstack/dropstack/internal/instance"
)

// ProvisionedAlias is the alias that a function with provisioned concurrency is
// called by, as the Serverless Framework names it.
const ProvisionedAlias = "provisioned"

// PublishChanged gives the functions of a stack the versions that they ask for, and those
// with provisioned concurrency their alias. Call it after Replace and before
// anything calls the alias. What is published already stays as it is.
func (i *Invoker) PublishChanged(ctx context.Context, stack string) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	var names []string
	for name, e := range i.snapshot().functions {
		if e.Stack == stack && (e.Function.Publish || e.Provisioned > 0 || e.Shift != nil) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if i.current(name) != "" {
			continue // what callers have already, or get bit by bit
		}
		fn, err := i.publish(ctx, name, "")
		if err != nil {
			return fmt.Errorf("publish a version of %s: %w", name, err)
		}
		if i.snapshot().functions[name].Provisioned == 0 {
			continue
		}
		a := Alias{Name: ProvisionedAlias, Version: fn.Version}
		if err := i.putAlias(ctx, name, a, func(bool) error { return nil }); err != nil {
			return fmt.Errorf("alias %s of %s: %w", a.Name, name, err)
		}
	}
	return nil
}

// Provisioned is a version of which instances are kept.
type Provisioned struct {
	Function  string // name
	Alias     string
	Version   string
	Requested int // instances
	Ready     int // of them, that have started
}

// ProvisionedOf lists the provisioned concurrency of a function.
func (i *Invoker) ProvisionedOf(name string) ([]Provisioned, error) {
	t := i.snapshot()
	name, _, _ = parseName(i.Region, name)
	e := t.functions[name]
	if e == nil {
		return nil, notFound(i.Region, name)
	}
	var list []Provisioned
	if v := i.provisioned(t, e); v != nil {
		list = append(list, Provisioned{name, ProvisionedAlias, v.Version, e.Provisioned, i.Pool.Ready(v.config.ID)})
	}
	return list, nil
}

// provisioned is the version of a function that its provisioned alias names, nil
// if there is none.
func (i *Invoker) provisioned(t *table, e *entry) *entry {
	p := t.published[e.Name]
	if p == nil {
		return nil
	}
	a, ok := p.aliases[ProvisionedAlias]
	if !ok || e.Function.Provisioned == 0 {
		return nil
	}
	v, err := i.resolve(t, e, a.Version)
	if err != nil {
		i.Log.Warn("a version cannot be kept ready", "function", e.ARN, "version", a.Version, "err", err)
	}
	return v
}

// tend tells the pool which versions may run, and of which instances are to be
// kept. The lock is held.
func (i *Invoker) tend(t *table) {
	live, keep := map[string]bool{}, map[string]reserve{}
	for _, e := range t.functions {
		live[e.config.ID] = true
		if e.Warm > 0 {
			keep[e.config.ID] = reserve{e.config, e.Warm}
		}
		if v := i.provisioned(t, e); v != nil {
			keep[v.config.ID] = reserve{v.config, e.Provisioned}
		}
		if p := t.published[e.Name]; p != nil {
			for _, v := range p.versions {
				if made := v.made.Load(); made != nil {
					live[made.config.ID] = true
				}
			}
		}
	}
	i.Pool.Keep(live)
	for id, r := range i.kept {
		if keep[id].n == 0 {
			i.Pool.Reserve(r.config, 0)
		}
	}
	for _, r := range keep {
		i.Pool.Reserve(r.config, r.n)
	}
	i.kept = keep
}

// reserve is how many instances of a version are kept.
type reserve struct {
	config instance.Config
	n      int
}

// gone are the functions of a stack that a table has and another has not.
func gone(old, next *table, stack string) (names []string) {
	for name, e := range old.functions {
		if e.Stack == stack && next.functions[name] == nil {
			names = append(names, name)
		}
	}
	return names
}

// ReadyOf is the number of instances of a function or version that have started.
func (i *Invoker) ReadyOf(name string) (int, error) {
	e, _, err := i.find(name)
	if err != nil {
		return 0, err
	}
	return i.Pool.Ready(e.config.ID), nil
}

// Settings are the account's limits and what is used of them.
type Settings struct {
	Limit, Unreserved int // concurrent invocations
	Functions         int
}

// Settings returns the limits.
func (i *Invoker) Settings() Settings {
	t := i.snapshot()
	s := Settings{Limit: i.Limit, Unreserved: t.unreserved, Functions: len(t.functions)}
	if s.Limit <= 0 {
		s.Limit = MaxConcurrency
	}
	if t.functions == nil {
		s.Unreserved = s.Limit
	}
	return s
}
