package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reserved are the variables that AWS documents as reserved; others that we set
// (PATH, LANG, TZ, LD_LIBRARY_PATH …) a function may replace.
var reserved = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID",
	"AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
	"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
	"AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
	"DROPSTACK_MOUNT", "DROPSTACK_MOUNTS",
}

// Reserved reports whether a function's configuration may not set a variable.
func Reserved(name string) bool { return slices.Contains(reserved, name) }

// extraAuthority has Node, which brings its own list of certificates, trust one more.
// Programs that look at the sandbox's files need no telling. AWS_CA_BUNDLE would do
// harm: AWS's SDKs for Go refuse to start with it when they are given an HTTP client.
const extraAuthority = "NODE_EXTRA_CA_CERTS"

// oneCPU is the memory at which Lambda grants one whole processor.
const oneCPU = 1769

// environ is the whole environment of the function's process.
func environ(c view, api, stream, tmp string) []string {
	env := defaults(c, tmp)
	if c.MemoryMB <= oneCPU {
		// Lambda gives such a function at most one processor's time. A Go program
		// that believes it has them all loses a quarter of its throughput to
		// waking threads for one event at a time.
		env["GOMAXPROCS"] = "1"
	}
	if major, ok := nodeMajor(c.Runtime); ok {
		nodejs := filepath.Join(c.opt(), "nodejs")
		env["NODE_PATH"] = strings.Join([]string{
			filepath.Join(nodejs, "node"+major, "node_modules"), filepath.Join(nodejs, "node_modules"),
			filepath.Join(runtimeDir(c.Config), "node_modules"), runtimeDir(c.Config), c.Dir,
		}, ":")
	}
	override(env, c.Env)
	maps.Copy(env, given(c.Config, api, stream))
	return sorted(env)
}

// extensionEnviron is the environment of an extension's process: what the
// runtime interface emulator leaves of the function's.
func extensionEnviron(c view, api, tmp string) []string {
	env := defaults(c, tmp)
	delete(env, "AWS_XRAY_CONTEXT_MISSING")
	override(env, c.Env)
	maps.Copy(env, given(c.Config, api, ""))
	for name := range env {
		if strings.HasPrefix(name, "_") || slices.Contains(runtimeOnly, name) {
			delete(env, name)
		}
	}
	return sorted(env)
}

// runtimeOnly are the variables that extensions do not get.
var runtimeOnly = []string{
	"AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_LOG_FORMAT",
	"AWS_LAMBDA_LOG_LEVEL", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "AWS_XRAY_CONTEXT_MISSING",
}

// defaults are the variables that a function may replace.
func defaults(c view, tmp string) map[string]string {
	env := map[string]string{
		"PATH":                     "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:" + c.opt() + "/bin",
		"LD_LIBRARY_PATH":          fmt.Sprintf("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:%s:%s/lib:%s/lib", c.Dir, c.Dir, c.opt()),
		"LANG":                     "en_US.UTF-8",
		"TZ":                       ":UTC",
		"TMPDIR":                   tmp,
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
	}
	if len(c.Command) > 0 { // the language's own programs come first, as /var/lang/bin does
		env["PATH"] = filepath.Dir(c.Command[0]) + ":" + env["PATH"]
	}
	if c.Cache != "" {
		env["DROPSTACK_COMPILE_CACHE"] = c.Cache
	}
	if c.Endpoint != "" {
		env["AWS_ENDPOINT_URL"] = c.Endpoint
	}
	if c.authority != "" {
		env[extraAuthority] = c.authority
	}
	return env
}

func override(env, own map[string]string) {
	for k, v := range own {
		if !Reserved(k) {
			env[k] = v
		}
	}
}

func sorted(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}

// opt is where the layers are.
func (c Config) opt() string {
	if c.Opt == "" {
		return "/opt"
	}
	return c.Opt
}

// nodeMajor is the 22 of nodejs22.x.
func nodeMajor(runtime string) (string, bool) {
	version, ok := strings.CutPrefix(runtime, "nodejs")
	major, _, _ := strings.Cut(version, ".")
	return major, ok && major != ""
}

// runtimeDir is where a managed runtime's client is: the folder of its script.
func runtimeDir(c Config) string {
	for _, arg := range c.Command[min(1, len(c.Command)):] {
		if filepath.IsAbs(arg) {
			return filepath.Dir(arg)
		}
	}
	return "/var/runtime"
}

// given are the reserved variables.
func given(c Config, api, stream string) map[string]string {
	env := map[string]string{
		"_HANDLER":                        c.Handler,
		"AWS_DEFAULT_REGION":              c.Region,
		"AWS_REGION":                      c.Region,
		"AWS_LAMBDA_FUNCTION_NAME":        c.Name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(c.MemoryMB),
		"AWS_LAMBDA_FUNCTION_VERSION":     c.Version,
		"AWS_LAMBDA_INITIALIZATION_TYPE":  c.initType(),
		"AWS_LAMBDA_LOG_GROUP_NAME":       c.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      stream,
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_ACCESS_KEY_ID":               c.Keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           c.Keys.SecretAccessKey,
		"AWS_SESSION_TOKEN":               c.Keys.SessionToken,
		"LAMBDA_TASK_ROOT":                c.Dir,
		"LAMBDA_RUNTIME_DIR":              runtimeDir(c),
	}
	for k, v := range env {
		if v == "" && strings.HasPrefix(k, "AWS_") {
			delete(env, k) // an empty key is worse for an SDK than none
		}
	}
	if c.Runtime == "go1.x" || len(c.Command) > 0 {
		env["AWS_EXECUTION_ENV"] = "AWS_Lambda_" + c.Runtime
	}
	if c.JSONLogs {
		env["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
		env["AWS_LAMBDA_LOG_LEVEL"] = "INFO"
		if c.LogLevel != "" {
			env["AWS_LAMBDA_LOG_LEVEL"] = c.LogLevel
		}
	}
	var mounts []string
	for _, m := range c.Mounts {
		mounts = append(mounts, m.Path+"="+m.Source)
	}
	if len(mounts) > 0 {
		env["DROPSTACK_MOUNT"] = c.Mounts[0].Source
		env["DROPSTACK_MOUNTS"] = strings.Join(mounts, ":")
	}
	return env
}

// entrypoint is the command that starts a function: a managed runtime's client,
// by way of the function's wrapper if it has one; the handler itself in go1.x;
// bootstrap, of the function or else of its layers, in custom runtimes.
func entrypoint(c Config) []string {
	if len(c.Command) > 0 {
		if w := wrapper(c); w != "" {
			return append([]string{w}, c.Command...)
		}
		return c.Command
	}
	if c.Runtime == "go1.x" {
		return []string{filepath.Join(c.Dir, c.Handler)}
	}
	own := filepath.Join(c.Dir, "bootstrap")
	if c.Opt != "" {
		if _, err := os.Stat(own); errors.Is(err, fs.ErrNotExist) {
			if layers := filepath.Join(c.Opt, "bootstrap"); exists(layers) {
				return []string{layers}
			}
		}
	}
	return []string{own}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// wrapper is the script that AWS_LAMBDA_EXEC_WRAPPER has start the runtime; only
// managed runtimes know it.
func wrapper(c Config) string {
	path := c.Env["AWS_LAMBDA_EXEC_WRAPPER"]
	if len(c.Command) == 0 || path == "" {
		return ""
	}
	for there, here := range map[string]string{"/opt/": c.opt(), "/var/task/": c.Dir} {
		if rest, ok := strings.CutPrefix(path, there); ok {
			return filepath.Join(here, rest)
		}
	}
	return path
}

// inside has a message name files as a function on Lambda knows them.
func (c Config) inside(message string) string {
	if c.Opt != "" {
		message = strings.ReplaceAll(message, c.Opt, "/opt")
	}
	return strings.ReplaceAll(message, c.Dir, "/var/task")
}
