package queue

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dropstack/dropstack/internal/fault"
)

// States of a move task.
const (
	moveRunning    = "RUNNING"
	moveCompleted  = "COMPLETED"
	moveCancelling = "CANCELLING"
	moveCancelled  = "CANCELLED"
	moveFailed     = "FAILED"
)

const (
	keptMoves = 10  // of a queue, as SQS lists
	fastest   = 500 // messages a second
)

// moves are the tasks that move dead letters, in memory: one that a crash or a
// shutdown ends is forgotten, and what it has not moved stays where it was.
type moves struct {
	mu      sync.Mutex
	list    map[string][]*move // by source, the newest first
	working sync.WaitGroup
	closed  bool
}

// move is a task.
type move struct {
	MoveTask
	stop context.CancelFunc
}

// MoveTask is a task as ListMessageMoveTasks shows it.
type MoveTask struct {
	TaskHandle                        string `json:",omitempty"` // while it runs
	Status                            string
	SourceArn                         string
	DestinationArn                    string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond      *int   `json:",omitempty"`
	ApproximateNumberOfMessagesMoved  int
	ApproximateNumberOfMessagesToMove int
	FailureReason                     string `json:",omitempty"`
	StartedTimestamp                  int64  // milliseconds since 1970
}

// StartMessageMoveTaskInput has dead letters moved: to one queue, or each to the one
// that it is of.
type StartMessageMoveTaskInput struct {
	SourceArn                    string
	DestinationArn               string `json:",omitempty"`
	MaxNumberOfMessagesPerSecond *int   `json:",omitempty"` // 1-500
}

// TaskHandle names a move task.
type TaskHandle struct{ TaskHandle string }

// MoveSource is the queue that a task, by its handle, moves messages from.
func MoveSource(handle string) string {
	text, _ := base64.RawURLEncoding.DecodeString(handle)
	source, _, _ := strings.Cut(string(text), " ")
	return source
}

// Sources are the ARNs of the queues whose dead letters go to another.
func (q *Queues) Sources(queueARN string) (list []string) {
	for name, o := range q.load().queues {
		if o.get().DeadLetter == queueARN {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// StartMessageMoveTask moves what is in a dead-letter queue, and answers before it
// has.
func (q *Queues) StartMessageMoveTask(ctx context.Context, in StartMessageMoveTaskInput) (TaskHandle, error) {
	from, err := q.find(in.SourceArn)
	if err != nil {
		return TaskHandle{}, fault.Coded(fault.NotFound, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	if in.DestinationArn != "" {
		if to, err := q.find(in.DestinationArn); err != nil || to.get().FIFO != from.get().FIFO || to == from {
			return TaskHandle{}, fault.Coded(fault.NotFound, "ResourceNotFoundException", "The DestinationArn %s is no other queue of the same kind.", in.DestinationArn)
		}
	}
	if n := or(in.MaxNumberOfMessagesPerSecond, fastest); n < 1 || n > fastest {
		return TaskHandle{}, invalid("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be between 1 and %d.", n, fastest)
	}
	if len(q.Sources(in.SourceArn)) == 0 {
		return TaskHandle{}, invalid("Source queue must be configured as a Dead Letter Queue.")
	}
	counts, err := from.count(ctx)
	if err != nil {
		return TaskHandle{}, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &move{stop: stop, MoveTask: MoveTask{
		TaskHandle: base64.RawURLEncoding.EncodeToString([]byte(in.SourceArn + " " + uuid.NewString())), Status: moveRunning,
		SourceArn: in.SourceArn, DestinationArn: in.DestinationArn, MaxNumberOfMessagesPerSecond: in.MaxNumberOfMessagesPerSecond,
		ApproximateNumberOfMessagesToMove: counts["ApproximateNumberOfMessages"], StartedTimestamp: time.Now().UnixMilli(),
	}}
	q.moves.mu.Lock()
	defer q.moves.mu.Unlock()
	list := q.moves.list[in.SourceArn]
	if q.moves.closed || len(list) > 0 && (list[0].Status == moveRunning || list[0].Status == moveCancelling) {
		stop()
		return TaskHandle{}, fault.Coded(fault.Invalid, "UnsupportedOperation", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	}
	if q.moves.list == nil {
		q.moves.list = map[string][]*move{}
	}
	list = append([]*move{m}, list...)
	q.moves.list[in.SourceArn] = list[:min(len(list), keptMoves)]
	q.moves.working.Go(func() {
		defer stop()
		q.end(m, q.move(ctx, from, m))
	})
	return TaskHandle{m.TaskHandle}, nil
}

// move moves as many messages as there were when it began.
func (q *Queues) move(ctx context.Context, from *open, m *move) error {
	pause := time.NewTicker(time.Second / time.Duration(or(m.MaxNumberOfMessagesPerSecond, fastest)))
	defer pause.Stop()
	for range m.ApproximateNumberOfMessagesToMove {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		list, err := q.receive(ctx, from, 1, time.Minute, time.Second)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return nil
		}
		if err := q.moveOne(context.WithoutCancel(ctx), from, list[0], m.DestinationArn); err != nil {
			_ = from.hide(list[0].receipt, 0) // it stays, and may be received
			return err
		}
		q.moves.mu.Lock()
		m.ApproximateNumberOfMessagesMoved++
		q.moves.mu.Unlock()
	}
	return nil
}

// moveOne stores a message where it goes before it is deleted where it was. It is a
// new one there, with an id and a time of its own.
func (q *Queues) moveOne(ctx context.Context, from *open, g *given, to string) error {
	if to == "" && !slices.Contains(q.Sources(from.get().ARN), g.From) { // which the caller was asked for
		return fault.Coded(fault.Invalid, "CouldNotDetermineMessageSource", "CouldNotDetermineMessageSource")
	}
	dest, err := q.find(cmp.Or(to, g.From))
	if err != nil {
		return err
	}
	r := g.record
	r.ID, r.At, r.From, r.Delay = uuid.NewString(), time.Now().UTC(), "", 0
	if _, err := dest.store(ctx, r, "moved "+g.ID); err != nil { // of two, the second is dropped
		return err
	}
	return from.settle(ctx, g.receipt)
}

// end says how a task ended.
func (q *Queues) end(m *move, err error) {
	q.moves.mu.Lock()
	defer q.moves.mu.Unlock()
	m.TaskHandle = "" // of nothing that could be cancelled
	switch {
	case err != nil:
		m.Status, m.FailureReason = moveFailed, err.Error()
	case m.Status == moveCancelling:
		m.Status = moveCancelled
	default:
		m.Status = moveCompleted
	}
}

// stop ends all tasks and waits for them.
func (m *moves) stop() {
	m.mu.Lock()
	m.closed = true
	for _, list := range m.list {
		for _, one := range list {
			one.stop()
		}
	}
	m.mu.Unlock()
	m.working.Wait()
}

// ListMessageMoveTasksInput names a queue.
type ListMessageMoveTasksInput struct {
	SourceArn  string
	MaxResults *int `json:",omitempty"` // 1-10; default 1
}

// ListMessageMoveTasksOutput are tasks, the newest first.
type ListMessageMoveTasksOutput struct {
	Results []MoveTask `query:"ListMessageMoveTasksResultEntry"`
}

// ListMessageMoveTasks lists the tasks that move messages from a queue.
func (q *Queues) ListMessageMoveTasks(_ context.Context, in ListMessageMoveTasksInput) (ListMessageMoveTasksOutput, error) {
	out, most := ListMessageMoveTasksOutput{Results: []MoveTask{}}, or(in.MaxResults, 1)
	if _, err := q.find(in.SourceArn); err != nil {
		return out, fault.Coded(fault.NotFound, "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	if most < 1 || most > keptMoves {
		return out, invalid("Value %d for parameter MaxResults is invalid. Reason: Must be between 1 and %d.", most, keptMoves)
	}
	q.moves.mu.Lock()
	defer q.moves.mu.Unlock()
	list := q.moves.list[in.SourceArn]
	for _, m := range list[:min(len(list), most)] {
		out.Results = append(out.Results, m.MoveTask)
	}
	return out, nil
}

// CancelMessageMoveTaskOutput is how many messages have been moved, which stay moved.
type CancelMessageMoveTaskOutput struct{ ApproximateNumberOfMessagesMoved int }

// CancelMessageMoveTask ends a task.
func (q *Queues) CancelMessageMoveTask(_ context.Context, in TaskHandle) (CancelMessageMoveTaskOutput, error) {
	q.moves.mu.Lock()
	defer q.moves.mu.Unlock()
	for _, m := range q.moves.list[MoveSource(in.TaskHandle)] {
		if in.TaskHandle != "" && m.TaskHandle == in.TaskHandle {
			m.Status = moveCancelling
			m.stop()
			return CancelMessageMoveTaskOutput{m.ApproximateNumberOfMessagesMoved}, nil
		}
	}
	return CancelMessageMoveTaskOutput{}, fault.Coded(fault.NotFound, "ResourceNotFoundException", "There is no task with this handle that could be cancelled.")
}
