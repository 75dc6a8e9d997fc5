package tail

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// StartLiveTailInput says what to follow, as CloudWatch Logs has it. Identifiers are
// ARNs of log groups; names, and what ends in "*", are taken too.
type StartLiveTailInput struct {
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers"`
	LogStreamNames        []string `json:"logStreamNames,omitempty"`
	LogStreamNamePrefixes []string `json:"logStreamNamePrefixes,omitempty"`
	LogEventFilterPattern string   `json:"logEventFilterPattern,omitempty"`
}

// LiveTail is a session: its events are told one after the other.
type LiveTail struct {
	in       StartLiveTailInput
	id       string
	follower *Follower
}

// SessionStart is a session's first event.
type SessionStart struct {
	RequestID             string   `json:"requestId"`
	SessionID             string   `json:"sessionId"`
	LogGroupIdentifiers   []string `json:"logGroupIdentifiers"`
	LogStreamNames        []string `json:"logStreamNames,omitempty"`
	LogStreamNamePrefixes []string `json:"logStreamNamePrefixes,omitempty"`
	LogEventFilterPattern string   `json:"logEventFilterPattern,omitempty"`
}

// SessionUpdate is what has come since the event before.
type SessionUpdate struct {
	SessionMetadata struct {
		Sampled bool `json:"sampled"` // not all that there was is among it
	} `json:"sessionMetadata"`
	SessionResults []LiveEvent `json:"sessionResults"`
}

// LiveEvent is a record.
type LiveEvent struct {
	LogGroupIdentifier string `json:"logGroupIdentifier"` // ACCOUNT:NAME
	LogStreamName      string `json:"logStreamName"`
	Message            string `json:"message"`
	Timestamp          int64  `json:"timestamp"`
	IngestionTime      int64  `json:"ingestionTime"`
}

// AWS's limits of a session.
const (
	maxGroups  = 10
	maxPrefix  = 10
	maxUpdates = 500 // events of one second
)

// StartLiveTail begins a session.
func (h *Hub) StartLiveTail(_ context.Context, in StartLiveTailInput) (*LiveTail, error) {
	n := len(in.LogGroupIdentifiers)
	if n == 0 || n > maxGroups {
		return nil, fault.Coded(fault.Invalid, "InvalidParameterException", "logGroupIdentifiers must have 1 to %d members, not %d", maxGroups, n)
	}
	if len(in.LogStreamNames) > 0 && len(in.LogStreamNamePrefixes) > 0 {
		return nil, fault.Coded(fault.Invalid, "InvalidParameterException", "logStreamNames and logStreamNamePrefixes exclude each other")
	}
	if len(in.LogStreamNames) > maxPrefix || len(in.LogStreamNamePrefixes) > maxPrefix {
		return nil, fault.Coded(fault.Invalid, "InvalidParameterException", "there may be %d names or prefixes of streams", maxPrefix)
	}
	pattern, err := logs.Compile(in.LogEventFilterPattern)
	if err != nil {
		return nil, fault.Coded(fault.Invalid, "InvalidParameterException", "logEventFilterPattern: %w", err)
	}
	f := Filter{Pattern: pattern, Streams: in.LogStreamNames}
	for _, id := range in.LogGroupIdentifiers {
		f.Groups = append(f.Groups, logs.GroupOf(id))
	}
	for _, prefix := range in.LogStreamNamePrefixes {
		f.Streams = append(f.Streams, prefix+"*")
	}
	return &LiveTail{in: in, id: sessionID(), follower: h.Follow(f)}, nil
}

func sessionID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Start is the session's first event.
func (l *LiveTail) Start(request string) SessionStart {
	return SessionStart{
		request, l.id, l.in.LogGroupIdentifiers, l.in.LogStreamNames, l.in.LogStreamNamePrefixes, l.in.LogEventFilterPattern,
	}
}

// Run tells of what comes, about once a second and also of nothing, until ctx or the
// platform ends or tell fails. account is part of groups' identifiers.
func (l *LiveTail) Run(ctx context.Context, account string, tell func(SessionUpdate) error) error {
	defer l.follower.End()
	for {
		wait, cancel := context.WithTimeout(ctx, time.Second)
		records, lost, ok := l.follower.Next(wait)
		idle := wait.Err() != nil
		cancel()
		if !ok && (!idle || ctx.Err() != nil) {
			return nil
		}
		u := SessionUpdate{SessionResults: []LiveEvent{}}
		u.SessionMetadata.Sampled = lost > 0
		for len(records) > 0 {
			n := min(len(records), maxUpdates)
			for _, r := range records[:n] {
				u.SessionResults = append(u.SessionResults, LiveEvent{
					LogGroupIdentifier: account + ":" + r.Group, LogStreamName: r.Stream, Message: r.Message,
					Timestamp: r.Time.UnixMilli(), IngestionTime: time.Now().UnixMilli(),
				})
			}
			if records = records[n:]; len(records) > 0 {
				if err := tell(u); err != nil {
					return err
				}
				u.SessionResults = []LiveEvent{}
			}
		}
		if err := tell(u); err != nil {
			return err
		}
	}
}
