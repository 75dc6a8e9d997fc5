package instance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestInitStartLine(t *testing.T) {
	p, s := newPool(t)
	do(t, p, probe(), `{}`)
	matches(t, "log", strings.Join(s.of(""), "\n"),
		`^INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$`)
}

func TestRuntimeVersion(t *testing.T) {
	for runtime, want := range map[string]string{
		"nodejs22.x": "nodejs:22.v1", "nodejs6.10": "nodejs:6.10.v1", "go1.x": "go:1.v1", "provided.al2": "provided:al2.v1", "provided": "provided.v1",
	} {
		if got, _ := runtimeVersion(Config{Runtime: runtime}); got != want {
			t.Errorf("%s: got %s, want %s", runtime, got, want)
		}
	}
}

func TestJSONLogs(t *testing.T) {
	p, s := newPool(t)
	cfg := probe()
	cfg.JSONLogs, cfg.LogLevel = true, "WARN"
	_, good := do(t, p, cfg, `{"mode":"print","text":"{\"level\":\"error\",\"m\":1}\n{\"level\":\"Info\"}\nplain"}`)
	out, bad := do(t, p, cfg, `{"mode":"exit","n":2}`)
	const at = `{"time":"[^"]+Z","type":`
	matches(t, "start of the init", strings.Join(s.of(""), "\n"), `^`+at+`"platform.initStart","record":{"initializationType"`)
	matches(t, "a good invocation", strings.Join(s.of(good), "\n"), `^`+at+`"platform.start","record":{"requestId":"`+good+`","version":"\$LATEST"}}
{"level":"error","m":1}
`+at+`"platform.report","record":{"requestId":"`+good+`","status":"success","metrics":{[^}]*"initDurationMs":[0-9.]+}}}$`)
	matches(t, "a bad one", strings.Join(s.of(bad), "\n"), `^`+at+`"platform.start"[^\n]*
`+at+`"platform.fault","record":"RequestId: `+bad+` Error: Runtime exited with error: exit status 2 Runtime.ExitError"}
`+at+`"platform.runtimeDone","record":{"requestId":"`+bad+`","status":"failure","errorType":"Runtime.ExitError",[^\n]*
`+at+`"platform.report","record":{"requestId":"`+bad+`","status":"error","errorType":"Runtime.ExitError",[^\n]*$`)
	if !strings.HasSuffix(string(out.LogTail), "}}}\n") {
		t.Errorf("tail: %s", out.LogTail)
	}
}

func TestLevels(t *testing.T) {
	for line, want := range map[string]int{
		`{"level":"trace"}`: -2, `{"level":"DEBUG"}`: -1, `{"Level":"warn"}`: 1, `{"level":"fatal"}`: 3, `{"level":"loud"}`: 0, `{"level":5}`: 0, `{}`: 0, `text`: 0, `{`: 0,
	} {
		if got := levelOf(line); got != want {
			t.Errorf("%s: got %d, want %d", line, got, want)
		}
	}
}

func TestInitErrorReported(t *testing.T) {
	for name, want := range map[string]string{"report": "Runtime.NoGood", "report and stay": "Body"} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			cfg := probe()
			cfg.Env = map[string]string{"PROBE_INIT": name}
			out, _ := do(t, p, cfg, `{}`)
			if out.ErrorType != want || !strings.HasPrefix(string(out.Payload), `{"errorMessage":"no","errorType":"Body"`) {
				t.Errorf("got %s %s, want %s and the body untouched", out.ErrorType, out.Payload, want)
			}
			matches(t, "log", strings.Join(s.of(""), "\n"), `(?m)^INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: error\tError Type: `+want+`$`)
		})
	}
}

// An init that takes longer than its 10 seconds is repeated in the first
// invocation and has the function's timeout then.
func TestSlowInitGetsTheFunctionsTimeout(t *testing.T) {
	p, _ := newPool(t)
	p.InitTimeout = time.Millisecond
	cfg := probe()
	cfg.Timeout = time.Minute
	if out, _ := do(t, p, cfg, `{}`); out.FunctionError != "" {
		t.Errorf("got %s", out.Payload)
	}
}

// managed is a managed runtime: the probe stands for its client.
func managed(t *testing.T) Config {
	t.Helper()
	cfg := probe()
	cfg.ID, cfg.Runtime, cfg.Handler = "managed", "nodejs22.x", "index.handler"
	cfg.Command = []string{filepath.Join(probeDir, "bootstrap"), "--flag", filepath.Join(probeDir, "client", "index.mjs")}
	cfg.Dir = shared(t)
	return cfg
}

func TestManagedRuntime(t *testing.T) {
	p, _ := newPool(t)
	cfg := managed(t)
	cfg.Opt, cfg.InitType, cfg.JSONLogs = shared(t), "provisioned-concurrency", true
	out, _ := do(t, p, cfg, `{"mode":"env"}`)
	env := decode[[]string](t, out)
	client := filepath.Join(probeDir, "client")
	for _, want := range []string{
		"AWS_EXECUTION_ENV=AWS_Lambda_nodejs22.x", "_HANDLER=index.handler", "LAMBDA_TASK_ROOT=" + cfg.Dir, "LAMBDA_RUNTIME_DIR=" + client,
		"AWS_LAMBDA_INITIALIZATION_TYPE=provisioned-concurrency", "AWS_LAMBDA_LOG_FORMAT=JSON", "AWS_LAMBDA_LOG_LEVEL=INFO",
		"NODE_PATH=" + cfg.Opt + "/nodejs/node22/node_modules:" + cfg.Opt + "/nodejs/node_modules:" + client + "/node_modules:" + client + ":" + cfg.Dir,
		"PATH=" + probeDir + ":/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:" + cfg.Opt + "/bin",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("missing %s in\n%s", want, strings.Join(env, "\n"))
		}
	}
	if all := strings.Join(env, "\n"); !strings.Contains(all, ":"+cfg.Opt+"/lib\n") {
		t.Errorf("LD_LIBRARY_PATH lacks the layers' lib:\n%s", all)
	}
}

func TestWrapper(t *testing.T) {
	for name, c := range map[string]struct {
		path, content, errorType, message string
		mode                              os.FileMode
	}{
		"of the layers":      {"/opt/wrap", "#!/bin/sh\nexport WRAPPED=\"$*\"\nexec \"$@\"\n", "", "", 0o755},
		"of the function":    {"/var/task/wrap", "#!/bin/sh\nexport WRAPPED=\"$*\"\nexec \"$@\"\n", "", "", 0o755},
		"absent":             {"/opt/none", "", "Runtime.ExitError", "Runtime exited with error: exit status 127", 0o755},
		"not executable":     {"/opt/wrap", "#!/bin/sh\n", "Runtime.ExitError", "Runtime exited with error: exit status 126", 0o644},
		"ends without a run": {"/opt/wrap", "#!/bin/sh\nexit 3\n", "Runtime.ExitError", "Runtime exited with error: exit status 3", 0o755},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newPool(t)
			cfg := managed(t)
			cfg.Opt = shared(t)
			cfg.Env = map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": c.path}
			for _, dir := range []string{cfg.Opt, cfg.Dir} {
				if err := os.WriteFile(filepath.Join(dir, "wrap"), []byte(c.content), c.mode); err != nil {
					t.Fatal(err)
				}
			}
			out, _ := do(t, p, cfg, `{"mode":"env"}`)
			if out.ErrorType != c.errorType || !strings.HasSuffix(message(reply{payload: out.Payload}), c.message) {
				t.Errorf("got %s %s, want %s %s", out.ErrorType, out.Payload, c.errorType, c.message)
			}
			if cause := map[string]string{"absent": "/opt/none: No such file", "not executable": "/opt/wrap: permission denied"}[name]; cause != "" {
				matches(t, "log", strings.Join(s.of(""), "\n"), cause)
			}
			if want := "WRAPPED=" + strings.Join(cfg.Command, " "); c.errorType == "" && !slices.Contains(decode[[]string](t, out), want) {
				t.Errorf("missing %s in %s", want, out.Payload)
			}
		})
	}
}

func TestBootstrapOfTheLayers(t *testing.T) {
	p, _ := newPool(t)
	cfg := probe()
	cfg.Opt, cfg.Dir = shared(t), shared(t)
	if err := os.Link(filepath.Join(probeDir, "bootstrap"), filepath.Join(cfg.Opt, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	out, _ := do(t, p, cfg, `{"mode":"context"}`)
	var got struct{ Dir string }
	if err := json.Unmarshal(out.Payload, &got); err != nil || got.Dir != cfg.Dir {
		t.Errorf("working directory got %q (%s), want %s", got.Dir, out.Payload, cfg.Dir)
	}
}
