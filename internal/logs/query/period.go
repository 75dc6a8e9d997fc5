package query

import (
	"strings"
	"time"
)

// units are the names that units of periods have.
var units = map[string]string{
	"ms": "ms", "msec": "ms", "millisecond": "ms", "s": "s", "sec": "s", "second": "s", "m": "m", "min": "m", "minute": "m",
	"h": "h", "hr": "h", "hour": "h", "d": "d", "day": "d", "w": "w", "week": "w", "mo": "mo", "mon": "mo", "month": "mo",
	"q": "q", "qtr": "q", "quarter": "q", "y": "y", "yr": "y", "year": "y",
}

// unitOf is the short name of a unit; those of more than one letter may be in the
// plural.
func unitOf(s string) (string, bool) {
	s = strings.ToLower(s)
	unit, ok := units[s]
	if !ok && len(s) > 2 {
		unit, ok = units[strings.TrimSuffix(s, "s")]
	}
	return unit, ok
}

// fixed are the lengths of units that do not depend on the calendar, in milliseconds.
var fixed = map[string]int64{"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}

// months are the others.
var months = map[string]int64{"mo": 1, "q": 3, "y": 12}

// monday is the first one since 1970: weeks begin with it.
const monday = 4 * 86_400_000

// floor is the beginning of the period that a point in time is in, milliseconds since
// 1970, and the beginning of the next.
func (p *Period) floor(ms int64) (begin, next int64) {
	if length, ok := fixed[p.Unit]; ok {
		length *= p.N
		origin := int64(0)
		if p.Unit == "w" {
			origin = monday
		}
		ms -= origin
		begin = ms - ((ms%length)+length)%length + origin
		return begin, begin + length
	}
	n := months[p.Unit] * p.N
	t := time.UnixMilli(ms).UTC()
	month := int64(t.Year())*12 + int64(t.Month()) - 1
	month -= month % n
	return monthStart(month), monthStart(month + n)
}

func monthStart(month int64) int64 {
	return time.Date(int(month/12), time.Month(month%12+1), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}
