package api

import (
	"cmp"
	"context"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/topic"
)

// SNS is Amazon SNS over the topics.
type SNS struct {
	Topics *topic.Topics
	Region string // in the names of topics that do not exist yet

	parsed policy.Cache
}

// on needs the operation on topics, over which their own policies decide too.
func (s *SNS) on(topics ...string) []Need {
	list := on(topics...)
	for i := range list {
		list[i].Policies = s.policies(topics[i])
	}
	return list
}

// policies is the policy of a topic. One that cannot be read, which nothing stores,
// forbids everything.
func (s *SNS) policies(topicARN string) []policy.Document {
	text, ok := s.Topics.Policy(topicARN)
	if !ok {
		return nil
	}
	document, err := s.parsed.Parse(policy.Resource, text)
	if err != nil {
		document, _ = s.parsed.Parse(policy.Resource, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)
	}
	return []policy.Document{document}
}

// Service is the service "sns".
func (s *SNS) Service() *Service {
	t := s.Topics
	topicOf := func(in topic.TopicInput) []Need { return s.on(in.TopicArn) }
	return &Service{
		Scope: "sns", Namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
		Codes: map[string]string{
			"AccessDeniedException": "AuthorizationError", "ValidationException": "InvalidParameter",
			"MalformedInput": "InvalidParameter", "ResourceNotFoundException": "NotFound",
		},
		Operations: map[string]Operation{
			"Publish": op(t.Publish, func(in topic.PublishInput) []Need { return s.on(cmp.Or(in.TopicArn, in.TargetArn)) }).aboutData(),
			"PublishBatch": op(t.PublishBatch, func(in topic.PublishBatchInput) []Need {
				return []Need{{Action: "sns:Publish", Resource: in.TopicArn, Policies: s.policies(in.TopicArn)}}
			}).aboutData(),

			"CreateTopic":        op(t.CreateTopic, func(in topic.CreateTopicInput) []Need { return on(arn.Topic(cmp.Or(s.Region, arn.Region), in.Name)) }),
			"DeleteTopic":        op(t.DeleteTopic, topicOf),
			"ListTopics":         op(t.ListTopics, nil),
			"GetTopicAttributes": op(t.GetTopicAttributes, topicOf),
			"SetTopicAttributes": op(t.SetTopicAttributes, func(in topic.SetTopicAttributesInput) []Need { return s.on(in.TopicArn) }),
			"AddPermission":      op(t.AddPermission, func(in topic.AddPermissionInput) []Need { return s.on(in.TopicArn) }),
			"RemovePermission":   op(t.RemovePermission, func(in topic.RemovePermissionInput) []Need { return s.on(in.TopicArn) }),

			"Subscribe":                 op(t.Subscribe, s.subscribing),
			"ConfirmSubscription":       op(t.ConfirmSubscription, func(in topic.ConfirmSubscriptionInput) []Need { return s.on(in.TopicArn) }).unsigned(),
			"Unsubscribe":               op(s.unsubscribe, nil).unsigned(),
			"ListSubscriptions":         op(t.ListSubscriptions, nil),
			"ListSubscriptionsByTopic":  op(t.ListSubscriptionsByTopic, func(in topic.ListSubscriptionsByTopicInput) []Need { return s.on(in.TopicArn) }),
			"GetSubscriptionAttributes": op(t.GetSubscriptionAttributes, nil),
			"SetSubscriptionAttributes": op(t.SetSubscriptionAttributes, nil),

			"TagResource":         op(t.TagResource, func(in topic.TagResourceInput) []Need { return on(in.ResourceArn) }),
			"UntagResource":       op(t.UntagResource, func(in topic.UntagResourceInput) []Need { return on(in.ResourceArn) }),
			"ListTagsForResource": op(t.ListTagsForResource, func(in topic.ListTagsForResourceInput) []Need { return on(in.ResourceArn) }),
		},
	}
}

// subscribing tells policies what would be subscribed.
func (s *SNS) subscribing(in topic.SubscribeInput) []Need {
	return []Need{{Resource: in.TopicArn, Policies: s.policies(in.TopicArn), Conditions: map[string][]string{
		"sns:Protocol": {in.Protocol}, "sns:Endpoint": {in.Endpoint},
	}}}
}

// unsubscribe is for whoever may by their keys, and without a signature for
// whoever has the link of a message.
func (s *SNS) unsubscribe(ctx context.Context, in topic.UnsubscribeInput) (struct{}, error) {
	if _, signed := iam.Caller(ctx); !signed {
		return s.Topics.Leave(ctx, in)
	}
	return s.Topics.Unsubscribe(ctx, in)
}
