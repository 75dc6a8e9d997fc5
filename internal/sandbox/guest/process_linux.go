package guest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/confine"
)

// spawn starts processes from a thread of its own. It gives up all that a
// function must not have, for good, and what it starts inherits that.
func (g *guest) spawn() {
	runtime.LockOSThread()
	confined := error(nil)
	first := true
	for c := range g.starts {
		g.answer(c, func(c *call, rep *Reply) ([]int, error) {
			if first {
				first = false
				confined = g.confine(c.Start)
			}
			if confined != nil {
				return nil, confined
			}
			pid, err := g.start(c)
			rep.Pid = pid
			return nil, err
		})
	}
}

// confine prepares the thread. The order matters: each step takes rights away
// that the one before needed.
func (g *guest) confine(s *Start) error {
	if g.outside != nil {
		if err := enterMounts(g.inner); err != nil {
			return err
		}
		// The function is user 0 of a namespace with no other: running a program as that
		// must not bring capabilities back.
		const noRoot = 1<<0 | 1<<1 // SECBIT_NOROOT and its lock, capabilities(7)
		if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil {
			return fmt.Errorf("take its power from user 0: %w", err)
		}
	}
	if g.built.Cgroups {
		if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
			return fmt.Errorf("leave the view of control groups: %w", err)
		}
	}
	// syscall's own call, so that children are not given the old limit back.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: s.Files, Max: s.Files}); err != nil {
		return fmt.Errorf("limit descriptors: %w", err)
	}
	if s.Procs > 0 {
		if err := syscall.Setrlimit(unix.RLIMIT_NPROC, &syscall.Rlimit{Cur: s.Procs, Max: s.Procs}); err != nil {
			return fmt.Errorf("limit processes: %w", err)
		}
	}
	if s.FileSize > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: s.FileSize, Max: s.FileSize}); err != nil {
			return fmt.Errorf("limit the size of files: %w", err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if err := confine.DropCapabilities(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := confine.NoNewPrivs(); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if s.Lock {
		rules := confine.Rules{ReadExec: []string{"/"}, ReadWrite: s.Write, Scope: true}
		if _, err := confine.Landlock(rules); err != nil {
			return fmt.Errorf("confine files: %w", err)
		}
	}
	if s.Filter {
		if err := confine.LoadFilter(); err != nil {
			return fmt.Errorf("filter system calls: %w", err)
		}
	}
	return nil
}

func (g *guest) start(c *call) (int, error) {
	s := c.Start
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer unix.Close(null)
	if len(c.fds) != 2 {
		return 0, errors.New("a process needs two outputs")
	}
	// What the platform may have left open on its way here stays here.
	if err := confine.CloseOnExecFrom(Socket); err != nil {
		return 0, fmt.Errorf("close descriptors: %w", err)
	}
	attr := &syscall.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: []uintptr{uintptr(null), uintptr(c.fds[0]), uintptr(c.fds[1])},
		Sys: &syscall.SysProcAttr{Setsid: true}, // it cannot join our group, out of reach of signals to its own
	}
	if s.UID != 0 {
		attr.Sys.Credential = &syscall.Credential{Uid: uint32(s.UID), Gid: uint32(s.GID)}
	}
	pid, err := syscall.ForkExec(s.Path, s.Args, attr)
	if err == nil {
		g.started.Signal()
	}
	return pid, err
}
