//go:build linux

package conformance_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

// extended is a function with external extensions in bash: name, script, name,
// script … noted returns what they noted.
func (x *exam) extended(scripts ...string) (cfg instance.Config, noted func() string) {
	x.Helper()
	library, err := os.ReadFile("testdata/bash/extension")
	if err != nil {
		x.Fatal(err)
	}
	dir := x.shared()
	notes := filepath.Join(dir, "notes")
	if err := os.WriteFile(notes, nil, 0o666); err != nil {
		x.Fatal(err)
	}
	if err := os.Chmod(notes, 0o666); err != nil {
		x.Fatal(err)
	}
	opt := filepath.Join(dir, "opt")
	for n := 0; n < len(scripts); n += 2 {
		x.write(opt, "extensions/"+scripts[n], "#!/bin/bash\n"+string(library)+scripts[n+1]+"\n")
	}
	cfg = x.function(env("NOTES", notes), func(c *instance.Config) { c.Opt = opt })
	return cfg, func() string { b, _ := os.ReadFile(notes); return string(b) }
}

const (
	joins  = `register '"INVOKE","SHUTDOWN"'; `
	follow = joins + "live"
	script = `echo '"fine"' | respond >"$TMPDIR/answered"`
)

// lives runs an event, or some, on a function with extensions, and ends it.
func (x *exam) lives(cfg instance.Config, events ...string) (last answer) {
	x.Helper()
	p := x.ownPool()
	if len(events) == 0 {
		events = []string{sh(script)}
	}
	for _, event := range events {
		last = x.do(p, cfg, event)
	}
	p.Close()
	return last
}

func extending() (list []testCase) {
	add := func(name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: "bash", API: "extensions", Source: source, Run: run})
	}
	add("register", extsAPI+"Register: Lambda-Extension-Name; answer functionName, functionVersion, handler", func(x *exam) {
		cfg, noted := x.extended("one", joins+`note "$id $answer"; live`)
		x.lives(cfg)
		x.matches("notes", noted(), `(?m)^one [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} \{"functionName":"fn","functionVersion":"\$LATEST","handler":"index\.handler"\}$`)
	})
	add("register with the account", extsAPI+"Lambda-Extension-Accept-Feature: accountId", func(x *exam) {
		cfg, noted := x.extended("one", `register '"INVOKE"' -H 'Lambda-Extension-Accept-Feature: accountId'; note "$answer"; live`)
		x.lives(cfg)
		x.matches("notes", noted(), `"accountId":"123456789012"`)
	})
	add("INVOKE event", extsAPI+"Next: eventType, deadlineMs, requestId, invokedFunctionArn, tracing", func(x *exam) {
		cfg, noted := x.extended("one", follow)
		a := x.lives(cfg)
		x.matches("notes", noted(), `(?m)^one \{"eventType":"INVOKE","deadlineMs":\d{13},"requestId":"`+a.id+
			`","invokedFunctionArn":"arn:aws:lambda:eu-west-1:123456789012:function:fn","tracing":\{"type":"X-Amzn-Trace-Id","value":"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"\}\}$`)
	})
	add("INVOKE for every invocation", lifecycle+"each extension is told of each invocation", func(x *exam) {
		cfg, noted := x.extended("one", follow)
		x.lives(cfg, sh(script), sh(script), sh(script))
		if n := strings.Count(noted(), `"INVOKE"`); n != 3 {
			x.Errorf("%d events, want 3:\n%s", n, noted())
		}
	})
	add("only what was registered for", extsAPI+"events: an array of INVOKE, SHUTDOWN", func(x *exam) {
		cfg, noted := x.extended("invoked", `register '"INVOKE"'; live`, "told", `register '"SHUTDOWN"'; live`, "none", `register ''; live`)
		x.lives(cfg)
		x.lacks("notes", noted(), `^(told .*INVOKE|invoked .*SHUTDOWN|none ).*`)
		x.matches("notes", noted(), `(?m)^invoked \{"eventType":"INVOKE"`)
		x.matches("notes", noted(), `(?m)^told \{"eventType":"SHUTDOWN"`)
	})
	add("event identifier", extsAPI+"Next answers with Lambda-Extension-Event-Identifier, a UUID", func(x *exam) {
		cfg, noted := x.extended("one", joins+`curl -sS -D - -o /dev/null -H "Lambda-Extension-Identifier: $id" $api$extensions/event/next | while read -r line; do note "$line"; done; live`)
		x.lives(cfg)
		x.matches("notes", noted(), `(?i)lambda-extension-event-identifier: [0-9a-f]{8}-`)
	})
	for _, c := range []struct{ name, event, reason string }{
		{"SHUTDOWN: spindown", sh(script), "spindown"}, {"SHUTDOWN: failure", sh(`exit 3`), "failure"}, {"SHUTDOWN: timeout", sh(`sleep 600`), "timeout"},
	} {
		add(c.name, extsAPI+"Shutdown event: shutdownReason spindown, timeout or failure, deadlineMs", func(x *exam) {
			cfg, noted := x.extended("one", follow)
			if c.reason == "timeout" {
				cfg.Timeout = time.Second
			}
			x.lives(cfg, c.event)
			x.matches("notes", noted(), `\none \{"eventType":"SHUTDOWN","deadlineMs":\d{13},"shutdownReason":"`+c.reason+`"\}\n$`)
		})
	}
	add("SIGTERM for the runtime", lifecycle+"with external extensions the runtime gets SIGTERM", func(x *exam) {
		cfg, noted := x.extended("one", follow)
		x.lives(cfg, sh(`trap 'echo "runtime terminated" >>"$NOTES"; exit 0' TERM; `+script))
		x.matches("notes", noted(), `runtime terminated`)
	})
	add("the response does not wait for extensions", lifecycle+"the invoke phase ends when all have come back; the response is sent before", func(x *exam) {
		hold := filepath.Join(x.shared(), "hold")
		cfg, noted := x.extended("slow", joins+`event=$(next); note "$event"; until [ -e `+hold+` ]; do sleep 0.01; done; note worked; live`)
		p := x.ownPool()
		x.do(p, cfg, sh(script)).ok(x, `"fine"\n`)
		x.lacks("notes", noted(), "worked")
		if err := os.WriteFile(hold, nil, 0o644); err != nil {
			x.Fatal(err)
		}
		x.do(p, cfg, sh(script)).ok(x, `"fine"\n`)
		p.Close()
		x.matches("notes", noted(), `(?m)^slow worked$`)
	})
	add("extensions start before the runtime", lifecycle+"extension init, then runtime init", func(x *exam) {
		cfg, noted := x.extended("one", `note starts; `+follow)
		cfg.Env["BEFORE"] = `echo runtime >>"$NOTES"`
		x.lives(cfg)
		x.matches("notes", noted(), `^one starts\nruntime\n`)
	})
	add("environment of extensions", extsAPI+"extensions have no _HANDLER, AWS_EXECUTION_ENV, log group or stream", func(x *exam) {
		cfg, noted := x.extended("one", `note "env ${_HANDLER-none} ${AWS_LAMBDA_LOG_GROUP_NAME-none} ${AWS_LAMBDA_LOG_STREAM_NAME-none} $AWS_LAMBDA_FUNCTION_NAME $AWS_REGION $AWS_ACCESS_KEY_ID $OWN"; `+follow)
		x.lives(cfg)
		x.matches("notes", noted(), `(?m)^one env none none none fn eu-west-1 AKIDEXAMPLE mine$`)
	})
	add("shared temporary files", lifecycle+"/tmp is shared by function and extensions", func(x *exam) {
		cfg, _ := x.extended("one", `echo '"from the extension"' >"$TMPDIR/shared"; `+follow)
		x.lives(cfg, sh(`respond <"$TMPDIR/shared"`)).ok(x, `"from the extension"\n`)
	})
	add("extension's lines are logged", extsAPI+"Logs: standard output goes to the function's log group", func(x *exam) {
		cfg, _ := x.extended("one", `echo 'one is here'; `+follow)
		x.lives(cfg)
		log := x.sink.of(cfg.LogGroup, "")
		x.matches("log", log, `(?m)^one is here$`)
		x.matches("log", log, `(?m)^EXTENSION\tName: one\tState: Ready\tEvents: \[INVOKE, SHUTDOWN\]$`)
	})
	// Refusals: a call, and its answer.
	for _, c := range []struct{ name, call, want string }{
		{"register without a name", `call POST $extensions/register --data '{"events":[]}'`, `403 .*Extension\.InvalidExtensionName`},
		{"register twice", `call POST $extensions/register -H "Lambda-Extension-Name: $name" --data '{"events":[]}'`, `403 .*Extension\.InvalidExtensionState`},
		{"register for an unknown event", `call POST $extensions/register -H 'Lambda-Extension-Name: x' --data '{"events":["PARTY"]}'`, `403 .*Extension\.InvalidEventType`},
		{"register with no JSON", `call POST $extensions/register -H 'Lambda-Extension-Name: x' --data '{'`, `403 .*InvalidRequestFormat`},
		{"next with an unknown identifier", `id=00000000-0000-4000-8000-00000000dead; call GET $extensions/event/next`, `403 .*Extension\.UnknownExtensionIdentifier`},
		{"next with no identifier", `call GET $extensions/event/next -H 'Lambda-Extension-Identifier;' -H 'Lambda-Extension-Identifier:'`, `403 .*Extension\.(Missing|Invalid)ExtensionIdentifier`},
		{"next with an identifier that is no UUID", `id=me; call GET $extensions/event/next`, `403 .*Extension\.InvalidExtensionIdentifier`},
		{"init error without its header", `call POST $extensions/init/error --data '{}'`, `403 .*Extension\.MissingHeader`},
		{"unknown call", `call GET $extensions/event/previous`, `404 `},
		{"wrong method", `call GET $extensions/register`, `405 `},
	} {
		add(c.name, "runtime interface emulator, rapi/handler/agent…go: error types", func(x *exam) {
			cfg, noted := x.extended("one", joins+"own=$id; note $("+c.call+"); id=$own; live")
			x.lives(cfg)
			x.matches("notes", noted(), `(?m)^one `+c.want)
		})
	}
	return append(list, crashing()...)
}

// crashing are the ends of extensions that nobody asked for: the invocation
// fails, and the next one gets an instance of its own.
func crashing() (list []testCase) {
	for _, c := range []struct{ name, source, script, errorType, message, log string }{
		{"extension that ends before it registers", "a crash in the init", `exit 5`, `Extension\.Crash`, "RequestId: ID Error: exit status 5", `Error Type: Extension\.Crash`},
		{
			"init error", "init/error with Lambda-Extension-Function-Error-Type, then exit", joins + `call POST $extensions/init/error -H 'Lambda-Extension-Function-Error-Type: Ext.Reason' --data '{}'; exit 6`,
			`Extension\.InitError`, "RequestId: ID Error: exit status 6", `EXTENSION\tName: one\tState: InitError\tEvents: \[INVOKE, SHUTDOWN\]\tError Type: Ext\.Reason`,
		},
		{"extension that ends in an invocation", "a crash in the invoke phase", joins + `next; exit 7`, `Extension\.Crash`, "RequestId: ID Error: exit status 7", `INIT_START`},
		{
			"exit error", "exit/error with Lambda-Extension-Function-Error-Type, then exit", joins + `next; call POST $extensions/exit/error -H 'Lambda-Extension-Function-Error-Type: Ext.Reason' --data '{}'; exit 0`,
			`Extension\.ExitError`, "RequestId: ID Error: exit code 0", `INIT_START`,
		},
	} {
		list = append(list, testCase{Name: c.name, Client: "bash", API: "extensions", Source: extsAPI + c.source, Run: func(x *exam) {
			mended := filepath.Join(x.shared(), "mended")
			cfg, _ := x.extended("one", `if [ -e `+mended+` ]; then `+follow+`; fi; `+c.script)
			p := x.ownPool()
			x.do(p, cfg, sh(`sleep 60`)).failed(x, c.errorType, c.message, `END RequestId: ID\nREPORT RequestId: ID\t.*Status: error\tError Type: Extension\.`)
			x.matches("log of the init", x.sink.of(cfg.LogGroup, ""), c.log)
			if err := os.WriteFile(mended, nil, 0o644); err != nil {
				x.Fatal(err)
			}
			x.do(p, cfg, sh(script)).ok(x, `"fine"\n`)
		}})
	}
	add := func(name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: "bash", API: "extensions", Source: source, Run: run})
	}
	add("too many extensions", quotas+"10 extensions", func(x *exam) {
		var scripts []string
		for n := range 11 {
			scripts = append(scripts, fmt.Sprintf("ext%02d", n), follow)
		}
		cfg, noted := x.extended(scripts...)
		x.lives(cfg).failed(x, `Extension\.LaunchError`, `RequestId: ID Error: Extension limit \(10\) reached`, "")
		if noted() != "" {
			x.Errorf("extensions ran: %s", noted())
		}
	})
	add("ten extensions", quotas+"10 extensions", func(x *exam) {
		var scripts []string
		for n := range 10 {
			scripts = append(scripts, fmt.Sprintf("ext%02d", n), follow)
		}
		cfg, noted := x.extended(scripts...)
		x.lives(cfg).ok(x, `"fine"\n`)
		if n := strings.Count(noted(), `"SHUTDOWN"`); n != 10 {
			x.Errorf("%d extensions were told of the end, want 10", n)
		}
	})
	add("extension that cannot be run", extsAPI+"extensions are executables; Extension.LaunchError", func(x *exam) {
		cfg, _ := x.extended("one", follow)
		if err := os.Chmod(filepath.Join(cfg.Opt, "extensions", "one"), 0o644); err != nil {
			x.Fatal(err)
		}
		x.lives(cfg).failed(x, `Extension\.LaunchError`, `RequestId: ID Error: fork/exec /opt/extensions/one: permission denied`, "")
		x.matches("log", x.sink.of(cfg.LogGroup, ""), `EXTENSION\tName: one\tState: LaunchError\tEvents: \[\]\tError Type: PermissionDenied`)
	})
	add("extension that never registers", lifecycle+"all extensions register within the init's 10 s", func(x *exam) {
		cfg, _ := x.extended("one", `sleep 600`)
		cfg.Timeout = time.Second
		p := x.ownPool()
		p.InitTimeout = time.Second
		x.do(p, cfg, sh(script)).failed(x, `Sandbox\.Timedout`, `.* Task timed out after 1\.00 seconds`, "Status: timeout$")
	})
	add("stubborn extension is killed", lifecycle+"2,000 ms, then SIGKILL", func(x *exam) {
		cfg, noted := x.extended("one", `trap '' TERM; `+joins+`while note "$(next)"; do sleep 600; done`)
		p := x.ownPool()
		p.Grace = time.Second
		x.do(p, cfg, sh(script)).ok(x, `"fine"\n`)
		p.Close() // returns only when nothing is left
		x.matches("notes", noted(), `"INVOKE"`)
	})
	return list
}

// internally are extensions within the function's process.
func internally() (list []testCase) {
	add := func(client, name, source string, run func(*exam)) {
		list = append(list, testCase{Name: name, Client: client, API: "extensions", Source: source, Run: run})
	}
	const register = `me=$(curl -sS -D - -o /dev/null -H 'Lambda-Extension-Name: inner' --data '{"events":["INVOKE"]}' $api/2020-01-01/extension/register | sed -n 's/^lambda-extension-identifier: *//Ip' | tr -d '\r'); `
	const inner = register + `(while curl -sS -H "Lambda-Extension-Identifier: $me" $api/2020-01-01/extension/event/next >>"$NOTES"; do :; done) & `
	add("bash", "internal extension", extsAPI+"internal extensions register from the runtime's process", func(x *exam) {
		notes := filepath.Join(x.shared(), "notes")
		cfg := x.function(env("BEFORE", inner, "NOTES", notes))
		a := x.lives(cfg, sh(script), sh(script))
		a.ok(x, `"fine"\n`)
		b, _ := os.ReadFile(notes)
		x.matches("notes", string(b), `"eventType":"INVOKE".*"eventType":"INVOKE".*`+a.id)
		x.lacks("notes", string(b), "SHUTDOWN")
		x.matches("log", x.sink.of(cfg.LogGroup, ""), `EXTENSION\tName: inner\tState: Ready\tEvents: \[INVOKE\]`)
	})
	add("bash", "internal extensions get no SHUTDOWN", extsAPI+"internal extensions cannot register for SHUTDOWN", func(x *exam) {
		cfg := x.function(env("BEFORE", `refused=$(call POST /2020-01-01/extension/register -H 'Lambda-Extension-Name: inner' --data '{"events":["INVOKE","SHUTDOWN"]}')`))
		x.gets(cfg, sh(`printf %s "$refused" | quote | respond`), `"403 .*Extension\.InvalidEventType.*`)
	})
	add("bash", "registration is over after the init", extsAPI+"extensions register in the init phase; Extension.RegistrationClosed", func(x *exam) {
		x.gets(x.function(alone), sh(`call POST /2020-01-01/extension/register -H 'Lambda-Extension-Name: late' --data '{"events":["INVOKE"]}' | quote | respond`),
			`"403 .*Extension\.RegistrationClosed.*`)
	})
	add("bash", "internal extension gets SIGTERM", lifecycle+"500 ms with internal extensions", func(x *exam) {
		notes := filepath.Join(x.shared(), "notes")
		cfg := x.function(env("BEFORE", inner, "NOTES", notes))
		x.lives(cfg, sh(`trap 'echo "runtime terminated" >>"$NOTES"; kill %1; exit 0' TERM; `+script))
		b, _ := os.ReadFile(notes)
		x.matches("notes", string(b), "runtime terminated")
	})
	for _, client := range inNode {
		add(client, "internal extension", extsAPI+"a library registers from the function's process", func(x *exam) {
			cfg := x.nodeFiles("index.mjs", `
				const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2020-01-01/extension/';
				const res = await fetch(api + 'register', { method: 'POST', headers: { 'Lambda-Extension-Name': 'lib' }, body: '{"events":["INVOKE"]}' });
				const headers = { 'Lambda-Extension-Identifier': res.headers.get('lambda-extension-identifier') };
				const seen = [];
				(async () => { for (;;) seen.push((await (await fetch(api + 'event/next', { headers })).json()).requestId); })();
				export const handler = async (event, context) => {
					while (!seen.includes(context.awsRequestId)) await new Promise((done) => setTimeout(done, 2));
					return 'seen';
				};`)
			x.lives(cfg, `{}`, `{}`).ok(x, `"seen"`)
		})
	}
	return list
}
