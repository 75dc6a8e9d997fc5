package api_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/topic"
)

// snsStacks keeps what stacks declare and puts changes in force.
type snsStacks struct {
	mu     sync.Mutex
	to     *topic.Topics
	topics map[string][]topic.Topic
	subs   map[string][]topic.Subscription
}

func (s *snsStacks) EditTopics(ctx context.Context, stack string, change func([]topic.Topic, []topic.Subscription) ([]topic.Topic, []topic.Subscription, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	topics, subs, err := change(slices.Clone(s.topics[stack]), slices.Clone(s.subs[stack]))
	if err == nil {
		err = s.to.Replace(ctx, stack, topics, subs)
	}
	if err == nil {
		s.topics[stack], s.subs[stack] = topics, subs
	}
	return err
}

// snsStream appends to a stream.
type snsStream struct{ js jetstream.JetStream }

func (s snsStream) Append(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: data})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (snsStream) Close() error { return nil }

// snsIdle invokes nothing.
type snsIdle struct{}

func (snsIdle) Deliver(ctx context.Context, _ jetstream.Consumer, _ string, _ func(jetstream.Msg) (function.Invocation, bool, error)) error {
	<-ctx.Done()
	return nil
}

// snsManaged serves topics that calls can change, and delivers.
func snsManaged(t *testing.T) (*sns.Client, *world) {
	t.Helper()
	doc, err := topic.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	identity, err := topic.ParseIdentity(doc)
	if err != nil {
		t.Fatal(err)
	}
	js := enginetest.Streams(t)
	topics := &topic.Topics{
		Streams: js, Deliver: snsIdle{}, NewAppender: func(string) topic.Appender { return snsStream{js} }, Identity: identity,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), MayReachInside: func(context.Context) bool { return true },
	}
	topics.Editor = &snsStacks{to: topics, topics: map[string][]topic.Topic{}, subs: map[string][]topic.Subscription{}}
	w := serve(t, &api.Server{Services: []*api.Service{(&api.SNS{Topics: topics}).Service()}, Certificate: identity.Certificate})
	topics.Endpoint = w.url
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- topics.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return snsClient(w), w
}

// follow follows a link without a signature.
func follow(t *testing.T, link string) (int, string) {
	t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestSNSIsManagedByTheOfficialClient(t *testing.T) {
	client, _ := snsManaged(t)
	ctx := t.Context()
	made, err := client.CreateTopic(ctx, &sns.CreateTopicInput{
		Name: aws.String("orders"), Attributes: map[string]string{"DisplayName": "Orders & more"},
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	})
	if err != nil || *made.TopicArn != arn.Topic(arn.Region, "orders") {
		t.Fatalf("created %v, %v", made, err)
	}
	at := made.TopicArn
	if _, err := client.SetTopicAttributes(ctx, &sns.SetTopicAttributesInput{TopicArn: at, AttributeName: aws.String("SignatureVersion"), AttributeValue: aws.String("2")}); err != nil {
		t.Error(err)
	}
	attributes, err := client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: at})
	if err != nil || attributes.Attributes["DisplayName"] != "Orders & more" || attributes.Attributes["SignatureVersion"] != "2" {
		t.Errorf("attributes %v, %v", attributes, err)
	}
	if _, err := client.TagResource(ctx, &sns.TagResourceInput{ResourceArn: at, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); err != nil {
		t.Error(err)
	}
	if _, err := client.UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: at, TagKeys: []string{"team"}}); err != nil {
		t.Error(err)
	}
	tags, err := client.ListTagsForResource(ctx, &sns.ListTagsForResourceInput{ResourceArn: at})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" || *tags.Tags[0].Value != "b" {
		t.Errorf("tags %v, %v", tags, err)
	}
	if _, err := client.AddPermission(ctx, &sns.AddPermissionInput{TopicArn: at, Label: aws.String("l"), AWSAccountId: []string{"111122223333"}, ActionName: []string{"Publish"}}); err != nil {
		t.Error(err)
	}
	if _, err := client.RemovePermission(ctx, &sns.RemovePermissionInput{TopicArn: at, Label: aws.String("l")}); err != nil {
		t.Error(err)
	}
	sub, err := client.Subscribe(ctx, &sns.SubscribeInput{
		TopicArn: at, Protocol: aws.String("lambda"), Endpoint: aws.String(arn.Function(arn.Region, "bill")),
		Attributes: map[string]string{"FilterPolicy": `{"kind":["order"]}`}, ReturnSubscriptionArn: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.SetSubscriptionAttributes(ctx, &sns.SetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn, AttributeName: aws.String("FilterPolicyScope"), AttributeValue: aws.String("MessageBody")}); err != nil {
		t.Error(err)
	}
	got, err := client.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: sub.SubscriptionArn})
	if err != nil || got.Attributes["FilterPolicy"] != `{"kind":["order"]}` || got.Attributes["FilterPolicyScope"] != "MessageBody" {
		t.Errorf("attributes %v, %v", got, err)
	}
	list, err := client.ListSubscriptionsByTopic(ctx, &sns.ListSubscriptionsByTopicInput{TopicArn: at})
	if err != nil || len(list.Subscriptions) != 1 || *list.Subscriptions[0].SubscriptionArn != *sub.SubscriptionArn || *list.Subscriptions[0].Protocol != "lambda" {
		t.Errorf("subscriptions %v, %v", list, err)
	}
	_, err = client.Subscribe(ctx, &sns.SubscribeInput{TopicArn: at, Protocol: aws.String("sqs"), Endpoint: aws.String("q")})
	if !snsIs[*types.InvalidParameterException](err) {
		t.Errorf("subscribed a queue by its name: %v", err)
	}
	if _, err := client.Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: sub.SubscriptionArn}); err != nil {
		t.Error(err)
	}
	if _, err := client.DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: at}); err != nil {
		t.Error(err)
	}
	if _, err := client.GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: at}); !snsIs[*types.NotFoundException](err) {
		t.Errorf("after it was deleted: %v", err)
	}
}

func TestSNSLinksNeedNoSignature(t *testing.T) {
	client, w := snsManaged(t)
	got := make(chan map[string]any, 10)
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var p map[string]any
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		got <- p
	}))
	defer web.Close()
	next := func() map[string]any {
		select {
		case p := <-got:
			return p
		case <-time.After(20 * time.Second):
			t.Fatal("nothing came")
			return nil
		}
	}
	made, err := client.CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("http"), Endpoint: &web.URL}); err != nil {
		t.Fatal(err)
	}
	if status, body := follow(t, next()["SubscribeURL"].(string)); status != http.StatusOK || !strings.Contains(body, "<SubscriptionArn>"+*made.TopicArn+":") {
		t.Fatalf("confirmed: %d %s", status, body)
	}
	if _, err := client.Publish(t.Context(), &sns.PublishInput{TopicArn: made.TopicArn, Message: aws.String("m")}); err != nil {
		t.Fatal(err)
	}
	p := next()
	status, doc := follow(t, p["SigningCertURL"].(string))
	block, _ := pem.Decode([]byte(doc))
	if status != http.StatusOK || block == nil {
		t.Fatalf("certificate: %d %s", status, doc)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Error(err)
	}
	if status, body := follow(t, p["UnsubscribeURL"].(string)); status != http.StatusOK {
		t.Errorf("left: %d %s", status, body)
	}
	if p := next(); p["Type"] != "UnsubscribeConfirmation" {
		t.Errorf("told %v, want that it has left", p)
	}

	lambda, err := client.Subscribe(t.Context(), &sns.SubscribeInput{TopicArn: made.TopicArn, Protocol: aws.String("lambda"), Endpoint: aws.String(arn.Function(arn.Region, "f"))})
	if err != nil {
		t.Fatal(err)
	}
	for name, query := range map[string]string{
		"cancel a function's": "Action=Unsubscribe&SubscriptionArn=" + *lambda.SubscriptionArn,
		"guess a token":       "Action=ConfirmSubscription&Token=x&TopicArn=" + *made.TopicArn,
		"list the topics":     "Action=ListTopics",
		"delete the topic":    "Action=DeleteTopic&TopicArn=" + *made.TopicArn,
	} {
		if status, body := follow(t, w.url+"/?"+query); status < 400 || status >= 500 {
			t.Errorf("%s: %d %s, want it refused", name, status, body)
		}
	}
	if list, err := client.ListSubscriptions(t.Context(), &sns.ListSubscriptionsInput{}); err != nil || len(list.Subscriptions) != 1 {
		t.Errorf("left: %v, %v, want the function's", list, err)
	}
}
