package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/topic"
)

// TopicState is what the control plane needs of topics.
type TopicState interface {
	List() []topic.Topic
	Status(ctx context.Context, topicARN string) ([]topic.Status, error)
	Letters(ctx context.Context, subARN string, limit int) ([]topic.Letter, error)
	Redrive(ctx context.Context, subARN, messageID string) (int, error)
}

// TopicStatusInput names a topic; "" is all.
type TopicStatusInput struct {
	Topic string `json:"topic,omitempty"` // ARN
}

// TopicStatus is topics and how their subscriptions do.
type TopicStatus struct {
	Topics        []string       `json:"topics"`
	Subscriptions []topic.Status `json:"subscriptions"`
}

// TopicLettersInput names dead letters of a subscription: the oldest Limit, or the
// one of a message.
type TopicLettersInput struct {
	Subscription string `json:"subscription"`
	Message      string `json:"message,omitempty"`
	Limit        int    `json:"limit,omitempty"` // 0: 100
}

func (c *Control) topicStatus(ctx context.Context, in TopicStatusInput) (TopicStatus, error) {
	list, err := c.Topics.Status(ctx, in.Topic)
	out := TopicStatus{Topics: []string{}, Subscriptions: list}
	for _, t := range c.Topics.List() {
		if in.Topic == "" || in.Topic == t.ARN {
			out.Topics = append(out.Topics, t.ARN)
		}
	}
	return out, err
}

func (c *Control) topicLetters(ctx context.Context, in TopicLettersInput) ([]topic.Letter, error) {
	if in.Limit <= 0 {
		in.Limit = 100
	}
	list, err := c.Topics.Letters(ctx, in.Subscription, in.Limit)
	return append([]topic.Letter{}, list...), err
}

func (c *Control) topicRedrive(ctx context.Context, in TopicLettersInput) (Redriven, error) {
	n, err := c.Topics.Redrive(context.WithoutCancel(ctx), in.Subscription, in.Message)
	return Redriven{n}, err
}
