//go:build linux

package conformance_test

import (
	"encoding/json"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

func parse(text string, v any) error { return json.Unmarshal([]byte(text), v) }

// What goes wrong within an invocation. In all of these the next one works.
func failing() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	add(inGo, "handler's error", "aws-lambda-go lambda/errors.go: the type's name and the message", func(x *exam) {
		x.fails(x.function(), `{"do":"fail","text":"refused"}`, "errorString", "refused", `^START RequestId: ID .*END RequestId: ID\n`)
		x.fails(x.function(), `{"do":"typed","text":"spout"}`, "teapot", "no coffee from spout", "")
	})
	add(inNode, "handler's error", "aws-lambda-ric src/Errors.js: name, message and stack", func(x *exam) {
		x.fails(x.function(), `{"do":"fail","text":"refused"}`, "Error", "refused", `\tID\tERROR\tInvoke Error \t\{"errorType":"Error","errorMessage":"refused","stack":\[`)
		a := x.fails(x.function(), `{"do":"typed","text":"spout"}`, "Teapot", "no coffee from spout", `"spout":"spout"`)
		x.matches("trace", string(a.Payload), `"trace":\["Teapot: no coffee from spout","    at `)
	})
	add(inNode, "rejection with a string", "aws-lambda-ric src/Errors.js: typeof the reason", func(x *exam) {
		x.fails(x.function(), `{"do":"string","text":"no"}`, "string", "no", `"errorMessage":"no"`)
	})
	add([]string{"bash"}, "handler's error", runtimeAPI+"invocation error: errorMessage, errorType, stackTrace", func(x *exam) {
		body := `{"errorMessage":"m","errorType":"Custom.Reason","stackTrace":["a","b"]}`
		a := x.fails(x.function(), sh(`fail Custom.Reason '`+body+`'`), `Custom\.Reason`, "m", "")
		if string(a.Payload) != body {
			x.Errorf("got %s, want the body as it was", a.Payload)
		}
	})
	add(inGo, "panic in the handler", "aws-lambda-go lambda/panic.go and invoke_loop.go: reported with its stack, then the process exits", func(x *exam) {
		log := "boom"
		if x.Client == "go2020" {
			log = "" // it reports, and prints nothing
		}
		a := x.fails(x.function(), `{"do":"panic","text":"boom"}`, "string", "boom", log)
		x.matches("stack", string(a.Payload), `"stackTrace":\[\{"path":"`)
		x.fails(x.function(), `{"do":"nil"}`, "errorString", ".*nil pointer dereference", "")
	})
	add(inGo, "panic outside of the handler", lifecycle+"Runtime.ExitError", func(x *exam) {
		x.fails(x.function(), `{"do":"uncaught","text":"boom"}`, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 2",
			`panic: boom\n.*RequestId: ID Error: Runtime exited with error: exit status 2\nRuntime.ExitError\nEND`)
	})
	add(inNode, "uncaught exception", "aws-lambda-ric src/index.mjs: uncaughtException is reported, exit 129", func(x *exam) {
		x.fails(x.function(), `{"do":"uncaught","text":"boom"}`, "Error", "boom", `\tID\tERROR\tUncaught Exception \t\{"errorType":"Error","errorMessage":"boom"`)
	})
	add(inNode, "unhandled rejection", "aws-lambda-ric src/index.mjs: Runtime.UnhandledPromiseRejection, exit 128", func(x *exam) {
		x.fails(x.function(), `{"do":"rejection","text":"lost"}`, `Runtime\.UnhandledPromiseRejection`, "Error: lost",
			`Unhandled Promise Rejection \t\{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost"`)
	})
	add(inNode, "promise that is never settled", "aws-lambda-ric src/BeforeExitListener.js: the event loop is empty", func(x *exam) {
		if x.Client == "ric" { // 3.3 answers for a handler that says nothing more
			x.gets(x.function(), `{"do":"never"}`, "null")
			x.works(x.function())
			return
		}
		x.fails(x.function(), `{"do":"never"}`, `Runtime\.NodeJsExit`, ".*Promise that was never settled.*", "never settled")
	})
	add(inGo, "handler that never returns", invokeAPI+"a function that times out", func(x *exam) {
		hangs(x, `{"do":"never"}`)
	})
	add([]string{"node", "ric", "bash"}, "timeout", invokeAPI+"Task timed out after N seconds", func(x *exam) {
		if x.Client == "bash" {
			hangs(x, sh(`sleep 600`))
			return
		}
		hangs(x, `{"do":"sleep","n":600000}`)
	})
	add(languages, "process exits", lifecycle+"Runtime exited with error, Runtime.ExitError", func(x *exam) {
		x.fails(x.function(), `{"do":"exit","n":3}`, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 3",
			`\nRequestId: ID Error: Runtime exited with error: exit status 3\nRuntime.ExitError\nEND RequestId: ID\nREPORT RequestId: ID\t.*\tStatus: error\tError Type: Runtime\.ExitError$`)
		x.fails(x.function(), `{"do":"exit","n":0}`, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited without providing a reason", "")
	})
	add([]string{"bash"}, "process is killed", lifecycle+"Runtime exited with error: signal: killed", func(x *exam) {
		x.fails(x.function(), sh(`kill -9 $$`), `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: signal: killed", "")
	})
	add(languages, "out of memory", lifecycle+"the process is killed; Max Memory Used is the limit", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.MemoryMB = 160 })
		a := x.fails(cfg, `{"do":"oom"}`, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: signal: killed",
			`Max Memory Used: 16\d MB\tInit Duration: .*Error Type: Runtime\.OutOfMemory$`)
		if a.MaxMemoryMB != 160 {
			x.Logf("max memory used: %d MB", a.MaxMemoryMB)
		}
	})
	add(languages, "response too large", quotas+"6 MB; Function.ResponseSizeTooLarge", func(x *exam) {
		x.fails(x.function(alone), `{"do":"big","n":6300000}`, `Function\.ResponseSizeTooLarge`,
			`Response payload size \(6300002 bytes\) exceeded maximum allowed payload size \(6291556 bytes\)\.`, "")
	})
	add(languages, "response of 6 MB", quotas+"6 MB", func(x *exam) {
		x.gets(x.function(), `{"do":"big","n":6291454}`, `"x{1000}.*"`)
	})
	add(inGo, "response that cannot be JSON", "aws-lambda-go lambda/handler.go: json.Marshal's error", func(x *exam) {
		x.fails(x.function(), `{"do":"unmarshallable"}`, ".*UnsupportedTypeError", "json: unsupported type: chan int", "")
	})
	add(inNode, "response that cannot be JSON", "aws-lambda-ric src/RAPIDClient.js: Unable to stringify response body", func(x *exam) {
		for _, event := range []string{`{"do":"unmarshallable"}`, `{"do":"circular"}`} {
			x.fails(x.function(), event, "Error", "Unable to stringify response body", "Unable to stringify")
		}
	})
	add([]string{"bash"}, "response that is no JSON", runtimeAPI+"response takes any body", func(x *exam) {
		x.gets(x.function(), sh(`printf 'no { json' | respond`), "no { json")
		x.works(x.function())
	})
	return list
}

// hangs has a function time out, which ends its process.
func hangs(x *exam, payload string) {
	x.Helper()
	cfg := x.function(timeout(time.Second))
	x.ask(cfg, payload).failed(x, `Sandbox\.Timedout`, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ID Task timed out after 1\.00 seconds`,
		`Z ID Task timed out after 1\.00 seconds\nEND RequestId: ID\nREPORT RequestId: ID\tDuration: .*\tStatus: timeout$`)
	cfg.Timeout = 2 * time.Minute
	x.works(cfg)
}
