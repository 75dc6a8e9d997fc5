package function

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/trace"
)

// Invoker holds the deployed functions and runs them.
type Invoker struct {
	Pool         *instance.Pool
	Streams      jetstream.JetStream // of the durable server
	Log          *slog.Logger
	ArtifactRoot string // has a directory per artifact, named by its SHA-256, unpacked
	MountRoot    string // gets a directory STACK/NAME per mount
	Region       string
	Endpoint     string // AWS_ENDPOINT_URL of functions
	LayerRoot    string // has a directory per list of layers, merged, named by build.LayersID
	CacheRoot    string // gets a directory per function whose runtime keeps compiled code; "": none do
	// Credentials gives an instance of a function keys of its role, and says when
	// they expire; never is the zero time.
	Credentials func(fn Function, instance string) (instance.Credentials, time.Time, error)
	// Secrets resolves the parameters that a function wants in its environment, each
	// time an instance starts. Optional: then functions that want some do not start.
	Secrets func(ctx context.Context, fn Function) (map[string]string, error)
	// Sealer encrypts the environments of published versions where they are stored.
	Sealer Sealer
	// Managed says how to start a function of a managed runtime (nodejs…). Optional:
	// then there are none.
	Managed func(fn Function) (Start, error)
	// Isolated is an error, which names what is missing, unless functions are kept apart
	// as one asks for that is not to run below a level. Optional: then they are.
	Isolated func(least string) error
	// Publish hands dead letters to the topics that functions name. Optional: then
	// they are kept in the dead-letter stream only.
	Publish func(ctx context.Context, topicARN string, body []byte, attributes map[string]string) error
	// Send puts a message into a queue that functions name; of two with an id the
	// second is dropped. Optional: then there are no queues.
	Send func(ctx context.Context, queueARN, id, body string, attributes map[string]string) error
	// Recorder measures. Optional: then nobody does.
	Recorder Recorder
	// Traces takes a span of each invocation. Optional: then traces pass through.
	Traces *trace.Traces

	RetryDelays []time.Duration // after failures of the function; nil: 1 and 2 minutes
	MaxEventAge time.Duration   // of events that cannot be run; 0: 6 hours
	Limit       int             // of concurrent invocations; 0: MaxConcurrency
	Rand        func() float64  // 0-1, for aliases with weights; nil: math/rand
	AckWait     time.Duration   // a crash redelivers after this; 0: 10 seconds
	DrainGrace  time.Duration   // for deliveries under way at a shutdown; 0: 10 seconds

	table   atomic.Pointer[table]
	replace sync.Mutex // one change of what is deployed or published at a time
	kv      jetstream.KeyValue
	kept    map[string]reserve // by Config.ID
	running atomic.Int64       // of functions without reserved concurrency
	changed chan struct{}      // guarded by opening; signals Run
	opening sync.Mutex
	opened  *queues
}

// table is all that is deployed, at one moment.
type table struct {
	functions  map[string]*entry     // by name
	published  map[string]*published // by name of the function
	unreserved int                   // concurrent invocations left for functions without a reservation
}

// entry is a function ready to run.
type entry struct {
	Function
	config  instance.Config
	running *atomic.Int64 // shared by all versions of the name
	tally   tally
}

func (i *Invoker) snapshot() *table {
	if t := i.table.Load(); t != nil {
		return t
	}
	return &table{}
}

// Replace makes fns the functions of a stack, in place of those it had; none
// removes it. Invocations under way finish on what they began with. An error
// changes nothing. Call it for every stack before Run: queued events of functions
// that are unknown then become dead letters.
func (i *Invoker) Replace(stack string, fns []Function) error {
	i.replace.Lock()
	defer i.replace.Unlock()
	old := i.snapshot()
	next := &table{functions: map[string]*entry{}, published: old.published}
	for name, e := range old.functions {
		if e.Stack != stack {
			next.functions[name] = e
		}
	}
	for _, fn := range fns {
		fn.Stack = stack
		if other, taken := next.functions[fn.Name]; taken {
			return fault.Errorf(fault.Conflict, "function %s: the name is taken in stack %s", fn.Name, other.Stack)
		}
		e, err := i.prepare(fn)
		if err != nil {
			return fmt.Errorf("function %q: %w", fn.Name, err)
		}
		if was := old.functions[fn.Name]; was != nil {
			e.running = was.running
		}
		next.functions[fn.Name] = e
	}
	if err := i.share(next); err != nil {
		return err
	}
	i.prestart(old, next)
	i.table.Store(next)
	i.tend(next)
	for _, name := range gone(old, next, stack) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := i.unpublish(ctx, name); err != nil {
			i.Log.Error("versions of a removed function stay", "function", name, "err", err)
		}
		cancel()
	}
	i.signal()
	return nil
}

// leastUnreserved is what reservations must leave for everybody else.
const leastUnreserved = 100

// share divides the limit on concurrency between those with a reservation and
// everybody else.
func (i *Invoker) share(t *table) error {
	t.unreserved = i.Limit
	if t.unreserved <= 0 {
		t.unreserved = MaxConcurrency
	}
	least := min(leastUnreserved, t.unreserved)
	for _, e := range t.functions {
		if e.Concurrency != nil {
			t.unreserved -= *e.Concurrency
		}
	}
	if t.unreserved < least {
		return fault.Coded(fault.Invalid, "InvalidParameterValueException",
			"Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [%d].", least)
	}
	return nil
}

// prestart has instances of changed functions ready before they get the traffic:
// as many as the version before has, so that a deployment under load costs nobody
// a cold start.
func (i *Invoker) prestart(old, next *table) {
	var starts sync.WaitGroup
	for name, e := range next.functions {
		was := old.functions[name]
		if was == nil || was.config.ID == e.config.ID {
			continue
		}
		if n := min(i.Pool.Ready(was.config.ID), 2*runtime.GOMAXPROCS(0)); n > 0 {
			starts.Go(func() { i.Pool.Prestart(e.config, n) })
		}
	}
	starts.Wait()
}

func (i *Invoker) prepare(fn Function) (*entry, error) {
	if err := Check(fn); err != nil {
		return nil, err
	}
	if err := i.isolated(fn); err != nil {
		return nil, err
	}
	dir := filepath.Join(i.ArtifactRoot, fn.Artifact)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fault.Errorf(fault.Invalid, "artifact %s is not unpacked in %s: deploy it again", fn.Artifact, i.ArtifactRoot)
	}
	c := instance.Config{
		Name: fn.Name, ARN: fn.ARN, Version: fn.Version, Runtime: fn.Runtime, Handler: fn.Handler,
		Dir: dir, MemoryMB: fn.MemoryMB, StorageMB: cmp.Or(fn.StorageMB, minStorage), Timeout: time.Duration(fn.Timeout) * time.Second, Region: i.Region,
		Env: fn.Environment, Endpoint: i.Endpoint, LogGroup: "/aws/lambda/" + fn.Name, User: fn.ARN,
		JSONLogs: fn.LogFormat == "JSON", LogLevel: fn.LogLevel,
	}
	if err := i.equip(&c, fn); err != nil {
		return nil, err
	}
	if fn.Version != Latest && fn.Provisioned > 0 {
		c.InitType = "provisioned-concurrency"
	}
	if fn.VPC != nil {
		c.Subnets, c.Groups = fn.VPC.Subnets, fn.VPC.Groups
	}
	c.Role, c.Secrets = fn.Role, secretNames(fn)
	c.Equip = func(ctx context.Context, id string) (instance.Equipment, error) { return i.settle(ctx, fn, id) }
	if m := fn.Mount; m != nil {
		source := filepath.Join(i.MountRoot, fn.Stack, m.Name)
		if err := os.MkdirAll(filepath.Dir(source), 0o711); err != nil {
			return nil, fmt.Errorf("mount %s: %w", m.Name, err)
		}
		if err := os.Mkdir(source, 0o750); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("mount %s: %w", m.Name, err)
		}
		c.Mounts = []instance.Mount{{Source: source, Path: m.Path}}
		c.User = "mount/" + fn.Stack + "/" + m.Name // as an access point's user: sharers can write each other's files
	}
	id, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(id)
	c.ID = hex.EncodeToString(sum[:])
	return &entry{Function: fn, config: c, running: new(atomic.Int64)}, nil
}

// equip adds the layers and the runtime.
func (i *Invoker) equip(c *instance.Config, fn Function) error {
	if len(fn.Layers) > 0 {
		c.Opt = filepath.Join(i.LayerRoot, build.LayersID(fn.Layers))
		if st, err := os.Stat(c.Opt); err != nil || !st.IsDir() {
			return fault.Errorf(fault.Invalid, "the layers are not unpacked in %s: deploy again", i.LayerRoot)
		}
	}
	if !IsManaged(fn.Runtime) {
		return nil
	}
	if i.Managed == nil {
		return fault.Errorf(fault.Invalid, "runtime %q is not available here", fn.Runtime)
	}
	start, err := i.Managed(fn)
	if err != nil {
		return err
	}
	c.Command, c.Preboot = start.Command, start.Preboot
	c.Env = map[string]string{}
	maps.Copy(c.Env, start.Env)
	maps.Copy(c.Env, fn.Environment)
	if len(start.Prepare) > 0 && i.CacheRoot != "" {
		c.Cache = filepath.Join(i.CacheRoot, CacheName(fn))
		if err := os.MkdirAll(c.Cache, 0o755); err != nil {
			return fmt.Errorf("compile cache: %w", err)
		}
	}
	i.Pool.Stock(*c)
	return nil
}

// CacheName is the name of the directory that compiled code of a function is kept
// in.
func CacheName(fn Function) string {
	id := sha256.Sum256([]byte(fn.ARN + " " + fn.Artifact + " " + build.LayersID(fn.Layers)))
	return hex.EncodeToString(id[:16])
}

// Prepare does what a function's runtime can do ahead of its first start, which
// for Node is to compile. The artifact has to be unpacked, the function need not
// be deployed.
func (i *Invoker) Prepare(ctx context.Context, fn Function) error {
	if !IsManaged(fn.Runtime) || i.Managed == nil {
		return nil
	}
	start, err := i.Managed(fn)
	if err != nil || len(start.Prepare) == 0 {
		return err
	}
	e, err := i.prepare(fn)
	if err != nil {
		return err
	}
	return i.Pool.Prepare(ctx, e.config, start.Prepare...)
}

// Limits of a function's /tmp, in MB.
const minStorage, maxStorage = sandbox.StorageMB, 10240

// Admit is an error if one of the functions could not run here, for what the
// machine lacks.
func (i *Invoker) Admit(fns []Function) error {
	for _, fn := range fns {
		if err := i.isolated(fn); err != nil {
			return fmt.Errorf("function %q: %w", fn.Name, err)
		}
	}
	return nil
}

func (i *Invoker) isolated(fn Function) error {
	if i.Isolated == nil || fn.MinIsolation == "" {
		return nil
	}
	return i.Isolated(fn.MinIsolation)
}

// Check refuses what no function can be.
func Check(fn Function) error {
	switch {
	case !validName.MatchString(fn.Name):
		return fault.Errorf(fault.Invalid, "the name must be 1-140 letters, digits, - or _")
	case fn.MemoryMB < 128 || fn.MemoryMB > 10240:
		return fault.Errorf(fault.Invalid, "memory size %d MB is not between 128 and 10240", fn.MemoryMB)
	case fn.StorageMB != 0 && (fn.StorageMB < minStorage || fn.StorageMB > maxStorage):
		return fault.Errorf(fault.Invalid, "ephemeral storage of %d MB is not between %d and %d", fn.StorageMB, minStorage, maxStorage)
	case fn.MinIsolation != "" && sandbox.Rank(fn.MinIsolation) < 0:
		return fault.Errorf(fault.Invalid, "isolation level %q: there are full, userns, process and none", fn.MinIsolation)
	case fn.Timeout < 1 || fn.Timeout > 900:
		return fault.Errorf(fault.Invalid, "timeout %d s is not between 1 and 900", fn.Timeout)
	case !IsManaged(fn.Runtime) && !slices.Contains([]string{"provided.al2023", "provided.al2", "provided", "go1.x"}, fn.Runtime):
		return fault.Errorf(fault.Invalid, "runtime %q is not supported: use provided.al2023, provided.al2, go1.x or nodejs with a version", fn.Runtime)
	case fn.Artifact == "" || fn.Artifact != filepath.Base(fn.Artifact) || strings.HasPrefix(fn.Artifact, "."):
		return fault.Errorf(fault.Invalid, "artifact %q is not a SHA-256 in hex", fn.Artifact)
	case fn.Runtime == "go1.x" && !filepath.IsLocal(fn.Handler):
		return fault.Errorf(fault.Invalid, "handler %q is not a file of the artifact", fn.Handler)
	case fn.MaxEventAge != 0 && (fn.MaxEventAge < 60 || fn.MaxEventAge > 21600):
		return fault.Errorf(fault.Invalid, "maximum event age %d s is not between 60 and 21600", fn.MaxEventAge)
	case fn.MaxRetries != nil && (*fn.MaxRetries < 0 || *fn.MaxRetries > 2):
		return fault.Errorf(fault.Invalid, "%d retries are not between 0 and 2", *fn.MaxRetries)
	case fn.Mount != nil && !validName.MatchString(fn.Mount.Name):
		return fault.Errorf(fault.Invalid, "mount name %q must be letters, digits, - or _", fn.Mount.Name)
	}
	if err := checkDestinations(fn); err != nil {
		return err
	}
	for name, value := range fn.Environment {
		switch {
		case instance.Reserved(name):
			return fault.Errorf(fault.Invalid, "environment variable %s is reserved", name)
		case !settable(name, value):
			return fault.Errorf(fault.Invalid, "environment variable %q cannot be set: = and NUL are not allowed", name)
		}
	}
	return nil
}

// settable reports whether a process can have a variable.
func settable(name, value string) bool {
	return name != "" && !strings.ContainsAny(name, "=\x00") && !strings.Contains(value, "\x00")
}

// List returns all functions, by name.
func (i *Invoker) List() []Function {
	var list []Function
	for _, e := range i.snapshot().functions {
		list = append(list, e.Function)
	}
	slices.SortFunc(list, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Get finds a function by name, name:qualifier or ARN.
func (i *Invoker) Get(name string) (Function, error) {
	e, _, err := i.find(name)
	if err != nil {
		return Function{}, err
	}
	return e.Function, nil
}

func (i *Invoker) find(s string) (e *entry, qualifier string, err error) {
	name, qualifier, ok := parseName(i.Region, s)
	t := i.snapshot()
	e = t.functions[name]
	if !ok || e == nil {
		return nil, "", notFound(i.Region, s)
	}
	e, err = i.resolve(t, e, qualifier)
	if err == nil && e == nil {
		err = notFound(i.Region, s)
	}
	return e, qualifier, err
}

// Warm starts an instance of a function ahead of its first event.
func (i *Invoker) Warm(ctx context.Context, name string) error {
	e, _, err := i.find(name)
	if err != nil {
		return err
	}
	return i.Pool.Warm(ctx, e.config)
}

// Invoke runs a function and waits for its result. An error means that it did
// not run, or that ctx ended; then it runs on without its caller.
func (i *Invoker) Invoke(ctx context.Context, inv Invocation) (Result, error) {
	e, qualifier, err := i.find(inv.Function)
	if err != nil {
		return Result{}, err
	}
	payload, err := checkPayload(inv, MaxSyncPayload)
	if err != nil {
		return Result{}, err
	}
	release, err := i.admit(e)
	if err != nil {
		if i.Recorder != nil {
			i.Recorder.Throttled(e.Name, e.Version, qualifier)
		}
		return Result{}, err
	}
	id := requestID(inv.ID)
	span := i.Traces.Begin(inv.TraceID, trace.KindFunction, e.Name)
	ev := instance.Event{
		RequestID: id, Payload: payload, ClientContext: inv.ClientContext, TraceID: span.Header(),
		Stream: inv.Stream,
		Ended:  i.measured(e, qualifier, cmp.Or(inv.Trigger, TriggerAPI), release, traced(&span, e.Version, id, inv.Trigger)),
	}
	if qualifier != "" {
		ev.InvokedARN = e.ARN + ":" + qualifier
	}
	out, err := i.Pool.Do(ctx, e.config, ev)
	if err != nil {
		return Result{RequestID: ev.RequestID}, fmt.Errorf("invoke %s: %w", e.Name, err)
	}
	return Result{
		RequestID: ev.RequestID, Payload: out.Payload, Streamed: out.Streamed, FunctionError: out.FunctionError, ErrorType: out.ErrorType,
		ExecutedVersion: e.Version, LogTail: out.LogTail, Duration: out.Duration,
	}, nil
}

func checkPayload(inv Invocation, limit int) ([]byte, error) {
	switch {
	case len(inv.Payload) == 0:
		return []byte("{}"), nil
	case len(inv.Payload) > limit:
		return nil, fault.Coded(fault.TooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", limit)
	case !inv.Marshalled && !json.Valid(inv.Payload):
		return nil, fault.Coded(fault.Invalid, "InvalidRequestContentException", "Could not parse request body into json: the payload is not valid JSON")
	}
	return inv.Payload, nil
}

// admit counts an invocation in, until release is called, or refuses it.
func (i *Invoker) admit(e *entry) (release func(), err error) {
	reserved := i.deployed(e).Concurrency
	counter, limit, reason := &i.running, i.snapshot().unreserved, "ConcurrentInvocationLimitExceeded"
	if reserved != nil {
		counter, limit, reason = e.running, *reserved, "ReservedFunctionConcurrentInvocationLimitExceeded"
	}
	if counter.Add(1) > int64(limit) {
		counter.Add(-1)
		return nil, throttled(reason)
	}
	return func() { counter.Add(-1) }, nil
}

// Throttle is why an invocation was refused with fault.Throttled; errors.As
// finds it, and the wire carries it as Reason.
type Throttle struct{ Reason string }

func (t *Throttle) Error() string { return "Rate Exceeded." }

func throttled(reason string) error {
	return fault.Coded(fault.Throttled, "TooManyRequestsException", "%w", &Throttle{reason})
}
