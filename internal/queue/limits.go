package queue

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Limits of SQS ("Amazon SQS message quotas").
const (
	maxBatch     = 10
	maxMessage   = 1 << 20 // bytes, of a message with its attributes and of a batch
	maxInFlight  = 120_000
	maxFIFO      = 5_000 // messages of a FIFO queue that are looked at ahead
	maxHidden    = 43_200
	maxAttribute = 10 // of a message
)

var (
	queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	entryID   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	groupID   = regexp.MustCompile("^[a-zA-Z0-9!-/:-@\\[-`{-~]{1,128}$")
)

func or(n *int, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return *n
}

func (q *Queue) visibility() int { return or(q.Visibility, 30) }
func (q *Queue) retention() int  { return or(q.Retention, 345_600) }
func (q *Queue) delay() int      { return or(q.Delay, 0) }
func (q *Queue) wait() int       { return or(q.Wait, 0) }
func (q *Queue) maxSize() int    { return or(q.MaxSize, maxMessage) }

// number is an attribute that is a number in a range.
type number struct {
	of     func(*Queue) **int
	lo, hi int
	value  func(*Queue) int
}

var numbers = map[string]number{
	"VisibilityTimeout":             {func(q *Queue) **int { return &q.Visibility }, 0, maxHidden, (*Queue).visibility},
	"MessageRetentionPeriod":        {func(q *Queue) **int { return &q.Retention }, 60, 1_209_600, (*Queue).retention},
	"DelaySeconds":                  {func(q *Queue) **int { return &q.Delay }, 0, 900, (*Queue).delay},
	"ReceiveMessageWaitTimeSeconds": {func(q *Queue) **int { return &q.Wait }, 0, 20, (*Queue).wait},
	"MaximumMessageSize":            {func(q *Queue) **int { return &q.MaxSize }, 1_024, maxMessage, (*Queue).maxSize},
}

// Set changes an attribute, as SetQueueAttributes names it, or says why not.
//
// What is about encryption is kept and given back, for the sake of templates, and
// changes nothing: messages lie on the platform's disk as all its queues do.
func (q *Queue) Set(name, value string) error {
	if n, ok := numbers[name]; ok {
		v, err := strconv.Atoi(value)
		if err != nil || v < n.lo || v > n.hi {
			return badAttribute("%s must be a number from %d to %d, not %q", name, n.lo, n.hi, value)
		}
		*n.of(q) = &v
		return nil
	}
	switch name {
	case "FifoQueue":
		if value != "true" || !strings.HasSuffix(q.Name, fifoSuffix) {
			return badAttribute("FifoQueue is true for queues whose name ends in %s, and cannot be said of others", fifoSuffix)
		}
		q.FIFO = true
	case "ContentBasedDeduplication":
		on, err := strconv.ParseBool(value)
		if err != nil || !q.FIFO {
			return badAttribute("ContentBasedDeduplication is true or false, and of FIFO queues")
		}
		q.ContentDedup = on
	case "RedrivePolicy":
		return q.setRedrive(value)
	case "Policy":
		q.Policy = value
	case "KmsMasterKeyId":
		q.KMSKey = value
	case "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled", "RedriveAllowPolicy":
	case "DeduplicationScope", "FifoThroughputLimit":
		if !q.FIFO {
			return badAttribute("%s is of FIFO queues", name)
		}
		if value == "messageGroup" {
			return badAttribute("%s: ids of duplicates are kept for the whole queue here; leave it out or say queue", name)
		}
	default:
		return fault.Coded(fault.Invalid, "InvalidAttributeName", "Unknown Attribute %s.", name)
	}
	return nil
}

func (q *Queue) setRedrive(value string) error {
	if value == "" {
		q.DeadLetter, q.MaxReceive = "", 0
		return nil
	}
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		Max    json.RawMessage `json:"maxReceiveCount"` // a number, or one in a string
	}
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return badAttribute("RedrivePolicy is not JSON: %v", err)
	}
	count, err := strconv.Atoi(strings.Trim(string(p.Max), `"`))
	if err != nil || count < 1 || count > 1000 {
		return badAttribute("RedrivePolicy: maxReceiveCount must be a number from 1 to 1000")
	}
	if a, err := arn.Parse(p.Target); err != nil || a.Service != "sqs" || strings.HasSuffix(a.Resource, fifoSuffix) != q.FIFO {
		return badAttribute("RedrivePolicy: deadLetterTargetArn %q is not the ARN of a queue of the same kind", p.Target)
	}
	q.DeadLetter, q.MaxReceive = p.Target, count
	return nil
}

// Check refuses a queue that could not be.
func (q *Queue) Check() error {
	bare, fifo := strings.CutSuffix(q.Name, fifoSuffix)
	if !queueName.MatchString(bare) || len(q.Name) > 80 {
		return invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length: %q", q.Name)
	}
	if fifo != q.FIFO {
		return invalid("queue %s: a FIFO queue has a name that ends in %s and FifoQueue true, and no other has", q.Name, fifoSuffix)
	}
	if q.DeadLetter == q.ARN && q.ARN != "" {
		return badAttribute("queue %s cannot be its own dead-letter queue", q.Name)
	}
	for name, n := range numbers {
		if v := *n.of(q); v != nil && (*v < n.lo || *v > n.hi) {
			return badAttribute("%s of queue %s must be from %d to %d, not %d", name, q.Name, n.lo, n.hi, *v)
		}
	}
	return nil
}

// Check refuses a mapping that could not be.
func (m *Mapping) Check() error {
	a, err := arn.Parse(m.Source)
	switch {
	case err != nil || a.Service != "sqs":
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "event source %q is not the ARN of a queue; other sources are not polled here", m.Source)
	case m.Function == "":
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "the mapping of %s names no function", m.Source)
	case m.BatchSize < 0 || m.BatchSize > 10_000 || m.BatchSize > maxBatch && strings.HasSuffix(a.Resource, fifoSuffix):
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "batch size %d must be from 1 to 10000, of a FIFO queue to 10", m.BatchSize)
	case m.Window < 0 || m.Window > 300:
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "batching window %d must be from 0 to 300 seconds", m.Window)
	case m.BatchSize > maxBatch && m.Window == 0:
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "batch size %d needs a batching window of at least 1 second", m.BatchSize)
	case m.MaxConcurrency != 0 && (m.MaxConcurrency < 2 || m.MaxConcurrency > 1000):
		return fault.Coded(fault.Invalid, "InvalidParameterValueException", "maximum concurrency %d must be from 2 to 1000", m.MaxConcurrency)
	}
	return nil
}

func (m *Mapping) batch() int { return cmp.Or(m.BatchSize, maxBatch) }

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidParameterValue", format, args...)
}

func badAttribute(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "InvalidAttributeValue", format, args...)
}
