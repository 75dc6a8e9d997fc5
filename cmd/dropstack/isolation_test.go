package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/sandbox/escape"
	"github.com/dropstack/dropstack/internal/server"
)

// TestDoctorAttacks makes the real attacks, and reads what is said in JSON.
func TestDoctorAttacks(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: sandboxes exist on Linux alone")
	}
	d := &doctor{dir: t.TempDir()}
	found := d.isolation(t.Context(), false)
	var out bytes.Buffer
	if err := (&cli{stdout: &out, json: true}).report(found); err != nil {
		t.Fatal(err)
	}
	states, rows := map[string]escape.State{}, 0
	for dec := json.NewDecoder(&out); dec.More(); {
		var f finding
		if err := dec.Decode(&f); err != nil {
			t.Fatal(err)
		}
		if name, ok := strings.CutPrefix(f.Check, "isolation "); ok {
			states[name] = f.State
			rows += len(f.Rows)
		}
	}
	if len(states) < 15 || rows < 100 {
		t.Fatalf("got %d controls with %d attacks", len(states), rows)
	}
	for name, state := range states {
		if state == escape.Off {
			t.Errorf("control %s is off", name)
		}
	}
	if !strings.HasPrefix(found[0].Detail, "level full") {
		t.Skipf("not run: what level full has to hold: %s, %s", found[0].Detail, found[1].Detail)
	}
	delete(states, "paths") // the kernel names the sources of mounts
	for name, state := range states {
		if state != escape.On {
			t.Errorf("control %s at level full: got %q, want on", name, state)
		}
	}
}

// TestDoctorOfAnybody is what somebody who is not root is told.
func TestDoctorOfAnybody(t *testing.T) {
	const nobody = "DROPSTACK_TEST_NOBODY"
	if os.Getenv(nobody) == "" && os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			t.Skipf("not run: %v", err)
		}
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		dir, err := os.MkdirTemp("", "doctor") // everybody can get there, unlike to that of the test
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		doc, err := os.ReadFile(exe)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "test")
		if err := os.WriteFile(copied, doc, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups", copied, "-test.run", "^"+t.Name()+"$", "-test.v")
		cmd.Dir, cmd.Env = dir, []string{nobody + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=/tmp"}
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Errorf("as nobody: %v\n%s", err, out)
		}
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("not run: sandboxes exist on Linux alone")
	}
	found := (&doctor{dir: "/nonexistent"}).isolation(t.Context(), false)
	if !strings.HasPrefix(found[0].Detail, "level process") || found[0].Status != statusWarning {
		t.Errorf("got %+v, want a warning of level process", found[0])
	}
	if f := found[1]; !strings.Contains(f.Detail, "level full cannot be had: it takes root") || !strings.Contains(f.Advice, "start the platform as root") {
		t.Errorf("got %+v, want why and what to do", f)
	}
	for _, f := range found {
		if f.State == escape.Off {
			t.Errorf("%s is off: %s", f.Check, f.Detail)
		}
	}
}

func TestIsolated(t *testing.T) {
	var out bytes.Buffer
	is := &server.Isolation{Level: sandbox.Full, TookMS: 7, Controls: []escape.Control{
		{Name: "landlock", State: escape.Off, Tried: 3, Held: 1, Reason: "landlock/read: can read it"},
		{Name: "ipc", State: escape.On, Tried: 2, Held: 2, Reason: "no such file or directory"},
	}}
	if err := (&cli{stdout: &out}).report((&doctor{}).isolated(is, "as the platform that runs found")); err != nil {
		t.Fatal(err)
	}
	want := `isolation           warning  level full, 5 attacks made in 7 ms, as the platform that runs found; off: landlock; run only functions that you trust
isolation landlock  off      1 of 3 attacks stopped; landlock/read: can read it
isolation ipc       on       2 of 2 attacks stopped; no such file or directory
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
}

func TestWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, why string
		uid       int
		files     map[string]string
		want      []string // words of each
	}{
		{"not root", "it takes root", 1000, map[string]string{"dev/net/tun": ""}, []string{"as root"}},
		{"no tun", "sandboxes have no network: open /dev/net/tun: no such device", 0, nil, []string{"modprobe tun"}},
		{"namespaces", "make a sandbox: operation not permitted", 0, map[string]string{
			"dev/net/tun": "", "proc/sys/kernel/unprivileged_userns_clone": "0\n", "proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n",
		}, []string{"unprivileged_userns_clone=1", "apparmor_restrict_unprivileged_userns=0"}},
		{"control groups", "make a sandbox: cgroup: read-only file system", 0, map[string]string{"dev/net/tun": ""}, []string{"Delegate"}},
		{"landlock is not started", "make a sandbox: landlock", 0, map[string]string{"dev/net/tun": "", "sys/kernel/security/lsm": "lockdown,yama"}, []string{"5.13"}},
		{"no landlock", "start the probe: confine files: function not implemented", 0, map[string]string{"dev/net/tun": ""}, []string{"5.13"}},
		{"a container", "make a sandbox: operation not permitted", 0, map[string]string{"dev/net/tun": ""}, []string{"--privileged"}},
	} {
		root := t.TempDir()
		for name, content := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got := (&machine{root: root, uid: c.uid}).wants(sandbox.Full, c.why)
		if !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
