// Package topic fans published messages out to their subscriptions.
//
// A message is one record in its topic's stream, written and synced before the
// publisher is answered, so after a crash it has been published wholly or not at
// all. Every subscription is a durable consumer of that stream, which invokes its
// function, retries and dead-letters on its own.
package topic

// Topic is a named stream of messages.
type Topic struct {
	Stack string `json:"stack"`
	Name  string `json:"name"`
	ARN   string `json:"arn"`
}

// Subscription delivers a topic's messages to a function.
type Subscription struct {
	Stack    string `json:"stack"`
	ARN      string `json:"arn"`   // TopicARN:uuid, the same for the same topic and function
	Topic    string `json:"topic"` // ARN
	Function string `json:"function"`
}

// PublishInput is one message. Message is at most 256 KB with its attributes.
type PublishInput struct {
	TopicArn   string
	Message    string
	Subject    string
	Attributes map[string]Attribute
}

// Attribute is a message attribute: Type is String, Number, Binary or
// String.Array, Value as sent (base64 for Binary).
type Attribute struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}
