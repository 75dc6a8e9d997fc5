//go:build linux

package function_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/node"
)

// TestStorm sends thousands of events of every kind to functions in Go and Node
// while their processes are killed at random. Every event gets one answer, which
// is its own, or an error; no function sees an event twice; and of the processes
// and goroutines nothing is left.
func TestStorm(t *testing.T) {
	events := 10_000
	if testing.Short() {
		events = 2_000
	}
	before := runtime.NumGoroutine()
	i := &function.Invoker{
		Pool: &instance.Pool{Log: slog.New(slog.DiscardHandler), Logs: discard{}, FreezeAfter: 20 * time.Millisecond},
		Log:  slog.New(slog.DiscardHandler), ArtifactRoot: root, MountRoot: filepath.Join(root, "mounts"), Region: arn.Region,
		Managed: startNode(t),
	}
	defer i.Pool.Close()
	replace(t, i, stormFunctions(t)...)
	seen := filepath.Join(shared(t), "seen")
	if err := os.WriteFile(seen, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(seen, 0o666); err != nil { // the functions are different users
		t.Fatal(err)
	}

	stop := make(chan struct{})
	var killer sync.WaitGroup
	killed := 0
	killer.Go(func() { killed = killAtRandom(stop) })
	counts := storm(t, i, seen, events)
	close(stop)
	killer.Wait()

	noneTwice(t, seen)
	for _, name := range []string{"storm-go", "storm-node"} {
		// Whatever was killed, the next one works; the last of the killed may
		// still be dying, and takes the invocation that it is given with it.
		wait(t, name+" to work again", func() bool {
			res, err := i.Invoke(t.Context(), function.Invocation{Function: name, Payload: fmt.Appendf(nil, `{"id":-1,"file":%q}`, seen)})
			if err != nil {
				t.Fatal(err)
			}
			return string(res.Payload) == `{"id":-1}`
		})
	}
	if err := i.Pool.Close(); err != nil {
		t.Error(err)
	}
	wait(t, "every process to be gone", func() bool { return len(children()) == 0 })
	wait(t, "every goroutine to be gone", func() bool { return runtime.NumGoroutine() <= before+2 }) // the sandbox's two stay
	var told []string
	for _, outcome := range slices.Sorted(maps.Keys(counts)) {
		told = append(told, fmt.Sprintf("%s %d", outcome, counts[outcome]))
	}
	t.Logf("%d invocations, %d processes killed: %s", events, killed, strings.Join(told, ", "))
	if killed == 0 || counts["answered"] < events/4 || counts["Runtime.ExitError"] == 0 {
		t.Errorf("this was no storm: %d killed, %v", killed, counts)
	}
}

func stormFunctions(t *testing.T) []function.Function {
	t.Helper()
	dir := filepath.Join(root, "storm")
	cmd := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", filepath.Join(dir, "bootstrap"), "./testdata/storm")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	handler, err := os.ReadFile("testdata/storm/index.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.js"), handler, 0o644); err != nil {
		t.Fatal(err)
	}
	inGo, inNode := fn("storm-go"), fn("storm-node")
	inGo.Artifact, inGo.Timeout = "storm", 2
	inNode.Artifact, inNode.Timeout, inNode.Runtime, inNode.Handler, inNode.MemoryMB = "storm", 2, "nodejs20.x", "index.handler", 256
	return []function.Function{inGo, inNode}
}

// startNode is how the platform starts Node functions, without its warnings.
func startNode(t *testing.T) func(function.Function) (function.Start, error) {
	t.Helper()
	search := &node.Search{Getenv: os.Getenv}
	entry, err := node.Write(filepath.Join(root, "node"))
	if err != nil {
		t.Fatal(err)
	}
	return func(f function.Function) (function.Start, error) {
		installs, err := search.Find(t.Context())
		if err != nil {
			return function.Start{}, err
		}
		in, _, err := node.For(installs, f.Runtime)
		return function.Start{Command: node.Command(in, entry, f.MemoryMB, ""), Preboot: true}, err
	}
}

// storm invokes from many callers and counts what came of it.
func storm(t *testing.T, i *function.Invoker, seen string, events int) map[string]int {
	var mu sync.Mutex
	counts := map[string]int{}
	next := make(chan int)
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for id := range next {
				outcome := weather(t, i, seen, id)
				mu.Lock()
				counts[outcome]++
				mu.Unlock()
			}
		})
	}
	for id := range events {
		next <- id
	}
	close(next)
	callers.Wait()
	return counts
}

// weather is one invocation; it returns what came of it.
func weather(t *testing.T, i *function.Invoker, seen string, id int) string {
	e := map[string]any{"id": id, "file": seen, "kind": "ok"}
	switch n := rand.IntN(100); {
	case n < 8:
		e["kind"] = "fail"
	case n < 11:
		e["kind"] = "exit"
	case n < 20:
		e["kind"], e["n"] = "sleep", rand.IntN(40)
	case n < 21 && id%10 == 0: // one in a thousand hangs until it times out
		e["kind"], e["n"] = "sleep", 60_000
	case n < 25:
		e["kind"], e["n"] = "big", 1<<20
	}
	payload, err := json.Marshal(e)
	if err != nil {
		t.Error(err)
		return "broken"
	}
	name := []string{"storm-go", "storm-node"}[id%2]
	res, err := i.Invoke(t.Context(), function.Invocation{ID: fmt.Sprint("event-", id), Function: name, Payload: payload})
	switch {
	case err != nil && fault.KindOf(err) == fault.Throttled:
		return "throttled"
	case err != nil:
		t.Errorf("event %d: %v", id, err)
		return "lost"
	case res.RequestID != fmt.Sprint("event-", id):
		t.Errorf("event %d got the result of %s", id, res.RequestID)
	case res.FunctionError == "":
		return answered(t, e, id, res.Payload)
	case e["kind"] == "fail" && strings.Contains(string(res.Payload), fmt.Sprintf("refused %d", id)):
		return "refused"
	case slices.Contains([]string{"Runtime.ExitError", "Sandbox.Timedout", "Runtime.NodeJsExit"}, res.ErrorType):
		return res.ErrorType
	}
	t.Errorf("event %v: %s %s", e, res.ErrorType, res.Payload)
	return "unexpected"
}

func answered(t *testing.T, e map[string]any, id int, payload []byte) string {
	var got struct {
		ID   int
		Fill string
	}
	err := json.Unmarshal(payload, &got)
	fill := 0
	if e["kind"] == "big" {
		fill = e["n"].(int)
	}
	if err != nil || got.ID != id || len(got.Fill) != fill || e["kind"] == "fail" || e["kind"] == "exit" {
		t.Errorf("event %v got %.80s (%v)", e, payload, err)
	}
	return "answered"
}

// noneTwice checks what the functions noted.
func noneTwice(t *testing.T, seen string) {
	t.Helper()
	times := map[string]int{}
	for _, id := range lines(seen) {
		if times[id]++; times[id] == 2 {
			t.Errorf("event %s was seen twice", id)
		}
	}
}

// killAtRandom kills a child process now and then until stop is closed.
func killAtRandom(stop chan struct{}) (killed int) {
	for {
		select {
		case <-stop:
			return killed
		case <-time.After(time.Duration(5+rand.IntN(30)) * time.Millisecond):
		}
		if pids := children(); len(pids) > 0 && syscall.Kill(pids[rand.IntN(len(pids))], syscall.SIGKILL) == nil {
			killed++
		}
	}
}

// children are the processes that this one has started and that have not ended.
func children() (pids []int) {
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		list, _ := os.ReadFile(task)
		for _, word := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
