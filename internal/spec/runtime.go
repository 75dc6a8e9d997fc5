package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Runtimes that functions can have, the preferred ones first. Those of Node run
// on the Node that is installed and comes closest.
var Runtimes = []string{
	"provided.al2023", "provided.al2",
	"nodejs26.x", "nodejs24.x", "nodejs22.x", "nodejs20.x", "nodejs18.x", "nodejs16.x", "nodejs14.x", "nodejs12.x", "nodejs10.x",
	"nodejs8.10", "nodejs6.10", "nodejs4.3", "go1.x",
}

// nodeRetired is the newest Node whose runtime AWS no longer updates ("Lambda
// runtimes", deprecated runtimes).
const nodeRetired = 18

var nodeRuntime = regexp.MustCompile(`^nodejs(\d+)\.`)

// IsNode tells runtimes of Node from those that start a program of their own.
func IsNode(runtime string) bool { return strings.HasPrefix(runtime, "nodejs") }

func (r *reader) runtime(n *node, fn Function) string {
	if n == nil {
		r.fail(fn.Pos, "function %s has no runtime; set provider.runtime or its own, such as nodejs22.x or, for Go, provided.al2023", fn.Key)
		return ""
	}
	runtime := r.str(n, "runtime")
	switch {
	case n.kind == broken || runtime == "":
	case !slices.Contains(Runtimes, runtime):
		r.fail(n.pos, "runtime %s not available yet; available: %s", runtime, strings.Join(Runtimes, ", "))
	case runtime == "go1.x":
		r.warn(n.pos, "runtime go1.x is retired at AWS; use provided.al2023")
	case retired(runtime):
		r.warn(n.pos, "runtime %s is retired at AWS; here a newer Node may run it: `dropstack doctor` tells which", runtime)
	}
	return runtime
}

func retired(runtime string) bool {
	m := nodeRuntime.FindStringSubmatch(runtime)
	if m == nil {
		return false
	}
	major, err := strconv.Atoi(m[1])
	return err == nil && major <= nodeRetired
}

// architectures are AWS's names for what Go calls GOARCH.
var architectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// architecture must be this machine's: programs are not translated.
func (r *reader) architecture(n *node, what string) {
	machine := r.vars.source.opts.machine()
	switch got := r.str(n, what); got {
	case "", machine:
	case "arm64", "x86_64":
		r.fail(n.pos, "%s is %s, but this machine is %s; write %s, or remove the key", what, got, machine, machine)
	default:
		r.fail(n.pos, "%s must be arm64 or x86_64, not %s", what, got)
	}
}

// runtimeManagement is checked and said to have no effect, unless it asks for
// what happens anyway.
func (r *reader) runtimeManagement(n *node, what string) {
	mode := n
	if n.kind == object {
		mode = nil
		r.object(n, what, keys{"mode": func(v *node) { mode = v }, "arn": nil}, effects{})
	}
	if mode == nil {
		r.fail(n.pos, "%s.mode is missing: auto, onFunctionUpdate or manual", what)
		return
	}
	switch got := r.str(mode, what); got {
	case "", "auto":
	case "onFunctionUpdate", "manual":
		r.warn(n.pos, "%s %s has no effect: a function runs on the Node that is installed", what, got)
	default:
		r.fail(n.pos, "%s must be auto, onFunctionUpdate or manual, not %s", what, got)
	}
}

func (r *reader) tracing(n *node, what string) {
	switch got := r.str(n, what); got {
	case "", "false":
	case "true", "Active", "PassThrough":
		r.warn(n.pos, "%s has no effect: every function is traced", what)
	default:
		r.fail(n.pos, "%s must be Active, PassThrough, true or false, not %s", what, got)
	}
}

func (r *reader) providerTracing(n *node) {
	const what = "provider.tracing"
	r.object(n, what, keys{
		"lambda":     func(v *node) { r.tracing(v, what+".lambda") },
		"apiGateway": func(v *node) { r.tracing(v, what+".apiGateway") },
	}, effects{})
}

// logging is logs of a function, or logs.lambda of the provider; a function's keys
// win one by one.
type logging struct {
	format, level, system string
	levels                []Pos // where levels are given
}

func (r *reader) logs(n *node, what string, l logging) logging {
	l.levels = slices.Clone(l.levels)
	if n.kind == object && n.get("logFormat") != nil {
		l.levels = nil // the provider's were right for its own format
	}
	choose := func(into *string, key string, choices ...string) func(*node) {
		return func(v *node) {
			if *into = r.str(v, what+"."+key); !slices.Contains(choices, *into) && v.kind != broken {
				r.fail(v.pos, "%s.%s must be one of %s, not %q", what, key, strings.Join(choices, ", "), *into)
			}
			if key != "logFormat" {
				l.levels = append(l.levels, v.pos)
			}
			if key == "systemLogLevel" {
				r.warn(v.pos, "%s.%s has no effect yet: the platform's own lines are all written", what, key)
			}
		}
	}
	r.object(n, what, keys{
		"logFormat":           choose(&l.format, "logFormat", "JSON", "Text"),
		"applicationLogLevel": choose(&l.level, "applicationLogLevel", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
		"systemLogLevel":      choose(&l.system, "systemLogLevel", "DEBUG", "INFO", "WARN"),
	}, effects{})
	return l
}

// applyLogs gives a function its log settings. Levels filter JSON only, as at AWS.
func (r *reader) applyLogs(fn *Function, l logging) {
	fn.LogFormat = l.format
	if l.format == "JSON" {
		fn.LogLevel, fn.SystemLogLevel = l.level, l.system
		return
	}
	for _, pos := range l.levels {
		r.warn(pos, "log levels have no effect without logFormat: JSON")
	}
}

// Limits of a function's /tmp, in MB.
const minStorage, maxStorage = 512, 10240

// isolation reads the level below which a function is not to run.
func (r *reader) isolation(n *node, what string) string {
	level := r.str(n, what)
	if levels := []string{"full", "userns", "process", "none"}; !slices.Contains(levels, level) && n.kind != broken {
		r.fail(n.pos, "%s must be one of %s, not %q", what, strings.Join(levels, ", "), level)
	}
	return level
}

// machine is the architecture that functions run on, in AWS's words.
func (o Options) machine() string {
	if name, ok := architectures[o.Arch]; ok {
		return name
	}
	return fmt.Sprintf("linux/%s", o.Arch)
}
