package topic

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/dropstack/dropstack/internal/arn"
)

// ListSubscriptionsInput asks for a page.
type ListSubscriptionsInput struct {
	NextToken string
}

// ListSubscriptionsByTopicInput asks for a page of a topic's.
type ListSubscriptionsByTopicInput struct {
	TopicArn  string
	NextToken string
}

// ListSubscriptionsOutput is a page of subscriptions.
type ListSubscriptionsOutput struct {
	Subscriptions []SubscriptionEntry
	NextToken     string `json:",omitempty"`
}

// SubscriptionEntry is a line of a list.
type SubscriptionEntry struct {
	SubscriptionArn string // "PendingConfirmation" until the endpoint has confirmed
	Owner           string
	Protocol        string
	Endpoint        string
	TopicArn        string
}

// ListSubscriptions lists the subscriptions of all stacks by ARN.
func (t *Topics) ListSubscriptions(_ context.Context, in ListSubscriptionsInput) (ListSubscriptionsOutput, error) {
	return t.listed(t.subscriptionsOf(""), in.NextToken)
}

// ListSubscriptionsByTopic lists those of a topic.
func (t *Topics) ListSubscriptionsByTopic(_ context.Context, in ListSubscriptionsByTopicInput) (ListSubscriptionsOutput, error) {
	if _, err := t.existing("TopicArn", in.TopicArn); err != nil {
		return ListSubscriptionsOutput{}, err
	}
	return t.listed(t.subscriptionsOf(in.TopicArn), in.NextToken)
}

// subscriptionsOf are the listed subscriptions of a topic, or of all, by ARN.
func (t *Topics) subscriptionsOf(topicARN string) []Subscription {
	return slices.DeleteFunc(t.Subscriptions(), func(s Subscription) bool {
		return !s.listed() || topicARN != "" && s.Topic != topicARN
	})
}

func (t *Topics) listed(list []Subscription, token string) (out ListSubscriptionsOutput, err error) {
	part, next, err := page(list, func(s Subscription) string { return s.ARN }, token)
	out.NextToken = next
	for _, s := range part {
		e := SubscriptionEntry{s.ARN, owner(s.Topic), s.protocol(), s.shownEndpoint(), s.Topic}
		if s.State == Pending {
			e.SubscriptionArn = "PendingConfirmation"
		}
		out.Subscriptions = append(out.Subscriptions, e)
	}
	return out, err
}

// shownEndpoint is the endpoint without a password.
func (s *Subscription) shownEndpoint() string {
	if s.protocol() == ProtocolLambda {
		region := arn.Region
		if a, err := arn.Parse(s.Topic); err == nil {
			region = a.Region
		}
		return arn.Function(region, s.Function)
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.User == nil {
		return s.Endpoint
	}
	u.User = url.UserPassword(u.User.Username(), "****")
	return u.String()
}

// GetSubscriptionAttributesInput names a subscription.
type GetSubscriptionAttributesInput struct {
	SubscriptionArn string
}

// GetSubscriptionAttributes tells all of a subscription.
func (t *Topics) GetSubscriptionAttributes(_ context.Context, in GetSubscriptionAttributesInput) (AttributesOutput, error) {
	sub, err := t.subscription(in.SubscriptionArn)
	if err != nil {
		return AttributesOutput{}, err
	}
	all := sub.changed()
	all["SubscriptionArn"], all["TopicArn"] = sub.ARN, sub.Topic
	all["Protocol"], all["Endpoint"] = sub.protocol(), sub.shownEndpoint()
	all["Owner"] = owner(sub.Topic)
	all["PendingConfirmation"] = strconv.FormatBool(sub.State == Pending)
	all["ConfirmationWasAuthenticated"] = strconv.FormatBool(sub.Guarded || sub.protocol() == ProtocolLambda)
	if p := sub.protocol(); p == ProtocolHTTP || p == ProtocolHTTPS {
		all[attrEffectivePolicy] = planFor(&t.load().topics[sub.Topic].Topic, sub).ownText()
	}
	return AttributesOutput{all}, nil
}

// SetSubscriptionAttributesInput is one attribute of a subscription.
type SetSubscriptionAttributesInput struct {
	SubscriptionArn string
	AttributeName   string
	AttributeValue  string
}

// SetSubscriptionAttributes changes one attribute, of a subscription that a
// deployment declares until its next one. Messages that wait already are filtered
// by what holds when they are delivered.
func (t *Topics) SetSubscriptionAttributes(ctx context.Context, in SetSubscriptionAttributesInput) (struct{}, error) {
	sub, err := t.subscription(in.SubscriptionArn)
	if err != nil {
		return struct{}{}, err
	}
	if in.AttributeName == attrFilter && in.AttributeValue != "" && sub.Filter == "" {
		if n := len(slices.DeleteFunc(t.subscriptionsOf(sub.Topic), func(s Subscription) bool { return s.Filter == "" })); n >= maxFilters {
			return struct{}{}, filterLimit()
		}
	}
	return struct{}{}, t.editSub(ctx, sub, func(s *Subscription) error { return s.Set(in.AttributeName, in.AttributeValue) })
}
