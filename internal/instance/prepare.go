package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/sandbox"
)

// Prepare runs a function's runtime client once, with more arguments and outside
// of any event, as a first instance would be run: for what a client can do ahead
// of the first start. The error says what it complained of.
func (p *Pool) Prepare(ctx context.Context, cfg Config, args ...string) error {
	box, err := p.boxes().Open()
	if err != nil {
		return fmt.Errorf("prepare the function: %w", err)
	}
	defer box.Close()
	in := &instance{cfg: cfg, box: box}
	var runtime, own []sandbox.Mount
	in.view, runtime, own = see(cfg, box)
	for i := range own { // the one time that the function writes there
		if own[i].Path == cacheDir {
			own[i].Write, own[i].Owner = true, cfg.identity()
		}
	}
	if err := box.Furnish(sandbox.Furniture{Mounts: append(runtime, own...), MemoryMB: cfg.MemoryMB, StorageMB: cfg.StorageMB}); err != nil {
		return fmt.Errorf("prepare the function: %w", err)
	}
	command := append(entrypoint(cfg), args...)
	proc, err := box.Start(in.spec(p, command[0], command[1:], environ(in.view, "127.0.0.1:9", "", in.temp())))
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
