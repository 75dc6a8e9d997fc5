package cloudformation

import (
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/queue"
)

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// sqsQueue is AWS::SQS::Queue.
func sqsQueue(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	fifo := in.flag("FifoQueue")
	name := in.text("QueueName")
	if name == "" {
		name = strings.TrimSuffix(lastPart(p.name(r, "", 75)), ".fifo")
		if fifo {
			name += ".fifo"
		}
	}
	bare, ends := strings.CutSuffix(name, ".fifo")
	if ends != fifo || !queueName.MatchString(bare) {
		in.fail("QueueName", "%q must be 1 to 80 letters, digits, - and _, and end in .fifo if FifoQueue is true, else not", name)
	}
	q := queue.Queue{
		Stack: p.stack, Name: name, ARN: p.arn("sqs", name), FIFO: fifo, ContentDedup: in.flag("ContentBasedDeduplication"),
		Visibility: in.number("VisibilityTimeout", 0, 43200), Retention: in.number("MessageRetentionPeriod", 60, 1209600),
		Delay: in.number("DelaySeconds", 0, 900), Wait: in.number("ReceiveMessageWaitTimeSeconds", 0, 20),
		MaxSize: in.number("MaximumMessageSize", 1024, 1048576), KMSKey: in.text("KmsMasterKeyId"), Tags: in.tags("Tags"),
	}
	in.redrive(&q)
	if err := q.Check(); err != nil && len(in.wrong) == 0 {
		in.fail("QueueName", "%v", err)
	}
	in.known("SqsManagedSseEnabled", "KmsDataKeyReusePeriodSeconds", "DeduplicationScope", "FifoThroughputLimit", "RedriveAllowPolicy")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Queues = append(p.revision.Queues, q)
	url := cmp.Or(p.endpoint, "https://sqs."+p.region+".amazonaws.com") + "/" + arn.Account + "/" + name
	return Identity{Physical: url, Attributes: map[string]string{"Arn": q.ARN, "QueueName": name, "QueueUrl": url}}, nil
}

// redrive reads where messages go that could not be handled.
func (p *properties) redrive(q *queue.Queue) {
	text := p.json("RedrivePolicy")
	if text == "" {
		return
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		p.fail("RedrivePolicy", "it must be a map with deadLetterTargetArn and maxReceiveCount")
		return
	}
	in := p.below(p.path+"RedrivePolicy.", values)
	in.need("deadLetterTargetArn", "maxReceiveCount")
	q.DeadLetter, q.MaxReceive = in.text("deadLetterTargetArn"), in.numberOr("maxReceiveCount", 1, 1000, 0)
	if a, err := arn.Parse(q.DeadLetter); q.DeadLetter != "" && (err != nil || a.Service != "sqs") {
		in.fail("deadLetterTargetArn", "%q is not the ARN of a queue", q.DeadLetter)
	}
}

// sqsQueuePolicy is AWS::SQS::QueuePolicy, and AWS::SQS::QueueInlinePolicy.
func sqsQueuePolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("PolicyDocument")
	doc, queues, property := in.document("PolicyDocument", policy.Resource), in.texts("Queues"), "Queues"
	if one := in.text("Queue"); one != "" {
		queues, property = []string{one}, "Queue"
	}
	for _, url := range queues {
		i := slices.IndexFunc(p.revision.Queues, func(q queue.Queue) bool { return q.Name == lastPart(url) })
		if i < 0 {
			in.fail(property, "%s is none of this template's queues", url)
			continue
		}
		p.revision.Queues[i].Policy = doc
	}
	return Identity{Physical: p.fixed(r, 16), Attributes: map[string]string{"Id": p.fixed(r, 16)}}, in.done(p)
}
