package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// Prepare runs a function's runtime client once, with more arguments and outside
// of any event, as a first instance would be run: for what a client can do ahead
// of the first start. The error says what it complained of.
func (p *Pool) Prepare(ctx context.Context, cfg Config, args ...string) error {
	tmp, err := os.MkdirTemp(p.TempDir, "dropstack-")
	if err != nil {
		return fmt.Errorf("make a temporary directory: %w", err)
	}
	defer os.RemoveAll(tmp) // swept at the next start if it stays
	in := &instance{cfg: cfg, tmp: tmp}
	command := append(entrypoint(cfg), args...)
	proc, err := sandbox.Start(in.spec(p, command[0], command[1:], environ(cfg, "127.0.0.1:9", "", tmp)))
	if err != nil {
		return fmt.Errorf("prepare the function: %w", err)
	}
	defer context.AfterFunc(ctx, proc.Kill)()
	var complaint tail
	heard := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, proc.Stdout) }()
	go func() { defer close(heard); _, _ = io.Copy(&complaint, proc.Stderr) }()
	exit := proc.Wait()
	late := time.Now().Add(time.Second) // a descendant may hold the pipes open
	_ = errors.Join(proc.Stdout.SetReadDeadline(late), proc.Stderr.SetReadDeadline(late))
	<-heard
	_ = errors.Join(proc.Stdout.Close(), proc.Stderr.Close())
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("prepare the function: %w", context.Cause(ctx))
	case exit.Code != 0:
		return fault.Errorf(fault.Invalid, "prepare the function: %s: %s", exit.Status, bytes.TrimSpace(complaint))
	}
	return nil
}

// tail keeps the last 4 KB that are written to it.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if over := len(*t) - maxTail; over > 0 {
		*t = append((*t)[:0], (*t)[over:]...)
	}
	return len(p), nil
}
