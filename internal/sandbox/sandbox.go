// Package sandbox starts and ends the processes of functions.
//
// On Linux the level is "process": no new privileges, an unprivileged user when
// the platform runs as root, limits on descriptors and core files, a watchdog
// over memory, and death together with the platform. Elsewhere it is "none", for
// development only.
package sandbox

import (
	"hash/fnv"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Spec says what to run.
type Spec struct {
	Path string   // executable
	Args []string // without the name of the executable
	Env  []string // the whole environment, KEY=value
	Dir  string   // working directory; the user must be able to reach it
	// User is the identity that the process runs as: equal names share an
	// unprivileged user id. It matters only when the platform runs as root; see ID.
	User     string
	Owns     []string // directories that are given to the user before the start
	MemoryMB int      // resident memory at which the process is killed; 0: no limit
	// StorageMB is how much the temporary files may take before the process is killed,
	// where its sandbox has no quota that stops them; 0: no limit.
	StorageMB int
	// Unassigned starts the process as the platform's own user. It may run nothing
	// but our own program until Assign has said whose it is.
	Unassigned bool
	Log        *slog.Logger

	tmp string // the directory whose files StorageMB limits; "": a quota does
}

// Exit is how a process ended.
type Exit struct {
	Status      string // "exit status 1", "signal: killed"
	Code        int    // -1 after a signal
	OutOfMemory bool   // the watchdog killed it
	// OutOfStorage is what it was killed for if it was for its temporary files: "its
	// temporary files take more than 512 MB".
	OutOfStorage string
}

// Process is a running process and everything it has started.
type Process struct {
	// Stdout and Stderr are the reading ends of its pipes. They report EOF once
	// every process that holds them is gone; the caller closes them.
	Stdout, Stderr *os.File
	Pid            int // on this machine; 0 if it ended at once

	guest    *visitor // of the sandbox that it runs in, if it does
	inner    int      // its process id there
	memoryMB atomic.Int64
	busy     atomic.Bool
	peakKB   atomic.Int64
	peakAt   atomic.Int64 // when peakKB was read from the kernel, UnixNano
	oom      atomic.Bool
	counted  bool // a control group limits its memory

	tmp       string // Spec.tmp
	storageMB atomic.Int64
	overfull  atomic.Pointer[string] // Exit.OutOfStorage
	measuring atomic.Bool
	measureAt atomic.Int64 // not before, UnixNano

	mu     sync.Mutex // keeps signals from reaching a pid that was given away
	reaped bool

	done chan struct{}
	exit Exit
}

// Firsts and count of the ids that ID yields. systemd documents the range
// 0x70000000-0x7FFEFFFF as used by nobody.
const (
	firstID = 0x70000000
	countID = 0x0FFE0000
)

// ID is the user and group id of an identity: stable, and different for
// different identities but for an accident of one in 268 million a pair.
func ID(identity string) int {
	h := fnv.New64a()
	h.Write([]byte(identity))
	return firstID + int(h.Sum64()%countID)
}

// Start runs a process. An error means that nothing runs.
func Start(s Spec) (*Process, error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		outR.Close()
		outW.Close()
		return nil, err
	}
	child, err := spawn(s, outW, errW)
	outW.Close()
	errW.Close()
	if err != nil {
		outR.Close()
		errR.Close()
		return nil, err
	}
	p := &Process{
		Stdout: outR, Stderr: errR, Pid: child.Pid,
		tmp: s.tmp, done: make(chan struct{}),
	}
	p.memoryMB.Store(int64(s.MemoryMB))
	p.storageMB.Store(int64(s.StorageMB))
	watch(p)
	go p.reap(child)
	return p, nil
}

func (p *Process) reap(child *os.Process) {
	// The group is killed while its leader is still a zombie: its number cannot
	// belong to anybody else before that.
	state, err := wait(child, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		killGroup(child.Pid, syscall.SIGKILL)
		p.reaped = true
	})
	exit := Exit{Status: "exit status unknown", Code: -1}
	if err == nil {
		exit.Status, exit.Code = state.String(), state.ExitCode()
	}
	p.ends(exit)
}

func (p *Process) ends(exit Exit) {
	unwatch(p)
	p.exit = exit
	p.exit.OutOfMemory = p.oom.Load()
	if why := p.overfull.Load(); why != nil {
		p.exit.OutOfStorage = *why
	}
	close(p.done)
	unwatch(p) // who began to watch in between
}

// Assign makes a process that was started Unassigned that of a function: its
// directories are given away and what it uses is limited. The process has to take
// the user and group id itself; 0 says that it keeps its own.
func (p *Process) Assign(s Spec) (id int, err error) {
	p.storageMB.Store(int64(s.StorageMB))
	if p.guest != nil { // its sandbox has been furnished for the function, and it is nobody else's
		return 0, nil
	}
	if id, err = userOf(s); err != nil {
		return 0, err
	}
	p.memoryMB.Store(int64(s.MemoryMB))
	return id, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns how the process ended, once it has.
func (p *Process) Wait() Exit {
	<-p.done
	return p.exit
}

// Freeze stops the process and its group where they are; Thaw lets them go on.
func (p *Process) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (p *Process) Thaw() { p.signal(syscall.SIGCONT) }

// Kill ends the process and its children at once, without waiting for it.
func (p *Process) Kill() { p.signal(syscall.SIGKILL) }

// Terminate asks the process to end, kills it after grace, and waits.
func (p *Process) Terminate(grace time.Duration) {
	p.signal(syscall.SIGTERM)
	p.signal(syscall.SIGCONT) // a frozen process hears nothing else
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		<-p.done
	}
}

func (p *Process) signal(sig syscall.Signal) {
	if p.guest != nil {
		p.guest.signal(p.inner, sig)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.Pid, sig)
	}
}

// Busy tells the watchdog whether to look closely: ten times a second instead
// of once.
func (p *Process) Busy(busy bool) { p.busy.Store(busy) }

// PeakMB is the most resident memory that the process has had, in MB rounded up;
// 0 when the system does not tell. It may be 100 ms old.
func (p *Process) PeakMB() int {
	now := time.Now().UnixNano()
	if at := p.peakAt.Load(); now-at > int64(interval) && p.peakAt.CompareAndSwap(at, now) {
		p.raise(peakKB(p.Pid))
	}
	mb := int((p.peakKB.Load() + 1023) / 1024)
	if limit := int(p.memoryMB.Load()); limit > 0 && (p.oom.Load() || mb > limit) {
		return limit
	}
	return mb
}

func (p *Process) raise(kb int64) {
	for {
		old := p.peakKB.Load()
		if kb <= old || p.peakKB.CompareAndSwap(old, kb) {
			return
		}
	}
}
