package spec

import (
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// AccessEvent gives the function what the edge has answered, in the form of the
// records of a Kinesis stream.
type AccessEvent struct {
	ARN       string
	BatchSize int `json:",omitzero"` // 0: not said
	Window    int `json:",omitzero"` // seconds
	Disabled  bool
}

// accessStream reads an event of a stream; nil when it is another than the one there
// is.
func (r *reader) accessStream(n *node, what string) *AccessEvent {
	e := &AccessEvent{}
	named := n
	if n.kind == object && !isIntrinsic(n) {
		named = r.vars.resolve(n.get("arn"))
	}
	if named == nil || !named.scalar() && !isIntrinsic(named) {
		return nil
	}
	e.ARN, _ = r.undeployed(named, what) // the stream of a table or so, which is not deployed
	a, err := arn.Parse(e.ARN)
	if err != nil || a.Service != "kinesis" || a.Account != arn.Account || !strings.HasSuffix(a.Resource, "stream/edge-access") {
		return nil
	}
	if named == n {
		return e
	}
	r.object(n, what, keys{
		"arn": nil, "startingPosition": nil, "startingPositionTimestamp": nil, // what has come before is in the access log
		"functionName": nil,
		"type": func(v *node) {
			if got := r.str(v, what+".type"); got != "kinesis" && v.kind != broken {
				r.fail(v.pos, "%s.type must be kinesis, not %q", what, got)
			}
		},
		"batchSize":   func(v *node) { e.BatchSize = r.integer(v, what+".batchSize", 1, maxBatch) },
		"batchWindow": func(v *node) { e.Window = r.integer(v, what+".batchWindow", 0, maxWindow) },
		"enabled":     func(v *node) { e.Disabled = !r.boolean(v, what+".enabled") },
	}, effects{
		"filterPatterns": "records are given to functions as they come, all of them", "destinations": "a batch that fails is given again",
		"tumblingWindowInSeconds": "nothing would be summed up",
	})
	return e
}
