package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/logs"
)

// objects parses lines that are JSON objects. The line is the message, whose members
// the store reads by itself; only the time is looked for here.
type objects struct{}

// moments are the members that tell when it was, the first that is there.
var moments = []string{"timestamp", "@timestamp", "time", "datetime", "date", "ts", "eventTime"}

var errNoTime = errors.New("none of its members tells the time: timestamp, @timestamp, time, datetime, date with time, ts or eventTime")

func (objects) Parse(line string) (logs.Record, bool, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &doc); err != nil {
		return logs.Record{}, false, fmt.Errorf("it is no JSON object: %w", err)
	}
	at, err := timeOf(doc)
	return logs.Record{Time: at, Message: line}, err == nil, err
}

func timeOf(doc map[string]json.RawMessage) (time.Time, error) {
	if day, hour := text(doc["date"]), text(doc["time"]); day != "" && hour != "" { // CloudFront's
		if t, err := time.Parse(time.DateTime, day+" "+hour); err == nil {
			return t, nil
		}
	}
	for _, name := range moments {
		v, there := doc[name]
		if !there {
			continue
		}
		if t, ok := instant(text(v)); ok {
			return t, nil
		}
	}
	return time.Time{}, errNoTime
}

// text is a string or a number.
func text(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

// instant reads a time as text, or as seconds, milli-, micro- or nanoseconds since
// 1970: which, the size of the number tells.
func instant(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "02/Jan/2006:15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || n <= 0 || n > 9e18 {
		return time.Time{}, false
	}
	unit := 1e9
	for n*unit > 1e19 { // seconds have 10 digits until 2286, nanoseconds 19
		unit /= 1000
	}
	return time.Unix(0, int64(n*unit)).UTC(), true
}
