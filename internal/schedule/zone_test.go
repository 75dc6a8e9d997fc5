package schedule_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/schedule"
)

// late is a schedule of EventBridge Scheduler.
func late(name, expr, zone string) schedule.Schedule {
	return schedule.Schedule{Name: name, ARN: arn.Schedule(arn.Region, "default", name), Expression: expr, Zone: zone, Function: name, Scheduler: true}
}

func TestScheduleCheck(t *testing.T) {
	with := func(edit func(*schedule.Schedule)) schedule.Schedule {
		s := late("s", "rate(1 minutes)", "") // which Scheduler takes
		edit(&s)
		return s
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, s := range map[string]schedule.Schedule{
		"":                             late("s", "rate(5 hour)", "Europe/Warsaw"),
		"not a time zone":              late("s", "cron(0 0 * * ? *)", "Europe/Nowhere"),
		`"Local" is not`:               late("s", "cron(0 0 * * ? *)", "Local"),
		"ScheduleExpressionTimezone":   late("s", "cron(0 0 * * ? *)", "../etc"),
		"is not a time such as":        late("s", "at(2026-02-30T00:00:00)", ""),
		`"2026-01-01T00:00:00.5"`:      late("s", "at(2026-01-01T00:00:00.5)", ""),
		`want "rate(N unit)", "cron`:   late("s", "every 5 minutes", ""),
		"is not a whole number":        late("s", "rate(0 minutes)", ""),
		"EndDate":                      with(func(s *schedule.Schedule) { s.Start, s.End = day, day.Add(-1) }),
		"Input is not JSON":            with(func(s *schedule.Schedule) { s.Input = "hello" }),
		"Only one of Input":            with(func(s *schedule.Schedule) { s.Input, s.InputPath = "1", "$" }),
		"with 1 the unit is singular":  with(func(s *schedule.Schedule) { s.Scheduler = false }),
		`want "rate(N unit)" or "cron`: with(func(s *schedule.Schedule) { s.Scheduler, s.Expression = false, "at(2026-01-01T00:00:00)" }),
	} {
		err := s.Check()
		if want == "" && err != nil || want != "" && (fault.CodeOf(err) != "ValidationException" || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestSchedulerBetweenTwoDates(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		bounded := late("bounded", "rate(1 hour)", "")
		bounded.Start, bounded.End = start.Add(90*time.Minute), start.Add(210*time.Minute)
		replace(t, s, bounded, late("free", "rate(2 hours)", ""), late("once", "at(2000-01-01T04:00:00)", "Europe/Warsaw"))
		time.Sleep(5 * time.Hour)
		want(t, q, start, "free 1s", "bounded 1h30m0s", "free 2h0m1s", "bounded 2h30m0s", "once 3h0m0s", "bounded 3h30m0s", "free 4h0m1s")
	})
}

func TestAScheduleInAnotherZoneIsPlannedAnew(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		replace(t, s, late("s", "cron(0 12 1 1 ? 2000)", ""))
		replace(t, s, late("s", "cron(0 12 1 1 ? 2000)", "Europe/Warsaw"))
		time.Sleep(24 * time.Hour)
		want(t, q, start, "s 11h0m0s")
	})
}

func TestWhatFunctionsGetOfATick(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, _ time.Time) {
		plain, named, part := late("plain", "at(2000-01-01T01:00:00)", ""), late("named", "at(2000-01-01T02:00:00)", ""), rule("part", "cron(0 3 1 1 ? 2000)")
		named.Input = `{"at":"<aws.scheduler.scheduled-time>","of":"<aws.scheduler.schedule-arn>","id":"<aws.scheduler.execution-id>","n":<aws.scheduler.attempt-number>}`
		part.InputPath = "$.resources[0]"
		replace(t, s, plain, named, part)
		time.Sleep(4 * time.Hour)
		var got any
		if err := json.Unmarshal(q.all()[0].Payload, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(map[string]any{
			"version": "0", "id": q.all()[0].ID, "detail-type": "Scheduled Event", "source": "aws.scheduler", "account": "000000000000",
			"time": "2000-01-01T01:00:00Z", "region": "us-east-1", "resources": []any{plain.ARN}, "detail": "{}",
		}), got); diff != "" {
			t.Errorf("without an input (-want +got):\n%s", diff)
		}
		if got, want := string(q.all()[1].Payload), `{"at":"2000-01-01T02:00:00Z","of":"`+named.ARN+`","id":"`+q.all()[1].ID+`","n":1}`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got, want := string(q.all()[2].Payload), `"`+part.ARN+`"`; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestATopicIsToldOfATick(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, _ *queue, _ time.Time) {
		var got []string
		s.Deliver = func(_ context.Context, to, group, _ string, body []byte) error {
			got = append(got, to+" "+group+" "+string(body))
			return nil
		}
		told := rule("told", "rate(1 hour)")
		told.Function, told.To, told.ToGroup, told.Input = "", "arn:aws:sqs:us-east-1:000000000000:q.fifo", "g", `{"n":1}`
		replace(t, s, told)
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{told.To + ` g {"n":1}`}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestWhatNobodyTakesIsADeadLetterAndWhatIsOverIsRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, _ time.Time) {
		q.fail = func(function.Invocation) error { return fault.Errorf(fault.NotFound, "function gone") }
		var got []string
		s.Deliver = func(_ context.Context, to, _, _ string, body []byte) error {
			got = append(got, to+" "+string(body))
			return nil
		}
		s.Completed = func(_ context.Context, of schedule.Schedule) error {
			got = append(got, "completed "+of.Name)
			return s.Replace(t.Context(), "drops-dev", nil)
		}
		one := late("one", "at(2000-01-01T01:00:00)", "")
		one.DeleteAfter, one.DeadLetter, one.Input = true, "arn:aws:sqs:us-east-1:000000000000:letters", `{"n":1}`
		replace(t, s, one)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if diff := cmp.Diff([]string{one.DeadLetter + ` {"n":1}`, "completed one"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
