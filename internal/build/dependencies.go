package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
	"github.com/dropstack/dropstack/internal/spec"
)

// packageManager installs what its lockfile says, and nothing else.
type packageManager struct {
	lock, name string
	args       []string
}

var installers = []packageManager{
	{"package-lock.json", "npm", []string{"ci", "--no-audit", "--no-fund", "--no-update-notifier"}},
	{"npm-shrinkwrap.json", "npm", []string{"ci", "--no-audit", "--no-fund", "--no-update-notifier"}},
	{"yarn.lock", "yarn", []string{"install", "--frozen-lockfile", "--non-interactive"}},
	{"pnpm-lock.yaml", "pnpm", []string{"install", "--frozen-lockfile"}},
}

// dependencies fetches what the staged service needs of others.
func (b *builder) dependencies(ctx context.Context) error {
	isNode := func(f spec.Function) bool { return spec.IsNode(f.Runtime) }
	if slices.ContainsFunc(b.svc.Functions, isNode) {
		if err := b.installPackages(ctx); err != nil {
			return err
		}
	}
	root := moduleRoot(b.svc.Dir)
	if root == "" || !slices.ContainsFunc(b.svc.Functions, func(f spec.Function) bool { return !isNode(f) }) {
		return nil
	}
	return b.download(ctx, root)
}

// installPackages puts the packages that the lockfile names into node_modules: from the
// cache, or by the package manager, which is given nothing but the sources, a home
// of its own and the network.
func (b *builder) installPackages(ctx context.Context) error {
	pos := spec.Pos{File: b.svc.File, Line: 1}
	p, err := readManifest(b.svc.Dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(p.Dependencies)+len(p.Optional)+len(p.Dev) == 0 {
		return nil
	}
	if err != nil {
		return invalid(pos, "%w", err)
	}
	i := slices.IndexFunc(installers, func(i packageManager) bool { return regular(filepath.Join(b.svc.Dir, i.lock)) })
	if i < 0 {
		return invalid(pos, "a clean build needs a lockfile beside package.json, which says what exactly is installed; run `npm install` and keep package-lock.json in the repository")
	}
	use := installers[i]
	tool, version, err := b.tool(ctx, use.name)
	if err != nil {
		return invalid(pos, "%s is there, but no %s: %w", use.lock, use.name, err)
	}
	_, node, err := b.tool(ctx, "node")
	if err != nil {
		return invalid(pos, "there is no node to install packages with: %w", err)
	}
	b.toolchain = append(b.toolchain, "node "+node, use.name+" "+version)
	key, err := b.installKey(use.lock, use.name+version, node)
	if err != nil {
		return err
	}
	kept := filepath.Join(b.Clean.Cache, "node", key, "node_modules")
	modules := filepath.Join(b.svc.Dir, "node_modules")
	if _, err := os.Stat(kept); err == nil {
		b.tell(Event{Step: StepInstall, Message: "packages of " + use.lock + " from the cache"})
		return linkTree(kept, modules)
	}
	start := time.Now()
	home, err := os.MkdirTemp(filepath.Dir(b.root), "home-")
	if err != nil {
		return err
	}
	env := b.installEnv(home)
	s := sandbox.Spec{Path: tool, Args: use.args, Env: env, Dir: b.svc.Dir, Owns: []string{b.root, home}}
	if output, err := b.Clean.run(ctx, s, nil, false); err != nil {
		if errors.As(err, new(failedRun)) {
			return invalid(pos, "%s %s: %w\n%s", use.name, strings.Join(use.args, " "), err, relative(output, b.svc.Dir))
		}
		return err
	}
	if err := os.MkdirAll(modules, 0o755); err != nil { // a lockfile may name nothing
		return err
	}
	b.tell(Event{Step: StepInstall, Message: "installed the packages of " + use.lock, Took: time.Since(start)})
	return keep(modules, kept)
}

// installEnv is what a package manager sees of the environment: where to fetch from.
func (b *builder) installEnv(home string) []string {
	env := []string{"HOME=" + home, "CI=1", "LC_ALL=C"}
	for _, kv := range b.env() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains([]string{"PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"}, name) ||
			strings.HasPrefix(strings.ToLower(name), "npm_config_") {
			env = append(env, kv)
		}
		if name == "HOME" {
			// what says where packages come from, and the keys for that
			if doc, err := os.ReadFile(filepath.Join(value, ".npmrc")); err == nil {
				_ = os.WriteFile(filepath.Join(home, ".npmrc"), doc, 0o600) // without it the fetch fails, and says so
			}
		}
	}
	return env
}

func (b *builder) env() []string {
	if b.Env != nil {
		return b.Env
	}
	return os.Environ()
}

// tool finds a program on the PATH and asks for its version.
func (b *builder) tool(ctx context.Context, name string) (path, version string, err error) {
	if path, err = exec.LookPath(name); err != nil {
		return "", "", err
	}
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	return path, strings.TrimSpace(string(out)), err
}

// installKey is the same whenever an installation would come to the same.
func (b *builder) installKey(lock string, tools ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.GOOS, runtime.GOARCH, tools)
	for _, name := range []string{"package.json", lock, ".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml", ".pnpmfile.cjs"} {
		doc, err := os.ReadFile(filepath.Join(b.svc.Dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(doc))
		_, _ = h.Write(doc) // never fails
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keep moves a copy of an installation into the cache, wholly or not at all.
func keep(modules, kept string) error {
	parent := filepath.Dir(filepath.Dir(kept))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("keep the packages: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".keep-")
	if err != nil {
		return fmt.Errorf("keep the packages: %w", err)
	}
	defer func() { _ = os.RemoveAll(temp) }() // it has been moved, or is of no use
	if err := linkTree(modules, filepath.Join(temp, "node_modules")); err != nil {
		return fmt.Errorf("keep the packages: %w", err)
	}
	if err := os.Rename(temp, filepath.Dir(kept)); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(kept); there != nil {
			return fmt.Errorf("keep the packages: %w", err)
		} // another was faster
	}
	return nil
}

// linkTree copies a directory by links to its files, or by their contents where
// those cannot be linked to.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case d.Type().IsRegular() && os.Link(path, target) == nil:
			return nil
		}
		return copyInput(from, to, rel)
	})
}

// download fetches the modules that go.sum names, which runs nothing of theirs.
func (b *builder) download(ctx context.Context, root string) error {
	pos := spec.Pos{File: b.svc.File, Line: 1}
	if _, err := os.Stat(filepath.Join(root, "vendor", "modules.txt")); err == nil {
		return nil
	}
	env := append(b.environment(), "GOWORK=off")
	tool, err := lookGo(env)
	if err != nil {
		return invalid(pos, "%w", err)
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, tool, "mod", "download")
	cmd.Dir, cmd.Env, cmd.WaitDelay = root, env, time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return invalid(pos, "go mod download: %w\n%s", err, relative(string(output), root))
	}
	b.tell(Event{Step: StepInstall, Message: "the modules of go.sum are there", Took: time.Since(start)})
	return nil
}
