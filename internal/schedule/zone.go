package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // for machines that have no list of zones
)

// zone is the zone of a name of IANA's list, UTC for none.
func zone(name string) (*time.Location, error) {
	if name == "Local" { // which time takes for the machine's
		return nil, fmt.Errorf("%q is not a time zone such as Europe/Warsaw", name)
	}
	at, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time zone such as Europe/Warsaw", name)
	}
	return at, nil
}

// zoned is a cron expression by the clocks of a zone. As with EventBridge Scheduler,
// what falls into the hour that clocks leave out does not fire, and in the hour that
// they go through twice only the first time does.
type zoned struct {
	*cron
	at *time.Location
}

// Next asks cron for times of the clock, which it takes for UTC.
func (z *zoned) Next(created, t time.Time) (time.Time, bool) {
	clock := wall(t.In(z.at), time.UTC)
	for {
		var ok bool
		if clock, ok = z.cron.Next(created, clock); !ok {
			return time.Time{}, false
		}
		if next, ok := instant(clock, z.at); ok && next.After(t) {
			return next.UTC(), true
		}
	}
}

// wall is the instant at which clocks of another zone show what t's do.
func wall(t time.Time, at *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), at)
}

// instant is the first one at which the clocks of a zone show a time; false when they
// leave it out.
func instant(clock time.Time, at *time.Location) (time.Time, bool) {
	t := wall(clock, at)
	if start, _ := t.ZoneBounds(); !start.IsZero() {
		_, now := t.Zone()
		_, before := start.Add(-1).Zone()
		if earlier := t.Add(time.Duration(now-before) * time.Second); earlier.Before(start) {
			t = earlier
		}
	}
	return t, wall(t, time.UTC).Equal(clock)
}

// once fires at one instant.
type once struct {
	text string
	when time.Time
	left bool // the clocks leave it out
}

func parseOnce(text, body string, at *time.Location) (Expression, error) {
	clock, err := time.Parse("2006-01-02T15:04:05", body)
	if err != nil || strings.ContainsAny(body, ".,") {
		return nil, fmt.Errorf("%q is not a time such as at(2026-01-31T15:04:05)", body)
	}
	when, ok := instant(clock, at)
	return &once{text: text, when: when.UTC(), left: !ok}, nil
}

func (o *once) String() string { return o.text }

func (o *once) Next(_, t time.Time) (time.Time, bool) {
	return o.when, !o.left && o.when.After(t)
}

// within bounds an expression by two instants, each of which may be zero.
type within struct {
	Expression
	from, to time.Time
}

// Next counts a rate from the beginning.
func (w *within) Next(created, t time.Time) (time.Time, bool) {
	if !w.from.IsZero() {
		created = w.from
		if t.Before(w.from) {
			t = w.from.Add(-1)
		}
	}
	next, ok := w.Expression.Next(created, t)
	return next, ok && (w.to.IsZero() || !next.After(w.to))
}

// expression reads what a schedule says about time. EventBridge Scheduler reads more
// than rules do: at(…), any number with any unit of rate, and the first tick of a rate
// is when it begins.
func (s *Schedule) expression() (Expression, error) {
	if !s.Scheduler && s.Zone == "" {
		return Parse(s.Expression)
	}
	at, err := zone(s.Zone)
	if err != nil {
		return nil, refused("ScheduleExpressionTimezone", err)
	}
	if !s.Scheduler {
		e, err := Parse(s.Expression)
		return in(e, at), err
	}
	e, err := parseScheduler(s.Expression, at)
	if err != nil {
		return nil, refused("ScheduleExpression", fmt.Errorf("%q: %w", s.Expression, err))
	}
	return &within{in(e, at), s.Start, s.End}, nil
}

func in(e Expression, at *time.Location) Expression {
	if c, ok := e.(*cron); ok && at != time.UTC {
		return &zoned{c, at}
	}
	return e
}

func parseScheduler(text string, at *time.Location) (Expression, error) {
	if body, ok := strings.CutPrefix(text, "at("); ok && strings.HasSuffix(body, ")") {
		return parseOnce(text, strings.TrimSuffix(body, ")"), at)
	}
	kind, rest, _ := strings.Cut(text, "(")
	body, closed := strings.CutSuffix(rest, ")")
	switch {
	case kind == "cron" && closed:
		return parseCron(text, body)
	case kind == "rate" && closed:
		number, unit, _ := strings.Cut(body, " ")
		unit = strings.TrimSuffix(unit, "s")
		if number != "1" {
			unit += "s"
		}
		e, err := parseRate(text, number+" "+unit)
		if err != nil {
			return nil, err
		}
		e.(*rate).immediate = true
		return e, nil
	}
	return nil, errors.New(`want "rate(N unit)", "cron(minutes hours day-of-month month day-of-week year)" or "at(2026-01-31T15:04:05)"`)
}
