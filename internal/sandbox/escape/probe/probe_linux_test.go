package probe

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHowWorkersEnd: a filter of system calls may end who makes one; any other end
// decides nothing, so it counts as a breach.
func TestHowWorkersEnd(t *testing.T) {
	for script, want := range map[string]string{
		"kill -SYS $$":  Holds,
		"kill -KILL $$": Breach,
		"exit 2":        Breach,
		"exit 0":        Breach,
	} {
		cmd := exec.Command("/bin/sh", "-c", script)
		_ = cmd.Run()
		if got := ended("files/x", cmd.ProcessState); got.State != want {
			t.Errorf("%s: got %+v, want %s", script, got, want)
		}
	}
}

func TestShut(t *testing.T) {
	for _, c := range []struct {
		err   error
		holds bool
	}{{unix.EPERM, true}, {unix.ENOSYS, true}, {unix.EACCES, true}, {unix.ENODEV, true}, {unix.EINVAL, false}, {unix.EFAULT, false}, {nil, false}} {
		w := &world{}
		if err := w.shut(c.err, "call", unix.ENODEV); (err == nil) != c.holds {
			t.Errorf("%v: got %v, want it to hold: %t", c.err, err, c.holds)
		}
	}
}

// TestForkTellsWhichStepWorked makes harmless system calls.
func TestForkTellsWhichStepWorked(t *testing.T) {
	fails := step{"fail", unix.SYS_CLOSE, [5]uintptr{none}}
	works := step{"work", unix.SYS_GETPID, [5]uintptr{}}
	for _, c := range []struct {
		steps []step
		want  string
	}{{nil, ""}, {[]step{fails}, ""}, {[]step{fails, works, fails}, "work"}} {
		got, err := fork(0, c.steps)
		if err != nil || got != c.want {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
	if err := inFork(unix.SYS_CLOSE, none); err != unix.EBADF {
		t.Errorf("got %v, want %v", err, unix.EBADF)
	}
}

// TestAnAttackThatFailsItself is none that the sandbox has stopped.
func TestAnAttackThatFailsItself(t *testing.T) {
	if err := on(func(*world) error { panic("no") }, &world{}); err == nil {
		t.Error("got none, want an error")
	}
}
