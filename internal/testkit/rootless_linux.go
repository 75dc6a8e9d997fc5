package testkit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// rootless has a test binary become somebody's before it runs tests: a user's, or
// that of a root who may not do much.
const (
	rootless = "DROPSTACK_TEST_ROOTLESS"
	aUser    = "user"
	aRoot    = "root"
)

// nobody is a user whom no machine has.
const nobody = 61234

// WithoutRoot runs tests of this binary again, as a user without any rights, and
// returns what they printed. It fails the test when one of them fails or does not
// run. TestMain has to begin with BecomeUser.
func WithoutRoot(t *testing.T, tests ...string) string {
	t.Helper()
	return as(t, aUser, tests)
}

// WithLittleRoot runs them as root without CAP_SYS_ADMIN, as it often is in a
// container: level full cannot be had.
func WithLittleRoot(t *testing.T, tests ...string) string {
	t.Helper()
	return as(t, aRoot, tests)
}

func as(t *testing.T, who string, tests []string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not run: these tests run without root anyway")
	}
	dir := Dir(t)
	self, temp := filepath.Join(dir, "tests"), filepath.Join(dir, "tmp")
	err := copyTo(self, "/proc/self/exe")
	if err == nil {
		err = os.Mkdir(temp, 0o711)
	}
	if err == nil {
		err = os.Chown(temp, nobody, nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.v", "-test.run", "^(" + strings.Join(tests, "|") + ")$"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = temp
	cmd.Env = []string{rootless + "=" + who, "TMPDIR=" + temp, "HOME=" + temp, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("as %s: %v\n%s", who, err, out)
	}
	for _, name := range tests {
		if err == nil && !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("as %s: %s has not run\n%s", who, name, out)
		}
	}
	return string(out)
}

// BecomeUser gives root up if WithoutRoot has started this binary, or most of it if
// WithLittleRoot has.
func BecomeUser() {
	if os.Getenv(rootless) != "" && os.Geteuid() == 0 && admin() {
		withoutRoot(os.Getenv(rootless))
	}
}

// admin reports whether this process may hold CAP_SYS_ADMIN.
func admin() bool {
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_ADMIN, 0, 0, 0)
	return err == nil && has == 1
}

// withoutRoot gives root up, after opening the device of tunnels to all: most
// systems have it so.
func withoutRoot(who string) {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("devices", "/mnt", "tmpfs", 0, "mode=755")
	}
	if err == nil {
		err = unix.Mknod("/mnt/tun", unix.S_IFCHR, int(unix.Mkdev(10, 200)))
	}
	if err == nil {
		err = os.Chmod("/mnt/tun", 0o666)
	}
	if err == nil {
		err = unix.Mount("/mnt/tun", "/dev/net/tun", "", unix.MS_BIND, "")
	}
	if err == nil {
		err = unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0)
	}
	if err == nil && who == aUser {
		err = errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody))
	}
	if err == nil { // anew, as a program of that user: it is dumpable again, and has the rights that are left
		err = syscall.Exec(os.Args[0], os.Args, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "become a user:", err)
	os.Exit(1)
}

func copyTo(path, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
