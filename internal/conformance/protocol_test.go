//go:build linux

package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
)

// The Runtime API itself, by curl. What the API answers the function hands back.
func protocol() (list []testCase) {
	add := func(name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: "bash", API: "runtime", Source: source, Run: run})
	}
	script := func(name, source, script, want string) {
		add(name, source, func(x *exam) {
			x.gets(x.function(alone), sh(script), want)
			x.works(x.function(alone))
		})
	}
	// tell answers with what a call was answered.
	const tell = " | quote | respond"
	script("headers of next", runtimeAPI+"Lambda-Runtime-Aws-Request-Id, -Deadline-Ms, -Invoked-Function-Arn, -Trace-Id",
		`for h in aws-request-id deadline-ms invoked-function-arn trace-id; do header lambda-runtime-$h; done`+tell,
		`"00000000-0000-4000-8000-\d{12}\\n\d{13}\\narn:aws:lambda:eu-west-1:123456789012:function:fn\\nRoot=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"`)
	script("next is JSON", runtimeAPI+"the response body contains the event, JSON", `header content-type`+tell, `"application/json"`)
	script("wrong request id", "runtime interface emulator, rapi/rendering: 400 InvalidRequestID",
		`call POST $runtime/invocation/00000000-dead-4000-8000-000000000000/response --data 1`+tell,
		`"400 \{\\"errorMessage\\":\\"Invalid request ID\\",\\"errorType\\":\\"InvalidRequestID\\"\}"`)
	script("error of a wrong request id", "runtime interface emulator, rapi/rendering: 400 InvalidRequestID",
		`call POST $runtime/invocation/other/error --data '{}'`+tell, `"400 .*InvalidRequestID.*`)
	script("next while an event is open", "runtime interface emulator, core/states.go: 403 InvalidStateTransition",
		`call GET $runtime/invocation/next`+tell, `"403 \{\\"errorMessage\\":\\"State transition from Running to Ready failed for runtime\. Error: State transition is not allowed\\",\\"errorType\\":\\"InvalidStateTransition\\"\}"`)
	script("init error after the init", "runtime interface emulator, core/states.go: 403 InvalidStateTransition",
		`call POST $runtime/init/error --data '{}'`+tell, `"403 .*State transition from Running to InitError failed.*InvalidStateTransition.*`)
	script("unknown call", runtimeAPI+"the four calls there are", `call GET $runtime/invocation/previous`+tell, `"404 .*`)
	script("wrong method", runtimeAPI+"GET next, POST response", `call POST $runtime/invocation/next`+tell, `"405 .*`)
	script("response in chunks", "RFC 9112, Chunked Transfer Coding", `printf '"%s"' "$id" | respond -H 'Transfer-Encoding: chunked'`, `"00000000-.*"`)
	script("response with Expect", "RFC 9110, Expect: 100-continue, as curl sends it", `head -c 2000000 /dev/zero | tr '\0' x | quote | respond -H 'Expect: 100-continue'`, `"x+"`)
	script("empty response", runtimeAPI+"response takes any body", `respond </dev/null`, ``)

	// What a call after the answer was answered is kept in a file.
	kept := func(x *exam, script, want string) answer {
		x.Helper()
		file := filepath.Join(x.shared(), "kept")
		cfg := x.function(env("KEPT", file))
		a := x.ask(cfg, sh(`keep() { cat >"$KEPT.new" && mv "$KEPT.new" "$KEPT"; }; `+script))
		x.wait("the answer", func() bool { return fileExists(file) })
		got, err := os.ReadFile(file)
		if err != nil {
			x.Fatal(err)
		}
		x.matches("answer", string(got), "^"+want)
		x.works(cfg)
		return a
	}
	add("answer of response", runtimeAPI+"202 Accepted and {status: OK}", func(x *exam) {
		kept(x, `echo 1 | respond | keep`, `202 \{"status":"OK"\}\n$`).ok(x, "1\n")
	})
	add("answer of error", runtimeAPI+"202 Accepted and {status: OK}", func(x *exam) {
		kept(x, `fail Custom.Error '{"errorType":"Custom.Error","errorMessage":"e"}' | keep`, `202 \{"status":"OK"\}\n$`).failed(x, `Custom\.Error`, "e", "")
	})
	add("second response", "runtime interface emulator, core/states.go: 403 InvalidStateTransition", func(x *exam) {
		kept(x, `echo 1 | respond; echo 2 | respond | keep`, `403 .*from RuntimeResponseSentState to InvocationResponse failed.*InvalidStateTransition`).ok(x, "1\n")
	})
	add("error after a response", "runtime interface emulator, core/states.go: 403 InvalidStateTransition", func(x *exam) {
		kept(x, `echo 1 | respond; fail Custom.Late '{}' | keep`, `403 .*to InvocationErrorResponse failed.*InvalidStateTransition`).ok(x, "1\n")
	})
	add("413 for a response that is too large", runtimeAPI+"413 Payload Too Large, RequestEntityTooLarge", func(x *exam) {
		kept(x, `head -c 6291557 /dev/zero | respond | keep`, `413 .*Exceeded maximum allowed payload size \(6291556 bytes\)\..*RequestEntityTooLarge`).failed(x,
			`Function\.ResponseSizeTooLarge`, `Response payload size \(6291557 bytes\) exceeded maximum allowed payload size \(6291556 bytes\)\.`, "")
	})
	add("invalid response mode", "runtime interface emulator, rapi/handler/invocationresponse.go: 400 InvalidFunctionResponseMode", func(x *exam) {
		kept(x, `echo 1 | respond -H 'Lambda-Runtime-Function-Response-Mode: sideways' | keep`, `400 .*InvalidFunctionResponseMode`).failed(x,
			`Runtime\.InvalidResponseModeHeader`, "RequestId: ID Error: Invalid function response mode: sideways", "")
	})
	add("type of an error from its body", runtimeAPI+"Lambda-Runtime-Function-Error-Type is optional", func(x *exam) {
		x.fails(x.function(), sh(`call POST $runtime/invocation/$id/error --data '{"errorType":"Body.Type","errorMessage":"m"}'`), `Body\.Type`, "m", "")
	})
	add("next waits across invocations", runtimeAPI+"next blocks until there is an event; no timeout", func(x *exam) {
		cfg := x.function(alone)
		for range 5 {
			x.reused(func() bool {
				pid := string(x.gets(cfg, sh(`echo $$ | respond`), `\d+\n`).Payload)
				return string(x.gets(cfg, sh(`echo $$ | respond`), `\d+\n`).Payload) == pid
			})
		}
	})
	add("environment of a custom runtime", variables+"_HANDLER, LAMBDA_TASK_ROOT; AWS_EXECUTION_ENV is not set for custom runtimes", func(x *exam) {
		cfg := x.function()
		x.gets(cfg, sh(`echo "$_HANDLER $LAMBDA_TASK_ROOT $PWD $AWS_REGION ${AWS_EXECUTION_ENV-none} ${_X_AMZN_TRACE_ID-none} $OWN"`+tell),
			`"`+strings.Join([]string{`index\.handler`, x.task(cfg), x.task(cfg), "eu-west-1", "none", "none", "mine"}, " ")+`"`)
	})
	add("limits of a process", quotas+"1,024 file descriptors", func(x *exam) {
		x.gets(x.function(), sh(`ulimit -n`+tell), `"1024"`)
	})
	add("unprivileged user", "developer guide, Understanding the execution environment: functions don't run as root", func(x *exam) {
		x.gets(x.function(), sh(`id -u`+tell), `"[1-9]\d*"`)
	})
	return list
}
