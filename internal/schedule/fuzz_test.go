package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/schedule"
)

// FuzzNext checks every expression that is accepted: the next instant is later,
// matches the fields by the oracle below, and no minute before it does.
func FuzzNext(f *testing.F) {
	for _, text := range []string{
		"rate(90 minutes)", "cron(0/5 8-17 ? * MON-FRI *)", "cron(15 10 ? * 6L 2002-2005)", "cron(0 0 L-3 * ? *)", "cron(0 0 LW * ? *)",
		"cron(1 2 31W 1-12/2 ? 2020-2040/3)", "cron(* * ? * SAT#3 *)", "cron(0 0 ? * FRI-MON *)", "cron(0 0 31 2 ? *)", "cron(*/7 3 L * ? *)",
	} {
		f.Add(text, int64(1772000000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		e, err := schedule.Parse(text)
		if err != nil {
			return
		}
		at := time.Unix(unix%8e9, 0).UTC()
		next, ok := e.Next(time.Unix(1700000000, 0), at)
		if !ok {
			return
		}
		if !next.After(at) {
			t.Fatalf("%s: %v is not after %v", text, next, at)
		}
		if strings.HasPrefix(text, "cron") {
			if !oracle(text)(next) {
				t.Fatalf("%s: %v does not match", text, next)
			}
			agree(t, text, at, next, 3*24*60)
		}
	})
}

// TestOracle compares with the oracle over generated expressions, where a fuzzer
// without luck would mostly see refusals.
func TestOracle(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	fired := 0
	for range 1000 {
		dom, dow := pick("*", "1", "31", "5/9", "L", "LW", "L-1", "L-12", "1W", "15W", "30W", "31W", "1,15,30", "10-20/4"), "?"
		if rnd.IntN(2) == 0 {
			dom, dow = "?", pick("*", "1", "SUN", "L", "6L", "TUEL", "3#1", "SAT#5", "FRI-MON", "2-6", "MON,WED,7", "*/2", "SAT-SUN")
		}
		text := fmt.Sprintf("cron(%s %s %s %s %s %s)", pick("0", "*", "59", "*/13", "5,35"), pick("0", "*", "23", "8-17", "*/5"), dom,
			pick("*", "2", "JAN", "NOV-FEB", "*/5", "6,7,8"), dow, pick("*", "*", "2026-2030", "2026/2"))
		e, err := schedule.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(1767225600+rnd.Int64N(4*365*24*3600), 0).UTC()
		next, ok := e.Next(time.Time{}, at)
		if !ok {
			next = at.Truncate(time.Minute).AddDate(0, 0, 10)
		} else {
			fired++
		}
		agree(t, text, at, next, 10*24*60)
		if ok && !oracle(text)(next) {
			t.Fatalf("%s: %v does not match", text, next)
		}
	}
	if fired < 800 {
		t.Errorf("only %d of 1000 expressions fire: the test compares too little", fired)
	}
}

// agree fails when the oracle finds a tick between at and next, looking at most
// at the given number of minutes behind at and before next.
func agree(t *testing.T, text string, at, next time.Time, minutes int) {
	t.Helper()
	if at.Year() < 1970 {
		return
	}
	if next.Second() != 0 || next.Nanosecond() != 0 || next.Location() != time.UTC {
		t.Fatalf("%s: %v is not a whole minute in UTC", text, next)
	}
	match := oracle(text)
	first := at.Truncate(time.Minute).Add(time.Minute)
	for i, m := 0, first; i < minutes && m.Before(next); i, m = i+1, m.Add(time.Minute) {
		if match(m) {
			t.Fatalf("%s after %v: got %v, want %v", text, at, next, m)
		}
	}
	for i, m := 0, next.Add(-time.Minute); i < minutes && !m.Before(first); i, m = i+1, m.Add(-time.Minute) {
		if match(m) {
			t.Fatalf("%s after %v: got %v, missed %v", text, at, next, m)
		}
	}
}

// oracle answers whether a minute matches, field by field and by other means than
// the parser: days are judged by counting through the calendar.
func oracle(text string) func(time.Time) bool {
	f := strings.Fields(strings.ToUpper(strings.TrimSuffix(strings.TrimPrefix(text, "cron("), ")")))
	months := strings.Fields("- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")
	days := strings.Fields("- SUN MON TUE WED THU FRI SAT")
	return func(t time.Time) bool {
		return in(f[0], nil, 0, 59, t.Minute()) && in(f[1], nil, 0, 23, t.Hour()) &&
			in(f[3], months, 1, 12, int(t.Month())) && in(f[5], nil, 1970, 2199, t.Year()) &&
			domMatches(f[2], t) && dowMatches(f[4], days, t)
	}
}

func in(list string, names []string, lo, hi, v int) bool {
	for item := range strings.SplitSeq(list, ",") {
		span, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			by = num(step, nil)
		}
		a, b := lo, hi
		if from, to, ok := strings.Cut(span, "-"); ok {
			a, b = num(from, names), num(to, names)
		} else if span != "*" {
			a = num(span, names)
			if !stepped {
				b = a
			}
		}
		w := v
		if b < a {
			b += hi - lo + 1
			if w < a {
				w += hi - lo + 1
			}
		}
		if w >= a && w <= b && (w-a)%by == 0 {
			return true
		}
	}
	return false
}

func num(s string, names []string) int {
	for i, n := range names {
		if n == s {
			return i
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func domMatches(dom string, t time.Time) bool {
	switch {
	case dom == "?":
		return true
	case dom == "L":
		return t.AddDate(0, 0, 1).Day() == 1
	case strings.HasPrefix(dom, "L-"):
		return t.AddDate(0, 0, num(dom[2:], nil)+1).Day() == 1 && t.AddDate(0, 0, num(dom[2:], nil)).Month() == t.Month()
	case strings.HasSuffix(dom, "W"):
		return nearest(dom, t)
	}
	return in(dom, nil, 1, 31, t.Day())
}

// nearest looks for the closest weekday by distance from the wanted day.
func nearest(dom string, t time.Time) bool {
	for d := t.AddDate(0, 0, 1-t.Day()); d.Month() == t.Month(); d = d.AddDate(0, 0, 1) {
		wanted := dom == "LW" && d.AddDate(0, 0, 1).Day() == 1 || dom == strconv.Itoa(d.Day())+"W"
		if !wanted {
			continue
		}
		for _, off := range []int{0, -1, 1, -2, 2} {
			n := d.AddDate(0, 0, off)
			if n.Month() == d.Month() && n.Weekday() != time.Saturday && n.Weekday() != time.Sunday {
				return n.Day() == t.Day()
			}
		}
	}
	return false
}

func dowMatches(dow string, days []string, t time.Time) bool {
	today := int(t.Weekday()) + 1
	if day, nth, ok := strings.Cut(dow, "#"); ok {
		count := 0
		for d := t; d.Month() == t.Month(); d = d.AddDate(0, 0, -7) {
			count++
		}
		return num(day, days) == today && count == num(nth, nil)
	}
	switch {
	case dow == "?":
		return true
	case dow == "L":
		return today == 7
	case strings.HasSuffix(dow, "L"):
		return num(strings.TrimSuffix(dow, "L"), days) == today && t.AddDate(0, 0, 7).Month() != t.Month()
	}
	return in(dow, days, 1, 7, today)
}
