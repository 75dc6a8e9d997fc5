package instance

import (
	"fmt"
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

// oneCPU is the memory at which Lambda grants one whole processor.
const oneCPU = 1769

// environ is the whole environment of a process.
func environ(c Config, api, stream, tmp string) []string {
	env := map[string]string{
		"PATH":            "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"LD_LIBRARY_PATH": fmt.Sprintf("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:%s:%s/lib:/opt/lib", c.Dir, c.Dir),
		"LANG":            "en_US.UTF-8",
		"TZ":              ":UTC",
		"TMPDIR":          tmp,
	}
	if c.Endpoint != "" {
		env["AWS_ENDPOINT_URL"] = c.Endpoint
	}
	if c.MemoryMB <= oneCPU {
		// Lambda gives such a function at most one processor's time. A Go program
		// that believes it has them all loses a quarter of its throughput to
		// waking threads for one event at a time.
		env["GOMAXPROCS"] = "1"
	}
	for k, v := range c.Env {
		if !Reserved(k) {
			env[k] = v
		}
	}
	for k, v := range given(c, api, stream) {
		env[k] = v
	}
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
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
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       c.LogGroup,
		"AWS_LAMBDA_LOG_STREAM_NAME":      stream,
		"AWS_LAMBDA_RUNTIME_API":          api,
		"AWS_ACCESS_KEY_ID":               c.Keys.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           c.Keys.SecretAccessKey,
		"AWS_SESSION_TOKEN":               c.Keys.SessionToken,
		"LAMBDA_TASK_ROOT":                c.Dir,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
	}
	for k, v := range env {
		if v == "" && strings.HasPrefix(k, "AWS_") {
			delete(env, k) // an empty key is worse for an SDK than none
		}
	}
	if c.Runtime == "go1.x" {
		env["AWS_EXECUTION_ENV"] = "AWS_Lambda_go1.x"
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

// entrypoint is the file that starts a function: the handler itself in go1.x,
// bootstrap in custom runtimes.
func entrypoint(c Config) string {
	if c.Runtime == "go1.x" {
		return filepath.Join(c.Dir, c.Handler)
	}
	return filepath.Join(c.Dir, "bootstrap")
}
