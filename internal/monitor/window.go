package monitor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Window is a time of maintenance, once or every week. During one no incident opens.
type Window struct {
	ID       string    `json:"id"`
	Monitors []string  `json:"monitors,omitempty"` // names; none: all
	Start    time.Time `json:"start,omitzero"`     // of one that is once
	Weekly   string    `json:"weekly,omitempty"`   // else days and a time: Sat,Sun 03:30
	Zone     string    `json:"timezone,omitempty"` // that Weekly is meant in; "": UTC
	Length   Duration  `json:"length"`
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"` // ARN
}

// Bounds of windows.
const (
	maxWindow  = 7 * 24 * time.Hour
	maxWindows = 200
)

var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// Check says what is wrong with a window, as fault.Invalid.
func (w *Window) Check() error {
	wrong := func(format string, args ...any) error {
		return fault.Errorf(fault.Invalid, "maintenance: %w", fmt.Errorf(format, args...))
	}
	if w.Length <= 0 || time.Duration(w.Length) > maxWindow {
		return wrong("it lasts %v: up to %v", w.Length, maxWindow)
	}
	if w.Start.IsZero() == (w.Weekly == "") {
		return wrong("it has a start, or days of the week and a time, and not both")
	}
	if _, err := time.LoadLocation(w.Zone); err != nil {
		return wrong("%q is no time zone, such as Europe/Berlin", w.Zone)
	}
	if len(w.Reason) > 512 || strings.ContainsAny(w.Reason, "\r\n\x00") {
		return wrong("its reason is one line of up to 512 bytes")
	}
	if w.Weekly != "" {
		if _, _, err := parseWeekly(w.Weekly); err != nil {
			return wrong("%w", err)
		}
	}
	return nil
}

// parseWeekly reads days and a time of day: Sat,Sun 03:30; daily 03:30.
func parseWeekly(text string) (days []time.Weekday, at time.Duration, err error) {
	names, clock, _ := strings.Cut(strings.TrimSpace(text), " ")
	moment, err := time.Parse("15:04", strings.TrimSpace(clock))
	if err != nil {
		return nil, 0, fmt.Errorf("%q is not days and a time, such as Sat,Sun 03:30 or daily 03:30", text)
	}
	at = time.Duration(moment.Hour())*time.Hour + time.Duration(moment.Minute())*time.Minute
	if strings.EqualFold(names, "daily") {
		for d := range time.Weekday(7) {
			days = append(days, d)
		}
		return days, at, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		lower := strings.ToLower(strings.TrimSpace(name))
		d, known := weekdays[lower[:min(3, len(lower))]]
		if !known || !strings.HasPrefix(strings.ToLower(d.String()), lower) {
			return nil, 0, fmt.Errorf("%q is no day of the week, such as Sat", name)
		}
		days = append(days, d)
	}
	return days, at, nil
}

// covers says whether a moment of a monitor is in the window, and when that ends.
func (w *Window) covers(monitor string, now time.Time) (end time.Time, in bool) {
	if len(w.Monitors) > 0 && !slices.Contains(w.Monitors, monitor) {
		return time.Time{}, false
	}
	begins := w.last(now)
	end = begins.Add(time.Duration(w.Length))
	return end, !begins.IsZero() && !now.Before(begins) && now.Before(end)
}

// last is the last time until now at which the window begins; the zero time: none.
func (w *Window) last(now time.Time) time.Time {
	if w.Weekly == "" {
		if w.Start.After(now) {
			return time.Time{}
		}
		return w.Start
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return time.Time{}
	}
	days, at, err := parseWeekly(w.Weekly)
	if err != nil {
		return time.Time{}
	}
	local := now.In(zone)
	for back := range 8 {
		// the clock decides, on the days too on which it is set
		begins := time.Date(local.Year(), local.Month(), local.Day()-back, int(at/time.Hour), int(at%time.Hour/time.Minute), 0, 0, zone)
		if slices.Contains(days, begins.Weekday()) && !begins.After(now) {
			return begins
		}
	}
	return time.Time{}
}

// Over says whether a window has ended for good.
func (w *Window) Over(now time.Time) bool {
	return w.Weekly == "" && now.After(w.Start.Add(time.Duration(w.Length)))
}
