package topic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Editor changes what a stack declares: the change gets the topics and
// subscriptions of the stack's present revision, which are its own to change, and
// returns those of the next one, which takes effect before EditTopics returns.
// Changes of a stack come one after another. An error of change changes nothing.
type Editor interface {
	EditTopics(ctx context.Context, stack string, change func(topics []Topic, subs []Subscription) ([]Topic, []Subscription, error)) error
}

// apiStack is the stack of what calls of the API made.
const apiStack = "api"

// confirmWithin is how long an endpoint may take to confirm, and to come back.
const confirmWithin = 72 * time.Hour

// Limits of SNS.
const (
	defaultMaxTopics = 100_000
	defaultMaxSubs   = 12_500_000
	maxFilters       = 200 // policies of a topic's subscriptions
	maxTags          = 50
)

// edit changes a stack and forgets, where it is at it, endpoints that never
// confirmed.
func (t *Topics) edit(ctx context.Context, stack string, change func(d *declared) error) error {
	if t.Editor == nil {
		return fault.Errorf(fault.Unavailable, "topics cannot be changed by calls here")
	}
	return t.Editor.EditTopics(ctx, stack, func(topics []Topic, subs []Subscription) ([]Topic, []Subscription, error) {
		d := &declared{slices.Clone(topics), slices.Clone(subs)}
		d.subs = slices.DeleteFunc(d.subs, func(s Subscription) bool { return s.expired() })
		if err := change(d); err != nil {
			return nil, nil, err
		}
		return d.topics, d.subs, nil
	})
}

func (s *Subscription) expired() bool {
	return s.State != "" && !s.Requested.IsZero() && time.Since(s.Requested) > confirmWithin
}

// topic returns the topic of a declaration, nil if it is not there.
func (d *declared) topic(topicARN string) *Topic {
	i := slices.IndexFunc(d.topics, func(t Topic) bool { return t.ARN == topicARN })
	if i < 0 {
		return nil
	}
	return &d.topics[i]
}

func (d *declared) sub(subARN string) *Subscription {
	i := slices.IndexFunc(d.subs, func(s Subscription) bool { return s.ARN == subARN })
	if i < 0 {
		return nil
	}
	return &d.subs[i]
}

// editTopic changes a topic in the stack that declares it.
func (t *Topics) editTopic(ctx context.Context, topicARN string, change func(*Topic) error) error {
	o, err := t.existing("TopicArn", topicARN)
	if err != nil {
		return err
	}
	return t.edit(ctx, o.Stack, func(d *declared) error {
		topic := d.topic(topicARN)
		if topic == nil { // a subscription of the stack is all that names it
			d.topics = append(d.topics, Topic{Stack: o.Stack, Name: o.Name, ARN: topicARN})
			topic = &d.topics[len(d.topics)-1]
		}
		topic.Named = false
		return change(topic)
	})
}

// editSub changes a subscription in the stack that declares it.
func (t *Topics) editSub(ctx context.Context, sub Subscription, change func(*Subscription) error) error {
	return t.edit(ctx, sub.Stack, func(d *declared) error {
		s := d.sub(sub.ARN)
		if s == nil {
			return noSubscription()
		}
		if err := change(s); err != nil {
			return err
		}
		return s.Check()
	})
}

// existing finds a topic; parameter is what the call names it by.
func (t *Topics) existing(parameter, topicARN string) (*open, error) {
	if topicARN == "" {
		return nil, invalid("Invalid parameter: %s Reason: no value for required parameter", parameter)
	}
	if o, ok := t.load().topics[topicARN]; ok {
		return o, nil
	}
	if _, err := nameOf(topicARN); err != nil {
		return nil, invalid("Invalid parameter: %s Reason: %v", parameter, err)
	}
	return nil, fault.Coded(fault.NotFound, "NotFound", "Topic does not exist")
}

// subscription finds one that its endpoint has not left.
func (t *Topics) subscription(subARN string) (Subscription, error) {
	if subARN == "" {
		return Subscription{}, invalid("Invalid parameter: SubscriptionArn Reason: no value for required parameter")
	}
	if sub, ok := t.load().subs[subARN]; ok && sub.listed() {
		return sub, nil
	}
	if _, err := arn.Parse(subARN); err != nil {
		return Subscription{}, invalid("Invalid parameter: SubscriptionArn Reason: %v", err)
	}
	return Subscription{}, noSubscription()
}

func noSubscription() error {
	return fault.Coded(fault.NotFound, "NotFound", "Subscription does not exist")
}

// listed says whether the subscription is one that calls tell of.
func (s *Subscription) listed() bool { return s.State != Left && !s.expired() }

func (t *Topics) region() string { return cmp.Or(t.Region, arn.Region) }
