package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/schedule"
)

func TestAccepts(t *testing.T) {
	for _, text := range []string{
		"rate(1 minute)", "rate(2 minutes)", "rate(1 hour)", "rate(90 minutes)", "rate(7 hours)", "rate(1 day)", "rate(365 days)", "rate(2147483647 days)",
		"cron(0 2 ? * SAT *)", "cron(5,35 14 * * ? *)", "cron(15 10 ? * 6L 2002-2005)", "cron(* * ? * SAT#3 *)",
		"cron(0/5 5 ? JAN 1-5 2022)", "cron(0/5 8-17 ? * MON-FRI *)", "cron(0/30 20-23 ? * MON-FRI *)", "cron(0 5 ? * MON *)",
		"cron(0 0 31 2 ? *)", "cron(0 0 1 1 ? 1970-1999)", "cron(* * * * ? *)", "cron(*/5 */2 */3 */4 ? */5)",
		"cron(0/60 0/24 1/31 1/12 ? *)", "cron(0 0 L * ? *)", "cron(0 0 LW * ? *)", "cron(0 0 L-30 * ? *)", "cron(0 0 15W * ? *)",
		"cron(0 0 ? * L *)", "cron(0 0 ? * FRIL *)", "cron(0 0 ? * 3#1 *)", "cron(0 0 ? * 2,4,FRI *)",
		// undocumented, decided
		"cron(0 0 ? * FRI-MON *)", "cron(0 0 1 NOV-FEB ? *)", "cron(0 0 ? * mon-fri *)", "cron(0 0 l * ? *)", "cron(0 0 ? * */2 *)", "cron(0 8-17/2 * * ? *)",
	} {
		e, err := schedule.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if e.String() != text {
			t.Errorf("String() = %q, want %q", e.String(), text)
		}
	}
}

func TestRefuses(t *testing.T) {
	for text, reason := range map[string]string{
		"":                                "want \"rate(N unit)\" or",
		"rate":                            "want \"rate(N unit)\" or",
		"every(5 minutes)":                "want \"rate(N unit)\" or",
		"Rate(5 minutes)":                 "want \"rate(N unit)\" or",
		"rate(10 minutes":                 "want \"rate(N unit)\" or",
		" rate(10 minutes)":               "want \"rate(N unit)\" or",
		"rate(10 minutes) ":               "want \"rate(N unit)\" or",
		"rate()":                          "want a number",
		"rate(10)":                        "want a number",
		"rate( 10 minutes )":              `"" is not a whole number`,
		"rate(foo minutes)":               `"foo" is not a whole number`,
		"rate(0 minutes)":                 `"0" is not a whole number`,
		"rate(-10 minutes)":               `"-10" is not a whole number`,
		"rate(+10 minutes)":               `"+10" is not a whole number`,
		"rate(010 minutes)":               `"010" is not a whole number`,
		"rate(1.5 hours)":                 `"1.5" is not a whole number`,
		"rate(2147483648 days)":           "1 to 2147483647",
		"rate(10 seconds)":                `unit "seconds"`,
		"rate(10 years)":                  `unit "years"`,
		"rate(10 minutess)":               `unit "minutess"`,
		"rate(10 MINUTES)":                `unit "MINUTES"`,
		"rate(10  minutes)":               `unit " minutes"`,
		"rate(1 minutes)":                 "rate(1 minute)",
		"rate(1 hours)":                   "rate(1 hour)",
		"rate(1 days)":                    "rate(1 day)",
		"rate(10 minute)":                 "rate(10 minutes)",
		"rate(10 hour)":                   "rate(10 hours)",
		"rate(10 day)":                    "rate(10 days)",
		"cron()":                          "exactly one space",
		"cron(INVALID)":                   "1 fields; want six",
		"cron(0 1 * * ?)":                 "5 fields; want six",
		"cron(0 0 1 * * ? *)":             "7 fields; want six",
		"cron(0 1  * * ? *)":              "exactly one space",
		"cron( 0 1 * * ? *)":              "exactly one space",
		"cron(0 1 * * ? * )":              "exactly one space",
		"cron(0 1 *\t* ? *)":              "5 fields",
		"cron(0 1 * * * *)":               "exactly one of them",
		"cron(0 1 1 * MON *)":             "exactly one of them",
		"cron(0 1 ? * ? *)":               "both",
		"cron(? 1 * * ? *)":               `minutes: "?"`,
		"cron(0 ? * * ? *)":               `hours: "?"`,
		"cron(0 1 * ? ? *)":               `month: "?"`,
		"cron(0 1 * * ? ?)":               `year: "?"`,
		"cron(0 1 ?,1 * ? *)":             "stand alone",
		"cron(7 20 * * NOT *)":            "exactly one of them",
		"cron(7 20 ? * NOT *)":            `day-of-week: "NOT" is not one of 1-7, SUN-SAT`,
		"cron(0 dummy ? * MON-FRI *)":     `hours: "DUMMY" is not one of 0-23`,
		"cron(71 8 1 * ? *)":              `minutes: "71" is not one of 0-59`,
		"cron(0 24 1 * ? *)":              `hours: "24" is not one of 0-23`,
		"cron(0 0 0 * ? *)":               `day-of-month: "0" is not one of 1-31`,
		"cron(0 0 32 * ? *)":              `day-of-month: "32"`,
		"cron(0 0 1 0 ? *)":               `month: "0"`,
		"cron(0 0 1 13 ? *)":              `month: "13" is not one of 1-12, JAN-DEC`,
		"cron(0 0 1 JAN,MON ? *)":         `month: "MON"`,
		"cron(0 0 ? * 0 *)":               `day-of-week: "0"`,
		"cron(0 0 ? * 8 *)":               `day-of-week: "8"`,
		"cron(0 0 1 * ? 1969)":            `year: "1969" is not one of 1970-2199`,
		"cron(0 0 1 * ? 2200)":            `year: "2200"`,
		"cron(0 0 1 * ? 12022)":           `year: "12022"`,
		"cron(10-5 0 1 * ? *)":            `minutes: range "10-5" is reversed`,
		"cron(0 22-2 1 * ? *)":            `hours: range "22-2" is reversed; write it as two, such as 22-23,0-2`,
		"cron(0 0 ? * 6-2 *)":             `day-of-week: range "6-2" is reversed`,
		"cron(0 0 ? * FRI-2 *)":           `day-of-week: range "FRI-2" is reversed`,
		"cron(0 0 1 * ? 2030-2020)":       `year: range`,
		"cron(*/0 0 1 * ? *)":             `minutes: step "0" is not a number from 1 to 60`,
		"cron(*/61 0 1 * ? *)":            `minutes: step "61"`,
		"cron(*/ 0 1 * ? *)":              `minutes: step ""`,
		"cron(/5 0 1 * ? *)":              `minutes: ""`,
		"cron(*/5/5 0 1 * ? *)":           `minutes: step "5/5"`,
		"cron(1, 0 1 * ? *)":              `minutes: ""`,
		"cron(,1 0 1 * ? *)":              `minutes: ""`,
		"cron(1,,2 0 1 * ? *)":            `minutes: ""`,
		"cron(1- 0 1 * ? *)":              `minutes: ""`,
		"cron(-1 0 1 * ? *)":              `minutes: ""`,
		"cron(1-2-3 0 1 * ? *)":           `minutes: "2-3"`,
		"cron(*-5 0 1 * ? *)":             `minutes: "*"`,
		"cron(+1 0 1 * ? *)":              `minutes: "+1"`,
		"cron(L 0 1 * ? *)":               `minutes: "L"`,
		"cron(0 L 1 * ? *)":               `hours: "L"`,
		"cron(0 0 1 L ? *)":               `month: "L"`,
		"cron(0 0 1 * ? L)":               `year: "L"`,
		"cron(1W 0 1 * ? *)":              `minutes: "1W"`,
		"cron(0 0 ? * 2W *)":              `day-of-week: "2W"`,
		"cron(0 0 1#1 * ? *)":             `day-of-month: "1#1"`,
		"cron(0 0 6L * ? *)":              `day-of-month: "6L"`,
		"cron(0 0 1,15W * ? *)":           "stand alone",
		"cron(0 0 1-15W * ? *)":           "W takes one day",
		"cron(0 0 W * ? *)":               "W takes one day",
		"cron(0 0 WL * ? *)":              `"WL"`,
		"cron(0 0 0W * ? *)":              "W takes one day",
		"cron(0 0 32W * ? *)":             "W takes one day",
		"cron(0 0 L-0 * ? *)":             "1 to 30 before the last",
		"cron(0 0 L-31 * ? *)":            "1 to 30 before the last",
		"cron(0 0 L,1 * ? *)":             "stand alone",
		"cron(0 0 ? * 6L,2 *)":            "stand alone",
		"cron(0 0 ? * L,2 *)":             "stand alone",
		"cron(0 0 ? * 8L *)":              `day-of-week: "8"`,
		"cron(0 0 ? * 3#0 *)":             "1 to 5",
		"cron(0 0 ? * 3#6 *)":             "1 to 5",
		"cron(0 0 ? * 3# *)":              "1 to 5",
		"cron(0 0 ? * #1 *)":              `day-of-week: ""`,
		"cron(0 0 ? * 3#1,6#3 *)":         "stand alone",
		"cron(0 0 ? * MON,6#3 *)":         "stand alone",
		"cron(0 0 1 * ? *))":              `year: "*)"`,
		"cron(0 0 1 * ? *) and something": "want \"rate(N unit)\" or",
	} {
		_, err := schedule.Parse(text)
		if err == nil {
			t.Errorf("%s: accepted", text)
			continue
		}
		if fault.KindOf(err) != fault.Invalid || fault.CodeOf(err) != "ValidationException" ||
			!strings.HasPrefix(err.Error(), "Parameter ScheduleExpression is not valid.") {
			t.Errorf("%s: got %v (%v, %s)", text, err, fault.KindOf(err), fault.CodeOf(err))
		}
		inner := errors.Unwrap(errors.Unwrap(err))
		if inner == nil || !strings.Contains(inner.Error(), reason) {
			t.Errorf("%s: reason %v, want %s", text, inner, reason)
		}
	}
}

// minute formats ticks compactly.
const minute = "2006-01-02 15:04"

func TestTicks(t *testing.T) {
	for _, c := range []struct{ name, expr, after, want string }{
		{"every minute is strictly after", "cron(* * * * ? *)", "2026-03-01 10:00", "2026-03-01 10:01, 2026-03-01 10:02"},
		{"saturday", "cron(0 2 ? * SAT *)", "2026-03-01 00:00", "2026-03-07 02:00, 2026-03-14 02:00"},
		{"list", "cron(5,35 14 * * ? *)", "2026-03-01 14:05", "2026-03-01 14:35, 2026-03-02 14:05"},
		{"last friday, past years", "cron(15 10 ? * 6L 2002-2005)", "2026-03-01 00:00", "never"},
		{"last friday within its years", "cron(15 10 ? * 6L 2002-2005)", "2005-10-30 00:00", "2005-11-25 10:15, 2005-12-30 10:15, never"},
		{"third saturday", "cron(0 0 ? * SAT#3 *)", "2026-03-01 00:00", "2026-03-21 00:00, 2026-04-18 00:00"},
		{"january weekdays by number", "cron(0/30 5 ? JAN 1-5 2022)", "2022-01-06 05:30", "2022-01-09 05:00, 2022-01-09 05:30, 2022-01-10 05:00"},
		{"office hours", "cron(0/30 8-17 ? * MON-FRI *)", "2026-03-06 17:00", "2026-03-06 17:30, 2026-03-09 08:00"},
		{"monday morning", "cron(0 5 ? * MON *)", "2026-03-02 05:00", "2026-03-09 05:00"},
		{"the 31st", "cron(0 0 31 * ? *)", "2026-01-31 00:00", "2026-03-31 00:00, 2026-05-31 00:00"},
		{"31 February", "cron(0 0 31 2 ? *)", "2026-01-01 00:00", "never"},
		{"leap day", "cron(0 0 29 2 ? *)", "2097-01-01 00:00", "2104-02-29 00:00"},
		{"last day", "cron(0 0 L * ? *)", "2028-01-31 00:00", "2028-02-29 00:00, 2028-03-31 00:00"},
		{"three before the last", "cron(0 0 L-3 2 ? *)", "2026-01-01 00:00", "2026-02-25 00:00, 2027-02-25 00:00, 2028-02-26 00:00"},
		{"L-30 exists only in long months", "cron(0 0 L-30 * ? *)", "2026-01-01 00:00", "2026-03-01 00:00, 2026-05-01 00:00"},
		{"last weekday", "cron(0 0 LW * ? *)", "2026-01-01 00:00", "2026-01-30 00:00, 2026-02-27 00:00, 2026-03-31 00:00, 2026-04-30 00:00, 2026-05-29 00:00"},
		{"15W on Saturday goes back", "cron(0 0 15W 8 ? *)", "2026-01-01 00:00", "2026-08-14 00:00"},
		{"15W on Sunday goes on", "cron(0 0 15W 11 ? *)", "2026-01-01 00:00", "2026-11-16 00:00"},
		{"1W on Saturday stays in the month", "cron(0 0 1W 8 ? *)", "2026-01-01 00:00", "2026-08-03 00:00"},
		{"31W on Sunday stays in the month", "cron(0 0 31W 5 ? *)", "2026-01-01 00:00", "2026-05-29 00:00"},
		{"31W skips short months", "cron(0 0 31W * ? *)", "2026-03-31 00:00", "2026-05-29 00:00"},
		{"L in day-of-week is Saturday", "cron(0 0 ? * L *)", "2026-03-01 00:00", "2026-03-07 00:00, 2026-03-14 00:00"},
		{"fifth thursday", "cron(0 0 ? * 5#5 *)", "2026-01-01 00:00", "2026-01-29 00:00, 2026-04-30 00:00"},
		{"names wrap", "cron(0 0 ? * FRI-MON *)", "2026-03-05 00:00", "2026-03-06 00:00, 2026-03-07 00:00, 2026-03-08 00:00, 2026-03-09 00:00, 2026-03-13 00:00"},
		{"months wrap", "cron(0 0 1 NOV-FEB ? *)", "2026-01-15 00:00", "2026-02-01 00:00, 2026-11-01 00:00, 2026-12-01 00:00, 2027-01-01 00:00"},
		{"a wrapped range with a step", "cron(0 0 1 OCT-MAR/3 ? *)", "2026-02-01 00:00", "2026-10-01 00:00, 2027-01-01 00:00, 2027-10-01 00:00"},
		{"step beyond the day", "cron(0 20/3 * * ? *)", "2026-03-01 20:00", "2026-03-01 23:00, 2026-03-02 20:00"},
		{"every other weekday from Sunday", "cron(0 0 ? * */2 *)", "2026-03-01 00:00", "2026-03-03 00:00, 2026-03-05 00:00, 2026-03-07 00:00, 2026-03-08 00:00"},
		{"years by step", "cron(0 0 1 1 ? 2026/100)", "2026-01-01 00:00", "2126-01-01 00:00, never"},
		{"the last minute", "cron(59 23 31 12 ? 2199)", "2026-01-01 00:00", "2199-12-31 23:59, never"},
		{"before 1970", "cron(0 0 1 1 ? *)", "1600-06-01 00:00", "1970-01-01 00:00"},
		{"after the end", "cron(* * * * ? *)", "2300-01-01 00:00", "never"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := schedule.Parse(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(minute, c.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range strings.Split(c.want, ", ") {
				next, ok := e.Next(time.Time{}, at)
				if !ok {
					got = append(got, "never")
					break
				}
				got, at = append(got, next.Format(minute)), next
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("%s after %s\n got %s\nwant %s", c.expr, c.after, got, c.want)
			}
		})
	}
}

func TestTickIsInUTC(t *testing.T) {
	e, err := schedule.Parse("cron(0 0 * * ? *)")
	if err != nil {
		t.Fatal(err)
	}
	next, _ := e.Next(time.Time{}, time.Date(2026, 3, 1, 1, 30, 0, 0, time.FixedZone("", 2*3600)))
	if want := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC); next != want {
		t.Errorf("got %v, want %v", next, want)
	}
}

func TestRateCountsFromCreation(t *testing.T) {
	created := time.Date(2026, 3, 1, 10, 7, 42, 0, time.UTC)
	for _, c := range []struct {
		expr  string
		after time.Duration
		want  time.Duration
	}{
		{"rate(90 minutes)", -100 * time.Hour, 90 * time.Minute},
		{"rate(90 minutes)", 0, 90 * time.Minute},
		{"rate(90 minutes)", 90*time.Minute - 1, 90 * time.Minute},
		{"rate(90 minutes)", 90 * time.Minute, 180 * time.Minute},
		{"rate(7 hours)", 100 * time.Hour, 105 * time.Hour},
		{"rate(1 day)", 36 * time.Hour, 48 * time.Hour},
		{"rate(1 minute)", 40 * 365 * 24 * time.Hour, 40*365*24*time.Hour + time.Minute},
	} {
		e, err := schedule.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := e.Next(created, created.Add(c.after))
		if !ok || got.Sub(created) != c.want {
			t.Errorf("%s at +%v: got +%v, %v; want +%v", c.expr, c.after, got.Sub(created), ok, c.want)
		}
	}
	e, err := schedule.Parse("rate(2147483647 days)")
	if err != nil {
		t.Fatal(err)
	}
	if next, ok := e.Next(created, created); ok {
		t.Errorf("fires in %v", next)
	}
}
