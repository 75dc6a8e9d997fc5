package spec

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Options are what variables may draw on besides the files.
type Options struct {
	// Stage is --stage. It wins over Opts["stage"], which wins over provider.stage.
	Stage string
	// Opts are the other flags, for ${opt:NAME}; --param K=V is "param:K".
	Opts map[string]string
	// Env looks up environment variables; nil: there are none.
	Env func(string) (string, bool)
	// Parameter reads a parameter for ${ssm:NAME}, in clear or as it is stored; nil:
	// there is nobody to ask. One that does not exist is no error.
	Parameter func(name string, clear bool) (p Parameter, ok bool, err error)
	// Object reads an object for ${s3:BUCKET/KEY}, and StackOutput what a stack shows
	// for ${cf:STACK.KEY}, as Parameter does.
	Object      func(bucket, key string) (value string, ok bool, err error)
	StackOutput func(stack, key string) (value string, ok bool, err error)
	// Node finds the program that runs JavaScript and TypeScript files which the
	// service names or is, with the rights of this process and its environment; "" is
	// none, and nil: they are not run. What they print goes to Stderr.
	Node   func(context.Context) (path string, err error)
	Stderr io.Writer
	// Import is what a stack exports under a name, for Fn::ImportValue; nil: there is
	// nobody to ask. An export that does not exist is no error.
	Import func(name string) (value string, ok bool, err error)
	// Arch is what functions will run on, as Go calls it; "" is this machine's.
	Arch string
}

// Parameter is a value of Parameter Store. Type is String, StringList or
// SecureString.
type Parameter struct{ Type, Value string }

func (o Options) env(name string) (string, bool) {
	if o.Env == nil {
		return "", false
	}
	return o.Env(name)
}

func (o Options) opt(name string) (string, bool) {
	if name == "stage" && o.Stage != "" {
		return o.Stage, true
	}
	v, ok := o.Opts[name]
	return v, ok
}

// fileNames are looked for in a directory, in this order.
var fileNames = []string{
	"serverless.yml", "serverless.yaml", "serverless.json", "serverless.js", "serverless.mjs", "serverless.cjs", "serverless.ts",
}

// Exists tells whether a directory holds a service description.
func Exists(dir string) bool {
	_, err := locate(dir)
	return err == nil
}

// Load reads the service described by a file, or by the serverless.yml, .yaml,
// .json, .js, .mjs, .cjs or .ts of a directory. What the author has to mend is an *Error with all problems
// found; a missing file is fault.NotFound. Positions name files as path does.
func Load(ctx context.Context, path string, o Options) (*Service, error) {
	r, root, err := open(ctx, path, o)
	if err != nil {
		return nil, err
	}
	defer r.vars.source.close()
	r.vars.structure = r.structure // what is printed shows such functions as they are
	r.service(root)
	if err := r.err(); err != nil {
		return nil, err
	}
	r.svc.Warnings = byPlace(r.warnings)
	return r.svc, nil
}

// open finds and parses a service description, and returns it with what reads it;
// the caller closes its source.
func open(ctx context.Context, path string, o Options) (*reader, *node, error) {
	file, err := locate(path)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, nil, err
	}
	o.Arch = cmp.Or(o.Arch, runtime.GOARCH)
	r := newReader(ctx, file, dir, o)
	root, problems, err := r.parse(file)
	if len(problems) > 0 {
		err = &Error{Problems: byPlace(problems)}
	}
	if err != nil {
		r.vars.source.close()
		return nil, nil, err
	}
	r.vars.root = root
	return r, root, nil
}

func newReader(ctx context.Context, file, dir string, o Options) *reader {
	r := &reader{svc: &Service{Dir: dir, File: file}, names: map[string]resource{}, targets: map[string]string{}, undone: map[string]resource{}, ownAlarms: map[string][]*node{}}
	r.perms = roles{declared: map[string]declaredRole{}, policies: map[string]Policy{}}
	r.nets = nets{declared: map[string][]declared{}, place: map[string]Pos{}, table: map[string]string{}}
	r.buckets = map[string]Bucket{}
	r.template = template{
		conditions: map[string]field{}, parameters: map[string]field{}, mappings: map[string]*node{},
		given: map[string]*node{}, decided: map[string]bool{},
	}
	r.gates = gates{named: map[string]string{}, external: map[string]string{}}
	src := &source{ctx: ctx, opts: o, dir: filepath.Dir(file), files: map[string]*node{}}
	src.fail = func(p Problem) { r.fail(p.Pos, "%s", p.Message) }
	r.vars = &variables{source: src, done: map[*node]*node{}}
	r.vars.report = func(pos Pos, message string) { r.fail(pos, "%s", message) }
	return r
}

// parse reads the service description, which may be a program that makes it.
func (r *reader) parse(file string) (*node, []Problem, error) {
	if isProgram(file) {
		root, err := r.vars.source.ask(r.vars, message{Kind: "load", File: file})
		if err == nil && (root == nil || root.kind != object) {
			err = errors.New("it exports no service; write module.exports = {service: …}")
		}
		if err != nil {
			return nil, []Problem{{Pos{File: file, Line: 1}, err.Error()}}, nil
		}
		return root, nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "read the service description: %w", err)
	}
	root, problems := parse(file, data)
	return root, problems, nil
}

func locate(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.Errorf(fault.NotFound, "%s does not exist; name a directory with a serverless.yml", path)
	}
	if err != nil {
		return "", fault.Errorf(fault.Invalid, "find the service description: %w", err)
	}
	if !info.IsDir() {
		return filepath.Clean(path), nil
	}
	for _, name := range fileNames {
		if _, err := os.Stat(filepath.Join(path, name)); err == nil {
			return filepath.Join(path, name), nil
		}
	}
	return "", fault.Errorf(fault.NotFound, "no serverless.yml in %s; run the command in the service's directory or name it", path)
}

// service reads the file from the parts on which others depend to those that do.
func (r *reader) service(root *node) {
	if root.kind != object {
		r.fail(root.pos, "a service description is a map with the keys service, provider and functions")
		return
	}
	// Everything else may be made of the stage and the region.
	provider := r.vars.resolve(root.get("provider"))
	r.stage(root, provider)
	r.region(root, provider)
	r.dotenv(root)
	var service, resources, functions, custom, pack, layers, plugins *node
	r.object(root, "", keys{
		"service": set(&service), "provider": nil, "functions": set(&functions),
		"resources": set(&resources), "custom": set(&custom), "package": set(&pack), "layers": set(&layers), "params": nil,
		"plugins": func(n *node) { plugins = n }, "useDotenv": nil,
		"frameworkVersion": r.frameworkVersion, "configValidationMode": nil, "variablesResolutionMode": r.resolutionMode,
		"deprecationNotificationMode": nil, "unresolvedVariablesNotificationMode": nil, "disabledDeprecations": nil, "projectDir": nil,
		"org": nil, "app": nil, "tenant": nil, "console": nil, "dashboard": nil, "licenseKey": nil, "build": nil,
	}, effects{"stepFunctions": "no state machine would run; take the key out, and have functions call or publish to each other"})
	r.plugins(plugins, custom)
	r.name(root, service)
	r.fragment(resources)
	if r.provider(root, provider); r.elsewhere {
		return // the rest is another provider's, and would only seem wrong
	}
	r.env = r.withFiles(r.env)
	if pack != nil {
		r.svc.Package = r.pack(pack, "package")
	}
	r.nameAPIs()
	r.nameAPICloudFront(plugins, custom)
	if resources != nil {
		r.resources(resources)
	}
	for _, name := range r.naming {
		name()
	}
	r.networkFile()
	r.networks()
	if layers != nil {
		r.layers(layers)
	}
	r.nameRoles()
	r.perms.inherit = r.inherits(custom)
	r.plugin = r.warmup(custom)
	r.sayWarm()
	r.settings = r.deploymentSettings(custom)
	r.svc.Bundle = r.bundle(root.get("plugins"), custom, root.get("build"))
	if functions != nil {
		r.functions(functions)
	}
	r.readAlerts(custom) // what is below may refer to its alarms
	for _, read := range r.later {
		read()
	}
	if custom != nil {
		r.custom(custom)
	}
	r.apiCloudFront(custom)
	r.check()
}

var (
	serviceName = regexp.MustCompile(`^[a-zA-Z][0-9a-zA-Z-]*$`)
	apiStage    = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	stageName   = regexp.MustCompile(`^[a-zA-Z0-9-]+$`)
	regionName  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d+$`)
)

func (r *reader) name(root, n *node) {
	if n == nil {
		r.missing(root, "service", `give the service a name: "service: drops"`)
		return
	}
	if n.kind == object {
		pos := n.pos
		service := n
		n = nil
		r.object(service, "service", keys{"name": func(v *node) { n = v }}, effects{})
		if n == nil {
			r.fail(pos, "service.name is missing")
			return
		}
	}
	r.svc.Name = r.str(n, "service")
	if r.svc.Name != "" && !serviceName.MatchString(r.svc.Name) {
		r.fail(n.pos, "service %q: letters, digits and - only, beginning with a letter", r.svc.Name)
	}
}

// missing reports an absent key, unless its value is there and broken.
func (r *reader) missing(root *node, key, advice string) {
	if n := root.get(key); n == nil || r.vars.resolve(n).kind != broken {
		r.fail(root.pos, "%s is missing; %s", key, advice)
	}
}

// stage settles the stage: --stage, then provider.stage, then dev.
func (r *reader) stage(root, provider *node) {
	stage, ok := r.vars.source.opts.opt("stage")
	pos := root.pos
	if n := provider; !ok && n != nil && n.kind == object && n.get("stage") != nil {
		n = n.get("stage")
		if n = r.vars.resolve(n); n.kind != null {
			stage, pos = r.str(n, "provider.stage"), n.pos
		}
	}
	if stage == "" {
		stage = "dev"
	}
	if !stageName.MatchString(stage) {
		r.fail(pos, "stage %q: letters, digits and - only", stage)
	}
	r.svc.Stage, r.vars.source.stage = stage, stage
}

// region settles the region: --region, then provider.region, then arn.Region.
func (r *reader) region(root, provider *node) {
	r.svc.Region = arn.Region
	pos, what := root.pos, "--region"
	region, ok := r.vars.source.opts.opt("region")
	if !ok && provider != nil && provider.kind == object {
		if v := r.vars.resolve(provider.get("region")); v != nil && v.kind != null && v.kind != broken {
			region, pos, what, ok = r.str(v, "provider.region"), v.pos, "provider.region", true
		}
	}
	if ok && !regionName.MatchString(region) {
		r.fail(pos, "%s %q is not the name of a region, such as us-east-1", what, region)
	} else if ok {
		r.svc.Region = region
	}
	r.vars.source.region = r.svc.Region
}
