package confine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/sandbox/filter"
)

// What a thread gives up it has given up for good, so all that is tried here is
// tried in another process: this program again, told by this variable what to be.
const role = "CONFINE_TEST_ROLE"

// roles are what a child can be; its arguments are what follows its name.
var roles = map[string]func(args []string) error{}

func TestMain(m *testing.M) {
	if play := roles[os.Getenv(role)]; play != nil {
		runtime.LockOSThread()
		if err := play(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs this program in a role and returns what it printed. It has a session
// of its own and thereby no terminal.
func child(t testing.TB, as string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), role+"="+as)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = 10 * time.Second
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(out.String()), err
}

// filtered has the calling thread ask the filter.
func filtered() error {
	if err := NoNewPrivs(); err != nil {
		return err
	}
	return load()
}

func load() error {
	program, err := filter.Program()
	if err != nil {
		return err
	}
	return Filter(program)
}

// alone runs do on a thread that ends with it.
func alone(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not run: only root has something to give up here")
	}
}

// status is a line of the calling thread's /proc/…/status.
func status(key string) (string, error) {
	b, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", errors.New("no " + key + " in the status")
}

// word is an error number in the words of tables.
func word(e unix.Errno) string {
	if e == 0 {
		return "ok"
	}
	return unix.ErrnoName(e)
}
