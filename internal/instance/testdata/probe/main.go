// Probe is a function that does what its event says, built with the official
// runtime client.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Mode string `json:"mode"`
	N    int    `json:"n"`
	Text string `json:"text"`
}

var count int

func main() {
	if os.Getenv("DROPSTACK_PREBOOT") != "" {
		become()
	}
	if name := filepath.Base(os.Args[0]); name != "bootstrap" {
		extend(name)
		return
	}
	if os.Getenv("PROBE_INTERNAL") != "" {
		go extend("internal")
		<-joined
	}
	if file := os.Getenv("PROBE_SIGNAL"); file != "" {
		go leaveOn(file)
	}
	switch os.Getenv("PROBE_INIT") {
	case "report":
		client{}.post("/2018-06-01/runtime/init/error", `{"errorMessage":"no","errorType":"Body","stackTrace":["a","b"]}`,
			"Lambda-Runtime-Function-Error-Type", "Runtime.NoGood")
		os.Exit(1)
	case "report and stay":
		client{}.post("/2018-06-01/runtime/init/error", `{"errorMessage":"no","errorType":"Body"}`)
		time.Sleep(time.Hour)
	case "hang":
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	case "exit":
		fmt.Println("cannot start")
		os.Exit(3)
	case "exit once":
		mark := os.Getenv("PROBE_MARK")
		if _, err := os.Stat(mark); err != nil {
			_ = os.WriteFile(mark, nil, 0o600)
			os.Exit(3)
		}
	}
	lambda.Start(handle)
}

// become waits for the assignment, as a runtime client does that starts ahead of
// its function.
func become() {
	fmt.Println("spare")
	resp, err := http.Get("http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/dropstack/start")
	var a struct {
		Env      map[string]string
		Cwd      string
		UID, GID int
	}
	if err == nil {
		err = json.NewDecoder(resp.Body).Decode(&a)
	}
	os.Clearenv()
	for name, value := range a.Env {
		os.Setenv(name, value)
	}
	if err == nil && a.UID != 0 {
		err = errors.Join(syscall.Setgroups([]int{a.GID}), syscall.Setgid(a.GID), syscall.Setuid(a.UID))
	}
	if err == nil {
		err = os.Chdir(a.Cwd)
	}
	if err != nil {
		fmt.Println("cannot become a function:", err)
		os.Exit(1)
	}
}

func handle(ctx context.Context, raw json.RawMessage) (any, error) {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return raw, nil // not for us: echo
	}
	count++
	switch e.Mode {
	case "env":
		return os.Environ(), nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		wd, _ := os.Getwd()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "client": lc.ClientContext.Custom,
			"trace": os.Getenv("_X_AMZN_TRACE_ID"), "left": time.Until(deadline).Milliseconds(), "dir": wd,
		}, nil
	case "identity":
		return map[string]any{"pid": os.Getpid(), "count": count, "uid": os.Getuid(), "tmp": os.TempDir()}, nil
	case "sleep":
		time.Sleep(time.Duration(e.N) * time.Millisecond)
		return map[string]any{"pid": os.Getpid()}, nil
	case "touch then sleep":
		_ = os.WriteFile(e.Text, []byte("started"), 0o600)
		time.Sleep(time.Duration(e.N) * time.Millisecond)
		return nil, os.WriteFile(e.Text, []byte("finished"), 0o600)
	case "append":
		f, err := os.OpenFile(e.Text, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		_, err = fmt.Fprintln(f, e.N)
		return nil, err
	case "append then fail":
		e.Mode = "append"
		next, _ := json.Marshal(e)
		if _, err := handle(ctx, next); err != nil {
			return nil, err
		}
		return nil, errors.New("refused by the handler")
	case "stream":
		return stream(e)
	case "fail":
		return nil, errors.New("refused by the handler")
	case "panic":
		panic("out of ideas")
	case "exit":
		os.Exit(e.N)
	case "big":
		return strings.Repeat("x", e.N), nil
	case "alloc":
		hold := make([][]byte, 0, e.N)
		for range e.N {
			b := make([]byte, 1<<20)
			for i := range b {
				b[i] = 1
			}
			hold = append(hold, b)
			time.Sleep(2 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		return len(hold), nil
	case "fill": // its temporary files, of 1 MB each
		part := make([]byte, 1<<20)
		for i := range e.N {
			if err := os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprint("file-", i)), part, 0o600); err != nil {
				return nil, err
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		return e.N, nil
	case "linger": // after the answer, before the next event
		return lingering{strings.NewReader(fmt.Sprintf(`{"pid":%d}`, os.Getpid())), e.N}, nil
	case "log":
		fmt.Print("out one\nout two\n")
		fmt.Fprintln(os.Stderr, "err one")
		fmt.Print("no end")
		return nil, nil
	case "print":
		fmt.Println(e.Text)
		return nil, nil
	case "log long":
		fmt.Println(strings.Repeat("y", e.N))
		return nil, nil
	}
	return raw, nil
}

// lingering takes its time to close.
type lingering struct {
	*strings.Reader
	ms int
}

func (l lingering) Close() error {
	time.Sleep(time.Duration(l.ms) * time.Millisecond)
	return nil
}

// stream answers in two parts, the second once the file e.Text is there, and then
// ends as its event's n says: well, with an error, or with its process.
func stream(e event) (any, error) {
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, "first")
		for {
			if _, err := os.Stat(e.Text); err == nil || e.Text == "" {
				break
			}
			time.Sleep(time.Millisecond)
		}
		switch e.N {
		case 1:
			w.CloseWithError(errors.New("lost the thread"))
		case 2:
			os.Exit(4)
		}
		fmt.Fprint(w, "second")
		w.Close()
	}()
	return r, nil
}

// leaveOn writes down that the process was asked to end, and ends.
func leaveOn(file string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	<-c
	_ = os.WriteFile(file, []byte("SIGTERM"), 0o600)
	os.Exit(0)
}
