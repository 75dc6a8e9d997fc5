package spec

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Limits of AWS Lambda.
const (
	minMemory, maxMemory = 128, 10240 // MB
	maxTimeout           = 900        // seconds
	maxEnvironment       = 4 << 10    // bytes of names and values
	maxFunctionName      = 64
	maxConcurrency       = 1000
	restSeconds          = 29 // a REST API waits no longer for its function
	httpSeconds          = 30 // an HTTP API
)

var (
	functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	envName      = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]*$`)
	mountPath    = regexp.MustCompile(`^/mnt/[a-zA-Z0-9_.-]+$`)
)

// functionEffects are the keys of a function that cannot be ignored.
var functionEffects = effects{
	"image":         "containers are not run here; build a zip and name it in package.artifact, or let handler name the code",
	"durableConfig": "the function would not resume",
}

// functions reads a map of functions, or a list of such maps.
func (r *reader) functions(n *node) {
	var all []field
	if n.kind == list {
		r.each(n, "functions", func(item *node) {
			if r.is(item, object, "an item of functions") {
				all = append(all, item.fields...)
			}
		})
	} else if r.is(n, object, "functions") {
		all = n.fields
	}
	lines := map[string]Pos{}
	kept := all[:0:0]
	for _, f := range all {
		f.value = r.vars.resolve(f.value)
		if first, twice := lines[f.key]; twice {
			r.fail(f.pos, "function %q is there twice; the first is at %s", f.key, first)
			continue
		}
		lines[f.key] = f.pos
		if !functionName.MatchString(f.key) {
			r.fail(f.pos, "function %q: letters, digits, _ and - only", f.key)
		} else if r.is(f.value, object, "functions."+f.key) && r.conditional(f.value.get("condition"), "functions."+f.key+".condition") {
			r.nameFunction(f)
			kept = append(kept, f)
		}
	}
	r.readPolicies() // they may name functions
	r.httpAuthorizers()
	for _, read := range r.gates.later {
		read()
	}
	for _, f := range kept {
		r.svc.Functions = append(r.svc.Functions, r.function(f))
	}
	r.readRoles()
	r.unusedRoles()
}

// nameFunction makes a function known to Ref and Fn::GetAtt before any is read.
func (r *reader) nameFunction(f field) {
	name := r.svc.Prefix() + "-" + f.key
	if n := r.vars.resolve(f.value.get("name")); n != nil && n.scalar() {
		name = n.text
	}
	r.names[logicalFunction(f.key)] = functionResource(r.svc.Region, name)
	target := name
	if alias := r.aliasOf(f.value); alias != "" {
		target += ":" + alias
	}
	r.targets[f.key] = arn.Function(r.svc.Region, target)
	url := arn.ID(32, r.svc.Stack(), "URL", target)
	r.names[logicalFunction(f.key)+"Url"] = resource{url, url, map[string]string{"FunctionUrl": URLAddress(r.svc.Region, url)}}
}

func (r *reader) function(f field) Function {
	what := "functions." + f.key
	fn := Function{
		Pos: f.pos, HandlerPos: f.pos, Key: f.key, Name: r.names[logicalFunction(f.key)].name,
		MemoryMB: r.defaults.memory, TimeoutSeconds: r.defaults.timeout,
	}
	runtime, layers, logs := r.defaults.runtime, r.defaults.layers, r.defaults.logs
	var env, events, warmup *node
	var own functionRole
	key := r.defaults.key
	fn.Publish = !r.defaults.unversioned
	layersOf, warm := "provider.layers", -1
	payload := r.gates.payload
	known := keys{
		"handler": func(v *node) { fn.Handler, fn.HandlerPos = r.str(v, what+".handler"), v.pos },
		"name": func(v *node) {
			if fn.Name = r.str(v, what+".name"); !functionName.MatchString(fn.Name) {
				r.fail(v.pos, "function name %q: letters, digits, _ and - only", fn.Name)
			}
		},
		"runtime":     func(v *node) { runtime = v },
		"description": func(v *node) { fn.Description = r.value(v, what+".description") },
		"memorySize":  func(v *node) { fn.MemoryMB = r.memory(v, what+".memorySize") },
		"timeout":     func(v *node) { fn.TimeoutSeconds = r.timeout(v, what+".timeout") },
		"reservedConcurrency": func(v *node) {
			fn.ReservedConcurrency = new(r.integer(v, what+".reservedConcurrency", 0, maxConcurrency))
		},
		"provisionedConcurrency": func(v *node) { fn.ProvisionedConcurrency = r.provisioned(v, what+".provisionedConcurrency") },
		"warm":                   func(v *node) { warm = r.integer(v, what+".warm", 0, maxConcurrency) },
		"versionFunction":        func(v *node) { fn.Publish = r.boolean(v, what+".versionFunction") },
		"environment":            func(v *node) { env = v },
		"layers":                 func(v *node) { layers, layersOf = v, what+".layers" },
		"url":                    func(v *node) { fn.URL = r.url(v, what+".url") },
		"logs":                   func(v *node) { logs = r.logs(v, what+".logs", logs) },
		"onError":                func(v *node) { fn.OnError = r.onError(v, what+".onError") },
		"destinations":           func(v *node) { r.destinations(&fn, v, what+".destinations") },
		"maximumEventAge": func(v *node) {
			fn.MaximumEventAge = r.integer(v, what+".maximumEventAge", minEventAge, maxEventAge)
		},
		"maximumRetryAttempts": func(v *node) {
			fn.MaximumRetryAttempts = new(r.integer(v, what+".maximumRetryAttempts", 0, maxRetries))
		},
		"ephemeralStorageSize": func(v *node) { fn.StorageMB = r.integer(v, what+".ephemeralStorageSize", minStorage, maxStorage) },
		"architecture":         func(v *node) { r.architecture(v, what+".architecture") },
		"runtimeManagement":    func(v *node) { r.runtimeManagement(v, what+".runtimeManagement") },
		"tracing":              func(v *node) { r.tracing(v, what+".tracing") },
		"fileSystemConfig":     func(v *node) { fn.Mount = r.mount(v, what+".fileSystemConfig") },
		"package":              func(v *node) { fn.Package = r.pack(v, what+".package") },
		"events":               func(v *node) { events = v },
		"alarms":               func(v *node) { r.ownAlarms[f.key] = r.items(v, what+".alarms") },
		"alerts":               func(v *node) { r.ownAlarms[f.key] = append(r.ownAlarms[f.key], r.items(v, what+".alerts")...) },
		"vpc":                  nil, // below: a null is not the absence of one

		"role":                     func(v *node) { own.role = v },
		"iamRoleStatements":        func(v *node) { own.statements = v },
		"iamRoleStatementsInherit": func(v *node) { own.inherit = v },
		"iamRoleStatementsName":    func(v *node) { own.name = v },
		"kmsKeyArn":                func(v *node) { key = v },
		"awsKmsKeyArn":             func(v *node) { key = v },
		"tags":                     func(v *node) { fn.Tags = r.tags(v, what+".tags") },
		"logRetentionInDays":       func(v *node) { fn.LogRetention = r.retention(v, what+".logRetentionInDays") },
		"condition":                nil, "dependsOn": nil, // read before; and everything is there at once
		"deploymentSettings": nil, // below
		"disableLogs": func(v *node) {
			if r.boolean(v, what+".disableLogs") {
				r.warn(v.pos, "%s.disableLogs has no effect: what a function writes is kept", what)
			}
		},
		"snapStart": func(v *node) {
			if r.boolean(v, what+".snapStart") {
				r.warn(v.pos, "%s.snapStart has no effect: it is of runtimes that are not offered here; `warm: 1` keeps an instance initialised", what)
			}
		},
		"logDataProtectionPolicy": func(v *node) {
			r.warn(v.pos, "%s.logDataProtectionPolicy has no effect: records are kept as they are written", what)
		},
		"recursiveLoop": func(v *node) {
			r.warn(v.pos, "%s.recursiveLoop has no effect: functions that call each other in a circle are not stopped", what)
		},
		"dropstack": func(v *node) { fn.Secrets = r.secrets(v, what+".dropstack") },
		"httpApi": func(v *node) {
			r.object(v, what+".httpApi", keys{"payload": func(v *node) { payload = r.payload(v, what+".httpApi.payload") }}, effects{})
		},
		"minIsolation": func(v *node) { fn.MinIsolation = r.isolation(v, what+".minIsolation") },
	}
	if r.plugin != nil {
		known["warmup"] = func(v *node) { warmup = v }
	}
	r.object(f.value, what, known, functionEffects)
	fn.VPC = r.functionVPC(f)
	fn.Tags = over(r.svc.Tags, fn.Tags)
	fn.Shift = r.shift(f, what)
	if fn.LogRetention == nil {
		fn.LogRetention = r.svc.LogRetention
	}
	fn.Role = r.functionRole(f, own)
	if key != nil {
		fn.KeyARN = r.value(key, what+".kmsKeyArn")
	}
	if fn.Warm = warm; warm < 0 {
		fn.Warm = r.warm(warmup)
	}
	if layers != nil {
		fn.Layers = r.useLayers(layers, layersOf)
	}
	r.applyLogs(&fn, logs)
	fn.Publish = fn.Publish || fn.ProvisionedConcurrency > 0 || fn.Shift != nil // an alias points to a version
	fn.Runtime = r.runtime(runtime, fn)
	fn.Environment = r.environment(env, fn, what+".environment")
	if h := r.vars.resolve(f.value.get("handler")); fn.Handler == "" && f.value.get("image") == nil && (h == nil || h.kind == null || h.kind == text) {
		r.fail(f.pos, "%s.handler is missing; for Go it names the directory of the main package, for Node a file and what it exports, such as src/index.handler", what)
	}
	if events != nil {
		r.each(events, what+".events", func(e *node) { r.event(&fn, e, payload) })
	}
	return fn
}

func (r *reader) memory(n *node, what string) int { return r.integer(n, what, minMemory, maxMemory) }

func (r *reader) timeout(n *node, what string) int { return r.integer(n, what, 1, maxTimeout) }

// environment is the provider's with the function's own over it; null takes a
// variable away.
func (r *reader) environment(own *node, fn Function, what string) map[string]string {
	env := map[string]string{}
	for _, level := range []struct {
		n    *node
		what string
	}{{r.env, "provider.environment"}, {own, what}} {
		if level.n == nil || !r.is(level.n, object, level.what) {
			continue
		}
		for _, f := range level.n.fields {
			r.variable(env, f, level.what)
		}
	}
	size := 0
	for k, v := range env {
		size += len(k) + len(v)
	}
	if size > maxEnvironment {
		pos := fn.Pos
		if own != nil {
			pos = own.pos
		}
		r.fail(pos, "the environment of function %s has %d bytes with the provider's; the limit is %d", fn.Key, size, maxEnvironment)
	}
	if len(env) == 0 {
		return nil
	}
	return env
}

func (r *reader) variable(env map[string]string, f field, what string) {
	v := r.vars.resolve(f.value)
	switch {
	case !envName.MatchString(f.key):
		r.fail(f.pos, "%s: the name %q must be a letter followed by letters, digits and _", what, f.key)
	case v.kind == null:
		delete(env, f.key)
	case v.kind == list:
		r.fail(f.pos, "%s.%s must be a string, a number or a boolean, not a list", what, f.key)
	default:
		env[f.key] = r.value(v, what+"."+f.key)
	}
}

func (r *reader) mount(n *node, what string) *Mount {
	m := &Mount{Pos: n.pos}
	r.object(n, what, keys{
		"arn": func(v *node) {
			id := r.mountID(v, what+".arn")
			m.Name = id[strings.LastIndexAny(id, "/:")+1:]
			if !functionName.MatchString(m.Name) && v.kind != broken {
				r.fail(v.pos, "%s: %q does not end in a name of letters, digits, _ and -", what+".arn", id)
			}
		},
		"localMountPath": func(v *node) {
			if m.Path = r.str(v, what+".localMountPath"); !mountPath.MatchString(m.Path) {
				r.fail(v.pos, "%s.localMountPath must be /mnt/ and one name, such as /mnt/data, not %q", what, m.Path)
			}
		},
	}, effects{})
	for key, got := range map[string]string{"arn": m.Name, "localMountPath": m.Path} {
		if got == "" && n.kind == object && n.get(key) == nil {
			r.fail(n.pos, "%s.%s is missing", what, key)
		}
	}
	return m
}

// mountID names a file system. What {Fn::GetAtt: [AccessPoint, Arn]} points to is
// not deployed, but its logical id is as good a name as any.
func (r *reader) mountID(n *node, what string) string {
	if n.kind != object {
		return r.str(n, what)
	}
	if arg := n.get("Fn::GetAtt"); arg != nil {
		if parts := r.strings(arg, what); len(parts) > 0 {
			id, _, _ := strings.Cut(parts[0], ".")
			return id
		}
	}
	return r.value(n, what)
}

// pack reads a package. Includes come before patterns, as in the Serverless
// Framework.
func (r *reader) pack(n *node, what string) Package {
	p := Package{Pos: n.pos}
	var include, patterns []string
	old := func(n *node, key string) []string {
		r.warn(n.pos, "%s.%s is deprecated; use patterns", what, key)
		return r.strings(n, what+"."+key)
	}
	r.object(n, what, keys{
		"patterns":               func(v *node) { patterns = r.strings(v, what+".patterns") },
		"include":                func(v *node) { include = old(v, "include") },
		"exclude":                func(v *node) { p.Exclude = old(v, "exclude") },
		"individually":           func(v *node) { p.Individually = r.boolean(v, what+".individually") },
		"artifact":               func(v *node) { p.Artifact, p.Pos = r.str(v, what+".artifact"), v.pos },
		"excludeDevDependencies": func(v *node) { p.KeepDev = !r.boolean(v, what+".excludeDevDependencies") },
	}, effects{})
	p.Patterns = slices.Concat(include, patterns)
	return p
}
