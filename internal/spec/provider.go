package spec

import (
	"maps"
	"regexp"
)

var stackNamed = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,127}$`)

// provider reads what holds for the whole service.
func (r *reader) provider(root, n *node) {
	if n == nil || n.kind == null {
		r.missing(root, "provider", `write "provider: {name: aws, runtime: nodejs22.x}"`)
		return
	}
	if n.kind == text {
		n = &node{pos: n.pos, kind: object, fields: []field{{"name", n.pos, n}}}
	}
	r.defaults = defaults{memory: 1024, timeout: 6}
	r.stackName(n)
	named := false
	var tags, stackTags *node
	known := keys{
		"name": func(v *node) {
			if named = true; r.str(v, "provider.name") != "aws" {
				r.elsewhere = true
				r.fail(v.pos, "provider.name must be aws, not %s", v.text)
			}
		},
		"stage": nil, "region": nil, "stackName": nil, // read before
		"runtime":     func(v *node) { r.defaults.runtime = v },
		"memorySize":  func(v *node) { r.defaults.memory = r.memory(v, "provider.memorySize") },
		"timeout":     func(v *node) { r.defaults.timeout = r.timeout(v, "provider.timeout") },
		"environment": func(v *node) { r.env = v },
		"tags":        set(&tags), "stackTags": set(&stackTags),
		"httpApi":    r.providerHTTP,
		"apiGateway": r.providerREST,
		"apiName":    func(v *node) { r.svc.REST.Name = r.value(v, "provider.apiName") },
		"logs":       r.providerLogs,
		"logRetentionInDays": func(v *node) {
			r.svc.LogRetention = r.retention(v, "provider.logRetentionInDays")
		},
		"endpointType":      r.endpointType,
		"layers":            func(v *node) { r.defaults.layers = v },
		"versionFunctions":  func(v *node) { r.defaults.unversioned = !r.boolean(v, "provider.versionFunctions") },
		"architecture":      func(v *node) { r.architecture(v, "provider.architecture") },
		"runtimeManagement": func(v *node) { r.runtimeManagement(v, "provider.runtimeManagement") },
		"tracing":           r.providerTracing,
		"vpc":               func(v *node) { r.defaults.vpc = v },
		"kmsKeyArn":         func(v *node) { r.defaults.key = v },
		"s3":                func(v *node) { r.providerBuckets(v) },
		"stackParameters":   func(v *node) { r.stackParameters(v) },
	}
	for _, f := range n.fields { // whose values may be made of what nobody here knows
		if why, ok := pointless[f.key]; ok {
			known[f.key] = nil
			r.warn(f.pos, "provider.%s has no effect: %s", f.key, why)
		}
	}
	for _, key := range []string{
		"lambdaHashingVersion", "deploymentMethod", "profile", "credentials", "eventBridge", "websocket", "websocketsApiName",
		"websocketsApiRouteSelectionExpression", "websocketsDescription", "kinesis", "alb", "cloudFront", "vpcEndpointIds",
	} { // of the framework's own ways, or of events that are told where they are
		known[key] = nil
	}
	maps.Copy(known, r.providerRoles())
	r.object(n, "provider", known, effects{"rolePermissionsBoundary": unbounded})
	for _, n := range []*node{stackTags, tags} { // the service's win
		if n != nil {
			r.svc.Tags = over(r.svc.Tags, r.tags(n, "provider.tags"))
		}
	}
	if !named && n.kind == object && n.get("name") == nil {
		r.fail(n.pos, `provider.name is missing; write "name: aws"`)
	}
}

// pointless are keys of the provider about what the platform does in its own way.
var pointless = map[string]string{
	"deploymentBucket":        "the platform keeps artifacts itself",
	"deploymentPrefix":        "the platform keeps artifacts itself",
	"disableRollback":         "a deployment is activated whole, or not at all",
	"rollbackConfiguration":   "alarms are not watched during a deployment; to move callers bit by bit, and back when functions fail, use deploymentSettings of a function",
	"stackPolicy":             "a deployment is activated whole; who may deploy is said by IAM policies",
	"notificationArns":        "deployments are not published; `dropstack audit` has them",
	"pruneFunctionVersions":   "the platform removes old versions itself",
	"logDataProtectionPolicy": "records are kept as they are written",
	"deletionProtection":      "nothing but `dropstack remove` removes a stack",
	"ecr":                     "images are neither built nor run",
}

// stackName reads provider.stackName, before anything is named after the stack.
func (r *reader) stackName(n *node) {
	if n.kind != object {
		return
	}
	v := r.vars.resolve(n.get("stackName"))
	if v == nil || v.kind == null || v.kind == broken {
		return
	}
	if r.svc.StackName = r.str(v, "provider.stackName"); !stackNamed.MatchString(r.svc.StackName) {
		r.fail(v.pos, "provider.stackName %q: 1 to 128 letters, digits and -, beginning with a letter", r.svc.StackName)
	}
}

// over is a map with the entries of another over it.
func over(m, top map[string]string) map[string]string {
	if len(m)+len(top) == 0 {
		return nil
	}
	out := map[string]string{}
	maps.Copy(out, m)
	maps.Copy(out, top)
	return out
}

// Retention is for how many days records of a log are kept.
type Retention struct {
	Pos  Pos
	Days int
}

// maxDays is the longest retention that CloudWatch Logs has.
const maxDays = 3653

func (r *reader) retention(n *node, what string) *Retention {
	return &Retention{n.pos, r.integer(n, what, 1, maxDays)}
}
