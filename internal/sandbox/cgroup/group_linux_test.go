package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
	thread "github.com/dropstack/dropstack/internal/sandbox/kernel"
)

// role tells a copy of this binary what to do when it gets a line: nobody may be
// faster than the group that he belongs in.
const role = "CGROUP_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "platform":
		platform()
	case "controls":
		controls()
	}
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	switch os.Getenv(role) {
	case "eat":
		eat()
	case "spin":
		spin()
	case "tick":
		for { // until the reader is gone
			if _, err := os.Stdout.Write([]byte{'.'}); err != nil {
				os.Exit(0)
			}
		}
	}
	os.Exit(0)
}

func eat() {
	for hold := [][]byte{}; ; runtime.KeepAlive(hold) {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		hold = append(hold, b)
	}
}

// spin uses 200 ms of processor time and tells how long that took.
func spin() {
	start := time.Now()
	for cpuTime() < 200*time.Millisecond {
	}
	fmt.Println(cpuTime().Seconds() / time.Since(start).Seconds())
}

func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// platform is one that is killed: it has a group with a process in it.
func platform() {
	tree, err := Open(slog.New(slog.DiscardHandler))
	if err != nil {
		fatal(err)
	}
	g, err := tree.New("orphan")
	if err != nil {
		fatal(err)
	}
	sleep := exec.Command("sleep", "1000")
	sleep.Stdout = os.Stdout // its end is the end of the pipe
	if err := sleep.Start(); err != nil {
		fatal(err)
	}
	if err := g.Add(sleep.Process.Pid); err != nil {
		fatal(err)
	}
	fmt.Println(tree.name)
	select {}
}

// controls tells what a process without rights gets.
func controls() {
	tree, err := Open(slog.New(slog.DiscardHandler))
	if err != nil {
		fatal(err)
	}
	for _, c := range tree.Controls() {
		fmt.Println(c.Name, c.On, c.Reason)
	}
	g, err := tree.New("a")
	if err != nil {
		fatal(err)
	}
	if err := errors.Join(g.Limit(Limits{Memory: 1 << 20, Pids: 1, CPUs: 1}), g.Remove(), tree.Close()); err != nil {
		fatal(err)
	}
	os.Exit(0)
}

func fatal(err error) {
	fmt.Println("error:", err)
	os.Exit(1)
}

// openTree opens a tree that can do what a test needs.
func openTree(t testing.TB, needs ...string) *Tree {
	t.Helper()
	found, err := hierarchies("/")
	if err != nil {
		t.Fatal(err)
	}
	return openWith(t, found, needs...)
}

// eachTree runs a test on what the machine has, and on version 1 alone, as on
// kernels older than the cgroup.freeze and cgroup.kill of version 2.
func eachTree(t *testing.T, control string, test func(*testing.T, *Tree)) {
	found, err := hierarchies("/")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("all", func(t *testing.T) { test(t, openWith(t, found, control)) })
	t.Run("version 1", func(t *testing.T) {
		one := slices.DeleteFunc(slices.Clone(found), func(h hierarchy) bool { return h.version == 2 })
		test(t, openWith(t, one, control))
	})
}

func openWith(t testing.TB, found []hierarchy, needs ...string) *Tree {
	t.Helper()
	tree, err := openIn(found, thisKernel(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range tree.Controls() {
		if slices.Contains(needs, c.Name) && !c.On {
			t.Skipf("not run: control %s is off here: %s", c.Name, c.Reason)
		}
	}
	return tree
}

func newGroup(t testing.TB, tree *Tree, limits Limits) *Group {
	t.Helper()
	g, err := tree.New(strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' {
			return '_'
		}
		return r
	}, t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.Kill(), g.Remove()); err != nil {
			t.Error(err)
		}
	})
	if err := g.Limit(limits); err != nil {
		t.Fatal(err)
	}
	return g
}

// child is a process that waits for its line.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *os.File // EOF when all who have inherited it are gone
}

func start(t testing.TB, env string, argv ...string) *child {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(argv[0], argv[1:]...), out: r}
	c.Env = append(os.Environ(), role+"="+env)
	c.Stdout = w
	if c.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		r.Close()
		if c.ProcessState == nil {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	return c
}

// run puts a process into a group and lets it go.
func run(t testing.TB, g *Group, env string, argv ...string) *child {
	t.Helper()
	c := start(t, env, argv...)
	if err := g.Add(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	c.release(t)
	return c
}

func (c *child) release(t testing.TB) {
	t.Helper()
	if _, err := io.WriteString(c.in, "go\n"); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryBombDies(t *testing.T) {
	const limit = 64 << 20
	tree := openTree(t, Memory)
	g := newGroup(t, tree, Limits{Memory: limit})
	killed, err := g.Watch()
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := g.OOMKills(); n != 0 || !ok {
		t.Errorf("before: %d kills, %v, want 0 and that they are counted", n, ok)
	}
	c := run(t, g, "eat", os.Args[0])
	<-killed
	err = c.Wait()
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v, want a kill", err)
	}
	if n, _ := g.OOMKills(); n < 1 {
		t.Errorf("got %d kills, want one at least", n)
	}
	if peak, ok := g.Peak(); !ok || peak < limit/2 || peak > limit {
		t.Errorf("got a peak of %d, %v, want about %d", peak, ok, limit)
	}
}

func TestLimitsMayRiseAndFall(t *testing.T) {
	tree := openTree(t, Memory, CPU, Pids)
	g := newGroup(t, tree, Limits{Memory: 64 << 20, CPUs: 1, Pids: 10})
	for _, l := range []Limits{
		{Memory: 512 << 20, CPUs: 4, Pids: 1000},
		{Memory: 32 << 20, CPUs: 0.01, Pids: 1},
		{},
		{Memory: 64 << 20, CPUs: 1, Pids: 10},
	} {
		if err := g.Limit(l); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
		for _, d := range g.dirs {
			for file, want := range map[string]int64{
				memoryLimit: l.Memory, memswLimit: l.Memory, "memory.max": l.Memory, "pids.max": int64(l.Pids), "cpu.cfs_quota_us": quota(l.CPUs),
			} {
				// No limit is "max", -1 or a number too large for any machine.
				if got, ok := number(d.file(file)); ok && want != 0 && got != want || ok && want == 0 && got > 0 && got < 1<<60 {
					t.Errorf("%+v: %s is %d", l, d.file(file), got)
				}
			}
		}
	}
}

func TestForkBombStops(t *testing.T) {
	const limit = 20
	tree := openTree(t, Pids)
	g := newGroup(t, tree, Limits{Pids: limit})
	c := run(t, g, "", "sh", "-c", "read go; while :; do sleep 1000 & done 2>/dev/null; exit 3")
	err := c.Wait() // a shell that cannot fork gives up; without a limit this takes for ever
	if err == nil {
		t.Error("it could start as many as it wanted")
	}
	pids, err := g.Pids()
	if err != nil || len(pids) < limit-1 || len(pids) > limit {
		t.Errorf("%d processes, %v, want %d", len(pids), err, limit)
	}
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, c.out); err != nil {
		t.Error(err)
	}
}

func TestProcessorTimeIsLimited(t *testing.T) {
	const share = 0.2
	tree := openTree(t, CPU)
	g := newGroup(t, tree, Limits{CPUs: share})
	c := run(t, g, "spin", os.Args[0])
	text, err := io.ReadAll(c.out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil {
		t.Fatal(err)
	}
	if got > 2*share { // on a busy machine it may be much less
		t.Errorf("it had %.2f of a processor, want %.2f", got, share)
	}
	d, _ := g.with(CPU)
	stat, err := os.ReadFile(d.file("cpu.stat"))
	if n, _ := keyed(string(stat), "nr_throttled"); err != nil || n == 0 {
		t.Errorf("it was never held back: %v\n%s", err, stat)
	}
	t.Logf("share %.2f, used %.3f", share, got)
}

func TestFreezeAndThaw(t *testing.T) { eachTree(t, Freezer, testFreezeAndThaw) }

func testFreezeAndThaw(t *testing.T, tree *Tree) {
	g := newGroup(t, tree, Limits{})
	c := run(t, g, "tick", os.Args[0])
	buf := make([]byte, 64<<10)
	for range 3 {
		if _, err := c.out.Read(buf); err != nil {
			t.Fatal(err)
		}
		if err := g.Freeze(); err != nil {
			t.Fatal(err)
		}
		drain(t, c.out, buf)
		if err := c.out.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.out.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("frozen, it wrote %d bytes, %v", n, err)
		}
		if err := c.out.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		if err := g.Thaw(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.out.Read(buf); err != nil {
			t.Fatalf("thawed: %v", err)
		}
	}
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(); err != nil {
		t.Fatalf("kill frozen ones: %v", err)
	}
	drain(t, c.out, buf)
	if _, err := c.out.Read(buf); err != io.EOF {
		t.Errorf("got %v, want the end", err)
	}
}

// drain empties a pipe: what fits into it was written before.
func drain(t *testing.T, pipe *os.File, buf []byte) {
	t.Helper()
	raw, err := pipe.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for n := 1; n > 0; {
			n, _ = unix.Read(int(fd), buf)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// bloodline starts processes that leave their session, lose their parents and
// ignore every signal that can be ignored.
const bloodline = `read go
trap '' TERM HUP INT QUIT
for i in 1 2 3; do
	setsid sh -c 'sleep 1000 & (setsid sleep 1000 &) ; exec sleep 1000' &
done
sleep 1000 &
echo ready
wait`

func TestKillEndsAll(t *testing.T) { eachTree(t, Kill, testKillEndsAll) }

func testKillEndsAll(t *testing.T, tree *Tree) {
	g := newGroup(t, tree, Limits{})
	c := run(t, g, "", "sh", "-c", bloodline)
	if _, err := io.ReadFull(c.out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, c.out); err != nil { // ends when the last one has
		t.Error(err)
	}
	if pids, err := g.Pids(); err != nil || len(pids) > 0 {
		t.Errorf("left: %v, %v", pids, err)
	}
	_ = c.Wait()
}

func TestBornInTheGroup(t *testing.T) {
	tree := openTree(t, Kill)
	g := newGroup(t, tree, Limits{})
	fd, ok := g.FD()
	if !ok {
		t.Skip("not run: no version 2 hierarchy is mounted and writable here")
	}
	c := exec.Command("sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pids, err := g.Pids()
	if err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
		t.Errorf("got %v, %v, want %d", pids, err, c.Process.Pid)
	}
	if err := g.Add(c.Process.Pid); err != nil {
		t.Error(err)
	}
	for _, d := range g.dirs {
		if pids, err := processes(d.path); err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
			t.Errorf("%s has %v, %v", d.path, pids, err)
		}
	}
	if err := g.Kill(); err != nil {
		t.Error(err)
	}
	_ = c.Wait()
	if err := g.Add(c.Process.Pid); fault.KindOf(err) != fault.NotFound {
		t.Errorf("add one that is gone: got %v, want not found", err)
	}
	for _, pid := range []int{0, -1, os.Getpid()} {
		if err := g.Add(pid); fault.KindOf(err) != fault.Invalid {
			t.Errorf("add %d: got %v, want that it is invalid", pid, err)
		}
	}
}

// TestBornWhereTheThreadIs: a thread joins, starts a process, and is back where
// the rest of this program is.
func TestBornWhereTheThreadIs(t *testing.T) {
	g := newGroup(t, openTree(t, Kill), Limits{})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	where := func() string {
		text, err := os.ReadFile("/proc/thread-self/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := where()
	in, out := g.Tasks()
	if len(in) == 0 {
		t.Skip("not run: no hierarchy of version 1 is mounted and writable here")
	}
	if err := thread.JoinGroups(in); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sleep", "1000")
	started := c.Start()
	if err := thread.JoinGroups(out); err != nil {
		t.Fatal(err)
	}
	if started != nil {
		t.Fatal(started)
	}
	if after := where(); after != before {
		t.Errorf("the thread is in\n%s, was in\n%s", after, before)
	}
	for _, d := range g.dirs {
		if d.version == 2 { // which FD is for
			continue
		}
		if pids, err := processes(d.path); err != nil || !slices.Equal(pids, []int{c.Process.Pid}) {
			t.Errorf("%s has %v, %v, want %d", d.path, pids, err, c.Process.Pid)
		}
	}
	if err := errors.Join(g.Add(c.Process.Pid), g.Kill()); err != nil {
		t.Error(err)
	}
	_ = c.Wait()
}

func TestWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not run: only root can become somebody else")
	}
	c := exec.Command("/proc/self/exe") // the binary's directory is closed to others
	c.Env = append(os.Environ(), role+"=controls")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 5 {
		t.Fatalf("got %q, want five controls", lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, " false ") || !strings.Contains(line, "permission denied: run the platform as a systemd service with Delegate=yes, or as root") {
			t.Errorf("got %q, want it off with the kernel's error and what to do", line)
		}
	}
}

func TestNamesStayInside(t *testing.T) {
	tree := openTree(t)
	for _, name := range []string{"", ".", "..", "a/b", "../x", "cgroup.procs", "memory.max", "a b", "a\n", strings.Repeat("x", 201)} {
		if g, err := tree.New(name); fault.KindOf(err) != fault.Invalid || g != nil {
			t.Errorf("%q: got %v, %v, want that it is invalid", name, g, err)
		}
	}
}
