package osls

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// cli is a version of the framework's command.
type cli struct {
	name    string // of its directory in testdata/clis
	command string
	stage   string // that its stacks are of: those of all versions live side by side
	preload bool   // it knows no AWS_ENDPOINT_URL
}

var clis = []cli{
	{name: "osls4", command: "osls", stage: "four"},
	{name: "osls3", command: "osls", stage: "three", preload: true},
	{name: "serverless3", command: "serverless", stage: "classic", preload: true},
}

// install has npm install the command.
func (c cli) install(t *testing.T) (bin string) {
	t.Helper()
	return filepath.Join(testkit.NPM(t, c.name, filepath.Join("testdata/clis", c.name)), "node_modules", ".bin", c.command)
}

// environment is all that the command gets: the endpoint and keys, no telemetry,
// and not to wait for long between two looks at a stack.
func (s *stack) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.world.home,
		"AWS_ENDPOINT_URL=" + s.world.AWS, "DROPSTACK_DATA=" + s.world.Dir,
		"AWS_ACCESS_KEY_ID=" + s.world.keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.world.keys.SecretAccessKey,
		"ISSUER=" + s.world.issuer.URL, "CI=1", "NO_COLOR=1",
		"SLS_AWS_MONITORING_FREQUENCY=100", "SLS_TELEMETRY_DISABLED=1", "SLS_NOTIFICATIONS_MODE=off",
	}
	if s.cli.preload {
		env = append(env, "NODE_OPTIONS=--require "+filepath.Join(testkit.Root(s), "internal/osls/testdata/preload.js"))
	}
	return env
}

func (s *stack) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.bin, append(args, "--stage", s.cli.stage)...)
	cmd.Dir, cmd.Env = s.dir, s.environment()
	return cmd
}

// try runs the command in the service's directory and returns all that it prints.
func (s *stack) try(args ...string) (string, error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
	defer cancel()
	out, err := s.command(ctx, args).CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		s.Fatalf("%s %s: %v\n%s", s.cli.name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// do runs the command, which has to succeed and print these texts.
func (s *stack) do(args []string, prints ...string) string {
	s.Helper()
	out, err := s.try(args...)
	if err != nil {
		s.Fatalf("%s %s: %v\n%s", s.cli.name, strings.Join(args, " "), err, out)
	}
	for _, text := range prints {
		if !strings.Contains(out, text) {
			s.Fatalf("%s %s did not print %q:\n%s", s.cli.name, strings.Join(args, " "), text, out)
		}
	}
	return out
}

// refuses runs the command, which has to fail and say why.
func (s *stack) refuses(args []string, why string) {
	s.Helper()
	if out, err := s.try(args...); err == nil || !strings.Contains(out, why) {
		s.Fatalf("%s %s: it ended with %v, want a failure that says %q:\n%s", s.cli.name, strings.Join(args, " "), err, why, out)
	}
}

// follow runs a command that does not end by itself until it has printed a text.
// meanwhile happens once it runs.
func (s *stack) follow(args []string, text string, meanwhile func()) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), time.Minute)
	defer cancel()
	cmd := s.command(ctx, args)
	seen := &watcher{text: text, seen: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = seen, seen
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	meanwhile()
	select {
	case <-seen.seen:
		cancel()
		<-ended
	case err := <-ended:
		s.Fatalf("%s %s: %v, and it has not printed %q:\n%s", s.cli.name, strings.Join(args, " "), err, text, seen)
	}
}

// watcher waits for a text among what is written to it.
type watcher struct {
	text string
	seen chan struct{}

	mu    sync.Mutex
	buf   bytes.Buffer
	found bool
}

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if !w.found && strings.Contains(w.buf.String(), w.text) {
		w.found = true
		close(w.seen)
	}
	return len(b), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}
