package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/testkit"
)

// TestPrivateNetwork runs the example of a private network with a real Redis: its
// functions keep their connections, reach what their network lets them and nothing
// else, and the flow records say so.
func TestPrivateNetwork(t *testing.T) {
	m := &sandbox.Maker{TempDir: testkit.Dir(t), Log: slog.New(slog.DiscardHandler)}
	missing, err := m.Choose("auto")
	m.Close()
	if err != nil || sandbox.Rank(m.Level) <= sandbox.Rank(sandbox.Confine) {
		t.Skipf("not run: no sandboxes with networks here: %v %v", missing, err)
	}
	engines := []string{"user"}
	if m.Level == sandbox.Full {
		engines = append(engines, "kernel")
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			redis := startRedis(t)
			p := testkit.Start(t, testkit.Dir(t), "--services", "none", "--network", engine)
			if out, errs, code := p.Run(t, "", "deploy", exampleAt(t, redis)); code != 0 {
				t.Fatalf("deploy: exit %d\n%s%s\n%s", code, out, errs, p.Log())
			}
			t.Run("connections are kept", func(t *testing.T) { connectionsAreKept(t, p, redis) })
			t.Run("reach", func(t *testing.T) { reachesWhatItMay(t, p, redis) })
			if code := p.Stop(t); code != 0 {
				t.Errorf("exit code %d\n%s", code, p.Log())
			}
		})
	}
}

// startRedis runs a Redis on a free port of the loopback device.
func startRedis(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.Command("redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (tools/test-deps installs redis-server)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for {
		if conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return port
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// exampleAt copies the example, with another port for Redis.
func exampleAt(t *testing.T, redis int) string {
	t.Helper()
	from, to := filepath.Join(testkit.Root(t), "examples", "private-network"), testkit.Dir(t)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		doc, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".yml") {
			doc = []byte(strings.ReplaceAll(string(doc), "6379", strconv.Itoa(redis)))
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), doc, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// connectionsAreKept makes 1,000 invocations, five at a time, and counts
// the connections that Redis has seen.
func connectionsAreKept(t *testing.T, p *testkit.Platform, redis int) {
	const visits, callers = 1000, 5
	before := connectionsOf(t, redis)
	var mu sync.Mutex
	instances, last := map[string]int{}, int64(0)
	var all sync.WaitGroup
	url := hostURL(p.HTTP, "visits-dev.localhost") + "/visits/home"
	for range callers {
		all.Go(func() {
			for range visits / callers {
				status, _, body, err := get(t.Context(), url)
				var said struct {
					Visits   int64
					Instance string
				}
				if err == nil && status == http.StatusOK {
					err = json.Unmarshal(body, &said)
				}
				if err != nil || status != http.StatusOK {
					t.Errorf("%d %s, %v", status, body, err)
					return
				}
				mu.Lock()
				instances[said.Instance]++
				last = max(last, said.Visits)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	made := connectionsOf(t, redis) - before - 1 // ours
	t.Logf("%d visits on %d instances, %d connections to Redis", last, len(instances), made)
	// An instance that is late for its next event lets another start.
	if last != visits || len(instances) > 2*callers || made > len(instances) {
		t.Errorf("%d visits, instances %v, %d connections: want %d visits and a connection an instance\n%s", last, slices.Collect(maps.Values(instances)), made, visits, p.Log())
	}
}

// connectionsOf is how many connections a Redis has ever taken, this one included.
func connectionsOf(t *testing.T, port int) int {
	t.Helper()
	conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "INFO stats\r\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		if text, ok := strings.CutPrefix(in.Text(), "total_connections_received:"); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("Redis does not tell its connections")
	return 0
}

// reachesWhatItMay has a function in the network and one outside of any try the
// same addresses, and looks for the refusals among the flow records.
func reachesWhatItMay(t *testing.T, p *testkit.Platform, redis int) {
	db, own := fmt.Sprintf("redis.internal.example:%d", redis), strings.TrimPrefix(p.AWS, "http://")
	_, awsPort, err := net.SplitHostPort(own)
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{
		db, fmt.Sprintf("10.9.1.10:%d", redis), "10.9.1.10:22", "10.9.1.20:6", fmt.Sprintf("127.0.0.1:%d", redis),
		"169.254.169.254:80", "10.0.0.2:" + awsPort, "192.168.0.1:443",
	}
	for function, want := range map[string]map[string]string{
		"reach": {
			db: "reached", addresses[1]: "reached", addresses[2]: "silence", addresses[3]: "silence", addresses[4]: "refused",
			addresses[5]: "silence", addresses[6]: "silence", addresses[7]: "silence",
		},
		"outside": {
			db: "no such name", addresses[1]: "silence", addresses[2]: "silence", addresses[3]: "silence", addresses[4]: "refused",
			addresses[5]: "silence", addresses[6]: "silence", addresses[7]: "silence",
		},
	} {
		event, _ := json.Marshal(addresses)
		out, err := admin(t, p).Invoke(t.Context(), "visits-dev-"+function, event, false)
		var said map[string]string
		if err == nil {
			err = json.Unmarshal(out.Payload, &said)
		}
		if err != nil {
			t.Errorf("%s: %s, %v", function, out.Payload, err)
			continue
		}
		for _, a := range addresses {
			if !strings.Contains(said[a], want[a]) {
				t.Errorf("%s: %s: %q, want %q", function, a, said[a], want[a])
			}
		}
	}
	reasons := map[string]bool{}
	for _, r := range flowsOf(t, p) {
		verdict := "refused"
		if r.Accepted {
			verdict = "passed"
		}
		reasons[fmt.Sprintf("%s %s %s: %s", strings.TrimPrefix(r.Function, "visits-dev-"), verdict, r.Destination, r.Reason)] = true
	}
	for _, want := range []string{
		fmt.Sprintf("reach passed 10.9.1.10:%d: interface", redis),
		"reach refused 10.9.1.10:22: security group: egress",
		"reach refused 169.254.169.254:80: metadata",
		"outside refused 10.9.1.10:22: not public",
		"outside refused 169.254.169.254:80: metadata",
	} {
		if !reasons[want] {
			t.Errorf("no flow record %q among\n%s", want, strings.Join(slices.Sorted(maps.Keys(reasons)), "\n"))
		}
	}
}

func flowsOf(t *testing.T, p *testkit.Platform) (list []network.FlowRecord) {
	t.Helper()
	out, errs, code := p.Run(t, "", "network", "flows", "--limit", "0", "--json")
	if code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var r network.FlowRecord
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}
