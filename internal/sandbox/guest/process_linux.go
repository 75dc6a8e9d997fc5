package guest

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/confine"
	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// spawn starts processes from a thread of its own. It gives up all that a
// function must not have, for good, and what it starts inherits that. What it may
// write to is known from the first start on, and so is the rest of it.
func (g *guest) spawn() {
	runtime.LockOSThread()
	err := g.confine()
	g.confined <- err
	first := true
	for c := range g.starts {
		g.answer(c, func(c *call, rep *Reply) ([]int, error) {
			if first {
				first = false
				err = g.enclose(c.Start)
			}
			if err != nil {
				return nil, err
			}
			pid, err := g.start(c)
			rep.Pid = pid
			return nil, err
		})
	}
}

// confine prepares the thread. The order matters, of this and what follows: each
// step takes rights away that the one before needed.
func (g *guest) confine() error {
	if g.outside != nil {
		if err := enterMounts(g.inner); err != nil {
			return err
		}
		// The function is user 0 of a namespace with no other: running a program as that
		// must not bring capabilities back.
		const noRoot = 1<<0 | 1<<1 // SECBIT_NOROOT and its lock, capabilities(7)
		if err := kernel.Prctl(kernel.SetSecurebits, noRoot, 0); err != nil {
			return kernel.Failed("take its power from user 0", err)
		}
	}
	if g.plan.Cgroups {
		if err := syscall.Unshare(syscall.CLONE_NEWCGROUP); err != nil {
			return kernel.Failed("leave the view of control groups", err)
		}
	}
	if err := g.limit(); err != nil {
		return err
	}
	if err := confine.DropCapabilities(); err != nil {
		return kernel.Failed("drop capabilities", err)
	}
	return kernel.Failed("set no_new_privs", confine.NoNewPrivs())
}

// limit uses syscall's own call, so that children are not given the old limit of
// descriptors back.
func (g *guest) limit() error {
	for _, l := range []struct {
		doing string
		what  int
		most  uint64
		skip  bool
	}{
		{"limit descriptors", syscall.RLIMIT_NOFILE, uint64(g.plan.Descriptors), false},
		{"limit processes", kernel.LimitProcesses, uint64(g.plan.Processes), g.plan.Processes == 0},
		{"forbid core files", syscall.RLIMIT_CORE, 0, false},
	} {
		if l.skip {
			continue
		}
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return kernel.Failed(l.doing, err)
		}
	}
	return nil
}

// enclose leaves the thread the files and the calls of a function.
func (g *guest) enclose(s *Start) error {
	if s.FileSize > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(s.FileSize), Max: uint64(s.FileSize)}); err != nil {
			return kernel.Failed("limit the size of files", err)
		}
	}
	rules := confine.Rules{ReadExec: []string{"/"}, ReadWrite: s.Write, Scope: true}
	if _, err := confine.Landlock(rules); err != nil {
		return kernel.Failed("confine files", err)
	}
	return kernel.Failed("filter system calls", confine.Filter(g.plan.Filter))
}

func (g *guest) start(c *call) (int, error) {
	s := c.Start
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, kernel.Failed("open "+os.DevNull, err)
	}
	defer syscall.Close(null)
	if len(c.fds) != 2 {
		return 0, errors.New("a process needs two outputs")
	}
	// What the platform may have left open on its way here stays here.
	if err := confine.CloseOnExecFrom(Socket); err != nil {
		return 0, kernel.Failed("close descriptors", err)
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
