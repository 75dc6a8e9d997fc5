package judge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func sqsCalls(s *sdk) {
	c := sqs.NewFromConfig(s.config)
	dead := call(s, "a queue for dead letters", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go-dead")}, nil).QueueUrl
	deadARN := "arn:aws:sqs:us-east-1:000000000000:go-dead"
	create := &sqs.CreateQueueInput{
		QueueName: aws.String("go-jobs"), Tags: map[string]string{"team": "shop"},
		Attributes: map[string]string{"VisibilityTimeout": "60", "RedrivePolicy": fmt.Sprintf(`{"deadLetterTargetArn":%q,"maxReceiveCount":"1"}`, deadARN)},
	}
	url := call(s, "a queue", c.CreateQueue, create, nil).QueueUrl
	call(s, "the same again", c.CreateQueue, create, func(out *sqs.CreateQueueOutput) error { return same(*out.QueueUrl, *url) })
	fails(s, "another of the name", "QueueAlreadyExists", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go-jobs"), Attributes: map[string]string{"VisibilityTimeout": "61"}})
	fails(s, "a name that is none", "InvalidParameterValue", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go jobs")})
	fails(s, "an attribute out of range", "InvalidAttributeValue", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go-long"), Attributes: map[string]string{"DelaySeconds": "901"}})
	call(s, "its URL", c.GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: aws.String("go-jobs")}, func(out *sqs.GetQueueUrlOutput) error { return same(*out.QueueUrl, *url) })
	fails(s, "the URL of nothing", "AWS.SimpleQueueService.NonExistentQueue", c.GetQueueUrl, &sqs.GetQueueUrlInput{QueueName: aws.String("go-none")})
	call(s, "list", c.ListQueues, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("go-")}, func(out *sqs.ListQueuesOutput) error { return same(out.QueueUrls, []string{*dead, *url}) })
	call(s, "tags", c.ListQueueTags, &sqs.ListQueueTagsInput{QueueUrl: url}, func(out *sqs.ListQueueTagsOutput) error { return same(out.Tags, map[string]string{"team": "shop"}) })
	call(s, "whose dead letters", c.ListDeadLetterSourceQueues, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: dead}, func(out *sqs.ListDeadLetterSourceQueuesOutput) error {
		return same(out.QueueUrls, []string{*url})
	})
	sqsMessages(s, c, url, dead)
	sqsSubscribed(s, c)
	sqsMapped(s, c)
	call(s, "delete", c.DeleteQueue, &sqs.DeleteQueueInput{QueueUrl: url}, nil)
	fails(s, "send to what is gone", "AWS.SimpleQueueService.NonExistentQueue", c.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")})
}

func sqsMessages(s *sdk, c *sqs.Client, url, dead *string) {
	call(s, "send", c.SendMessage, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("one"), MessageAttributes: map[string]types.MessageAttributeValue{
		"n": {DataType: aws.String("Number"), StringValue: aws.String("1")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1}},
	}}, nil)
	call(s, "send several", c.SendMessageBatch, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("two")}, {Id: aws.String("b"), MessageBody: aws.String("three"), DelaySeconds: 1000},
	}}, func(out *sqs.SendMessageBatchOutput) error {
		return same([]any{len(out.Successful), len(out.Failed), *out.Failed[0].Code}, []any{1, 1, "InvalidParameterValue"})
	})
	fails(s, "an empty batch", "AWS.SimpleQueueService.EmptyBatchRequest", c.SendMessageBatch, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{}})
	got := call(s, "receive", c.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"}},
		func(out *sqs.ReceiveMessageOutput) error {
			if len(out.Messages) != 2 {
				return same(len(out.Messages), 2)
			}
			m := out.Messages[0]
			return same([]any{*m.Body, *m.MessageAttributes["n"].StringValue, m.MessageAttributes["b"].BinaryValue, m.Attributes["ApproximateReceiveCount"]}, []any{"one", "1", []byte{0, 1}, "1"})
		}).Messages
	call(s, "how many", c.GetQueueAttributes, &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"}}, func(out *sqs.GetQueueAttributesOutput) error {
		return same([]string{out.Attributes["ApproximateNumberOfMessages"], out.Attributes["ApproximateNumberOfMessagesNotVisible"], out.Attributes["VisibilityTimeout"]}, []string{"0", "2", "60"})
	})
	call(s, "delete a message", c.DeleteMessage, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle}, nil)
	fails(s, "a receipt that is none", "ReceiptHandleIsInvalid", c.DeleteMessage, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("x")})
	fails(s, "hide what is gone", "AWS.SimpleQueueService.MessageNotInflight", c.ChangeMessageVisibility, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got[0].ReceiptHandle})
	call(s, "let a message go", c.ChangeMessageVisibility, &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: 0}, nil)
	call(s, "once was enough", c.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 1}, func(out *sqs.ReceiveMessageOutput) error { return same(len(out.Messages), 0) })
	call(s, "a dead letter", c.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: dead, WaitTimeSeconds: 10}, func(out *sqs.ReceiveMessageOutput) error {
		return same([]any{len(out.Messages), *out.Messages[0].MessageId}, []any{1, *got[1].MessageId})
	})
	call(s, "purge", c.PurgeQueue, &sqs.PurgeQueueInput{QueueUrl: dead}, nil)
	call(s, "change an attribute", c.SetQueueAttributes, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"ReceiveMessageWaitTimeSeconds": "1"}}, nil)
}

// sqsSubscribed has a topic tell a queue.
func sqsSubscribed(s *sdk, c *sqs.Client) {
	topics := sns.NewFromConfig(s.config)
	heard := call(s, "a queue that listens", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go-heard")}, nil).QueueUrl
	topic := call(s, "a topic", topics.CreateTopic, &sns.CreateTopicInput{Name: aws.String("go-news")}, nil).TopicArn
	call(s, "subscribe a queue", topics.Subscribe, &sns.SubscribeInput{TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String("arn:aws:sqs:us-east-1:000000000000:go-heard"), ReturnSubscriptionArn: true}, nil)
	call(s, "publish", topics.Publish, &sns.PublishInput{TopicArn: topic, Message: aws.String("news"), Subject: aws.String("today")}, nil)
	call(s, "the queue hears", c.ReceiveMessage, &sqs.ReceiveMessageInput{QueueUrl: heard, WaitTimeSeconds: 20}, func(out *sqs.ReceiveMessageOutput) error {
		if len(out.Messages) != 1 {
			return same(len(out.Messages), 1)
		}
		var told struct{ Type, TopicArn, Subject, Message string }
		if err := json.Unmarshal([]byte(*out.Messages[0].Body), &told); err != nil {
			return err
		}
		return same([]string{told.Type, told.TopicArn, told.Subject, told.Message}, []string{"Notification", *topic, "today", "news"})
	})
	call(s, "delete the topic", topics.DeleteTopic, &sns.DeleteTopicInput{TopicArn: topic}, nil)
}

// sqsMapped has a queue polled for a function.
func sqsMapped(s *sdk, c *sqs.Client) {
	functions := lambda.NewFromConfig(s.config)
	work := call(s, "a queue with work", c.CreateQueue, &sqs.CreateQueueInput{QueueName: aws.String("go-work")}, nil).QueueUrl
	source := aws.String("arn:aws:sqs:us-east-1:000000000000:go-work")
	create := &lambda.CreateEventSourceMappingInput{
		EventSourceArn: source, FunctionName: &s.world.function, BatchSize: aws.Int32(5),
		FunctionResponseTypes: []lambdatypes.FunctionResponseType{"ReportBatchItemFailures"},
	}
	id := call(s, "map it to a function", functions.CreateEventSourceMapping, create, func(out *lambda.CreateEventSourceMappingOutput) error {
		return same([]any{*out.EventSourceArn, *out.BatchSize, *out.State}, []any{*source, int32(5), "Enabled"})
	}).UUID
	fails(s, "map it twice", "ResourceConflictException", functions.CreateEventSourceMapping, create)
	fails(s, "map what is none", "InvalidParameterValueException", functions.CreateEventSourceMapping, &lambda.CreateEventSourceMappingInput{EventSourceArn: aws.String("arn:aws:sqs:us-east-1:000000000000:go-none"), FunctionName: &s.world.function})
	call(s, "send work", c.SendMessage, &sqs.SendMessageInput{QueueUrl: work, MessageBody: aws.String("job")}, nil)
	s.eventually("the function has done it", func() (bool, error) {
		out, err := c.GetQueueAttributes(s.Context(), &sqs.GetQueueAttributesInput{QueueUrl: work, AttributeNames: []types.QueueAttributeName{"All"}})
		if err != nil {
			return false, err
		}
		return out.Attributes["ApproximateNumberOfMessages"]+out.Attributes["ApproximateNumberOfMessagesNotVisible"] == "00", nil
	})
	call(s, "change the mapping", functions.UpdateEventSourceMapping, &lambda.UpdateEventSourceMappingInput{UUID: id, Enabled: aws.Bool(false)}, func(out *lambda.UpdateEventSourceMappingOutput) error {
		return same(*out.State, "Disabled")
	})
	call(s, "mappings", functions.ListEventSourceMappings, &lambda.ListEventSourceMappingsInput{FunctionName: &s.world.function}, func(out *lambda.ListEventSourceMappingsOutput) error {
		if !slices.ContainsFunc(out.EventSourceMappings, func(m lambdatypes.EventSourceMappingConfiguration) bool {
			return *m.UUID == *id && strings.HasSuffix(*m.FunctionArn, s.world.function)
		}) {
			return fmt.Errorf("%s is not among %d", *id, len(out.EventSourceMappings))
		}
		return nil
	})
	call(s, "delete the mapping", functions.DeleteEventSourceMapping, &lambda.DeleteEventSourceMappingInput{UUID: id}, nil)
	fails(s, "delete it twice", "ResourceNotFoundException", functions.DeleteEventSourceMapping, &lambda.DeleteEventSourceMappingInput{UUID: id})
}
