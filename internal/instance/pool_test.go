package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// probeDir holds the compiled probe as bootstrap.
var probeDir string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "probe")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // functions run as users of their own
		panic(err)
	}
	probeDir = dir
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, "bootstrap"), "./testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the probe: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// sink collects log records.
type sink struct {
	mu      sync.Mutex
	records []logs.Record
}

func (s *sink) Append(r logs.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = append(s.records, r)
}

// of returns the messages of a request.
func (s *sink) of(request string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.records {
		if r.Request == request {
			list = append(list, r.Message)
		}
	}
	return list
}

type discard struct{}

func (discard) Append(logs.Record) {}

func probe() Config {
	return Config{
		ID: "probe", Name: "probe", ARN: "arn:aws:lambda:us-east-1:000000000000:function:probe", Version: "$LATEST",
		Runtime: "provided.al2023", Handler: "h", Dir: probeDir, MemoryMB: 128, Timeout: 10 * time.Second,
		Region: "us-east-1", LogGroup: "/aws/lambda/probe",
	}
}

func newPool(t testing.TB) (*Pool, *sink) {
	t.Helper()
	s := &sink{}
	p := &Pool{Log: slog.New(slog.DiscardHandler), Logs: s, TempDir: shared(t)}
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		p.Close()
		nothingLeft(t, p, before)
	})
	return p, s
}

// nothingLeft checks that a closed pool leaves no goroutine behind. The forking
// thread and the watchdog are the sandbox's, and outlive it by design.
func nothingLeft(t testing.TB, p *Pool, before int) {
	t.Helper()
	if len(p.all) != 0 {
		t.Errorf("%d instances left", len(p.all))
	}
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+2 {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
	if left, _ := filepath.Glob(filepath.Join(p.TempDir, "*")); len(left) > 0 {
		t.Errorf("temporary directories left: %v", left)
	}
}

var ids int

func do(t testing.TB, p *Pool, cfg Config, payload string) (Outcome, string) {
	t.Helper()
	ids++
	id := fmt.Sprintf("request-%d", ids)
	out, err := p.Do(t.Context(), cfg, Event{RequestID: id, Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return out, id
}

func decode[T any](t testing.TB, out Outcome) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(out.Payload, &v); err != nil || out.FunctionError != "" {
		t.Fatalf("payload %s (%s): %v", out.Payload, out.FunctionError, err)
	}
	return v
}

type identity struct {
	Pid, Count, Uid int
	Tmp             string
}

func TestEcho(t *testing.T) {
	p, _ := newPool(t)
	for _, payload := range []string{`{"a":[1,2]}`, `"text"`, `null`, `"` + strings.Repeat("long ", 200_000) + `"`} {
		if out, _ := do(t, p, probe(), payload); string(out.Payload) != payload {
			t.Errorf("got %.80s, want %.80s", out.Payload, payload)
		}
	}
}

func TestInstanceIsReused(t *testing.T) {
	p, _ := newPool(t)
	first, _ := do(t, p, probe(), `{"mode":"identity"}`)
	second, _ := do(t, p, probe(), `{"mode":"identity"}`)
	a, b := decode[identity](t, first), decode[identity](t, second)
	if a.Pid != b.Pid || b.Count != 2 {
		t.Errorf("got process %d then %d, run %d", a.Pid, b.Pid, b.Count)
	}
	if first.Init <= 0 || second.Init != 0 {
		t.Errorf("init got %v then %v, want some, then none", first.Init, second.Init)
	}
	if os.Getuid() == 0 && a.Uid == 0 {
		t.Error("the function runs as root")
	}
}

func TestEnvironment(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Env = map[string]string{"STAGE": "dev", "AWS_REGION": "ignored", "TZ": "Europe/Berlin"}
	cfg.Keys = Credentials{"AKID", "secret", ""}
	cfg.Endpoint = "http://127.0.0.1:4566"
	cfg.Mounts = []Mount{{Source: shared(t), Path: "/mnt/data"}}
	out, _ := do(t, p, cfg, `{"mode":"env"}`)
	env := decode[[]string](t, out)
	for _, want := range []string{
		"STAGE=dev", "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1", "TZ=Europe/Berlin", "LANG=en_US.UTF-8",
		"AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=secret", "AWS_ENDPOINT_URL=http://127.0.0.1:4566",
		"_HANDLER=h", "LAMBDA_TASK_ROOT=" + probeDir, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/probe",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "DROPSTACK_MOUNT=" + cfg.Mounts[0].Source, "DROPSTACK_MOUNTS=/mnt/data=" + cfg.Mounts[0].Source,
	} {
		if !slices.Contains(env, want) {
			t.Errorf("missing %s", want)
		}
	}
	all := strings.Join(env, "\n")
	for _, unwanted := range []string{"AWS_EXECUTION_ENV", "AWS_SESSION_TOKEN", "HOME="} {
		if strings.Contains(all, unwanted) {
			t.Errorf("%s is set", unwanted)
		}
	}
	if !regexp.MustCompile(`AWS_LAMBDA_LOG_STREAM_NAME=\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}`).MatchString(all) {
		t.Errorf("no stream name in\n%s", all)
	}
}

func TestContext(t *testing.T) {
	p, _ := newPool(t)
	out, err := p.Do(t.Context(), probe(), Event{
		RequestID: "the-id", Payload: []byte(`{"mode":"context"}`), TraceID: "Root=1-2-3",
		ClientContext: `{"custom":{"k":"v"}}`, InvokedARN: "arn:invoked",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := decode[struct {
		ID, ARN, Trace, Dir string
		Client              map[string]string
		Left                int
	}](t, out)
	if got.Left < 5000 || got.Left > 10000 {
		t.Errorf("time left got %d ms, want up to 10000", got.Left)
	}
	got.Left = 0
	want := got
	want.ID, want.ARN, want.Trace, want.Dir, want.Client = "the-id", "arn:invoked", "Root=1-2-3", probeDir, map[string]string{"k": "v"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGo1x(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Runtime, cfg.Handler = "go1.x", "bootstrap"
	out, _ := do(t, p, cfg, `{"mode":"env"}`)
	if !slices.Contains(decode[[]string](t, out), "AWS_EXECUTION_ENV=AWS_Lambda_go1.x") {
		t.Errorf("got %s", out.Payload)
	}
}

// TestFailures: what the caller sees, and that the next invocation works.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		payload, errorType, message string
		timeout                     time.Duration
		restarted                   bool
	}{
		"handler's error": {payload: `{"mode":"fail"}`, errorType: "errorString", message: `^refused by the handler$`},
		"panic":           {payload: `{"mode":"panic"}`, errorType: "string", message: `^out of ideas$`, restarted: true},
		"exit":            {payload: `{"mode":"exit","n":1}`, errorType: "Runtime.ExitError", message: `^RequestId: request-\d+ Error: Runtime exited with error: exit status 1$`, restarted: true},
		"exit with success": {
			payload: `{"mode":"exit"}`, errorType: "Runtime.ExitError", message: `^RequestId: request-\d+ Error: Runtime exited without providing a reason$`, restarted: true,
		},
		"timeout": {
			payload: `{"mode":"sleep","n":60000}`, timeout: 300 * time.Millisecond, errorType: "Sandbox.Timedout",
			message: `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z request-\d+ Task timed out after 0.30 seconds$`, restarted: true,
		},
		"response over 6 MB": {
			payload: `{"mode":"big","n":6291600}`, errorType: "Function.ResponseSizeTooLarge",
			message: `^Response payload size \(6291602 bytes\) exceeded maximum allowed payload size \(6291556 bytes\)\.$`, restarted: true,
		},
		"out of memory": {
			payload: `{"mode":"alloc","n":4000}`, timeout: time.Minute, errorType: "Runtime.ExitError",
			message: `^RequestId: request-\d+ Error: Runtime exited with error: signal: killed$`, restarted: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			cfg := probe()
			if c.timeout > 0 {
				cfg.Timeout = c.timeout
			}
			before := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`)))
			out, id := do(t, p, cfg, c.payload)
			if out.FunctionError != "Unhandled" || out.ErrorType != c.errorType {
				t.Errorf("got %q %q, want Unhandled %q", out.FunctionError, out.ErrorType, c.errorType)
			}
			if got := message(reply{payload: out.Payload}); !regexp.MustCompile(c.message).MatchString(got) {
				t.Errorf("message got %q, want %s", got, c.message)
			}
			lines := s.of(id)
			if len(lines) < 3 || lines[0] != "START RequestId: "+id+" Version: $LATEST" || lines[len(lines)-2] != "END RequestId: "+id {
				t.Errorf("log: %q", lines)
			}
			if name == "out of memory" && !strings.Contains(lines[len(lines)-1], "\tMax Memory Used: 128 MB\t") {
				t.Errorf("report: %q", lines[len(lines)-1])
			}
			after := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`)))
			if (before.Pid != after.Pid) != c.restarted {
				t.Errorf("restarted got %v, want %v", before.Pid != after.Pid, c.restarted)
			}
		})
	}
}

func first(out Outcome, _ string) Outcome { return out }

func TestInitFailures(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	if err := os.Chmod(filepath.Dir(filepath.Dir(mark)), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(mark), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change             func(*Config)
		errorType, message string
		reports            int // INIT_REPORT lines
	}{
		"exit":            {func(c *Config) { c.Env = map[string]string{"PROBE_INIT": "exit"} }, "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3", 2},
		"exit once":       {func(c *Config) { c.Env = map[string]string{"PROBE_INIT": "exit once", "PROBE_MARK": mark} }, "", "", 1},
		"hang":            {func(c *Config) { c.Env = map[string]string{"PROBE_INIT": "hang"}; c.Timeout = 200 * time.Millisecond }, "Sandbox.Timedout", "ID Task timed out after 0.20 seconds", 2},
		"no bootstrap":    {func(c *Config) { c.Dir = os.TempDir() }, "Runtime.InvalidEntrypoint", "RequestId: ID Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]", 0},
		"no handler":      {func(c *Config) { c.Runtime, c.Handler = "go1.x", "absent" }, "Runtime.InvalidEntrypoint", "RequestId: ID Error: fork/exec /var/task/absent: no such file or directory", 0},
		"not executable":  {func(c *Config) { c.Dir = broken(t, "text", 0o644) }, "Runtime.InvalidEntrypoint", "RequestId: ID Error: fork/exec /var/task/bootstrap: permission denied", 0},
		"not a programme": {func(c *Config) { c.Dir = broken(t, "text", 0o755) }, "Runtime.InvalidEntrypoint", "RequestId: ID Error: fork/exec /var/task/bootstrap: exec format error", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			p.InitTimeout = 400 * time.Millisecond
			cfg := probe()
			c.change(&cfg)
			out, id := do(t, p, cfg, `{}`)
			if out.ErrorType != c.errorType {
				t.Errorf("type got %q, want %q", out.ErrorType, c.errorType)
			}
			if got, want := message(reply{payload: out.Payload}), strings.ReplaceAll(c.message, "ID", id); !strings.HasSuffix(got, want) || want == "" && got != "" {
				t.Errorf("message got %q, want %q", got, want)
			}
			var reports int
			for _, line := range s.of("") {
				if strings.HasPrefix(line, "INIT_REPORT Init Duration: ") {
					reports++
				}
			}
			if reports != c.reports {
				t.Errorf("got %d INIT_REPORT lines, want %d: %q", reports, c.reports, s.of(""))
			}
		})
	}
}

func broken(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp(probeDir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLogLines(t *testing.T) {
	p, s := newPool(t)
	out, id := do(t, p, probe(), `{"mode":"log"}`)
	lines := s.of(id)
	want := []string{"END RequestId: " + id, "START RequestId: " + id + " Version: $LATEST", "err one", "no end", "out one", "out two"}
	got := slices.Sorted(slices.Values(lines[:len(lines)-1]))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	report := `^REPORT RequestId: ` + id + `\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: [1-9]\d* MB\tInit Duration: \d+\.\d\d ms\t$`
	if last := lines[len(lines)-1]; !regexp.MustCompile(report).MatchString(last) {
		t.Errorf("report got %q", last)
	}
	if want := strings.Join(lines, "\n") + "\n"; string(out.LogTail) != want {
		t.Errorf("tail got %q, want %q", out.LogTail, want)
	}
	out, id = do(t, p, probe(), `{"mode":"log long","n":300000}`)
	lines = s.of(id)
	if len(lines) != 5 || len(lines[1]) != maxLine || len(lines[2]) != 300000-maxLine {
		t.Errorf("a long line: got %d lines", len(lines))
	}
	if len(out.LogTail) != maxTail || !strings.HasSuffix(string(out.LogTail), "\t\n") {
		t.Errorf("tail got %d bytes, want %d, ending in the report", len(out.LogTail), maxTail)
	}
	if strings.Contains(lines[4], "Init Duration") {
		t.Errorf("a warm report has an init duration: %q", lines[4])
	}
}

func TestScaleOutAndLastUsedFirst(t *testing.T) {
	p, _ := newPool(t)
	pids := make(chan int, 3)
	var g sync.WaitGroup
	for n := range 3 {
		g.Go(func() {
			out, err := p.Do(t.Context(), probe(), Event{RequestID: fmt.Sprint("s", n), Payload: fmt.Appendf(nil, `{"mode":"sleep","n":%d}`, 300+n*200)})
			if err != nil {
				t.Error(err)
				return
			}
			pids <- decode[identity](t, out).Pid
		})
	}
	g.Wait()
	var order []int
	for range 3 {
		order = append(order, <-pids)
	}
	if order[0] == order[1] || order[1] == order[2] || order[0] == order[2] {
		t.Fatalf("processes got %v, want three", order)
	}
	if got := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`))); got.Pid != order[2] {
		t.Errorf("got process %d, want the last used of %v", got.Pid, order)
	}
}

// A process that works on after its answer neither holds up the next event nor is
// lost; one that never comes back is ended at its timeout.
func TestInstanceThatLingers(t *testing.T) {
	p, _ := newPool(t)
	a := decode[identity](t, first(do(t, p, probe(), `{"mode":"linger","n":500}`)))
	b := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if a.Pid == b.Pid {
		t.Errorf("the event waited for process %d", a.Pid)
	}
	wait(t, "both to be idle", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.idle["probe"]) == 2 })
	short := probe()
	short.ID, short.Timeout = "short", 300*time.Millisecond
	do(t, p, short, `{"mode":"linger","n":60000}`)
	do(t, p, short, `{}`)
	wait(t, "the stuck one to be ended", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 3 })
}

func TestCallerLeaves(t *testing.T) {
	for _, warm := range []bool{false, true} {
		t.Run(fmt.Sprint("warm ", warm), func(t *testing.T) {
			p, _ := newPool(t)
			if warm {
				if err := p.Warm(t.Context(), probe()); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			file := filepath.Join(shared(t), "file")
			go func() {
				for { // leave once the handler runs
					if _, err := os.Stat(file); err == nil {
						cancel()
						return
					}
					time.Sleep(time.Millisecond)
				}
			}()
			payload := fmt.Appendf(nil, `{"mode":"touch then sleep","n":300,"text":%q}`, file)
			_, err := p.Do(ctx, probe(), Event{RequestID: "left", Payload: payload, Ended: func() { close(ended) }})
			clear(payload) // it is the caller's again
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want canceled", err)
			}
			<-ended
			if b, _ := os.ReadFile(file); string(b) != "finished" {
				t.Errorf("the invocation got to %q, want finished", b)
			}
		})
	}
}

// shared is a directory that functions can write.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(probeDir, "shared")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestIdleInstancesAreReaped(t *testing.T) {
	p, _ := newPool(t)
	p.IdleAfter = 50 * time.Millisecond
	do(t, p, probe(), `{}`)
	wait(t, "no instance left", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 })
}

func TestIdleInstanceThatDiesIsDropped(t *testing.T) {
	p, _ := newPool(t)
	a := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	self, err := os.FindProcess(a.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Kill(); err != nil {
		t.Fatal(err)
	}
	wait(t, "its end to be seen", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 && len(p.idle["probe"]) == 0 })
	b := decode[identity](t, first(do(t, p, probe(), `{"mode":"identity"}`)))
	if a.Pid == b.Pid {
		t.Errorf("process %d answers after its end", a.Pid)
	}
}

func TestKeep(t *testing.T) {
	p, _ := newPool(t)
	old, next := probe(), probe()
	next.ID = "next"
	do(t, p, old, `{}`)
	var out Outcome
	var busy sync.WaitGroup
	file := filepath.Join(shared(t), "file")
	do(t, p, old, `{}`)
	busy.Go(func() {
		var err error
		out, err = p.Do(t.Context(), old, Event{RequestID: "busy", Payload: fmt.Appendf(nil, `{"mode":"touch then sleep","n":200,"text":%q}`, file)})
		if err != nil {
			t.Error(err)
		}
	})
	wait(t, "the handler to run", func() bool { _, err := os.Stat(file); return err == nil })
	if err := p.Warm(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	p.Keep(map[string]bool{"next": true})
	busy.Wait()
	if out.FunctionError != "" {
		t.Errorf("a busy instance was ended: %s", out.Payload)
	}
	wait(t, "one instance left", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 1 && len(p.idle["next"]) == 1 })
}

func TestWarm(t *testing.T) {
	p, _ := newPool(t)
	if err := p.Warm(t.Context(), probe()); err != nil {
		t.Fatal(err)
	}
	if out, _ := do(t, p, probe(), `{}`); out.Init != 0 {
		t.Errorf("init got %v, want none", out.Init)
	}
	cfg := probe()
	cfg.Dir = os.TempDir()
	cfg.ID = "other"
	if err := p.Warm(t.Context(), cfg); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "bootstrap") {
		t.Errorf("got %v, want invalid", err)
	}
}

func TestCloseEndsWhatRuns(t *testing.T) {
	p, _ := newPool(t)
	failed := make(chan error, 1)
	file := filepath.Join(shared(t), "file")
	go func() {
		_, err := p.Do(context.Background(), probe(), Event{RequestID: "x", Payload: fmt.Appendf(nil, `{"mode":"touch then sleep","n":60000,"text":%q}`, file)})
		failed <- err
	}()
	wait(t, "the handler to run", func() bool { _, err := os.Stat(file); return err == nil })
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
	if _, err := p.Do(t.Context(), probe(), Event{RequestID: "y"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close got %v, want unavailable", err)
	}
}

func TestManyCallers(t *testing.T) {
	p, _ := newPool(t)
	var g sync.WaitGroup
	for c := range 8 {
		g.Go(func() {
			for n := range 100 {
				want := fmt.Sprintf(`{"text":"%d-%d"}`, c, n)
				out, err := p.Do(t.Context(), probe(), Event{RequestID: fmt.Sprintf("m-%d-%d", c, n), Payload: []byte(want)})
				if err != nil || string(out.Payload) != want {
					t.Errorf("got %s, %v, want %s", out.Payload, err, want)
					return
				}
			}
		})
	}
	g.Wait()
	if n := len(p.all); n > 8 {
		t.Errorf("%d instances for 8 callers", n)
	}
}

func wait(t testing.TB, what string, until func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func benchPool(b *testing.B) (*Pool, Config) {
	b.Helper()
	p := &Pool{Log: slog.New(slog.DiscardHandler), Logs: discard{}}
	b.Cleanup(func() { p.Close() })
	return p, probe()
}

// bareInstance is a probe that waits for its first event.
func bareInstance(b *testing.B) *api {
	b.Helper()
	p, cfg := benchPool(b)
	boot := p.boot(cfg, newJournal(p, cfg), initTimeout, "init")
	if boot.inst == nil {
		b.Fatal(boot)
	}
	boot.inst.api.begins = func(*flight) {}
	return boot.inst.api
}
