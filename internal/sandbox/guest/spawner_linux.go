package guest

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"github.com/dropstack/dropstack/internal/sandbox/confine"
	"github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// Namespaces is what a sandbox has of its own, besides control groups, which it
// takes when it is in its group.
const Namespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID |
	syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// spawner is the running spawner. It has one thread that starts processes: they
// are told to end when that thread does (golang/go#27505).
type spawner struct {
	null int
	away []string // how the thread leaves control groups that it could not leave
}

func spawning() int {
	runtime.LockOSThread()
	// Whoever stops the platform's service signals all of its processes, and the
	// platform wants its sandboxes a little longer. Of children nobody is told: the
	// platform has their descriptors.
	if kernel.IgnoreSignals() != nil || confine.NoNewPrivs() != nil {
		return 1
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	s := &spawner{null: null}
	buf, oob := make([]byte, MaxMessage), make([]byte, syscall.CmsgSpace(4*maxFDs))
	for {
		var ask Spawn
		fds, over, err := receive(buf, oob, &ask)
		if err != nil || over {
			return 0 // the platform let go
		}
		rep := Spawned{}
		pidfd := -1
		if rep.Pid, pidfd, err = s.spawn(ask, fds); err != nil {
			rep.Error = err.Error()
		}
		s.answer(rep, pidfd)
		closeAll(fds)
	}
}

func (s *spawner) answer(rep Spawned, pidfd int) {
	var oob []byte
	if pidfd >= 0 {
		oob = syscall.UnixRights(pidfd)
		defer syscall.Close(pidfd)
	}
	for syscall.Sendmsg(Socket, Encode(&rep), oob, nil, syscall.MSG_NOSIGNAL) == syscall.EINTR {
	}
}

func (s *spawner) spawn(ask Spawn, fds []int) (pid, pidfd int, err error) {
	want := 1
	if ask.Group {
		want = 2
	}
	if len(fds) != want {
		return 0, -1, errors.New("descriptors are missing")
	}
	if err := s.back(); err != nil {
		return 0, -1, err
	}
	sys := &syscall.SysProcAttr{
		Cloneflags: Namespaces, Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd,
		Credential:  &syscall.Credential{NoSetGroups: ask.KeepGroups},
		UidMappings: mapped(ask.UIDs), GidMappings: mapped(ask.GIDs), GidMappingsEnableSetgroups: !ask.KeepGroups,
	}
	if ask.Alone {
		sys.Cloneflags, sys.Credential = syscall.CLONE_NEWUSER, nil
	}
	if ask.Group {
		sys.UseCgroupFD, sys.CgroupFD = true, fds[1]
	}
	s.away = ask.Out
	if kernel.JoinGroups(ask.In) != nil { // the platform moves the process then
		_ = s.back()
	}
	null := uintptr(s.null)
	pid, err = syscall.ForkExec("/proc/self/exe", []string{Name}, &syscall.ProcAttr{
		Dir: "/", Env: Environment(), Files: []uintptr{null, null, null, uintptr(fds[0])}, Sys: sys,
	})
	_ = s.back() // or before the next one
	return pid, pidfd, err
}

// back takes the thread out of a sandbox's control groups.
func (s *spawner) back() error {
	err := kernel.JoinGroups(s.away)
	if err == nil {
		s.away = nil
	}
	return kernel.Failed("leave the control groups of a sandbox", err)
}

func mapped(list []IDs) (maps []syscall.SysProcIDMap) {
	for _, i := range list {
		maps = append(maps, syscall.SysProcIDMap{ContainerID: i.Inside, HostID: i.Outside, Size: i.Count})
	}
	return maps
}

// Environment is that of the program when it is a guest or the spawner: they do
// next to nothing.
func Environment() []string { return []string{"GOMAXPROCS=1", "GOGC=off"} }

func closeAll(fds []int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
