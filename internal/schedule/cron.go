package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// cron is six fields as sets of the values they allow. A field of at most 64
// values is a bit set; years are offsets from 1970.
type cron struct {
	text           string
	minutes, hours uint64
	months         uint64
	years          [lastYear - 1970 + 1]bool
	day            dayRule
}

// field describes what one of the six may hold.
type field struct {
	name     string
	min, max int
	names    []string // of min and the values after it
	also     string   // tokens that only this field knows, for messages
}

var (
	minuteField = field{name: "minutes", max: 59}
	hourField   = field{name: "hours", max: 23}
	domField    = field{name: "day-of-month", min: 1, max: 31, also: ", ?, L, LW, L-3, 15W"}
	monthField  = field{name: "month", min: 1, max: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}}
	dowField    = field{name: "day-of-week", min: 1, max: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}, also: ", ?, L, 6L, 3#1"}
	yearField   = field{name: "year", min: 1970, max: lastYear}
)

func parseCron(text, body string) (Expression, error) {
	parts := strings.Split(strings.ToUpper(body), " ")
	for _, p := range parts {
		if p == "" {
			return nil, errors.New("fields are separated by exactly one space, with none at the ends")
		}
	}
	if len(parts) != 6 {
		return nil, fmt.Errorf("%d fields; want six: minutes hours day-of-month month day-of-week year", len(parts))
	}
	c := &cron{text: text}
	var err error
	if c.minutes, err = minuteField.bits(parts[0]); err != nil {
		return nil, err
	}
	if c.hours, err = hourField.bits(parts[1]); err != nil {
		return nil, err
	}
	if c.months, err = monthField.bits(parts[3]); err != nil {
		return nil, err
	}
	if c.day, err = parseDay(parts[2], parts[4]); err != nil {
		return nil, err
	}
	if err := yearField.values(parts[5], func(v int) { c.years[v-yearField.min] = true }); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *cron) String() string { return c.text }

// Next looks month by month, so an expression that never fires costs 2,760 looks
// at most.
func (c *cron) Next(_, t time.Time) (time.Time, bool) {
	t = t.UTC()
	if t.Year() < yearField.min {
		t = time.Date(yearField.min, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Minute)
	}
	if t.Year() > lastYear {
		return time.Time{}, false
	}
	from := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute()+1, 0, 0, time.UTC)
	for year := from.Year(); year <= lastYear; year++ {
		if !c.years[year-yearField.min] {
			continue
		}
		for month := time.January; month <= time.December; month++ {
			if !has(c.months, int(month)) {
				continue
			}
			if next, ok := c.inMonth(from, year, month); ok {
				return next, true
			}
		}
	}
	return time.Time{}, false
}

// inMonth returns the first tick of the month that is not before from.
func (c *cron) inMonth(from time.Time, year int, month time.Month) (time.Time, bool) {
	if year == from.Year() && month < from.Month() {
		return time.Time{}, false
	}
	days := c.day.days(year, month)
	for ; days != 0; days &= days - 1 {
		day := time.Date(year, month, bits.TrailingZeros64(days), 0, 0, 0, 0, time.UTC)
		if next, ok := c.inDay(from, day); ok {
			return next, true
		}
	}
	return time.Time{}, false
}

func (c *cron) inDay(from, day time.Time) (time.Time, bool) {
	if !day.AddDate(0, 0, 1).After(from) {
		return time.Time{}, false
	}
	for hours := c.hours; hours != 0; hours &= hours - 1 {
		for minutes := c.minutes; minutes != 0; minutes &= minutes - 1 {
			at := day.Add(time.Duration(bits.TrailingZeros64(hours))*time.Hour + time.Duration(bits.TrailingZeros64(minutes))*time.Minute)
			if !at.Before(from) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

func has(set uint64, v int) bool { return set>>v&1 == 1 }

// bits reads a field of at most 64 values.
func (f field) bits(text string) (set uint64, err error) {
	err = f.values(text, func(v int) { set |= 1 << v })
	return set, err
}

// values reads a comma-separated list and adds every value that it allows.
func (f field) values(text string, add func(int)) error {
	for item := range strings.SplitSeq(text, ",") {
		if err := f.item(item, add); err != nil {
			return err
		}
	}
	return nil
}

// item reads *, a, a-b, and each of them with /step.
func (f field) item(item string, add func(int)) error {
	span, stepText, stepped := strings.Cut(item, "/")
	step, size := 1, f.max-f.min+1
	if stepped {
		var ok bool
		if step, ok = number(stepText); !ok || step < 1 || step > size {
			return fmt.Errorf("%s: step %q is not a number from 1 to %d", f.name, stepText, size)
		}
	}
	first, last, err := f.span(span, stepped)
	if err != nil {
		return err
	}
	for v := first; v <= last; v += step {
		add((v-f.min)%size + f.min)
	}
	return nil
}

// span returns the ends of one item; last runs past the field's end when a range
// of names wraps around.
func (f field) span(text string, stepped bool) (first, last int, err error) {
	if text == "*" {
		return f.min, f.max, nil
	}
	a, b, isRange := strings.Cut(text, "-")
	first, firstNamed, err := f.value(a)
	if err != nil {
		return 0, 0, err
	}
	if !isRange {
		if stepped {
			return first, f.max, nil
		}
		return first, first, nil
	}
	last, lastNamed, err := f.value(b)
	if err != nil {
		return 0, 0, err
	}
	if last < first {
		if !firstNamed || !lastNamed {
			return 0, 0, fmt.Errorf("%s: range %q is reversed; write it as two, such as %s-%d,%d-%s", f.name, text, a, f.max, f.min, b)
		}
		last += f.max - f.min + 1
	}
	return first, last, nil
}

func (f field) value(text string) (v int, named bool, err error) {
	for i, name := range f.names {
		if text == name {
			return f.min + i, true, nil
		}
	}
	if v, ok := number(text); ok && v >= f.min && v <= f.max {
		return v, false, nil
	}
	allowed := fmt.Sprintf("%d-%d", f.min, f.max)
	if f.names != nil {
		allowed += ", " + f.names[0] + "-" + f.names[len(f.names)-1]
	}
	return 0, false, fmt.Errorf("%s: %q is not one of %s%s", f.name, text, allowed, f.also)
}

// number reads up to four digits, without a sign.
func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 4 {
		return 0, false
	}
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
