package topic

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
	"sort"
	"strconv"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// CreateTopicInput names a topic and its attributes.
type CreateTopicInput struct {
	Name                 string
	Attributes           map[string]string
	Tags                 []Tag
	DataProtectionPolicy string
}

// CreateTopicOutput names the topic as other calls do.
type CreateTopicOutput struct {
	TopicArn string
}

// CreateTopic makes a topic, or finds the one of that name if its attributes are
// those that are asked for.
func (t *Topics) CreateTopic(ctx context.Context, in CreateTopicInput) (CreateTopicOutput, error) {
	if err := CheckName(in.Name); err != nil {
		return CreateTopicOutput{}, invalid("Invalid parameter: Topic Name Reason: %v", err)
	}
	if in.DataProtectionPolicy != "" {
		return CreateTopicOutput{}, invalid("Invalid parameter: DataProtectionPolicy Reason: messages are not looked into here")
	}
	want := Topic{Name: in.Name, ARN: arn.Topic(t.region(), in.Name), Stack: apiStack}
	if err := setAll(in.Attributes, func(name, value string) error { return t.set(&want, name, value) }); err != nil {
		return CreateTopicOutput{}, inAttributes(err)
	}
	if err := want.tag(in.Tags); err != nil {
		return CreateTopicOutput{}, err
	}
	out := CreateTopicOutput{want.ARN}
	if o, ok := t.load().topics[want.ARN]; ok && !o.Named {
		return out, o.agrees(&want, len(in.Tags) > 0)
	}
	if limit := or(t.MaxTopics, defaultMaxTopics); len(t.load().topics) >= limit {
		return out, fault.Coded(fault.Throttled, "TopicLimitExceeded", "There are %d topics already, which is the limit.", limit)
	}
	err := t.edit(ctx, apiStack, func(d *declared) error {
		have := d.topic(want.ARN)
		switch {
		case have == nil:
			d.topics = append(d.topics, want)
		case have.Named:
			*have = want
		default: // made meanwhile
			return have.agrees(&want, len(in.Tags) > 0)
		}
		return nil
	})
	return out, err
}

// agrees is an error unless the topic has all that is asked for.
func (t *Topic) agrees(want *Topic, tagged bool) error {
	have := t.attributes()
	for name, value := range want.changed() {
		if have[name] != value && !(name == attrSignatureVersion && value == "1" && t.SignatureVersion == "") {
			return invalid("Invalid parameter: Attributes Reason: Topic already exists with different attributes")
		}
	}
	if tagged && !maps.Equal(t.Tags, want.Tags) {
		return invalid("Invalid parameter: Tags Reason: Topic already exists with different tags")
	}
	return nil
}

func or(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// TopicInput names a topic.
type TopicInput struct {
	TopicArn string
}

// DeleteTopic takes a topic away with its subscriptions, from every stack that
// names it; one that does not exist is gone already. When it fails halfway, the
// next call completes it. A stack's next deployment makes it again.
func (t *Topics) DeleteTopic(ctx context.Context, in TopicInput) (struct{}, error) {
	if _, err := nameOf(in.TopicArn); err != nil {
		return struct{}{}, invalid("Invalid parameter: TopicArn Reason: %v", err)
	}
	stacks := t.load().stacks
	for _, stack := range slices.Sorted(maps.Keys(stacks)) {
		d := stacks[stack]
		if d.topic(in.TopicArn) == nil {
			continue
		}
		err := t.edit(ctx, stack, func(d *declared) error {
			d.topics = slices.DeleteFunc(d.topics, func(t Topic) bool { return t.ARN == in.TopicArn })
			d.subs = slices.DeleteFunc(d.subs, func(s Subscription) bool { return s.Topic == in.TopicArn })
			return nil
		})
		if err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// perPage is what SNS lists at once.
const perPage = 100

// page cuts the page after a token out of a list in the order of its keys, and
// returns the token of the next, "" if there is none. A token is the last key.
func page[T any](list []T, key func(T) string, token string) (part []T, next string, err error) {
	after, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, "", invalid("Invalid parameter: NextToken Reason: it is not one that this call returned")
	}
	first := sort.Search(len(list), func(i int) bool { return key(list[i]) > string(after) })
	part = list[first:]
	if len(part) > perPage {
		part = part[:perPage]
		next = base64.RawURLEncoding.EncodeToString([]byte(key(part[perPage-1])))
	}
	return part, next, nil
}

// ListTopicsInput asks for a page.
type ListTopicsInput struct {
	NextToken string
}

// ListTopicsOutput is a page of topics.
type ListTopicsOutput struct {
	Topics    []TopicEntry
	NextToken string `json:",omitempty"`
}

// TopicEntry is a line of a list.
type TopicEntry struct {
	TopicArn string
}

// ListTopics lists the topics of all stacks by ARN.
func (t *Topics) ListTopics(_ context.Context, in ListTopicsInput) (out ListTopicsOutput, err error) {
	part, next, err := page(t.List(), func(t Topic) string { return t.ARN }, in.NextToken)
	out.NextToken = next
	for _, topic := range part {
		out.Topics = append(out.Topics, TopicEntry{topic.ARN})
	}
	return out, err
}

// AttributesOutput are attributes by name.
type AttributesOutput struct {
	Attributes map[string]string
}

// GetTopicAttributes tells all of a topic.
func (t *Topics) GetTopicAttributes(_ context.Context, in TopicInput) (AttributesOutput, error) {
	o, err := t.existing("TopicArn", in.TopicArn)
	if err != nil {
		return AttributesOutput{}, err
	}
	all := o.attributes()
	confirmed, pending := 0, 0
	for _, sub := range t.subscriptionsOf(in.TopicArn) {
		if sub.State == Pending {
			pending++
		} else {
			confirmed++
		}
	}
	all["SubscriptionsConfirmed"], all["SubscriptionsPending"] = strconv.Itoa(confirmed), strconv.Itoa(pending)
	all["SubscriptionsDeleted"] = "0" // of which nothing is kept
	return AttributesOutput{all}, nil
}

// SetTopicAttributesInput is one attribute of a topic.
type SetTopicAttributesInput struct {
	TopicArn       string
	AttributeName  string
	AttributeValue string
}

// SetTopicAttributes changes one attribute, of a topic that a deployment declares
// until its next one.
func (t *Topics) SetTopicAttributes(ctx context.Context, in SetTopicAttributesInput) (struct{}, error) {
	return struct{}{}, t.editTopic(ctx, in.TopicArn, func(topic *Topic) error {
		return t.set(topic, in.AttributeName, in.AttributeValue)
	})
}
