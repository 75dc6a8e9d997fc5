package probe

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// files are attacks on the machine's files by reading.
var files = []Assertion{
	{ID: "files/etc-shadow", Control: Files, What: "read the machine's passwords", try: reads("/etc/shadow", "/etc/shadow-", "/etc/gshadow")},
	{ID: "files/etc-passwd", Control: Files, What: "see the machine's users", try: accounts},
	{ID: "files/etc-sudoers", Control: Files, What: "read the machine's settings of sudo, cron and mounts", try: reads("/etc/sudoers", "/etc/crontab", "/etc/fstab")},
	{ID: "files/machine-id", Control: Files, What: "read the machine's identity", try: reads("/etc/machine-id", "/var/lib/dbus/machine-id")},
	{ID: "files/ssh-keys", Control: Files, What: "read keys of SSH", try: lists("/etc/ssh", "/root/.ssh")},
	{ID: "files/root-home", Control: Files, What: "look into the home of root", try: lists("/root")},
	{ID: "files/homes", Control: Files, What: "look into the homes of users", try: lists("/home")},
	{ID: "files/var-lib", Control: Files, What: "look into the state of the machine's programs", try: lists("/var/lib", "/var/log", "/var/spool", "/var/cache")},
	{ID: "files/run", Control: Files, What: "look into the machine's /run", try: lists("/run")},
	{ID: "files/boot", Control: Files, What: "look into the machine's kernels and disks", try: lists("/boot", "/media", "/srv", "/lost+found", "/snap")},
	{ID: "files/by-path", Control: Files, What: "read a file of the machine by its path", try: func(w *world) error { return w.read(w.Host.File) }},
	{ID: "files/platform-data", Control: Files, What: "look into the platform's own data", try: func(w *world) error { return lists(w.Host.Data...)(w) }},
	{ID: "files/dot-dot", Control: Files, What: "climb out of the root with ..", try: dotDot},
	{ID: "files/symlink", Control: Files, What: "follow a symbolic link out of the root", try: symlink},
	{ID: "files/hard-link", Control: Files, What: "link a program of the system into its own files", try: hardLink},
	{ID: "files/proc-1-root", Control: Files, What: "reach the machine's files through the first process", try: through("/proc/1/root", "/proc/1/cwd", "/proc/1/task/1/root")},
	{ID: "files/proc-self-root", Control: Files, What: "reach the machine's files through its own process", try: through("/proc/self/root", "/proc/self/cwd/..", "/proc/thread-self/root/..")},
	{ID: "files/platform-root", Control: Files, What: "reach the machine's files through the platform's process", try: platformRoot},
	{ID: "files/descriptors-dot-dot", Control: Files, What: "reach the machine's files from a descriptor", try: fromDescriptors},
	{ID: "files/open-by-handle", Control: Files, What: "open a file of the machine by its handle", try: byHandle},
	{ID: "files/setuid-programs", Control: Files, What: "find a program that runs with other rights", try: setuidPrograms("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin")},
	{ID: "files/setuid-anywhere", Control: Files, What: "find such a program anywhere", Heavy: true, try: setuidAnywhere},
	{
		ID: "paths/mountinfo", Control: Paths, What: "learn the machine's paths from the list of mounts", try: mountinfo,
		Soft: map[string]string{"full": "the kernel names the source of each bind mount; it is not in reach by that", "userns": "the kernel names the source of each bind mount; it is not in reach by that"},
	},
}

// accounts that a sandbox's made-up list has.
var accountNames = []string{"root", "sandbox", "nobody"}

func accounts(w *world) error {
	text, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return w.stopped(err, "")
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, ":")
		if !slices.Contains(accountNames, name) {
			return fmt.Errorf("/etc/passwd shows the user %s", name)
		}
	}
	w.how = "the list is made up"
	return nil
}

// dotDot climbs from a descriptor of the root, as if there were something above.
func dotDot(w *world) error {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w.stopped(err, "")
	}
	defer unix.Close(fd)
	at, err := unix.Openat(fd, strings.Repeat("../", 16)+strings.TrimPrefix(w.Host.File, "/"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(at)
	}
	return w.stopped(err, "can read %s by ..", w.Host.File)
}

func symlink(w *world) error {
	link := filepath.Join(w.Scratch, "link")
	if err := os.Symlink("../../../../../.."+w.Host.File, link); err != nil {
		return w.skip(cause(err))
	}
	defer os.Remove(link)
	return w.read(link)
}

// hardLink would give the function a name for a file that the machine shares.
func hardLink(w *world) error {
	link := filepath.Join(w.Scratch, "hard-link")
	for _, path := range []string{"/usr/bin/env", "/proc/1/exe", "/proc/self/exe"} {
		err := unix.Linkat(unix.AT_FDCWD, path, unix.AT_FDCWD, link, unix.AT_SYMLINK_FOLLOW)
		if err == nil {
			_ = os.Remove(link)
		}
		if err := w.stopped(err, "can link %s", path); err != nil {
			return err
		}
	}
	return nil
}

// through looks for the machine's file below links that lead to roots.
func through(roots ...string) func(*world) error {
	return func(w *world) error {
		for _, root := range roots {
			if err := w.read(root + w.Host.File); err != nil {
				return err
			}
		}
		return nil
	}
}

func platformRoot(w *world) error {
	return through(fmt.Sprintf("/proc/%d/root", w.Host.Pid), fmt.Sprintf("/proc/%d/cwd/../../../../../../..", w.Host.Pid))(w)
}

// fromDescriptors tries each descriptor that the probe was started with as a
// directory to climb from.
func fromDescriptors(w *world) error {
	for _, entry := range append([]string{"0", "1", "2"}, w.Open...) {
		fd, _, _ := strings.Cut(entry, " ")
		if err := w.read("/proc/self/fd/" + fd + "/../../../../../../.." + w.Host.File); err != nil {
			return err
		}
	}
	return nil
}

// byHandle guesses the handle of the root of the file system that its own files
// are on: inode 2, as of any ext4.
func byHandle(w *world) error {
	own, err := unix.Open(w.Scratch, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w.skip(cause(err))
	}
	defer unix.Close(own)
	const ino32 = 1 // FILEID_INO32_GEN
	fd, err := unix.OpenByHandleAt(own, unix.NewFileHandle(ino32, []byte{2, 0, 0, 0, 0, 0, 0, 0}), unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		unix.Close(fd)
	}
	return w.shut(err, "open_by_handle_at", unix.EOPNOTSUPP)
}

func setuidPrograms(dirs ...string) func(*world) error {
	return func(w *world) error {
		for _, dir := range dirs {
			names, _ := os.ReadDir(dir)
			for _, n := range names {
				if err := noSetuid(filepath.Join(dir, n.Name()), n); err != nil {
					return err
				}
			}
		}
		w.how = "there is none"
		return nil
	}
}

func noSetuid(path string, e fs.DirEntry) error {
	if !e.Type().IsRegular() {
		return nil
	}
	if st, err := e.Info(); err == nil && st.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return fmt.Errorf("finds %s, mode %v", path, st.Mode())
	}
	return nil
}

func setuidAnywhere(w *world) error {
	w.how = "there is none"
	return filepath.WalkDir("/", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "/proc" || path == "/sys" {
			return fs.SkipDir
		}
		return noSetuid(path, d)
	})
}

// mountinfo looks for paths that only the machine has.
func mountinfo(w *world) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return w.stopped(err, "")
	}
	defer f.Close()
	secret := append([]string{filepath.Dir(w.Host.File)}, w.Host.Data...)
	if w.Other != nil {
		secret = append(secret, filepath.Dir(w.Other.Tmp))
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		for _, path := range secret {
			if len(fields) > 4 && strings.HasPrefix(fields[3], path) {
				return fmt.Errorf("mountinfo shows %s as the source of %s", fields[3], fields[4])
			}
		}
	}
	w.how = "no path of the platform is in it"
	return nil
}
