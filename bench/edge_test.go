//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/testkit"
)

// TestFiguresOfTheEdge compares the edge with nginx's proxy_cache, Caddy, a reverse proxy
// of Go's standard library and the origin itself, all in front of the same origin and
// under the same load, each in a process of its own.
func TestFiguresOfTheEdge(t *testing.T) {
	origin := serveOrigin(t)
	edge, web, caddy, proxy := edgeBefore(t, origin), nginxBefore(t, origin), caddyBefore(t, origin), proxyBefore(t, origin)
	direct := &contestant{name: "the origin itself", addr: strings.TrimPrefix(origin, "http://")}
	fmt.Println("\n| what | per second | p50 | p99 | CPU a request | beside | per second | p50 | p99 | CPU | ratio, rate | budget |\n|---|---:|---:|---:|---:|---|---:|---:|---:|---:|---:|---|")
	for _, n := range []int{1, 16} {
		at := fmt.Sprintf(", %d at once", n)
		mine := edge.run(t, n, get("/cached/small", "edge.localhost"))
		line("hit, 1 KB"+at, mine, web.run(t, n, get("/cached/small", "edge.localhost")), web.name, "≥ 0.5 × the rate, ≤ 20 µs CPU")
		big := edge.run(t, n, get("/cached/big", "edge.localhost"))
		line("hit, 1 MB"+at, big, web.run(t, n, get("/cached/big", "edge.localhost")), web.name, "")
		line("miss, 1 KB"+at, edge.run(t, n, unlike("/cached/small", "edge.localhost")), web.run(t, n, unlike("/cached/small", "edge.localhost")), web.name, "")
		passed := edge.run(t, n, get("/pass/small", "edge.localhost"))
		nginxPassed, proxied, straight := web.run(t, n, get("/pass/small", "edge.localhost")), proxy.run(t, n, get("/pass/small", "edge.localhost")), direct.run(t, n, get("/pass/small", "edge.localhost"))
		line("pass, 1 KB"+at, passed, nginxPassed, web.name, "")
		line("pass, 1 KB"+at, passed, proxied, proxy.name, "")
		caddied := caddy.run(t, n, get("/pass/small", "edge.localhost"))
		line("pass, 1 KB"+at, passed, caddied, caddy.name, "added p50 ≤ Caddy's")
		fmt.Printf("| added to the p50 of %s%s: edge %s, nginx %s, Caddy %s, Go ReverseProxy %s; a hit at the edge %s | | | | | | | | | | | |\n",
			precise(straight.p50), at, added(passed, straight), added(nginxPassed, straight), added(caddied, straight), added(proxied, straight), added(mine, straight))
		guarded(t, edge, n, "GET"+at, "≤ 25 µs CPU more", func(host string) func() []byte {
			return get("/cached/small?q=a+plain+search&page=2", host)
		})
		guarded(t, edge, n, "2 KB JSON"+at, "≤ 200 µs CPU more", func(host string) func() []byte { return postJSON("/pass/small", host) })
	}
}

// guarded compares the edge with the default firewall and without.
func guarded(t *testing.T, edge *contestant, n int, what, budget string, of func(host string) func() []byte) {
	on, off := edge.run(t, n, of("guarded.localhost")), edge.run(t, n, of("edge.localhost"))
	line(fmt.Sprintf("%s with the default firewall: %s CPU more", what, precise(on.cpu-off.cpu)), on, off, "firewall off", budget)
}

func added(got, straight burden) string { return precise(max(0, got.p50-straight.p50)) }

// contestant is a server that answers for the origin.
type contestant struct {
	name, addr string
	cpu        func() time.Duration // that it has taken; nil: cannot be told from the load
}

// burden is what came of a run.
type burden struct {
	figure
	cpu time.Duration // a request
}

// run has n connections ask as fast as they are answered.
func (c *contestant) run(t *testing.T, n int, ask func() []byte) burden {
	t.Helper()
	wires := make([]*wire, n)
	for i := range wires {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		wires[i] = newWire(conn)
	}
	var asked atomic.Int64
	once := func(i int) error {
		asked.Add(1)
		return wires[i].exchange(ask())
	}
	during(t, n, warmUp, once)
	asked.Store(0)
	var before time.Duration
	if c.cpu != nil {
		before = c.cpu()
	}
	out := burden{figure: during(t, n, period, once)}
	if c.cpu != nil {
		out.cpu = (c.cpu() - before) / time.Duration(asked.Load())
	}
	return out
}

func line(what string, got, base burden, baseline, budget string) {
	fmt.Printf("| %s %s | %s | %s %s | %s | %.2f × | %s |\n", what, cells(got.figure), precise(got.cpu), baseline, cells(base.figure), precise(base.cpu), got.perSecond/base.perSecond, budget)
}

// Requests as they go over the wire.

func get(path, host string) func() []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", path, host)
	return func() []byte { return b }
}

var serial atomic.Int64

// unlike asks for something else each time.
func unlike(path, host string) func() []byte {
	return func() []byte {
		return fmt.Appendf(nil, "GET %s?n=%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", path, serial.Add(1), host)
	}
}

func postJSON(path, host string) func() []byte {
	var doc bytes.Buffer
	doc.WriteString(`{"title":"What we talked about on Tuesday","tags":["notes","team"],"items":[`)
	for i := 0; doc.Len() < 2<<10-80; i++ {
		fmt.Fprintf(&doc, `{"id":%d,"text":"Anna's idea: select the best of them, or all","done":false},`, i)
	}
	doc.WriteString(`{}]}`)
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, host, doc.Len(), &doc)
	return func() []byte { return b }
}

// serveOrigin answers with 1 KB, or 1 MB.
func serveOrigin(t *testing.T) string {
	small, big := bytes.Repeat([]byte("x"), 1<<10), bytes.Repeat([]byte("x"), 1<<20)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := small
		if strings.HasSuffix(r.URL.Path, "big") {
			body = big
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// edgeBefore is the platform with two distributions, one of them behind the firewall.
func edgeBefore(t *testing.T, origin string) *contestant {
	p := testkit.Start(t, testkit.Dir(t), "--services", "none")
	dir := t.TempDir()
	text := "service: edge\nprovider: {name: aws, runtime: nodejs20.x}\ncustom:\n  dropstack:\n    distributions:\n"
	for host, acl := range map[string]string{"edge": "none", "guarded": "default"} {
		text += fmt.Sprintf(`      - name: %s
        aliases: [%s.localhost]
        webACL: %s
        origins: [{id: origin, url: %q}]
        behaviours:
          - {path: /cached/*, origin: origin, cache: {defaultTTL: 1d, query: all}}
          - {path: "*", origin: origin, forward: {query: all}}
`, host, host, acl, origin)
	}
	if err := os.WriteFile(filepath.Join(dir, "serverless.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := p.Run(t, "", "deploy", dir); code != 0 {
		t.Fatalf("deploy: %s%s", out, errs)
	}
	return &contestant{name: "edge", addr: strings.TrimPrefix(p.HTTP, "http://"), cpu: func() time.Duration { return p.CPU(t) }}
}

// nginxBefore is nginx with as many workers as there are processors, kept connections
// to the origin, and an access log, which the edge has too.
func nginxBefore(t *testing.T, origin string) *contestant {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin = "/usr/sbin/nginx"
	}
	dir, addr := testkit.Dir(t), freeAddress(t)
	conf := fmt.Sprintf(`daemon off;
worker_processes auto;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	access_log %[1]s/access.log combined buffer=64k flush=1s;
	sendfile on; tcp_nopush on; tcp_nodelay on;
	keepalive_requests 100000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	proxy_cache_path %[1]s/cache levels=1:2 keys_zone=z:64m max_size=1g use_temp_path=off;
	upstream origin { server %[2]s; keepalive 64; keepalive_requests 100000000; }
	server {
		listen %[3]s backlog=1024;
		proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
		location /cached/ { proxy_pass http://origin; proxy_cache z; proxy_cache_lock on; proxy_cache_revalidate on; }
		location / { proxy_pass http://origin; }
	}
}
`, dir, strings.TrimPrefix(origin, "http://"), addr)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", file)
	cmd.Stderr = os.Stderr
	begin(t, cmd, addr)
	return &contestant{name: "nginx", addr: addr, cpu: func() time.Duration { return cpuOf(t, workers(t, cmd.Process.Pid)...) }}
}

// caddyBefore is Caddy as a reverse proxy with an access log.
func caddyBefore(t *testing.T, origin string) *contestant {
	dir, addr := testkit.Dir(t), freeAddress(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(`{
	admin off
	auto_https off
}
http://:%s {
	bind 127.0.0.1
	log {
		output file %s/access.log
	}
	reverse_proxy %s
}
`, port, dir, origin)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	begin(t, cmd, addr)
	return &contestant{name: "Caddy", addr: addr, cpu: func() time.Duration { return cpuOf(t, cmd.Process.Pid) }}
}

const proxyTo = "DROPSTACK_BENCH_PROXY"

// proxyBefore is this program again, as a reverse proxy.
func proxyBefore(t *testing.T, origin string) *contestant {
	addr := freeAddress(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), proxyTo+"="+addr+" "+origin)
	cmd.Stderr = os.Stderr
	begin(t, cmd, addr)
	return &contestant{name: "Go ReverseProxy", addr: addr, cpu: func() time.Duration { return cpuOf(t, cmd.Process.Pid) }}
}

// begin starts a server and waits until it takes connections.
func begin(t *testing.T, cmd *exec.Cmd, addr string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s takes no connections: %v", cmd.Path, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func workers(t *testing.T, pid int) (list []int) {
	doc, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range strings.Fields(string(doc)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func cpuOf(t *testing.T, pids ...int) (sum time.Duration) {
	for _, pid := range pids {
		d, err := testkit.CPU(pid)
		if err != nil {
			t.Fatal(err)
		}
		sum += d
	}
	return sum
}
