//go:build linux

package sandbox_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

const script = "SANDBOX_TEST_SCRIPT"

// TestMain is also the process that the tests run: a copy of this binary, told
// by a variable what to do.
func TestMain(m *testing.M) {
	if os.Getenv(script) == "eat" {
		eat()
	}
	testkit.BecomeUser()
	os.Exit(m.Run())
}

func eat() {
	for hold := [][]byte{}; ; runtime.KeepAlive(hold) {
		b := make([]byte, 8<<20)
		for i := range b {
			b[i] = 1
		}
		hold = append(hold, b)
		time.Sleep(20 * time.Millisecond)
	}
}

// home is a directory that every user can reach.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func shell(t *testing.T, dir, line string) sandbox.Spec {
	t.Helper()
	return sandbox.Spec{
		Path: "/bin/sh", Args: []string{"-c", line}, Dir: dir, User: "test",
		Env: []string{"PATH=/usr/bin:/bin"}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func start(t *testing.T, s sandbox.Spec) *sandbox.Process {
	t.Helper()
	p, err := sandbox.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill(); p.Wait(); p.Stdout.Close(); p.Stderr.Close() })
	return p
}

func output(t *testing.T, p *sandbox.Process) string {
	t.Helper()
	b, err := io.ReadAll(p.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestExitStatus(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"success":   {"exit 0", "exit status 0"},
		"failure":   {"exit 3", "exit status 3"},
		"by signal": {"kill -KILL $$", "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := start(t, shell(t, home(t), c.line)).Wait().Status; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestProcessIsConfined(t *testing.T) {
	got := output(t, start(t, shell(t, home(t), `ulimit -n; ulimit -c; grep NoNewPrivs /proc/self/status | tr -s '\t' ' '; id -u; id -G`)))
	id, groups := os.Getuid(), "" // what a user without root keeps
	if id == 0 {
		id = sandbox.ID("test")
		groups = fmt.Sprint(id)
	}
	want := fmt.Sprintf("1024\n0\nNoNewPrivs: 1\n%d\n%s", id, groups)
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOwnedDirectoriesBelongToTheUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: only root gives files away")
	}
	dir := home(t)
	if err := os.MkdirAll(filepath.Join(dir, "data", "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := shell(t, dir, "touch data/old/new && stat -c %u data/old/new")
	s.Owns = []string{filepath.Join(dir, "data")}
	if got, want := output(t, start(t, s)), fmt.Sprint(sandbox.ID("test")); got != want {
		t.Errorf("owner got %q, want %q", got, want)
	}
}

func TestClosedDirectoryIsSaid(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: others than root run as themselves anyway")
	}
	dir := home(t)
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := shell(t, dir, "id -u")
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	if got := output(t, start(t, s)); got != "0" {
		t.Errorf("ran as %s, want 0", got)
	}
	if !strings.Contains(log.String(), "runs as root") || !strings.Contains(log.String(), dir) {
		t.Errorf("log does not name %s: %s", dir, log.String())
	}
}

func TestKillTakesTheChildrenAlong(t *testing.T) {
	p := start(t, shell(t, home(t), "sleep 1000 & echo $!; wait"))
	var child int
	if _, err := fmt.Fscan(p.Stdout, &child); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if got, want := p.Wait().Status, "signal: killed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// EOF comes when the last holder of the pipe is gone, the child included.
	if _, err := io.ReadAll(p.Stdout); err != nil {
		t.Error(err)
	}
}

func TestChildrenEndWithTheirParent(t *testing.T) {
	p := start(t, shell(t, home(t), "sleep 1000 & exit 0"))
	if got, want := p.Wait().Status, "exit status 0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := io.ReadAll(p.Stdout); err != nil {
		t.Error(err)
	}
}

func TestTerminate(t *testing.T) {
	for name, c := range map[string]struct{ line, want string }{
		"polite":   {"trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done", "exit status 7"},
		"stubborn": {"trap '' TERM; echo up; while :; do sleep 0.01; done", "signal: killed"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, shell(t, home(t), c.line))
			var up string
			if _, err := fmt.Fscan(p.Stdout, &up); err != nil {
				t.Fatal(err)
			}
			p.Terminate(300 * time.Millisecond)
			if got := p.Wait().Status; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestFrozenProcessCanBeEnded(t *testing.T) {
	p := start(t, shell(t, home(t), "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done"))
	var up string
	if _, err := fmt.Fscan(p.Stdout, &up); err != nil {
		t.Fatal(err)
	}
	p.Freeze()
	p.Terminate(time.Minute)
	if got, want := p.Wait().Status, "exit status 7"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMemoryLimit(t *testing.T) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir := home(t)
	if err := os.WriteFile(filepath.Join(dir, "eater"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	s := shell(t, dir, "./eater") // a child of the shell: the watchdog counts the group
	s.Env = append(s.Env, script+"=eat")
	s.MemoryMB = 128
	p := start(t, s)
	p.Busy(true)
	exit := p.Wait()
	if !exit.OutOfMemory || exit.Status != "signal: killed" {
		t.Errorf("got %+v, want out of memory, signal: killed", exit)
	}
	if got := p.PeakMB(); got != 128 {
		t.Errorf("peak got %d MB, want the limit, 128", got)
	}
}

func TestAssign(t *testing.T) {
	dir := home(t)
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	s := shell(t, dir, "id -u; exec sleep 1000")
	s.Unassigned = true
	p := start(t, s)
	var uid int
	if _, err := fmt.Fscan(p.Stdout, &uid); err != nil || uid != os.Getuid() {
		t.Errorf("unassigned it runs as %d (%v), want %d", uid, err, os.Getuid())
	}
	s.Owns, s.MemoryMB = []string{data}, 1
	got, err := p.Assign(s)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	if os.Getuid() == 0 {
		want = sandbox.ID("test")
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); got != want || want != 0 && owner != want {
		t.Errorf("got user %d and owner %d, want %d", got, owner, want)
	}
	p.Busy(true)
	if exit := p.Wait(); !exit.OutOfMemory {
		t.Errorf("got %+v, want the memory of the function to count", exit)
	}
}

func TestPeak(t *testing.T) {
	p := start(t, shell(t, home(t), "echo up; sleep 1000"))
	var up string
	if _, err := fmt.Fscan(p.Stdout, &up); err != nil {
		t.Fatal(err)
	}
	if got := p.PeakMB(); got < 1 || got > 64 {
		t.Errorf("a shell's peak got %d MB", got)
	}
}

func TestMissingExecutable(t *testing.T) {
	s := shell(t, home(t), "")
	s.Path = "/no/such/file"
	if _, err := sandbox.Start(s); !os.IsNotExist(err) {
		t.Errorf("got %v, want not exist", err)
	}
}

// A platform that is killed leaves nothing behind: this test kills a copy of
// itself that has started a sandboxed process.
func TestNothingOutlivesThePlatform(t *testing.T) {
	if os.Getenv(script) == "platform" {
		p, err := sandbox.Start(shell(t, os.TempDir(), "echo up; exec sleep 1000"))
		if err != nil {
			t.Fatal(err)
		}
		var up string
		fmt.Fscan(p.Stdout, &up)
		fmt.Println("pid", p.Pid)
		select {}
	}
	cmd := exec.Command(os.Args[0], "-test.run=TestNothingOutlivesThePlatform")
	cmd.Env = append(os.Environ(), script+"=platform")
	// The function shares this pipe as its standard output's standard error has
	// none: EOF alone would prove nothing, so the pid is asked.
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscanf(out, "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d outlived the platform", pid)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
