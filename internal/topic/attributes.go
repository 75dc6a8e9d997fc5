package topic

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// Names of attributes.
const (
	attrDisplayName      = "DisplayName"
	attrPolicy           = "Policy"
	attrDeliveryPolicy   = "DeliveryPolicy"
	attrEffectivePolicy  = "EffectiveDeliveryPolicy"
	attrKMSKey           = "KmsMasterKeyId"
	attrSignatureVersion = "SignatureVersion"
	attrTracing          = "TracingConfig"
	attrRaw              = "RawMessageDelivery"
	attrFilter           = "FilterPolicy"
	attrFilterScope      = "FilterPolicyScope"
	attrRedrive          = "RedrivePolicy"
	attrRole             = "SubscriptionRoleArn"
)

// maxResourcePolicy is how long the text of a topic's policy may be.
const maxResourcePolicy = 30 << 10

// set changes one attribute of a topic, or says why not.
//
// KmsMasterKeyId is kept and given back, for the sake of templates, and encrypts
// nothing: messages lie on the platform's disk as all its queues do, and leave it
// when they are delivered.
func (t *Topics) set(topic *Topic, name, value string) error {
	switch name {
	case attrDisplayName:
		if !utf8.ValidString(value) || utf8.RuneCountInString(value) > 100 || strings.ContainsAny(value, "\r\n") {
			return invalid("Invalid parameter: DisplayName Reason: at most 100 characters and no line breaks")
		}
		topic.DisplayName = value
	case attrPolicy:
		if err := t.checkPolicy(value); err != nil {
			return err
		}
		topic.Policy = value
	case attrDeliveryPolicy:
		if _, err := parseTopicDelivery(value); err != nil {
			return invalid("Invalid parameter: DeliveryPolicy: %v", err)
		}
		topic.DeliveryPolicy = value
	case attrKMSKey:
		topic.KMSKey = value
	case attrSignatureVersion:
		if value != "1" && value != "2" {
			return invalid("Invalid parameter: SignatureVersion Reason: %q is not 1 or 2", value)
		}
		topic.SignatureVersion = value
	case attrTracing:
		if value != "PassThrough" && value != "Active" {
			return invalid("Invalid parameter: TracingConfig Reason: %q is not PassThrough or Active", value)
		}
		topic.Tracing = value
	case "FifoTopic", "ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy":
		if value == "false" {
			return nil
		}
		return invalid("Invalid parameter: %s Reason: FIFO topics are not offered here", name)
	default:
		return invalid("Invalid parameter: AttributeName Reason: %q is not an attribute of topics here", name)
	}
	return nil
}

func (t *Topics) checkPolicy(policy string) error {
	if policy == "" {
		return nil
	}
	if len(policy) > maxResourcePolicy {
		return invalid("Invalid parameter: Policy Reason: %d bytes, at most %d", len(policy), maxResourcePolicy)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(policy), &doc); err != nil {
		return invalid("Invalid parameter: Policy Error: %v", err)
	}
	if t.CheckPolicy != nil {
		if err := t.CheckPolicy(policy); err != nil {
			return invalid("Invalid parameter: Policy statement error: %v", err)
		}
	}
	return nil
}

// Set changes an attribute of a topic that a deployment declares, or says why not.
// What a policy means is not looked at.
func (t *Topic) Set(name, value string) error { return (&Topics{}).set(t, name, value) }

// check says what is wrong with the attributes of a topic in a revision.
func (t *Topic) check() error {
	var blank Topic
	return setAll(t.changed(), blank.Set)
}

// changed are the attributes that somebody has set.
func (t *Topic) changed() map[string]string {
	all := map[string]string{
		attrDisplayName: t.DisplayName, attrPolicy: t.Policy, attrDeliveryPolicy: t.DeliveryPolicy,
		attrKMSKey: t.KMSKey, attrSignatureVersion: t.SignatureVersion, attrTracing: t.Tracing,
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// attributes are all that SNS tells of a topic, but for the subscriptions' numbers.
func (t *Topic) attributes() map[string]string {
	all := t.changed()
	all["TopicArn"], all["Owner"] = t.ARN, owner(t.ARN)
	all[attrDisplayName] = t.DisplayName
	all[attrPolicy] = t.resourcePolicy()
	plan, _ := parseTopicDelivery(t.DeliveryPolicy)
	all[attrEffectivePolicy] = plan.text()
	return all
}

// resourcePolicy is the topic's policy, or SNS's for a topic without: its owner
// may do everything.
func (t *Topic) resourcePolicy() string {
	if t.Policy != "" {
		return t.Policy
	}
	return marshal(map[string]any{
		"Version": "2008-10-17", "Id": "__default_policy_ID",
		"Statement": []any{map[string]any{
			"Sid": "__default_statement_ID", "Effect": "Allow", "Principal": map[string]any{"AWS": "*"},
			"Action": []string{
				"SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
				"SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish",
			},
			"Resource": t.ARN, "Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceOwner": owner(t.ARN)}},
		}},
	})
}

// Policy is the text of a topic's policy, which decides on calls together with
// those of the caller, and false for a topic that does not exist.
func (t *Topics) Policy(topicARN string) (string, bool) {
	o, ok := t.load().topics[topicARN]
	if !ok {
		return "", false
	}
	return o.resourcePolicy(), true
}

// owner is the account in an ARN.
func owner(name string) string {
	if a, err := arn.Parse(name); err == nil {
		return a.Account
	}
	return arn.Account
}

// marshal is for values that always are JSON.
func marshal(v any) string {
	doc, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(doc)
}

// Set changes one attribute of a subscription, or says why not. Whether
// FilterPolicy fits its scope is said by Check, once all are set.
func (s *Subscription) Set(name, value string) error {
	switch name {
	case attrRaw:
		raw, err := strconv.ParseBool(strings.ToLower(value))
		if err != nil {
			return invalid("Invalid parameter: RawMessageDelivery Reason: %q is not true or false", value)
		}
		if raw && s.protocol() != ProtocolHTTP && s.protocol() != ProtocolHTTPS && s.protocol() != ProtocolSQS {
			return invalid("Invalid parameter: RawMessageDelivery Reason: it is not for protocol %s", s.protocol())
		}
		s.Raw = raw
	case attrFilter:
		s.Filter = value
	case attrFilterScope:
		if value != ScopeAttributes && value != ScopeBody {
			return invalid("Invalid parameter: FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", value)
		}
		s.FilterScope = value
	case attrRedrive:
		target, err := parseRedrive(value)
		if err != nil {
			return err
		}
		s.DeadLetter = target
	case attrDeliveryPolicy:
		if value != "" && s.protocol() != ProtocolHTTP && s.protocol() != ProtocolHTTPS {
			return invalid("Invalid parameter: DeliveryPolicy Reason: it is for http and https only")
		}
		if _, err := parseDelivery(value, defaultPlan); err != nil {
			return invalid("Invalid parameter: DeliveryPolicy: %v", err)
		}
		s.DeliveryPolicy = value
	case attrRole:
		if _, err := arn.Parse(value); value != "" && err != nil {
			return invalid("Invalid parameter: SubscriptionRoleArn Reason: %v", err)
		}
		s.Role = value
	default:
		return invalid("Invalid parameter: AttributeName Reason: %q is not an attribute of subscriptions here", name)
	}
	return nil
}

// Check says what is wrong with a subscription's attributes together.
func (s *Subscription) Check() error {
	if _, err := compileFilter(s.Filter, s.FilterScope); err != nil {
		return invalid("Invalid parameter: FilterPolicy: %v", err)
	}
	if s.DeadLetter != "" && s.DeadLetter == s.Topic {
		return invalid("Invalid parameter: RedrivePolicy: the dead letters of topic %s would go to that topic again", s.Topic)
	}
	return nil
}

// parseRedrive returns the target of a redrive policy. AWS knows queues only;
// here it may be a topic as well.
func parseRedrive(value string) (string, error) {
	if value == "" {
		return "", nil
	}
	var policy struct {
		Target string `json:"deadLetterTargetArn"`
	}
	if err := json.Unmarshal([]byte(value), &policy); err != nil {
		return "", invalid("Invalid parameter: RedrivePolicy: failed to parse JSON: %v", err)
	}
	a, err := arn.Parse(policy.Target)
	switch {
	case err != nil:
		return "", invalid("Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn")
	case a.Service == "sqs":
		return policy.Target, nil
	}
	if _, err := nameOf(policy.Target); err != nil {
		return "", invalid("Invalid parameter: RedrivePolicy: deadLetterTargetArn: %v", err)
	}
	return policy.Target, nil
}

// changed are the attributes that somebody has set, but for the state.
func (s *Subscription) changed() map[string]string {
	all := map[string]string{attrFilter: s.Filter, attrDeliveryPolicy: s.DeliveryPolicy, attrRole: s.Role}
	if s.Filter != "" {
		all[attrFilterScope] = cmp.Or(s.FilterScope, ScopeAttributes)
	}
	if s.DeadLetter != "" {
		all[attrRedrive] = marshal(map[string]string{"deadLetterTargetArn": s.DeadLetter})
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	all[attrRaw] = strconv.FormatBool(s.Raw)
	return all
}

// setAll sets attributes in the order of their names.
func setAll(values map[string]string, set func(name, value string) error) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := set(name, values[name]); err != nil {
			return err
		}
	}
	return nil
}

// inAttributes words an error of one attribute as calls do that take several.
func inAttributes(err error) error {
	if rest, ok := strings.CutPrefix(err.Error(), "Invalid parameter: "); ok && fault.CodeOf(err) == "InvalidParameter" {
		return invalid("Invalid parameter: Attributes Reason: %s", rest)
	}
	return err
}
