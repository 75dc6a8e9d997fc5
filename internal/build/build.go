// Package build turns a service and its sources into reproducible artifacts.
//
// The same sources give the same artifact, byte for byte, wherever and whenever
// they are built: nothing of the machine, the directory or the time goes in. An
// artifact is a zip named by its SHA-256; functions that need the same one share
// it.
package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/spec"
)

// Artifact is a zip that holds what functions run.
type Artifact struct {
	Path   string
	SHA256 string // of the zip, hex
	Size   int64  // of the zip, bytes
	// Unpacked is the size of its files, bytes.
	Unpacked  int64
	Toolchain string // what a clean build was made with: "go1.26.1 amd64, npm 10.8.2"
	Pkg       string // directory of the Go package relative to the service, "" when prebuilt
}

// Options say where artifacts go. OutDir is required.
type Options struct {
	OutDir   string      // made when absent
	Progress func(Event) // optional; called from Build's goroutine
	// Env is the environment that "go build" may see a few variables of: PATH, HOME,
	// caches, proxies. nil is the environment of the process.
	Env []string
	// Node finds the Node for a runtime, and tells whether its major version is the
	// runtime's; it checks the syntax of handlers. nil looks on this machine.
	Node func(ctx context.Context, runtime string) (in node.Install, exact bool, err error)
	// Clean has the service built from what it declares alone; nil builds in its
	// directory, with what is installed there.
	Clean *Clean
}

// Event tells that one step is done.
type Event struct {
	Function string // key
	Step     string // StepBuild, StepPack or StepWarning
	Pkg      string
	Artifact Artifact      // of StepPack
	Took     time.Duration // 0 when the work is shared with an earlier function
	Pos      spec.Pos      // of StepWarning
	Message  string        // likewise
}

// Steps of an Event.
const (
	StepBuild   = "build"   // a package was compiled
	StepPack    = "pack"    // an artifact is complete
	StepInstall = "install" // dependencies are there, of a clean build; Message says which
	// StepWarning tells what its author should know about a function.
	StepWarning = "warning"
)

// Build makes the artifacts of a service's functions, by function key. What the
// author has to mend is fault.Invalid and begins with file:line.
func Build(ctx context.Context, svc *spec.Service, o Options) (map[string]Artifact, error) {
	b, done, err := newBuilder(svc, o)
	if err != nil {
		return nil, err
	}
	defer done()
	if o.Clean != nil {
		unstage, err := b.stage(ctx)
		if err != nil {
			return nil, err
		}
		defer unstage()
		svc = b.svc
	}
	artifacts := map[string]Artifact{}
	var problems []error
	for i := range svc.Functions {
		fn := &svc.Functions[i]
		a, err := b.function(ctx, fn)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && fault.KindOf(err) != fault.Invalid {
			return nil, err
		}
		if err != nil && !slices.Contains(problems, err) {
			problems = append(problems, err)
		}
		a.Toolchain = strings.Join(b.toolchain, ", ")
		artifacts[fn.Key] = a
	}
	if len(problems) > 0 {
		return nil, fault.Errorf(fault.Invalid, "%w", errors.Join(problems...))
	}
	return artifacts, nil
}

type builder struct {
	Options
	svc      *spec.Service
	work     string
	root     string              // of the staged sources, of a clean build
	binaries map[string]string   // package → compiled file
	failed   map[string]error    // package, or patterns of Node, → its error, told once
	zips     map[string]Artifact // what went in → artifact

	toolchain []string // that a clean build has used so far

	nodes    map[string]*packed      // patterns → artifact of Node
	installs map[string]node.Install // runtime → its Node, "" when there is none
	checked  map[string]error        // Node and file → what is wrong with its syntax
}

// newBuilder makes the directories for artifacts; done removes what is only needed
// meanwhile.
func newBuilder(svc *spec.Service, o Options) (b *builder, done func(), err error) {
	if o.OutDir, err = filepath.Abs(o.OutDir); err != nil { // go build runs in another directory
		return nil, nil, err
	}
	if err := os.MkdirAll(o.OutDir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make the directory for artifacts: %w", err)
	}
	work, err := os.MkdirTemp(o.OutDir, ".build-*")
	if err != nil {
		return nil, nil, fmt.Errorf("make the directory for artifacts: %w", err)
	}
	b = &builder{
		Options: o, svc: svc, work: work, binaries: map[string]string{}, zips: map[string]Artifact{},
		nodes: map[string]*packed{}, installs: map[string]node.Install{}, checked: map[string]error{},
	}
	return b, func() { _ = os.RemoveAll(work) }, nil // a leftover is swept with the directory
}

// invalid is an error at a place.
func invalid(pos spec.Pos, format string, args ...any) error {
	return fault.Errorf(fault.Invalid, "%s: %w", pos, fmt.Errorf(format, args...))
}

func (b *builder) function(ctx context.Context, fn *spec.Function) (Artifact, error) {
	if fn.Package.Artifact != "" {
		return b.prebuilt(fn, fn.Package)
	}
	if b.svc.Package.Artifact != "" && !fn.Package.Individually {
		return b.prebuilt(fn, b.svc.Package)
	}
	if spec.IsNode(fn.Runtime) {
		if entry := b.bundled(fn); entry != "" {
			return b.bundle(fn, entry)
		}
		return b.node(ctx, fn)
	}
	entry, err := entryName(fn)
	if err != nil {
		return Artifact{}, err
	}
	t, err := b.target(fn)
	if err != nil {
		return Artifact{}, err
	}
	binary := t.file
	if binary == "" {
		if binary, err = b.compile(ctx, fn, t.pkg); err != nil {
			return Artifact{}, err
		}
	}
	return b.pack(fn, t, binary, entry)
}

// entryName is what Lambda starts: the file bootstrap, or for go1.x the handler.
func entryName(fn *spec.Function) (string, error) {
	if fn.Runtime != "go1.x" {
		return "bootstrap", nil
	}
	name := filepath.ToSlash(filepath.Clean(fn.Handler))
	if name == "." || !filepath.IsLocal(name) {
		return "", invalid(fn.HandlerPos, "function %s: runtime go1.x starts the file that the handler names, and %q cannot be one; use provided.al2023", fn.Key, fn.Handler)
	}
	return name, nil
}

// target is what a handler stands for: a package to compile, or a compiled file.
type target struct {
	pkg  string // relative to the service directory, with slashes
	file string
}

// target finds the package. A handler that names a directory, or a .go file, with
// a main package means that one; any other is a name that the service's own main
// package gets as _HANDLER.
func (b *builder) target(fn *spec.Function) (target, error) {
	named, namedErr := "", error(fs.ErrNotExist)
	local := filepath.IsLocal(fn.Handler)
	var info fs.FileInfo
	if local {
		named = filepath.Clean(fn.Handler)
		info, namedErr = os.Stat(filepath.Join(b.svc.Dir, named))
	}
	if namedErr == nil && strings.HasSuffix(named, ".go") && info.Mode().IsRegular() {
		named = filepath.Dir(named)
		info, namedErr = os.Stat(filepath.Join(b.svc.Dir, named))
	}
	isDir := namedErr == nil && info.IsDir()
	var why error
	if isDir {
		if why = b.mainPackage(named); why == nil {
			return target{pkg: filepath.ToSlash(named)}, nil
		}
	}
	own := b.mainPackage(".")
	isFile := namedErr == nil && info.Mode().IsRegular()
	switch {
	case own == nil && (isFile || isDir || !strings.ContainsAny(fn.Handler, `/\`)):
		return target{pkg: "."}, nil
	case isFile && isELF(filepath.Join(b.svc.Dir, named)):
		return target{file: filepath.Join(b.svc.Dir, named)}, nil
	case isFile:
		return target{}, invalid(fn.HandlerPos, "handler %q of function %s is a file, but no Linux executable; name the directory of its main package", fn.Handler, fn.Key)
	case isDir:
		return target{}, invalid(fn.HandlerPos, "handler %q of function %s: %w", fn.Handler, fn.Key, why)
	case !local:
		return target{}, invalid(fn.HandlerPos, "handler %q of function %s points out of the service's directory", fn.Handler, fn.Key)
	}
	if own == nil {
		own = errors.New("a handler with a slash is a path, and nothing is there")
	}
	return target{}, invalid(fn.HandlerPos, "handler %q of function %s names no directory or .go file in the service's directory: %w", fn.Handler, fn.Key, own)
}

func isELF(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // only read
	magic := make([]byte, 4)
	_, err = f.Read(magic)
	return err == nil && string(magic) == "\x7fELF"
}

// compile builds a package once for all functions that share it.
func (b *builder) compile(ctx context.Context, fn *spec.Function, pkg string) (string, error) {
	if path, ok := b.binaries[pkg]; ok {
		return path, nil
	}
	if err, ok := b.failed[pkg]; ok {
		return "", err
	}
	start, path := time.Now(), filepath.Join(b.work, fmt.Sprintf("%d", len(b.binaries)+len(b.failed)))
	err := b.goBuild(ctx, fn, pkg, path)
	if err != nil {
		b.fail(pkg, err)
		return "", err
	}
	b.binaries[pkg] = path
	b.tell(Event{Function: fn.Key, Step: StepBuild, Pkg: pkg, Took: time.Since(start)})
	return path, nil
}

func (b *builder) tell(e Event) {
	if b.Progress != nil {
		b.Progress(e)
	}
}

// reproducible are the flags that keep directory, repository state and tool ids out
// of what go build makes, wherever it is built.
var reproducible = []string{"-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid="}

// goBuild compiles for this machine's processor on Linux.
func (b *builder) goBuild(ctx context.Context, fn *spec.Function, pkg, out string) error {
	if b.Clean != nil {
		return b.cleanBuild(ctx, fn, pkg, out)
	}
	env := b.environment()
	tool, err := lookGo(env)
	if err != nil {
		return invalid(fn.Pos, "function %s: %w", fn.Key, err)
	}
	cmd := exec.CommandContext(ctx, tool, slices.Concat([]string{"build"}, reproducible, []string{"-o", out, "./" + pkg})...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.svc.Dir, env, time.Second
	output, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Exited() {
		return fmt.Errorf("go build for function %s: %w", fn.Key, err)
	}
	return invalid(fn.Pos, "function %s does not build:\n%s", fn.Key, relative(string(output), b.svc.Dir))
}

const maxOutput = 32 << 10

// relative makes the compiler's paths relative to the service's directory.
func relative(output, dir string) string {
	output = strings.ReplaceAll(strings.TrimSpace(output), dir+string(filepath.Separator), "")
	output = strings.ReplaceAll(output, dir, ".")
	if len(output) > maxOutput {
		output = output[:maxOutput] + "\n(more left out)"
	}
	return output
}

// passed are the variables that go build may see: where things are and how to
// fetch them, nothing that changes what comes out.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"GOCACHE", "GOMODCACHE", "GOPATH", "GOROOT", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GONOSUMDB", "GOSUMDB", "GOINSECURE",
	"GOAUTH", "GOENV", "GOTOOLCHAIN", "GOWORK", "GOTMPDIR", "GOMAXPROCS",
}

// safeFlag are the flags of GOFLAGS that say where modules come from.
var safeFlag = regexp.MustCompile(`^-(mod=\w+|modcacherw|p=\d+)$`)

func (b *builder) environment() []string {
	env := b.Env
	if env == nil {
		env = os.Environ()
	}
	// GOFLAGS is never empty, or "go env -w" would fill it in.
	flags := []string{"-trimpath"}
	var out []string
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		if slices.Contains(passed, key) {
			out = append(out, kv)
		}
		if key == "GOFLAGS" {
			flags = append(flags, slices.DeleteFunc(strings.Fields(value), func(f string) bool { return !safeFlag.MatchString(f) })...)
		}
	}
	return append(out, "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOAMD64=v1", "GOARM64=v8.0", "LC_ALL=C",
		"GOFLAGS="+strings.Join(flags, " "))
}

// lookGo finds the go tool on the PATH of env.
func lookGo(env []string) (string, error) {
	for _, kv := range env {
		path, ok := strings.CutPrefix(kv, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			tool := filepath.Join(dir, "go")
			if info, err := os.Stat(tool); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && filepath.IsAbs(dir) {
				return tool, nil
			}
		}
	}
	return "", errors.New("there is no go command on the PATH; install Go, or build elsewhere and name the zip in package.artifact")
}
