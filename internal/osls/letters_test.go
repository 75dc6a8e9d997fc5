package osls

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// useLetters publishes, queues and invokes without waiting.
func useLetters(s *stack) {
	posts := s.outputs["PostsArn"]
	s.publish(strings.Replace(posts, "-posts", "-plain", 1), "hello", nil)
	s.publish(posts, "a bill", map[string]string{"kind": "bill"})
	s.publish(posts, "a letter", map[string]string{"kind": "letter"})
	s.logged("inbox", "letter "+s.name+"-plain hello")
	s.logged("inbox", "letter "+s.name+`-posts a letter {"kind":`)

	// a queue: what is done is gone, what cannot be done goes to the dead letters
	queues := sqs.NewFromConfig(s.world.config)
	for _, body := range []string{"plain work", "poison"} {
		_, err := queues.SendMessage(s.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(s.outputs["JobsUrl"]), MessageBody: &body})
		s.need(err)
	}
	s.logged("worker", "job plain work "+s.name+"-jobs")
	s.receives(queues, "LostUrl", "poison")

	// what becomes of asynchronous events
	functions := lambda.NewFromConfig(s.world.config)
	for _, event := range []string{`{"what":"parcel"}`, `{"fail":true}`} {
		_, err := functions.Invoke(s.Context(), &lambda.InvokeInput{FunctionName: aws.String(s.name + "-relay"), InvocationType: types.InvocationTypeEvent, Payload: []byte(event)})
		s.need(err)
	}
	s.logged("inbox", "relayed Success parcel")
	s.receives(queues, "FailuresUrl", "cannot be relayed")
}

func (s *stack) publish(topic, message string, attributes map[string]string) {
	s.Helper()
	in := &sns.PublishInput{TopicArn: &topic, Message: &message, MessageAttributes: map[string]snstypes.MessageAttributeValue{}}
	for name, value := range attributes {
		in.MessageAttributes[name] = snstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: &value}
	}
	_, err := sns.NewFromConfig(s.world.config).Publish(s.Context(), in)
	s.need(err)
}

// receives waits for a message with a text in a queue.
func (s *stack) receives(queues *sqs.Client, output, text string) {
	s.Helper()
	s.eventually(output, func() error {
		out, err := queues.ReceiveMessage(s.Context(), &sqs.ReceiveMessageInput{QueueUrl: aws.String(s.outputs[output]), WaitTimeSeconds: 5})
		s.need(err)
		for _, m := range out.Messages {
			if strings.Contains(*m.Body, text) {
				return nil
			}
		}
		return fmt.Errorf("%d messages, none with %q", len(out.Messages), text)
	})
}
