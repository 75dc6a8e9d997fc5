package spec

import (
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Limits of asynchronous invocations.
const (
	minEventAge, maxEventAge = 60, 21600 // seconds
	maxRetries               = 2
)

// Provisioned is the alias that a function with provisionedConcurrency gets, and
// that its events call, as the Serverless Framework names it.
const Provisioned = "provisioned"

func (r *reader) onError(n *node, what string) string {
	target := r.value(n, what)
	if target != "" && !strings.HasPrefix(target, "arn:aws:sns:") && !strings.HasPrefix(target, "arn:aws:sqs:") {
		r.fail(n.pos, "%s must be the ARN of a topic or a queue, such as {Ref: Topic} or {Fn::GetAtt: [Queue, Arn]}, not %q", what, target)
	}
	return target
}

// destinations reads where results of asynchronous invocations go.
func (r *reader) destinations(fn *Function, n *node, what string) {
	r.object(n, what, keys{
		"onSuccess": func(v *node) { fn.OnSuccess = r.destination(v, what+".onSuccess") },
		"onFailure": func(v *node) { fn.OnFailure = r.destination(v, what+".onFailure") },
	}, effects{})
}

// destinationKinds are the types of a destination, by the service in its ARN.
var destinationKinds = map[string]string{"lambda": "function", "sns": "sns", "sqs": "sqs", "events": "eventBus"}

// destination is an ARN, the key of a function of this service, or {type, arn}.
func (r *reader) destination(n *node, what string) string {
	var kind, target string
	switch {
	case n.kind == object && !isIntrinsic(n):
		r.object(n, what, keys{
			"type": func(v *node) {
				if kind = r.str(v, what+".type"); !slices.Contains([]string{"function", "sns", "sqs", "eventBus"}, kind) && v.kind != broken {
					r.fail(v.pos, "%s.type must be function, sns, sqs or eventBus, not %q", what, kind)
				}
			},
			"arn": func(v *node) { target = r.value(v, what+".arn") },
		}, effects{})
		for _, key := range []string{"type", "arn"} {
			if n.get(key) == nil {
				r.fail(n.pos, "%s.%s is missing", what, key)
			}
		}
	default:
		target = r.value(n, what)
		if own, ok := r.targets[target]; ok {
			return own
		}
	}
	if target == "" {
		return ""
	}
	a, err := arn.Parse(target)
	if err != nil || destinationKinds[a.Service] == "" {
		r.fail(n.pos, "%s: %q is neither a function of this service nor the ARN of a function, a topic or a queue", what, target)
		return ""
	}
	if is := destinationKinds[a.Service]; kind != "" && kind != is {
		r.fail(n.pos, "%s: type %s does not go with %s", what, kind, target)
	}
	if a.Service == "events" {
		r.fail(n.pos, "%s: event buses are not supported yet: results would get lost; use a function or a topic", what)
	}
	return target
}

// provisioned reads provisionedConcurrency: a number, or {executions, alias}.
func (r *reader) provisioned(n *node, what string) int {
	if n.kind != object {
		return r.integer(n, what, 0, maxConcurrency)
	}
	count := 0
	r.object(n, what, keys{
		"executions": func(v *node) { count = r.integer(v, what+".executions", 0, maxConcurrency) },
		"alias": func(v *node) {
			if alias := r.str(v, what+".alias"); alias != Provisioned && v.kind != broken {
				r.fail(v.pos, "%s.alias %q is not supported yet: the alias is called %s; remove the key", what, alias, Provisioned)
			}
		},
	}, effects{})
	if n.get("executions") == nil {
		r.fail(n.pos, "%s.executions is missing", what)
	}
	return count
}

// isProvisioned looks ahead at provisionedConcurrency, before a function is read.
func (r *reader) isProvisioned(n *node) bool {
	v := r.vars.resolve(n.get("provisionedConcurrency"))
	if v != nil && v.kind == object {
		v = r.vars.resolve(v.get("executions"))
	}
	return v != nil && v.scalar() && v.text != "0"
}
