package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	unifiedMount = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
	memoryMount  = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
	cpuMount     = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n"
	pidsMount    = "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
	freezerMount = "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
	hybridMount  = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)

func TestHierarchies(t *testing.T) {
	for _, c := range []struct {
		name, mountinfo, cgroup string
		want                    []hierarchy
	}{
		{
			"version 2 at the root", unifiedMount, "0::/\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup", own: "/sys/fs/cgroup"}},
		},
		{
			"version 2 in a service", unifiedMount, "0::/system.slice/dropstack.service\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup", own: "/sys/fs/cgroup/system.slice/dropstack.service"}},
		},
		{
			"version 1, controllers that share a hierarchy", memoryMount + cpuMount,
			"4:memory:/process/a\n2:cpu,cpuacct:/user:1\n1:name=systemd:/init.scope\n",
			[]hierarchy{
				{version: 1, controllers: []string{"memory"}, mount: "/sys/fs/cgroup/memory", own: "/sys/fs/cgroup/memory/process/a"},
				{version: 1, controllers: []string{"cpu", "cpuacct"}, mount: "/sys/fs/cgroup/cpu,cpuacct", own: "/sys/fs/cgroup/cpu,cpuacct/user:1"},
			},
		},
		{
			"hybrid", memoryMount + hybridMount, "4:memory:/\n0::/x\n",
			[]hierarchy{
				{version: 1, controllers: []string{"memory"}, mount: "/sys/fs/cgroup/memory", own: "/sys/fs/cgroup/memory"},
				{version: 2, mount: "/sys/fs/cgroup/unified", own: "/sys/fs/cgroup/unified/x"},
			},
		},
		{
			"docker with version 1: the mount shows the container's group, the path does not",
			"90 80 0:32 /docker/c0ffee /sys/fs/cgroup/memory ro,nosuid,nodev,noexec,relatime master:15 - cgroup cgroup rw,memory\n",
			"4:memory:/docker/c0ffee\n",
			[]hierarchy{{version: 1, controllers: []string{"memory"}, mount: "/sys/fs/cgroup/memory", own: "/sys/fs/cgroup/memory", readOnly: true}},
		},
		{
			"docker with version 1: a group below the container's",
			"90 80 0:32 /docker/c0ffee /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n",
			"4:memory:/docker/c0ffee/app\n",
			[]hierarchy{{version: 1, controllers: []string{"memory"}, mount: "/sys/fs/cgroup/memory", own: "/sys/fs/cgroup/memory/app"}},
		},
		{
			"docker with version 2 and a namespace of its own",
			"90 80 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n", "0::/\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup", own: "/sys/fs/cgroup", readOnly: true}},
		},
		{
			"a neighbour whose name begins alike is not below",
			"90 80 0:32 /docker/c0 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "4:memory:/docker/c0ffee\n",
			[]hierarchy{{version: 1, controllers: []string{"memory"}, mount: "/sys/fs/cgroup/memory"}},
		},
		{
			"mounted outside of the namespace", "90 80 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n", "0::/\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup"}},
		},
		{
			"moved out of the namespace", unifiedMount, "0::/../other\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup"}},
		},
		{
			"mounted twice: the writable one", strings.Replace(unifiedMount, "rw,", "ro,", 1) +
				"99 23 0:26 / /run/my\\040groups rw - cgroup2 cgroup2 rw\n", "0::/a\n",
			[]hierarchy{{version: 2, mount: "/run/my groups", own: "/run/my groups/a"}},
		},
		{
			"mounted twice: the one that shows us", "99 23 0:26 /b /mnt rw - cgroup2 cgroup2 rw\n" + unifiedMount, "0::/a\n",
			[]hierarchy{{version: 2, mount: "/sys/fs/cgroup", own: "/sys/fs/cgroup/a"}},
		},
		{"nothing mounted", "23 1 8:1 / / rw - ext4 /dev/root rw\n", "0::/\n", nil},
		{"broken lines", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2\n-\n\n30 - cgroup2 x rw\n", "0:\n:\n7::/gone\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			put(t, root, map[string]string{"proc/self/mountinfo": c.mountinfo, "proc/self/cgroup": c.cgroup})
			got, err := hierarchies(root)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].mount = strings.TrimPrefix(got[i].mount, root)
				got[i].own = strings.TrimPrefix(got[i].own, root)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestHierarchiesWithoutProc(t *testing.T) {
	if _, err := hierarchies(t.TempDir()); err == nil || !strings.Contains(err.Error(), "mountinfo") {
		t.Errorf("got error %v, want one that names the file", err)
	}
}

func TestOwner(t *testing.T) {
	for name, want := range map[string][2]uint64{
		treeName(12, 3456): {12, 3456}, treeName(12, 3456) + "-2": {12, 3456},
		leaf: {}, "dropstack-": {}, "dropstack-1": {}, "dropstack--1-2": {}, "dropstack-0-2": {}, "dropstack-1-2-3-4": {}, "docker-1-2": {},
	} {
		pid, start, ok := owner(name)
		if ok != (want[0] > 0) || ok && (pid != int(want[0]) || start != want[1]) {
			t.Errorf("owner(%q) = %d, %d, %v, want %v", name, pid, start, ok, want)
		}
	}
}

func TestStarted(t *testing.T) {
	root := t.TempDir()
	put(t, root, map[string]string{
		"proc/7/stat": "7 (a) b) 1 (c) S 1 7 7 0 -1 4194560 10 0 0 0 1 2 0 0 20 0 1 0 987 1000 10\n",
		"proc/8/stat": "8 (x) S 1\n",
	})
	if got, err := started(root, 7); err != nil || got != 987 {
		t.Errorf("got %d, %v, want 987", got, err)
	}
	if _, err := started(root, 8); err == nil {
		t.Error("a short file passed")
	}
	if _, err := started(root, 9); !os.IsNotExist(err) {
		t.Errorf("got %v, want that it does not exist", err)
	}
}

func TestCPUsFor(t *testing.T) {
	for mb, want := range map[int]float64{0: 128. / 1769, 128: 128. / 1769, 1769: 1, 3538: 2, 10240: 10240. / 1769, 20000: 6} {
		if got := CPUsFor(mb); got != want {
			t.Errorf("CPUsFor(%d) = %v, want %v", mb, got, want)
		}
	}
}

func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
