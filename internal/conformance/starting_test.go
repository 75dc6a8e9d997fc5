//go:build linux

package conformance_test

import (
	"os"
	"path/filepath"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

// good is a function that works.
const good = `exports.handler = async (event) => event;`

// broken is a start of a Node function that fails.
type broken struct {
	name, source       string
	handler            string // "" is index.handler
	files              []string
	errorType, message string // as the caller gets them
	log                string // of the init
	exit               bool   // the process ends without a report
	mendedFile         string // what makes it work; "" is index.js, "index" the name
}

func nodeStarts() []broken {
	return []broken{
		{
			name: "module not found", source: "aws-lambda-ric src/UserFunction.js: Runtime.ImportModuleError",
			files: []string{"other.js", good}, errorType: `Runtime\.ImportModuleError`, message: `Error: Cannot find module 'index'\n.*`,
			log: `Uncaught Exception \t\{"errorType":"Runtime.ImportModuleError"`,
		},
		{
			name: "dependency not found", source: "aws-lambda-ric src/UserFunction.js: Runtime.ImportModuleError with the require stack",
			files: []string{"index.js", `require('absent');` + good}, errorType: `Runtime\.ImportModuleError`,
			message: `Error: Cannot find module 'absent'\nRequire stack:\n- .*index\.js.*`, log: `Cannot find module 'absent'`,
		},
		{
			name: "syntax error", source: "aws-lambda-ric src/UserFunction.js: Runtime.UserCodeSyntaxError",
			files: []string{"index.js", "exports.handler = async () => {\n  let = ;\n};"}, errorType: `Runtime\.UserCodeSyntaxError`,
			message: `SyntaxError: .*`, log: `Runtime.UserCodeSyntaxError.*SyntaxError`,
		},
		{
			name: "handler missing", source: "aws-lambda-ric src/UserFunction.js: Runtime.HandlerNotFound",
			files: []string{"index.js", `exports.other = 1;`}, errorType: `Runtime\.HandlerNotFound`,
			message: `index\.handler is undefined or not exported`, log: `Runtime\.HandlerNotFound`,
		},
		{
			name: "handler is no function", source: "aws-lambda-ric src/UserFunction.js: is not a function",
			files: []string{"index.js", `exports.handler = 'text';`}, errorType: `Runtime\.HandlerNotFound`,
			message: `index\.handler is not a function`, log: `is not a function`,
		},
		{
			name: "wrong handler name", source: "aws-lambda-ric src/UserFunction.js: Runtime.MalformedHandlerName", handler: "index",
			files: []string{"index.js", good}, errorType: `Runtime\.MalformedHandlerName`, message: `Bad handler`, log: `Bad handler`,
			mendedFile: "index", // the name stays wrong
		},
		{
			name: "handler name that climbs", source: "aws-lambda-ric src/UserFunction.js: no .. in handler names", handler: "../index.handler",
			files: []string{"index.js", good}, errorType: `Runtime\.MalformedHandlerName`, message: `'\.\./index\.handler' is not a valid handler name\..*`,
			log: `not a valid handler name`, mendedFile: "index",
		},
		{
			name: "init throws", source: "aws-lambda-ric src/index.mjs: init/error with the error, exit 129",
			files: []string{"index.js", `throw new RangeError('no good start');`}, errorType: "RangeError", message: "no good start",
			log: `Uncaught Exception \t\{"errorType":"RangeError","errorMessage":"no good start"`,
		},
		{
			name: "init rejects", source: nodePage + "ES modules with top-level await",
			files: []string{"index.mjs", `await Promise.reject(new TypeError('no await')); export const handler = 1;`}, errorType: "TypeError", message: "no await",
			log: `"errorMessage":"no await"`,
		},
		{
			name: "init exits", source: lifecycle + "Runtime.ExitError in the init", exit: true,
			files: []string{"index.js", `console.log('gives up'); process.exit(4);`}, errorType: `Runtime\.ExitError`,
			message: "RequestId: ID Error: Runtime exited with error: exit status 4", log: `gives up`,
		},
	}
}

func starting() (list []testCase) {
	for _, b := range nodeStarts() {
		list = append(list, each(inNode, testCase{Name: b.name, API: "runtime", Source: b.source, Run: func(x *exam) { x.starts(b) }})...)
	}
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	for _, c := range []struct{ kind, errorType, message, log string }{
		{"panic", `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 2", "panic: no good start\n"},
		{"exit", `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 3", "gives up\n"},
		{"clean", `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited without providing a reason", "INIT_REPORT "},
	} {
		add(inGo, "init ends: "+c.kind, lifecycle+"a failed init is run again with the first invocation; Runtime.ExitError", func(x *exam) {
			cfg, mend := x.breaking(env("INIT", c.kind))
			x.ask(cfg, `{"do":"echo"}`).failed(x, c.errorType, c.message, "")
			x.failedStart(cfg, c.log)
			mend()
			x.works(cfg)
		})
	}
	add(inGo, "handler of a wrong kind", "aws-lambda-go lambda/handler.go: every invocation fails with the reason", func(x *exam) {
		cfg, _ := x.breaking(env("INIT", "handler"))
		for range 2 {
			x.ask(cfg, `{}`).failed(x, ".*", "handler kind int is not func", "")
		}
	})
	add(inGo, "handler with wrong arguments", "aws-lambda-go lambda/handler.go: handler signatures", func(x *exam) {
		cfg, _ := x.breaking(env("INIT", "arguments"))
		x.ask(cfg, `{}`).failed(x, ".*", "handler takes two arguments, but the first is not Context. got string", "")
	})
	add([]string{"go1.55", "go2020", "node", "ric", "bash"}, "init hangs", lifecycle+"the init has 10 s, and is run again with the function's timeout", func(x *exam) {
		cfg := x.hanging()
		p := x.ownPool()
		p.InitTimeout = time.Second
		a := x.do(p, cfg, `"IA=="`)
		a.failed(x, `Sandbox\.Timedout`, `[^ ]* ID Task timed out after 1\.00 seconds`, `ID Task timed out after 1\.00 seconds\n`)
		x.matches("log of the init", x.sink.of(cfg.LogGroup, ""), `INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: init\tStatus: timeout\n.*Phase: invoke\tStatus: timeout`)
		x.mend(cfg)
		cfg.ID, cfg.Timeout = cfg.ID+" mended", 2*time.Minute
		x.works(cfg)
	})
	add([]string{"bash"}, "init error", runtimeAPI+"initialization error: the body becomes the invocation's answer", func(x *exam) {
		cfg, mend := x.breaking(env("INIT", `call POST $runtime/init/error -H 'Lambda-Runtime-Function-Error-Type: Custom.Init' --data '{"errorMessage":"m","errorType":"Custom.Init"}'; exit 1`))
		x.ask(cfg, sh(":")).failed(x, `Custom\.Init`, "m", "Error Type: Runtime.Unknown$")
		x.matches("log", x.sink.of(cfg.LogGroup, ""), `^INIT_START .*202 .*INIT_REPORT .*\tPhase: init\tStatus: error\tError Type: Custom\.Init\n.*\tPhase: invoke\t`)
		mend()
		x.works(cfg)
	})
	add([]string{"bash"}, "bootstrap missing", "developer guide, Building a custom runtime: the file bootstrap; Runtime.InvalidEntrypoint", func(x *exam) {
		cfg := x.function(alone)
		cfg.Dir = x.shared()
		a := x.ask(cfg, sh(":"))
		a.failed(x, `Runtime\.InvalidEntrypoint`, `RequestId: ID Error: Couldn't find valid bootstrap\(s\): \[/var/task/bootstrap /opt/bootstrap\]`, `Couldn't find valid bootstrap`)
		b, err := os.ReadFile("testdata/bash/bootstrap")
		if err != nil {
			x.Fatal(err)
		}
		x.write(cfg.Dir, "bootstrap", string(b))
		x.works(cfg)
	})
	add([]string{"bash"}, "bootstrap that may not be executed", "developer guide, Building a custom runtime: bootstrap must be executable", func(x *exam) {
		cfg := x.function(alone)
		cfg.Dir = x.shared()
		x.write(cfg.Dir, "bootstrap", "#!/bin/sh\n")
		if err := os.Chmod(filepath.Join(cfg.Dir, "bootstrap"), 0o644); err != nil {
			x.Fatal(err)
		}
		x.ask(cfg, sh(":")).failed(x, `Runtime\.InvalidEntrypoint`, `RequestId: ID Error: fork/exec /var/task/bootstrap: permission denied`, "permission denied")
	})
	add([]string{"bash"}, "bootstrap that is no program", "developer guide, Building a custom runtime: a script or a program for the architecture", func(x *exam) {
		cfg := x.function(alone)
		cfg.Dir = x.shared()
		x.write(cfg.Dir, "bootstrap", "\x7fELF nothing")
		x.ask(cfg, sh(":")).failed(x, `Runtime\.InvalidEntrypoint`, `RequestId: ID Error: fork/exec /var/task/bootstrap: exec format error`, "exec format error")
	})
	add(inGo, "go1.x: the handler is the program", "developer guide, Go go1.x runtime: the handler names the executable", func(x *exam) {
		cfg := x.function(handler("bootstrap"), func(c *instance.Config) { c.Runtime = "go1.x" })
		if got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`)); got["AWS_EXECUTION_ENV"] != "AWS_Lambda_go1.x" {
			x.Errorf("AWS_EXECUTION_ENV is %q", got["AWS_EXECUTION_ENV"])
		}
		cfg = x.function(handler("absent"), func(c *instance.Config) { c.Runtime, c.ID = "go1.x", c.ID+" absent" })
		x.ask(cfg, `{}`).failed(x, `Runtime\.InvalidEntrypoint`, "RequestId: ID Error: fork/exec /var/task/absent: no such file or directory", "no such file")
	})
	return list
}

// starts checks a start that fails, and that the function works once it is mended.
func (x *exam) starts(b broken) {
	x.Helper()
	cfg := x.nodeFiles(b.files...)
	if b.handler != "" {
		cfg.Handler = b.handler
	}
	a := x.ask(cfg, `{}`)
	a.failed(x, b.errorType, b.message, `END RequestId: ID\nREPORT RequestId: ID\t.*Status: error\tError Type: `)
	if !b.exit {
		x.matches("trace", string(a.Payload), `"(trace|stackTrace)":\["`)
	}
	x.failedStart(cfg, b.log)
	if b.mendedFile == "" {
		b.mendedFile = "index.js"
	}
	if b.mendedFile == "index" {
		cfg.Handler, cfg.ID = "index.handler", cfg.ID+" mended"
	} else {
		x.write(cfg.Dir, "index.js", good)
	}
	x.works(cfg)
}

// failedStart checks the log of a start that failed twice: alone, and within the
// invocation.
func (x *exam) failedStart(cfg instance.Config, log string) {
	x.Helper()
	got := x.sink.of(cfg.LogGroup, "")
	x.matches("log of the init", got, log)
	x.matches("log of the init", got, `INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: init\tStatus: error\tError Type: .*INIT_REPORT Init Duration: [0-9.]+ ms\tPhase: invoke\tStatus: error\tError Type: `)
}

// nodeFiles is a Node function of its own files.
func (x *exam) nodeFiles(files ...string) instance.Config {
	x.Helper()
	cfg := x.function(alone)
	cfg.Dir = x.shared()
	if x.Client == "ric" {
		x.ricFunction(cfg.Dir)
	}
	x.write(cfg.Dir, files...)
	return cfg
}

// breaking is a function whose init fails until mend is called.
func (x *exam) breaking(changes ...func(*instance.Config)) (cfg instance.Config, mend func()) {
	x.Helper()
	file := filepath.Join(x.shared(), "broken")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		x.Fatal(err)
	}
	cfg = x.function(append(changes, env("BROKEN", file))...)
	return cfg, func() {
		if err := os.Remove(file); err != nil {
			x.Error(err)
		}
	}
}

// hanging is a function whose init hangs until it is mended.
func (x *exam) hanging() instance.Config {
	x.Helper()
	if x.Client == "node" || x.Client == "ric" {
		cfg := x.nodeFiles("index.js", `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`)
		cfg.Timeout = time.Second
		return cfg
	}
	hang := "hang"
	if x.Client == "bash" {
		hang = "sleep 600"
	}
	cfg, _ := x.breaking(env("INIT", hang), timeout(time.Second))
	return cfg
}

func (x *exam) mend(cfg instance.Config) {
	x.Helper()
	if file := cfg.Env["BROKEN"]; file != "" {
		if err := os.Remove(file); err != nil {
			x.Error(err)
		}
		return
	}
	x.write(cfg.Dir, "index.js", good)
}
