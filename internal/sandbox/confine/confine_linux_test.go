package confine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func init() {
	roles["no-new-privs"] = func([]string) error {
		if err := NoNewPrivs(); err != nil {
			return err
		}
		return printStatus("NoNewPrivs")
	}
	roles["drop-capabilities"] = func([]string) error {
		if err := DropCapabilities(); err != nil {
			return err
		}
		cmd := exec.Command("/bin/grep", "-E", "^Cap(Prm|Eff|Bnd|Amb)", "/proc/self/status")
		out, err := cmd.Output()
		fmt.Print(string(out))
		return err
	}
	roles["close-on-exec"] = closeOnExec
	roles["landlock"] = landlocked
	roles["early"] = func([]string) error {
		if err := syscall.Setresuid(nobody, nobody, nobody); err != nil {
			return err
		}
		for _, err := range []error{second(Landlock(Rules{})), load()} {
			errno, _ := errors.AsType[syscall.Errno](err)
			fmt.Println(word(errno))
		}
		return nil
	}
	roles["set-user-id"] = func(args []string) error {
		if args[1] == "confined" {
			if err := NoNewPrivs(); err != nil {
				return err
			}
		}
		cmd := exec.Command(args[0], "-u")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.Output()
		fmt.Print(string(out))
		return err
	}
}

const nobody = 65534

func second(_ int, err error) error { return err }

func printStatus(key string) error {
	v, err := status(key)
	fmt.Println(v)
	return err
}

func TestNoNewPrivs(t *testing.T) {
	if got, err := child(t, "no-new-privs"); err != nil || got != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestNoNewPrivsOfFiles runs a program whose file grants root's rights.
func TestNoNewPrivsOfFiles(t *testing.T) {
	needRoot(t)
	dir, err := os.MkdirTemp("", "confine")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	id, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	program := filepath.Join(dir, "id")
	for _, err := range []error{os.Chmod(dir, 0o755), os.WriteFile(program, id, 0o755), os.Chmod(program, 0o755|os.ModeSetuid)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := child(t, "set-user-id", program, "free"); err != nil || got != "0" {
		t.Skipf("not run: such programs have no effect in %s: user %s, %v", os.TempDir(), got, err)
	}
	if got, err := child(t, "set-user-id", program, "confined"); err != nil || got != "65534" {
		t.Errorf("user %s, %v", got, err)
	}
}

// TestDropCapabilities starts a program as root, which would have them all.
func TestDropCapabilities(t *testing.T) {
	needRoot(t)
	got, err := child(t, "drop-capabilities")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got, "\n")
	if len(lines) != 4 {
		t.Fatalf("got %q", got)
	}
	for _, line := range lines {
		if _, set, _ := strings.Cut(line, ":"); strings.Trim(set, "\t0") != "" {
			t.Errorf("%s", line)
		}
	}
}

// closeOnExec opens three descriptors that programs inherit and lets them go from
// the second on.
func closeOnExec([]string) error {
	var fds []int
	for range 3 {
		fd, err := unix.Dup(0)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	if err := CloseOnExecFrom(fds[1]); err != nil {
		return err
	}
	for _, fd := range fds {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("descriptor %d is closed already: %w", fd, err)
		}
	}
	script := fmt.Sprintf("for fd in %d %d %d; do [ -e /proc/self/fd/$fd ] && echo open || echo closed; done", fds[0], fds[1], fds[2])
	return syscall.Exec("/bin/sh", []string{"sh", "-c", script}, os.Environ())
}

func TestCloseOnExecFrom(t *testing.T) {
	if got, err := child(t, "close-on-exec"); err != nil || got != "open\nclosed\nclosed" {
		t.Errorf("got %q, %v", got, err)
	}
}

// landlocked tries what the rules allow of a directory, and what they do not.
func landlocked(args []string) error {
	dir, stranger := args[0], args[1]
	rules := Rules{
		ReadExec:  []string{filepath.Join(dir, "read"), filepath.Join(dir, "single")},
		ReadWrite: []string{filepath.Join(dir, "write"), filepath.Join(dir, "missing"), filepath.Join(dir, "log")},
		Scope:     true,
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	tries := []struct {
		name string
		do   func() error
	}{
		{"read", func() error { return reads(in("read/file")) }},
		{"list", func() error { _, err := os.ReadDir(in("read")); return err }},
		{"run", func() error { return runs(in("read/program")) }},
		{"read a single file", func() error { return reads(in("single")) }},
		{"change a readable file", func() error { return appends(in("read/file")) }},
		{"make beside a readable file", func() error { return os.WriteFile(in("read/new"), nil, 0o600) }},
		{"remove a readable file", func() error { return os.Remove(in("read/file")) }},
		{"change a single writable file", func() error { return appends(in("log")) }},
		{"make", func() error { return os.WriteFile(in("write/new"), []byte("x"), 0o700) }},
		{"truncate", func() error { return os.Truncate(in("write/new"), 0) }},
		{"make a directory", func() error { return os.Mkdir(in("write/sub"), 0o700) }},
		{"move between directories", func() error { return os.Rename(in("write/new"), in("write/sub/new")) }},
		{"make a link", func() error { return os.Symlink("x", in("write/link")) }},
		{"make a pipe", func() error { return unix.Mkfifo(in("write/pipe"), 0o600) }},
		{"listen", func() error { return listens(in("write/socket")) }},
		{"make a device", func() error { return unix.Mknod(in("write/null"), unix.S_IFCHR|0o600, 1<<8|3) }},
		{"remove", func() error { return os.RemoveAll(in("write/sub")) }},
		{"move out", func() error { return os.Rename(in("write/pipe"), in("pipe")) }},
		{"move to what is readable", func() error { return os.Rename(in("write/pipe"), in("read/pipe")) }},
		{"read another", func() error { return reads(in("other/secret")) }},
		{"read another through a link", func() error { return reads(in("write/way")) }},
		{"list another", func() error { _, err := os.ReadDir(in("other")); return err }},
		{"truncate another", func() error { return os.Truncate(in("other/secret"), 0) }},
		{"make in another", func() error { return os.WriteFile(in("other/new"), nil, 0o600) }},
		{"abstract socket of another", func() error { return dials("@" + stranger) }},
		{"signal another", func() error { return unix.Kill(os.Getppid(), 0) }},
		{"signal itself", func() error { return unix.Kill(os.Getpid(), 0) }},
	}
	if err := NoNewPrivs(); err != nil {
		return err
	}
	if _, err := Landlock(rules); err != nil {
		return err
	}
	for _, try := range tries {
		err := try.do()
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			fmt.Printf("%s: %s\n", try.name, word(errno))
		} else {
			fmt.Printf("%s: %v\n", try.name, err)
		}
	}
	return nil
}

func reads(path string) error {
	b, err := os.ReadFile(path)
	if err == nil && len(b) == 0 {
		err = errors.New("it is empty")
	}
	return err
}

func appends(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// runs starts a program from this thread; it reads nothing on its way.
func runs(path string) error {
	attr := &syscall.ProcAttr{Files: []uintptr{0, 1, 2}}
	pid, err := syscall.ForkExec(path, []string{path}, attr)
	if err != nil {
		return err
	}
	_, err = unix.Wait4(pid, nil, 0, nil)
	return err
}

func listens(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
}

func dials(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, &unix.SockaddrUnix{Name: name})
}

func TestLandlock(t *testing.T) {
	abi, err := ABI()
	if err != nil {
		t.Skipf("not run: no Landlock in this kernel: %v", err)
	}
	if abi < 6 {
		t.Skipf("not run: version %d of Landlock has no scopes, want 6", abi)
	}
	dir := t.TempDir()
	for _, d := range []string{"read", "write", "other"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"read/file": 0o600, "single": 0o600, "log": 0o600, "other/secret": 0o600, "read/program": 0o700} {
		// A program that is none: to be run it must be readable and runnable, and then
		// the kernel says that it is none.
		if err := os.WriteFile(filepath.Join(dir, name), []byte("secret"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "other/secret"), filepath.Join(dir, "write/way")); err != nil {
		t.Fatal(err)
	}
	stranger := "confine" + filepath.Base(filepath.Dir(dir))
	l, err := net.Listen("unix", "@"+stranger)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := map[string]string{
		"run": "ENOEXEC", "change a readable file": "EACCES", "make beside a readable file": "EACCES", "remove a readable file": "EACCES",
		"make a device": "EACCES", "move out": "EACCES", "move to what is readable": "EACCES", "read another": "EACCES",
		"read another through a link": "EACCES", "list another": "EACCES", "truncate another": "EACCES",
		"make in another": "EACCES", "abstract socket of another": "EPERM", "signal another": "EPERM",
	}
	got, err := child(t, "landlock", dir, stranger)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got, "\n")
	if len(lines) != 27 {
		t.Errorf("%d answers", len(lines))
	}
	for _, line := range lines {
		name, said, _ := strings.Cut(line, ": ")
		if w, ok := want[name]; ok && said != w || !ok && said != "<nil>" {
			t.Errorf("%s: %s, want %q", name, said, w)
		}
	}
}

// TestNeedsNoNewPrivs confines somebody without capabilities, who might have
// started with more.
func TestNeedsNoNewPrivs(t *testing.T) {
	if _, err := ABI(); err != nil {
		t.Skipf("not run: no Landlock in this kernel: %v", err)
	}
	needRoot(t)
	if got, err := child(t, "early"); err != nil || got != "EPERM\nEACCES" {
		t.Errorf("Landlock and the filter answer %q, %v", got, err)
	}
}
