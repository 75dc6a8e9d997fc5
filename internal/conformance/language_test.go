//go:build linux

package conformance_test

import (
	"os"
	"path/filepath"

	"github.com/dropstack/dropstack/internal/instance"
)

// What only Node has: handlers with callbacks, module kinds.
func nodeCases() (list []testCase) {
	add := func(name, source string, run func(*exam)) {
		list = append(list, each(inNode, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	callback := handler("index.callback")
	add("callback", nodePage+"callback-based handlers", func(x *exam) {
		cfg := x.function(callback)
		x.gets(cfg, `{"text":"fine"}`, `\{"text":"fine"\}`)
		x.fails(cfg, `{"do":"fail","text":"no"}`, "Error", "no", "Invoke Error")
		x.fails(cfg, `{"do":"string","text":"no"}`, "string", "no", "Invoke Error")
		x.fails(cfg, `{"do":"throw","text":"no"}`, "TypeError", "no", "Invoke Error")
	})
	add("callback waits for the event loop", nodePage+"callbackWaitsForEmptyEventLoop is true by default", func(x *exam) {
		x.gets(x.function(callback), `{"do":"waits","text":"worked"}`, `\{"late":"worked"\}`)
	})
	add("callback does not wait", nodePage+"callbackWaitsForEmptyEventLoop false sends the response right away", func(x *exam) {
		cfg := x.function(callback)
		for range 2 {
			x.gets(cfg, `{"do":"leaves"}`, `"left"`)
		}
	})
	add("handler that says nothing", nodePage+"a handler that doesn't call back returns null when the event loop is empty", func(x *exam) {
		cfg := x.function(callback)
		x.gets(cfg, `{"do":"silent"}`, "null")
		x.works(cfg)
	})
	add("context.succeed, done and fail", "aws-lambda-ric src/CallbackContext.js", func(x *exam) {
		cfg := x.function(callback)
		x.gets(cfg, `{"do":"succeed","text":"s"}`, `"s"`)
		x.gets(cfg, `{"do":"done","text":"d"}`, `"d"`)
		x.fails(cfg, `{"do":"contextfail","text":"f"}`, "Error", "f", "Invoke Error")
	})
	add("nested handler", "aws-lambda-ric src/UserFunction.js: index.api.v1.get", func(x *exam) {
		x.gets(x.function(handler("index.api.v1.get")), `{}`, `"nested"`)
	})
	for _, m := range []struct{ name, handler, file, content string }{
		{"ES module", "index.handler", "index.mjs", "const v = await Promise.resolve('here'); export const handler = async () => v;"},
		{"CommonJS by its name", "index.handler", "index.cjs", "exports.handler = async () => 'here';"},
		{"handler in a directory", "src/api/index.handler", "src/api/index.js", "exports.handler = async () => 'here';"},
	} {
		add(m.name, "aws-lambda-ric src/UserFunction.js: .js, .mjs, .cjs", func(x *exam) {
			cfg := x.nodeFiles(m.file, m.content)
			cfg.Handler = m.handler
			x.gets(cfg, `{}`, `"here"`)
		})
	}
	add("ES modules by package.json", nodePage+"type module", func(x *exam) {
		x.gets(x.nodeFiles("package.json", `{"type":"module"}`, "index.js", "export const handler = async () => typeof require;"), `{}`, `"undefined"`)
	})
	list = append(list, testCase{
		Name: "JavaScript heap out of memory", Client: "node", API: "runtime", Source: lifecycle + "Runtime.ExitError; V8 gives up at --max-old-space-size, nine tenths of the memory",
		Run: func(x *exam) {
			cfg := x.function(func(c *instance.Config) { // the heap's limit first, that of the process much later
				c.MemoryMB = 1024
				c.Command = append([]string{c.Command[0], "--max-old-space-size=40", "--max-semi-space-size=2"}, c.Command[len(c.Command)-1])
			})
			x.fails(cfg, `{"do":"heap"}`, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: signal: aborted.*", "JavaScript heap out of memory")
		},
	})
	return list
}

// What only aws-lambda-go has.
func goCases() (list []testCase) {
	add := func(name, api, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: "go1.55", API: api, Source: source, Run: run})
	}
	add("WithEnableSIGTERM", "extensions", "aws-lambda-go lambda/sigterm.go: an internal extension registers, so that SIGTERM comes", func(x *exam) {
		notes := filepath.Join(x.shared(), "notes")
		cfg := x.function(env("KIND", "sigterm", "NOTES", notes))
		p := x.ownPool()
		x.do(p, cfg, `{}`).ok(x, `\{\}`)
		p.Close()
		if b, _ := os.ReadFile(notes); string(b) != "terminated" {
			x.Errorf("notes: %q", b)
		}
	})
	reader := env("KIND", "reader")
	add("reader is streamed", "runtime", "aws-lambda-go lambda/invoke_loop.go: what is an io.Reader is sent in chunks with its ContentType", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(reader), `{"text":"abc","n":100000}`, s.take)
		if !a.Streamed || s.contentType != "text/plain" || len(s.body) != 300_000 {
			x.Errorf("streamed %v, %s, %d bytes", a.Streamed, s.contentType, len(s.body))
		}
	})
	add("reader is gathered", "runtime", invokeAPI+"Invoke buffers what InvokeWithResponseStream streams", func(x *exam) {
		x.gets(x.function(reader), `{"text":"abc"}`, "abc")
	})
	add("reader that fails", "runtime", "aws-lambda-go lambda/runtime_api_client.go: trailers Lambda-Runtime-Function-Error-Type and -Body", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(reader), `{"do":"break","text":"so far"}`, s.take)
		a.failed(x, "errorString", "torn", "")
		if !a.Streamed || string(s.body) != "so far" {
			x.Errorf("streamed %v: %q", a.Streamed, s.body)
		}
		x.gets(x.function(reader), `{"text":"abc"}`, "abc")
	})
	add("reader that panics", "runtime", "aws-lambda-go lambda/runtime_api_client.go: a panic goes into the trailers", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(reader), `{"do":"panic","text":"so far"}`, s.take)
		a.failed(x, ".*", ".*", "")
		x.gets(x.function(reader), `{"text":"abc"}`, "abc")
	})
	add("error instead of a reader", "runtime", "aws-lambda-go lambda/invoke_loop.go", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(reader), `{"do":"fail","text":"refused"}`, s.take)
		a.failed(x, "errorString", "refused", "")
		if a.Streamed || s.contentType != "" {
			x.Errorf("streamed %v, %q", a.Streamed, s.contentType)
		}
	})
	add("function URL response with a prelude", "runtime", "aws-lambda-go events/lambda_function_urls.go: prelude, eight NUL bytes, body", func(x *exam) {
		s := &stream{}
		x.ask(x.function(env("KIND", "url")), `{"text":"hi"}`, s.take).ok(x, "")
		if want := "application/vnd.awslambda.http-integration-response"; s.contentType != want {
			x.Errorf("content type %q, want %q", s.contentType, want)
		}
		x.matches("stream", string(s.body), `^\{"statusCode":418,"headers":\{"X-Said":"hi"\},"cookies":\["a=1","b=2"\]\}\x00{8}body hi$`)
	})
	return list
}
