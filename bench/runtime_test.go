//go:build bench

package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/guest"
	"github.com/dropstack/dropstack/internal/testkit"
)

var event = []byte(`{"version":"2.0","routeKey":"ANY /","rawPath":"/","headers":{"host":"bench-dev.localhost","user-agent":"bench"},"requestContext":{"http":{"method":"GET","path":"/"}},"isBase64Encoded":false}`)

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type nowhere struct{}

func (nowhere) Append(logs.Record) {}

// load is how many callers there are, and how many events run at once, which is
// how many instances there are.
type load struct{ callers, instances int }

func (l load) String() string {
	return fmt.Sprintf("%d at once on %d instance%s", l.callers, l.instances, map[bool]string{true: "s"}[l.instances > 1])
}

var loads = []load{{1, 1}, {1, 4}, {16, 1}, {16, 4}, {16, 16}}

// build compiles the measured function into a directory as an artifact has it.
func build(t *testing.T) string {
	t.Helper()
	dir := testkit.Dir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "bootstrap"), "./echo")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// warmGo compares an invocation on a warm instance with a loop that only hands the
// same event to the same program, over the same protocol, on raw connections.
func warmGo(t *testing.T, dir string) {
	for _, l := range loads {
		got := invoking(t, l, config(dir))
		loops := make(chan *bareLoop, l.instances)
		for range l.instances {
			loops <- startBare(t, dir)
		}
		base := measure(t, l.callers, func(int) error {
			loop := <-loops
			defer func() { loops <- loop }()
			return loop.invoke()
		})
		for range l.instances {
			(<-loops).close()
		}
		compare("Go function, "+l.String(), "bare Runtime API loop", got, base)
	}
}

// invoking measures invocations of a function by a pool of its own.
func invoking(t *testing.T, l load, cfg instance.Config) figure {
	t.Helper()
	pool := &instance.Pool{Log: quiet(), Logs: nowhere{}}
	defer pool.Close()
	pool.Reserve(cfg, l.instances)
	for pool.Ready(cfg.ID) < l.instances {
		time.Sleep(time.Millisecond)
	}
	places := make(chan struct{}, l.instances)
	return measure(t, l.callers, func(int) error {
		places <- struct{}{}
		defer func() { <-places }()
		return do(t, pool, cfg)
	})
}

// cold compares the first invocation of a new version with starting the same
// program as a plain process that ends at once.
func cold(t *testing.T, dir, js string) {
	got := starting(t, config(dir), -1, nil)
	base := plain(t, filepath.Join(dir, "bootstrap"), "exit")
	compare("cold start, Go, level process", "plain exec", got, base)
	node := plain(t, nodePath(t), "-e", "0")
	compare("cold start, Node, level process", "plain node -e 0", starting(t, nodeConfig(t, js), -1, nil), node)
	compare("cold start, Node, from a spare process, level process", "plain node -e 0", starting(t, nodeConfig(t, js), 2, nil), node)
	ready, made := sandboxes(t, 3), sandboxes(t, 0)
	compare("cold start, Go, level full, a sandbox is ready", "plain exec", starting(t, config(dir), -1, ready), base)
	compare("cold start, Go, level full, a sandbox is made", "plain exec", starting(t, config(dir), -1, made), base)
	compare("cold start, Node, level full, from a spare process", "plain node -e 0", starting(t, nodeConfig(t, js), 2, ready), node)
	idle(t, ready)
}

// sandboxes makes sandboxes of level full; so many are ready.
func sandboxes(t *testing.T, ready int) *sandbox.Maker {
	t.Helper()
	m := &sandbox.Maker{TempDir: t.TempDir(), Ready: ready, Log: quiet()}
	if _, err := m.Choose(sandbox.Full); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// idle prints what sandboxes that wait for functions have of the machine's memory:
// what their control groups count, the kernel's memory for them included, and the
// part of it that is their first processes' own.
func idle(t *testing.T, boxes *sandbox.Maker) {
	t.Helper()
	box, err := boxes.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	time.Sleep(100 * time.Millisecond) // it is replaced
	var groups, own []int
	for _, spawner := range children(os.Getpid(), guest.SpawnerName) {
		for _, dir := range children(number(filepath.Base(spawner), ""), guest.Name) {
			status, _ := os.ReadFile(filepath.Join(dir, "status"))
			own = append(own, number(string(status), "RssAnon:")+number(string(status), "VmPTE:"))
			members, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
			for line := range strings.Lines(string(members)) {
				f := strings.SplitN(strings.TrimSpace(line), ":", 3)
				file := filepath.Join("/sys/fs/cgroup", f[2], "memory.current")
				if f[1] == "memory" {
					file = filepath.Join("/sys/fs/cgroup/memory", f[2], "memory.usage_in_bytes")
				}
				if doc, err := os.ReadFile(file); err == nil {
					groups = append(groups, number(string(doc), "")/1024)
				}
			}
		}
	}
	if len(own) == 0 || len(groups) == 0 {
		t.Fatal("no sandbox is idle")
	}
	slices.Sort(own)
	slices.Sort(groups)
	fmt.Printf("| memory of an idle sandbox, level full | | %d KiB | %d KiB | its first process's own: %d KiB | | |\n", groups[len(groups)/2], groups[len(groups)-1], own[len(own)/2])
}

// children are the directories in /proc of a process's children of a name.
func children(pid int, name string) (dirs []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		status, _ := os.ReadFile(filepath.Join(dir, "status"))
		if string(command) == name+"\x00" && number(string(status), "PPid:") == pid {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// number is the one that follows a word.
func number(text, word string) int {
	_, rest, _ := strings.Cut(text, word)
	if f := strings.Fields(rest); len(f) > 0 {
		n, _ := strconv.Atoi(f[0])
		return n
	}
	return 0
}

// starting measures cold starts one after the other. With spares each one waits
// until there are some, as between starts that do not come in a row.
func starting(t *testing.T, cfg instance.Config, spares int, boxes *sandbox.Maker) figure {
	t.Helper()
	pool := &instance.Pool{Log: quiet(), Logs: nowhere{}, Spares: spares, Boxes: boxes}
	defer pool.Close()
	var took []time.Duration
	for n, started := 0, time.Now(); time.Since(started) < period; n++ {
		cfg.ID = fmt.Sprint("cold ", n)
		if boxes != nil {
			time.Sleep(50 * time.Millisecond) // the sandbox that was used is removed, and made again
		}
		if spares > 0 {
			pool.Stock(cfg)
			for pool.Stocked(cfg) < spares {
				time.Sleep(time.Millisecond)
			}
		}
		at := time.Now()
		if err := pool.Warm(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(at))
		pool.Keep(nil)
	}
	return spread(took)
}

func plain(t *testing.T, name string, args ...string) figure {
	t.Helper()
	var took []time.Duration
	for started := time.Now(); time.Since(started) < period; {
		at := time.Now()
		if err := exec.Command(name, args...).Run(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(at))
	}
	return spread(took)
}

// crowd is how many cold starts come at once in a burst.
const crowd = 100

// burst compares a hundred first invocations of a hundred versions at once with
// starting the same programs, as many at a time as the pool starts.
func burst(t *testing.T, dir, js string) {
	for _, c := range []struct {
		what    string
		cfg     instance.Config
		name    string
		command []string
	}{
		{"Go", config(dir), "plain exec", []string{filepath.Join(dir, "bootstrap"), "exit"}},
		{"Node", nodeConfig(t, js), "plain node -e 0", []string{nodePath(t), "-e", "0"}},
	} {
		pool := &instance.Pool{Log: quiet(), Logs: nowhere{}}
		got := atOnce(t, crowd, func(n int) error {
			cfg := c.cfg
			cfg.ID = fmt.Sprint("burst ", n)
			return do(t, pool, cfg)
		})
		if err := pool.Close(); err != nil {
			t.Fatal(err)
		}
		base := atOnce(t, 4, func(int) error {
			for range crowd / 4 {
				if err := exec.Command(c.command[0], c.command[1:]...).Run(); err != nil {
					return err
				}
			}
			return nil
		})
		compare(fmt.Sprintf("%d cold starts at once, %s, all answered", crowd, c.what), fmt.Sprintf("%d × %s, 4 at once", crowd, c.name), got, base)
	}
}

// atOnce is how long n calls at the same time take altogether.
func atOnce(t *testing.T, n int, f func(int) error) figure {
	t.Helper()
	var all sync.WaitGroup
	started := time.Now()
	for i := range n {
		all.Go(func() {
			if err := f(i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return figure{p50: time.Since(started)}
}

func config(dir string) instance.Config {
	return instance.Config{
		ID: "echo", Name: "echo", ARN: "arn:aws:lambda:us-east-1:000000000000:function:echo", Version: "$LATEST",
		Runtime: "provided.al2023", Handler: "echo", Dir: dir, MemoryMB: 128, Timeout: 10 * time.Second, Region: "us-east-1",
		LogGroup: "/aws/lambda/echo",
	}
}

func do(t *testing.T, pool *instance.Pool, cfg instance.Config) error {
	out, err := pool.Do(t.Context(), cfg, instance.Event{RequestID: "8476a536-e9f4-11e8-9739-2dfe598c3fcd", Payload: event})
	if err == nil && out.FunctionError != "" {
		err = errors.New(string(out.Payload))
	}
	return err
}

// bareLoop is the least that speaks the Runtime API.
type bareLoop struct {
	cmd    *exec.Cmd
	listen net.Listener
	conn   net.Conn
	in     *bufio.Reader
	answer []byte
}

func startBare(t *testing.T, dir string) *bareLoop {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bareLoop{listen: l, cmd: exec.Command(filepath.Join(dir, "bootstrap"))}
	// small functions of the platform get GOMAXPROCS=1 too
	b.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(), "GOMAXPROCS=1"}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if b.conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	b.in = bufio.NewReader(b.conn)
	if _, err := b.next(); err != nil { // GET next
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Hour).UnixMilli()
	b.answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"+
		"Lambda-Runtime-Deadline-Ms: %d\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:echo\r\nContent-Length: %d\r\n\r\n%s", deadline, len(event), event)
	return b
}

// next reads one request of the function whole.
func (b *bareLoop) next() (*http.Request, error) {
	r, err := http.ReadRequest(b.in)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r, err
}

// invoke answers the waiting next, reads the response and the next next.
func (b *bareLoop) invoke() error {
	if _, err := b.conn.Write(b.answer); err != nil {
		return err
	}
	if _, err := b.next(); err != nil {
		return err
	}
	if _, err := io.WriteString(b.conn, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"); err != nil {
		return err
	}
	_, err := b.next()
	return err
}

func (b *bareLoop) close() {
	_ = b.conn.Close()
	_ = b.listen.Close()
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}
