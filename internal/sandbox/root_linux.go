package sandbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dropstack/dropstack/internal/sandbox/guest"
)

// hidden, empty and frozen are the parts of /proc that tell of the machine or
// change it.
var (
	hidden = []string{"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/config.gz", "/proc/kallsyms", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/latency_stats", "/proc/sched_debug", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/modules", "/proc/cmdline", "/proc/iomem", "/proc/ioports", "/proc/interrupts", "/proc/softirqs", "/proc/mtrr", "/proc/pagetypeinfo"}
	empty  = []string{"/proc/acpi", "/proc/bus", "/proc/fs", "/proc/scsi", "/proc/driver", "/proc/tty", "/proc/pressure"}
	frozen = []string{"/proc/sys", "/proc/irq"}
)

// system is what a sandbox has of this machine: programs and libraries to read
// and run, and the lists of certificates.
var system = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// settings are the files of /etc that programs cannot do without and that tell
// nothing of the machine.
var settings = []string{"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/mime.types", "/etc/protocols", "/etc/services", "/etc/fonts"}

// The files of /etc that are made up.
const (
	hosts  = "127.0.0.1\tlocalhost sandbox.localdomain sandbox\n::1\tlocalhost\n"
	passwd = "root:x:0:0:root:/root:/sbin/nologin\nsandbox:x:1000:1000:function:/tmp:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	group  = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n"
	names  = "passwd: files\ngroup: files\nhosts: files dns\n"
)

// Resolver is where functions ask for names: the address of Amazon's resolver.
const Resolver = "169.254.169.253"

// plan is the root of a sandbox, the same for all.
func plan() (guest.Build, error) {
	b := guest.Build{
		Host: "sandbox",
		Proc: true,
		Dirs: []string{"/proc", "/dev", "/etc", "/tmp", "/var/task", "/var/runtime", "/var/lang", "/var/empty", "/var/tmp", "/opt", "/mnt", "/run", "/root", "/home"},
		Files: []guest.Entry{
			{Path: "/etc/hosts", Text: hosts},
			{Path: "/etc/passwd", Text: passwd},
			{Path: "/etc/group", Text: group},
			{Path: "/etc/nsswitch.conf", Text: names},
			{Path: "/etc/hostname", Text: "sandbox\n"},
			{Path: "/etc/resolv.conf", Text: "nameserver " + Resolver + "\n"},
		},
		Links: []guest.Entry{
			{Path: "/dev/fd", Text: "/proc/self/fd"},
			{Path: "/dev/stdin", Text: "/proc/self/fd/0"},
			{Path: "/dev/stdout", Text: "/proc/self/fd/1"},
			{Path: "/dev/stderr", Text: "/proc/self/fd/2"},
		},

		Hidden: hidden, Empty: empty, Frozen: frozen,
	}
	for _, device := range []string{"null", "zero", "full", "random", "urandom"} {
		b.Mounts = append(b.Mounts, guest.Mount{From: "/dev/" + device, To: "/dev/" + device, Write: true, File: true, Dev: true})
	}
	for _, path := range append(system, settings...) {
		if err := take(&b, path); err != nil {
			return b, err
		}
	}
	for _, path := range setuid() {
		b.Mounts = append(b.Mounts, guest.Mount{From: "/dev/null", To: path, File: true})
	}
	return b, nil
}

// take adds a path of this machine, as the link that it is or as a mount.
func take(b *guest.Build, path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		b.Links = append(b.Links, guest.Entry{Path: path, Text: target})
		return err
	}
	b.Mounts = append(b.Mounts, guest.Mount{From: path, To: path, Exec: !strings.HasPrefix(path, "/etc/"), File: !st.IsDir()})
	return nil
}

// setuid lists the programs that run with other rights than their caller's. The
// sandbox would not grant them, but they have no business in it. They are looked
// for where packages put programs: all of /usr takes seconds.
func setuid() (list []string) {
	for dir, depth := range map[string]int{"/usr/bin": 1, "/usr/sbin": 1, "/usr/local/bin": 1, "/usr/local/sbin": 1, "/usr/games": 1, "/usr/libexec": 3, "/usr/lib": 3} {
		list = append(list, setuidIn(dir, depth)...)
	}
	return list
}

func setuidIn(dir string, depth int) (list []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() && depth > 1 {
			list = append(list, setuidIn(path, depth-1)...)
		}
		if !e.Type().IsRegular() {
			continue
		}
		if st, err := e.Info(); err == nil && st.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			list = append(list, path)
		}
	}
	return list
}
