package logs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPageBytes is the size of a page of events, beside their number.
const maxPageBytes = 1 << 20

// placed is a record and where it is.
type placed struct {
	Record
	place uint64
}

// GetLogEventsInput selects events of one stream; times are milliseconds since
// 1970.
type GetLogEventsInput struct {
	LogGroupName       string `json:"logGroupName,omitempty"`
	LogGroupIdentifier string `json:"logGroupIdentifier,omitempty"` // a name or an ARN
	LogStreamName      string `json:"logStreamName"`
	StartTime          *int64 `json:"startTime,omitempty"`
	EndTime            *int64 `json:"endTime,omitempty"`
	NextToken          string `json:"nextToken,omitempty"`
	Limit              int    `json:"limit,omitempty"`
	StartFromHead      bool   `json:"startFromHead,omitempty"`
	Unmask             bool   `json:"unmask,omitempty"`
}

// OutputLogEvent is one event of a stream.
type OutputLogEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

// GetLogEventsOutput is one page. A token that comes back as it was given says
// that there is nothing more in that direction for now.
type GetLogEventsOutput struct {
	Events            []OutputLogEvent `json:"events"`
	NextForwardToken  string           `json:"nextForwardToken"`
	NextBackwardToken string           `json:"nextBackwardToken"`
}

// GetLogEvents returns events of a stream: the latest, the earliest with
// StartFromHead, or those after or before a page.
func (s *Store) GetLogEvents(ctx context.Context, in GetLogEventsInput) (GetLogEventsOutput, error) {
	out := GetLogEventsOutput{Events: []OutputLogEvent{}}
	if in.Limit < 0 || in.Limit > maxLimit {
		return out, invalid("Value '%d' at 'limit' is not between 1 and %d.", in.Limit, maxLimit)
	}
	back, at, err := in.position()
	if err != nil {
		return out, err
	}
	f := Filter{Group: Named(in.LogGroupName, in.LogGroupIdentifier), Streams: []string{in.LogStreamName}}
	if err := s.index.check(f.Group, in.LogStreamName); err != nil {
		return out, err
	}
	f.Start, f.End, f.back = moment(in.StartTime), moment(in.EndTime), back
	if back {
		f.Before = at
	} else {
		f.After = at
	}
	list, err := s.cut(ctx, f, cmp.Or(in.Limit, maxLimit))
	if err != nil {
		return out, err
	}
	first, last := at+1, at // what is before the one and after the other is another page
	switch {
	case len(list) > 0:
		first, last = list[0].place, list[len(list)-1].place
	case back:
		first = max(at, 1)
		last = first - 1
	}
	out.NextForwardToken, out.NextBackwardToken = fmt.Sprintf("f/%056d", last), fmt.Sprintf("b/%056d", first)
	slices.SortStableFunc(list, byTime)
	for _, r := range list {
		ms := r.Time.UnixMilli()
		out.Events = append(out.Events, OutputLogEvent{ms, r.Message, ms})
	}
	return out, nil
}

// position reads the token: back says that what is before a place is wanted.
func (in GetLogEventsInput) position() (back bool, place uint64, err error) {
	if in.NextToken == "" {
		return !in.StartFromHead, 0, nil
	}
	direction, digits, ok := strings.Cut(in.NextToken, "/")
	if place, err = strconv.ParseUint(digits, 10, 64); err != nil || !ok || direction != "f" && direction != "b" {
		return false, 0, invalid("The specified nextToken is invalid.")
	}
	return direction == "b", place, nil
}

// cut returns the first records, or going back the last, as many as a page has.
func (s *Store) cut(ctx context.Context, f Filter, limit int) ([]placed, error) {
	var list []placed
	bytes := 0
	err := s.each(ctx, f, func(place uint64, r Record) bool {
		size := len(r.Message) + overhead
		if len(list) == limit || len(list) > 0 && bytes+size > maxPageBytes {
			return false
		}
		list = append(list, placed{r, place})
		bytes += size
		return true
	})
	if f.back {
		slices.Reverse(list)
	}
	return list, err
}

// check says whether a stream, or with "" its group, exists.
func (x *index) check(group, stream string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[group]
	switch {
	case g == nil:
		return noGroup()
	case stream == "":
	case g.streams[stream] == nil && len(g.streams) < maxStreams-maxStreams/10: // else it may have been forgotten
		return noStream()
	}
	return nil
}

func byTime(a, b placed) int { return a.Time.Compare(b.Time) }

func moment(ms *int64) time.Time {
	if ms == nil {
		return time.Time{}
	}
	return time.UnixMilli(*ms)
}

// FilterLogEventsInput selects events of a group; times are milliseconds since
// 1970.
type FilterLogEventsInput struct {
	LogGroupName        string   `json:"logGroupName,omitempty"`
	LogGroupIdentifier  string   `json:"logGroupIdentifier,omitempty"` // a name or an ARN
	LogStreamNames      []string `json:"logStreamNames,omitempty"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix,omitempty"`
	StartTime           int64    `json:"startTime,omitempty"`
	EndTime             int64    `json:"endTime,omitempty"`
	FilterPattern       string   `json:"filterPattern,omitempty"`
	NextToken           string   `json:"nextToken,omitempty"`
	Limit               int      `json:"limit,omitempty"`
	Interleaved         bool     `json:"interleaved,omitempty"` // always so
	Unmask              bool     `json:"unmask,omitempty"`
}

// FilteredLogEvent is one event. EventID tells it from all others.
type FilteredLogEvent struct {
	EventID       string `json:"eventId"`
	Timestamp     int64  `json:"timestamp"`
	IngestionTime int64  `json:"ingestionTime"`
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
	Request       string `json:"requestId,omitempty"` // ours: of an invocation
}

// SearchedLogStream is what CloudWatch does not tell any more.
type SearchedLogStream struct {
	LogStreamName      string `json:"logStreamName"`
	SearchedCompletely bool   `json:"searchedCompletely"`
}

// FilterLogEventsOutput is one page; NextToken is empty on the last.
type FilterLogEventsOutput struct {
	Events             []FilteredLogEvent  `json:"events"`
	SearchedLogStreams []SearchedLogStream `json:"searchedLogStreams"` // always empty
	NextToken          string              `json:"nextToken,omitempty"`
}

// FilterLogEvents returns the events of a group that a pattern matches, as they
// came; those of one page are in the order of their times.
func (s *Store) FilterLogEvents(ctx context.Context, in FilterLogEventsInput) (FilterLogEventsOutput, error) {
	out := FilterLogEventsOutput{Events: []FilteredLogEvent{}, SearchedLogStreams: []SearchedLogStream{}}
	f, err := in.filter()
	if err != nil {
		return out, err
	}
	if err := s.index.check(f.Group, ""); err != nil {
		return out, err
	}
	limit, bytes := cmp.Or(in.Limit, maxLimit), 0
	var list []placed
	err = s.each(ctx, f, func(place uint64, r Record) bool {
		if len(list) == limit || len(list) > 0 && bytes+len(r.Message) > maxPageBytes {
			out.NextToken = strconv.FormatUint(place-1, 10)
			return false
		}
		bytes += len(r.Message) + overhead
		list = append(list, placed{r, place})
		return true
	})
	if err != nil {
		return out, err
	}
	slices.SortStableFunc(list, byTime)
	for _, r := range list {
		ms := r.Time.UnixMilli()
		out.Events = append(out.Events, FilteredLogEvent{
			EventID: fmt.Sprintf("%019d%020d", ms, r.place), Timestamp: ms, IngestionTime: ms,
			LogStreamName: r.Stream, Message: r.Message, Request: r.Request,
		})
	}
	return out, nil
}

func (in FilterLogEventsInput) filter() (f Filter, err error) {
	f = Filter{Group: Named(in.LogGroupName, in.LogGroupIdentifier), Stream: in.LogStreamNamePrefix, Streams: in.LogStreamNames}
	switch {
	case f.Group == "":
		return f, invalid("logGroupName is missing.")
	case in.LogStreamNamePrefix != "" && len(in.LogStreamNames) > 0:
		return f, invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
	case len(in.LogStreamNames) > 100:
		return f, invalid("logStreamNames has at most 100 names.")
	case in.Limit < 0 || in.Limit > maxLimit:
		return f, invalid("Value '%d' at 'limit' is not between 1 and %d.", in.Limit, maxLimit)
	}
	if in.StartTime > 0 {
		f.Start = time.UnixMilli(in.StartTime)
	}
	if in.EndTime > 0 {
		f.End = time.UnixMilli(in.EndTime + 1) // included, unlike that of GetLogEvents
	}
	if in.NextToken != "" {
		if f.After, err = strconv.ParseUint(in.NextToken, 10, 64); err != nil {
			return f, invalid("The specified nextToken is invalid.")
		}
	}
	f.Pattern, err = Compile(in.FilterPattern)
	return f, err
}
