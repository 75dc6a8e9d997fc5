// Package bus publishes what happened to drops.
package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/dropstack/dropstack/services/wire"
)

// SNS publishes to topics; ARNs maps the names of wire to topic ARNs.
type SNS struct {
	Client *sns.Client
	ARNs   map[string]string
}

// Publish returns when the topic has the event durably.
func (s SNS) Publish(ctx context.Context, topic string, e wire.DropEvent) error {
	arn := s.ARNs[topic]
	if arn == "" {
		return fmt.Errorf("topic %s has no ARN in the environment", topic)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	message := string(body)
	_, err = s.Client.Publish(ctx, &sns.PublishInput{TopicArn: &arn, Message: &message})
	return err
}

// Local calls consumers in the same process, each in its own goroutine, as the
// platform runs functions in parallel. It does not retry.
type Local struct {
	Consumers map[string][]func(context.Context, wire.DropEvent) error // by topic
	Log       *slog.Logger

	running sync.WaitGroup
}

// Publish starts the consumers.
func (l *Local) Publish(ctx context.Context, topic string, e wire.DropEvent) error {
	for _, consume := range l.Consumers[topic] {
		l.running.Go(func() {
			if err := consume(context.WithoutCancel(ctx), e); err != nil {
				l.Log.Error("consumer failed", "topic", topic, "code", e.Code, "err", err)
			}
		})
	}
	return nil
}

// Wait returns when no consumer is running.
func (l *Local) Wait() { l.running.Wait() }
