package judge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/dropstack/dropstack/internal/testkit"
)

// world is a running platform with one function, judge-dev-echo.
type world struct {
	*testkit.Platform
	function string // its name
}

// start runs a platform for one client.
func start(t *testing.T) *world {
	t.Helper()
	w := &world{Platform: testkit.Start(t, testkit.Dir(t), "--services", "none"), function: "judge-dev-echo"}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"serverless.yml": "service: judge\nprovider:\n  name: aws\n  runtime: nodejs20.x\nfunctions:\n  echo:\n    handler: echo.handler\n",
		"echo.js":        "exports.handler = async (event) => { if (event && event.fail) throw new Error('asked to'); console.log('echoing'); return event; };\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(testkit.Binary(t), "deploy", "--endpoint", w.AWS)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DROPSTACK_DATA="+w.Dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
	return w
}

// verdicts counts the named calls of each client.
var verdicts struct {
	mu    sync.Mutex
	calls map[string]int
	names map[string]bool
	wrong int
}

// report says what became of a call; its name is the client's and its own.
func report(t *testing.T, client, name string, err error) {
	t.Helper()
	verdicts.mu.Lock()
	defer verdicts.mu.Unlock()
	if verdicts.calls == nil {
		verdicts.calls, verdicts.names = map[string]int{}, map[string]bool{}
	}
	full := t.Name() + " " + client + " " + name
	if verdicts.names[full] {
		t.Errorf("%s is there twice", full)
	}
	verdicts.names[full] = true
	verdicts.calls[client]++
	if err != nil {
		verdicts.wrong++
		t.Errorf("%s: %v", name, err)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	var lines []string
	total := 0
	for client, n := range verdicts.calls {
		lines = append(lines, fmt.Sprintf("%s %d", client, n))
		total += n
	}
	sort.Strings(lines)
	fmt.Printf("AWS's clients judged %d named calls (%s), %d of them wrong\n", total, strings.Join(lines, ", "), verdicts.wrong)
	testkit.Cleanup()
	os.Exit(code)
}
