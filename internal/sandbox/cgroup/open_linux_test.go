package cgroup

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropstack/dropstack/internal/fault"
)

// machine is a directory with the rules of the kernel that matter to Open.
type machine struct {
	root string
	top  string // the root group of version 2
	deny error  // what mkdir answers
}

func (m *machine) kernel() kernel {
	return kernel{root: m.root, mkdir: m.mkdir, write: m.write, rmdir: m.rmdir}
}

// oneFiles and twoFiles are what the kernel puts into a new group.
var (
	oneFiles = map[string]map[string]string{
		"memory":  {"memory.limit_in_bytes": "-1", "memory.memsw.limit_in_bytes": "-1", "memory.oom_control": "oom_kill 0\n"},
		"cpu":     {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"},
		"pids":    {"pids.max": "max"},
		"freezer": {"freezer.state": "THAWED\n"},
	}
	twoFiles = map[string]map[string]string{
		"memory": {
			"memory.max": "max", "memory.swap.max": "max", "memory.oom.group": "0", "memory.current": "0\n",
			"memory.peak": "4096\n", "memory.events": "low 0\noom 0\noom_kill 0\n",
		},
		"cpu":  {"cpu.max": "max 100000"},
		"pids": {"pids.max": "max"},
	}
)

func (m *machine) mkdir(dir string) error {
	if m.deny != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: m.deny}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	files := map[string]string{"cgroup.procs": ""}
	if above := filepath.Join(filepath.Dir(dir), "cgroup.subtree_control"); !exists(above) { // version 1
		for c, own := range oneFiles {
			if strings.Contains(dir, "/"+c) {
				add(files, own)
			}
		}
	} else {
		down, _ := words(above)
		for _, c := range down {
			add(files, twoFiles[c])
		}
		add(files, map[string]string{
			"cgroup.controllers": strings.Join(down, " "), "cgroup.subtree_control": "", "cgroup.freeze": "0",
			"cgroup.kill": "", "cgroup.events": "populated 0\nfrozen 0\n",
		})
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func add(to, from map[string]string) {
	for k, v := range from {
		to[k] = v
	}
}

func (m *machine) write(path, value string) error {
	dir := filepath.Dir(path)
	switch filepath.Base(path) {
	case "cgroup.subtree_control":
		if pids, _ := words(filepath.Join(dir, "cgroup.procs")); len(pids) > 0 && dir != m.top {
			return &os.PathError{Op: "write", Path: path, Err: unix.EBUSY}
		}
		now, _ := words(path)
		value = strings.Join(append(now, strings.TrimPrefix(value, "+")), " ")
	case "cgroup.procs": // as if the process came from the group above
		from := filepath.Join(filepath.Dir(dir), "cgroup.procs")
		pids, _ := words(from)
		rest := slices.DeleteFunc(pids, func(pid string) bool { return pid == value })
		if err := write(from, strings.Join(rest, "\n")); err != nil {
			return err
		}
	}
	return write(path, value)
}

func (m *machine) rmdir(dir string) error {
	if !exists(dir) {
		return unix.ENOENT
	}
	if len(subdirs(dir)) > 0 {
		return unix.EBUSY
	}
	return os.RemoveAll(dir)
}

const me = "ME" // replaced by our process id

// newMachine makes one; top is where version 2 is mounted.
func newMachine(t *testing.T, top string, files map[string]string) *machine {
	t.Helper()
	root := t.TempDir()
	start, err := started("/", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"proc/" + strconv.Itoa(os.Getpid()) + "/stat": "1 (x) S" + strings.Repeat(" 0", 18) + " " + strconv.FormatUint(start, 10)}
	for name, text := range files {
		all[name] = strings.ReplaceAll(text, me, strconv.Itoa(os.Getpid()))
	}
	put(t, root, all)
	return &machine{root: root, top: filepath.Join(root, top)}
}

const service = "sys/fs/cgroup/system.slice/dropstack.service/"

// twoIn is a machine of version 2 with the platform in a group.
func twoIn(group, procs string) map[string]string {
	files := map[string]string{
		"proc/self/mountinfo": unifiedMount, "proc/self/cgroup": "0::" + group + "\n",
		"sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids", "sys/fs/cgroup/cgroup.subtree_control": "", "sys/fs/cgroup/cgroup.procs": "1\n2\n",
	}
	if group != "/" {
		files["sys/fs/cgroup"+group+"/cgroup.controllers"] = "cpu memory pids"
		files["sys/fs/cgroup"+group+"/cgroup.subtree_control"] = ""
	}
	files["sys/fs/cgroup"+group+"/cgroup.procs"] = procs
	return files
}

func with(files map[string]string, more map[string]string) map[string]string {
	add(files, more)
	return files
}

func TestOpen(t *testing.T) {
	oneOnly := map[string]string{
		"proc/self/mountinfo":               memoryMount + cpuMount + pidsMount + freezerMount,
		"proc/self/cgroup":                  "4:memory:/\n3:cpu,cpuacct:/\n2:pids:/\n1:freezer:/\n",
		"sys/fs/cgroup/memory/cgroup.procs": "", "sys/fs/cgroup/cpu,cpuacct/cgroup.procs": "",
		"sys/fs/cgroup/pids/cgroup.procs": "", "sys/fs/cgroup/freezer/cgroup.procs": "",
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		deny  error
		top   string
		want  string            // version of memory, cpu, pids, freezer, kill; - for off
		why   map[string]string // words of the reasons
	}{
		{name: "version 2 at the root", files: twoIn("/", "1\n"+me+"\n"), want: "22222"},
		{name: "version 2, a container of our own", files: twoIn("/app", me+"\n"), want: "22222"},
		{
			name: "version 2, in the leaf that systemd made", want: "22222",
			files: with(twoIn("/system.slice/dropstack.service/"+leaf, me+"\n"), map[string]string{
				service + "cgroup.controllers": "cpu memory pids", service + "cgroup.subtree_control": "", service + "cgroup.procs": "",
			}),
		},
		{
			name: "version 2, a service that systemd has not delegated", files: twoIn("/system.slice/dropstack.service", me+"\n"), want: "---22",
			why: map[string]string{Memory: "Delegate=yes", CPU: "device or resource busy", Pids: "dropstack.service belongs to systemd"},
		},
		{
			name: "version 2, others in our group", files: twoIn("/app", "1\n"+me+"\n"), want: "---22",
			why: map[string]string{Memory: "1 other processes (first: 1): start it as a service of its own"},
		},
		{
			name: "version 2, controllers not handed down", want: "-2-22",
			files: with(twoIn("/app", me+"\n"), map[string]string{"sys/fs/cgroup/app/cgroup.controllers": "cpu"}),
			why:   map[string]string{Memory: "was not delegated", Pids: "was not delegated"},
		},
		{
			name: "version 2, no permission", files: twoIn("/user.slice", me), deny: unix.EACCES, want: "-----",
			why: map[string]string{Memory: "permission denied: run the platform as a systemd service with Delegate=yes", Kill: "permission denied"},
		},
		{
			name: "docker: read-only", files: twoIn("/", me), deny: unix.EROFS, want: "-----",
			why: map[string]string{Memory: "read-only file system: it is mounted read-only, as in a container", Freezer: "read-only"},
		},
		{name: "version 1", files: oneOnly, top: "none", want: "11111"},
		{
			name: "hybrid: version 2 has no controllers", want: "11122", top: "sys/fs/cgroup/unified",
			files: with(with(map[string]string{}, oneOnly), map[string]string{
				"proc/self/mountinfo": oneOnly["proc/self/mountinfo"] + hybridMount, "proc/self/cgroup": oneOnly["proc/self/cgroup"] + "0::/\n",
				"sys/fs/cgroup/unified/cgroup.controllers": "", "sys/fs/cgroup/unified/cgroup.subtree_control": "", "sys/fs/cgroup/unified/cgroup.procs": "",
			}),
		},
		{
			name: "a Raspberry Pi", want: "-2222",
			files: with(twoIn("/", me), map[string]string{
				"sys/fs/cgroup/cgroup.controllers": "cpu pids", "proc/cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t80\t1\nmemory\t0\t80\t0\n",
			}),
			why: map[string]string{Memory: "boot with cgroup_enable=memory"},
		},
		{
			name: "nothing mounted", files: map[string]string{"proc/self/mountinfo": "", "proc/self/cgroup": "0::/\n"}, want: "-----",
			why: map[string]string{Memory: "mount cgroup2", CPU: "mount cgroup2", Pids: "mount cgroup2", Freezer: "mount cgroup2", Kill: "mount cgroup2"},
		},
		{
			name: "our group out of sight", files: map[string]string{"proc/self/mountinfo": unifiedMount, "proc/self/cgroup": "0::/../x\n"}, want: "-----",
			why: map[string]string{Kill: "not visible below"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine(t, first(c.top, "sys/fs/cgroup"), c.files)
			m.deny = c.deny
			tree, err := openOn(m.kernel(), slog.New(slog.NewTextHandler(t.Output(), nil)))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, control := range tree.Controls() {
				if control.On {
					got += strconv.Itoa(control.Version)
				} else {
					got += "-"
				}
				if why := c.why[control.Name]; !strings.Contains(control.Reason, why) || !control.On && control.Reason == "" {
					t.Errorf("%s: reason %q, want %q in it", control.Name, control.Reason, why)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, tree.Controls())
			}
			useAndClose(t, tree)
		})
	}
}

// useAndClose checks that whatever controls a tree has, a group in it can be
// limited, and that it goes without a trace.
func useAndClose(t *testing.T, tree *Tree) {
	t.Helper()
	places := tree.places
	g, err := tree.New("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.New("a"); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the same name again: got %v, want a conflict", err)
	}
	if err := g.Limit(Limits{Memory: 1 << 20, CPUs: 2, Pids: 3}); err != nil {
		t.Error(err)
	}
	if err := tree.Close(); err == nil || !strings.Contains(err.Error(), "1 control groups are in use") {
		t.Errorf("closing with a group in it: got %v", err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
	for _, p := range places {
		if exists(p.dir) {
			t.Errorf("%s is left", p.dir)
		}
	}
}

func TestStepAsideFromADelegatedService(t *testing.T) {
	m := newMachine(t, "sys/fs/cgroup", twoIn("/system.slice/dropstack.service", me+"\n"))
	unit := filepath.Join(m.root, service)
	if err := unix.Setxattr(unit, "user.delegate", []byte("1"), 0); err != nil {
		if err = unix.Setxattr(unit, "trusted.delegate", []byte("1"), 0); err != nil {
			t.Skipf("not run: mark %s as systemd does: %v", unit, err)
		}
	}
	tree, err := openOn(m.kernel(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tree.Controls() {
		if c.Version != 2 {
			t.Errorf("%+v, want it on", c)
		}
	}
	if pids, err := processes(filepath.Join(unit, leaf)); err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("the leaf has %v, %v, want the platform", pids, err)
	}
	useAndClose(t, tree)
}

func TestLimitsOfVersionTwo(t *testing.T) {
	m := newMachine(t, "sys/fs/cgroup", twoIn("/", me))
	tree, err := openOn(m.kernel(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	g, err := tree.New("a")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limits Limits
		want   string // memory.max memory.swap.max memory.oom.group cpu.max pids.max
	}{
		{Limits{}, "max max 0 max 100000 max"},
		{Limits{Memory: 128 << 20, CPUs: CPUsFor(128), Pids: PidsMax}, "134217728 0 1 1447 20000 1024"},
		{Limits{Memory: 1 << 30, CPUs: 2.5}, "1073741824 0 1 50000 20000 max"},
		{Limits{CPUs: 0.001}, "max max 0 1000 20000 max"},
	} {
		if err := g.Limit(c.limits); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, file := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"} {
			text, err := words(g.dirs[0].file(file))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text...)
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.limits, got, c.want)
		}
	}
	for _, bad := range []Limits{{Memory: -1}, {CPUs: -1}, {Pids: -1}, {CPUs: 1e9}} {
		if err := g.Limit(bad); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: got %v, want that it is invalid", bad, err)
		}
	}
	if err := errors.Join(g.Remove(), g.Remove(), tree.Close(), tree.Close()); err != nil {
		t.Errorf("taken down twice: %v", err)
	}
}

func TestWatchOfVersionTwo(t *testing.T) {
	m := newMachine(t, "sys/fs/cgroup", twoIn("/", me))
	tree, err := openOn(m.kernel(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var groups []*Group
	var watches []<-chan struct{}
	for _, name := range []string{"a", "b", "before"} {
		g, err := tree.New(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "before" {
			change(t, g, "oom 1\noom_kill 1\n")
		}
		w, err := g.Watch()
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := g.Watch(); again != w {
			t.Error("a second watch has a channel of its own")
		}
		groups, watches = append(groups, g), append(watches, w)
	}
	<-watches[2]
	change(t, groups[0], "oom 1\noom_kill 0\n") // short of memory, nobody killed
	change(t, groups[1], "oom 1\noom_kill 2\n")
	<-watches[1]
	select {
	case <-watches[0]:
		t.Error("told without a kill")
	default:
	}
	if n, ok := groups[1].OOMKills(); n != 2 || !ok {
		t.Errorf("got %d kills, %v, want 2", n, ok)
	}
	if n, ok := groups[1].Peak(); n != 4096 || !ok {
		t.Errorf("got a peak of %d, %v, want 4096", n, ok)
	}
	for _, g := range groups {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	}
	if err := tree.Close(); err != nil {
		t.Error(err)
	}
}

func change(t *testing.T, g *Group, events string) {
	t.Helper()
	if err := write(g.dirs[0].file("memory.events"), events); err != nil {
		t.Fatal(err)
	}
}
