package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/node"
	"github.com/dropstack/dropstack/internal/spec"
)

// node packs the service's directory for a function of Node, by the rules of the
// Serverless Framework: everything but what is excluded, without development
// dependencies; one artifact for all functions that are not packaged individually.
func (b *builder) node(ctx context.Context, fn *spec.Function) (Artifact, error) {
	h, err := b.handler(fn)
	if err != nil {
		return Artifact{}, err
	}
	patterns, pos := b.svc.Package.Patterns, b.svc.Package.Pos
	exclude := b.svc.Package.Exclude
	if b.svc.Package.Individually || fn.Package.Individually {
		exclude, patterns = slices.Concat(exclude, fn.Package.Exclude), slices.Concat(patterns, fn.Package.Patterns)
		if fn.Package.Pos.Line > 0 {
			pos = fn.Package.Pos
		}
	}
	if pos.Line == 0 {
		pos = fn.Pos
	}
	key := strings.Join(slices.Concat([]string{"node"}, exclude, []string{""}, patterns), "\x00")
	if err, ok := b.failed[key]; ok {
		return Artifact{}, err
	}
	zip, ok := b.nodes[key]
	if !ok {
		if zip, err = b.packNode(fn, exclude, patterns, pos, len(fn.Layers) > 0); err != nil {
			b.fail(key, err)
			return Artifact{}, err
		}
		b.nodes[key] = zip
	}
	if h.file != "" && !slices.Contains(zip.names, h.file) {
		return Artifact{}, invalid(pos, "package: the patterns leave out %s, the handler of function %s", h.file, fn.Key)
	}
	if err := b.syntax(ctx, fn, h); err != nil {
		return Artifact{}, err
	}
	b.tell(Event{Function: fn.Key, Step: StepPack, Artifact: zip.Artifact, Took: zip.took})
	zip.took = 0
	return zip.Artifact, nil
}

// packed is the artifact of a directory with the names in it.
type packed struct {
	Artifact
	names []string
	took  time.Duration
}

func (b *builder) packNode(fn *spec.Function, exclude, patterns []string, pos spec.Pos, layers bool) (*packed, error) {
	start := time.Now()
	t, err := b.serviceTree()
	if err != nil {
		return nil, err
	}
	if !layers { // which may hold them
		if err := b.installed(fn); err != nil {
			return nil, err
		}
	}
	globs, err := t.rules(exclude, patterns)
	if err != nil {
		return nil, invalid(pos, "package: %w", err)
	}
	files, err := t.choose(globs)
	if err != nil {
		return nil, invalid(pos, "package: %w", err)
	}
	if len(files) == 0 {
		return nil, invalid(pos, "package: the patterns choose no file for function %s", fn.Key)
	}
	p := &packed{}
	if p.Artifact, err = b.write(files); err != nil {
		return nil, fmt.Errorf("pack function %s: %w", fn.Key, err)
	}
	for _, f := range files {
		p.names = append(p.names, f.name)
	}
	p.took = time.Since(start)
	return p, nil
}

// serviceTree is the service's directory, without what the Serverless Framework
// leaves out of every package.
func (b *builder) serviceTree() (*tree, error) {
	t, err := newTree(b.svc.Dir)
	if err != nil {
		return nil, err
	}
	t.exclude = append(t.exclude, filepath.Base(b.svc.File))
	for _, l := range b.svc.Layers {
		if p := path.Clean(filepath.ToSlash(l.Path)); l.Path != "" && p != "." && filepath.IsLocal(p) {
			t.exclude = append(t.exclude, p+"/**")
		}
	}
	if !b.svc.Package.KeepDev {
		t.skip, err = development(t.root)
	}
	return t, err
}

// handler is what a handler of Node stands for.
type handler struct {
	module string // path without extension, relative to the service directory, with slashes
	file   string // the file it is, "" when it is not in the service's own sources
}

// extensions are tried for a handler's file, in the order of Lambda's client.
var extensions = []string{"", ".js", ".mjs", ".cjs"}

// parseHandler splits a handler as Lambda's client does: the path up to the first
// dot of its last part is the module.
func parseHandler(s string) (module string, ok bool) {
	dir, base := path.Split(s)
	name, export, found := strings.Cut(base, ".")
	return dir + name, found && name != "" && export != "" && !strings.Contains(s, "..")
}

// handler finds the file of a handler.
func (b *builder) handler(fn *spec.Function) (handler, error) {
	module, ok := parseHandler(fn.Handler)
	if !ok {
		return handler{}, invalid(fn.HandlerPos, "handler %q of function %s: for Node it is a file without its extension, a dot and what the file exports, such as src/index.handler", fn.Handler, fn.Key)
	}
	if path.IsAbs(module) && !strings.HasPrefix(module, "/var/task/") {
		if strings.HasPrefix(module, "/opt/") && len(fn.Layers) > 0 {
			return handler{module: module}, nil // a layer's
		}
		return handler{}, invalid(fn.HandlerPos, "handler %q of function %s: there is nothing but the function's files in /var/task, and its layers in /opt", fn.Handler, fn.Key)
	}
	h := handler{module: path.Clean(strings.TrimPrefix(module, "/var/task/"))}
	var tried []string
	for _, ext := range extensions {
		if regular(filepath.Join(b.svc.Dir, h.module+ext)) {
			h.file = h.module + ext
			return h, nil
		}
		if ext != "" {
			tried = append(tried, h.module+ext)
		}
	}
	for _, inside := range []string{h.module, "node_modules/" + h.module} { // require finds these
		for _, f := range []string{"index.js", "package.json"} {
			if regular(filepath.Join(b.svc.Dir, inside, f)) {
				return h, nil
			}
		}
	}
	if regular(filepath.Join(b.svc.Dir, "node_modules", h.module+".js")) {
		return h, nil
	}
	return handler{}, invalid(fn.HandlerPos, "handler %q of function %s: there is no %s in the service's directory", fn.Handler, fn.Key, alternatives(tried))
}

func alternatives(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// installed reports dependencies of the service that are not in node_modules.
func (b *builder) installed(fn *spec.Function) error {
	p, err := readManifest(b.svc.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return invalid(fn.HandlerPos, "function %s: %w", fn.Key, err)
	}
	if _, err := os.Stat(filepath.Join(b.svc.Dir, ".pnp.cjs")); err == nil {
		return nil // Yarn resolves without node_modules
	}
	var missing []string
	for name := range p.Dependencies {
		if _, err := os.Stat(filepath.Join(b.svc.Dir, "node_modules", filepath.FromSlash(name))); err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	if above := hoisted(b.svc.Dir, missing[0]); above != "" {
		return invalid(fn.HandlerPos, "function %s: %s of package.json is installed in %s, outside the service's directory, where the function could not find it; install the service's dependencies in its own node_modules", fn.Key, missing[0], above)
	}
	what := missing[0]
	if n := len(missing); n > 1 {
		what = fmt.Sprintf("%s and %d more", what, n-1)
	}
	return invalid(fn.HandlerPos, "function %s: the dependencies of package.json are not installed (%s); run `%s` in the service's directory", fn.Key, what, installer(b.svc.Dir))
}

// hoisted is the node_modules further up that has a package, relative to dir.
func hoisted(dir, name string) string {
	for up := filepath.Dir(dir); up != filepath.Dir(up); up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, "node_modules", filepath.FromSlash(name))); err == nil {
			rel, err := filepath.Rel(dir, filepath.Join(up, "node_modules"))
			if err != nil {
				return up
			}
			return filepath.ToSlash(rel)
		}
	}
	return ""
}

// installer is the command that installs a service's dependencies.
func installer(dir string) string {
	for _, i := range installers {
		if regular(filepath.Join(dir, i.lock)) {
			return i.name + " " + i.args[0]
		}
	}
	return "npm install"
}

// checkTime bounds node --check; it takes a tenth of a second.
const checkTime = time.Minute

// syntax has Node read a handler's file, where there is a Node.
func (b *builder) syntax(ctx context.Context, fn *spec.Function, h handler) error {
	in, ok := b.install(ctx, fn)
	if !ok || h.file == "" || path.Ext(h.file) == "" {
		return nil
	}
	key := in.Path + "\x00" + h.file
	if err, done := b.checked[key]; done {
		return err
	}
	err := b.check(ctx, in, fn, h)
	b.checked[key] = err
	return err
}

func (b *builder) check(ctx context.Context, in node.Install, fn *spec.Function, h handler) error {
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(bounded, in.Path, "--check", filepath.Join(b.svc.Dir, filepath.FromSlash(h.file)))
	// Nothing of the environment, such as NODE_OPTIONS, may make it run anything.
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.svc.Dir, []string{}, time.Second
	output, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || !exit.Exited() || !bytes.Contains(output, []byte("SyntaxError")) {
		b.warn(fn.HandlerPos, "the syntax of %s was not checked: %s: %v", h.file, in.Path, err)
		return nil
	}
	return invalid(fn.HandlerPos, "handler %q of function %s:\n%s", fn.Handler, fn.Key, relative(complaint(output), b.svc.Dir))
}

// complaint is what Node says without its own stack and version.
func complaint(output []byte) string {
	var lines []string
	for line := range strings.Lines(string(output)) {
		if strings.HasPrefix(line, "    at ") || strings.HasPrefix(line, "Node.js v") {
			continue
		}
		lines = append(lines, strings.TrimRight(line, "\n"))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// install finds the Node for a function's runtime, once per runtime, and says when
// it is another one than the runtime's name promises.
func (b *builder) install(ctx context.Context, fn *spec.Function) (node.Install, bool) {
	if in, done := b.installs[fn.Runtime]; done {
		return in, in.Path != ""
	}
	find := b.Node
	if find == nil {
		find = b.search
	}
	in, exact, err := find(ctx, fn.Runtime)
	switch {
	case err != nil:
		in = node.Install{}
		b.warn(fn.HandlerPos, "the syntax of handlers for %s was not checked: %v", fn.Runtime, err)
	case !exact:
		b.warn(fn.HandlerPos, "runtime %s: the nearest Node on this machine is %s (%s)", fn.Runtime, in.Version, in.Path)
	}
	b.installs[fn.Runtime] = in
	return in, err == nil
}

func (b *builder) search(ctx context.Context, runtime string) (node.Install, bool, error) {
	env := b.Env
	if env == nil {
		env = os.Environ()
	}
	s := &node.Search{Getenv: func(name string) string {
		for _, kv := range slices.Backward(env) {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value
			}
		}
		return ""
	}}
	found, err := s.Find(ctx)
	if err != nil {
		return node.Install{}, false, err
	}
	return node.For(found, runtime)
}

func (b *builder) warn(pos spec.Pos, format string, args ...any) {
	b.tell(Event{Step: StepWarning, Pos: pos, Message: fmt.Sprintf(format, args...)})
}

func (b *builder) fail(key string, err error) {
	if b.failed == nil {
		b.failed = map[string]error{}
	}
	if fault.KindOf(err) == fault.Invalid {
		b.failed[key] = err
	}
}
