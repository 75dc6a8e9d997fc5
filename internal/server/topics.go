package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/topic"
)

// topicEditor makes what calls of SNS change the next revision of a stack.
type topicEditor struct{ *deploy.Deployer }

func (e topicEditor) EditTopics(ctx context.Context, stack string, change func([]topic.Topic, []topic.Subscription) ([]topic.Topic, []topic.Subscription, error)) error {
	// a client that leaves must not cut a change in two
	_, err := e.Edit(context.WithoutCancel(ctx), stack, func(r *deploy.Revision) (err error) {
		r.Topics, r.Subscriptions, err = change(r.Topics, r.Subscriptions)
		return err
	})
	return err
}

// isRoot says whether the administrator calls.
func isRoot(ctx context.Context) bool {
	who, known := iam.Caller(ctx)
	return known && who.Root()
}

// mayReachInside says whether a caller may have the platform call loopback and private
// addresses.
func (c Config) mayReachInside(ctx context.Context) bool { return c.PrivateEndpoints || isRoot(ctx) }

// sealer seals small secrets and opens them again.
type sealer interface {
	Seal(plaintext, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}

// topicIdentity returns what messages to endpoints are signed with. It is made at
// the first start and kept in a bucket, sealed.
func topicIdentity(ctx context.Context, streams jetstream.JetStream, seal sealer) (*topic.Identity, error) {
	kv, err := streams.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "topic-identity"})
	if err != nil {
		return nil, fmt.Errorf("open the identity of messages: %w", err)
	}
	const name = "identity"
	entry, err := kv.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		doc, err := topic.NewIdentity()
		if err != nil {
			return nil, err
		}
		sealed, err := seal.Seal(doc, []byte(name))
		if err == nil {
			_, err = kv.Create(ctx, name, sealed)
		}
		if err != nil {
			return nil, fmt.Errorf("keep the identity of messages: %w", err)
		}
		return topic.ParseIdentity(doc)
	}
	if err != nil {
		return nil, fmt.Errorf("read the identity of messages: %w", err)
	}
	doc, err := seal.Open(entry.Value(), []byte(name))
	if err != nil {
		return nil, fmt.Errorf("the identity of messages: %w", err)
	}
	return topic.ParseIdentity(doc)
}
