// Command dropstack runs serverless services on your own machines.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/spec"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitDone       = 0
	exitFailed     = 1
	exitWrongInput = 2
)

// errUsage marks errors of the command line itself.
var errUsage = errors.New("usage")

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var printed *silent
	if !errors.As(err, &printed) {
		c.printError(err)
	}
	if _, wrong := errors.AsType[*spec.Error](err); wrong || errors.Is(err, errUsage) || fault.KindOf(err) == fault.Invalid {
		return exitWrongInput
	}
	return exitFailed
}

// silent is a failure whose words are on the screen already.
type silent struct{ error }

func (c *cli) printError(err error) {
	if c.json {
		c.writeJSON(c.stderr, map[string]string{"event": "error", "error": err.Error()})
		return
	}
	fmt.Fprintf(c.stderr, "dropstack: %v\n", err)
}
