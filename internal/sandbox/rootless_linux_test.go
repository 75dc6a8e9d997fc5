package sandbox_test

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

// rootless has this binary become a user's before it runs tests.
const rootless = "SANDBOX_TEST_ROOTLESS"

// nobody is a user whom no machine has.
const nobody = 61234

// TestWithoutRoot runs the tests of sandboxes again as a user without any rights,
// for whom they are of level userns. As such a user there is nothing to repeat.
func TestWithoutRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not run: the tests run without root anyway")
	}
	dir := home(t)
	self := filepath.Join(dir, "tests")
	if err := copyTo(self, "/proc/self/exe"); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(temp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.v", "-test.run", "^(TestWhatASandboxHolds|TestSandboxesDoNotSeeEachOther|TestMemoryLimitIsToldAsSuch|TestListenersAreInside|TestFilesOfAnIdentity|TestAssignmentLeavesTheSandboxAlone|TestManyComeAndGo|TestProcessesAreLimited)$"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = temp
	cmd.Env = []string{rootless + "=1", "TMPDIR=" + temp, "HOME=" + temp, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "--- SKIP") || !strings.Contains(string(out), "--- PASS: TestManyComeAndGo") {
		t.Errorf("%v\n%s", err, out)
	}
}

// withoutRoot gives root up, after opening the device of tunnels to all: most
// systems have it so.
func withoutRoot() {
	if os.Geteuid() != 0 {
		return
	}
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
