package api_test

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/testkit"
)

// paper stores messages of queues one at a time.
type paper struct{ js jetstream.JetStream }

func (p paper) Append(ctx context.Context, subject string, header nats.Header, data []byte) (uint64, error) {
	ack, err := p.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: data})
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (paper) Close() error { return nil }

// declares changes what the stack of calls declares.
type declares struct {
	q        *queue.Queues
	queues   []queue.Queue
	mappings []queue.Mapping
}

func (d *declares) EditQueues(ctx context.Context, stack string, change func([]queue.Queue, []queue.Mapping) ([]queue.Queue, []queue.Mapping, error)) error {
	queues, mappings, err := change(d.queues, d.mappings)
	if err != nil {
		return err
	}
	d.queues, d.mappings = queues, mappings
	return d.q.Replace(ctx, stack, queues, mappings)
}

func queued(t *testing.T) (*world, *sqs.Client) {
	t.Helper()
	js := enginetest.Streams(t)
	q := &queue.Queues{
		Streams: js, NewAppender: func(string) queue.Appender { return paper{js} }, Region: "us-east-1", Log: slog.New(slog.DiscardHandler),
	}
	q.Editor = &declares{q: q}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	w := serve(t, &api.Server{Services: []*api.Service{(&api.SQS{Queues: q}).Service()}})
	q.Endpoint = w.url
	return w, sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(w.keys.Admin())})
}

// Amazon's client checks the digests of what it sends and receives.
func TestAmazonsClientOfQueues(t *testing.T) {
	_, c := queued(t)
	ctx := t.Context()
	made, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{"VisibilityTimeout": "60"}, Tags: map[string]string{"team": "paper"}})
	if err != nil {
		t.Fatal(err)
	}
	listed, err := c.ListQueues(ctx, &sqs.ListQueuesInput{})
	if err != nil || len(listed.QueueUrls) != 1 || listed.QueueUrls[0] != *made.QueueUrl {
		t.Fatalf("listed %+v, %v", listed, err)
	}
	tags, err := c.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: made.QueueUrl})
	if err != nil || tags.Tags["team"] != "paper" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	colour := map[string]types.MessageAttributeValue{"colour": {DataType: aws.String("String"), StringValue: aws.String("green")}, "raw": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 2}}}
	if _, err := c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("one <&>"), MessageAttributes: colour}); err != nil {
		t.Fatal(err)
	}
	batch, err := c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: made.QueueUrl, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("two"), MessageAttributes: colour}, {Id: aws.String("b"), MessageBody: aws.String("three"), DelaySeconds: 901},
	}})
	if err != nil || len(batch.Successful) != 1 || len(batch.Failed) != 1 || *batch.Failed[0].Code != "InvalidParameterValue" {
		t.Fatalf("batch %+v, %v", batch, err)
	}
	got, want := map[string]map[string]types.MessageAttributeValue{}, map[string]map[string]types.MessageAttributeValue{"one <&>": colour, "two": colour}
	var receipts []types.DeleteMessageBatchRequestEntry
	for len(got) < len(want) {
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: []string{"All"},
			AttributeNames: []types.QueueAttributeName{"All"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range out.Messages {
			got[*m.Body] = m.MessageAttributes
			receipts = append(receipts, types.DeleteMessageBatchRequestEntry{Id: aws.String("m" + *m.MessageId), ReceiptHandle: m.ReceiptHandle})
			if m.Attributes["ApproximateReceiveCount"] != "1" {
				t.Errorf("attributes %v", m.Attributes)
			}
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(types.MessageAttributeValue{})); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
	if out, err := c.ChangeMessageVisibilityBatch(ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: made.QueueUrl, Entries: []types.ChangeMessageVisibilityBatchRequestEntry{
		{Id: receipts[0].Id, ReceiptHandle: receipts[0].ReceiptHandle, VisibilityTimeout: 90}, {Id: aws.String("x"), ReceiptHandle: aws.String("none"), VisibilityTimeout: 1},
	}}); err != nil || len(out.Successful) != 1 || len(out.Failed) != 1 {
		t.Errorf("hidden longer: %+v, %v", out, err)
	}
	if out, err := c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: made.QueueUrl, Entries: receipts}); err != nil || len(out.Successful) != 2 {
		t.Errorf("deleted %+v, %v", out, err)
	}
	attributes, err := c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: made.QueueUrl, AttributeNames: []types.QueueAttributeName{"VisibilityTimeout", "ApproximateNumberOfMessages"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"VisibilityTimeout": "60", "ApproximateNumberOfMessages": "0"}, attributes.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if _, err := c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("jobs")}); code(err) != "AWS.SimpleQueueService.NonExistentQueue" && code(err) != "QueueDoesNotExist" {
		t.Errorf("a queue that was deleted: %v", err)
	}
}

// Clients before the end of 2023 send forms, to the queue's own URL.
func TestQueryOfQueues(t *testing.T) {
	w, _ := queued(t)
	ask := func(path string, form url.Values) string {
		form.Set("Version", "2012-11-05")
		_, doc := w.post(t, "sqs", path, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(form.Encode()))
		return doc
	}
	made := ask("/", url.Values{"Action": {"CreateQueue"}, "QueueName": {"jobs"}, "Attribute.1.Name": {"DelaySeconds"}, "Attribute.1.Value": {"0"}, "Tag.1.Key": {"team"}, "Tag.1.Value": {"paper"}})
	const at = "/000000000000/jobs"
	if !strings.Contains(made, "<CreateQueueResult><QueueUrl>"+w.url+at+"</QueueUrl></CreateQueueResult>") {
		t.Fatal(made)
	}
	sent := ask(at, url.Values{
		"Action": {"SendMessageBatch"}, "QueueUrl": {w.url + at},
		"SendMessageBatchRequestEntry.1.Id": {"a"}, "SendMessageBatchRequestEntry.1.MessageBody": {"one"},
		"SendMessageBatchRequestEntry.1.MessageAttribute.1.Name": {"colour"}, "SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType": {"String"},
		"SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue": {"green"},
	})
	if !strings.Contains(sent, "<SendMessageBatchResult><SendMessageBatchResultEntry><Id>a</Id><MessageId>") {
		t.Fatal(sent)
	}
	got := ask(at, url.Values{"Action": {"ReceiveMessage"}, "QueueUrl": {w.url + at}, "WaitTimeSeconds": {"20"}, "AttributeName.1": {"ApproximateReceiveCount"}, "MessageAttributeName.1": {"All"}})
	for _, part := range []string{
		"<ReceiveMessageResult><Message><MessageId>", "<Body>one</Body>", "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>",
		"<MessageAttribute><Name>colour</Name><Value><DataType>String</DataType><StringValue>green</StringValue></Value></MessageAttribute></Message></ReceiveMessageResult>",
	} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %s", part, got)
		}
	}
	if none := ask("/", url.Values{"Action": {"GetQueueUrl"}, "QueueName": {"none"}}); !strings.Contains(none, "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>") {
		t.Error(none)
	}
}
