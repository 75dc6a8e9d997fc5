package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropstack/dropstack/internal/alert"
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/edge/accesslog"
	"github.com/dropstack/dropstack/internal/edge/waf"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/monitor"
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
	// Firewall decides by web ACLs; nil only in tests.
	Firewall interface {
		// Admit says what Replace would refuse.
		Admit(stack string, acls []waf.WebACL, sets []waf.IPSet, patterns []waf.RegexPatternSet) error
		Replace(stack string, acls []waf.WebACL, sets []waf.IPSet, patterns []waf.RegexPatternSet) error
	}
	// AccessReaders give functions what the edge has answered; nil only in tests.
	AccessReaders interface {
		Replace(stack string, readers []accesslog.Reader) error
	}
	// LogSources are imported as they come; nil only in tests.
	LogSources interface {
		Replace(stack string, list []ingest.Source) error
	}
	Logs interface {
		Declare(ctx context.Context, groups []logs.Declared) error
	}
	Storage interface {
		SetPolicy(ctx context.Context, bucket, text string) error
		SetCORS(ctx context.Context, bucket string, doc []byte) error
	}
	// Alerts asks rules; nil only in tests.
	Alerts interface {
		Replace(stack string, d *alert.Declared) error
	}
	// Alarms are CloudWatch's; nil only in tests.
	Alarms interface {
		// Admit says what Replace would refuse.
		Admit(stack string, list []alarm.Alarm) error
		Replace(ctx context.Context, stack string, list []alarm.Alarm) error
		// Ringing is those of some alarms, by name or ARN, that are in ALARM.
		Ringing(names []string) []string
	}
	// MetricFilters count log records; nil only in tests.
	MetricFilters interface {
		Replace(stack string, list []alarm.Filter) error
	}
	// Monitors watch URLs; nil only in tests.
	Monitors interface {
		// Admit says what Replace would refuse.
		Admit(stack string, list []monitor.Monitor) error
		Replace(ctx context.Context, stack string, list []monitor.Monitor) error
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
	// Tried is told of every revision that was made active, and with an error of one
	// that could not be and was taken back. old is nil for a stack that is new. It must
	// not wait for long. Optional.
	Tried func(ctx context.Context, old, next *Revision, err error)
	// Removed is told of every stack that was. Optional.
	Removed func(ctx context.Context, stack string)

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
	if err := d.neverActive(ctx); err != nil {
		d.Log.Warn("revisions that a crash has left not removed", "err", err)
	}
	all, err := d.Stacks(ctx)
	if err != nil {
		return err
	}
	revisions, networks := map[string]*Revision{}, map[string]network.Model{}
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

// Stacks names the stacks there are, whether they could be applied or not.
func (d *Deployer) Stacks(ctx context.Context) (names []string, err error) {
	keys, err := d.keys(ctx, "stacks", ">")
	if err != nil {
		return nil, err
	}
	for _, stack := range keys {
		_, err := d.stacks.Get(ctx, stack)
		switch {
		case err == nil:
			names = append(names, stack)
		case !errors.Is(err, jetstream.ErrKeyNotFound): // else it was removed
			return nil, fmt.Errorf("read the pointer of %s: %w", stack, err)
		}
	}
	return names, nil
}

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
func (d *Deployer) Preview(ctx context.Context, r *Revision) (*Diff, error) {
	active, deployed := d.Active(r.Stack)
	r, err := d.complete(ctx, r, active)
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
	r, err := d.complete(ctx, given, active)
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
	if r, err = d.completeAgain(ctx, given, r, old); err != nil { // beside what others have deployed
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
	if err := errors.Join(d.keptExports(&Revision{Stack: stack}), d.keptWebACLs(&Revision{Stack: stack})); err != nil {
		return fmt.Errorf("remove %s: %w", stack, err)
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
	if d.Removed != nil {
		d.Removed(ctx, stack)
	}
	return err
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
