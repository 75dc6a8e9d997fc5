package probe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// table is all assertions, by theme.
var table = slices.Concat(
	files, written, mounts, processes, memories, users, namespaces, kernel, ports, sockets, neighbours,
	devicesTable, procfs, sysfs, cgroups, ipcs, descriptorTable, limits, heavy,
)

// Assertions returns the table.
func Assertions() []Assertion { return slices.Clone(table) }

func init() {
	if len(os.Args) < 2 || os.Args[1] != Name || os.Getenv(Variable) == "" {
		return
	}
	os.Exit(run(os.Args[2:]))
}

func run(args []string) int {
	open := descriptors() // before anything of ours is open
	w := &world{}
	if err := json.Unmarshal([]byte(os.Getenv(Variable)), &w.World); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", Variable, err)
		return 2
	}
	switch {
	case len(args) == 0:
		w.Open, w.Env = open, os.Environ()
		return w.supervise()
	case args[0] == "worker":
		w.work()
		return 0
	}
	return child(w, args)
}

// descriptors lists what is open besides the three standard ones, without what
// Go's runtime and the listing itself opened.
func descriptors() (list []string) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return []string{"unknown: " + err.Error()}
	}
	for _, n := range names {
		fd, err := strconv.Atoi(n.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + n.Name())
		if err != nil { // the listing's own
			continue
		}
		runtimes := target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" ||
			strings.HasPrefix(target, "/sys/fs/cgroup/") // Go's runtime watches its processors there
		if !runtimes {
			list = append(list, n.Name()+" → "+target)
		}
	}
	return list
}

// patience is how long an attack may take before it is given up: it hangs.
const patience = time.Minute

// supervise has a worker try all rows, and another one go on where one ended.
func (w *world) supervise() int {
	for {
		last, err := w.worker()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if last == "" {
			return 0
		}
	}
}

// worker returns the row that ended the worker, or "" at the end.
func (w *world) worker() (last string, err error) {
	r, out, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	p, err := again(w, &syscall.SysProcAttr{Setpgid: true}, []*os.File{os.Stdin, out, os.Stderr}, "worker")
	out.Close()
	if err != nil {
		return "", err
	}
	timer := time.AfterFunc(patience, func() { _ = p.Kill() })
	defer timer.Stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		outlived(p.Pid)
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		timer.Reset(patience)
		var res Result
		if err := json.Unmarshal(lines.Bytes(), &res); err != nil {
			continue // a runtime's last words
		}
		if res.Begun {
			last = res.ID
			w.Skip = append(w.Skip, last)
			continue
		}
		last = ""
		say(res)
	}
	<-over
	state, err := p.Wait()
	if err != nil {
		return "", err
	}
	if last != "" {
		say(ended(last, state))
	}
	return last, nil
}

// outlived ends what a worker has started and left behind: it would hold the
// worker's output open. The worker itself stays a zombie, so that its number is
// nobody else's.
func outlived(worker int) {
	for unix.Waitid(unix.P_PID, worker, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-worker, unix.SIGKILL)
}

// ended judges a row that ended its worker: the filter of system calls may do that.
func ended(id string, state *os.ProcessState) Result {
	ws, _ := state.Sys().(syscall.WaitStatus)
	if ws.Signaled() && ws.Signal() == unix.SIGSYS {
		return Result{ID: id, State: Holds, Detail: "the process is ended: " + state.String()}
	}
	return Result{ID: id, State: Breach, Detail: "not decided, the probe ended: " + state.String()}
}

func (w *world) work() {
	for _, a := range table {
		if slices.Contains(w.Skip, a.ID) || a.Heavy && !w.Heavy || a.Unsafe && !w.Sandboxed {
			continue
		}
		say(Result{ID: a.ID, Begun: true})
		w.how = ""
		err := on(a.try, w)
		switch {
		case errors.Is(err, errSkip):
			say(Result{ID: a.ID, State: Skipped, Detail: w.how})
		case err != nil:
			say(Result{ID: a.ID, State: Breach, Detail: err.Error()})
		default:
			say(Result{ID: a.ID, State: Holds, Detail: w.how})
		}
	}
}

// say prints a line in one piece.
func say(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		line = []byte(`{}`) // it holds strings
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// again starts this program once more, as a part of the probe.
func again(w *world, attr *syscall.SysProcAttr, files []*os.File, args ...string) (*os.Process, error) {
	doc, err := json.Marshal(w.World)
	if err != nil {
		return nil, err
	}
	return os.StartProcess(program, append([]string{program, Name}, args...), &os.ProcAttr{
		Env: []string{Variable + "=" + string(doc)}, Files: files, Sys: attr, Dir: "/",
	})
}

const program = "/proc/self/exe"

// asChild runs a part of the probe in a process of its own, and returns what it
// printed on its standard output. The error is the one of the start.
func (w *world) asChild(attr *syscall.SysProcAttr, args ...string) (out string, state *os.ProcessState, err error) {
	r, end, err := os.Pipe()
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	p, err := again(w, attr, []*os.File{nil, end, nil}, args...)
	end.Close()
	if err != nil {
		return "", nil, err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return "", nil, err
	}
	state, err = p.Wait()
	return string(text), state, err
}
