package api

import (
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/dropstack/dropstack/internal/queue"
)

// SQS is Amazon SQS over the queues, in AWS JSON, and in Query as clients before the
// end of 2023 have it.
type SQS struct {
	Queues *queue.Queues

	parsed policy.Cache
}

// on needs an action on the queue at a URL, over which its own policy decides too.
func (s *SQS) on(action, url string) []Need { return s.over(action, s.Queues.ARNOf(url)) }

// moving is what it takes to move dead letters: to receive and delete them, and to
// send them to where they go.
func (s *SQS) moving(in queue.StartMessageMoveTaskInput) []Need {
	needs := s.over("", in.SourceArn)
	for _, action := range []string{"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"} {
		needs = append(needs, s.over(action, in.SourceArn)...)
	}
	to := []string{in.DestinationArn}
	if in.DestinationArn == "" {
		to = s.Queues.Sources(in.SourceArn)
	}
	for _, name := range to {
		needs = append(needs, s.over("SendMessage", name)...)
	}
	return needs
}

// over is on for a queue's ARN.
func (s *SQS) over(action, name string) []Need {
	need := Need{Resource: name}
	if action != "" {
		need.Action = "sqs:" + action
	}
	if text := s.Queues.Policy(name); text != "" {
		document, err := s.parsed.Parse(policy.Resource, text)
		if err != nil { // one that cannot be read, which nothing stores, forbids everything
			document, _ = s.parsed.Parse(policy.Resource, `{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`)
		}
		need.Policies = []policy.Document{document}
	}
	return []Need{need}
}

// Service is the service "sqs".
func (s *SQS) Service() *Service {
	q := s.Queues
	at := func(in queue.QueueURL) []Need { return s.on("", in.QueueUrl) }
	named := func(name string) []Need { return on(queue.ARN(q.Region, name)) }
	return &Service{
		Scope: "sqs", Prefix: "AmazonSQS.", Namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
		QueryCodes: map[string]string{
			"QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue", "QueueNameExists": "QueueAlreadyExists",
			"EmptyBatchRequest": "AWS.SimpleQueueService.EmptyBatchRequest", "TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
			"BatchEntryIdsNotDistinct": "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "InvalidBatchEntryId": "AWS.SimpleQueueService.InvalidBatchEntryId",
			"BatchRequestTooLong": "AWS.SimpleQueueService.BatchRequestTooLong", "MessageNotInflight": "AWS.SimpleQueueService.MessageNotInflight",
		},
		Operations: map[string]Operation{
			"SendMessage": op(q.SendMessage, func(in queue.SendMessageInput) []Need { return s.on("", in.QueueUrl) }).aboutData(),
			"SendMessageBatch": op(q.SendMessageBatch, func(in queue.SendMessageBatchInput) []Need {
				return s.on("SendMessage", in.QueueUrl)
			}).aboutData(),
			"ReceiveMessage": op(q.ReceiveMessage, func(in queue.ReceiveMessageInput) []Need { return s.on("", in.QueueUrl) }).aboutData(),
			"DeleteMessage":  op(q.DeleteMessage, func(in queue.DeleteMessageInput) []Need { return s.on("", in.QueueUrl) }).aboutData(),
			"DeleteMessageBatch": op(q.DeleteMessageBatch, func(in queue.DeleteMessageBatchInput) []Need {
				return s.on("DeleteMessage", in.QueueUrl)
			}).aboutData(),
			"ChangeMessageVisibility": op(q.ChangeMessageVisibility, func(in queue.ChangeMessageVisibilityInput) []Need {
				return s.on("", in.QueueUrl)
			}).aboutData(),
			"ChangeMessageVisibilityBatch": op(q.ChangeMessageVisibilityBatch, func(in queue.ChangeMessageVisibilityBatchInput) []Need {
				return s.on("ChangeMessageVisibility", in.QueueUrl)
			}).aboutData(),

			"CreateQueue": op(q.CreateQueue, func(in queue.CreateQueueInput) []Need {
				needs := named(in.QueueName)
				if len(in.Tags) > 0 {
					needs = append(needs, Need{Action: "sqs:TagQueue", Resource: needs[0].Resource})
				}
				return needs
			}),
			"DeleteQueue":        op(q.DeleteQueue, at),
			"PurgeQueue":         op(q.PurgeQueue, at),
			"GetQueueUrl":        op(q.GetQueueUrl, func(in queue.GetQueueUrlInput) []Need { return s.on("", q.URL(in.QueueName)) }),
			"ListQueues":         op(q.ListQueues, nil),
			"GetQueueAttributes": op(q.GetQueueAttributes, func(in queue.GetQueueAttributesInput) []Need { return s.on("", in.QueueUrl) }),
			"SetQueueAttributes": op(q.SetQueueAttributes, func(in queue.SetQueueAttributesInput) []Need { return s.on("", in.QueueUrl) }),

			"TagQueue":      op(q.TagQueue, func(in queue.TagQueueInput) []Need { return s.on("", in.QueueUrl) }),
			"UntagQueue":    op(q.UntagQueue, func(in queue.UntagQueueInput) []Need { return s.on("", in.QueueUrl) }),
			"ListQueueTags": op(q.ListQueueTags, at),

			"StartMessageMoveTask": op(q.StartMessageMoveTask, s.moving),
			"ListMessageMoveTasks": op(q.ListMessageMoveTasks, func(in queue.ListMessageMoveTasksInput) []Need { return s.over("", in.SourceArn) }),
			"CancelMessageMoveTask": op(q.CancelMessageMoveTask, func(in queue.TaskHandle) []Need {
				return s.over("", queue.MoveSource(in.TaskHandle))
			}),

			"ListDeadLetterSourceQueues": op(q.ListDeadLetterSourceQueues, at),
		},
	}
}
