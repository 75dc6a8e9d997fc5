package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/nats-io/nats.go/jetstream"
)

// Rooms are what a revision is applied to. Each Replace swaps the stack's part of
// that room's snapshot for another; nil parts remove the stack.
type Rooms struct {
	Roles interface {
		Replace(stack string, d iam.Declaration) error
		// Trusts is an error unless a role exists and a service may assume it.
		Trusts(ctx context.Context, roleARN, service string) error
	}
	Networks interface {
		Load(stacks map[string]network.Model) error
		Replace(stack string, m network.Model) error
		Admit(stack string, m network.Model, uses []network.Use) error
	}
	Functions interface {
		Admit(fns []function.Function) error
		Replace(stack string, fns []function.Function) error
		PublishChanged(ctx context.Context, stack string) error
	}
	Queues interface {
		Replace(ctx context.Context, stack string, queues []queue.Queue, mappings []queue.Mapping) error
	}
	Topics interface {
		Replace(ctx context.Context, stack string, topics []topic.Topic, subs []topic.Subscription) error
	}
	Schedules interface {
		Replace(ctx context.Context, stack string, schedules []schedule.Schedule) error
	}
	Buses interface {
		Admit(buses []bus.Bus, rules []bus.Rule) error
		AdmitTarget(t bus.Target) error
		Replace(stack string, buses []bus.Bus, rules []bus.Rule) error
	}
	Buckets interface {
		Replace(stack string, list []bucket.Notification) error
	}
	Gateway interface {
		Replace(stack string, apis []gateway.API, keys []gateway.APIKey, plans []gateway.UsagePlan) error
	}
	Edge interface {
		Replace(stack string, dists []edge.Distribution) error
	}
	Logs interface {
		Declare(ctx context.Context, groups []logs.Declared) error
	}
	Storage interface {
		SetPolicy(ctx context.Context, bucket, text string) error
		SetCORS(ctx context.Context, bucket string, doc []byte) error
	}
	Versions Versions // nil only in tests: then no aliases are made, and nobody is shifted
}

// Deployer owns which revision of each stack is active.
type Deployer struct {
	Streams   jetstream.JetStream
	Objects   engine.ObjectStore
	Artifacts string // directory that artifacts are unpacked into
	LayerRoot string // directory of merged layers, by build.LayersID; "": functions have no layers
	Caches    string // directory of functions' compiled code, by function.CacheName; "": there is none
	// Stored lists the objects of a bucket. Optional: then artifacts are never removed.
	Stored interface {
		Each(ctx context.Context, bucket string, visit func(engine.Object) error) error
	}
	Rooms  Rooms
	Region string // of the stack APIStack
	// Sealer encrypts the environments of functions where revisions are stored; nil
	// only in tests.
	Sealer function.Sealer
	Log    *slog.Logger
	// Keep is how much of the past is kept of stacks that do not say themselves; what
	// is 0 is DefaultKeep's.
	Keep Keep
	// Prepare makes a function ready to start fast, from its unpacked artifact in
	// dir. It is called before activation, for each artifact, runtime, handler and
	// layers that are new; its failure is logged and changes nothing. Optional.
	Prepare func(ctx context.Context, fn function.Function, dir string) error
	Hooks   function.Enqueues // takes events for the functions that shifts ask

	shifts  jetstream.KeyValue
	ledgers atomic.Pointer[map[string]*ledger] // by stack
	kicked  chan struct{}                      // wakes Run; made by Load

	files  sync.RWMutex         // read while a deployment needs files that nothing refers to yet
	unused map[string]time.Time // directories, since when nothing has referred to them; of Sweep

	mu        sync.Mutex           // one deployment at a time
	asked     map[string]bool      // executions of hooks that this process has asked for
	counted   map[string]counts    // by move, when it began
	undoing   map[string]time.Time // by stack, when it may be tried again
	stacks    jetstream.KeyValue
	revisions jetstream.KeyValue
	active    atomic.Pointer[map[string]*Revision] // never nil after Load
}

// Load opens the stored state and applies every active revision. A stack that
// cannot be applied is logged and left out, so that the others serve.
func (d *Deployer) Load(ctx context.Context) error {
	var err error
	if d.stacks, err = d.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "stacks", History: 10}); err != nil {
		return fmt.Errorf("open the stacks: %w", err)
	}
	if d.revisions, err = d.Streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "revisions"}); err != nil {
		return fmt.Errorf("open the revisions: %w", err)
	}
	if err := d.Objects.CreateBucket(ctx, ArtifactBucket); err != nil {
		return err
	}
	if err := d.loadShifts(ctx); err != nil {
		return err
	}
	d.kicked = make(chan struct{}, 1)
	d.asked, d.counted, d.undoing = map[string]bool{}, map[string]counts{}, map[string]time.Time{}
	d.active.Store(&map[string]*Revision{})
	d.mu.Lock()
	defer d.mu.Unlock()
	keys, err := d.stacks.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("list the stacks: %w", err)
	}
	revisions, networks := map[string]*Revision{}, map[string]network.Model{}
	var all []string
	for stack := range keys.Keys() {
		all = append(all, stack)
	}
	if err := d.neverActive(ctx, all); err != nil {
		d.Log.Warn("revisions that a crash has left not removed", "err", err)
	}
	for _, stack := range all {
		rev, _, err := d.pointed(ctx, stack)
		if err != nil {
			d.Log.Error("stack not started", "stack", stack, "err", err)
			continue
		}
		revisions[stack], networks[stack] = rev, rev.Network
	}
	if err := d.Rooms.Networks.Load(networks); err != nil { // those of one may refer to those of another
		d.Log.Error("networks not started", "err", err)
	}
	for stack, rev := range revisions {
		if err := d.apply(ctx, nil, rev); err != nil {
			d.Log.Error("stack not started", "stack", stack, "err", err)
			continue
		}
		d.remember(stack, rev)
		if err := errors.Join(d.begin(ctx, rev), d.resume(ctx, stack)); err != nil {
			d.Log.Error("callers not moved to the new versions", "stack", stack, "err", err)
		}
	}
	return nil
}

// Active returns the active revision of a stack.
func (d *Deployer) Active(stack string) (*Revision, bool) {
	rev, ok := (*d.active.Load())[stack]
	return rev, ok
}

// List returns the active revisions of all stacks, by stack.
func (d *Deployer) List() map[string]*Revision { return *d.active.Load() }

// Deploy makes r the active revision of its stack and returns it with its ID.
// When any step fails the old revision keeps serving. While callers of the stack
// are being moved it is a conflict.
func (d *Deployer) Deploy(ctx context.Context, r *Revision) (*Revision, error) {
	if r.Stack == APIStack {
		return nil, fault.Errorf(fault.Invalid, "the stack %q holds what calls of the AWS API make and cannot be deployed; give the service another name or stage", APIStack)
	}
	next, err := d.deploy(ctx, r)
	if err != nil {
		return nil, err
	}
	d.Log.Info("deployed", "stack", next.Stack, "revision", next.ID, "functions", len(next.Functions))
	return next, nil
}

// Preview says what deploying r would change, and what would refuse it.
func (d *Deployer) Preview(_ context.Context, r *Revision) (*Diff, error) {
	active, deployed := d.Active(r.Stack)
	r, err := d.complete(r, active)
	if err != nil {
		return nil, err
	}
	if err := d.validate(r); err != nil {
		return nil, err
	}
	if deployed && active.Owner != r.Owner {
		return nil, Foreign(active)
	}
	return Compare(active, r.over(active)), nil
}

// Supersede is Deploy, also while callers of the stack are being moved: they go
// back first.
func (d *Deployer) Supersede(ctx context.Context, r *Revision) (*Revision, error) {
	if _, err := d.stop(ctx, r.Stack, "stopped by another deployment"); err != nil {
		return nil, err
	}
	return d.Deploy(ctx, r)
}

func (d *Deployer) deploy(ctx context.Context, given *Revision) (*Revision, error) {
	active, _ := d.Active(given.Stack)
	r, err := d.complete(given, active)
	if err != nil {
		return nil, err
	}
	if err := d.validate(r); err != nil {
		return nil, err
	}
	if err := d.trusted(ctx, r); err != nil {
		return nil, err
	}
	d.files.RLock()
	defer d.files.RUnlock()
	if err := d.fetch(ctx, r); err != nil { // takes long; others may deploy meanwhile
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.busy(r.Stack); err != nil {
		return nil, err
	}
	old, at, err := d.pointed(ctx, r.Stack)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return nil, err
	}
	if old != nil && old.Owner != r.Owner {
		return nil, Foreign(old)
	}
	if r, err = d.completeAgain(given, r, old); err != nil { // beside what others have deployed
		return nil, err
	}
	if err := d.validate(r); err != nil { // likewise
		return nil, err
	}
	return d.activate(ctx, old, at, r.over(old))
}

// over is r with what calls of the AWS API have added to functions that stay: who
// else may call them, and tags; and with what is never to be given again.
func (r *Revision) over(old *Revision) *Revision {
	if old == nil {
		return r
	}
	next := *r
	next.LastLayers = lastLayers(old, r)
	next.APIs = r.stages(old)
	next.Functions = slices.Clone(r.Functions)
	for i := range next.Functions {
		f := &next.Functions[i]
		j := slices.IndexFunc(old.Functions, func(was function.Function) bool { return was.Name == f.Name })
		if j < 0 {
			continue
		}
		f.Policies = r.policies(old, *f, old.Functions[j])
		if f.Tags == nil {
			f.Tags = old.Functions[j].Tags
		}
	}
	return &next
}

// Remove takes a stack down. Its buckets and their objects stay.
func (d *Deployer) Remove(ctx context.Context, stack string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, _, err := d.pointed(ctx, stack)
	if err != nil {
		return err
	}
	if err := d.Rooms.Networks.Admit(stack, network.Model{}, d.uses(&Revision{Stack: stack})); err != nil {
		return fmt.Errorf("remove %s: its networks are in use: %w", stack, err)
	}
	if err := d.stacks.Delete(ctx, stack); err != nil {
		return fmt.Errorf("remove %s: %w", stack, err)
	}
	d.remember(stack, nil)
	err = errors.Join(d.apply(ctx, old, &Revision{Stack: stack}), d.forget(ctx, stack, "*"))
	if d.ledger(stack) != nil {
		err = errors.Join(err, d.keep(ctx, stack, nil))
	}
	d.Log.Info("removed", "stack", stack, "err", err)
	return err
}

// apply moves every room from old (nil: nothing) to next. While callers are being
// switched, functions of both revisions exist, so that no request finds a route
// to a function that is gone or not there yet.
func (d *Deployer) apply(ctx context.Context, old, next *Revision) error {
	var before []function.Function
	if old != nil {
		before = old.Functions
	}
	both := union(next.Functions, before)
	if err := d.connect(old, next); err != nil {
		return err
	}
	if err := d.Rooms.Roles.Replace(next.Stack, permissions(next, old, both)); err != nil {
		return fmt.Errorf("roles: %w", err)
	}
	if err := d.settle(ctx, old, next); err != nil {
		return err
	}
	if err := d.Rooms.Functions.Replace(next.Stack, both); err != nil {
		return fmt.Errorf("functions: %w", err)
	}
	if err := d.Rooms.Functions.PublishChanged(ctx, next.Stack); err != nil { // before a route names a version
		return fmt.Errorf("functions: %w", err)
	}
	if err := d.alias(ctx, next); err != nil {
		return err
	}
	if err := d.Rooms.Queues.Replace(ctx, next.Stack, next.Queues, next.Mappings); err != nil {
		return fmt.Errorf("queues: %w", err)
	}
	if err := d.Rooms.Topics.Replace(ctx, next.Stack, next.Topics, next.Subscriptions); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	if err := d.Rooms.Buses.Replace(next.Stack, next.Buses, next.Rules); err != nil {
		return fmt.Errorf("event buses: %w", err)
	}
	if err := d.Rooms.Buckets.Replace(next.Stack, next.Notifications); err != nil {
		return fmt.Errorf("bucket events: %w", err)
	}
	if err := d.Rooms.Gateway.Replace(next.Stack, next.APIs, next.APIKeys, next.UsagePlans); err != nil {
		return fmt.Errorf("APIs: %w", err)
	}
	if err := d.Rooms.Edge.Replace(next.Stack, next.Distributions); err != nil {
		return fmt.Errorf("distributions: %w", err)
	}
	if err := d.Rooms.Schedules.Replace(ctx, next.Stack, next.Schedules); err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	if len(both) > len(next.Functions) {
		if err := d.Rooms.Roles.Replace(next.Stack, permissions(next, nil, next.Functions)); err != nil {
			return fmt.Errorf("roles: %w", err)
		}
		if err := d.Rooms.Functions.Replace(next.Stack, next.Functions); err != nil {
			return fmt.Errorf("functions: %w", err)
		}
	}
	return d.Rooms.Networks.Replace(next.Stack, next.Network)
}

// connect makes the networks of next, beside what old had more: its functions are
// still there. Where both cannot be, those of next are all.
func (d *Deployer) connect(old, next *Revision) error {
	if old != nil && !old.Network.Empty() && d.Rooms.Networks.Replace(next.Stack, next.Network.Over(old.Network)) == nil {
		return nil
	}
	return d.Rooms.Networks.Replace(next.Stack, next.Network)
}

// revert points the stack back at old after next could not be applied.
func (d *Deployer) revert(ctx context.Context, next, old *Revision) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if old == nil {
		err, old = d.stacks.Delete(ctx, next.Stack), &Revision{Stack: next.Stack}
	} else {
		_, err = d.stacks.PutString(ctx, next.Stack, old.ID)
	}
	if err == nil {
		err = d.forget(ctx, next.Stack, next.ID)
	}
	return errors.Join(err, d.apply(ctx, next, old))
}

// pointed returns the stack's active revision and the pointer's sequence.
func (d *Deployer) pointed(ctx context.Context, stack string) (*Revision, uint64, error) {
	entry, err := d.stacks.Get(ctx, stack)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, 0, fault.Errorf(fault.NotFound, "stack %q is not deployed", stack)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the pointer of %s: %w", stack, err)
	}
	rev, err := d.read(ctx, stack, string(entry.Value()))
	if err != nil {
		return nil, 0, err
	}
	return rev, entry.Revision(), nil
}

// read returns a revision that is stored.
func (d *Deployer) read(ctx context.Context, stack, id string) (*Revision, error) {
	rev, err := d.stored(ctx, stack, id)
	if err != nil {
		return nil, err
	}
	if err := d.open(ctx, rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	return rev, nil
}

// stored is a revision as it is stored: its environments stay sealed.
func (d *Deployer) stored(ctx context.Context, stack, id string) (*Revision, error) {
	doc, err := d.revisions.Get(ctx, stack+"."+id)
	if err != nil {
		return nil, fmt.Errorf("read revision %s of %s: %w", id, stack, err)
	}
	rev := new(Revision)
	if err := json.Unmarshal(doc.Value(), rev); err != nil {
		return nil, fmt.Errorf("revision %s of %s: %w", id, stack, err)
	}
	return rev, nil
}

func (d *Deployer) write(ctx context.Context, r, old *Revision) error {
	stored, err := d.seal(ctx, r, old)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(stored)
	if err != nil {
		return err
	}
	if _, err := d.revisions.Create(ctx, r.Stack+"."+r.ID, doc); err != nil {
		return fault.Errorf(fault.Unavailable, "write revision %s of %s: %w", r.ID, r.Stack, err)
	}
	return nil
}

// point moves the pointer from the state at sequence at; 0 when there is none.
func (d *Deployer) point(ctx context.Context, stack, id string, at uint64) error {
	var err error
	if at == 0 {
		_, err = d.stacks.Create(ctx, stack, []byte(id))
	} else {
		_, err = d.stacks.Update(ctx, stack, []byte(id), at)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return fault.Errorf(fault.Conflict, "stack %s was deployed by somebody else meanwhile; deploy again", stack)
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, "activate %s: %w", stack, err)
	}
	return nil
}

func (d *Deployer) remember(stack string, r *Revision) {
	next := map[string]*Revision{}
	for k, v := range *d.active.Load() {
		next[k] = v
	}
	next[stack] = r
	if r == nil {
		delete(next, stack)
	}
	d.active.Store(&next)
}

func newID(t time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return idAt(t) + hex.EncodeToString(b[:])
}

// idAt is what the ids of revisions of a moment begin with.
func idAt(t time.Time) string {
	// KV keys take no colon, and a dot would part the key
	t = t.UTC()
	return t.Format("20060102T150405") + fmt.Sprintf("%03d", t.Nanosecond()/1e6) + "Z-"
}

// union is first, then those of second that first does not name.
func union(first, second []function.Function) []function.Function {
	all := append([]function.Function(nil), first...)
	have := map[string]bool{}
	for _, f := range first {
		have[f.Name] = true
	}
	for _, f := range second {
		if !have[f.Name] {
			all = append(all, f)
		}
	}
	return all
}
