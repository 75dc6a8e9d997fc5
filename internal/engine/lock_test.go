package engine

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

// TestLockOutlivesItsHolder: what a platform that was killed had started may have
// the lock for a moment longer than it; the next platform waits for that, and for
// nobody else.
func TestLockOutlivesItsHolder(t *testing.T) {
	dead := exec.Command("/bin/true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	held, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(held, os.Getpid())
	if _, err := Lock(dir); fault.KindOf(err) != fault.Conflict {
		t.Errorf("held by a running process: got %v, want a conflict", err)
	}
	if _, err := held.WriteAt(fmt.Appendf(nil, "%-10d\n", dead.Process.Pid), 0); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		l, err := Lock(dir)
		if err == nil {
			err = l.Close()
		}
		got <- err
	}()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("let go of after its holder's death: %v", err)
	}
}
