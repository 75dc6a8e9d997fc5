package instance

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// script is what the probe does as an extension; see testdata/probe.
type script struct {
	Events                []string
	Fail, Hold, Subscribe string
}

var both = []string{"INVOKE", "SHUTDOWN"}

// extendedProbe is the probe with itself as extensions. The second value returns
// what they noted.
func extendedProbe(t *testing.T, scripts map[string]script) (Config, func() string) {
	t.Helper()
	dir := shared(t)
	if err := os.MkdirAll(filepath.Join(dir, "opt", "extensions"), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := probe()
	cfg.Opt = filepath.Join(dir, "opt")
	raw, err := json.Marshal(scripts)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "log")
	cfg.Env = map[string]string{"EXTENSIONS": string(raw), "EXTENSION_LOG": file}
	for name := range scripts {
		if name == "internal" {
			cfg.Env["PROBE_INTERNAL"] = "1"
			continue
		}
		if err := os.Link(filepath.Join(probeDir, "bootstrap"), filepath.Join(cfg.Opt, "extensions", name)); err != nil {
			t.Fatal(err)
		}
	}
	return cfg, func() string { b, _ := os.ReadFile(file); return string(b) }
}

func matches(t *testing.T, what, got, want string) {
	t.Helper()
	if !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("%s: got\n%s\nwant it to match %s", what, got, want)
	}
}

func TestExternalExtension(t *testing.T) {
	p, s := newPool(t)
	p.Grace = time.Minute // of which nothing is waited for in vain
	cfg, noted := extendedProbe(t, map[string]script{"one": {Events: both}, "two": {Events: []string{"SHUTDOWN"}}, "none": {}})
	cfg.ARN = "arn:aws:lambda:us-east-1:000000000000:function:probe"
	term := filepath.Join(shared(t), "term")
	cfg.Env["PROBE_SIGNAL"] = term
	out, err := p.Do(t.Context(), cfg, Event{RequestID: "first", Payload: []byte(`{"mode":"identity"}`), TraceID: "Root=1"})
	if err != nil {
		t.Fatal(err)
	}
	one := decode[identity](t, out)
	wait(t, "the extension to come back", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.idle["probe"][0].api.isFree() })
	if again := decode[identity](t, first(do(t, p, cfg, `{"mode":"identity"}`))); again.Pid != one.Pid {
		t.Errorf("process %d, then %d", one.Pid, again.Pid)
	}
	p.Close()
	log := noted()
	matches(t, "registration", log, `(?m)^one {"functionName":"probe","functionVersion":"\$LATEST","handler":"h"}$`)
	matches(t, "first event", log, `(?m)^one {"eventType":"INVOKE","deadlineMs":\d+,"requestId":"first","invokedFunctionArn":"arn:aws:lambda:us-east-1:000000000000:function:probe","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}$`)
	matches(t, "last event", log, `(?m)^one {"eventType":"SHUTDOWN","deadlineMs":\d+,"shutdownReason":"spindown"}$`)
	matches(t, "the other's event", log, `(?m)^two {"eventType":"SHUTDOWN"`)
	if strings.Contains(log, `two {"eventType":"INVOKE"`) || strings.Count(log, `"INVOKE"`) != 2 {
		t.Errorf("INVOKE not twice and to one extension: %s", log)
	}
	if b, _ := os.ReadFile(term); string(b) != "SIGTERM" {
		t.Errorf("the function's process got %q, want SIGTERM", b)
	}
	lines := strings.Join(s.of(""), "\n")
	matches(t, "the extension's own line", lines, `(?m)^one is here; handler: $`)
	matches(t, "our line", lines, `(?m)^EXTENSION\tName: one\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]$`)
}

// Without extensions a process is not asked to end, but killed.
func TestNoExtensionNoSignal(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	term := filepath.Join(shared(t), "term")
	cfg.Env = map[string]string{"PROBE_SIGNAL": term}
	do(t, p, cfg, `{}`)
	p.Keep(nil)
	wait(t, "it to end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 })
	if b, err := os.ReadFile(term); err == nil {
		t.Errorf("the process got %s", b)
	}
}

// The response does not wait for extensions; the instance does.
func TestResponseComesBeforeExtensionsAreDone(t *testing.T) {
	p, _ := newPool(t)
	hold := filepath.Join(shared(t), "hold")
	cfg, _ := extendedProbe(t, map[string]script{"slow": {Events: both, Hold: hold}})
	do(t, p, cfg, `{}`)
	p.mu.Lock()
	in := p.idle["probe"][0]
	p.mu.Unlock()
	if in.api.isFree() || in.freeze() {
		t.Error("the instance is free or freezes while its extension works")
	}
	if err := os.WriteFile(hold, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait(t, "the instance to be free", in.api.isFree)
}

func TestExtensionThatDoesNotComeBackTimesOut(t *testing.T) {
	p, _ := newPool(t)
	p.Grace = time.Minute
	cfg, noted := extendedProbe(t, map[string]script{"stuck": {Events: []string{"INVOKE"}, Hold: "/nowhere"}, "other": {Events: both}})
	cfg.Timeout = 300 * time.Millisecond
	out, err := p.Do(t.Context(), cfg, Event{RequestID: "x", Payload: []byte(`{}`)})
	if err != nil || out.FunctionError != "" && out.ErrorType != "Sandbox.Timedout" {
		t.Fatal(out.ErrorType, err)
	}
	wait(t, "the instance to end", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.all) == 0 })
	p.Close()
	matches(t, "what the other extension is told", noted(), `(?m)^other .*"shutdownReason":"timeout"}$`)
}

func TestShutdownReasons(t *testing.T) {
	for name, c := range map[string]struct {
		payload, reason, errorType string
		timeout                    time.Duration
	}{
		"process exits": {`{"mode":"exit","n":3}`, "failure", "Runtime.ExitError", 10 * time.Second},
		"timeout":       {`{"mode":"sleep","n":600000}`, "timeout", "Sandbox.Timedout", 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPool(t)
			p.Grace = time.Minute
			cfg, noted := extendedProbe(t, map[string]script{"one": {Events: both}})
			cfg.Env["PROBE_SIGNAL"] = filepath.Join(shared(t), "term")
			if err := p.Warm(t.Context(), cfg); err != nil {
				t.Fatal(err)
			}
			cfg.Timeout = c.timeout
			p.mu.Lock()
			p.idle["probe"][0].cfg.Timeout = c.timeout
			p.mu.Unlock()
			out, _ := do(t, p, cfg, c.payload)
			if out.ErrorType != c.errorType {
				t.Errorf("got %s, want %s", out.ErrorType, c.errorType)
			}
			p.Close()
			matches(t, "the extension's log", noted(), `(?m)^one .*"shutdownReason":"`+c.reason+`"}$`)
		})
	}
}

func TestStubbornExtensionIsKilled(t *testing.T) {
	p, _ := newPool(t)
	p.Grace = 400 * time.Millisecond
	cfg, noted := extendedProbe(t, map[string]script{"one": {Events: both, Fail: "stubborn"}})
	do(t, p, cfg, `{}`)
	p.Close() // returns: the pool's cleanup sees that nothing is left
	matches(t, "its log", noted(), `"SHUTDOWN"`)
}

func TestExtensionFailures(t *testing.T) {
	for name, c := range map[string]struct {
		script             script
		errorType, message string
		log                string
	}{
		"ends before it registers": {script{Fail: "start"}, "Extension.Crash", "exit status 5", `\tError Type: Extension.Crash$`},
		"reports that it cannot start": {
			script{Events: both, Fail: "init"},
			"Extension.InitError", "exit status 6",
			`^EXTENSION\tName: bad\tState: InitError\tEvents: \[INVOKE, SHUTDOWN\]\tError Type: Ext.Reason$`,
		},
		"never registers":                  {script{Fail: "hang"}, "Sandbox.Timedout", "Task timed out after 0.50 seconds", `Status: timeout$`},
		"ends in an invocation":            {script{Events: both, Fail: "invoke"}, "Extension.Crash", "exit status 7", ""},
		"reports its end in an invocation": {script{Events: both, Fail: "exit"}, "Extension.ExitError", "exit code 0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			p.InitTimeout = 20 * time.Second
			cfg, _ := extendedProbe(t, map[string]script{"bad": c.script, "good": {Events: both}})
			if c.script.Fail == "hang" {
				p.InitTimeout, cfg.Timeout = 500*time.Millisecond, 500*time.Millisecond
			}
			out, id := do(t, p, cfg, `{"mode":"sleep","n":60000}`)
			if out.ErrorType != c.errorType || out.FunctionError != "Unhandled" {
				t.Errorf("type got %q, want %q", out.ErrorType, c.errorType)
			}
			if got := message(reply{payload: out.Payload}); !strings.HasSuffix(got, c.message) || !strings.Contains(got, id) {
				t.Errorf("message got %q, want the request and %q", got, c.message)
			}
			matches(t, "log", strings.Join(s.of(""), "\n"), "(?m)"+c.log)
		})
	}
}

func TestExtensionThatCannotBeRun(t *testing.T) {
	p, s := newPool(t)
	cfg, _ := extendedProbe(t, map[string]script{"one": {Events: both}})
	if err := os.WriteFile(filepath.Join(cfg.Opt, "extensions", "two"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, id := do(t, p, cfg, `{}`)
	want := "RequestId: " + id + " Error: fork/exec /opt/extensions/two: permission denied"
	if got := message(reply{payload: out.Payload}); out.ErrorType != "Extension.LaunchError" || got != want {
		t.Errorf("got %s %q, want Extension.LaunchError %q", out.ErrorType, got, want)
	}
	matches(t, "log", strings.Join(s.of(""), "\n"), `(?m)^EXTENSION\tName: two\tState: LaunchError\tEvents: \[\]\tError Type: PermissionDenied$`)
}

func TestInternalExtension(t *testing.T) {
	p, _ := newPool(t)
	p.Grace = time.Minute
	cfg, noted := extendedProbe(t, map[string]script{"internal": {Events: []string{"INVOKE"}}})
	term := filepath.Join(shared(t), "term")
	cfg.Env["PROBE_SIGNAL"] = term
	_, id := do(t, p, cfg, `{}`)
	wait(t, "the event", func() bool { return strings.Contains(noted(), `"requestId":"`+id+`"`) })
	p.Close()
	if b, _ := os.ReadFile(term); string(b) != "SIGTERM" {
		t.Errorf("the function's process got %q, want SIGTERM", b)
	}
}

func TestExtensionsAreFrozenWithTheInstance(t *testing.T) {
	p, _ := newPool(t)
	p.FreezeAfter = 20 * time.Millisecond
	p.Grace = time.Minute
	cfg, noted := extendedProbe(t, map[string]script{"one": {Events: both, Subscribe: "telemetry"}})
	do(t, p, cfg, `{}`)
	p.mu.Lock()
	in := p.idle["probe"][0]
	p.mu.Unlock()
	frozen := func() bool { return state(t, in.proc.Pid) == "T" && state(t, in.sidecars.started[0].proc.Pid) == "T" }
	wait(t, "both processes to be stopped", frozen)
	_, id := do(t, p, cfg, `{}`)
	wait(t, "the extension to hear of the next event", func() bool { return strings.Contains(noted(), `"INVOKE"`) && strings.Contains(noted(), id) })
	wait(t, "both processes to be stopped again", frozen)
	p.Close()
	matches(t, "log", noted(), `"SHUTDOWN"`)
	matches(t, "log", noted(), `"platform.report","record":{"requestId":"`+id)
}

func TestCloseDoesNotWaitForExtensionsThatHang(t *testing.T) {
	p, _ := newPool(t)
	p.InitTimeout, p.Grace = time.Hour, 100*time.Millisecond
	cfg, _ := extendedProbe(t, map[string]script{"hangs": {Fail: "hang"}})
	failed := make(chan error)
	go func() { failed <- p.Warm(t.Context(), cfg) }()
	wait(t, "the launch", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.launched) == 1 })
	p.Close()
	if err := <-failed; err == nil {
		t.Error("a start that was broken off reports success")
	}
}

// extensionCall is a request to the Extensions API, or another.
func extensionCall(method, path, body string, fields ...string) string {
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
		method, path, strings.Join(append(fields, ""), "\r\n"), len(body), body)
}

func register(name, events string) string {
	return extensionCall("POST", "/2020-01-01/extension/register", events, "Lambda-Extension-Name: "+name)
}

func TestExtensionsAPI(t *testing.T) {
	const me = "Lambda-Extension-Identifier: ID" // of the registered external one
	next := extensionCall("GET", "/2020-01-01/extension/event/next", "", me)
	initError := extensionCall("POST", "/2020-01-01/extension/init/error", "{}", me, "Lambda-Extension-Function-Error-Type: Ext.Bad")
	exitError := strings.Replace(initError, "init/", "exit/", 1)
	for name, c := range map[string]struct {
		requests []string
		status   int
		body     string
	}{
		"no name":                  {[]string{register("", "{}")}, 403, "Extension.InvalidExtensionName"},
		"not JSON":                 {[]string{register("x", "{")}, 403, "InvalidRequestFormat"},
		"configuration keys":       {[]string{register("x", `{"configurationKeys":["a"]}`)}, 403, "InvalidRequestFormat"},
		"registered twice":         {[]string{register("ext", "{}")}, 403, "State transition from Registered to Registered failed for extension ext"},
		"internal":                 {[]string{register("in", `{"events":["INVOKE"]}`)}, 200, `{"functionName":"fn","functionVersion":"7","handler":"h"}`},
		"internal twice":           {[]string{register("in", "{}"), register("in", "{}")}, 403, "Extension.InvalidExtensionState"},
		"internal with SHUTDOWN":   {[]string{register("in", `{"events":["SHUTDOWN"]}`)}, 403, "Extension.InvalidEventType"},
		"unknown event":            {[]string{register("in", `{"events":["REST"]}`)}, 403, "Extension.InvalidEventType"},
		"internal after the init":  {[]string{getNext, register("in", "{}")}, 403, "Extension.RegistrationClosed"},
		"account":                  {[]string{extensionCall("POST", "/2020-01-01/extension/register", "{}", "Lambda-Extension-Name: a", "Lambda-Extension-Accept-Feature: x, accountId")}, 200, `"accountId":"42"`},
		"no identifier":            {[]string{strings.Replace(next, me+"\r\n", "", 1)}, 403, "Extension.MissingExtensionIdentifier"},
		"broken identifier":        {[]string{strings.Replace(next, ": ID", ": nonsense", 1)}, 403, "Extension.InvalidExtensionIdentifier"},
		"unknown identifier":       {[]string{strings.Replace(next, ": ID", ": "+newID(), 1)}, 403, "Extension.UnknownExtensionIdentifier"},
		"error without type":       {[]string{extensionCall("POST", "/2020-01-01/extension/init/error", "{}", me)}, 403, "Extension.MissingHeader"},
		"init error":               {[]string{initError}, 202, `{"status":"OK"}`},
		"init error twice":         {[]string{initError, initError}, 202, `{"status":"OK"}`},
		"exit error":               {[]string{exitError}, 202, `{"status":"OK"}`},
		"next after an exit error": {[]string{exitError, next}, 403, "State transition from ExitError to Ready"},
		"wrong method":             {[]string{extensionCall("GET", "/2020-01-01/extension/register", "")}, 405, "MethodNotAllowed"},
		"unknown call":             {[]string{extensionCall("GET", "/2020-01-01/extension/x", "")}, 404, "NotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			a, call := served(t)
			a.about = about{"fn", "7", "h", "42"}
			a.expect("ext")
			res := call(register("ext", `{"events":["INVOKE","SHUTDOWN"]}`))
			id := res.Header.Get("Lambda-Extension-Identifier")
			for i, r := range c.requests {
				r = strings.Replace(r, "Identifier: ID", "Identifier: "+id, 1)
				if i < len(c.requests)-1 && r == getNext {
					silent(t, a, r)
					continue
				}
				res = call(r)
			}
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != c.status || !strings.Contains(string(body), c.body) {
				t.Errorf("got %d %s, want %d %s", res.StatusCode, body, c.status, c.body)
			}
		})
	}
}

// silent sends a request that is not answered, and waits until it is heard.
func silent(t *testing.T, a *api, raw string) {
	t.Helper()
	conn := dialled(t, a.listener.Addr().String())
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	wait(t, "the request to be heard", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.phase == waiting })
}

func TestTooManyExtensions(t *testing.T) {
	_, call := served(t)
	var res *http.Response
	for n := range maxExtensions + 1 {
		res = call(register(fmt.Sprint("e", n), "{}"))
	}
	body, _ := io.ReadAll(res.Body)
	if want := "Extension limit (10) reached"; res.StatusCode != 403 || !strings.Contains(string(body), want) {
		t.Errorf("got %d %s, want 403 %s", res.StatusCode, body, want)
	}
}

// FuzzConversation: whatever a process sends, on any of the APIs, the connection
// ends with the process's side of it and the instance can be taken down.
func FuzzConversation(f *testing.F) {
	for _, seed := range []string{
		getNext + post("invocation/id/response", "1") + getNext,
		streamHead + "3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: x\r\n\r\n",
		register("ext", `{"events":["INVOKE"]}`) + extensionCall("GET", "/2020-01-01/extension/event/next", ""),
		subscribeTo("/2022-07-01/telemetry", "x", `{"types":["platform"],"buffering":{"maxItems":1e99}}`),
		post("init/error", "{}") + post("invocation/id/error", "{}"),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := newAPI(l)
		a.begins, a.idles, a.truncation = func(*flight) {}, func() {}, 0
		a.expect("ext")
		a.serve()
		ev, done := gated(Event{RequestID: "id", Payload: []byte("1"), Stream: &stream{}})
		_, _ = a.begin(&flight{id: "id", deadline: time.Now().Add(time.Minute), result: make(chan reply, 1), event: ev})
		conn, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		_, _ = conn.Write(data)
		_ = conn.(*net.TCPConn).CloseWrite()
		a.quiet(5 * time.Second)
		conn.Close()
		a.close()
		a.telemetry.close()
		done()
	})
}

// A connection that has said nothing yet when the process ends may be an
// extension's, which then stays: nobody waits for it to go.
func TestShutdownDoesNotWaitForAnExtensionThatHasJustCalled(t *testing.T) {
	a, _ := served(t)
	e := a.expect("late")
	e.registered, e.ready, e.events = true, true, []string{"SHUTDOWN"}
	conn := dialled(t, a.listener.Addr().String())
	held := func() int { a.mu.Lock(); defer a.mu.Unlock(); return len(a.links) }
	wait(t, "the connection", func() bool { return held() == 1 })
	done := make(chan struct{})
	go func() {
		a.quiet(time.Hour)
		close(done)
	}()
	fmt.Fprintf(conn, "GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: %s\r\n\r\n", e.id)
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the shutdown waits for the extension, and the extension for the shutdown")
	}
}
