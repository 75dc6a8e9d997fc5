// Package testkit runs the real binary for tests: start it, use it as anybody
// would, kill it.
package testkit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Root is the repository's root, found from the working directory of a test.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no go.mod above the working directory (%v)", err)
	return ""
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dropstack-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "dropstack")
	cmd := exec.Command("go", "build", "-o", bin, "github.com/dropstack/dropstack/cmd/dropstack")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build dropstack: %w\n%s", err, out)
	}
	return bin, nil
})

// Binary builds dropstack once a test process and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Cleanup removes the built binary; call it from TestMain.
func Cleanup() {
	if bin, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(bin))
	}
}

// Dir is a data directory that functions, who run as users of their own, can
// reach; it goes with the test.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dropstack-data-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Platform is a running dropstack.
type Platform struct {
	HTTP    string `json:"http"`
	HTTPS   string `json:"https"`
	AWS     string `json:"aws"`
	Console string `json:"console"`
	Dir     string `json:"data"`
	TookMS  int64  `json:"took_ms"`

	bin    string
	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{}
}

// Start runs `dropstack up` on dir with free ports and waits for its ready line.
// Arguments come after; "--services", "none" starts without the bundled ones.
func Start(t testing.TB, dir string, args ...string) *Platform {
	t.Helper()
	p := &Platform{bin: Binary(t), stderr: &tail{}, exited: make(chan struct{})}
	all := append([]string{
		"up", "--json", "--data", dir, "--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--aws", "127.0.0.1:0", "--console", "127.0.0.1:0",
	}, args...)
	p.cmd = exec.Command(p.bin, all...)
	p.cmd.Dir = Root(t)
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	lines := bufio.NewScanner(out)
	ready := false
	for !ready && lines.Scan() {
		var event struct {
			Event string `json:"event"`
		}
		if json.Unmarshal(lines.Bytes(), &event) == nil && event.Event == "ready" {
			if err := json.Unmarshal(lines.Bytes(), p); err != nil {
				t.Fatal(err)
			}
			ready = true
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	if !ready {
		<-p.exited
		t.Fatalf("dropstack up ended before it was ready: %v\n%s", p.cmd.ProcessState, p.stderr)
	}
	return p
}

// Kill ends the platform at once, as a power cut of the process would.
func (p *Platform) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Stop asks the platform to end and returns its exit code.
func (p *Platform) Stop(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(time.Minute):
		t.Fatalf("the platform did not stop\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// RSS is the platform's resident memory in bytes, without its functions.
func (p *Platform) RSS(t testing.TB) int64 {
	t.Helper()
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(doc)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no VmRSS in /proc")
	return 0
}

// Files is how many files, connections among them, the platform has open.
func (p *Platform) Files(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// CPU is the processor time that the platform has taken, without its functions.
func (p *Platform) CPU(t testing.TB) time.Duration {
	t.Helper()
	d, err := CPU(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// CPU is the processor time that a process has taken.
func CPU(pid int) (time.Duration, error) {
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(doc), ") ") // behind the name, which may have anything in it
	fields := strings.Fields(rest)
	ticks := 0
	for _, i := range []int{11, 12} { // user and system, in hundredths of a second
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// Stacks ends the platform at once, with what each of its goroutines was doing.
func (p *Platform) Stacks(t testing.TB) string {
	t.Helper()
	p.stderr.mu.Lock()
	p.stderr.buf, p.stderr.all = nil, true
	p.stderr.mu.Unlock()
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	defer func() { p.stderr.buf, p.stderr.all = nil, false }()
	return p.stderr.String()
}

// Log is the end of what the platform printed on standard error.
func (p *Platform) Log() string { return p.stderr.String() }

// Run runs another command of the binary against this platform's data directory.
func (p *Platform) Run(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(p.bin, append(args, "--data", p.Dir)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL=")
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// tail keeps the last 64 KB that were written to it, or all.
type tail struct {
	mu  sync.Mutex
	buf []byte
	all bool
}

func (w *tail) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, b...)
	if over := len(w.buf) - 64<<10; over > 0 && !w.all {
		w.buf = w.buf[over:]
	}
	return len(b), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buf)
}
