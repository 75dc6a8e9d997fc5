package judge

import (
	"flag"
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
		"serverless.yml": "service: judge\nprovider:\n  name: aws\n  runtime: nodejs20.x\nfunctions:\n  echo:\n    handler: echo.handler\n    events:\n      - http: GET /echo/{id}\n      - httpApi: GET /echo\n",
		"echo.js":        "exports.handler = async (event) => { if (event && event.fail) throw new Error('asked to'); console.log('echoing', JSON.stringify(event)); return event; };\n",
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

// called is a named call of a client.
type called struct {
	client, service, name string
	wantsError            bool // it has to fail, with an error that is known
}

// verdicts counts the named calls.
var verdicts struct {
	mu    sync.Mutex
	calls map[called]bool // whether it went as it should
}

// report says what became of a call.
func report(t *testing.T, c called, err error) {
	t.Helper()
	verdicts.mu.Lock()
	defer verdicts.mu.Unlock()
	if verdicts.calls == nil {
		verdicts.calls = map[called]bool{}
	}
	if _, twice := verdicts.calls[c]; twice {
		t.Errorf("%s has two calls %q of %s", c.client, c.name, c.service)
	}
	verdicts.calls[c] = err == nil
	if err != nil {
		t.Errorf("%s: %v", c.name, err)
	}
}

// The least that the three clients call between them when all of them run: what
// this package is for.
const (
	leastCalls  = 200
	leastErrors = 50
)

// services are those that are judged.
var services = []string{"apigateway", "cloudwatch", "events", "iam", "kms", "lambda", "logs", "s3", "scheduler", "sns", "ssm", "sts"}

// tally is the closing line, and what is missing of what there has to be.
func tally() (line, missing string) {
	clients, asked, wrong, failing := map[string]int{}, map[string]int{}, 0, 0
	for c, right := range verdicts.calls {
		clients[c.client]++
		asked[c.service]++
		if c.wantsError {
			failing++
		}
		if !right {
			wrong++
		}
	}
	total := len(verdicts.calls)
	line = fmt.Sprintf("AWS's clients judged %d named calls (%s) of %d services (%s), %d of them errors that have to come; %d calls went wrong",
		total, counts(clients), len(asked), counts(asked), failing, wrong)
	for _, service := range services {
		if asked[service] == 0 {
			missing += " no call of " + service + ";"
		}
	}
	if total < leastCalls {
		missing += fmt.Sprintf(" %d calls, at least %d;", total, leastCalls)
	}
	if failing < leastErrors {
		missing += fmt.Sprintf(" %d error cases, at least %d;", failing, leastErrors)
	}
	return line, missing
}

func counts(of map[string]int) string {
	var list []string
	for name, n := range of {
		list = append(list, fmt.Sprintf("%s %d", name, n))
	}
	sort.Strings(list)
	return strings.Join(list, ", ")
}

func TestMain(m *testing.M) {
	code := m.Run()
	line, missing := tally()
	fmt.Println(line)
	everything := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	if code == 0 && everything && missing != "" {
		fmt.Println("FAIL: the judges were asked too little:" + missing)
		code = 1
	}
	testkit.Cleanup()
	os.Exit(code)
}
