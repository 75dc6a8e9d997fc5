package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/fault"
)

// Latest is the version that a deployment changes.
const Latest = "$LATEST"

// versionsName is the bucket of what is published. Its keys:
//
//	counter.<function>          the highest number that was ever given
//	version.<function>.<number> a Function as JSON
//	alias.<function>.<name>     an Alias as JSON
const versionsName = "function-versions"

// published is what is published of one function. It never changes: a change makes
// another.
type published struct {
	versions map[string]*version // by number
	aliases  map[string]Alias
}

// version is a published version; its entry is made when it is first needed.
type version struct {
	Function
	making sync.Mutex
	made   atomic.Pointer[entry]
}

func (p *published) clone() *published {
	if p == nil {
		return &published{versions: map[string]*version{}, aliases: map[string]Alias{}}
	}
	return &published{maps.Clone(p.versions), maps.Clone(p.aliases)}
}

// version is the one with a number, or nil.
func (p *published) version(number string) *version {
	if p == nil {
		return nil
	}
	return p.versions[number]
}

// newest is the version with the highest number, or nil.
func (p *published) newest() *version {
	var found *version
	if p != nil {
		for _, v := range p.versions {
			if found == nil || number(v.Version) > number(found.Version) {
				found = v
			}
		}
	}
	return found
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // versions are numbers
	return n
}

// Load reads what is published. Call it before the first Replace.
func (i *Invoker) Load(ctx context.Context) error {
	kv, err := i.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: versionsName, Storage: jetstream.FileStorage})
	if err != nil {
		return fmt.Errorf("open the versions of functions: %w", err)
	}
	stored := map[string]*published{}
	keys, err := kv.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("list the versions of functions: %w", err)
	}
	for key := range keys.Keys() {
		value, err := kv.Get(ctx, key)
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		parts := strings.Split(key, ".")
		if len(parts) != 3 {
			continue // a counter
		}
		if stored[parts[1]] == nil {
			stored[parts[1]] = (*published)(nil).clone()
		}
		if err := i.read(ctx, stored[parts[1]], parts[0], value.Value()); err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
	}
	i.replace.Lock()
	defer i.replace.Unlock()
	i.kv = kv
	next := *i.snapshot()
	next.published = stored
	i.table.Store(&next)
	return nil
}

func (i *Invoker) read(ctx context.Context, p *published, kind string, value []byte) error {
	if kind == "alias" {
		var a Alias
		err := json.Unmarshal(value, &a)
		p.aliases[a.Name] = a
		return err
	}
	var stored Function
	if err := json.Unmarshal(value, &stored); err != nil {
		return err
	}
	fn, err := Open(ctx, i.Sealer, stored)
	p.versions[fn.Version] = &version{Function: fn}
	return err
}

// resolve finds what a qualifier of a function stands for; of an alias with two
// versions it throws the dice.
func (i *Invoker) resolve(t *table, e *entry, qualifier string) (*entry, error) {
	if qualifier == "" || qualifier == Latest {
		return e, nil
	}
	p := t.published[e.Name]
	if p == nil {
		return nil, nil
	}
	if a, ok := p.aliases[qualifier]; ok {
		qualifier = a.Version
		if a.Additional != "" && i.dice() < a.Weight {
			qualifier = a.Additional
		}
		if qualifier == Latest {
			return e, nil
		}
	}
	v := p.versions[qualifier]
	if v == nil {
		return nil, nil
	}
	return i.make(v, e)
}

// make makes a version ready to run beside the function that it is of.
func (i *Invoker) make(v *version, of *entry) (*entry, error) {
	if made := v.made.Load(); made != nil {
		return made, nil
	}
	v.making.Lock()
	defer v.making.Unlock()
	if made := v.made.Load(); made != nil {
		return made, nil
	}
	fn := v.Function
	fn.Provisioned = of.Provisioned
	e, err := i.prepare(fn)
	if err != nil {
		return nil, fmt.Errorf("version %s of %s: %w", v.Version, v.Name, err)
	}
	e.running = of.running
	i.Pool.Prestart(e.config, 0) // the pool shall know it
	v.made.Store(e)
	return e, nil
}

func (i *Invoker) dice() float64 {
	if i.Rand != nil {
		return i.Rand()
	}
	return rand.Float64()
}

// PublishVersion makes a version of a function as it is deployed, unless it is what the
// newest version is already, and returns it.
func (i *Invoker) PublishVersion(ctx context.Context, name, description string) (Function, error) {
	i.replace.Lock()
	defer i.replace.Unlock()
	return i.publish(ctx, name, description)
}

func (i *Invoker) publish(ctx context.Context, name, description string) (Function, error) {
	t := i.snapshot()
	name, _, _ = parseName(i.Region, name)
	e := t.functions[name]
	switch {
	case e == nil:
		return Function{}, notFound(i.Region, name)
	case i.kv == nil:
		return Function{}, fault.Errorf(fault.Unavailable, "versions are not loaded")
	}
	if last := t.published[name].newest(); last != nil && same(last.Function, e.Function) {
		return last.Function, nil
	}
	n, err := i.count(ctx, name)
	if err != nil {
		return Function{}, err
	}
	fn := e.Function
	fn.Version = strconv.Itoa(n)
	if description != "" {
		fn.Description = description
	}
	fn.Modified, fn.Policies, fn.Tags = time.Now().UTC(), nil, nil // the function's alone
	stored, err := Seal(ctx, i.Sealer, fn)
	if err != nil {
		return Function{}, err
	}
	if err := i.store(ctx, "version."+name+"."+fn.Version, stored); err != nil {
		return Function{}, err
	}
	p := t.published[name].clone()
	p.versions[fn.Version] = &version{Function: fn}
	i.swap(name, p)
	return fn, nil
}

// same reports whether two versions differ in nothing that a function can see.
func same(a, b Function) bool {
	for _, f := range []*Function{&a, &b} {
		f.Version, f.Description, f.Warm, f.Publish = "", "", 0, false
		f.Modified, f.CodeSize, f.Policies, f.Tags, f.LayerARNs = time.Time{}, 0, nil, nil, nil
		f.common()
	}
	return alike(a, b)
}

func alike(a, b Function) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Restarts reports whether instances of a function have to start anew when it
// becomes another.
func Restarts(was, is Function) bool {
	for _, f := range []*Function{&was, &is} {
		f.Description, f.Warm, f.Publish, f.DeadLetter, f.KeyARN, f.Sealed, f.MinIsolation = "", 0, false, "", "", nil, ""
		f.Modified, f.CodeSize, f.Policies, f.Tags, f.LayerARNs = time.Time{}, 0, nil, nil, nil
		f.common()
	}
	return !alike(was, is)
}

// count gives the next number of a function; a number that was given is never
// given again, whatever becomes of the version.
func (i *Invoker) count(ctx context.Context, name string) (int, error) {
	key := "counter." + name
	last, err := i.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		_, err = i.kv.PutString(ctx, key, "1")
		return 1, wrapStore(key, err)
	}
	if err != nil {
		return 0, wrapStore(key, err)
	}
	n := number(string(last.Value())) + 1
	_, err = i.kv.Update(ctx, key, []byte(strconv.Itoa(n)), last.Revision())
	return n, wrapStore(key, err)
}

func (i *Invoker) store(ctx context.Context, key string, value any) error {
	doc, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = i.kv.Put(ctx, key, doc)
	return wrapStore(key, err)
}

func wrapStore(key string, err error) error {
	if err != nil {
		return fault.Errorf(fault.Unavailable, "store %s: %w", key, err)
	}
	return nil
}

// swap makes p what is published of a function; nil: nothing. The lock is held.
func (i *Invoker) swap(name string, p *published) {
	next := *i.snapshot()
	next.published = maps.Clone(next.published)
	if next.published == nil {
		next.published = map[string]*published{}
	}
	next.published[name] = p
	if p == nil {
		delete(next.published, name)
	}
	i.table.Store(&next)
	i.tend(&next)
}

// Versions are the published versions of a function, the oldest first.
func (i *Invoker) Versions(name string) ([]Function, error) {
	t := i.snapshot()
	name, _, _ = parseName(i.Region, name)
	if t.functions[name] == nil {
		return nil, notFound(i.Region, name)
	}
	var list []Function
	if p := t.published[name]; p != nil {
		for _, v := range p.versions {
			list = append(list, v.Function)
		}
	}
	slices.SortFunc(list, func(a, b Function) int { return number(a.Version) - number(b.Version) })
	return list, nil
}

// DeleteVersion removes a version that no alias names.
func (i *Invoker) DeleteVersion(ctx context.Context, name, version string) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	name, _, _ = parseName(i.Region, name)
	p := i.snapshot().published[name]
	if p == nil || p.versions[version] == nil {
		return notFound(i.Region, name+":"+version)
	}
	for _, a := range p.aliases {
		if a.Version == version || a.Additional == version {
			return fault.Coded(fault.Conflict, "ResourceConflictException", "Version %s of %s is in use by the alias %s", version, name, a.Name)
		}
	}
	key := "version." + name + "." + version
	if err := i.kv.Purge(ctx, key); err != nil {
		return wrapStore(key, err)
	}
	p = p.clone()
	delete(p.versions, version)
	i.swap(name, p)
	return nil
}

// unpublish forgets all versions and aliases of a function that is gone.
func (i *Invoker) unpublish(ctx context.Context, name string) error {
	p := i.snapshot().published[name]
	if p == nil {
		return nil
	}
	for v := range p.versions {
		if err := i.kv.Purge(ctx, "version."+name+"."+v); err != nil {
			return wrapStore(name, err)
		}
	}
	for a := range p.aliases {
		if err := i.kv.Purge(ctx, "alias."+name+"."+a); err != nil {
			return wrapStore(name, err)
		}
	}
	i.swap(name, nil)
	return nil
}
