package instance

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// instance is one process of a function, its extensions, and what they talk to.
type instance struct {
	cfg     Config
	api     *api
	journal *journal
	proc    *sandbox.Process
	spare   *spare // what proc was before, if it was
	box     *sandbox.Box
	view    view          // the function's, of its files
	grace   time.Duration // of a shutdown with extensions

	stopping  atomic.Bool   // ended by us, for no fault of the function
	polite    atomic.Bool   // SIGTERM comes first, with extensions or without
	ended     chan struct{} // closed when the function's process is gone and all it said is heard
	dead      chan struct{} // closed when all of it is gone
	exit      sandbox.Exit  // valid when ended
	expires   time.Time     // when its credentials are too old for one more event; zero: never
	idleSince time.Time     // guarded by the pool, as is frozen
	frozen    bool
	outputs   sync.WaitGroup
	sidecars  sidecars

	end     sync.Once
	stop    chan struct{} // closed when it is to end
	why     string        // of the end: spindown, timeout or failure; valid when stop is closed
	crashed chan struct{} // closed when an extension has ended by itself
	back    *time.Timer   // ends it if its extensions are late; of whoever runs its event

	iceMu sync.Mutex
	ice   bool // its processes are stopped
}

func newJournal(p *Pool, cfg Config) *journal {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	stream := time.Now().UTC().Format("2006/01/02/") + "[" + cfg.Version + "]" + hex.EncodeToString(id)
	return &journal{
		group: cfg.LogGroup, stream: stream, version: cfg.Version, to: p.Logs,
		json: cfg.JSONLogs, least: levels[cfg.LogLevel],
	}
}

func newInstance(p *Pool, cfg Config, j *journal) (*instance, error) {
	cfg, expires, err := equip(cfg)
	if err != nil {
		return nil, err
	}
	in := &instance{
		cfg: cfg, journal: j, grace: or(p.Grace, shutdownTime), expires: expires,
		ended: make(chan struct{}), dead: make(chan struct{}), stop: make(chan struct{}), crashed: make(chan struct{}),
	}
	if wrapper(cfg) == "" && cfg.StorageMB <= sandbox.StorageMB { // which is to start the runtime itself; more room is for who starts in it
		in.spare = p.claim(cfg)
	}
	if in.spare != nil {
		in.api, in.box = in.spare.api, in.spare.box
	} else {
		if in.api, in.box, err = p.furnish(false); err != nil {
			return nil, err
		}
	}
	if err := in.moveIn(p); err != nil {
		in.api.close()
		if in.spare != nil {
			in.spare.end()
		}
		in.box.Close()
		return nil, unavailable(err)
	}
	in.api.mu.Lock() // a spare talks to it already
	defer in.api.mu.Unlock()
	in.api.arn, in.api.journal, in.api.about = cfg.ARN, j, about{cfg.Name, cfg.Version, cfg.Handler, accountOf(cfg.ARN)}
	in.api.begins = func(f *flight) { j.begin(f.id, f.event.TraceID) }
	in.api.idles = func() { p.put(in) }
	return in, nil
}

// furnish makes what a process needs around it: a sandbox, and in it an API to
// talk to, which is served from now on.
func (p *Pool) furnish(spare bool) (*api, *sandbox.Box, error) {
	box, err := p.boxes().Open()
	if err != nil {
		return nil, nil, unavailable(err)
	}
	a := newAPI(box.API)
	a.dial = box.Dial
	if spare {
		a.booted = make(chan struct{})
	}
	a.serve()
	if box.AWS != nil && p.ServeAWS != nil {
		go p.ServeAWS(box.AWS)
	}
	if box.Names != nil && p.ServeNames != nil {
		go p.ServeNames(box.Names)
	}
	return a, box, nil
}

// moveIn brings the function's files into the sandbox, and its limits and its
// network.
func (in *instance) moveIn(p *Pool) (err error) {
	var runtime, own []sandbox.Mount
	in.view, runtime, own = see(in.cfg, in.box)
	if !in.box.Inside() {
		return nil
	}
	if in.spare == nil { // which has them
		own = append(runtime, own...)
	}
	f := sandbox.Furniture{Mounts: own, MemoryMB: in.cfg.MemoryMB, StorageMB: in.cfg.StorageMB}
	if p.Network != nil {
		if f.Network, err = p.Network(in.cfg, in.journal.stream); err != nil {
			return err
		}
	}
	return in.box.Furnish(f)
}

// accountOf is the account that an ARN names.
func accountOf(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}

// launch starts the extensions and then the function's process, whose end is
// watched from then on. A reply is the function's fault, an error is ours; of
// both nothing is left.
func (in *instance) launch(p *Pool, limit <-chan time.Time) (failed *reply, err error) {
	if failed, err = in.startExtensions(p, limit); failed != nil || err != nil {
		in.takeDown(p, time.Now())
		return failed, err
	}
	proc, err := in.start(p)
	if err != nil {
		in.asked("failure")
		in.takeDown(p, time.Now())
		failed = unstartable(in.cfg, err)
		if failed != nil && wrapper(in.cfg) != "" {
			in.journal.note(in.cfg.inside(err.Error()))
		}
		return failed, unavailable(err)
	}
	in.proc = proc
	in.api.serves(proc)
	in.follow(p, proc, &in.outputs, "function")
	return nil, nil
}

// start starts the function's process, or makes a spare that process.
func (in *instance) start(p *Pool) (*sandbox.Process, error) {
	spec := in.process(p)
	if in.spare != nil {
		err := in.spare.assign(spec)
		if err == nil {
			return in.spare.proc, nil
		}
		p.Log.Warn("a runtime that started ahead cannot be used", "function", in.cfg.ARN, "err", err)
		in.spare.end()
		in.spare = nil
	}
	return in.box.Start(spec)
}

// follow records what a process writes.
func (in *instance) follow(p *Pool, proc *sandbox.Process, group *sync.WaitGroup, kind string) {
	for _, output := range []*os.File{proc.Stdout, proc.Stderr} {
		if err := in.journal.follow(group, output, kind); err != nil {
			p.Log.Error("output of the function is lost", "function", in.cfg.ARN, "err", err)
			output.Close()
		}
	}
}

func (in *instance) process(p *Pool) sandbox.Spec {
	command := entrypoint(in.cfg)
	return in.spec(p, command[0], command[1:], environ(in.view, in.api.listener.Addr().String(), in.journal.stream, in.temp()))
}

// temp is the directory for temporary files as the function knows it.
func (in *instance) temp() string {
	if in.box.Inside() {
		return insideTemp
	}
	return in.box.Tmp
}

// spec is a process of the instance: all run as the same user.
func (in *instance) spec(p *Pool, path string, args, env []string) sandbox.Spec {
	spec := sandbox.Spec{
		Path: in.view.inside(path), Dir: in.view.Dir, User: in.cfg.identity(), Env: env,
		Owns: []string{in.box.Tmp}, MemoryMB: in.cfg.MemoryMB, StorageMB: in.cfg.StorageMB, Log: p.Log,
	}
	for _, arg := range args {
		spec.Args = append(spec.Args, in.view.inside(arg))
	}
	if in.cfg.Cache != "" {
		spec.Owns = append(spec.Owns, in.cfg.Cache)
	}
	for _, m := range in.cfg.Mounts {
		spec.Owns = append(spec.Owns, m.Source)
	}
	return spec
}

// missingEntrypoint is what Lambda says when there is nothing to start.
func missingEntrypoint(cfg Config) *reply {
	path := entrypoint(cfg)[0]
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r := problem("Runtime.InvalidEntrypoint", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]")
	switch {
	case wrapper(cfg) != "":
		r = unwrapped(127)
	case len(cfg.Command) > 0:
		r = problem("Runtime.InvalidEntrypoint", "fork/exec "+path+": no such file or directory")
	case cfg.Runtime == "go1.x":
		r = problem("Runtime.InvalidEntrypoint", "fork/exec /var/task/"+cfg.Handler+": no such file or directory")
	}
	return &r
}

// unwrapped is what the shell that starts a runtime makes of a wrapper that it
// cannot run.
func unwrapped(status int) reply {
	return problem("Runtime.ExitError", fmt.Sprintf("Runtime exited with error: exit status %d", status))
}

// unstartable tells a program that cannot be run from a machine that cannot run
// any more programs.
func unstartable(cfg Config, err error) *reply {
	for _, theirs := range []error{syscall.EACCES, syscall.ENOEXEC, syscall.ENOENT, syscall.EISDIR, syscall.EINVAL, syscall.ENOTDIR} {
		if errors.Is(err, theirs) {
			if wrapper(cfg) != "" {
				r := unwrapped(126)
				return &r
			}
			r := problem("Runtime.InvalidEntrypoint", cfg.inside(err.Error()))
			return &r
		}
	}
	return nil
}

func unavailable(err error) error {
	return fault.Errorf(fault.Unavailable, "start the function: %w", err)
}

// exited words the end of a process as Lambda does.
func exited(e sandbox.Exit) reply {
	if e.OutOfStorage != "" {
		return problem("Runtime.ExitError", "Runtime was ended: "+e.OutOfStorage+", its ephemeralStorageSize")
	}
	if e.Code == 0 {
		return problem("Runtime.ExitError", "Runtime exited without providing a reason")
	}
	return problem("Runtime.ExitError", "Runtime exited with error: "+e.Status)
}

// fate is why the instance has ended: an extension's fault or the process's own
// end.
func (in *instance) fate() reply {
	if crash := in.sidecars.crash(); crash != nil {
		return *crash
	}
	rep := exited(in.exit)
	if fatal := in.api.fatal(); fatal != "" {
		rep = problem(fatal, message(rep))
	}
	return rep
}

// errUndelivered says that an event never reached the function.
var errUndelivered = errors.New("the instance ended before it took the event")

// errLeft says that the caller left; the invocation goes on.
var errLeft = errors.New("the caller left")

// settleTime is how long an event waits for an instance that has answered the
// one before and not asked for the next. A cold start takes longer than that.
const settleTime = 50 * time.Millisecond

// run is one invocation on its way through an instance.
type run struct {
	*instance
	flight  *flight
	start   time.Time
	init    time.Duration
	settle  <-chan time.Time
	timeout *time.Timer
}

// begin hands the event over.
func (in *instance) begin(ev Event, start time.Time, init time.Duration) (*run, error) {
	deadline := start.Add(in.cfg.Timeout)
	if !ev.Deadline.IsZero() && ev.Deadline.Before(deadline) {
		deadline = ev.Deadline
	}
	r := &run{instance: in, start: start, init: init}
	r.flight = &flight{id: ev.RequestID, event: ev, deadline: deadline, result: make(chan reply, 1)}
	in.proc.Busy(true)
	given, err := in.api.begin(r.flight)
	if err != nil {
		in.stopping.Store(true)
		in.proc.Kill()
		return nil, errUndelivered
	}
	if !given {
		r.settle = time.After(settleTime)
	}
	r.timeout = time.NewTimer(time.Until(deadline))
	return r, nil
}

// wait returns the outcome, errUndelivered, or errLeft, after which wait may be
// called again.
func (r *run) wait(left <-chan struct{}) (Outcome, error) {
	for {
		select {
		case rep := <-r.flight.result:
			return r.finish(rep, nil), nil
		case <-r.ended:
			return r.died()
		case <-r.timeout.C:
			return r.timedOut(), nil
		case <-r.settle:
			r.settle = nil
			if r.api.withdraw(r.flight) {
				r.timeout.Stop()
				return Outcome{}, errUndelivered
			}
		case <-left:
			return Outcome{}, errLeft
		}
	}
}

func (r *run) died() (Outcome, error) {
	select {
	case rep := <-r.flight.result: // its last words
		return r.finish(rep, nil), nil
	default:
	}
	if r.api.withdraw(r.flight) {
		r.timeout.Stop()
		return Outcome{}, errUndelivered
	}
	rep := withRequest(r.fate(), r.flight.id)
	out := r.close(rep, []string{message(rep), rep.errorType}, "error")
	if r.stopping.Load() {
		return Outcome{}, fault.Errorf(fault.Unavailable, "the platform stopped the function %s during request %s", r.cfg.Name, r.flight.id)
	}
	return out, nil
}

func (r *run) timedOut() Outcome {
	r.stopping.Store(true)
	r.asked("timeout")
	r.api.withdraw(r.flight)
	rep := timeoutReply(r.flight.id, r.cfg.Timeout)
	return r.close(rep, []string{message(rep)}, "timeout")
}

func timeoutReply(id string, timeout time.Duration) reply {
	return problem("Sandbox.Timedout", fmt.Sprintf("%s %s Task timed out after %.2f seconds",
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), id, timeout.Seconds()))
}

// finish ends an invocation that the function has answered, if with an error.
func (r *run) finish(rep reply, lines []string) Outcome { return r.close(rep, lines, "success") }

// close writes the closing lines and makes the outcome. A process that is about
// to be or was killed has its memory from the watchdog.
func (r *run) close(rep reply, lines []string, status string) Outcome {
	r.timeout.Stop()
	streamed := r.flight.streamed()
	took := time.Since(r.start)
	r.proc.Busy(false)
	how := &report{
		id: r.flight.id, status: status, trace: r.flight.event.TraceID, took: took, init: r.init, produced: rep.size,
		memoryMB: r.cfg.MemoryMB, maxMemMB: r.proc.PeakMB(),
	}
	lost := status != "success"
	if lost {
		how.errorType = publicType(errorType(rep))
	}
	if status == "error" && r.exit.OutOfMemory {
		how.errorType = "Runtime.OutOfMemory"
	}
	tail := r.journal.end(lines, how)
	r.api.conclude(r.journal.closes(how), lost)
	if internal, external := r.api.extended(); internal+external > 0 && !lost {
		r.expectBack()
	}
	out := outcome(rep, took, r.init, how.maxMemMB, tail)
	out.Streamed = streamed
	return out
}

// expectBack ends the instance if its extensions have not come back from the
// invocation by its deadline.
func (r *run) expectBack() {
	in, f := r.instance, r.flight
	if in.back != nil {
		in.back.Stop()
	}
	in.back = time.AfterFunc(time.Until(f.deadline), func() {
		if in.api.lags(f) {
			in.stopping.Store(true)
			in.asked("timeout")
		}
	})
}

func outcome(rep reply, took, init time.Duration, memory int, tail []byte) Outcome {
	out := Outcome{Payload: rep.payload, Duration: took, Init: init, MaxMemoryMB: memory, LogTail: tail}
	if rep.failed {
		out.FunctionError, out.ErrorType = "Unhandled", rep.errorType
		if out.ErrorType == "" {
			out.ErrorType = typeOf(rep.payload)
		}
	}
	return out
}

// typeOf is the errorType of an error object, if it is one.
func typeOf(payload []byte) string {
	var e struct{ ErrorType string }
	_ = json.Unmarshal(payload, &e)
	return e.ErrorType
}

// message is the errorMessage of an error object.
func message(r reply) string {
	var e struct{ ErrorMessage string }
	_ = json.Unmarshal(r.payload, &e)
	return e.ErrorMessage
}

// withRequest adds the request to a message that was worded without one.
func withRequest(r reply, id string) reply {
	return problem(r.errorType, "RequestId: "+id+" Error: "+message(r))
}
