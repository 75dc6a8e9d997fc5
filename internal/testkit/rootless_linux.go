package testkit

import (
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

// rootless has a test binary become a user's before it runs tests.
const rootless = "DROPSTACK_TEST_ROOTLESS"

// nobody is a user whom no machine has.
const nobody = 61234

// WithoutRoot runs tests of this binary again, as a user without any rights, and
// returns what they printed. It fails the test when one of them fails or does not
// run. TestMain has to begin with BecomeUser.
func WithoutRoot(t *testing.T, tests ...string) string {
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
	cmd.Env = []string{rootless + "=1", "TMPDIR=" + temp, "HOME=" + temp, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP") {
		t.Errorf("without root: %v\n%s", err, out)
	}
	for _, name := range tests {
		if err == nil && !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("without root: %s has not run\n%s", name, out)
		}
	}
	return string(out)
}

// BecomeUser gives root up if WithoutRoot has started this binary.
func BecomeUser() {
	if os.Getenv(rootless) != "" && os.Geteuid() == 0 {
		withoutRoot()
	}
}

// withoutRoot gives root up, after opening the device of tunnels to all: most
// systems have it so.
func withoutRoot() {
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
		err = syscall.Setgroups(nil)
	}
	if err == nil {
		err = syscall.Setgid(nobody)
	}
	if err == nil {
		err = syscall.Setuid(nobody)
	}
	if err == nil { // anew, as a program of that user: it is dumpable again
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
