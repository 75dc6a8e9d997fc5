package server

import (
	"context"
	"strings"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/topic"
)

// openQueues opens the queues, and lets functions send to them.
func (r *rooms) openQueues(cfg Config, ls *listeners) {
	r.queues = &queue.Queues{
		Streams: r.eng.Streams, NewAppender: func(stream string) queue.Appender { return r.eng.NewAppender(stream) },
		Invoker: r.invoker, Endpoint: ls.endpoints.AWS, Region: cfg.Region, Log: cfg.Log,
	}
	r.invoker.Send = func(ctx context.Context, queueARN, id, body string, attributes map[string]string) error {
		return r.send(ctx, queueARN, id, body, "", attributes)
	}
}

// send puts a message with texts as attributes into a queue.
func (r *rooms) send(ctx context.Context, queueARN, id, body, group string, attributes map[string]string) error {
	values := map[string]queue.AttributeValue{}
	for name, value := range attributes {
		values[name] = queue.AttributeValue{DataType: "String", StringValue: &value}
	}
	return r.queues.Send(ctx, queueARN, id, body, group, values)
}

// forward puts a topic's message into a queue.
func (r *rooms) forward(ctx context.Context, queueARN, id, body string, attributes map[string]topic.Attribute) error {
	values := map[string]queue.AttributeValue{}
	for name, a := range attributes {
		value := queue.AttributeValue{DataType: a.Type, StringValue: &a.Value}
		if strings.HasPrefix(a.Type, "Binary") {
			value = queue.AttributeValue{DataType: a.Type, BinaryValue: a.Bytes()}
		}
		values[name] = value
	}
	return r.queues.Send(ctx, queueARN, id, body, "", values)
}

// queueEditor makes what calls of SQS and Lambda change the next revision of a stack.
type queueEditor struct{ *deploy.Deployer }

func (e queueEditor) EditQueues(ctx context.Context, stack string, change func([]queue.Queue, []queue.Mapping) ([]queue.Queue, []queue.Mapping, error)) error {
	// a client that leaves must not cut a change in two
	_, err := e.Edit(context.WithoutCancel(ctx), stack, func(r *deploy.Revision) (err error) {
		r.Queues, r.Mappings, err = change(r.Queues, r.Mappings)
		return err
	})
	return err
}
