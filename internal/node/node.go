// Package node runs Lambda functions written for Node.js: it finds the Nodes that
// are installed, chooses one for a runtime such as nodejs20.x, and brings our own
// Runtime API client, which it carries in the binary.
//
// The client (client/*.cjs, plain JavaScript for Node 12.17 and newer, without
// dependencies) behaves as AWS's aws-lambda-nodejs-runtime-interface-client 3.x,
// whose source decided every question of behaviour, and costs less: it speaks
// HTTP over one raw connection, and writes an answer together with the request
// for the next event. It reads the variables that AWS's reads (_HANDLER,
// AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL, _LAMBDA_TELEMETRY_LOG_FD …) and two
// of ours:
//
//	DROPSTACK_PREBOOT=1          wait for a function, see below
//	DROPSTACK_COMPILE_CACHE=DIR  keep compiled code in DIR, if this Node can
//	                             (module.enableCompileCache, Node 22.8 and newer)
//
// It differs where AWS's would harm a function that is right:
//
//   - Callbacks work with every Node; AWS's 4.x refuses them for nodejs24.x. What
//     4.x added, it has: from nodejs24.x on a plain function's return value is the
//     answer, and a handler is also found in the default export.
//   - Errors go with Lambda-Runtime-Function-Error-Type; X-Ray causes do not.
//   - The stack of a syntax error names the file and line.
//   - A streamed response that nobody can end any more, or that is destroyed, ends
//     with an error instead of the function's timeout or a crash, and the prelude of
//     HttpResponseStream is sent even if nothing but end is called.
//   - AsyncLocalStorage.enterWith does not reach into the next event.
//
// # Pre-booted processes
//
// With DROPSTACK_PREBOOT=1 the client loads itself and what handlers commonly
// need, connects to AWS_LAMBDA_RUNTIME_API and asks GET /dropstack/start. The
// answer is held back until a function wants a process, and is then
//
//	{"env": {…the whole environment…}, "cwd": "/var/task", "uid": 990, "gid": 990, "args": []}
//
// The process replaces its environment, reads NODE_PATH and TZ again, changes
// directory, drops to gid and uid if they are given, loads the handler and goes
// on over the same connection. If it cannot become that, it says why on standard
// error and exits with 1; if the connection ends before the answer, it exits
// with 0.
//
// What a process reads only when it starts cannot be given to it later: flags
// (memory limits included, so processes wait per Args), NODE_OPTIONS and most
// other NODE_ variables (NODE_EXTRA_CA_CERTS, NODE_ICU_DATA …), LD_LIBRARY_PATH
// and LD_PRELOAD, the locale (LANG, LC_…), UV_ and OPENSSL_ variables, settings
// of the C library. A function that sets one of them has to be started plainly:
// Prebootable knows. What the platform itself says with such variables (LANG,
// LD_LIBRARY_PATH) must be in the environment that the process is started with.
//
// # Compile cache
//
// Command followed by --prepare, and the handler unless _HANDLER names it, loads a
// function once, writes its compiled code to DROPSTACK_COMPILE_CACHE and exits with
// 0; if the function does not load, the error object goes to standard error and
// the status is 1. It needs the function's environment, and a time limit: it runs
// what the function does when it is loaded.
//
// Node names its cache directories after its version, V8's flags (memory limits
// are flags) and the user id, and keys the entries by absolute path. So a function
// has to be prepared with the Command and at the path it will run with; ShareCache
// makes what one user prepared good for another.
package node

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// oldest is the first Node that our client runs on: import() came with it.
var oldest = Version{12, 17, 0}

// Version is a Node version.
type Version struct{ Major, Minor, Patch int }

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Compare orders versions, older first.
func (v Version) Compare(w Version) int {
	for _, d := range [...]int{v.Major - w.Major, v.Minor - w.Minor, v.Patch - w.Patch} {
		if d != 0 {
			return d
		}
	}
	return 0
}

var versionText = regexp.MustCompile(`^v(\d{1,4})\.(\d{1,4})\.(\d{1,4})`)

// ParseVersion reads what node --version prints.
func ParseVersion(s string) (Version, error) {
	m := versionText.FindStringSubmatch(s)
	if m == nil {
		return Version{}, fault.Errorf(fault.Invalid, "%.40q is no Node version", s)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // at most four digits
	}
	return Version{n[0], n[1], n[2]}, nil
}

// Install is one Node on this machine.
type Install struct {
	Path    string // the executable, symbolic links resolved
	Version Version
}

var runtimeName = regexp.MustCompile(`^nodejs(\d+)\.(x|\d+)(-edge)?$`)

// Major is the major Node version of a Lambda runtime: 20 for "nodejs20.x", 6 for
// "nodejs6.10".
func Major(runtime string) (int, error) {
	m := runtimeName.FindStringSubmatch(runtime)
	if m == nil {
		return 0, fault.Errorf(fault.Invalid, "%q is no Node runtime: write nodejs and a version, such as nodejs22.x", runtime)
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, fault.Errorf(fault.Invalid, "%q is no Node runtime: %w", runtime, err)
	}
	return major, nil
}

// For chooses the Node that runs a runtime: the newest of the same major version,
// else the nearest newer one, else the newest there is. exact is false if the
// major version differs, which the author of the function should be told.
func For(installs []Install, runtime string) (chosen Install, exact bool, err error) {
	major, err := Major(runtime)
	if err != nil {
		return Install{}, false, err
	}
	for _, in := range installs {
		if in.Version.Compare(oldest) < 0 {
			continue
		}
		if chosen.Path == "" || better(in.Version, chosen.Version, major) {
			chosen = in
		}
	}
	if chosen.Path == "" {
		return Install{}, false, fault.Errorf(fault.Unavailable,
			"no Node for %s: install Node.js %d (https://nodejs.org, or a version manager such as nvm or fnm), or name its executable in DROPSTACK_NODE",
			runtime, max(major, oldest.Major))
	}
	return chosen, chosen.Version.Major == major, nil
}

// better reports whether a serves a major version better than b.
func better(a, b Version, major int) bool {
	older := func(v Version) bool { return v.Major < major }
	switch {
	case older(a) != older(b):
		return older(b)
	case older(a) || a.Major == b.Major:
		return a.Compare(b) > 0
	default:
		return a.Major < b.Major
	}
}

// ExecutionEnv is the value of AWS_EXECUTION_ENV for a runtime.
func ExecutionEnv(runtime string) string { return "AWS_Lambda_" + runtime }

// ModulePath is the NODE_PATH of a runtime as Lambda sets it: modules of layers in opt
// (/opt), then those of the runtime and the function in task (/var/task).
func ModulePath(runtime, opt, task string) string {
	const own = "/var/runtime"
	var dirs []string
	if major, err := Major(runtime); err == nil {
		dirs = append(dirs, fmt.Sprintf("%s/nodejs/node%d/node_modules", opt, major))
	}
	return strings.Join(append(dirs, opt+"/nodejs/node_modules", own+"/node_modules", own, task), ":")
}

// Args are the flags that Lambda starts Node with: nine tenths of the memory for
// the old generation, a twentieth for each half of the new one, unless the
// function's NODE_OPTIONS say something about either.
func Args(memoryMB int, nodeOptions string) []string {
	args := []string{"--expose-gc", "--max-http-header-size=81920"}
	options := strings.ReplaceAll(nodeOptions, "_", "-")
	if memoryMB <= 0 || strings.Contains(options, "--max-semi-space-size") || strings.Contains(options, "--max-old-space-size") {
		return args
	}
	young := memoryMB / 10
	return append(args,
		"--max-semi-space-size="+strconv.Itoa(young/2),
		"--max-old-space-size="+strconv.Itoa(memoryMB-young))
}

// Command starts the client, whose entry Write returned, on a Node.
func Command(in Install, entry string, memoryMB int, nodeOptions string) []string {
	return append(append([]string{in.Path}, Args(memoryMB, nodeOptions)...), entry)
}

// atStart are variables, and beginnings of names of variables, that take effect
// only when a process starts.
var (
	atStart = []string{
		"LANG", "LANGUAGE", "GLIBC_TUNABLES",
		"NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_ICU_DATA", "NODE_COMPILE_CACHE",
		"NODE_DISABLE_COMPILE_CACHE", "NODE_DEBUG", "NODE_DEBUG_NATIVE", "NODE_NO_WARNINGS",
		"NODE_PENDING_DEPRECATION", "NODE_PRESERVE_SYMLINKS", "NODE_PRESERVE_SYMLINKS_MAIN",
		"NODE_REDIRECT_WARNINGS", "NODE_USE_ENV_PROXY", "NODE_USE_SYSTEM_CA", "NODE_V8_COVERAGE",
	}
	atStartPrefix = []string{"LD_", "LC_", "UV_", "OPENSSL_", "MALLOC_"}
)

// Prebootable reports whether a process that is already running can become a
// function with these variables: those that the function sets itself.
func Prebootable(env map[string]string) bool {
	for _, name := range atStart {
		if _, set := env[name]; set {
			return false
		}
	}
	for name := range env {
		for _, prefix := range atStartPrefix {
			if strings.HasPrefix(name, prefix) {
				return false
			}
		}
	}
	return true
}
