package queue

import (
	"context"
	"errors"
	"sync"

	"github.com/dropstack/dropstack/internal/fault"
)

// DeleteMessageInput names a message by what it was received with.
type DeleteMessageInput struct {
	QueueUrl      string
	ReceiptHandle string
}

// DeleteMessage deletes a message that its receiver is done with.
func (q *Queues) DeleteMessage(ctx context.Context, in DeleteMessageInput) (struct{}, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, o.settle(ctx, in.ReceiptHandle)
}

// BatchEntry is an entry of a batch about received messages.
type BatchEntry struct {
	Id                string
	ReceiptHandle     string
	VisibilityTimeout *int `json:",omitempty"` // of ChangeMessageVisibilityBatch
}

// BatchInput is up to ten entries.
type BatchInput struct {
	QueueUrl string
	Entries  []BatchEntry
}

// BatchOutput is what became of the entries.
type BatchOutput struct {
	Successful []BatchDone
	Failed     []BatchError
}

// BatchDone is an entry that succeeded.
type BatchDone struct{ Id string }

func (q *Queues) batch(in BatchInput, do func(*open, BatchEntry) error) (BatchOutput, error) {
	out := BatchOutput{[]BatchDone{}, []BatchError{}}
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return out, err
	}
	ids, errs := make([]string, len(in.Entries)), make([]error, len(in.Entries))
	for i, e := range in.Entries {
		ids[i] = e.Id
	}
	if err := checkBatch(ids); err != nil {
		return out, err
	}
	var all sync.WaitGroup
	for i, e := range in.Entries {
		all.Go(func() { errs[i] = do(o, e) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			out.Failed = append(out.Failed, failed(ids[i], err))
		} else {
			out.Successful = append(out.Successful, BatchDone{ids[i]})
		}
	}
	return out, nil
}

// DeleteMessageBatch deletes up to ten messages.
func (q *Queues) DeleteMessageBatch(ctx context.Context, in BatchInput) (BatchOutput, error) {
	return q.batch(in, func(o *open, e BatchEntry) error { return o.settle(ctx, e.ReceiptHandle) })
}

// ChangeMessageVisibilityInput says how long from now a message stays hidden.
type ChangeMessageVisibilityInput struct {
	QueueUrl          string
	ReceiptHandle     string
	VisibilityTimeout int // seconds, 0-43,200
}

// ChangeMessageVisibility hides a message for longer, or for less.
func (q *Queues) ChangeMessageVisibility(_ context.Context, in ChangeMessageVisibilityInput) (struct{}, error) {
	o, err := q.at(in.QueueUrl)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, o.hide(in.ReceiptHandle, in.VisibilityTimeout)
}

// ChangeMessageVisibilityBatch does so for up to ten messages.
func (q *Queues) ChangeMessageVisibilityBatch(_ context.Context, in BatchInput) (BatchOutput, error) {
	return q.batch(in, func(o *open, e BatchEntry) error {
		if e.VisibilityTimeout == nil {
			return errors.Join(fault.Coded(fault.Invalid, "MissingParameter", "The request must contain the parameter VisibilityTimeout."))
		}
		return o.hide(e.ReceiptHandle, *e.VisibilityTimeout)
	})
}
