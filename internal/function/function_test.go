package function_test

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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
)

// root holds the artifact "probe", the function of the instance room's tests.
var root string

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
	root = dir
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, "probe", "bootstrap"), "../instance/testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the probe: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

type discard struct{}

func (discard) Append(logs.Record) {}

func newInvoker(t testing.TB, streams jetstream.JetStream) *function.Invoker {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	i := &function.Invoker{
		Pool: &instance.Pool{Log: log, Logs: discard{}}, Streams: streams, Log: log,
		ArtifactRoot: root, MountRoot: filepath.Join(root, "mounts"), Region: arn.Region,
		RetryDelays: []time.Duration{time.Millisecond, 2 * time.Millisecond}, AckWait: 300 * time.Millisecond,
	}
	t.Cleanup(func() { i.Pool.Close() })
	return i
}

func fn(name string) function.Function {
	return function.Function{
		Name: name, ARN: arn.Function(arn.Region, name), Version: "$LATEST", Runtime: "provided.al2023", Handler: "bootstrap",
		Artifact: "probe", MemoryMB: 128, Timeout: 20,
	}
}

func replace(t testing.TB, i *function.Invoker, fns ...function.Function) {
	t.Helper()
	if err := i.Replace("stack", fns); err != nil {
		t.Fatal(err)
	}
}

// run runs the invoker until stop is called or the test ends.
func run(t testing.TB, i *function.Invoker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := i.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func wait(t testing.TB, what string, until func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// shared is a directory that functions can write.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(root, "shared")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func lines(file string) []string {
	b, _ := os.ReadFile(file)
	return strings.Fields(string(b))
}

func letters(t testing.TB, i *function.Invoker, name string) []function.DeadLetter {
	t.Helper()
	list, err := i.DeadLetters(t.Context(), name, 100)
	if err != nil || list == nil { // none is an empty list
		t.Fatalf("got %v, %v", list, err)
	}
	return list
}

// A deployment moves the traffic to instances that have started already.
func TestNewVersionIsStartedAhead(t *testing.T) {
	i := newInvoker(t, nil)
	file := filepath.Join(shared(t), "started")
	replace(t, i, fn("echo"))
	if _, err := i.Invoke(t.Context(), function.Invocation{Function: "echo"}); err != nil {
		t.Fatal(err)
	}
	next := fn("echo")
	next.Environment = map[string]string{"PROBE_INIT": "exit once", "PROBE_MARK": file} // leaves a mark and fails
	replace(t, i, next, fn("other"))
	if _, err := os.Stat(file); err != nil {
		t.Errorf("no instance was started by the time the version was in place: %v", err)
	}
	if res, err := i.Invoke(t.Context(), function.Invocation{Function: "echo"}); err != nil || res.FunctionError != "" {
		t.Errorf("got %s, %v", res.Payload, err)
	}
}

func TestInvokeByAnyName(t *testing.T) {
	i := newInvoker(t, nil)
	replace(t, i, fn("echo"))
	full := arn.Function(arn.Region, "echo")
	for name, wantARN := range map[string]string{
		"echo": full, "echo:$LATEST": full + ":$LATEST", full: full, full + ":$LATEST": full + ":$LATEST", arn.Account + ":function:echo": full,
	} {
		res, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: []byte(`{"mode":"context"}`)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got struct{ ID, ARN, Trace string }
		if err := json.Unmarshal(res.Payload, &got); err != nil {
			t.Fatal(err)
		}
		if got.ARN != wantARN || got.ID != res.RequestID || res.ExecutedVersion != "$LATEST" {
			t.Errorf("%s: got %+v, %+v, want %s", name, got, res, wantARN)
		}
		if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.ID) {
			t.Errorf("request id got %q, want a UUID", got.ID)
		}
		if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`).MatchString(got.Trace) {
			t.Errorf("trace got %q", got.Trace)
		}
	}
}

func TestRefusals(t *testing.T) {
	i := newInvoker(t, nil)
	off := fn("off")
	off.Concurrency = new(int)
	replace(t, i, fn("echo"), off)
	for name, c := range map[string]struct {
		function, payload string
		kind              fault.Kind
		code, message     string
	}{
		"unknown":           {"nobody", "{}", fault.NotFound, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody"},
		"unknown qualifier": {"echo:7", "{}", fault.NotFound, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:000000000000:function:echo:7"},
		"another account":   {"arn:aws:lambda:us-east-1:123456789012:function:echo", "{}", fault.NotFound, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:123456789012:function:echo"},
		"not JSON":          {"echo", "{", fault.Invalid, "InvalidRequestContentException", "not valid JSON"},
		"too large":         {"echo", `"` + strings.Repeat("x", function.MaxSyncPayload) + `"`, fault.TooLarge, "RequestTooLargeException", "6291456 bytes"},
		"switched off":      {"off", "{}", fault.Throttled, "TooManyRequestsException", "Rate Exceeded."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := i.Invoke(t.Context(), function.Invocation{Function: c.function, Payload: []byte(c.payload)})
			if fault.KindOf(err) != c.kind || fault.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.message) {
				t.Errorf("got %v (%v, %s)", err, fault.KindOf(err), fault.CodeOf(err))
			}
		})
	}
}

func TestEmptyPayloadIsAnEmptyObject(t *testing.T) {
	i := newInvoker(t, nil)
	replace(t, i, fn("echo"))
	res, err := i.Invoke(t.Context(), function.Invocation{Function: "echo"})
	if err != nil || string(res.Payload) != "{}" {
		t.Errorf("got %s, %v", res.Payload, err)
	}
}

func TestReplaceRefuses(t *testing.T) {
	i := newInvoker(t, nil)
	if err := i.Replace("other", []function.Function{fn("taken")}); err != nil {
		t.Fatal(err)
	}
	replace(t, i, fn("echo"))
	i.Isolated = func(least string) error {
		if least != "process" {
			return fmt.Errorf("%s is too much", least)
		}
		return nil
	}
	for want, change := range map[string]func(*function.Function){
		"full is too much":             func(f *function.Function) { f.MinIsolation = "full" },
		`isolation level "strict"`:     func(f *function.Function) { f.MinIsolation = "strict" },
		"ephemeral storage of 511 MB":  func(f *function.Function) { f.StorageMB = 511 },
		"taken in stack other":         func(f *function.Function) { f.Name = "taken" },
		"memory size 64":               func(f *function.Function) { f.MemoryMB = 64 },
		"timeout 901":                  func(f *function.Function) { f.Timeout = 901 },
		`runtime "cobol"`:              func(f *function.Function) { f.Runtime = "cobol" },
		"is not unpacked":              func(f *function.Function) { f.Artifact = "absent" },
		`artifact "../x"`:              func(f *function.Function) { f.Artifact = "../x" },
		"AWS_REGION is reserved":       func(f *function.Function) { f.Environment = map[string]string{"AWS_REGION": "x"} },
		`handler "../sh"`:              func(f *function.Function) { f.Runtime, f.Handler = "go1.x", "../sh" },
		"the name must be":             func(f *function.Function) { f.Name = "a.b" },
		`mount name ".."`:              func(f *function.Function) { f.Mount = &function.Mount{Name: ".."} },
		`variable "A=B" cannot be set`: func(f *function.Function) { f.Environment = map[string]string{"A=B": "x"} },
	} {
		f := fn("fresh")
		change(&f)
		if err := i.Replace("stack", []function.Function{f}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	var names []string
	for _, f := range i.List() {
		names = append(names, f.Stack+"/"+f.Name)
	}
	if diff := cmp.Diff([]string{"stack/echo", "other/taken"}, names); diff != "" {
		t.Errorf("a refused Replace changed something: %s", diff)
	}
}

func TestAdmission(t *testing.T) {
	i := newInvoker(t, nil)
	lenient, strict := fn("lenient"), fn("strict")
	strict.MinIsolation = "full"
	if err := i.Admit([]function.Function{lenient, strict}); err != nil {
		t.Errorf("nobody says how functions are isolated: got %v", err)
	}
	asked := ""
	i.Isolated = func(least string) error { asked += least; return errors.New("landlock is off") }
	if err := i.Admit([]function.Function{lenient}); err != nil || asked != "" {
		t.Errorf("one that asks for nothing: got %v, asked for %q", err, asked)
	}
	err := i.Admit([]function.Function{lenient, strict})
	if err == nil || !strings.Contains(err.Error(), `function "strict"`) || !strings.Contains(err.Error(), "landlock is off") || asked != "full" {
		t.Errorf("got %v, asked for %q, want the function and the control", err, asked)
	}
}

func TestConcurrencyLimit(t *testing.T) {
	i := newInvoker(t, nil)
	f, one := fn("one"), 1
	f.Concurrency = &one
	replace(t, i, f)
	file := filepath.Join(shared(t), "file")
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := i.Invoke(ctx, function.Invocation{Function: "one", Payload: fmt.Appendf(nil, `{"mode":"touch then sleep","n":300,"text":%q}`, file)})
		left <- err
	}()
	wait(t, "the handler to run", func() bool { return len(lines(file)) > 0 })
	check := func(when string) {
		t.Helper()
		_, err := i.Invoke(t.Context(), function.Invocation{Function: "one"})
		var throttle *function.Throttle
		if !errors.As(err, &throttle) || throttle.Reason != "ReservedFunctionConcurrentInvocationLimitExceeded" || fault.KindOf(err) != fault.Throttled {
			t.Errorf("%s: got %v", when, err)
		}
	}
	check("while it runs")
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	check("after its caller has left")
	wait(t, "the place to be free", func() bool {
		_, err := i.Invoke(t.Context(), function.Invocation{Function: "one"})
		return err == nil
	})
	if got := lines(file); got[0] != "finished" {
		t.Errorf("a second one ran before the first was %q", got)
	}
}

func pid(t testing.TB, i *function.Invoker, name string) int {
	t.Helper()
	res, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: []byte(`{"mode":"identity"}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Pid int }
	if err := json.Unmarshal(res.Payload, &got); err != nil {
		t.Fatal(err)
	}
	return got.Pid
}

func TestUnchangedFunctionKeepsItsInstances(t *testing.T) {
	i := newInvoker(t, nil)
	replace(t, i, fn("echo"))
	before := pid(t, i, "echo")
	replace(t, i, fn("echo"), fn("another"))
	if after := pid(t, i, "echo"); after != before {
		t.Errorf("process %d, then %d", before, after)
	}
	changed := fn("echo")
	changed.Environment = map[string]string{"NEW": "1"}
	replace(t, i, changed)
	if after := pid(t, i, "echo"); after == before {
		t.Error("a changed function runs in the old process")
	}
}

func TestReplaceUnderLoad(t *testing.T) {
	i := newInvoker(t, nil)
	replace(t, i, fn("echo"))
	stop := make(chan struct{})
	var g sync.WaitGroup
	for c := range 4 {
		g.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				want := fmt.Sprintf(`{"n":%d,"text":"%d"}`, n, c)
				res, err := i.Invoke(t.Context(), function.Invocation{Function: "echo", Payload: []byte(want)})
				if err != nil || res.FunctionError != "" || string(res.Payload) != want {
					t.Errorf("got %s, %v, want %s", res.Payload, err, want)
					return
				}
			}
		})
	}
	for version := range 10 {
		f := fn("echo")
		f.Environment = map[string]string{"VERSION": fmt.Sprint(version)}
		replace(t, i, f)
		pid(t, i, "echo") // on the new version
	}
	close(stop)
	g.Wait()
}

func TestMountIsShared(t *testing.T) {
	i := newInvoker(t, nil)
	a, b := fn("writer"), fn("other-writer")
	a.Mount = &function.Mount{Name: "data", Path: "/mnt/data"}
	b.Mount = a.Mount
	replace(t, i, a, b)
	file := filepath.Join(root, "mounts", "stack", "data", "file")
	for n, name := range []string{"writer", "other-writer"} {
		res, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: fmt.Appendf(nil, `{"mode":"append","n":%d,"text":%q}`, n, file)})
		if err != nil || res.FunctionError != "" {
			t.Fatalf("%s: %s, %v", name, res.Payload, err)
		}
	}
	if diff := cmp.Diff([]string{"0", "1"}, lines(file)); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkInvoke(b *testing.B) {
	i := newInvoker(b, nil)
	replace(b, i, fn("echo"))
	payload := []byte(`{"mode":"echo","text":"hello"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := i.Invoke(context.Background(), function.Invocation{Function: "echo", Payload: payload}); err != nil {
			b.Fatal(err)
		}
	}
}
