package spec

import (
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// Queue is an AWS::SQS::Queue. Numbers are in seconds unless they say otherwise;
// where they are nil, nothing is said.
type Queue struct {
	Pos                                         Pos
	LogicalID                                   string
	Name                                        string
	FIFO                                        bool
	ContentDedup                                bool
	Visibility, Retention, Delay, Wait, MaxSize *int
	DeadLetter                                  string // ARN of a queue
	MaxReceive                                  int    `json:",omitzero"`
	Policy                                      Policy // without a Document: none
	KMSKey                                      string
	Tags                                        map[string]string
}

// SQSEvent polls a queue for the function.
type SQSEvent struct {
	ARN            string
	BatchSize      int `json:",omitzero"` // 0: not said
	Window         int `json:",omitzero"` // seconds
	Disabled       bool
	Filters        []Filter
	ReportFailures bool
	MaxConcurrency int `json:",omitzero"` // 0: not bounded
}

// Filter is a pattern that messages must match, and its place.
type Filter struct {
	Pos     Pos
	Pattern string // JSON
}

// Limits of SQS and of what polls it.
const (
	maxBatch                   = 10_000
	maxFIFOBatch               = 10
	maxWindow                  = 300 // seconds
	minConcurrent              = 2
	minRetention, maxRetention = 60, 14 * 24 * 3600
	minMessage, maxMessage     = 1 << 10, 1 << 20 // bytes
)

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func queueResource(region, name string) resource {
	a := arn.Queue(region, name)
	url := "https://sqs." + region + ".amazonaws.com/" + arn.Account + "/" + name
	return resource{name, url, map[string]string{"Arn": a, "QueueName": name, "QueueUrl": url}}
}

// queueARN reads what must be the ARN of a queue.
func (r *reader) queueARN(n *node, what string) string {
	target := r.value(n, what)
	if a, err := arn.Parse(target); target != "" && (err != nil || a.Service != "sqs") {
		r.fail(n.pos, "%s must be the ARN of a queue, such as {Fn::GetAtt: [Queue, Arn]}, not %q", what, target)
	}
	return target
}

// sqs reads an event of a queue: its ARN, or a map.
func (r *reader) sqs(n *node, what string) *SQSEvent {
	e := &SQSEvent{}
	pos := n.pos
	if n.scalar() || isIntrinsic(n) {
		e.ARN = r.queueARN(n, what)
	} else {
		r.object(n, what, keys{
			"arn":                   func(v *node) { e.ARN, pos = r.queueARN(v, what+".arn"), v.pos },
			"batchSize":             func(v *node) { e.BatchSize = r.integer(v, what+".batchSize", 1, maxBatch) },
			"maximumBatchingWindow": func(v *node) { e.Window = r.integer(v, what+".maximumBatchingWindow", 0, maxWindow) },
			"enabled":               func(v *node) { e.Disabled = !r.boolean(v, what+".enabled") },
			"functionResponseType": func(v *node) {
				r.choice(v, what+".functionResponseType", "ReportBatchItemFailures")
				e.ReportFailures = true
			},
			"filterPatterns": func(v *node) {
				r.each(v, what+".filterPatterns", func(v *node) {
					if r.is(v, object, what+".filterPatterns") {
						e.Filters = append(e.Filters, Filter{v.pos, r.text(r.jsonOf(v, what), v, what)})
					}
				})
			},
			"maximumConcurrency": func(v *node) {
				e.MaxConcurrency = r.integer(v, what+".maximumConcurrency", minConcurrent, maxConcurrency)
			},
		}, effects{})
	}
	fifo := strings.HasSuffix(e.ARN, ".fifo")
	switch {
	case e.ARN == "":
		if n.kind == object && n.get("arn") == nil && !isIntrinsic(n) {
			r.fail(n.pos, "%s.arn is missing", what)
		}
		return nil
	case fifo && e.BatchSize > maxFIFOBatch:
		r.fail(pos, "%s: a FIFO queue gives at most %d messages at once, not %d", what, maxFIFOBatch, e.BatchSize)
	case fifo && e.Window > 0:
		r.fail(pos, "%s.maximumBatchingWindow does not go with a FIFO queue", what)
	case !fifo && e.BatchSize > maxFIFOBatch && e.Window == 0:
		r.fail(pos, "%s: batches of more than %d messages need a maximumBatchingWindow of at least 1", what, maxFIFOBatch)
	}
	return e
}

// nameQueue makes an AWS::SQS::Queue known to Ref and Fn::GetAtt; what it refers to
// is read when everything has a name.
func (r *reader) nameQueue(f field, n *node) {
	what := "resource " + f.key
	props := r.vars.resolve(n.get("Properties"))
	q := Queue{Pos: f.pos, LogicalID: f.key}
	pos := f.pos
	if props != nil && props.kind == object {
		if v := r.vars.resolve(props.get("FifoQueue")); v != nil && v.kind != null {
			q.FIFO = r.boolean(v, what+".FifoQueue")
		}
		if v := r.vars.resolve(props.get("QueueName")); v != nil && v.kind != null {
			q.Name, pos = r.value(v, what+".QueueName"), v.pos
		}
	}
	if q.Name == "" {
		if q.Name = r.svc.Stack() + "-" + f.key; q.FIFO {
			q.Name += ".fifo"
		}
	}
	bare, ends := strings.CutSuffix(q.Name, ".fifo")
	if !queueName.MatchString(bare) || ends != q.FIFO {
		r.fail(pos, "queue %q: 1 to 80 letters, digits, _ and -, and .fifo at the end with FifoQueue: true only", q.Name)
	}
	r.names[f.key] = queueResource(r.svc.Region, q.Name)
	i := len(r.svc.Queues)
	r.svc.Queues = append(r.svc.Queues, q)
	r.later = append(r.later, func() { r.queue(&r.svc.Queues[i], n, what) })
}

func (r *reader) queue(q *Queue, n *node, what string) {
	number := func(into **int, key string, lo, hi int) func(*node) {
		return func(v *node) { *into = new(r.integer(v, what+"."+key, lo, hi)) }
	}
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"QueueName": nil, "FifoQueue": nil, // read before
			// Everything is encrypted, and any queue may be a dead-letter queue.
			"SqsManagedSseEnabled": nil, "KmsDataKeyReusePeriodSeconds": nil, "RedriveAllowPolicy": nil,
			"DeduplicationScope": nil, "FifoThroughputLimit": nil,
			"ContentBasedDeduplication":     func(v *node) { q.ContentDedup = r.boolean(v, what+".ContentBasedDeduplication") },
			"VisibilityTimeout":             number(&q.Visibility, "VisibilityTimeout", 0, 12*3600),
			"MessageRetentionPeriod":        number(&q.Retention, "MessageRetentionPeriod", minRetention, maxRetention),
			"DelaySeconds":                  number(&q.Delay, "DelaySeconds", 0, 900),
			"ReceiveMessageWaitTimeSeconds": number(&q.Wait, "ReceiveMessageWaitTimeSeconds", 0, 20),
			"MaximumMessageSize":            number(&q.MaxSize, "MaximumMessageSize", minMessage, maxMessage),
			"KmsMasterKeyId":                func(v *node) { q.KMSKey = r.value(v, what+".KmsMasterKeyId") },
			"Tags":                          func(v *node) { q.Tags = r.topicTags(v, what+".Tags") },
			"RedrivePolicy":                 func(v *node) { r.redrive(q, v, what+".RedrivePolicy") },
		}, effects{})
	})
}

// redrive reads where messages go that could not be handled: a map, or its JSON.
func (r *reader) redrive(q *Queue, n *node, what string) {
	if n.kind == text {
		parsed, problems := parse(n.pos.File, []byte(n.text))
		if len(problems) > 0 || parsed.kind != object {
			r.fail(n.pos, "%s is neither a map nor the JSON of one", what)
			return
		}
		for i := range parsed.fields {
			parsed.fields[i].pos, parsed.fields[i].value.pos = n.pos, n.pos
		}
		parsed.pos, n = n.pos, parsed
	}
	r.object(n, what, keys{
		"deadLetterTargetArn": func(v *node) { q.DeadLetter = r.queueARN(v, what+".deadLetterTargetArn") },
		"maxReceiveCount":     func(v *node) { q.MaxReceive = r.integer(v, what+".maxReceiveCount", 1, 1000) },
	}, effects{})
	if n.kind == object && (n.get("deadLetterTargetArn") == nil || n.get("maxReceiveCount") == nil) {
		r.fail(n.pos, "%s wants deadLetterTargetArn and maxReceiveCount", what)
	}
}

// queuePolicy reads an AWS::SQS::QueuePolicy for queues of this service.
func (r *reader) queuePolicy(f field, n *node) {
	what := "resource " + f.key
	var policy *node
	var queues []*node
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"PolicyDocument": set(&policy),
			"Queues":         func(v *node) { r.each(v, what+".Queues", func(v *node) { queues = append(queues, v) }) },
		}, effects{})
	})
	if policy == nil || len(queues) == 0 {
		r.fail(f.pos, "%s wants a PolicyDocument and Queues", what)
		return
	}
	doc := r.document(policy, f.key, what+".PolicyDocument")
	for _, v := range queues {
		url := r.value(v, what+".Queues")
		i := slices.IndexFunc(r.svc.Queues, func(q Queue) bool { return strings.HasSuffix(url, "/"+arn.Account+"/"+q.Name) || url == q.Name })
		if i >= 0 {
			r.svc.Queues[i].Policy = doc
		} else if url != "" {
			r.fail(v.pos, "%s: %q is none of this service's queues", what, url)
		}
	}
}
