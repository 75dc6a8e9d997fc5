package schedule_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/schedule"
)

func TestListTellsTheTicksToCome(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, _ *queue, _ time.Time) {
		often, off, bare, daily := rule("often", "rate(1 minute)"), rule("off", "rate(1 minute)"), rule("bare", "rate(1 minute)"), rule("daily", "cron(30 3 * * ? *)")
		often.Target, off.Disabled, bare.Function = "1", true, ""
		second := often
		second.Target, second.Function, second.To = "2", "", "arn:aws:sns:us-east-1:000000000000:news"
		daily.Stack, daily.Zone, daily.Scheduler, daily.Group = "a-dev", "Europe/Warsaw", true, "nights"
		daily.End = time.Date(2000, 1, 2, 12, 0, 0, 0, time.UTC)
		replace(t, s, often, second, off, bare)
		if err := s.Replace(t.Context(), "a-dev", []schedule.Schedule{daily}); err != nil {
			t.Fatal(err)
		}
		at := func(day, hour, minute int) time.Time { return time.Date(2000, 1, day, hour, minute, 0, 0, time.UTC) }
		status := func(of schedule.Schedule, targets []string, next ...time.Time) schedule.Status {
			return schedule.Status{
				Stack: of.Stack, Name: of.Name, ARN: of.ARN, Expression: of.Expression, Zone: "UTC", Disabled: of.Disabled,
				Targets: targets, Next: append([]time.Time{}, next...),
			}
		}
		night := status(daily, []string{"daily"}, at(1, 2, 30), at(2, 2, 30)) // and then it ends
		night.Zone, night.Group = "Europe/Warsaw", "nights"
		want := []schedule.Status{
			night, status(bare, []string{}), status(off, []string{"off"}), status(often, []string{"often", second.To}, at(1, 0, 1), at(1, 0, 2), at(1, 0, 3)),
		}
		if diff := cmp.Diff(want, s.List("", 3)); diff != "" {
			t.Errorf("all (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want[:1], s.List("a-dev", 3)); diff != "" {
			t.Errorf("of a stack (-want +got):\n%s", diff)
		}
		if got := s.List("b-dev", 3); len(got) != 0 {
			t.Errorf("of no stack: %v", got)
		}
	})
}

func TestFireIsOneTickMore(t *testing.T) {
	bubble(t, func(t *testing.T, s *schedule.Scheduler, q *queue, start time.Time) {
		a, off, bare := rule("a", "rate(1 minute)"), rule("off", "rate(1 minute)"), rule("bare", "rate(1 minute)")
		a.Target, off.Disabled, bare.Function = "1", true, ""
		broken := a
		broken.Target, broken.Function = "2", "broken"
		q.fail = func(inv function.Invocation) error {
			if inv.Function == "broken" {
				return errors.New("it is full")
			}
			return nil
		}
		replace(t, s, a, broken, off, bare)
		time.Sleep(10*time.Second + time.Millisecond)

		first, err := s.Fire(t.Context(), a.ARN)
		if err != nil || len(first) != 2 || first[0].Error != "" || first[1].Error != "it is full" {
			t.Fatalf("fire: %+v, %v", first, err)
		}
		again, err := s.Fire(t.Context(), a.ARN)
		if err != nil || again[0].Request == first[0].Request {
			t.Errorf("fire again: %+v after %+v, %v", again, first, err)
		}
		if _, err := s.Fire(t.Context(), off.ARN); err != nil {
			t.Errorf("fire what is disabled: %v", err)
		}
		if _, err := s.Fire(t.Context(), bare.ARN); fault.KindOf(err) != fault.Invalid {
			t.Errorf("fire what has no target: %v", err)
		}
		if _, err := s.Fire(t.Context(), "nobody"); fault.KindOf(err) != fault.NotFound {
			t.Errorf("fire what there is not: %v", err)
		}
		var event struct {
			ID, Time  string
			Resources []string
		}
		if err := json.Unmarshal(q.all()[0].Payload, &event); err != nil {
			t.Fatal(err)
		}
		if event.ID != first[0].Request || event.ID != q.all()[0].ID || event.Time != "2000-01-01T00:00:10Z" || event.Resources[0] != a.ARN {
			t.Errorf("event: %s", q.all()[0].Payload)
		}
		time.Sleep(50 * time.Second)
		want(t, q, start, "a 10.001s", "a 10.001s", "off 10.001s", "a 1m0s")
	})
}
