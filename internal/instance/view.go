package instance

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// view is a function's configuration as its own processes see it: in a sandbox
// with a file system of its own everything is where Lambda has it.
type view struct {
	Config
	moved     []sandbox.Mount // what is elsewhere inside
	authority string          // file of the certificate that the sandbox trusts besides; "": none
}

// Where Lambda has things.
const (
	taskDir    = "/var/task"
	optDir     = "/opt"
	clientDir  = "/var/runtime"
	languages  = "/var/lang"
	cacheDir   = "/var/cache/runtime"
	insideTemp = "/tmp"
)

// see returns the function's view of its files. runtime is what every function of
// this command has, own what this one has besides.
func see(c Config, box *sandbox.Box) (v view, runtime, own []sandbox.Mount) {
	if !box.Inside() {
		return view{Config: c}, nil, nil
	}
	runtime = runtimeFiles(c.Command)
	own = []sandbox.Mount{{Source: c.Dir, Path: taskDir}}
	if c.Opt != "" {
		own = append(own, sandbox.Mount{Source: c.Opt, Path: optDir})
	}
	if c.Cache != "" {
		own = append(own, sandbox.Mount{Source: c.Cache, Path: cacheDir})
	}
	v = view{Config: c, moved: append(slices.Clone(runtime), own...), authority: box.Authority}
	v.Mounts = nil
	for _, m := range c.Mounts {
		own = append(own, sandbox.Mount{Source: m.Source, Path: m.Path, Write: true, Owner: c.identity()})
		v.Mounts = append(v.Mounts, Mount{Source: m.Path, Path: m.Path})
	}
	v.Dir, v.Opt, v.Cache = v.inside(c.Dir), v.inside(c.Opt), v.inside(c.Cache)
	v.Command = nil
	for _, word := range c.Command {
		v.Command = append(v.Command, v.inside(word))
	}
	if box.AWS != nil && c.Endpoint != "" {
		v.Endpoint = "http://" + box.AWS.Addr().String()
	}
	return v, runtime, own
}

// runtimeFiles are where a managed runtime's program and client are, unless every
// sandbox has them.
func runtimeFiles(command []string) (list []sandbox.Mount) {
	if len(command) == 0 {
		return nil
	}
	if program := command[0]; !strings.HasPrefix(program, "/usr/") && !strings.HasPrefix(program, "/bin/") {
		list = append(list, sandbox.Mount{Source: filepath.Dir(filepath.Dir(program)), Path: languages})
	}
	if dir := runtimeDir(Config{Command: command}); dir != clientDir {
		list = append(list, sandbox.Mount{Source: dir, Path: clientDir})
	}
	return list
}

// inside is the path in the sandbox of a file of this machine.
func (v view) inside(path string) string {
	best, length := path, 0
	for _, m := range v.moved { // one may lie in the other
		if len(m.Source) <= length {
			continue
		}
		if path == m.Source {
			return m.Path
		}
		if rest, ok := strings.CutPrefix(path, m.Source+"/"); ok {
			best, length = filepath.Join(m.Path, rest), len(m.Source)
		}
	}
	return best
}

// identity is whose user id the function has.
func (c Config) identity() string {
	if c.User != "" {
		return c.User
	}
	return c.ARN
}
