//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/testkit"
)

// runtime of the Node functions that are measured.
const nodeRuntime = "nodejs20.x"

// nodeDir holds the Node function as an artifact has it.
func nodeDir(t *testing.T) string {
	t.Helper()
	dir := testkit.Dir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, "node/index.js", filepath.Join(dir, "index.js"))
	return dir
}

func place(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

var chosen = sync.OnceValues(func() (node.Install, error) {
	installs, err := (&node.Search{Getenv: os.Getenv}).Find(context.Background())
	if err != nil {
		return node.Install{}, err
	}
	in, _, err := node.For(installs, nodeRuntime)
	return in, err
})

func nodePath(t *testing.T) string {
	t.Helper()
	in, err := chosen()
	if err != nil {
		t.Fatal(err)
	}
	return in.Path
}

// nodeConfig is the Node function with our client.
func nodeConfig(t *testing.T, dir string) instance.Config {
	t.Helper()
	nodePath(t)
	in, _ := chosen()
	entry, err := node.Write(filepath.Join(dir, "client"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(dir)
	cfg.Runtime, cfg.Handler, cfg.MemoryMB = nodeRuntime, "index.echo", 1024
	cfg.Command, cfg.Preboot = node.Command(in, entry, cfg.MemoryMB, ""), true
	return cfg
}

// packages installs what is compared with once a machine, and returns the
// directory that has node_modules.
var packages = sync.OnceValues(func() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "dropstack-bench")
	want, err := os.ReadFile("offline/package.json")
	if err != nil {
		return "", err
	}
	done := filepath.Join(dir, "installed.json")
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, want) {
		return dir, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), want, 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps", "--foreground-scripts")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install of what is compared with (the official client is built from C++: it needs g++, make, cmake, python3): %w\n%s", err, out)
	}
	return dir, os.WriteFile(done, want, 0o644)
})

// official is the Node function with AWS's client, as a custom runtime.
func official(t *testing.T) instance.Config {
	t.Helper()
	modules, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	dir := testkit.Dir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	place(t, "node/index.js", filepath.Join(dir, "index.js"))
	if out, err := exec.Command("cp", "-r", filepath.Join(modules, "node_modules"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := "#!/bin/sh\nexec " + nodePath(t) + " node_modules/aws-lambda-ric/bin/index.mjs \"$_HANDLER\"\n"
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := config(dir)
	cfg.ID, cfg.Handler, cfg.MemoryMB = "official", "index.echo", 1024
	return cfg
}

// warmNode compares our client with AWS's, on the same platform, and with a plain
// server in Node that does the same to the same bytes.
func warmNode(t *testing.T, dir string) {
	theirs := official(t)
	server := startServer(t, nodePath(t), "node/server.cjs")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for _, l := range loads {
		got := invoking(t, l, nodeConfig(t, dir))
		compare("Node function, "+l.String(), "official client", got, invoking(t, l, theirs))
		if l.instances > 1 {
			continue // the plain server is one process
		}
		base := measure(t, l.callers, func(int) error { return post(client, server) })
		compare("Node function, "+l.String(), "plain Node HTTP server", got, base)
	}
}

func post(client *http.Client, url string) error {
	resp, err := client.Post(url, "application/json", bytes.NewReader(event))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// startServer starts a program that prints the port it listens on.
func startServer(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

// nodeOverHTTP compares a request that a Node function answers with the same
// function in serverless-offline.
func nodeOverHTTP(t *testing.T, p *testkit.Platform, dir string) {
	offline := startOffline(t)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for _, n := range []int{1, 16} {
		got := measure(t, n, func(int) error { return ask(client, p.HTTP+"/", "bench-node-dev.localhost") })
		base := measure(t, n, func(int) error { return ask(client, offline, "") })
		compare(fmt.Sprintf("HTTP to a Node function, %d at once", n), "serverless-offline", got, base)
	}
}

func startOffline(t *testing.T) string {
	t.Helper()
	modules, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	place(t, "offline/serverless.yml", filepath.Join(modules, "serverless.yml"))
	place(t, "node/index.js", filepath.Join(modules, "index.js"))
	ports := [2]string{freePort(t), freePort(t)}
	cmd := exec.Command(filepath.Join(modules, "node_modules/.bin/osls"), "offline", "start", "--httpPort", ports[0], "--lambdaPort", ports[1], "--noTimeout")
	cmd.Dir = modules
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil { // its output is a line for every request
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	url := "http://127.0.0.1:" + ports[0] + "/"
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := ask(http.DefaultClient, url, "")
		if err == nil {
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("serverless-offline does not answer: %v", err)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
