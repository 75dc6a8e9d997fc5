package function

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// Alias is a name for a version of a function, or for two that share its traffic.
type Alias struct {
	Name        string  `json:"name"`
	Version     string  `json:"version"`
	Description string  `json:"description,omitempty"`
	Additional  string  `json:"additional,omitempty"` // the other version
	Weight      float64 `json:"weight,omitempty"`     // share of the invocations that goes to it, 0-1
}

var aliasName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// PutAlias makes or changes an alias. create says that it must not exist, else it
// must.
func (i *Invoker) PutAlias(ctx context.Context, name string, a Alias, create bool) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	return i.putAlias(ctx, name, a, func(exists bool) error {
		if exists && create {
			return fault.Coded(fault.Conflict, "ResourceConflictException", "Alias already exists: %s:%s", name, a.Name)
		}
		if !exists && !create {
			return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Cannot find alias arn: %s:%s", name, a.Name)
		}
		return nil
	})
}

func (i *Invoker) putAlias(ctx context.Context, name string, a Alias, allowed func(exists bool) error) error {
	t := i.snapshot()
	name, _, _ = parseName(i.Region, name)
	if t.functions[name] == nil {
		return notFound(i.Region, name)
	}
	p := t.published[name].clone()
	_, exists := p.aliases[a.Name]
	if err := allowed(exists); err != nil {
		return err
	}
	if err := p.check(name, a); err != nil {
		return err
	}
	if exists && p.aliases[a.Name] == a {
		return nil
	}
	if err := i.store(ctx, "alias."+name+"."+a.Name, a); err != nil {
		return err
	}
	p.aliases[a.Name] = a
	i.swap(name, p)
	return nil
}

// CheckAlias refuses what no alias can be called.
func CheckAlias(name string) error {
	if _, err := strconv.Atoi(name); err == nil || !aliasName.MatchString(name) {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "alias %q must be 1-128 letters, digits, - or _, and not a number", name)
	}
	return nil
}

func (p *published) check(name string, a Alias) error {
	invalid := func(format string, args ...any) error {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", format, args...)
	}
	if err := CheckAlias(a.Name); err != nil {
		return err
	}
	for _, v := range []string{a.Version, a.Additional} {
		if v != "" && v != Latest && p.versions[v] == nil {
			return fault.Coded(fault.NotFound, "ResourceNotFoundException", "Function not found: %s:%s", name, v)
		}
	}
	switch {
	case a.Version == "":
		return invalid("alias %s names no version", a.Name)
	case a.Additional != "" && (a.Version == Latest || a.Additional == Latest || a.Additional == a.Version):
		return invalid("an alias with weights needs two different published versions; $LATEST is none")
	case a.Weight < 0 || a.Weight > 1:
		return invalid("weight %v is not between 0 and 1", a.Weight)
	}
	return nil
}

// Aliases are those of a function, by name.
func (i *Invoker) Aliases(name string) ([]Alias, error) {
	t := i.snapshot()
	name, _, _ = parseName(i.Region, name)
	if t.functions[name] == nil {
		return nil, notFound(i.Region, name)
	}
	var list []Alias
	if p := t.published[name]; p != nil {
		list = slices.SortedFunc(maps.Values(p.aliases), func(a, b Alias) int { return strings.Compare(a.Name, b.Name) })
	}
	return list, nil
}

// DeleteAlias removes an alias. One that does not exist is no error, as on AWS.
func (i *Invoker) DeleteAlias(ctx context.Context, name, alias string) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	name, _, _ = parseName(i.Region, name)
	p := i.snapshot().published[name]
	if p == nil {
		return nil
	}
	if _, ok := p.aliases[alias]; !ok {
		return nil
	}
	key := "alias." + name + "." + alias
	if err := i.kv.Purge(ctx, key); err != nil {
		return wrapStore(key, err)
	}
	p = p.clone()
	delete(p.aliases, alias)
	i.swap(name, p)
	return nil
}
