// Command goclient is a function that does what its event asks for. It is built
// with the newest aws-lambda-go and with one of 2020.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	N    int    `json:"n"`
	Text string `json:"text"`
}

type teapot struct{ spout string }

func (t *teapot) Error() string { return "no coffee from " + t.spout }

var calls int

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, err
	}
	calls++
	switch e.Do {
	case "context":
		return describe(ctx), nil
	case "env":
		return environ(), nil
	case "calls":
		return map[string]int{"pid": os.Getpid(), "calls": calls}, nil
	case "tmp":
		return remember(e.Text)
	case "print":
		fmt.Print(e.Text)
		return nil, nil
	case "warn":
		fmt.Fprint(os.Stderr, e.Text)
		return nil, nil
	case "big":
		return strings.Repeat("x", e.N), nil
	case "length":
		return len(raw), nil
	case "none":
		return nil, nil
	}
	return misbehave(ctx, e, raw)
}

func misbehave(ctx context.Context, e event, raw json.RawMessage) (any, error) {
	switch e.Do {
	case "fail":
		return nil, errors.New(e.Text)
	case "typed":
		return nil, &teapot{e.Text}
	case "panic":
		panic(e.Text)
	case "nil":
		var missing *event
		return missing.Do, nil
	case "uncaught":
		go func() { panic(e.Text) }()
		<-ctx.Done()
		time.Sleep(time.Hour)
	case "exit":
		os.Exit(e.N)
	case "sleep":
		time.Sleep(time.Duration(e.N) * time.Millisecond)
	case "never":
		<-make(chan struct{})
	case "unmarshallable":
		return make(chan int), nil
	case "oom":
		var all [][]byte
		for {
			b := make([]byte, 8<<20)
			for i := range b {
				b[i] = byte(i) | 1
			}
			all = append(all, b)
			runtime.KeepAlive(all)
		}
	}
	return raw, nil
}

func describe(ctx context.Context) map[string]any {
	lc, _ := lambdacontext.FromContext(ctx)
	deadline, _ := ctx.Deadline()
	trace, _ := ctx.Value("x-amzn-trace-id").(string)
	return map[string]any{
		"requestId": lc.AwsRequestID, "arn": lc.InvokedFunctionArn,
		"name": lambdacontext.FunctionName, "version": lambdacontext.FunctionVersion, "memory": fmt.Sprint(lambdacontext.MemoryLimitInMB),
		"group": lambdacontext.LogGroupName, "stream": lambdacontext.LogStreamName,
		"remaining": time.Until(deadline).Milliseconds(), "trace": trace, "traceEnv": os.Getenv("_X_AMZN_TRACE_ID"),
		"identity": lc.Identity.CognitoIdentityID, "pool": lc.Identity.CognitoIdentityPoolID,
		"app": lc.ClientContext.Client.AppTitle, "custom": lc.ClientContext.Custom,
	}
}

func environ() map[string]string {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	env["cwd"], _ = os.Getwd()
	return env
}

// remember returns what the call before left in the temporary directory.
func remember(text string) (string, error) {
	file := filepath.Join(os.TempDir(), "memory")
	before, _ := os.ReadFile(file)
	return string(before), os.WriteFile(file, []byte(text), 0o600)
}

// initialise fails as INIT says while there is the file BROKEN.
func initialise() {
	if _, err := os.Stat(os.Getenv("BROKEN")); err != nil {
		return
	}
	switch os.Getenv("INIT") {
	case "panic":
		panic("no good start")
	case "exit":
		fmt.Fprintln(os.Stderr, "gives up")
		os.Exit(3)
	case "clean":
		os.Exit(0)
	case "hang":
		time.Sleep(time.Hour)
	case "handler":
		lambda.Start(42)
	case "arguments":
		lambda.Start(func(a, b string) error { return nil })
	}
}

// start is how the newer client starts other kinds of handlers.
var start = func() { lambda.Start(handle) }

func main() {
	initialise()
	start()
}
