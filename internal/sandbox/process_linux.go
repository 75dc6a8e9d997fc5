package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/confine"
)

const (
	maxFiles = 1024
	maxCore  = 0
)

// requests reaches the one thread that forks. Two attributes of a child belong
// to the thread that started it: no_new_privs is inherited from it, and the
// parent-death signal is sent when it ends, even if the platform lives on
// (golang/go#27505). So one thread does nothing else and never ends.
var requests = sync.OnceValue(func() chan request {
	ch := make(chan request)
	go forker(ch)
	return ch
})

type request struct {
	spec     Spec
	path     string // of the spawner, in place of a spec's
	argv     []string
	attr     *os.ProcAttr
	answered chan answer
}

type answer struct {
	process *os.Process
	err     error
}

func forker(ch chan request) {
	runtime.LockOSThread()
	// What whoever started the platform left open is none of the functions' business.
	// Without the call (before Linux 5.11) they get it, as they would from a shell.
	_ = confine.CloseOnExecFrom(3)
	noNewPrivs := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for r := range ch {
		if noNewPrivs != nil {
			r.answered <- answer{nil, fmt.Errorf("set no_new_privs: %w", noNewPrivs)}
			continue
		}
		start := fork
		if r.path != "" {
			start = func(r request) (*os.Process, error) { return os.StartProcess(r.path, r.argv, r.attr) }
		}
		p, err := start(r)
		r.answered <- answer{p, err}
	}
}

// fork starts a process whose limits hold from its first instruction on. They
// belong to a process and not to the thread that forks it, so the child stops at
// the end of its exec, as a traced one does, until it has them.
func fork(r request) (*os.Process, error) {
	argv := append([]string{r.spec.Path}, r.spec.Args...)
	r.attr.Sys.Ptrace = true
	p, err := os.StartProcess(r.spec.Path, argv, r.attr)
	if errors.Is(err, unix.EPERM) { // tracing is switched off here: they come a moment late
		r.attr.Sys.Ptrace = false
		p, err = os.StartProcess(r.spec.Path, argv, r.attr)
	}
	if err != nil {
		return nil, err
	}
	if r.attr.Sys.Ptrace {
		err = ignoreEINTR(func() error { return unix.Waitid(unix.P_PID, p.Pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil) })
	}
	if err == nil {
		err = limitAs(r.attr.Sys.Credential, p.Pid, r.spec)
	}
	if err == nil && r.attr.Sys.Ptrace {
		err = unix.PtraceDetach(p.Pid)
	}
	if err != nil && err != unix.ESRCH { // ESRCH: it is over already, which wait will tell
		_ = p.Kill()
		_, _ = p.Wait()
		return nil, fmt.Errorf("limit the process: %w", err)
	}
	return p, nil
}

func ignoreEINTR(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func spawn(s Spec, stdout, stderr *os.File) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	attr := &os.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: []*os.File{null, stdout, stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	if !s.Unassigned {
		id, err := userOf(s)
		if err != nil {
			return nil, err
		}
		if id != 0 {
			attr.Sys.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}
		}
	}
	r := request{spec: s, attr: attr, answered: make(chan answer, 1)}
	return r.do()
}

func (r request) do() (*os.Process, error) {
	requests() <- r
	a := <-r.answered
	return a.process, a.err
}

// userOf gives a function's directories to its user and returns the id, or 0 if
// it runs as the platform does: without root there is no choice. With root that
// happens when the user cannot reach what it has to run: a function that runs as
// root, said loudly, is better than none on a machine for development, and the
// log line says how to end it.
func userOf(s Spec) (int, error) {
	if os.Geteuid() != 0 {
		return 0, nil
	}
	id := ID(s.User)
	way := []string{s.Path, s.Dir}
	for _, dir := range s.Owns {
		way = append(way, filepath.Dir(dir))
	}
	for _, path := range way {
		if at := closed(path, id); at != "" {
			s.Log.Warn("the function runs as root: its own user cannot reach its files; make the directory searchable (chmod o+x)",
				"function", s.User, "user", id, "path", path, "closed", at)
			return 0, nil
		}
	}
	for _, dir := range s.Owns {
		if err := give(dir, id); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// closed returns the first directory on the way to path that user and group id
// may not search, or "".
func closed(path string, id int) string {
	var way []string
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		way = append(way, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	for i := len(way) - 1; i >= 0; i-- {
		st, err := os.Stat(way[i])
		if err != nil {
			return "" // the start itself reports what is missing
		}
		if !st.IsDir() {
			continue // the start itself reports what cannot be executed
		}
		sys := st.Sys().(*syscall.Stat_t)
		mode := sys.Mode
		switch {
		case int(sys.Uid) == id:
			mode >>= 6
		case int(sys.Gid) == id:
			mode >>= 3
		}
		if mode&1 == 0 {
			return way[i]
		}
	}
	return ""
}

// give makes a directory and all below it belong to a user, unless it does.
func give(dir string, id int) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if int(st.Sys().(*syscall.Stat_t).Uid) == id {
		return nil
	}
	// The directory itself comes last: an interrupted walk is walked again.
	var paths []string
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	for i := len(paths) - 1; i >= 0 && err == nil; i-- {
		err = os.Lchown(paths[i], id, id)
	}
	return err
}

// limitAs limits a process of another user. Root in a container often lacks
// CAP_SYS_RESOURCE; the kernel then allows it to whoever has the same real ids,
// which the forking thread can take for a moment: raw system calls change ids of
// the calling thread only.
func limitAs(c *syscall.Credential, pid int, s Spec) error {
	err := limit(pid, s)
	if c == nil || !errors.Is(err, unix.EPERM) {
		return err
	}
	if err := realIDs(int(c.Uid)); err != nil {
		return err
	}
	err = limit(pid, s)
	if back := realIDs(0); back != nil {
		return back
	}
	return err
}

func realIDs(id int) error {
	const same = ^uintptr(0)
	for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, errno := unix.RawSyscall(call, uintptr(id), same, same); errno != 0 {
			return fmt.Errorf("take the real ids %d: %w", id, errno)
		}
	}
	return nil
}

func limit(pid int, s Spec) error {
	limits := map[int]uint64{unix.RLIMIT_NOFILE: maxFiles, unix.RLIMIT_CORE: maxCore}
	if size := s.fileLimit(); size > 0 {
		limits[unix.RLIMIT_FSIZE] = size
	}
	for what, value := range limits {
		err := unix.Prlimit(pid, what, &unix.Rlimit{Cur: value, Max: value}, nil)
		if err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// wait calls ended between the end of the process and its reaping.
func wait(child *os.Process, ended func()) (*os.ProcessState, error) {
	_ = ignoreEINTR(func() error { return unix.Waitid(unix.P_PID, child.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) })
	ended()
	return child.Wait()
}

func killGroup(pid int, sig syscall.Signal) { _ = syscall.Kill(-pid, sig) }

var pageKB = int64(os.Getpagesize() / 1024)

// residentKB is the resident memory of a process and its descendants.
func residentKB(pid int) int64 {
	dir := "/proc/" + strconv.Itoa(pid)
	statm, err := os.ReadFile(dir + "/statm")
	if err != nil {
		return 0
	}
	var total int64
	if f := strings.Fields(string(statm)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		total = pages * pageKB
	}
	threads, _ := os.ReadDir(dir + "/task")
	for _, t := range threads {
		children, _ := os.ReadFile(dir + "/task/" + t.Name() + "/children")
		for _, c := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(c); err == nil {
				total += residentKB(child)
			}
		}
	}
	return total
}

// peakKB is VmHWM of the process itself.
func peakKB(pid int) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	value, _, _ := bytes.Cut(rest, []byte("kB"))
	kb, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return kb
}
