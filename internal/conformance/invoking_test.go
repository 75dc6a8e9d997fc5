//go:build linux

package conformance_test

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
)

// Where AWS states its rules: pages of the AWS Lambda developer guide, and files
// of the clients.
const (
	runtimeAPI  = "developer guide, Using the Lambda runtime API for custom runtimes: "
	variables   = "developer guide, Working with Lambda environment variables: "
	lifecycle   = "developer guide, Understanding the Lambda execution environment lifecycle: "
	invokeAPI   = "API reference, Invoke: "
	quotas      = "developer guide, Lambda quotas: "
	logsPage    = "developer guide, Sending Lambda function logs to CloudWatch Logs: "
	extsAPI     = "developer guide, Using the Lambda Extensions API to create extensions: "
	telemetry   = "developer guide, Lambda Telemetry API reference: "
	telSchema   = "developer guide, Lambda Telemetry API Event schema reference: "
	layersPage  = "developer guide, Managing Lambda dependencies with layers: "
	nodePage    = "developer guide, Building Lambda functions with Node.js: "
	streamPage  = "developer guide, Response streaming for Lambda functions: "
	wrapperPage = "developer guide, Modifying the runtime environment, wrapper scripts: "
)

// loops are where each client asks for events and answers them.
var loops = map[string]string{
	"go1.55": "aws-lambda-go lambda/invoke_loop.go", "go2020": "aws-lambda-go 1.20 lambda/invoke_loop.go",
	"node": "aws-lambda-ric src/Runtime.js", "ric": "aws-lambda-ric src/Runtime.js", "bash": "developer guide, Building a custom runtime",
}

var (
	inGo      = []string{"go1.55", "go2020"}
	inNode    = []string{"node", "ric"}
	languages = []string{"go1.55", "go2020", "node", "ric"}
)

// each makes a case for several clients.
func each(of []string, c testCase) []testCase {
	var list []testCase
	for _, client := range of {
		c := c
		c.Client = client
		c.Source = strings.ReplaceAll(c.Source, "LOOP", loops[client])
		list = append(list, c)
	}
	return list
}

func invoking() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	add(languages, "event comes back unchanged", "LOOP: the body of next is the event, the body of response the answer", func(x *exam) {
		const event = `{"a":[1,2.5,"ü€😀","\u0000\"\\"],"n":null,"do":"echo"}`
		a := x.ask(x.function(), event)
		var want, got any
		if parse(string(a.Payload), &got) != nil || parse(event, &want) != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			x.Errorf("got %s, want %s", a.Payload, event)
		}
	})
	add(languages, "5 MB event", quotas+"invocation payload 6 MB synchronous", func(x *exam) {
		event := `{"do":"length","text":"` + strings.Repeat("é", 5<<19) + `"}`
		x.gets(x.function(), event, `[0-9]{7}`)
	})
	add(languages, "response without a value is null", "LOOP: what a handler returns is JSON", func(x *exam) {
		x.gets(x.function(), `{"do":"none"}`, "null")
	})
	add(languages, "warm invocations share a process", lifecycle+"the environment is reused for later invocations", func(x *exam) {
		cfg := x.function(alone)
		type count struct{ Pid, Calls int }
		x.reused(func() bool {
			one := decode[count](x, x.ask(cfg, `{"do":"calls"}`))
			two := decode[count](x, x.ask(cfg, `{"do":"calls"}`))
			return one.Pid == two.Pid && two.Calls == one.Calls+1
		})
	})
	add(languages, "temporary files survive warm invocations", lifecycle+"/tmp content is preserved while the environment lives", func(x *exam) {
		cfg := x.function(alone)
		x.gets(cfg, `{"do":"tmp","text":"first"}`, `""`)
		x.reused(func() bool {
			return string(x.gets(cfg, `{"do":"tmp","text":"first"}`, `"(first)?"`).Payload) == `"first"`
		})
	})
	add(languages, "temporary files end with the instance", lifecycle+"a crash resets the environment", func(x *exam) {
		cfg := x.function(alone)
		x.gets(cfg, `{"do":"tmp","text":"first"}`, `""`)
		x.ask(cfg, `{"do":"exit","n":1}`).failed(x, `Runtime\.ExitError`, `.*exit status 1`, "")
		x.gets(cfg, `{"do":"tmp","text":"second"}`, `""`)
	})
	add([]string{"bash"}, "event comes back unchanged", runtimeAPI+"next returns the event, response takes the answer", func(x *exam) {
		x.gets(x.function(), sh(`respond <"$TMPDIR/event"`), regexp.QuoteMeta(sh(`respond <"$TMPDIR/event"`)))
	})
	return list
}

// description is what functions tell of their context.
type description struct {
	RequestID, ARN, Name, Version, Memory, Group, Stream string
	Remaining                                            int64
	Trace, TraceEnv, Identity, Pool, App                 string
	Custom                                               map[string]string
}

func describing() (list []testCase) {
	add := func(of []string, name, source string, run func(*exam)) {
		list = append(list, each(of, testCase{Name: name, API: "runtime", Source: source, Run: run})...)
	}
	const context = `{"do":"context"}`
	add(languages, "context", runtimeAPI+"headers of next; "+variables+"AWS_LAMBDA_FUNCTION_NAME …", func(x *exam) {
		a := x.ask(x.function(), context, func(ev *instance.Event) {
			ev.InvokedARN = "arn:aws:lambda:eu-west-1:123456789012:function:fn:live"
		})
		d := decode[description](x, a)
		for _, p := range [][2]string{
			{d.RequestID, a.id},
			{d.ARN, "arn:aws:lambda:eu-west-1:123456789012:function:fn:live"},
			{d.Name, "fn"},
			{d.Version, `\$LATEST`},
			{d.Memory, "256"},
			{d.Group, "/aws/lambda/" + x.Client},
			{d.Stream, `\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}`},
		} {
			x.matches("field", p[0], "^"+p[1]+"$")
		}
	})
	add(languages, "remaining time", runtimeAPI+"Lambda-Runtime-Deadline-Ms: the date the function times out in Unix milliseconds", func(x *exam) {
		d := decode[description](x, x.ask(x.function(), context))
		if limit := time.Minute.Milliseconds(); d.Remaining <= 0 || d.Remaining > limit {
			x.Errorf("%d ms remain of %d", d.Remaining, limit)
		}
	})
	add(languages, "trace", runtimeAPI+"Lambda-Runtime-Trace-Id: set _X_AMZN_TRACE_ID with the value", func(x *exam) {
		d := decode[description](x, x.ask(x.function(), context))
		const want = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
		if d.Trace != want || d.TraceEnv != want {
			x.Errorf("got %q and %q, want %q", d.Trace, d.TraceEnv, want)
		}
	})
	add(languages, "client context", runtimeAPI+"Lambda-Runtime-Client-Context", func(x *exam) {
		d := decode[description](x, x.ask(x.function(), context, func(ev *instance.Event) {
			ev.ClientContext = `{"client":{"app_title":"app"},"custom":{"k":"v"}}`
		}))
		if d.App != "app" || d.Custom["k"] != "v" {
			x.Errorf("got %+v", d)
		}
	})
	add(languages, "cognito identity", runtimeAPI+"Lambda-Runtime-Cognito-Identity", func(x *exam) {
		d := decode[description](x, x.ask(x.function(), context, func(ev *instance.Event) {
			ev.CognitoIdentity = `{"cognitoIdentityId":"eu-west-1:me","cognitoIdentityPoolId":"eu-west-1:pool"}`
		}))
		if d.Identity != "eu-west-1:me" || d.Pool != "eu-west-1:pool" {
			x.Errorf("got %+v", d)
		}
	})
	add(languages, "no client context and no identity", runtimeAPI+"the headers are there for invocations that have them", func(x *exam) {
		d := decode[description](x, x.ask(x.function(), context))
		if d.App != "" || d.Identity != "" || len(d.Custom) > 0 {
			x.Errorf("got %+v", d)
		}
	})
	add(languages, "environment", variables+"defined runtime environment variables", func(x *exam) {
		cfg := x.function()
		got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`))
		execution := "^$"
		if x.Client == "node" {
			execution = "^AWS_Lambda_nodejs20\\.x$"
		}
		for name, want := range map[string]string{
			"_HANDLER": `^index\.handler$`, "AWS_REGION": "^eu-west-1$", "AWS_DEFAULT_REGION": "^eu-west-1$", "AWS_LAMBDA_FUNCTION_NAME": "^fn$",
			"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "^256$", "AWS_LAMBDA_FUNCTION_VERSION": `^\$LATEST$`, "AWS_LAMBDA_INITIALIZATION_TYPE": "^on-demand$",
			"AWS_LAMBDA_LOG_GROUP_NAME": "^/aws/lambda/", "AWS_LAMBDA_LOG_STREAM_NAME": `\[\$LATEST\]`, "AWS_ACCESS_KEY_ID": "^AKIDEXAMPLE$",
			"AWS_SECRET_ACCESS_KEY": "^secret$", "AWS_SESSION_TOKEN": "^token$", "AWS_LAMBDA_RUNTIME_API": `^127\.0\.0\.1:\d+$`,
			"LAMBDA_TASK_ROOT": "^" + x.task(cfg) + "$", "LAMBDA_RUNTIME_DIR": "^/", "TZ": "^:UTC$", "LANG": `^en_US\.UTF-8$`, "PATH": "/opt/bin$",
			"LD_LIBRARY_PATH": "/opt/lib$", "OWN": "^mine$", "AWS_EXECUTION_ENV": execution, "cwd": "^" + x.task(cfg) + "$",
		} {
			x.matches(name, got[name], want)
		}
		if _, set := got["AWS_EXECUTION_ENV"]; set != (x.Client == "node") {
			x.Errorf("AWS_EXECUTION_ENV is set: %v", set)
		}
	})
	add(languages, "reserved variables win over the function's own", variables+"you can't set the reserved ones", func(x *exam) {
		cfg := x.function(env("AWS_REGION", "mars", "_HANDLER", "other", "TZ", "Europe/Berlin"))
		got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`))
		if got["AWS_REGION"] != "eu-west-1" || got["_HANDLER"] != "index.handler" || got["TZ"] != "Europe/Berlin" {
			x.Errorf("got %s, %s, %s", got["AWS_REGION"], got["_HANDLER"], got["TZ"])
		}
	})
	add([]string{"node"}, "initialization type of provisioned instances", variables+"AWS_LAMBDA_INITIALIZATION_TYPE", func(x *exam) {
		cfg := x.function(func(c *instance.Config) { c.InitType = "provisioned-concurrency" })
		if got := decode[map[string]string](x, x.ask(cfg, `{"do":"env"}`)); got["AWS_LAMBDA_INITIALIZATION_TYPE"] != "provisioned-concurrency" {
			x.Errorf("got %q", got["AWS_LAMBDA_INITIALIZATION_TYPE"])
		}
	})
	return list
}
