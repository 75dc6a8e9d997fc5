package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/node"
)

// patience is how long a test waits before it says that nothing happens.
const patience = time.Minute

// nodes are the Nodes to test with: the one that is installed, and those that
// DROPSTACK_TEST_NODES lists.
func nodes(t testing.TB) []node.Install {
	t.Helper()
	search := &node.Search{Getenv: func(name string) string {
		if name == "DROPSTACK_NODE" {
			return os.Getenv("DROPSTACK_TEST_NODES")
		}
		return os.Getenv(name)
	}}
	found, err := search.Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	installed, _, err := node.For(found, "nodejs20.x")
	if err != nil {
		t.Fatalf("the client is tested with a real Node and there is none: install Node.js 20 or newer so that PATH finds node, or list executables in DROPSTACK_TEST_NODES (%v)", err)
	}
	list := []node.Install{installed}
	for _, entry := range filepath.SplitList(os.Getenv("DROPSTACK_TEST_NODES")) {
		for _, in := range found {
			real, err := filepath.EvalSymlinks(entry)
			if err == nil && in.Path == real && in != installed {
				list = append(list, in)
			}
		}
	}
	return list
}

var entry = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "node-client-")
	if err != nil {
		return "", err
	}
	clientDir = dir
	return node.Write(dir)
})

var clientDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if clientDir != "" {
		_ = os.RemoveAll(clientDir)
	}
	os.Exit(code)
}

// event is what the platform answers to next.
type event struct {
	id, body string
	header   map[string]string
	done     chan outcome // of capacity 1
}

// outcome is what a function said, or how its process ended.
type outcome struct {
	call        string // response, error, init/error, exit
	body        string
	errorType   string // header or trailer
	errorBody   string // trailer
	contentType string
	mode        string
}

// platform is a Runtime API for one process.
type platform struct {
	server      *httptest.Server
	waits       chan struct{} // /dropstack/start was called
	connections atomic.Int64
	url         string
	events      chan *event
	failed      chan outcome  // init/error
	begin       chan string   // answers of /dropstack/start
	asked       chan struct{} // next was called
	mu          sync.Mutex
	open        *event
}

func newPlatform(t testing.TB) *platform {
	p := &platform{
		events: make(chan *event), failed: make(chan outcome, 1),
		begin: make(chan string), waits: make(chan struct{}, 1), asked: make(chan struct{}, 1024),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{call}", p.answer)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		p.failed <- read(r, "init/error")
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("GET /dropstack/start", func(w http.ResponseWriter, r *http.Request) {
		p.waits <- struct{}{}
		select {
		case start := <-p.begin:
			_, _ = io.WriteString(w, start)
		case <-r.Context().Done():
		}
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.connections.Add(1)
		}
	}
	server.Start()
	p.server = server
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	p.url = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *platform) next(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	busy := p.open != nil
	p.mu.Unlock()
	if busy {
		http.Error(w, "an event is open", http.StatusForbidden)
		return
	}
	p.asked <- struct{}{}
	select {
	case e := <-p.events:
		for k, v := range e.header {
			w.Header().Set(k, v)
		}
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
		p.mu.Lock()
		p.open = e
		p.mu.Unlock()
		_, _ = io.WriteString(w, e.body)
	case <-r.Context().Done():
	}
}

func (p *platform) answer(w http.ResponseWriter, r *http.Request) {
	out := read(r, r.PathValue("call"))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil || p.open.id != r.PathValue("id") {
		http.Error(w, "no such event", http.StatusBadRequest)
		return
	}
	p.open.done <- out
	p.open = nil
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func read(r *http.Request, call string) outcome {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		body = append(body, fmt.Sprintf(" [broken off: %v]", err)...)
	}
	const name = "Lambda-Runtime-Function-Error-"
	return outcome{
		call: call, body: string(body),
		errorType:   r.Header.Get(name+"Type") + r.Trailer.Get(name+"Type"),
		errorBody:   r.Trailer.Get(name + "Body"),
		contentType: r.Header.Get("Content-Type"),
		mode:        r.Header.Get("Lambda-Runtime-Function-Response-Mode"),
	}
}

// process is a client that runs.
type process struct {
	*platform
	cmd    *exec.Cmd
	out    bytes.Buffer // read it when ended
	stderr bytes.Buffer
	ended  chan struct{}
	sent   int
}

// start runs the client in dir with the environment that the platform gives.
func start(t testing.TB, in node.Install, dir string, env map[string]string, args ...string) *process {
	t.Helper()
	main, err := entry()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{platform: newPlatform(t), ended: make(chan struct{})}
	command := append(node.Command(in, main, 256, env["NODE_OPTIONS"]), args...)
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir = dir
	p.cmd.Env = environ(p.url, dir, env)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

func environ(url, dir string, more map[string]string) []string {
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + url, "LAMBDA_TASK_ROOT=" + dir, "TZ=:UTC", "_HANDLER=index.handler",
		"AWS_LAMBDA_FUNCTION_NAME=hello", "AWS_LAMBDA_FUNCTION_VERSION=7", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/hello", "AWS_LAMBDA_LOG_STREAM_NAME=2026/01/02/[7]abc",
	}
	for k, v := range more {
		env = append(env, k+"="+v)
	}
	return env
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// invoke gives the process an event and waits for what becomes of it.
func (p *process) invoke(t testing.TB, body string, header map[string]string) outcome {
	t.Helper()
	p.sent++
	e := &event{id: fmt.Sprintf("request-%d", p.sent), body: body, header: header, done: make(chan outcome, 1)}
	late := time.After(patience)
	select {
	case p.events <- e:
	case out := <-p.failed:
		return out
	case <-p.ended:
		return p.exit()
	case <-late:
		t.Fatal("the client does not ask for an event")
	}
	select {
	case out := <-e.done:
		return out
	case <-p.ended:
		select {
		case out := <-e.done:
			return out
		default:
			return p.exit()
		}
	case <-late:
		t.Fatal("the client does not answer")
	}
	panic("unreachable")
}

func (p *process) exit() outcome {
	select {
	case out := <-p.failed:
		return out
	default:
		return outcome{call: "exit", body: p.cmd.ProcessState.String()}
	}
}

// asks waits until the process has asked for an event so many times.
func (p *process) asks(t testing.TB, times int) {
	t.Helper()
	for range times {
		select {
		case <-p.asked:
		case <-p.ended:
			t.Fatalf("the process ended: %v\n%s%s", p.cmd.ProcessState, p.out.String(), p.stderr.String())
		case <-time.After(patience):
			t.Fatal("the client does not ask for an event")
		}
	}
}

// code waits for the process to end by itself.
func (p *process) code(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return -1
	}
}

// unpack writes files given as "-- name --" lines and their content; without any
// such line, the text is index.js.
func unpack(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	if !strings.HasPrefix(text, "-- ") {
		text = "-- index.js --\n" + text
	}
	for part := range strings.SplitSeq("\n"+text, "\n-- ") {
		name, content, ok := strings.Cut(part, " --\n")
		if !ok {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// failure is the body of an error.
type failure struct {
	ErrorType    string   `json:"errorType"`
	ErrorMessage string   `json:"errorMessage"`
	Trace        []string `json:"trace"`
}

func (o outcome) failure(t testing.TB) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal([]byte(o.body), &f); err != nil {
		t.Errorf("%s is no error object: %v: %s", o.call, err, o.body)
	}
	return f
}
