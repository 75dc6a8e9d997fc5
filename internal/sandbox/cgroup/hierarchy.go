package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is one tree of groups that is mounted here, and our place in it.
type hierarchy struct {
	version     int
	controllers []string // version 1 only: version 2 tells in files
	mount       string
	own         string // directory of the group that this process is in; "" if invisible
	readOnly    bool
}

// mount is a line of /proc/self/mountinfo, see proc_pid_mountinfo(5).
type mount struct {
	root, at, kind    string
	options, specific []string
}

// membership is a line of /proc/self/cgroup, see cgroups(7). Without controllers
// it is that of version 2.
type membership struct {
	controllers []string
	path        string
}

// hierarchies finds what is mounted below root, which is "/" but in tests.
func hierarchies(root string) ([]hierarchy, error) {
	mountinfo, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	cgroup, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil, err
	}
	members := parseMemberships(string(cgroup))
	var all []hierarchy
	for _, m := range parseMounts(string(mountinfo)) {
		h, ok := place(root, m, members)
		if !ok {
			continue
		}
		same := slices.IndexFunc(all, func(o hierarchy) bool {
			return o.version == h.version && slices.Equal(o.controllers, h.controllers)
		})
		switch {
		case same < 0:
			all = append(all, h)
		case better(h, all[same]):
			all[same] = h
		}
	}
	return all, nil
}

// better compares two mounts of the same hierarchy.
func better(a, b hierarchy) bool {
	if (a.own != "") != (b.own != "") {
		return a.own != ""
	}
	return b.readOnly && !a.readOnly
}

func place(root string, m mount, members []membership) (hierarchy, bool) {
	h := hierarchy{
		version: 2, mount: filepath.Join(root, m.at),
		readOnly: slices.Contains(m.options, "ro") || slices.Contains(m.specific, "ro"),
	}
	i := slices.IndexFunc(members, func(g membership) bool {
		if m.kind == "cgroup2" {
			return len(g.controllers) == 0
		}
		return slices.ContainsFunc(g.controllers, func(c string) bool { return slices.Contains(m.specific, c) })
	})
	if i < 0 {
		return hierarchy{}, false
	}
	if m.kind == "cgroup" {
		h.version, h.controllers = 1, members[i].controllers
	}
	if rest, ok := below(m.root, members[i].path); ok {
		h.own = filepath.Join(h.mount, rest)
	}
	return h, true
}

// below cuts the part of a hierarchy that a mount shows off a path in it. Groups
// outside of a control group namespace are written with dots: /../other.
func below(top, path string) (string, bool) {
	for _, p := range []string{top, path} {
		if !strings.HasPrefix(p, "/") || p == "/.." || strings.HasPrefix(p, "/../") {
			return "", false
		}
	}
	if top == "/" || top == path {
		return strings.TrimPrefix(path, strings.TrimSuffix(top, "/")), true
	}
	rest, ok := strings.CutPrefix(path, top+"/")
	return rest, ok
}

func parseMounts(mountinfo string) []mount {
	var all []mount
	for line := range strings.Lines(mountinfo) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-") // ends the optional fields
		if dash < 6 || len(f) < dash+4 {
			continue
		}
		if kind := f[dash+1]; kind == "cgroup" || kind == "cgroup2" {
			all = append(all, mount{
				root: unescape(f[3]), at: unescape(f[4]), kind: kind,
				options: strings.Split(f[5], ","), specific: strings.Split(f[dash+3], ","),
			})
		}
	}
	return all
}

// unescape undoes the \040 that mountinfo writes for a space.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func parseMemberships(cgroup string) []membership {
	var all []membership
	for line := range strings.Lines(cgroup) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		m := membership{path: f[2]}
		if f[1] != "" {
			m.controllers = strings.Split(f[1], ",")
		} else if f[0] != "0" {
			continue // a version 1 hierarchy that has lost its controllers
		}
		all = append(all, m)
	}
	return all
}

// keyed reads a number out of the lines "key number" of a file of the kernel.
func keyed(text, key string) (int64, bool) {
	for line := range strings.Lines(text) {
		if k, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			n, err := strconv.ParseInt(value, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// started is when a process began, in clock ticks since boot, which with its
// number names it for good; see proc_pid_stat(5), field 22.
func started(root string, pid int) (uint64, error) {
	stat, err := os.ReadFile(filepath.Join(root, "proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name and may hold anything.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields, want 22 or more", pid, len(f)+2)
	}
	return strconv.ParseUint(f[19], 10, 64)
}

// leaf is the group that the platform moves into when it has to leave its own
// one to the sandboxes. It suits DelegateSubgroup= of systemd too.
const leaf = "dropstack-platform"

// baseOf is the group below which the platform's directory belongs.
func (h hierarchy) baseOf() string {
	if h.version == 2 && filepath.Base(h.own) == leaf {
		return filepath.Dir(h.own)
	}
	return h.own
}

// disabled reads /proc/cgroups: name, hierarchy, groups, enabled.
func disabled(cgroups, name string) bool {
	for line := range strings.Lines(cgroups) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == name {
			return f[3] == "0"
		}
	}
	return false
}

const prefix = "dropstack-"

func treeName(pid int, start uint64) string {
	return prefix + strconv.Itoa(pid) + "-" + strconv.FormatUint(start, 10)
}

// owner is the process that a tree is named after.
func owner(name string) (pid int, start uint64, ok bool) {
	rest, ours := strings.CutPrefix(name, prefix)
	f := strings.Split(rest, "-")
	if !ours || len(f) < 2 || len(f) > 3 {
		return 0, 0, false
	}
	pid, err1 := strconv.Atoi(f[0])
	start, err2 := strconv.ParseUint(f[1], 10, 64)
	return pid, start, err1 == nil && err2 == nil && pid > 0
}
