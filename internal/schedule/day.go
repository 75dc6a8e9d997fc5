package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// dayRule says on which days of a month an expression fires; bit n is day n.
type dayRule interface {
	days(year int, month time.Month) uint64
}

// Rules of day-of-month.
type (
	monthDays   uint64 // a set of days
	lastDay     int    // L, L-n: n days before the last
	lastWorkday struct{}
	nearWorkday int // nW: the weekday nearest to n within the month
)

// Rules of day-of-week; 1 is Sunday.
type (
	weekdays    uint64
	lastWeekday int                    // 6L: the last Friday
	nthWeekday  struct{ day, nth int } // 6#3: the third Friday
)

// parseDay reads the two fields of which exactly one is "?".
func parseDay(dom, dow string) (dayRule, error) {
	switch {
	case dom == "?" && dow == "?":
		return nil, errors.New(`day-of-month and day-of-week are both "?"; exactly one of them must be`)
	case dom == "?":
		return parseWeekday(dow)
	case dow == "?":
		return parseMonthDay(dom)
	}
	return nil, fmt.Errorf(`day-of-month is %q and day-of-week %q; exactly one of them must be "?"`, dom, dow)
}

func parseMonthDay(text string) (dayRule, error) {
	if strings.Contains(text, ",") && strings.ContainsAny(text, "LW?") {
		return nil, fmt.Errorf("day-of-month: L, W and ? stand alone, never in a list as in %q", text)
	}
	switch {
	case text == "L":
		return lastDay(0), nil
	case text == "LW":
		return lastWorkday{}, nil
	case strings.HasPrefix(text, "L-"):
		n, ok := number(text[2:])
		if !ok || n < 1 || n > 30 {
			return nil, fmt.Errorf("day-of-month: %q is not a number of days from 1 to 30 before the last", text[2:])
		}
		return lastDay(n), nil
	case strings.HasSuffix(text, "W"):
		n, ok := number(strings.TrimSuffix(text, "W"))
		if !ok || n < 1 || n > 31 {
			return nil, fmt.Errorf("day-of-month: W takes one day from 1 to 31 or L, such as 15W; got %q", text)
		}
		return nearWorkday(n), nil
	}
	set, err := domField.bits(text)
	return monthDays(set), err
}

func parseWeekday(text string) (dayRule, error) {
	if strings.Contains(text, ",") && strings.ContainsAny(text, "L#?") {
		return nil, fmt.Errorf("day-of-week: L, # and ? stand alone, never in a list as in %q", text)
	}
	if text == "L" {
		return weekdays(1 << 7), nil
	}
	day, nth, hash := strings.Cut(text, "#")
	if hash {
		d, _, err := dowField.value(day)
		if err != nil {
			return nil, err
		}
		n, ok := number(nth)
		if !ok || n < 1 || n > 5 {
			return nil, fmt.Errorf("day-of-week: %q after # is not a number from 1 to 5, such as 6#3", nth)
		}
		return nthWeekday{d, n}, nil
	}
	if day, last := strings.CutSuffix(text, "L"); last {
		d, _, err := dowField.value(day)
		if err != nil {
			return nil, err
		}
		return lastWeekday(d), nil
	}
	set, err := dowField.bits(text)
	return weekdays(set), err
}

func (s monthDays) days(year int, month time.Month) uint64 {
	return uint64(s) & (1<<(length(year, month)+1) - 1)
}

func (n lastDay) days(year int, month time.Month) uint64 { return bit(length(year, month) - int(n)) }

func (lastWorkday) days(year int, month time.Month) uint64 {
	return nearWorkday(length(year, month)).days(year, month)
}

func (n nearWorkday) days(year int, month time.Month) uint64 {
	day, last := int(n), length(year, month)
	if day > last {
		return 0
	}
	switch weekday(year, month, day) {
	case 7: // Saturday: the Friday before, or the Monday after the first
		if day == 1 {
			return bit(3)
		}
		return bit(day - 1)
	case 1: // Sunday: the Monday after, or the Friday before the last
		if day == last {
			return bit(day - 2)
		}
		return bit(day + 1)
	}
	return bit(day)
}

func (s weekdays) days(year int, month time.Month) (set uint64) {
	first := weekday(year, month, 1)
	for day := 1; day <= length(year, month); day++ {
		if has(uint64(s), (first+day-2)%7+1) {
			set |= bit(day)
		}
	}
	return set
}

func (d lastWeekday) days(year int, month time.Month) uint64 {
	last := length(year, month)
	return bit(last - (weekday(year, month, last)-int(d)+7)%7)
}

func (n nthWeekday) days(year int, month time.Month) uint64 {
	day := 1 + (n.day-weekday(year, month, 1)+7)%7 + 7*(n.nth-1)
	if day > length(year, month) {
		return 0
	}
	return bit(day)
}

// bit is the set of one day, empty for a day before the first.
func bit(day int) uint64 {
	if day < 1 {
		return 0
	}
	return 1 << day
}

func length(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func weekday(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()) + 1
}
