//go:build linux

package sandbox_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// roomy makes sandboxes whose temporary files have file systems of their own.
func roomy(t *testing.T, f sandbox.Furniture) *sandbox.Box {
	t.Helper()
	b := furnished(t, testkit.Maker(t, testkit.Strongest()), f)
	if why := b.Soft(); why != "" {
		t.Skipf("not run: %s", why)
	}
	return b
}

// TestTemporaryFilesHaveAnEnd fills /tmp: the disk is told to be full at the size
// that was asked for, the memory of the function is not touched by it, and there
// is room again after files are removed.
func TestTemporaryFilesHaveAnEnd(t *testing.T) {
	for name, c := range map[string]struct{ asked, want int }{
		"nothing said": {0, 512},
		"more":         {700, 700},
	} {
		t.Run(name, func(t *testing.T) {
			b := roomy(t, sandbox.Furniture{MemoryMB: 128, StorageMB: c.asked})
			got, exit := inside(t, b, "dd if=/dev/zero of=/tmp/x bs=1M; stat -c %s /tmp/x")
			if !strings.Contains(got, "No space left on device") || exit.Code != 0 {
				t.Fatalf("got %q, %+v", got, exit)
			}
			lines := strings.Split(got, "\n")
			size, err := strconv.Atoi(lines[len(lines)-1])
			if mb := size >> 20; err != nil || mb < c.want || mb > c.want+c.want/20 {
				t.Errorf("got %d MB, %v, want %d and little more", mb, err, c.want)
			}
			if got, _ := inside(t, b, "echo 1 >/tmp/y; rm /tmp/x && echo on >/tmp/z && cat /tmp/z"); !strings.HasSuffix(got, "on") {
				t.Errorf("with room again: %q", got)
			}
		})
	}
}

// TestFilesAreCountedToo makes as many empty files as fit.
func TestFilesAreCountedToo(t *testing.T) {
	b := roomy(t, sandbox.Furniture{})
	got, _ := inside(t, b, "cd /tmp; seq 50000 | xargs touch; ls -f | wc -l")
	lines := strings.Split(got, "\n")
	n, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil || n < 32_000 || n > 45_000 || !strings.Contains(got, "No space left on device") {
		t.Errorf("got %d files, %v, want about 40,000: %.300q", n, err, got)
	}
}

// TestADyingSandboxWritesNothing throws the temporary files of a sandbox away with
// what was not written yet.
func TestADyingSandboxWritesNothing(t *testing.T) {
	m := testkit.Maker(t, testkit.Strongest())
	b := furnished(t, m, sandbox.Furniture{MemoryMB: 1024, StorageMB: 600})
	if why := b.Soft(); why != "" {
		t.Skipf("not run: %s", why)
	}
	if got, exit := inside(t, b, "dd if=/dev/zero of=/tmp/x bs=1M count=500 2>/dev/null; echo done"); got != "done" {
		t.Fatalf("got %q, %+v", got, exit)
	}
	b.Close()
	if left := m.Close(); left != 0 {
		t.Errorf("%d leftovers", left)
	}
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if file, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(file), m.TempDir) {
			t.Errorf("a device still has %s", file)
		}
	}
}

// loose are the levels at which there is no quota. TestWithoutRoot runs the other.
func loose() []string {
	if testkit.Strongest() == sandbox.Full {
		return []string{sandbox.Confine}
	}
	return []string{sandbox.Confine, sandbox.Userns}
}

// TestTooManyTemporaryFilesAreStopped: where there is no quota, whoever takes too
// much is ended before the disk is full, and it is told why.
func TestTooManyTemporaryFilesAreStopped(t *testing.T) {
	for _, level := range loose() {
		t.Run(level, func(t *testing.T) {
			for name, c := range map[string]struct{ script, want string }{
				"much at once":   {"i=0; while [ $i -lt 2000 ]; do head -c 1000000 /dev/zero >$T/$i || exit 3; i=$((i+1)); done", "its temporary files take more than 64 MB"},
				"many files":     {"i=0; while [ $i -lt 90000 ]; do : >$T/$i || exit 3; i=$((i+1)); done", "its temporary files are more than there may be in 64 MB"},
				"grown in place": {"exec 5>$T/x; while :; do head -c 100000 /dev/zero >&5 || exit 3; done", "its temporary files take more than 64 MB"},
			} {
				t.Run(name, func(t *testing.T) {
					m := testkit.Maker(t, level)
					b := furnished(t, m, sandbox.Furniture{})
					if b.Soft() == "" {
						t.Error("no reason is given why this is not hard")
					}
					s := shell(t, "/", c.script)
					s.StorageMB, s.Env = 64, append(s.Env, "T="+b.Tmp)
					if b.Inside() {
						s.Env[len(s.Env)-1] = "T=/tmp"
					} else {
						s.Owns = []string{b.Tmp}
					}
					if name == "grown in place" {
						s.Owns = append(s.Owns, t.TempDir()) // it has other files to write: no limit for each
					}
					p, err := b.Start(s)
					if err != nil {
						t.Fatal(err)
					}
					p.Busy(true)
					output(t, p)
					exit := p.Wait()
					_ = p.Stdout.Close()
					_ = p.Stderr.Close()
					if exit.OutOfStorage != c.want || exit.Status != "signal: killed" {
						t.Errorf("got %+v, want it killed because %s", exit, c.want)
					}
				})
			}
		})
	}
}

// TestAFileHasALimitOfItsOwn: a large file would be there at once, between two looks.
func TestAFileHasALimitOfItsOwn(t *testing.T) {
	for _, level := range loose() {
		t.Run(level, func(t *testing.T) {
			b := furnished(t, testkit.Maker(t, level), sandbox.Furniture{})
			for name, c := range map[string]struct {
				others bool
				want   string
			}{
				"no other files": {false, strconv.Itoa(64 << 11)}, // blocks of 512
				"other files":    {true, "unlimited"},
			} {
				s := shell(t, "/", "ulimit -f")
				s.StorageMB = 64
				if !b.Inside() {
					s.Owns = []string{b.Tmp}
				}
				if c.others {
					s.Owns = append(s.Owns, t.TempDir())
				}
				if level == sandbox.Userns { // the first process of a sandbox decides
					b = furnished(t, testkit.Maker(t, level), sandbox.Furniture{})
				}
				p, err := b.Start(s)
				if err != nil {
					t.Fatal(err)
				}
				if got := output(t, p); got != c.want {
					t.Errorf("%s: got %s, want %s", name, got, c.want)
				}
				p.Wait()
				_ = p.Stdout.Close()
				_ = p.Stderr.Close()
			}
		})
	}
}

// TestHiddenTemporaryFilesAreFound: root looks into every directory, and from others
// what cannot be looked at counts as too much.
func TestHiddenTemporaryFilesAreFound(t *testing.T) {
	for _, level := range loose() {
		t.Run(level, func(t *testing.T) {
			m := testkit.Maker(t, level)
			b := furnished(t, m, sandbox.Furniture{})
			s := shell(t, "/", "mkdir $T/d && head -c 100000000 /dev/zero >$T/d/x && chmod 0 $T/d && sleep 60")
			s.StorageMB, s.Owns, s.Env = 64, []string{b.Tmp, t.TempDir()}, append(s.Env, "T="+b.Tmp)
			if b.Inside() {
				s.Owns, s.Env[len(s.Env)-1] = s.Owns[1:], "T=/tmp"
			}
			p, err := b.Start(s)
			if err != nil {
				t.Fatal(err)
			}
			p.Busy(true)
			if exit := p.Wait(); exit.OutOfStorage == "" {
				t.Errorf("got %+v, want it killed for its temporary files", exit)
			}
			_ = p.Stdout.Close()
			_ = p.Stderr.Close()
		})
	}
}
