package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// lastYear is the last year of which a cron expression can speak; nothing fires
// after it.
const lastYear = 2199

// Parse reads rate(N unit) or cron(Minutes Hours Day-of-month Month Day-of-week
// Year). What it refuses is fault.Invalid with the code and the words of
// EventBridge, followed by the reason.
//
// What AWS does not document is decided so:
//   - names and the letters L and W are read in any case; the words rate and cron,
//     and the units of rate, only in lower case;
//   - a range of names wraps around (FRI-MON, NOV-FEB), a range with a number does
//     not (22-2 is refused);
//   - fields are separated by exactly one space, as the Serverless Framework insists;
//   - "/" also works in day-of-week and after a range (8-17/2); a step is at most
//     the number of values that the field has;
//   - L, W and # stand alone, never in a list;
//   - 31W in a month of 30 days has no tick, like 31.
func Parse(text string) (Expression, error) {
	e, err := parse(text)
	if err != nil {
		return nil, refused("ScheduleExpression", fmt.Errorf("%q: %w", text, err))
	}
	return e, nil
}

func refused(parameter string, err error) error {
	return fault.Coded(fault.Invalid, "ValidationException", "Parameter %s is not valid. %w", parameter, err)
}

func parse(text string) (Expression, error) {
	kind, rest, ok := strings.Cut(text, "(")
	body, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed || (kind != "rate" && kind != "cron") {
		return nil, errors.New(`want "rate(N unit)" or "cron(minutes hours day-of-month month day-of-week year)"`)
	}
	if kind == "rate" {
		return parseRate(text, body)
	}
	return parseCron(text, body)
}

// rate fires every period since the rule was created.
type rate struct {
	text      string
	seconds   int64
	immediate bool // and then, too
}

var units = map[string]int64{"minute": 60, "hour": 3600, "day": 86400}

func parseRate(text, body string) (Expression, error) {
	number, unit, ok := strings.Cut(body, " ")
	if !ok {
		return nil, errors.New("want a number, one space and a unit, such as rate(5 minutes)")
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 1 || number != strconv.FormatInt(n, 10) {
		return nil, fmt.Errorf("%q is not a whole number from 1 to 2147483647", number)
	}
	one, plural := strings.CutSuffix(unit, "s")
	seconds, known := units[one]
	switch {
	case !known:
		return nil, fmt.Errorf("unit %q is not one of minute, minutes, hour, hours, day, days", unit)
	case n == 1 && plural:
		return nil, fmt.Errorf("with 1 the unit is singular: rate(1 %s)", one)
	case n > 1 && !plural:
		return nil, fmt.Errorf("with %d the unit is plural: rate(%d %ss)", n, n, unit)
	}
	return &rate{text: text, seconds: n * seconds}, nil
}

func (r *rate) String() string { return r.text }

// Next counts in seconds: a time.Duration holds only 292 years.
func (r *rate) Next(created, t time.Time) (time.Time, bool) {
	created, t = created.UTC(), t.UTC()
	if r.immediate && t.Before(created) {
		return created, created.Year() <= lastYear
	}
	periods := int64(1)
	if t.After(created) {
		elapsed := t.Unix() - created.Unix()
		if t.Nanosecond() < created.Nanosecond() {
			elapsed--
		}
		periods += elapsed / r.seconds
	}
	next := time.Unix(created.Unix()+periods*r.seconds, int64(created.Nanosecond())).UTC()
	return next, next.Year() <= lastYear
}
