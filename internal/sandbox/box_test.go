//go:build linux

package sandbox_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// inside runs a script in a sandbox and returns what it printed on both outputs.
func inside(t testing.TB, b *sandbox.Box, line string) (string, sandbox.Exit) {
	t.Helper()
	p, err := b.Start(sandbox.Spec{Path: "/bin/sh", Args: []string{"-c", "exec 2>&1; " + line}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}, MemoryMB: 128})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stdout.Close()
	defer p.Stderr.Close()
	out, err := io.ReadAll(p.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), p.Wait()
}

func furnished(t testing.TB, m *sandbox.Maker, f sandbox.Furniture) *sandbox.Box {
	t.Helper()
	b, err := m.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Furnish(f); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWhatASandboxHolds looks around inside of one.
func TestWhatASandboxHolds(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s"), 0o644); err != nil {
		t.Fatal(err)
	}
	task := testkit.Dir(t)
	if err := os.WriteFile(filepath.Join(task, "code"), []byte("code"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(task, 0o755); err != nil {
		t.Fatal(err)
	}
	b := furnished(t, m, sandbox.Furniture{MemoryMB: 128, Mounts: []sandbox.Mount{{Source: task, Path: "/var/task"}}})
	for _, c := range []struct{ name, script, want string }{
		{"user", "id -u; id -g", map[string]string{sandbox.Full: "1000\n1000", sandbox.Userns: "0\n0"}[m.Level]},
		{"no capabilities", "grep -E '^Cap' /proc/self/status | grep -cv 0000000000000000", "0"},
		{"no new privileges", "grep NoNewPrivs /proc/self/status | tr -dc 01", "1"},
		{"system calls filtered", "grep Seccomp: /proc/self/status | tr -dc 0-9; unshare -U true", "2unshare: unshare failed: Operation not permitted"},
		{"own processes alone", "ls /proc | grep -c '^[0-9]' | awk '{print ($1 < 8)}'", "1"},
		{"first process hidden", "cat /proc/1/environ", "cat: /proc/1/environ: No such file or directory"},
		{"root read-only", "touch /x", "touch: cannot touch '/x': Read-only file system"},
		{"code read-only", "cat /var/task/code; touch /var/task/x", "codetouch: cannot touch '/var/task/x': Read-only file system"},
		{"temporary files", "echo t >/tmp/x && cat /tmp/x && rm /tmp/x", "t"},
		{"host's files", "cat " + secret, "cat: " + secret + ": No such file or directory"},
		{"host's passwords", "cat /etc/shadow", "cat: /etc/shadow: No such file or directory"},
		{"programs with other rights", "find /usr/bin /usr/sbin -perm /6000 -type f", ""},
		{"devices", "ls /dev", "fd\nfull\nnull\nrandom\nstderr\nstdin\nstdout\nurandom\nzero"},
		{"device node", "mknod /tmp/sda b 8 0", "mknod: /tmp/sda: Operation not permitted"},
		{"kernel's memory map", "cat /proc/kallsyms /proc/iomem /proc/keys", ""},
		{"kernel's settings", "echo 1 >/proc/sys/kernel/panic", "/bin/sh: 1: cannot create /proc/sys/kernel/panic: Read-only file system"},
		{"host name", "hostname", "sandbox"},
		{"network devices", "ls /proc/sys/net/ipv4/conf | tr '\\n' ' '", "all default eth0 lo"},
		{"control groups look like roots", "cut -d: -f3 /proc/self/cgroup | sort -u", "/"},
		{"signal to the first process", "kill -9 1", "/bin/sh: 1: kill: Operation not permitted"},
		{"descriptors", "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3"},
		{"limit of descriptors", "ulimit -n; ulimit -c", "1024\n0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := inside(t, b, c.script); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSandboxesDoNotSeeEachOther(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	one, two := furnished(t, m, sandbox.Furniture{}), furnished(t, m, sandbox.Furniture{})
	if got, _ := inside(t, one, "echo mine >/tmp/file; cat /tmp/file"); got != "mine" {
		t.Fatalf("got %q", got)
	}
	if got, _ := inside(t, two, "ls /tmp"); got != "" {
		t.Errorf("the other's temporary files: %q", got)
	}
	a, err := os.Stat(one.Tmp)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.Stat(two.Tmp)
	if err != nil {
		t.Fatal(err)
	}
	if m.Level == sandbox.Full && owner(a) == owner(b) {
		t.Errorf("both run as user %d of this machine", owner(a))
	}
}

func TestMemoryLimitIsToldAsSuch(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	b := furnished(t, m, sandbox.Furniture{MemoryMB: 32})
	_, exit := inside(t, b, "exec tail /dev/zero")
	if !exit.OutOfMemory || exit.Status != "signal: killed" {
		t.Errorf("got %+v, want a kill for memory", exit)
	}
	if got, exit := inside(t, b, "echo on"); got != "on" {
		t.Errorf("the next process: %q, %+v", got, exit)
	}
}

// TestListenersAreInside serves on the addresses of a sandbox's loopback device.
func TestListenersAreInside(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	b := furnished(t, m, sandbox.Furniture{})
	for _, l := range []struct {
		name, address string
		accept        func() (io.WriteCloser, error)
	}{
		{"runtime", sandbox.RuntimeAddress, func() (io.WriteCloser, error) { return b.API.Accept() }},
		{"aws", sandbox.AWSAddress, func() (io.WriteCloser, error) { return b.AWS.Accept() }},
		{"names", sandbox.NamesAddress, func() (io.WriteCloser, error) { return b.Names.Accept() }},
	} {
		served := make(chan error, 1)
		go func() {
			c, err := l.accept()
			if err == nil {
				_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\n\r\n" + l.name))
				err = c.Close()
			}
			served <- err
		}()
		if got, _ := inside(t, b, "curl -s http://"+l.address+"/"); got != l.name {
			t.Errorf("%s: got %q", l.name, got)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestFilesOfAnIdentity writes from two sandboxes, whose user ids differ, to one
// directory that their functions share.
func TestFilesOfAnIdentity(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	shared, err := os.MkdirTemp("", "shared")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(shared) })
	mount := sandbox.Furniture{Mounts: []sandbox.Mount{{Source: shared, Path: "/mnt/data", Write: true, Owner: "team"}}}
	one, two := furnished(t, m, mount), furnished(t, m, mount)
	if got, _ := inside(t, one, "umask 077; echo one >/mnt/data/file; cat /mnt/data/file"); got != "one" {
		t.Fatalf("got %q", got)
	}
	if got, _ := inside(t, two, "cat /mnt/data/file; echo two >/mnt/data/file; cat /mnt/data/file"); got != "one\ntwo" {
		t.Errorf("the other sandbox: got %q", got)
	}
	st, err := os.Stat(filepath.Join(shared, "file"))
	if err != nil {
		t.Fatal(err)
	}
	want := sandbox.ID("team")
	if m.Level == sandbox.Userns { // there are no others
		tmp, err := os.Stat(one.Tmp)
		if err != nil {
			t.Fatal(err)
		}
		if want = owner(tmp); want == 0 {
			t.Error("functions are root")
		}
	}
	if got := owner(st); got != want {
		t.Errorf("on disk it belongs to %d, want %d", got, want)
	}
}

// TestAssignmentLeavesTheSandboxAlone: a process that started ahead of its function
// has its user already, and so have its temporary files.
func TestAssignmentLeavesTheSandboxAlone(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	b := furnished(t, m, sandbox.Furniture{})
	p, err := b.Start(sandbox.Spec{Path: "/bin/sleep", Args: []string{"60"}, Dir: "/", Unassigned: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stdout.Close()
	defer p.Stderr.Close()
	before, err := os.Stat(b.Tmp)
	if err != nil {
		t.Fatal(err)
	}
	id, err := p.Assign(sandbox.Spec{Path: "/bin/sleep", Dir: "/", User: "team", Owns: []string{b.Tmp}, MemoryMB: 64})
	if err != nil || id != 0 {
		t.Errorf("got user %d to take, %v, want none", id, err)
	}
	after, err := os.Stat(b.Tmp)
	if err != nil {
		t.Fatal(err)
	}
	if owner(after) != owner(before) {
		t.Errorf("its temporary files belong to %d, before to %d", owner(after), owner(before))
	}
}

func owner(st os.FileInfo) int { return int(st.Sys().(*syscall.Stat_t).Uid) }

// TestProcessesAreLimited starts more processes than a function may have.
func TestProcessesAreLimited(t *testing.T) {
	b := furnished(t, testkit.Maker(t, testkit.Strongest()), sandbox.Furniture{})
	got, _ := inside(t, b, "n=0; while [ $n -lt 1100 ]; do sleep 60 >/dev/null 2>&1 & n=$((n+1)); done 2>/dev/null; echo all")
	if strings.Contains(got, "all") {
		t.Errorf("1,100 processes were started: %.200q", got)
	}
	if got, exit := inside(t, furnished(t, testkit.Maker(t, testkit.Strongest()), sandbox.Furniture{}), "echo on"); got != "on" {
		t.Errorf("another sandbox meanwhile: %q, %+v", got, exit)
	}
}

// TestTheFirstProcessHeedsNoSignal: where it is the same user as the function, too.
func TestTheFirstProcessHeedsNoSignal(t *testing.T) {
	b := furnished(t, testkit.Maker(t, testkit.Strongest()), sandbox.Furniture{})
	_, _ = inside(t, b, "for s in 1 2 3 6 9 10 12 13 14 15 17 19; do for p in 1 2 3 4 5 6 7 8 9; do kill -$s $p; done; done")
	if got, exit := inside(t, b, "kill -TERM $$; echo survived"); got != "" || exit.Status != "signal: terminated" {
		t.Errorf("then a process that ends itself: %q, %+v", got, exit)
	}
}
