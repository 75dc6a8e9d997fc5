package instance

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// instance is one process of a function with its Runtime API.
type instance struct {
	cfg     Config
	api     *api
	journal *journal
	proc    *sandbox.Process
	tmp     string

	stopping  atomic.Bool   // ended by us, for no fault of the function
	dead      chan struct{} // closed when all of it is gone
	exit      sandbox.Exit  // valid when dead
	idleSince time.Time     // guarded by the pool, as is frozen
	frozen    bool
	outputs   sync.WaitGroup
}

func newJournal(p *Pool, cfg Config) *journal {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	stream := time.Now().UTC().Format("2006/01/02/") + "[" + cfg.Version + "]" + hex.EncodeToString(id)
	return &journal{group: cfg.LogGroup, stream: stream, to: p.Logs}
}

// launch starts a process. A reply is the function's fault, an error is ours.
func launch(p *Pool, cfg Config, j *journal) (inst *instance, fault *reply, err error) {
	if missing := missingEntrypoint(cfg); missing != nil {
		return nil, missing, nil
	}
	listener, err := p.listen()
	if err != nil {
		return nil, nil, fmt.Errorf("listen for the Runtime API: %w", err)
	}
	tmp, err := os.MkdirTemp(p.TempDir, "dropstack-")
	if err != nil {
		listener.Close()
		return nil, nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	proc, err := sandbox.Start(processOf(p, cfg, listener.Addr(), j.stream, tmp))
	if err != nil {
		listener.Close()
		os.RemoveAll(tmp)
		return nil, unstartable(cfg, err), unavailable(err)
	}
	inst = &instance{
		cfg: cfg, api: newAPI(cfg.ARN, listener), journal: j, proc: proc, tmp: tmp,
		dead: make(chan struct{}),
	}
	inst.api.begins = func(f *flight) { j.begin(f.id, cfg.Version) }
	inst.api.idles = func() { p.put(inst) }
	for _, output := range []*os.File{proc.Stdout, proc.Stderr} {
		if err := j.follow(&inst.outputs, output); err != nil {
			p.Log.Error("output of the function is lost", "function", cfg.ARN, "err", err)
			output.Close()
		}
	}
	inst.api.serve()
	return inst, nil, nil
}

func processOf(p *Pool, cfg Config, addr net.Addr, stream, tmp string) sandbox.Spec {
	spec := sandbox.Spec{
		Path: entrypoint(cfg), Dir: cfg.Dir, User: cfg.User,
		Env:      environ(cfg, addr.String(), stream, tmp),
		Owns:     []string{tmp},
		MemoryMB: cfg.MemoryMB, Log: p.Log,
	}
	if spec.User == "" {
		spec.User = cfg.ARN
	}
	for _, m := range cfg.Mounts {
		spec.Owns = append(spec.Owns, m.Source)
	}
	return spec
}

func missingEntrypoint(cfg Config) *reply {
	if _, err := os.Stat(entrypoint(cfg)); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	message := "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
	if cfg.Runtime == "go1.x" {
		message = "fork/exec /var/task/" + cfg.Handler + ": no such file or directory"
	}
	r := problem("Runtime.InvalidEntrypoint", message)
	return &r
}

// unstartable tells a program that cannot be run from a machine that cannot run
// any more programs.
func unstartable(cfg Config, err error) *reply {
	for _, theirs := range []error{syscall.EACCES, syscall.ENOEXEC, syscall.ENOENT, syscall.EISDIR, syscall.EINVAL, syscall.ENOTDIR} {
		if errors.Is(err, theirs) {
			r := problem("Runtime.InvalidEntrypoint", strings.ReplaceAll(err.Error(), cfg.Dir, "/var/task"))
			return &r
		}
	}
	return nil
}

func unavailable(err error) error {
	return fault.Errorf(fault.Unavailable, "start the function: %w", err)
}

// watch waits for the end of the process and takes down what belongs to it.
func (in *instance) watch(p *Pool) {
	in.exit = in.proc.Wait()
	// A descendant that left the process group can hold the pipes open.
	late := time.Now().Add(time.Second)
	_ = in.proc.Stdout.SetReadDeadline(late)
	_ = in.proc.Stderr.SetReadDeadline(late)
	in.outputs.Wait()
	in.api.close()
	if err := os.RemoveAll(in.tmp); err != nil {
		p.Log.Warn("remove the instance's temporary directory", "function", in.cfg.ARN, "err", err)
	}
	close(in.dead)
}

// exited words the end of a process as Lambda does.
func exited(e sandbox.Exit) reply {
	if e.Code == 0 {
		return problem("Runtime.ExitError", "Runtime exited without providing a reason")
	}
	return problem("Runtime.ExitError", "Runtime exited with error: "+e.Status)
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
		case <-r.dead:
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
	rep := exited(r.exit)
	line := "RequestId: " + r.flight.id + " Error: " + message(rep)
	out := r.finish(withRequest(rep, r.flight.id), []string{line, rep.errorType})
	if r.stopping.Load() {
		return Outcome{}, fault.Errorf(fault.Unavailable, "the platform stopped the function %s during request %s", r.cfg.Name, r.flight.id)
	}
	return out, nil
}

func (r *run) timedOut() Outcome {
	r.stopping.Store(true)
	r.proc.Kill()
	r.api.withdraw(r.flight)
	rep := timeoutReply(r.flight.id, r.cfg.Timeout)
	return r.finish(rep, []string{message(rep)})
}

func timeoutReply(id string, timeout time.Duration) reply {
	return problem("Sandbox.Timedout", fmt.Sprintf("%s %s Task timed out after %.2f seconds",
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), id, timeout.Seconds()))
}

// finish writes the closing lines and makes the outcome. A process that is about
// to be or was killed has its memory from the watchdog.
func (r *run) finish(rep reply, lines []string) Outcome {
	r.timeout.Stop()
	took := time.Since(r.start)
	r.proc.Busy(false)
	memory := r.proc.PeakMB()
	tail := r.journal.end(lines, report(r.cfg, r.flight.id, took, r.init, memory))
	return outcome(rep, took, r.init, memory, tail)
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

// report is the REPORT line: tab-separated, with a tab at its end. What is
// billed includes the start, in whole milliseconds.
func report(c Config, id string, took, init time.Duration, memory int) string {
	b := make([]byte, 0, 256)
	b = append(append(b, "REPORT RequestId: "...), id...)
	b = appendMS(append(b, "\tDuration: "...), took)
	b = append(b, " ms\tBilled Duration: "...)
	b = strconv.AppendInt(b, int64((took+init+time.Millisecond-1)/time.Millisecond), 10)
	b = append(b, " ms\tMemory Size: "...)
	b = strconv.AppendInt(b, int64(c.MemoryMB), 10)
	b = append(b, " MB\tMax Memory Used: "...)
	b = strconv.AppendInt(b, int64(memory), 10)
	b = append(b, " MB\t"...)
	if init > 0 {
		b = append(appendMS(append(b, "Init Duration: "...), init), " ms\t"...)
	}
	return string(b)
}

// appendMS appends milliseconds with two digits behind the point.
func appendMS(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, float64(d)/float64(time.Millisecond), 'f', 2, 64)
}
