//go:build linux

package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/node"
)

// What a client is made of is made once, when the first case needs it.
var (
	goNewest = sync.OnceValues(func() (string, error) { return goBuild("go1.55", "testdata/goclient", nil) })
	goOld    = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(root, "go2020-source")
		err := copyFiles(dir, "testdata/go2020/go.mod", "testdata/go2020/go.sum", "testdata/goclient/main.go")
		if err != nil {
			return "", err
		}
		return goBuild("go2020", dir, []string{"GOFLAGS=-mod=mod", "GOWORK=off"})
	})
	nodeFunction = sync.OnceValues(func() (string, error) {
		dir := filepath.Join(root, "node-function")
		return dir, copyFiles(dir, "testdata/node/index.js", "testdata/node/stream.js")
	})
	nodeCommand = sync.OnceValues(findNode)
	ric         = sync.OnceValues(installRIC)
	bash        = sync.OnceValues(func() (string, error) {
		if _, err := exec.LookPath("curl"); err != nil {
			return "", fmt.Errorf("the bootstrap in bash needs curl: install it, or run tools/test-deps: %w", err)
		}
		dir := filepath.Join(root, "bash")
		return dir, copyFiles(dir, "testdata/bash/bootstrap")
	})
)

// goBuild makes a directory with a bootstrap.
func goBuild(name, source string, env []string) (string, error) {
	dir := filepath.Join(root, name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "bootstrap"), ".")
	cmd.Dir = source
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the function for %s: %w\n%s", name, err, out)
	}
	return dir, nil
}

// copyFiles copies files into a directory for everyone to read and execute.
func copyFiles(dir string, files ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// findNode is the command of our client.
func findNode() ([]string, error) {
	entry, err := node.Write(filepath.Join(root, "client"))
	if err != nil {
		return nil, err
	}
	installs, err := (&node.Search{Getenv: os.Getenv}).Find(context.Background())
	if err != nil {
		return nil, err
	}
	in, _, err := node.For(installs, "nodejs20.x")
	return node.Command(in, entry, 256, ""), err
}

// installRIC has npm install AWS's client, once per machine: it compiles a
// library in C++ for a minute. The copy is for the functions' users to read.
func installRIC() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	lock, err := os.ReadFile("testdata/ric/package-lock.json")
	if err != nil {
		return "", err
	}
	command, err := nodeCommand()
	if err != nil {
		return "", err
	}
	home := filepath.Join(cache, "dropstack-test")
	installed := filepath.Join(home, "aws-lambda-ric-"+shortHash(append(lock, command[0]...)))
	if _, err := os.Stat(installed); errors.Is(err, fs.ErrNotExist) {
		if err := npmInstall(home, installed, filepath.Dir(command[0])); err != nil {
			return "", err
		}
	}
	from, to := filepath.Join(installed, "node_modules", "aws-lambda-ric"), filepath.Join(root, ricLayer, "ric")
	for _, dir := range []string{"bin", "dist"} {
		if err := os.CopyFS(filepath.Join(to, dir), os.DirFS(filepath.Join(from, dir))); err != nil {
			return "", err
		}
	}
	err = filepath.WalkDir(to, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chmod(path, 0o755))
	})
	return "#!/bin/sh\nric=/opt/ric; [ -d $ric ] || ric=" + to + "\nexec " + command[0] + " $ric/bin/index.mjs \"$_HANDLER\"\n", err
}

// ricLayer is a directory as a layer's: in a sandbox it is /opt.
const ricLayer = "ric-layer"

func npmInstall(home, installed, bin string) error {
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(home, ".ric-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := copyFiles(temp, "testdata/ric/package.json", "testdata/ric/package-lock.json"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--foreground-scripts")
	cmd.Dir = temp
	cmd.Env = os.Environ()
	if prefix := filepath.Dir(bin); fileExists(filepath.Join(prefix, "include/node/node.h")) {
		cmd.Env = append(cmd.Env, "npm_config_nodedir="+prefix) // nothing to download
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("install aws-lambda-ric, which needs cmake, make, g++, autoconf, automake, libtool and python3 (tools/test-deps installs them): %w\n%s",
			err, out[max(0, len(out)-2000):])
	}
	if err := os.Rename(temp, installed); err != nil && !fileExists(installed) { // another run may have been faster
		return err
	}
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// function is the function of the case's client. changes make it another, with
// instances and a log of its own.
func (x *exam) function(changes ...func(*instance.Config)) instance.Config {
	x.Helper()
	cfg := instance.Config{
		ID: x.Client, Name: "fn", ARN: "arn:aws:lambda:eu-west-1:123456789012:function:fn", Version: "$LATEST", Runtime: "provided.al2023",
		Handler: "index.handler", MemoryMB: 256, Timeout: time.Minute, Region: "eu-west-1", LogGroup: "/aws/lambda/" + x.Client,
		Keys: instance.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"},
		Env:  map[string]string{"OWN": "mine"},
	}
	x.equip(&cfg)
	if len(changes) > 0 {
		cfg.ID = x.Client + "/" + x.API + "/" + x.Name
		cfg.LogGroup = "/aws/lambda/" + strings.ReplaceAll(cfg.ID, " ", "-")
	}
	cfg.User = cfg.ID // a user may have 1,024 threads, which all cases together exceed
	for _, change := range changes {
		change(&cfg)
	}
	return cfg
}

// equip gives a function its client; without, the case fails.
func (x *exam) equip(cfg *instance.Config) {
	x.Helper()
	var err error
	switch x.Client {
	case "go1.55":
		cfg.Dir, err = goNewest()
	case "go2020":
		cfg.Dir, err = goOld()
	case "bash":
		cfg.Dir, err = bash()
	case "node":
		cfg.Runtime = "nodejs20.x"
		if cfg.Command, err = nodeCommand(); err == nil {
			cfg.Dir, err = nodeFunction()
		}
	case "ric":
		cfg.Dir, cfg.Opt = x.ricFunction(copyFunction), filepath.Join(root, ricLayer)
	}
	if err != nil {
		x.Fatal(err)
	}
}

var (
	ricMu   sync.Mutex
	ricMade bool
)

const copyFunction = ""

// ricFunction is a directory with the function and a bootstrap that starts AWS's
// client: the shared one, or dir with what it holds.
func (x *exam) ricFunction(dir string) string {
	x.Helper()
	bootstrap, err := ric()
	if err != nil {
		x.Fatal(err)
	}
	ricMu.Lock()
	defer ricMu.Unlock()
	if dir == copyFunction {
		dir = filepath.Join(root, "ric-function")
		if ricMade {
			return dir
		}
		ricMade = true
		if err := copyFiles(dir, "testdata/node/index.js", "testdata/node/stream.js"); err != nil {
			x.Fatal(err)
		}
	}
	x.write(dir, "bootstrap", bootstrap)
	return dir
}

func env(kv ...string) func(*instance.Config) {
	return func(c *instance.Config) {
		own := map[string]string{}
		for k, v := range c.Env {
			own[k] = v
		}
		for n := 0; n+1 < len(kv); n += 2 {
			own[kv[n]] = kv[n+1]
		}
		c.Env = own
	}
}

func handler(name string) func(*instance.Config) {
	return func(c *instance.Config) { c.Handler = name }
}

func timeout(d time.Duration) func(*instance.Config) {
	return func(c *instance.Config) { c.Timeout = d }
}

// alone gives the function instances and a log of its own, and changes nothing.
func alone(*instance.Config) {}
