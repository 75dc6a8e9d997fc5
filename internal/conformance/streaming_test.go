//go:build linux

package conformance_test

import (
	"bytes"
)

// Responses that are streamed, by Node and by curl.
func streaming() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	streams := handler("stream.handler")
	add(inNode, "streamed response", streamPage+"awslambda.streamifyResponse", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(streams), `{"type":"text/html"}`, s.take)
		if a.FunctionError != "" || !a.Streamed || s.contentType != "text/html" || string(s.body) != "first,second,"+a.id || len(a.Payload) > 0 {
			x.Errorf("%s %s: streamed %v, %s: %q", a.ErrorType, a.Payload, a.Streamed, s.contentType, s.body)
		}
		x.matches("log", a.log, `END RequestId: .*REPORT `)
	})
	add(inNode, "streamed response is gathered", invokeAPI+"Invoke returns the whole response", func(x *exam) {
		x.gets(x.function(streams), `{}`, "first,second,.*")
	})
	add(inNode, "content type of a stream", "aws-lambda-ric src/ResponseStream.js: application/octet-stream unless set", func(x *exam) {
		s := &stream{}
		x.ask(x.function(streams), `{}`, s.take)
		if s.contentType != "application/octet-stream" {
			x.Errorf("got %q", s.contentType)
		}
	})
	add(inNode, "large stream", quotas+"streamed responses up to 200 MB", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(streams), `{"n":20}`, s.take)
		if a.FunctionError != "" || len(s.body) < 20<<20 || !bytes.HasSuffix(s.body, []byte(a.id)) {
			x.Errorf("%s, %d bytes", a.ErrorType, len(s.body))
		}
	})
	add(inNode, "stream with a prelude", streamPage+"HttpResponseStream.from: status, headers and cookies, eight NUL bytes, body", func(x *exam) {
		s := &stream{}
		x.ask(x.function(streams), `{"do":"http","text":"hi"}`, s.take)
		if want := "application/vnd.awslambda.http-integration-response"; s.contentType != want {
			x.Errorf("content type %q, want %q", s.contentType, want)
		}
		x.matches("stream", string(s.body), `^\{"statusCode":418,"headers":\{"x-said":"hi"\},"cookies":\["a=1","b=2"\]\}\x00{8}first,second,.*$`)
	})
	add(inNode, "error in mid-stream", "aws-lambda-ric src/ResponseStream.js: trailers Lambda-Runtime-Function-Error-Type and -Body", func(x *exam) {
		cfg, s := x.function(streams), &stream{}
		a := x.ask(cfg, `{"do":"break","text":"torn"}`, s.take)
		a.failed(x, "RangeError", "torn", `Invoke Error \t\{"errorType":"RangeError"`)
		if !a.Streamed || string(s.body) != "first," {
			x.Errorf("streamed %v: %q", a.Streamed, s.body)
		}
		x.gets(cfg, `{}`, "first,second,.*")
	})
	add(inNode, "error before the stream", "aws-lambda-ric src/StreamingContext.js", func(x *exam) {
		cfg, s := x.function(streams), &stream{}
		x.ask(cfg, `{"do":"early","text":"no"}`, s.take).failed(x, "RangeError", "no", "Invoke Error")
		x.gets(cfg, `{}`, "first,second,.*")
	})
	add(inNode, "process exits in mid-stream", lifecycle+"Runtime.ExitError", func(x *exam) {
		cfg, s := x.function(streams), &stream{}
		x.ask(cfg, `{"do":"exit"}`, s.take).failed(x, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 7", "exit status 7")
		x.gets(cfg, `{}`, "first,second,.*")
	})
	add([]string{"node"}, "stream that nobody ends", "internal/node: a stream that is never finished is an error, not a timeout", func(x *exam) {
		cfg, s := x.function(streams), &stream{}
		x.ask(cfg, `{"do":"open"}`, s.take).failed(x, ".*", "Response stream is not finished.", "not finished")
		x.gets(cfg, `{}`, "first,second,.*")
	})

	const chunked = ` -H 'Transfer-Encoding: chunked' -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Content-Type: text/x'`
	add([]string{"bash"}, "streaming mode", runtimeAPI+"Lambda-Runtime-Function-Response-Mode: streaming", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(), sh(`printf abc | respond`+chunked), s.take)
		if a.FunctionError != "" || !a.Streamed || s.contentType != "text/x" || string(s.body) != "abc" {
			x.Errorf("%s: streamed %v, %s: %q", a.ErrorType, a.Streamed, s.contentType, s.body)
		}
	})
	add([]string{"bash"}, "no stream without the mode", runtimeAPI+"the response is buffered by default", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(), sh(`printf '"abc"' | respond -H 'Content-Type: application/json'`), s.take)
		a.ok(x, `"abc"`)
		if a.Streamed || s.writes > 0 {
			x.Errorf("streamed %v, %d writes", a.Streamed, s.writes)
		}
	})
	// raw sends a request of bytes over bash's own TCP.
	raw := func(body string) string {
		return `exec 3<>/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}; printf 'POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n` +
			`Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n` +
			body + `' "$runtime/invocation/$id/response" >&3; `
	}
	add([]string{"bash"}, "trailers with an error", runtimeAPI+"Lambda-Runtime-Function-Error-Type and -Body (base64) as trailers", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(alone), sh(raw(`3\r\nabc\r\n0\r\nLambda-Runtime-Function-Error-Type: Custom.Torn\r\nLambda-Runtime-Function-Error-Body: eyJlcnJvclR5cGUiOiJDdXN0b20uVG9ybiIsImVycm9yTWVzc2FnZSI6Im0ifQ==\r\n\r\n`)+`read -r answer <&3; exec 3>&-`), s.take)
		a.failed(x, `Custom\.Torn`, "m", "")
		if string(s.body) != "abc" {
			x.Errorf("got %q", s.body)
		}
		x.works(x.function(alone))
	})
	add([]string{"bash"}, "stream that breaks off", streamPage+"Runtime.TruncatedResponse", func(x *exam) {
		s := &stream{}
		a := x.ask(x.function(alone), sh(raw(`9\r\nabc`)+`exec 3>&-`), s.take)
		a.failed(x, `Runtime\.TruncatedResponse`, "RequestId: ID Error: Response ended before it was complete", "")
		x.works(x.function(alone))
	})
	add([]string{"bash"}, "stream after which the process exits", lifecycle+"Runtime.ExitError", func(x *exam) {
		a := x.ask(x.function(alone), sh(raw(`9\r\nabc`)+`exit 5`), (&stream{}).take)
		a.failed(x, `Runtime\.ExitError`, "RequestId: ID Error: Runtime exited with error: exit status 5", "exit status 5")
		x.works(x.function(alone))
	})
	return list
}
