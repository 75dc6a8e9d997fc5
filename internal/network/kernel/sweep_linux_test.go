package kernel

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/network/networktest"
)

// doomed has this test be the process that is killed.
const doomed = "KERNEL_TEST_DOOMED"

// TestAKilledEngineIsSweptUp kills a process in the midst of its work. What it has
// left in the host's network is gone after the next start's sweep, and forwarding is
// what it was.
func TestAKilledEngineIsSweptUp(t *testing.T) {
	if os.Getenv(doomed) != "" {
		run(t)
	}
	if !networktest.Isolate(t) {
		return
	}
	internet(t)
	const forwarder = "wan0" // by itself
	if err := os.WriteFile(forwardOf(forwarder), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := trace(t)
	for range 2 {
		killed := work(t)
		if err := Sweep(); err != nil {
			t.Fatal(err)
		}
		if left := trace(t); len(left.tables) != 1 {
			t.Fatalf("an engine that lives is swept up: %+v", left)
		}
		killed()
		if left := trace(t); len(left.tables) != 1 || left.forwarding[forwardAll] != "1" {
			t.Fatalf("the killed engine has left %+v: this test sweeps nothing", left)
		}
		if err := Sweep(); err != nil {
			t.Fatal(err)
		}
		before.same(t, "swept")
	}
	// An engine that starts over what another has left takes all of it back.
	work(t)()
	e := &Engine{Model: func() *network.Model { return &network.Model{} }, Log: logger(t)}
	ns, _ := attach(t, e, public())
	greeted(t, ns, "203.0.113.10:443", "internet")
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	before.same(t, "closed")
}

func public() *network.Port {
	return &network.Port{ID: "one", Function: "f", Address: netip.MustParseAddr("10.255.0.2")}
}

// run uses the internet by an engine until it is killed.
func run(t *testing.T) {
	e := &Engine{Model: func() *network.Model { return &network.Model{} }, Log: logger(t)}
	ns, _ := attach(t, e, public())
	greeted(t, ns, "203.0.113.10:443", "internet")
	_, _ = os.Stdout.WriteString("at work\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1) // whoever was to kill it has ended
}

// work has a process work until it is killed.
func work(t *testing.T) (kill func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), doomed+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "at work" {
		said = append(said, lines.Text())
	}
	if lines.Text() != "at work" {
		t.Fatalf("the engine does not work:\n%s", strings.Join(said, "\n"))
	}
	return func() {
		t.Helper()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		_ = in.Close()
	}
}

// traces are what an engine could leave in a network namespace.
type traces struct {
	tables, devices []string
	forwarding      map[string]string // settings by path
}

func trace(t *testing.T) traces {
	t.Helper()
	nft, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := nft.ListTables()
	if err != nil {
		t.Fatal(err)
	}
	s := traces{forwarding: map[string]string{}}
	for _, table := range tables {
		s.tables = append(s.tables, table.Name)
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		s.devices = append(s.devices, l.Attrs().Name)
	}
	slices.Sort(s.devices)
	paths, err := filepath.Glob(forwardOf("*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, forwardAll) {
		value, err := os.ReadFile(path)
		if err == nil {
			s.forwarding[path] = strings.TrimSpace(string(value))
		}
	}
	return s
}

// same compares with what there is now. The kernel deletes devices of a namespace
// that is gone in its own time.
func (s traces) same(t *testing.T, when string) {
	t.Helper()
	now := trace(t)
	for end := time.Now().Add(patience); !slices.Equal(now.devices, s.devices) && time.Now().Before(end); time.Sleep(time.Millisecond) {
		now = trace(t)
	}
	if diff := cmp.Diff(s, now, cmp.AllowUnexported(traces{})); diff != "" {
		t.Errorf("%s: (-before +now)\n%s", when, diff)
	}
}
