package instance

import (
	"encoding/json"
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
		"out of temporary files": {
			payload: `{"mode":"fill","n":2000}`, timeout: time.Minute, errorType: "Runtime.ExitError",
			message: `^RequestId: request-\d+ Error: Runtime was ended: its temporary files take more than 64 MB, its ephemeralStorageSize$`, restarted: true,
		},
		"out of memory": {
			payload: `{"mode":"alloc","n":4000}`, timeout: time.Minute, errorType: "Runtime.ExitError",
			message: `^RequestId: request-\d+ Error: Runtime exited with error: signal: killed$`, restarted: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			cfg := probe()
			cfg.StorageMB = 64
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
			if name == "out of memory" && !strings.HasSuffix(lines[len(lines)-1], "\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory") {
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
