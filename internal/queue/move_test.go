package queue_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/queue"
)

// moved waits until the newest task of a queue is over.
func moved(t *testing.T, q *queue.Queues, source string) queue.MoveTask {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		out, err := q.ListMessageMoveTasks(t.Context(), queue.ListMessageMoveTasksInput{SourceArn: source})
		if err != nil || len(out.Results) != 1 {
			t.Fatalf("tasks %+v, %v", out, err)
		}
		if task := out.Results[0]; task.Status != "RUNNING" && task.Status != "CANCELLING" {
			return task
		}
	}
	t.Fatal("the task does not end")
	return queue.MoveTask{}
}

func TestDeadLettersAreMovedBack(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	jobs, dead := named("jobs"), named("dead")
	jobs.DeadLetter, jobs.MaxReceive = dead.ARN, 1
	replace(t, q, nil, jobs, dead, named("other"))
	send(t, q, "jobs", "one", "two")
	for range 2 {
		receive(t, q, "jobs", 10, 0, 5)
	}
	become(t, q, "dead", "2 ready, 0 hidden, 0 delayed")
	if _, err := q.StartMessageMoveTask(t.Context(), queue.StartMessageMoveTaskInput{SourceArn: jobs.ARN}); fault.CodeOf(err) != "InvalidParameterValue" {
		t.Errorf("a queue that is of no dead letters: %v", err)
	}
	if _, err := q.StartMessageMoveTask(t.Context(), queue.StartMessageMoveTaskInput{SourceArn: dead.ARN}); err != nil {
		t.Fatal(err)
	}
	if task := moved(t, q, dead.ARN); task.Status != "COMPLETED" || task.ApproximateNumberOfMessagesMoved != 2 || task.TaskHandle != "" {
		t.Errorf("%+v", task)
	}
	list := receive(t, q, "jobs", 10, 600, 5)
	list = append(list, receive(t, q, "jobs", 10, 600, 1)...)
	got := bodies(list)
	if slices.Sort(got); !slices.Equal(got, []string{"one", "two"}) || list[0].Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("moved back: %v, %v", got, list)
	}
	become(t, q, "dead", "0 ready, 0 hidden, 0 delayed")

	send(t, q, "dead", "whose")
	if _, err := q.StartMessageMoveTask(t.Context(), queue.StartMessageMoveTaskInput{SourceArn: dead.ARN}); err != nil {
		t.Fatal(err)
	}
	if task := moved(t, q, dead.ARN); task.Status != "FAILED" || task.FailureReason != "CouldNotDetermineMessageSource" {
		t.Errorf("a message that was sent: %+v", task)
	}
	if _, err := q.StartMessageMoveTask(t.Context(), queue.StartMessageMoveTaskInput{SourceArn: dead.ARN, DestinationArn: queue.ARN("us-east-1", "other")}); err != nil {
		t.Fatal(err)
	}
	if task := moved(t, q, dead.ARN); task.Status != "COMPLETED" {
		t.Errorf("to another queue: %+v", task)
	}
	if got := drain(t, q, "other"); !slices.Equal(got, []string{"whose"}) {
		t.Errorf("the other queue has %v", got)
	}
}

func TestAMoveIsCancelled(t *testing.T) {
	q := open(t, enginetest.Streams(t), nil)
	jobs, dead := named("jobs"), named("dead")
	jobs.DeadLetter, jobs.MaxReceive = dead.ARN, 1
	replace(t, q, nil, jobs, dead)
	for range 50 {
		send(t, q, "dead", "letter")
	}
	in := queue.StartMessageMoveTaskInput{SourceArn: dead.ARN, DestinationArn: jobs.ARN, MaxNumberOfMessagesPerSecond: new(1)}
	task, err := q.StartMessageMoveTask(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.StartMessageMoveTask(t.Context(), in); fault.CodeOf(err) != "UnsupportedOperation" {
		t.Errorf("a second task: %v", err)
	}
	if queue.MoveSource(task.TaskHandle) != dead.ARN {
		t.Errorf("the handle says %q", queue.MoveSource(task.TaskHandle))
	}
	if _, err := q.CancelMessageMoveTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	if got := moved(t, q, dead.ARN); got.Status != "CANCELLED" {
		t.Errorf("%+v", got)
	}
	if _, err := q.CancelMessageMoveTask(t.Context(), task); fault.CodeOf(err) != "ResourceNotFoundException" {
		t.Errorf("cancelled twice: %v", err)
	}
}
