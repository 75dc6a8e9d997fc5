package logs

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// What a PutLogEvents may hold. An event counts with its message in UTF-8 and
// overhead.
const (
	maxEvents     = 10_000
	maxEventBytes = 1 << 20 // of all together
	overhead      = 26
	maxSpan       = 24 * time.Hour
	ahead         = 2 * time.Hour       // that an event may be
	oldest        = 14 * 24 * time.Hour // that an event may be
)

// sequenceToken is what clients of old hand from call to call; it means nothing.
const sequenceToken = "49590302938479384203984209384203984209384203984209384209"

// InputLogEvent is one event; Timestamp is in milliseconds since 1970.
type InputLogEvent struct {
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

// Entity is what events belong to, in the client's eyes; it is not kept.
type Entity struct {
	KeyAttributes map[string]string `json:"keyAttributes,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
}

// PutLogEventsInput is events of one stream, in the order of their times.
type PutLogEventsInput struct {
	LogGroupName  string          `json:"logGroupName"`
	LogStreamName string          `json:"logStreamName"`
	LogEvents     []InputLogEvent `json:"logEvents"`
	SequenceToken string          `json:"sequenceToken,omitempty"`
	Entity        *Entity         `json:"entity,omitempty"`
}

// RejectedLogEventsInfo tells which events were not taken: those before the end
// indexes, and those from the start index on.
type RejectedLogEventsInfo struct {
	TooNewLogEventStartIndex *int `json:"tooNewLogEventStartIndex,omitempty"`
	TooOldLogEventEndIndex   *int `json:"tooOldLogEventEndIndex,omitempty"`
	ExpiredLogEventEndIndex  *int `json:"expiredLogEventEndIndex,omitempty"`
}

// PutLogEventsOutput tells what was not taken.
type PutLogEventsOutput struct {
	NextSequenceToken     string                 `json:"nextSequenceToken"`
	RejectedLogEventsInfo *RejectedLogEventsInfo `json:"rejectedLogEventsInfo,omitempty"`
}

// PutLogEvents stores events before it answers.
func (s *Store) PutLogEvents(ctx context.Context, in PutLogEventsInput) (PutLogEventsOutput, error) {
	out := PutLogEventsOutput{NextSequenceToken: sequenceToken}
	if err := in.check(); err != nil {
		return out, err
	}
	now := time.Now()
	retention, err := s.index.receiver(in)
	if err != nil {
		return out, err
	}
	first, end, rejected := in.timely(now, retention)
	out.RejectedLogEventsInfo = rejected
	if first >= end {
		return out, nil
	}
	var records []Record
	for _, e := range in.LogEvents[first:end] {
		records = append(records, Record{Time: time.UnixMilli(e.Timestamp), Group: in.LogGroupName, Stream: in.LogStreamName, Message: e.Message})
	}
	wait, cancel := context.WithTimeout(ctx, ackWait)
	defer cancel()
	if err := s.put(wait, records); err != nil {
		return out, fault.Errorf(fault.Unavailable, "put log events: %w", err)
	}
	return out, nil
}

func (in PutLogEventsInput) check() error {
	if len(in.LogEvents) == 0 || len(in.LogEvents) > maxEvents {
		return invalid("Log events in a single PutLogEvents request must be 1 to %d.", maxEvents)
	}
	size := 0
	for i, e := range in.LogEvents {
		switch size += len(e.Message) + overhead; {
		case e.Message == "":
			return invalid("Log event message at index %d is empty.", i)
		case e.Timestamp < 0:
			return invalid("Log event timestamp at index %d is negative.", i)
		case i > 0 && e.Timestamp < in.LogEvents[i-1].Timestamp:
			return invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if size > maxEventBytes {
		return invalid("Upload too large: %d bytes exceeds limit of %d", size, maxEventBytes)
	}
	if in.LogEvents[len(in.LogEvents)-1].Timestamp-in.LogEvents[0].Timestamp > maxSpan.Milliseconds() {
		return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
	}
	return nil
}

// timely finds the events that are neither too old nor too new.
func (in PutLogEventsInput) timely(now time.Time, retention time.Duration) (first, end int, rejected *RejectedLogEventsInfo) {
	old, expired, end := 0, 0, len(in.LogEvents)
	for i, e := range in.LogEvents {
		age := now.Sub(time.UnixMilli(e.Timestamp))
		switch {
		case age > oldest:
			old = i + 1
		case retention > 0 && age > retention:
			expired = i + 1
		case age < -ahead && i < end:
			end = i
		}
	}
	if old == 0 && expired == 0 && end == len(in.LogEvents) {
		return 0, end, nil
	}
	rejected = &RejectedLogEventsInfo{}
	if old > 0 {
		rejected.TooOldLogEventEndIndex = &old
	}
	if expired > 0 {
		rejected.ExpiredLogEventEndIndex = &expired
	}
	if end < len(in.LogEvents) {
		rejected.TooNewLogEventStartIndex = &end
	}
	return max(old, expired), end, rejected
}

// receiver says whether the stream exists, and the retention of its group.
func (x *index) receiver(in PutLogEventsInput) (time.Duration, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[in.LogGroupName]
	switch {
	case g == nil:
		return 0, noGroup()
	case g.streams[in.LogStreamName] == nil:
		return 0, noStream()
	}
	return time.Duration(g.Retention) * 24 * time.Hour, nil
}
