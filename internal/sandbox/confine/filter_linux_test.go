//go:build amd64 || arm64

package confine

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	roles["attempt"] = func(args []string) error {
		prepare := func() error { return nil }
		if args[0] == "filtered" {
			prepare = filtered
		}
		got := map[string]unix.Errno{}
		for _, a := range attempts(args[1]) {
			err := alone(func() error {
				if err := prepare(); err != nil {
					return err
				}
				got[a.name] = a.make()
				return nil
			})
			if err != nil {
				return err
			}
		}
		return json.NewEncoder(os.Stdout).Encode(got)
	}
}

// make makes the call. A process that it makes ends at once.
func (a attempt) make() unix.Errno {
	if a.call != unix.SYS_CLONE {
		_, _, errno := unix.Syscall6(a.call, a.args[0], a.args[1], a.args[2], a.args[3], a.args[4], a.args[5])
		return errno
	}
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, a.args[0], 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	if errno == 0 {
		_, _ = unix.Wait4(int(pid), nil, 0, nil)
	}
	return errno
}

// refused says that the filter is to answer.
func (a attempt) refused() bool {
	return slices.Contains([]unix.Errno{unix.EPERM, unix.ENOSYS, unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT}, a.want)
}

func attemptAll(t *testing.T, how string) map[string]unix.Errno {
	t.Helper()
	out, err := child(t, "attempt", how, t.TempDir())
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	var got map[string]unix.Errno
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%s: %v: %q", how, err, out)
	}
	return got
}

// TestWhatTheFilterSays makes every call with and without the filter. A call that
// it refuses and that fails alike without it has shown nothing.
func TestWhatTheFilterSays(t *testing.T) {
	got, control := attemptAll(t, "filtered"), attemptAll(t, "unfiltered")
	var table strings.Builder
	refused, shown := 0, 0
	for _, a := range attempts(t.TempDir()) {
		mark := ""
		switch said := got[a.name]; {
		case said != a.want && said == control[a.name] && !a.refused():
			mark = "passes, but this kernel or user differs"
		case said != a.want:
			t.Errorf("%s: %s, want %s; without the filter %s", a.name, word(said), word(a.want), word(control[a.name]))
		case control[a.name] != said:
			refused, shown, mark = refused+1, shown+1, "filter"
		case a.same != "":
			refused, mark = refused+1, a.same
		case a.want == unix.EPERM:
			refused, mark = refused+1, "refused anyway: no capability"
			if os.Geteuid() == 0 {
				t.Errorf("%s: the attempt fails without the filter too and shows nothing", a.name)
			}
		case a.refused():
			refused, mark = refused+1, "shows nothing"
		default:
			mark = "passes"
		}
		fmt.Fprintf(&table, "\n%-50s %-16s %-16s %s", a.name, word(got[a.name]), word(control[a.name]), mark)
	}
	t.Logf("%d attempts, %d refused, %d of them by the filter alone\n%-50s %-16s %-16s%s", len(got), refused, shown, "call", "filtered", "unfiltered", table.String())
	if len(got) < 80 {
		t.Errorf("only %d different attempts", len(got))
	}
}
