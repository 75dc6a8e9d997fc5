package escape

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"strings"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/cgroup"
	"github.com/dropstack/dropstack/internal/sandbox/escape/probe"
)

// task is where the program of the probe is in the sandbox.
const task = "/var/task"

// Run attacks from inside of a fresh sandbox, which it furnishes and whose owner
// closes it afterwards: nothing else is to run in it. It takes about a second
// without the heavy rows. An error means that nothing is known; what does not hold
// is in the report.
func Run(ctx context.Context, box *sandbox.Box, o Options) (Report, error) {
	if o.MemoryMB == 0 {
		o.MemoryMB = 256
	}
	if o.DiskMB == 0 {
		o.DiskMB = 512
	}
	prog, err := find(box.Inside())
	if err != nil {
		return Report{}, fmt.Errorf("find the program of the probe: %w", err)
	}
	defer prog.done()
	host, err := surround(o.Data, o.Heavy)
	if err != nil {
		return Report{}, fmt.Errorf("make something to attack: %w", err)
	}
	defer host.close()
	w := probe.World{
		Sandboxed: box.Inside(), Heavy: o.Heavy && box.Inside(), Scratch: scratch(box), Task: task,
		MemoryMB: o.MemoryMB, DiskMB: o.DiskMB, Processes: cgroup.PidsMax,
		Secret: host.secret, Host: host.Host,
	}
	if !box.Inside() {
		w.Task = prog.dir
	}
	if o.Other != nil {
		keeper, err := keep(ctx, o.Other, prog, w, o)
		if err != nil {
			return Report{}, fmt.Errorf("start a function in the other sandbox: %w", err)
		}
		defer keeper.end()
		w.Other = &keeper.Other
	}
	said, died, err := prog.attack(ctx, box, w, o)
	if err != nil {
		return Report{}, fmt.Errorf("start the probe: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("the probe was not left to end: %w", err)
	}
	return judge(o.Level, box.Soft(), func(a Assertion) bool { return tried(a, w) }, said, died), nil
}

// scratch is where the probe's temporary files are, as it sees them.
func scratch(box *sandbox.Box) string {
	if box.Inside() {
		return "/tmp"
	}
	return box.Tmp
}

func tried(a Assertion, w probe.World) bool {
	return (w.Heavy || !a.Heavy) && (w.Sandboxed || !a.Unsafe)
}

// furnish makes a sandbox one that the probe runs in.
func (p program) furnish(box *sandbox.Box, o Options) error {
	f := sandbox.Furniture{MemoryMB: o.MemoryMB, StorageMB: o.DiskMB, Mounts: []sandbox.Mount{{Source: p.dir, Path: task}}}
	if o.Network != nil {
		f.Network = *o.Network
	}
	return box.Furnish(f)
}

func (p program) start(box *sandbox.Box, w probe.World, args ...string) (*sandbox.Process, error) {
	doc, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	s := sandbox.Spec{
		Path: path.Join(task, p.name), Args: append([]string{probe.Name}, args...), Dir: "/",
		Env: []string{probe.Variable + "=" + string(doc)}, User: probe.Name,
		Log: slog.New(slog.DiscardHandler), // what the user cannot reach has been copied
	}
	if !box.Inside() {
		s.Path, s.Owns = path.Join(p.dir, p.name), []string{box.Tmp}
	}
	return box.Start(s)
}

// attack runs the probe to its end and returns what it said, and how it died if it
// did not end well.
func (p program) attack(ctx context.Context, box *sandbox.Box, w probe.World, o Options) (said map[string]probe.Result, died string, err error) {
	if err := p.furnish(box, o); err != nil {
		return nil, "", err
	}
	proc, err := p.start(box, w)
	if err != nil {
		return nil, "", err
	}
	defer proc.Stdout.Close()
	stderr := tail(proc)
	stop := context.AfterFunc(ctx, proc.Kill)
	defer stop()
	said = results(proc.Stdout)
	exit := proc.Wait()
	if last := <-stderr; exit.Code != 0 {
		died = ": " + exit.Status + last
	}
	return said, died, nil
}

// tail reads the process's errors to their end, and gives the last line.
func tail(p *sandbox.Process) <-chan string {
	ch := make(chan string, 1)
	go func() {
		defer p.Stderr.Close()
		last := ""
		for lines := bufio.NewScanner(p.Stderr); lines.Scan(); {
			if text := strings.TrimSpace(lines.Text()); text != "" {
				last = ": " + text
			}
		}
		_, _ = io.Copy(io.Discard, p.Stderr) // after a line that is too long
		ch <- last
	}()
	return ch
}

// results reads what the probe says, line by line.
func results(r io.Reader) map[string]probe.Result {
	said := map[string]probe.Result{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var res probe.Result
		if json.Unmarshal(lines.Bytes(), &res) == nil && res.ID != "" {
			said[res.ID] = res
		}
	}
	return said
}

// keeper is the function in the other sandbox.
type keeper struct {
	probe.Other
	proc *sandbox.Process
}

func keep(ctx context.Context, box *sandbox.Box, p program, w probe.World, o Options) (*keeper, error) {
	if err := p.furnish(box, Options{MemoryMB: o.MemoryMB}); err != nil {
		return nil, err
	}
	proc, err := p.start(box, probe.World{Secret: w.Secret, Scratch: scratch(box)}, "keep")
	if err != nil {
		return nil, err
	}
	k := &keeper{proc: proc, Other: probe.Other{Tmp: box.Tmp, Pid: proc.Pid}}
	stderr := tail(proc)
	stop := context.AfterFunc(ctx, proc.Kill)
	defer stop()
	line, err := bufio.NewReader(proc.Stdout).ReadBytes('\n')
	if err != nil {
		k.end()
		return nil, errors.New("it ended" + <-stderr)
	}
	var ready probe.Keeper
	if err := json.Unmarshal(line, &ready); err != nil {
		k.end()
		return nil, err
	}
	k.Port, k.Abstract = ready.Port, ready.Abstract
	return k, nil
}

func (k *keeper) end() {
	k.proc.Kill()
	k.proc.Wait()
	k.proc.Stdout.Close()
}

// program is this program in a directory that sandboxes can mount.
type program struct {
	dir, name string
	done      func()
}

// find takes the directory that the program is in, if a function's user can run it
// there, or else a copy: of a program that is installed for root alone, or that
// has been replaced. What is mounted does not depend on the directories above.
func find(mounted bool) (program, error) {
	exe, err := os.Executable()
	if err != nil {
		return program{}, err
	}
	dir, name := path.Split(exe)
	p := program{dir: path.Clean(dir), name: name, done: func() {}}
	if runnable(exe) && (runnable(p.dir) && mounted || reachable(p.dir)) {
		return p, nil
	}
	if p.dir, err = os.MkdirTemp("", "dropstack-escape-"); err != nil {
		return program{}, err
	}
	p.name, p.done = probe.Name, func() { os.RemoveAll(p.dir) }
	if err := p.copy(); err != nil {
		p.done()
		return program{}, err
	}
	return p, nil
}

func runnable(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode()&0o005 == 0o005
}

// reachable reports whether everybody may search all directories of a path.
func reachable(dir string) bool {
	for ; dir != "/"; dir = path.Dir(dir) {
		if !runnable(dir) {
			return false
		}
	}
	return true
}

func (p program) copy() (err error) {
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path.Join(p.dir, p.name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

func secret() string { return "secret-" + rand.Text() }
