package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/spec"
)

// goPlaces is where the Go tool of a module has its files, as go env tells.
type goPlaces struct{ Root, Modules, Version string }

func (b *builder) goPlaces(ctx context.Context, env []string) (g goPlaces, err error) {
	tool, err := lookGo(env)
	if err != nil {
		return g, err
	}
	cmd := exec.CommandContext(ctx, tool, "env", "GOROOT", "GOMODCACHE", "GOVERSION")
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.svc.Dir, env, time.Second
	out, err := cmd.Output()
	if err != nil {
		return g, fmt.Errorf("go env: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return g, fmt.Errorf("go env has answered %q", out)
	}
	return goPlaces{lines[0], lines[1], lines[2]}, nil
}

// Places in the sandbox of a compiler.
const (
	boxSource  = "/mnt/src"
	boxModules = "/mnt/mod"
	boxCache   = "/mnt/cache"
	boxOut     = "/mnt/out"
	boxRoot    = "/mnt/go"
)

// cleanBuild compiles a staged package in a sandbox without a network, or where
// there are none with a tool that fetches nothing.
func (b *builder) cleanBuild(ctx context.Context, fn *spec.Function, pkg, out string) error {
	env := append(b.environment(), "GOWORK=off", "GOPROXY=off", "GOTOOLCHAIN=local")
	g, err := b.goPlaces(ctx, append(b.environment(), "GOWORK=off"))
	if err != nil {
		return invalid(fn.Pos, "function %s: %w", fn.Key, err)
	}
	if report := g.Version + " " + runtime.GOARCH; !slices.Contains(b.toolchain, report) {
		b.toolchain = append(b.toolchain, report)
	}
	cache := filepath.Join(b.Clean.Cache, "go", g.Version)
	made, err := os.MkdirTemp(filepath.Dir(b.root), "out-")
	if err == nil {
		err = os.MkdirAll(cache, 0o755)
	}
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(b.root, b.svc.Dir)
	if err != nil {
		return err
	}
	args := slices.Concat([]string{"build", "-mod=readonly"}, reproducible, []string{"-o"})
	s := sandbox.Spec{Owns: []string{made, cache}}
	apart := b.Clean.apart()
	if apart {
		s.Path, s.Dir = path.Join(boxRoot, "bin", "go"), path.Join(boxSource, filepath.ToSlash(rel))
		s.Args = append(args, path.Join(boxOut, "main"), "./"+pkg)
		s.Env = append(slices.DeleteFunc(env, func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=")
			return slices.Contains(places, name)
		}), "PATH="+path.Join(boxRoot, "bin")+":/usr/bin:/bin", "HOME=/tmp", "GOROOT="+boxRoot, "GOMODCACHE="+boxModules, "GOCACHE="+boxCache, "GOPATH=/tmp/go", "GOENV=off")
	} else {
		b.warn(fn.Pos, "built without a sandbox, with the machine's network in reach: isolation is %s", b.Clean.Boxes.Level)
		s.Path, s.Dir, s.Args = filepath.Join(g.Root, "bin", "go"), b.svc.Dir, append(args, filepath.Join(made, "main"), "./"+pkg)
		s.Env = append(env, "GOCACHE="+cache, "GOROOT="+g.Root, "GOMODCACHE="+g.Modules)
	}
	modules := g.Modules
	if _, err := os.Stat(modules); err != nil { // there are none
		if modules, err = os.MkdirTemp(filepath.Dir(b.root), "mod-"); err != nil {
			return err
		}
	}
	output, err := b.Clean.run(ctx, s, []sandbox.Mount{
		{Source: g.Root, Path: boxRoot},
		{Source: b.root, Path: boxSource},
		{Source: modules, Path: boxModules},
		{Source: cache, Path: boxCache, Write: true, Owner: identity},
		{Source: made, Path: boxOut, Write: true, Owner: identity},
	}, apart)
	if errors.As(err, new(failedRun)) {
		return invalid(fn.Pos, "function %s does not build:\n%s", fn.Key, relative(strings.ReplaceAll(output, s.Dir+"/", ""), b.svc.Dir))
	}
	if err != nil {
		return fmt.Errorf("go build for function %s: %w", fn.Key, err)
	}
	return copyFile(filepath.Join(made, "main"), out, 0o755)
}

// places are the variables that say where the machine has something.
var places = []string{"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT", "GOENV", "GOTMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSH_AUTH_SOCK"}
