//go:build linux

package conformance_test

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/dropstack/dropstack/internal/instance"
)

// What is logged.
func logging() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "logs", Source: source, Run: run})...)
	}
	event := map[string]string{"go1.55": `{}`, "go2020": `{}`, "node": `{}`, "ric": `{}`, "bash": sh(script)}
	add(clients, "START, END, REPORT", logsPage+"the three lines of an invocation; tabs; Init Duration only of a cold start", func(x *exam) {
		cfg := x.function(alone)
		const report = `REPORT RequestId: ID\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\t`
		for n, end := range []string{`Init Duration: \d+\.\d\d ms\t$`, `$`} {
			var a answer
			x.reused(func() bool {
				a = x.ask(cfg, event[x.Client])
				return n == 0 || a.Init == 0
			})
			want := `^START RequestId: ID Version: \$LATEST\nEND RequestId: ID\n` + report + end
			x.matches("log", a.log, strings.ReplaceAll(want, "ID", a.id))
			if string(a.LogTail) != a.log+"\n" {
				x.Errorf("invocation %d: the tail is %q, the log %q", n, a.LogTail, a.log)
			}
		}
		x.matches("log of the init", x.sink.of(cfg.LogGroup, ""), `^INIT_START Runtime Version: [a-z0-9.:]+\.v1\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:[0-9a-f]{64}`)
	})
	add(languages, "lines of both outputs", logsPage+"stdout and stderr, by lines", func(x *exam) {
		cfg := x.function()
		a := x.ask(cfg, `{"do":"print","text":"one\ntwo"}`)
		x.matches("log", a.log, `\none\ntwo\nEND `)
		a = x.ask(cfg, `{"do":"warn","text":"wärn\n"}`)
		x.matches("log", a.log, `\nwärn\nEND `)
	})
	add(clients, "JSON log format", "developer guide, Using Lambda advanced logging controls: platform.start and platform.report as JSON", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs = true })
		a := x.ask(cfg, event[x.Client])
		x.matches("log", a.log, `^\{"time":"[^"]+Z","type":"platform\.start","record":\{"requestId":"`+a.id+`","version":"\$LATEST",[^\n]*\}\}\n`)
		x.matches("log", a.log, `\n\{"time":"[^"]+Z","type":"platform\.report","record":\{"requestId":"`+a.id+`","status":"success",[^\n]*\}\}$`)
		x.lacks("log", a.log, "^(START|END|REPORT)")
	})
	add(inNode, "console", nodePage+"logging: time, request id, level, message, by tabs", func(x *exam) {
		cfg := x.function()
		for level, shown := range map[string]string{"log": "INFO", "info": "INFO", "warn": "WARN", "error": "ERROR", "debug": "DEBUG", "trace": "TRACE"} {
			a := x.ask(cfg, `{"do":"console","level":"`+level+`","text":"hi"}`)
			x.matches("log", a.log, `\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t`+a.id+`\t`+shown+`\t(Trace: )?hi\n`)
		}
	})
	add(inNode, "console call of many lines is one record", "aws-lambda-ric src/LogPatch.js: line ends become \\r", func(x *exam) {
		a := x.ask(x.function(), `{"do":"lines"}`)
		x.matches("log", a.log, `\tINFO\tone\rtwo\nEND `)
	})
	add([]string{"node"}, "console in JSON", "developer guide, Using Lambda advanced logging controls: timestamp, level, requestId, message", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs = true })
		a := x.ask(cfg, `{"do":"console","level":"warn","text":"hi"}`)
		x.matches("log", a.log, `\n\{"timestamp":"[^"]+Z","level":"WARN","requestId":"`+a.id+`","message":"hi"\}\n`)
	})
	add([]string{"node"}, "logged error in JSON", "aws-lambda-ric src/LogPatch.js: errorType, errorMessage, stackTrace", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs = true })
		a := x.ask(cfg, `{"do":"logged"}`)
		x.matches("log", a.log, `"level":"ERROR",[^\n]*"errorType":"Teapot","errorMessage":"no coffee from log","stackTrace":\["Teapot: no coffee from log"`)
	})
	add([]string{"node"}, "application log level", "developer guide, Using Lambda advanced logging controls: lines below the level are not sent", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs, c.LogLevel = true, "WARN" })
		x.lacks("log", x.ask(cfg, `{"do":"console","level":"info","text":"hidden"}`).log, "hidden")
		x.matches("log", x.ask(cfg, `{"do":"console","level":"error","text":"shown"}`).log, `"message":"shown"`)
	})
	add([]string{"node"}, "variables of the JSON format", variables+"AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs, c.LogLevel = true, "DEBUG" })
		got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`))
		if got["AWS_LAMBDA_LOG_FORMAT"] != "JSON" || got["AWS_LAMBDA_LOG_LEVEL"] != "DEBUG" {
			x.Errorf("got %q, %q", got["AWS_LAMBDA_LOG_FORMAT"], got["AWS_LAMBDA_LOG_LEVEL"])
		}
	})
	add([]string{"bash"}, "lines of JSON stay as they are", "developer guide, Using Lambda advanced logging controls: JSON that a function writes isn't encoded again", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.JSONLogs, c.LogLevel = true, "WARN" })
		a := x.ask(cfg, sh(`echo '{"level":"error","m":1}'; echo '{"level":"info","m":2}'; `+script))
		x.matches("log", a.log, `\n\{"level":"error","m":1\}\n`)
		x.lacks("log", a.log, `"m":2`)
	})
	add([]string{"bash"}, "the tail is the last 4 KB", invokeAPI+"LogResult: the last 4 KB of the execution log", func(x *exam) {
		a := x.ask(x.function(), sh(`for i in $(seq 2000); do echo "line $i"; done; `+script))
		if len(a.LogTail) != 4096 || !strings.HasSuffix(a.log+"\n", string(a.LogTail)) {
			x.Errorf("%d bytes: %.100q", len(a.LogTail), a.LogTail)
		}
		x.matches("log", a.log, `\nline 1\n.*\nline 2000\n`)
	})
	add([]string{"bash"}, "very long line", logsPage+"an event holds 256 KB", func(x *exam) {
		a := x.ask(x.function(), sh(`head -c 300000 /dev/zero | tr '\0' x; echo; `+script))
		if n := strings.Count(strings.ReplaceAll(a.log, "Max", ""), "x"); n != 300000 {
			x.Errorf("%d characters are logged, want 300000", n)
		}
	})
	add([]string{"bash"}, "failed init in JSON", telSchema+"platform.initRuntimeDone and platform.initReport in the log", func(x *exam) {
		cfg, _ := x.breaking(env("INIT", "exit 3"), func(c *instance.Config) { c.JSONLogs = true })
		x.ask(cfg, sh(script))
		x.matches("log", x.sink.of(cfg.LogGroup, ""), `"platform\.initReport","record":\{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime\.ExitError"`)
	})
	return list
}

// layering are layers at /opt, and wrapper scripts.
func layering() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	layered := func(x *exam, files ...string) (instance.Config, string) {
		x.Helper()
		opt := filepath.Join(x.shared(), "opt")
		x.write(opt, files...)
		return x.function(func(c *instance.Config) { c.Opt = opt }), opt
	}
	for _, dir := range []string{"nodejs/node_modules", "nodejs/node20/node_modules"} {
		add([]string{"node"}, "modules of a layer in "+dir, layersPage+"paths: "+dir+" by NODE_PATH", func(x *exam) {
			cfg, _ := layered(x, dir+"/lib/index.js", `exports.handler = async () => 'from the layer';`)
			cfg.Handler = "user.handler"
			cfg.Dir = x.shared()
			x.write(cfg.Dir, "user.js", `exports.handler = require('lib').handler;`)
			x.gets(cfg, `{}`, `"from the layer"`)
		})
	}
	add([]string{"bash"}, "programs of a layer", layersPage+"bin by PATH", func(x *exam) {
		cfg, _ := layered(x, "bin/greet", "#!/bin/sh\necho hello")
		x.gets(cfg, sh(`greet | quote | respond`), `"hello"`)
	})
	add(inGo, "libraries of a layer", layersPage+"lib by LD_LIBRARY_PATH", func(x *exam) {
		cfg, opt := layered(x, "lib/nothing", "")
		got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`))
		x.matches("LD_LIBRARY_PATH", got["LD_LIBRARY_PATH"], ":"+opt+"/lib$")
		x.matches("PATH", got["PATH"], ":"+opt+"/bin$")
	})
	add([]string{"bash"}, "runtime in a layer", "developer guide, Building a custom runtime: /opt/bootstrap if the function has none", func(x *exam) {
		b, err := os.ReadFile("testdata/bash/bootstrap")
		if err != nil {
			x.Fatal(err)
		}
		cfg, _ := layered(x, "bootstrap", string(b))
		cfg.Dir = x.shared()
		x.works(cfg)
	})
	wrapper := "#!/bin/bash\nexport WRAPPED=\"$*\"\nexec \"$@\"\n"
	add([]string{"node"}, "wrapper script in a layer", wrapperPage+"AWS_LAMBDA_EXEC_WRAPPER starts the runtime with its arguments", func(x *exam) {
		cfg, _ := layered(x, "wrap", wrapper)
		cfg.Env["AWS_LAMBDA_EXEC_WRAPPER"] = "/opt/wrap"
		got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`))
		x.matches("WRAPPED", got["WRAPPED"], `node .*main\.cjs$`)
	})
	add([]string{"node"}, "wrapper script that is missing", wrapperPage+"Runtime.ExitError, as a shell's 127", func(x *exam) {
		cfg := x.function(env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/absent"))
		x.ask(cfg, `{}`).failed(x, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 127", "")
		x.matches("log", x.sink.of(cfg.LogGroup, ""), `/opt/absent: No such file or directory`)
	})
	add([]string{"bash", "go1.55"}, "custom runtimes know no wrapper scripts", wrapperPage+"wrapper scripts aren't supported on OS-only runtimes", func(x *exam) {
		x.works(x.function(env("AWS_LAMBDA_EXEC_WRAPPER", "/opt/absent")))
	})
	return list
}
