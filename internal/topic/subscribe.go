package topic

import (
	"context"
	"crypto/hmac"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
)

// SubscribeInput subscribes an endpoint.
type SubscribeInput struct {
	TopicArn              string
	Protocol              string
	Endpoint              string `audit:"hidden"` // may hold a password, or is a person's
	Attributes            map[string]string
	ReturnSubscriptionArn bool // also while the endpoint has not confirmed
}

// SubscriptionOutput names a subscription, or says that it waits.
type SubscriptionOutput struct {
	SubscriptionArn string
}

const pendingARN = "pending confirmation"

// Subscribe subscribes an endpoint to a topic. A function gets messages at once;
// others are asked first, and asked again when they are subscribed again.
func (t *Topics) Subscribe(ctx context.Context, in SubscribeInput) (SubscriptionOutput, error) {
	if _, err := t.existing("TopicArn", in.TopicArn); err != nil {
		return SubscriptionOutput{}, err
	}
	want, err := t.describe(ctx, in)
	if err != nil {
		return SubscriptionOutput{}, err
	}
	sub := want
	if have, ok := t.same(want); ok {
		sub = have
		if err := have.agrees(&want, in.Attributes); err != nil {
			return SubscriptionOutput{}, err
		}
		if have.State == Pending && !have.ofDeployment() {
			err = t.editSub(ctx, have, func(s *Subscription) error { s.Requested = now(); return nil })
		}
	} else if err = t.room(want); err == nil {
		err = t.edit(ctx, apiStack, func(d *declared) error { sub, err = d.add(want); return err })
	}
	if err != nil {
		return SubscriptionOutput{}, err
	}
	if sub.State == Pending && !in.ReturnSubscriptionArn {
		return SubscriptionOutput{pendingARN}, nil
	}
	return SubscriptionOutput{sub.ARN}, nil
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// Declare makes the subscription that a deployment declares, or says why not. An
// endpoint that is no function has to confirm it once, and may be at a private
// address.
func Declare(stack, topicARN, protocol, endpoint string) (Subscription, error) {
	s := Subscription{Stack: stack, Topic: topicARN, Protocol: protocol, Endpoint: endpoint}
	if err := s.resolve(); err != nil {
		return s, err
	}
	return s, s.declare(stack)
}

// resolve checks protocol and endpoint, and turns a function's ARN into its name.
func (s *Subscription) resolve() error {
	switch s.Protocol {
	case ProtocolLambda:
		name, err := functionOf(s.Endpoint)
		if err != nil {
			return err
		}
		s.Protocol, s.Endpoint, s.Function = "", "", name
		s.ARN = SubscriptionARN(s.Topic, name)
	case ProtocolHTTP, ProtocolHTTPS:
		u, err := url.Parse(s.Endpoint)
		if err != nil || u.Scheme != s.Protocol || u.Hostname() == "" || u.Fragment != "" {
			return invalid("Invalid parameter: Endpoint Reason: it must be a URL that begins with %s:// and a host", s.Protocol)
		}
	case ProtocolEmail, ProtocolEmailJSON:
		if a, err := mail.ParseAddress(s.Endpoint); err != nil || a.Address != s.Endpoint {
			return invalid("Invalid parameter: Email address")
		}
	case ProtocolSQS:
		a, err := arn.Parse(s.Endpoint)
		if err != nil || a.Service != "sqs" || a.Account != arn.Account {
			return invalid("Invalid parameter: SQS endpoint ARN")
		}
		if strings.HasSuffix(a.Resource, ".fifo") {
			return invalid("Invalid parameter: Endpoint Reason: a FIFO queue takes no messages of a topic that is none")
		}
	case "sms", "application", "firehose":
		return invalid("Invalid parameter: Protocol Reason: %s is not offered here; lambda, sqs, http, https, email and email-json are", s.Protocol)
	default:
		return invalid("Invalid parameter: Does not support this protocol string: %s", s.Protocol)
	}
	return nil
}

// describe checks a subscription that is asked for.
func (t *Topics) describe(ctx context.Context, in SubscribeInput) (Subscription, error) {
	s := Subscription{Stack: apiStack, Topic: in.TopicArn, Protocol: in.Protocol, Endpoint: in.Endpoint}
	if err := s.resolve(); err != nil {
		return s, err
	}
	mail := s.Protocol == ProtocolEmail || s.Protocol == ProtocolEmailJSON
	if mail && t.Mail == nil {
		return s, invalid("Invalid parameter: Protocol Reason: e-mail is not configured here; the operator names an SMTP server")
	}
	if s.Protocol != "" {
		if t.Identity == nil {
			return s, fault.Errorf(fault.Unavailable, "the platform has no key to sign messages to endpoints with")
		}
		s.ARN = in.TopicArn + ":" + newMessageID()
		s.Inside = !mail && t.MayReachInside != nil && t.MayReachInside(ctx)
		if s.Protocol != ProtocolSQS {
			s.State, s.Requested = Pending, now()
		}
	}
	if err := setAll(in.Attributes, s.Set); err != nil {
		return s, inAttributes(err)
	}
	if err := s.Check(); err != nil {
		return s, inAttributes(err)
	}
	return s, nil
}

// functionOf reads the ARN of a function, with or without a qualifier.
func functionOf(endpoint string) (string, error) {
	a, err := arn.Parse(endpoint)
	name, ok := strings.CutPrefix(a.Resource, "function:")
	if err != nil || a.Service != "lambda" || !ok || name == "" {
		return "", invalid("Invalid parameter: Lambda endpoint ARN")
	}
	return name, nil
}

// same finds the subscription of the same endpoint to the same topic.
func (t *Topics) same(want Subscription) (Subscription, bool) {
	for _, s := range t.load().subs {
		if s.sameEndpoint(&want) {
			return s, true
		}
	}
	return Subscription{}, false
}

func (s *Subscription) sameEndpoint(other *Subscription) bool {
	return s.listed() && s.Topic == other.Topic && s.protocol() == other.protocol() &&
		s.Endpoint == other.Endpoint && s.Function == other.Function
}

// agrees is an error unless the subscription has the attributes that are asked for.
func (s *Subscription) agrees(want *Subscription, asked map[string]string) error {
	have, wanted := s.changed(), want.changed()
	for name := range asked {
		if have[name] != wanted[name] {
			return invalid("Invalid parameter: Attributes Reason: Subscription already exists with different attributes")
		}
	}
	return nil
}

// room says whether the topic may have another subscription.
func (t *Topics) room(want Subscription) error {
	n, filters := 0, 0
	for _, s := range t.load().subs {
		if s.Topic == want.Topic {
			n++
			if s.Filter != "" {
				filters++
			}
		}
	}
	if limit := or(t.MaxSubs, defaultMaxSubs); n >= limit {
		return fault.Coded(fault.Throttled, "SubscriptionLimitExceeded", "The topic has %d subscriptions already, which is the limit.", limit)
	}
	if want.Filter != "" && filters >= maxFilters {
		return filterLimit()
	}
	return nil
}

func filterLimit() error {
	return fault.Coded(fault.Throttled, "FilterPolicyLimitExceeded", "The topic has %d filter policies already, which is the limit.", maxFilters)
}

// add adds a subscription, or finds the one that was added meanwhile.
func (d *declared) add(want Subscription) (Subscription, error) {
	for _, s := range d.subs {
		if s.sameEndpoint(&want) {
			return s, nil
		}
	}
	d.subs = append(d.subs, want)
	return want, nil
}

// ConfirmSubscriptionInput carries what an endpoint was sent.
type ConfirmSubscriptionInput struct {
	TopicArn                  string
	Token                     string `audit:"hidden"`
	AuthenticateOnUnsubscribe string // "true": only a signed call may cancel it
}

// ConfirmSubscription is an endpoint's consent, also to come back after it left.
// The token is its permission: the call needs no signature, unless it asks for
// AuthenticateOnUnsubscribe.
func (t *Topics) ConfirmSubscription(ctx context.Context, in ConfirmSubscriptionInput) (SubscriptionOutput, error) {
	if _, err := t.existing("TopicArn", in.TopicArn); err != nil {
		return SubscriptionOutput{}, err
	}
	for _, sub := range t.load().subs {
		if sub.Topic != in.TopicArn || sub.protocol() == ProtocolLambda || sub.expired() || !hmac.Equal([]byte(t.token(sub)), []byte(in.Token)) {
			continue
		}
		if sub.State == "" {
			return SubscriptionOutput{sub.ARN}, nil // the link was followed twice
		}
		if sub.ofDeployment() {
			return SubscriptionOutput{sub.ARN}, t.choose(ctx, sub, true)
		}
		err := t.editSub(ctx, sub, func(s *Subscription) error {
			s.State, s.Guarded = "", strings.EqualFold(in.AuthenticateOnUnsubscribe, "true")
			return nil
		})
		return SubscriptionOutput{sub.ARN}, err
	}
	return SubscriptionOutput{}, invalid("Invalid parameter: Token Reason: Invalid token")
}

// UnsubscribeInput names a subscription.
type UnsubscribeInput struct {
	SubscriptionArn string
}

// Unsubscribe takes a subscription away, on behalf of somebody who may; one that
// does not exist is gone already.
func (t *Topics) Unsubscribe(ctx context.Context, in UnsubscribeInput) (struct{}, error) {
	sub, err := t.subscription(in.SubscriptionArn)
	if fault.KindOf(err) == fault.NotFound && err != nil {
		return struct{}{}, nil
	}
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, t.edit(ctx, sub.Stack, func(d *declared) error {
		d.subs = slices.DeleteFunc(d.subs, func(s Subscription) bool { return s.ARN == sub.ARN })
		return nil
	})
}

// Leave cancels a subscription for whoever follows the link in a message: there is
// no caller, and the ARN, which is random, is the permission. The endpoint is told
// and can come back within three days.
func (t *Topics) Leave(ctx context.Context, in UnsubscribeInput) (struct{}, error) {
	sub, err := t.subscription(in.SubscriptionArn)
	if err != nil {
		return struct{}{}, err
	}
	if sub.Guarded || sub.protocol() == ProtocolLambda || sub.State != "" {
		return struct{}{}, fault.Coded(fault.Denied, "AuthorizationError", "This subscription can be cancelled by a signed call only.")
	}
	if sub.ofDeployment() {
		return struct{}{}, t.choose(ctx, sub, false)
	}
	return struct{}{}, t.editSub(ctx, sub, func(s *Subscription) error {
		s.State, s.Requested = Left, now()
		return nil
	})
}
