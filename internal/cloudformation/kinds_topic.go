package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/topic"
)

// snsTopic is AWS::SNS::Topic.
func snsTopic(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	name := in.text("TopicName")
	if name == "" {
		name = lastPart(p.name(r, "", 256))
	}
	if err := topic.CheckName(name); err != nil {
		in.fail("TopicName", "%v", err)
	}
	t := topic.Topic{Stack: p.stack, Name: name, ARN: arn.Topic(p.region, name), Tags: in.tags("Tags")}
	in.attributes(t.Set, map[string]string{
		"DisplayName": in.text("DisplayName"), "KmsMasterKeyId": in.text("KmsMasterKeyId"), "SignatureVersion": in.text("SignatureVersion"),
		"TracingConfig": in.text("TracingConfig"), "DeliveryPolicy": in.json("DeliveryPolicy"),
		"FifoTopic": in.text("FifoTopic"), "ContentBasedDeduplication": in.text("ContentBasedDeduplication"), "FifoThroughputScope": in.text("FifoThroughputScope"),
	})
	in.refuse("nothing would be archived", "ArchivePolicy")
	in.refuse("messages would not be looked into", "DataProtectionPolicy")
	in.idle("what becomes of messages is in the metrics", "DeliveryStatusLogging")
	for _, s := range in.each("Subscription") {
		p.subscribe(s, t.ARN)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Topics = append(p.revision.Topics, t)
	return Identity{Physical: t.ARN, Attributes: map[string]string{"TopicArn": t.ARN, "TopicName": name}}, nil
}

// attributes gives a topic or a subscription the attributes that are said, and has
// each complain in its own words.
func (p *properties) attributes(set func(name, value string) error, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if values[name] == "" {
			continue
		}
		if err := set(name, values[name]); err != nil {
			p.fail(name, "%s", strings.TrimPrefix(err.Error(), "Invalid parameter: "))
		}
	}
}

// subscribe reads a subscription to a topic and adds it.
func (p *plan) subscribe(in *properties, topicARN string) topic.Subscription {
	in.need("Protocol", "Endpoint")
	endpoint := in.text("Endpoint")
	if in.text("Protocol") == topic.ProtocolLambda && endpoint != "" {
		in.function("Endpoint") // one of another account is told so
	}
	s, err := topic.Declare(p.stack, topicARN, in.text("Protocol"), endpoint)
	if err != nil && len(in.wrong) == 0 {
		in.fail("Endpoint", "%s", strings.TrimPrefix(err.Error(), "Invalid parameter: "))
	}
	in.attributes(s.Set, map[string]string{
		"FilterPolicy": in.json("FilterPolicy"), "FilterPolicyScope": in.text("FilterPolicyScope"), "RawMessageDelivery": in.text("RawMessageDelivery"),
		"RedrivePolicy": in.json("RedrivePolicy"), "DeliveryPolicy": in.json("DeliveryPolicy"), "SubscriptionRoleArn": in.text("SubscriptionRoleArn"),
	})
	if err := s.Check(); err != nil {
		in.fail("FilterPolicy", "%s", strings.TrimPrefix(err.Error(), "Invalid parameter: "))
	}
	in.refuse("nothing would be replayed", "ReplayPolicy")
	p.revision.Subscriptions = append(p.revision.Subscriptions, s)
	return s
}

// snsSubscription is AWS::SNS::Subscription. A topic that only a subscription names
// is there as soon as it is named.
func snsSubscription(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("TopicArn")
	in.known("Region")
	at := in.text("TopicArn")
	a, err := arn.Parse(at)
	switch {
	case at == "":
	case err != nil || a.Service != "sns":
		in.fail("TopicArn", "%q is not the ARN of a topic", at)
	case a.Account != arn.Account:
		in.fail("TopicArn", "%s is in another account; this one is %s, or ${AWS::AccountId}", at, arn.Account)
	}
	s := p.subscribe(in, at)
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	if !slices.ContainsFunc(p.revision.Topics, func(t topic.Topic) bool { return t.ARN == at }) {
		p.revision.Topics = append(p.revision.Topics, topic.Topic{Stack: p.stack, Name: a.Resource, ARN: at, Named: true})
	}
	return Identity{Physical: s.ARN, Attributes: map[string]string{"Arn": s.ARN}}, nil
}

// snsTopicPolicy is AWS::SNS::TopicPolicy, and AWS::SNS::TopicInlinePolicy.
func snsTopicPolicy(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("PolicyDocument")
	doc, topics, property := in.document("PolicyDocument", policy.Resource), in.texts("Topics"), "Topics"
	if one := in.text("TopicArn"); one != "" {
		topics, property = []string{one}, "TopicArn"
	}
	for _, at := range topics {
		i := slices.IndexFunc(p.revision.Topics, func(t topic.Topic) bool { return t.ARN == at && !t.Named })
		if i < 0 {
			in.fail(property, "%s is none of this template's topics", at)
			continue
		}
		in.attributes(p.revision.Topics[i].Set, map[string]string{"Policy": doc})
	}
	return Identity{Physical: p.fixed(r, 16), Attributes: map[string]string{"Id": p.fixed(r, 16)}}, in.done(p)
}
