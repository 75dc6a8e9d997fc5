package queue

import (
	"context"
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

// batchInput is up to ten entries, which Query has by a name of each operation.
type batchInput struct {
	QueueUrl string
	Entries  []BatchEntry
}

// DeleteMessageBatchInput is up to ten messages that are done with.
type DeleteMessageBatchInput struct {
	QueueUrl string
	Entries  []BatchEntry `query:"DeleteMessageBatchRequestEntry"`
}

// ChangeMessageVisibilityBatchInput is up to ten messages to hide.
type ChangeMessageVisibilityBatchInput struct {
	QueueUrl string
	Entries  []BatchEntry `query:"ChangeMessageVisibilityBatchRequestEntry"`
}

// batchOutput is what became of the entries.
type batchOutput struct {
	Successful []BatchDone
	Failed     []BatchError
}

// DeleteMessageBatchOutput is what became of the entries.
type DeleteMessageBatchOutput struct {
	Successful []BatchDone  `query:"DeleteMessageBatchResultEntry"`
	Failed     []BatchError `query:"BatchResultErrorEntry"`
}

// ChangeMessageVisibilityBatchOutput is what became of the entries.
type ChangeMessageVisibilityBatchOutput struct {
	Successful []BatchDone  `query:"ChangeMessageVisibilityBatchResultEntry"`
	Failed     []BatchError `query:"BatchResultErrorEntry"`
}

// BatchDone is an entry that succeeded.
type BatchDone struct{ Id string }

func (q *Queues) batch(in batchInput, do func(*open, BatchEntry) error) (batchOutput, error) {
	out := batchOutput{[]BatchDone{}, []BatchError{}}
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
func (q *Queues) DeleteMessageBatch(ctx context.Context, in DeleteMessageBatchInput) (DeleteMessageBatchOutput, error) {
	out, err := q.batch(batchInput(in), func(o *open, e BatchEntry) error { return o.settle(ctx, e.ReceiptHandle) })
	return DeleteMessageBatchOutput(out), err
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
func (q *Queues) ChangeMessageVisibilityBatch(_ context.Context, in ChangeMessageVisibilityBatchInput) (ChangeMessageVisibilityBatchOutput, error) {
	out, err := q.batch(batchInput(in), func(o *open, e BatchEntry) error {
		if e.VisibilityTimeout == nil {
			return fault.Coded(fault.Invalid, "MissingParameter", "The request must contain the parameter VisibilityTimeout.")
		}
		return o.hide(e.ReceiptHandle, *e.VisibilityTimeout)
	})
	return ChangeMessageVisibilityBatchOutput(out), err
}
