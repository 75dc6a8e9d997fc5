package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/testkit"
	"github.com/dropstack/dropstack/internal/topic"
)

var snsTopic = arn.Topic(arn.Region, "drop-snsTopic")

// snsAppender keeps what the topics store, or fails.
type snsAppender struct {
	mu      sync.Mutex
	stored  []snsStored
	failing error
}

type snsStored struct {
	ID, Message, Subject string
	By                   map[string]string
	Attributes           map[string]topic.Attribute
}

func (a *snsAppender) Append(_ context.Context, _ string, _ nats.Header, data []byte) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failing != nil {
		return 0, a.failing
	}
	var s snsStored
	if err := json.Unmarshal(data, &s); err != nil {
		return 0, err
	}
	a.stored = append(a.stored, s)
	return uint64(len(a.stored)), nil
}

func (*snsAppender) Close() error { return nil }

func (a *snsAppender) only(t *testing.T) snsStored {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.stored) != 1 {
		t.Fatalf("%d messages stored, want 1", len(a.stored))
	}
	return a.stored[0]
}

// snsEndpoint serves topics with these names and returns an official client of it.
func snsEndpoint(t *testing.T, names ...string) (*sns.Client, *snsAppender, string) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	stored := &snsAppender{}
	js := enginetest.Streams(t)
	topics := &topic.Topics{Streams: js, NewAppender: func(string) topic.Appender { return stored }, Log: log}
	var list []topic.Topic
	for _, name := range names {
		list = append(list, topic.Topic{ARN: arn.Topic(arn.Region, name)})
	}
	if err := topics.Replace(t.Context(), "drops", list, nil); err != nil {
		t.Fatal(err)
	}
	w := serve(t, &api.Server{Services: []*api.Service{(&api.SNS{Topics: topics}).Service()}})
	return snsClient(w), stored, w.url
}

func snsClient(w *world) *sns.Client {
	return sns.New(sns.Options{
		Region: arn.Region, BaseEndpoint: aws.String(w.url), HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(w.keys.Admin()),
	})
}

func TestSNSPublish(t *testing.T) {
	client, kept, _ := snsEndpoint(t, "drop-snsTopic")
	out, err := client.Publish(t.Context(), &sns.PublishInput{
		TopicArn: &snsTopic, Message: aws.String("a & b\n<c> ü"), Subject: aws.String("s"),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"kind": {DataType: aws.String("String"), StringValue: aws.String("image")},
			"raw":  {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 2}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := snsStored{ID: *out.MessageId, Message: "a & b\n<c> ü", Subject: "s", Attributes: map[string]topic.Attribute{
		"kind": {Type: "String", Value: "image"}, "raw": {Type: "Binary", Value: "AAEC"},
	}}
	if diff := cmp.Diff(want, kept.only(t)); diff != "" {
		t.Errorf("-want +stored:\n%s", diff)
	}
}

func TestSNSPublishByTargetAndStructure(t *testing.T) {
	client, kept, _ := snsEndpoint(t, "drop-snsTopic")
	_, err := client.Publish(t.Context(), &sns.PublishInput{
		TargetArn: &snsTopic, MessageStructure: aws.String("json"), Message: aws.String(`{"default":"d","lambda":"l"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := kept.only(t); got.Message != "d" || got.By["lambda"] != "l" {
		t.Errorf("stored %+v, want the message for lambda beside the default", got)
	}
}

func snsBatch(messages ...string) *sns.PublishBatchInput {
	in := &sns.PublishBatchInput{TopicArn: &snsTopic, PublishBatchRequestEntries: []types.PublishBatchRequestEntry{}}
	for i, m := range messages {
		in.PublishBatchRequestEntries = append(in.PublishBatchRequestEntries, types.PublishBatchRequestEntry{
			Id: aws.String(fmt.Sprint("e", i)), Message: &m,
			MessageAttributes: map[string]types.MessageAttributeValue{"n": {DataType: aws.String("Number"), StringValue: aws.String(fmt.Sprint(i))}},
		})
	}
	return in
}

func TestSNSPublishBatch(t *testing.T) {
	client, kept, _ := snsEndpoint(t, "drop-snsTopic")
	in := snsBatch("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	in.PublishBatchRequestEntries[4].Subject = aws.String("a\nb")
	out, err := client.PublishBatch(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got, want := map[string]string{}, map[string]string{}
	for _, s := range kept.stored {
		got[s.ID] = s.Message + s.Attributes["n"].Value
	}
	for _, r := range out.Successful {
		i := strings.TrimPrefix(*r.Id, "e")
		want[*r.MessageId] = i + i
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 9 {
		t.Errorf("%d successful, -answered +stored:\n%s", len(want), diff)
	}
	if len(out.Failed) != 1 || *out.Failed[0].Id != "e4" || *out.Failed[0].Code != "InvalidParameter" || !out.Failed[0].SenderFault {
		t.Errorf("failed: %+v, want e4", out.Failed)
	}
	kept.failing = errors.New("no space left on device")
	out, err = client.PublishBatch(t.Context(), snsBatch("m"))
	if err != nil || len(out.Failed) != 1 || *out.Failed[0].Code != "ServiceUnavailable" || out.Failed[0].SenderFault {
		t.Errorf("disk full: got %+v, %v, want ServiceUnavailable, not the sender's fault", out, err)
	}
}

func TestSNSListTopics(t *testing.T) {
	var names []string
	for i := range 101 {
		names = append(names, fmt.Sprintf("t%03d", i))
	}
	client, _, _ := snsEndpoint(t, names...)
	var got []string
	pages := sns.NewListTopicsPaginator(client, &sns.ListTopicsInput{})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range page.Topics {
			a, err := arn.Parse(*listed.TopicArn)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.Resource)
		}
	}
	if diff := cmp.Diff(names, got); diff != "" || n != 2 {
		t.Errorf("%d pages, -want +got:\n%s", n, diff)
	}
}

func TestSNSErrorsAsTheClientKnowsThem(t *testing.T) {
	client, kept, _ := snsEndpoint(t, "drop-snsTopic")
	publish := func(in sns.PublishInput) error {
		if in.TopicArn == nil {
			in.TopicArn = &snsTopic
		}
		_, err := client.Publish(t.Context(), &in)
		return err
	}
	publishBatch := func(in *sns.PublishBatchInput) error {
		_, err := client.PublishBatch(t.Context(), in)
		return err
	}
	twice := snsBatch("a", "b")
	twice.PublishBatchRequestEntries[1].Id = aws.String("e0")
	check := func(name string, err error, typed bool, code string, status int) {
		t.Helper()
		var known smithy.APIError
		if !errors.As(err, &known) || known.ErrorCode() != code || !typed {
			t.Errorf("%s: got %v (%T), want %s", name, err, known, code)
		}
		var answer interface {
			HTTPStatusCode() int
			ServiceRequestID() string
		}
		if !errors.As(err, &answer) || answer.HTTPStatusCode() != status || answer.ServiceRequestID() == "" {
			t.Errorf("%s: got %v, want status %d and the request id", name, err, status)
		}
	}
	err := publish(sns.PublishInput{TopicArn: aws.String(snsTopic + "x"), Message: aws.String("m")})
	check("no such topic", err, snsIs[*types.NotFoundException](err), "NotFound", 404)
	if !strings.Contains(err.Error(), "Topic does not exist") {
		t.Errorf("no such topic: %v", err)
	}
	err = publish(sns.PublishInput{Message: aws.String("")})
	check("empty", err, snsIs[*types.InvalidParameterException](err), "InvalidParameter", 400)
	err = publish(sns.PublishInput{PhoneNumber: aws.String("+1"), Message: aws.String("m")})
	check("telephone", err, snsIs[*types.InvalidParameterException](err), "InvalidParameter", 400)
	err = publish(sns.PublishInput{Message: aws.String("m"), MessageAttributes: map[string]types.MessageAttributeValue{
		"a": {DataType: aws.String("String"), BinaryValue: []byte("b")},
	}})
	check("wrong field", err, snsIs[*types.InvalidParameterValueException](err) && strings.Contains(err.Error(), "must use field 'String'"), "ParameterValueInvalid", 400)
	err = publishBatch(twice)
	check("ids", err, snsIs[*types.BatchEntryIdsNotDistinctException](err), "BatchEntryIdsNotDistinct", 400)
	err = publishBatch(snsBatch())
	check("no entries", err, snsIs[*types.EmptyBatchRequestException](err), "EmptyBatchRequest", 400)
	err = publishBatch(snsBatch("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"))
	check("entries", err, snsIs[*types.TooManyEntriesInBatchRequestException](err), "TooManyEntriesInBatchRequest", 400)
	half := strings.Repeat("m", topic.MaxMessage/2+1)
	err = publishBatch(snsBatch(half, half))
	check("long", err, snsIs[*types.BatchRequestTooLongException](err), "BatchRequestTooLong", 400)
	_, err = client.ListPhoneNumbersOptedOut(t.Context(), &sns.ListPhoneNumbersOptedOutInput{})
	check("not offered", err, strings.Contains(err.Error(), "ListPhoneNumbersOptedOut"), "NotImplemented", 400)
	_, err = client.ListTopics(t.Context(), &sns.ListTopicsInput{NextToken: aws.String("%")})
	check("token", err, snsIs[*types.InvalidParameterException](err), "InvalidParameter", 400)
	kept.failing = errors.New("no space left on /the/device")
	err = publish(sns.PublishInput{Message: aws.String("m")})
	check("disk full", err, !strings.Contains(err.Error(), "/the/device"), "ServiceUnavailable", 503)
	if n := len(kept.stored); n != 0 {
		t.Errorf("%d refused messages were stored", n)
	}
}

func snsIs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// snsFailing shows what callers see of our own faults.
type snsFailing struct{}

func (snsFailing) EditTopics(context.Context, string, func([]topic.Topic, []topic.Subscription) ([]topic.Topic, []topic.Subscription, error)) error {
	return fmt.Errorf("wrapped: %w", fault.Errorf(fault.Internal, "secret of ours"))
}

func TestSNSKeepsItsOwnFaultsToItself(t *testing.T) {
	var log strings.Builder
	w := serve(t, &api.Server{
		Services: []*api.Service{(&api.SNS{Topics: &topic.Topics{Editor: snsFailing{}}}).Service()}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	_, err := snsClient(w).CreateTopic(t.Context(), &sns.CreateTopicInput{Name: aws.String("n")})
	var answer interface{ ServiceRequestID() string }
	if !errors.As(err, &answer) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "InternalError") {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(log.String(), "secret of ours") || !strings.Contains(log.String(), answer.ServiceRequestID()) {
		t.Errorf("logged %q, want the reason and the request id", log.String())
	}
}

// TestPoliciesOfTopics: one allows a function what its role does not.
func TestPoliciesOfTopics(t *testing.T) {
	policy := `{"Statement":{"Effect":"Allow","Principal":"*","Action":"SNS:Publish","Resource":"` + arn.Topic(arn.Region, "open") + `"}}`
	topics := &topic.Topics{
		Streams: enginetest.Streams(t), NewAppender: func(string) topic.Appender { return &snsAppender{} }, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	list := []topic.Topic{{ARN: arn.Topic(arn.Region, "open"), Policy: policy}, {ARN: arn.Topic(arn.Region, "usual")}}
	if err := topics.Replace(t.Context(), "drops", list, nil); err != nil {
		t.Fatal(err)
	}
	w := serve(t, &api.Server{Services: []*api.Service{(&api.SNS{Topics: topics}).Service()}})
	function := sns.New(sns.Options{Region: arn.Region, BaseEndpoint: &w.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(w.function)})
	for name, want := range map[string]string{"open": "", "usual": "AuthorizationError"} {
		_, err := function.Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(arn.Topic(arn.Region, name)), Message: aws.String("m")})
		if got := codeOf(err); got != want {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	if _, err := function.DeleteTopic(t.Context(), &sns.DeleteTopicInput{TopicArn: aws.String(arn.Topic(arn.Region, "open"))}); codeOf(err) != "AuthorizationError" {
		t.Errorf("what the policy does not name: got %v", err)
	}
}
