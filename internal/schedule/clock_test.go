package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCronByTheClocksOfAZone(t *testing.T) {
	for _, c := range []struct {
		name, expr, zone, from string
		want                   []string // in UTC
	}{
		{"in winter", "cron(30 9 * * ? *)", "Europe/Warsaw", "2026-01-10T00:00:00Z", []string{"2026-01-10T08:30:00Z", "2026-01-11T08:30:00Z"}},
		{"across the change to summer", "cron(30 9 * * ? *)", "Europe/Warsaw", "2026-03-28T00:00:00Z", []string{"2026-03-28T08:30:00Z", "2026-03-29T07:30:00Z"}},
		{"a time that clocks leave out", "cron(30 2 * * ? *)", "Europe/Warsaw", "2026-03-28T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}},
		{"a time that clocks show twice", "cron(30 2 * * ? *)", "Europe/Warsaw", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"often, where clocks show an hour twice", "cron(0/30 1-3 25 10 ? 2026)", "Europe/Warsaw", "2026-10-24T12:00:00Z", []string{
			"2026-10-24T23:00:00Z", "2026-10-24T23:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z",
		}},
		{"asked for in the second of two hours", "cron(0/30 1-3 25 10 ? 2026)", "Europe/Warsaw", "2026-10-25T01:10:00Z", []string{"2026-10-25T02:00:00Z"}},
		{"a day that a zone has left out", "cron(0 12 30 12 ? 2011)", "Pacific/Apia", "2011-12-01T00:00:00Z", nil},
		{"west of Greenwich", "cron(0 20 ? * FRI *)", "America/New_York", "2026-07-01T00:00:00Z", []string{"2026-07-04T00:00:00Z"}},
		{"by the half hour", "cron(0 12 * * ? *)", "Asia/Kolkata", "2026-07-01T00:00:00Z", []string{"2026-07-01T06:30:00Z"}},
		{"without a zone", "cron(0 12 * * ? *)", "", "2026-07-01T00:00:00Z", []string{"2026-07-01T12:00:00Z"}},
		{"once", "at(2026-07-01T12:00:00)", "Asia/Tokyo", "2026-07-01T00:00:00Z", []string{"2026-07-01T03:00:00Z"}},
		{"once, and over", "at(2026-06-01T12:00:00)", "", "2026-07-01T00:00:00Z", nil},
		{"once, when clocks leave it out", "at(2026-03-29T02:30:00)", "Europe/Warsaw", "2026-03-01T00:00:00Z", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Schedule{Expression: c.expr, Zone: c.zone, Scheduler: true}
			e, err := s.expression()
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range max(1, len(c.want)) {
				var ok bool
				if at, ok = e.Next(time.Time{}, at); !ok {
					break
				}
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
