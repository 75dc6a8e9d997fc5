package volume

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFormat has the file systems checked by those who know.
func TestFormat(t *testing.T) {
	check, err := exec.LookPath("e2fsck")
	if err != nil {
		t.Skipf("not run: %v", err)
	}
	for _, mb := range []int{least, 16, 124, 125, 126, 127, 512, 513, 10240, most} {
		t.Run(fmt.Sprint(mb, " MB"), func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "volume"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			blocks, _ := size(mb)
			if err := file.Truncate(int64(blocks) * blockSize); err != nil {
				t.Fatal(err)
			}
			if err := format(file, mb, 1_879_049_192); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(check, "-fn", file.Name()).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func made(t *testing.T, mb, owner int) *Volume {
	t.Helper()
	v, err := Make(t.TempDir(), mb, owner)
	if err != nil {
		t.Skipf("not run: no volumes here: %v", err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// inside is a path of a file in a volume.
func inside(v *Volume, name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", v.FD(), name) }

// fill writes files of 1 MB until no more fit.
func fill(v *Volume) (mb int, err error) {
	part := make([]byte, 1<<20)
	for ; mb < most; mb++ {
		if err := os.WriteFile(inside(v, fmt.Sprint("file-", mb)), part, 0o600); err != nil {
			return mb, err
		}
	}
	return mb, nil
}

func TestAVolumeIsFullAtItsSize(t *testing.T) {
	for _, mb := range []int{16, 200} {
		v := made(t, mb, 0)
		n, err := fill(v)
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%d MB: got %v after %d MB, want no space left", mb, err, n)
		}
		if n < mb || n > mb+mb/10+kept*blockSize>>20 {
			t.Errorf("%d MB: %d MB fitted", mb, n)
		}
	}
}

func TestTheRootIsTheOwners(t *testing.T) {
	v := made(t, 16, 1_879_049_192)
	var st unix.Stat_t
	if err := unix.Fstatat(v.FD(), ".", &st, 0); err != nil {
		t.Fatal(err)
	}
	if st.Uid != 1_879_049_192 || st.Gid != 1_879_049_192 || st.Mode != unix.S_IFDIR|0o700 {
		t.Errorf("got user %d, group %d, mode %o", st.Uid, st.Gid, st.Mode)
	}
	if names, err := os.ReadDir(inside(v, "")); err != nil || len(names) > 0 {
		t.Errorf("got %v, %v, want an empty directory", names, err)
	}
}

// TestNothingStays looks for the files of volumes among those of loop devices.
func TestNothingStays(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		v, err := Make(dir, 64, 0)
		if err != nil {
			t.Skipf("not run: no volumes here: %v", err)
		}
		if names := backing(t, dir); len(names) != 1 {
			t.Errorf("got %v, want one device with a file of the directory", names)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("got %v, %v, want no name in the directory", left, err)
		}
		if _, err := fill(v); !errors.Is(err, unix.ENOSPC) {
			t.Error(err)
		}
		if err := v.Discard(); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(inside(v, "more"), nil, 0o600); !errors.Is(err, unix.EIO) {
			t.Errorf("after it is discarded: got %v, want an input/output error", err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if names := backing(t, dir); len(names) > 0 {
			t.Errorf("still attached: %v", names)
		}
	}
}

// backing lists the files of a directory that loop devices have.
func backing(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if file, err := os.ReadFile(name); err == nil && strings.HasPrefix(string(file), dir) {
			names = append(names, string(file))
		}
	}
	return names
}

func TestSizesThatCannotBe(t *testing.T) {
	for _, mb := range []int{-1, 0, most + 1} {
		if _, err := Make(t.TempDir(), mb, 0); err == nil || !strings.Contains(err.Error(), "1 to 15360 MB") {
			t.Errorf("%d MB: got %v", mb, err)
		}
	}
}

func BenchmarkMake(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		v, err := Make(dir, 512, 0)
		if err != nil {
			b.Skipf("not run: no volumes here: %v", err)
		}
		b.StopTimer()
		_ = v.Close()
		b.StartTimer()
	}
}
