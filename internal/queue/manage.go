package queue

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// apiStack is the stack of what calls of the API made.
const apiStack = "api"

// CreateQueueInput makes a queue.
type CreateQueueInput struct {
	QueueName  string
	Attributes map[string]string `json:",omitempty" query:"Attribute,Name,Value"`
	Tags       map[string]string `json:"tags,omitempty" query:"Tag,Key,Value"`
}

// QueueURL names a queue.
type QueueURL struct{ QueueUrl string }

// CreateQueue makes a queue; one that is there already with the same attributes is
// no error.
func (q *Queues) CreateQueue(ctx context.Context, in CreateQueueInput) (QueueURL, error) {
	queue := Queue{Name: in.QueueName, ARN: ARN(q.Region, in.QueueName), Tags: in.Tags, Created: time.Now().UTC()}
	queue.Modified = queue.Created
	out := QueueURL{q.URL(in.QueueName)}
	for _, name := range first(slices.Sorted(maps.Keys(in.Attributes)), "FifoQueue") {
		if err := queue.Set(name, in.Attributes[name]); err != nil {
			return out, err
		}
	}
	if err := queue.Check(); err != nil {
		return out, err
	}
	if o, err := q.find(queue.ARN); err == nil {
		have := o.get()
		for name, value := range in.Attributes {
			if got := attribute(have, name); got != value && !slices.Contains(notCompared, name) {
				return out, fault.Coded(fault.Conflict, "QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", name)
			}
		}
		return out, nil
	}
	return out, q.edit(ctx, apiStack, func(d *declared) error {
		if !slices.ContainsFunc(d.queues, func(other Queue) bool { return other.ARN == queue.ARN }) { // by a call at the same time
			d.queues = append(d.queues, queue)
		}
		return nil
	})
}

// notCompared are attributes that are written in more than one way, or that a queue
// does not keep.
var notCompared = []string{"RedrivePolicy", "Policy", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "RedriveAllowPolicy"}

// first puts a name at the beginning of a list that has it: what it says decides
// about others.
func first(names []string, name string) []string {
	if i := slices.Index(names, name); i > 0 {
		names = append([]string{name}, slices.Delete(names, i, i+1)...)
	}
	return names
}

func (q *Queues) edit(ctx context.Context, stack string, change func(*declared) error) error {
	if q.Editor == nil {
		return fault.Errorf(fault.Unavailable, "queues cannot be changed by calls here")
	}
	return q.Editor.EditQueues(ctx, stack, func(queues []Queue, mappings []Mapping) ([]Queue, []Mapping, error) {
		d := &declared{queues, mappings}
		if err := change(d); err != nil {
			return nil, nil, err
		}
		return d.queues, d.mappings, nil
	})
}

func (q *Queues) editQueue(ctx context.Context, url string, change func(*Queue) error) error {
	o, err := q.at(url)
	if err != nil {
		return err
	}
	queue := o.get()
	return q.edit(ctx, queue.Stack, func(d *declared) error {
		i := slices.IndexFunc(d.queues, func(other Queue) bool { return other.ARN == queue.ARN })
		if i < 0 {
			return fault.Coded(fault.NotFound, "QueueDoesNotExist", "The specified queue does not exist: %s", queue.ARN)
		}
		d.queues[i].Modified = time.Now().UTC()
		return change(&d.queues[i])
	})
}

// DeleteQueue deletes a queue with everything in it.
func (q *Queues) DeleteQueue(ctx context.Context, in QueueURL) (struct{}, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return struct{}{}, err
	}
	queue := o.get()
	return struct{}{}, q.edit(ctx, queue.Stack, func(d *declared) error {
		d.queues = slices.DeleteFunc(d.queues, func(other Queue) bool { return other.ARN == queue.ARN })
		return nil
	})
}

// GetQueueUrlInput names a queue.
type GetQueueUrlInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string `json:",omitempty"`
}

// GetQueueUrl finds the address of a queue.
func (q *Queues) GetQueueUrl(_ context.Context, in GetQueueUrlInput) (QueueURL, error) {
	if in.QueueOwnerAWSAccountId != "" && in.QueueOwnerAWSAccountId != arn.Account {
		return QueueURL{}, fault.Coded(fault.NotFound, "QueueDoesNotExist", "The specified queue does not exist: the only account here is %s", arn.Account)
	}
	_, err := q.find(ARN(q.Region, in.QueueName))
	return QueueURL{q.URL(in.QueueName)}, err
}

// ListQueuesInput filters queues by how their names begin.
type ListQueuesInput struct {
	QueueNamePrefix string `json:",omitempty"`
	MaxResults      *int   `json:",omitempty"` // 1-1,000
	NextToken       string `json:",omitempty"`
}

// ListQueuesOutput is a page of addresses.
type ListQueuesOutput struct {
	QueueUrls []string `json:",omitempty" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

// ListQueues lists the addresses of queues by name.
func (q *Queues) ListQueues(_ context.Context, in ListQueuesInput) (out ListQueuesOutput, err error) {
	most := or(in.MaxResults, 1000)
	if most < 1 || most > 1000 {
		return out, invalid("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and 1000", most)
	}
	var names []string
	for _, o := range q.load().queues {
		if name := o.get().Name; strings.HasPrefix(name, in.QueueNamePrefix) && name > in.NextToken {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) > most {
		names = names[:most]
		if in.MaxResults != nil {
			out.NextToken = names[most-1]
		}
	}
	for _, name := range names {
		out.QueueUrls = append(out.QueueUrls, q.URL(name))
	}
	return out, nil
}

// GetQueueAttributesInput asks for attributes by name, or All.
type GetQueueAttributesInput struct {
	QueueUrl       string
	AttributeNames []string `json:",omitempty" query:"AttributeName"`
}

// QueueAttributes are attributes by name.
type QueueAttributes struct {
	Attributes map[string]string `json:",omitempty" query:"Attribute,Name,Value"`
}

var attributeNames = []string{
	"QueueArn", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
	"CreatedTimestamp", "LastModifiedTimestamp", "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod", "DelaySeconds",
	"ReceiveMessageWaitTimeSeconds", "Policy", "RedrivePolicy", "KmsMasterKeyId", "SqsManagedSseEnabled", "FifoQueue",
	"ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
}

// GetQueueAttributes says what a queue is like, and how full.
func (q *Queues) GetQueueAttributes(ctx context.Context, in GetQueueAttributesInput) (QueueAttributes, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return QueueAttributes{}, err
	}
	out := QueueAttributes{map[string]string{}}
	queue := o.get()
	if queue.Created.IsZero() { // a stack declares it: it is as old as what it is kept in
		queue.Created = o.stream.CachedInfo().Created
		queue.Modified = queue.Created
	}
	names := in.AttributeNames
	if slices.Contains(names, "All") {
		names = attributeNames
	}
	for _, name := range names {
		if !slices.Contains(attributeNames, name) {
			return out, fault.Coded(fault.Invalid, "InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		if strings.HasPrefix(name, "Approximate") {
			continue
		}
		if value := attribute(queue, name); value != "" {
			out.Attributes[name] = value
		}
	}
	if !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "Approximate") }) {
		return out, nil
	}
	counts, err := o.count(ctx)
	for name, n := range counts {
		if slices.Contains(names, name) {
			out.Attributes[name] = strconv.Itoa(n)
		}
	}
	return out, err
}

// attribute is one of those that do not change by themselves.
func attribute(queue Queue, name string) string {
	if n, ok := numbers[name]; ok {
		return strconv.Itoa(n.value(&queue))
	}
	fifo := func(value string) string {
		if !queue.FIFO {
			return ""
		}
		return value
	}
	switch name {
	case "QueueArn":
		return queue.ARN
	case "CreatedTimestamp":
		return strconv.FormatInt(queue.Created.Unix(), 10)
	case "LastModifiedTimestamp":
		return strconv.FormatInt(queue.Modified.Unix(), 10)
	case "Policy":
		return queue.Policy
	case "KmsMasterKeyId":
		return queue.KMSKey
	case "SqsManagedSseEnabled":
		return strconv.FormatBool(queue.KMSKey == "")
	case "FifoQueue":
		return fifo("true")
	case "ContentBasedDeduplication":
		return fifo(strconv.FormatBool(queue.ContentDedup))
	case "DeduplicationScope":
		return fifo("queue")
	case "FifoThroughputLimit":
		return fifo("perQueue")
	case "RedrivePolicy":
		if queue.DeadLetter != "" {
			return `{"deadLetterTargetArn":"` + queue.DeadLetter + `","maxReceiveCount":` + strconv.Itoa(queue.MaxReceive) + `}`
		}
	}
	return ""
}

// count says how many messages a queue has.
func (o *open) count(ctx context.Context) (map[string]int, error) {
	info, err := o.stream.Info(ctx)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "count the messages of queue %s: %w", o.get().Name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	flying, delayed := 0, 0
	for _, h := range o.held {
		if h.receipt != "" {
			flying++
		}
	}
	for seq, p := range o.past {
		if p.putOff > 0 && p.first.IsZero() && o.held[seq] == nil {
			delayed++
		}
	}
	for _, g := range o.groups {
		for _, h := range g.waiting {
			if !h.until.IsZero() {
				delayed++
			}
		}
	}
	return map[string]int{
		"ApproximateNumberOfMessages":           max(int(info.State.Msgs)-flying-delayed, 0),
		"ApproximateNumberOfMessagesNotVisible": flying, "ApproximateNumberOfMessagesDelayed": delayed,
	}, nil
}

// SetQueueAttributesInput changes attributes.
type SetQueueAttributesInput struct {
	QueueUrl   string
	Attributes map[string]string `query:"Attribute,Name,Value"`
}

// SetQueueAttributes changes what a queue is like.
func (q *Queues) SetQueueAttributes(ctx context.Context, in SetQueueAttributesInput) (struct{}, error) {
	return struct{}{}, q.editQueue(ctx, in.QueueUrl, func(queue *Queue) error {
		for name, value := range in.Attributes {
			if name == "FifoQueue" {
				return badAttribute("FifoQueue cannot be changed")
			}
			if err := queue.Set(name, value); err != nil {
				return err
			}
		}
		return queue.Check()
	})
}

// PurgeQueue deletes every message of a queue.
func (q *Queues) PurgeQueue(ctx context.Context, in QueueURL) (struct{}, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return struct{}{}, err
	}
	info, err := o.stream.Info(ctx)
	last := uint64(0)
	if err == nil && info.State.LastSeq > 0 {
		last = info.State.LastSeq
		err = o.stream.Purge(ctx, jetstream.WithPurgeSequence(last+1)) // what is sent meanwhile stays
	}
	if err != nil {
		return struct{}{}, fault.Errorf(fault.Unavailable, "purge queue %s: %w", o.get().Name, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget(last)
	return struct{}{}, nil
}

// TagQueueInput puts tags on a queue.
type TagQueueInput struct {
	QueueUrl string
	Tags     map[string]string `query:"Tag,Key,Value"`
}

// TagQueue puts tags on a queue, over those of the same key.
func (q *Queues) TagQueue(ctx context.Context, in TagQueueInput) (struct{}, error) {
	return struct{}{}, q.editQueue(ctx, in.QueueUrl, func(queue *Queue) error {
		if queue.Tags == nil {
			queue.Tags = map[string]string{}
		}
		maps.Copy(queue.Tags, in.Tags)
		if len(queue.Tags) > 50 {
			return invalid("Too many tags added for queue %s.", queue.Name)
		}
		return nil
	})
}

// UntagQueueInput takes tags off a queue.
type UntagQueueInput struct {
	QueueUrl string
	TagKeys  []string `query:"TagKey"`
}

// UntagQueue takes tags off a queue.
func (q *Queues) UntagQueue(ctx context.Context, in UntagQueueInput) (struct{}, error) {
	return struct{}{}, q.editQueue(ctx, in.QueueUrl, func(queue *Queue) error {
		for _, key := range in.TagKeys {
			delete(queue.Tags, key)
		}
		return nil
	})
}

// QueueTags are the tags of a queue.
type QueueTags struct {
	Tags map[string]string `json:",omitempty" query:"Tag,Key,Value"`
}

// ListQueueTags lists the tags of a queue.
func (q *Queues) ListQueueTags(_ context.Context, in QueueURL) (QueueTags, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return QueueTags{}, err
	}
	return QueueTags{o.get().Tags}, nil
}

// SourcesOutput are the queues whose dead letters go to another.
type SourcesOutput struct {
	QueueUrls []string `json:"queueUrls" query:"QueueUrl"`
	NextToken string   `json:",omitempty"`
}

// ListDeadLetterSourceQueues lists the queues whose dead letters go to a queue.
func (q *Queues) ListDeadLetterSourceQueues(_ context.Context, in QueueURL) (SourcesOutput, error) {
	o, err := q.at(in.QueueUrl)
	out := SourcesOutput{QueueUrls: []string{}}
	if err != nil {
		return out, err
	}
	for _, other := range q.load().queues {
		if other.get().DeadLetter == o.get().ARN {
			out.QueueUrls = append(out.QueueUrls, q.URL(other.get().Name))
		}
	}
	slices.Sort(out.QueueUrls)
	return out, nil
}
