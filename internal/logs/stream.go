package logs

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// LogStreamInput names a stream.
type LogStreamInput struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
}

// CreateLogStream makes a stream in a group.
func (s *Store) CreateLogStream(ctx context.Context, in LogStreamInput) (None, error) {
	if in.LogStreamName == "" || len(in.LogStreamName) > 512 || strings.ContainsAny(in.LogStreamName, ":*") {
		return None{}, invalid("Value '%s' at 'logStreamName' failed to satisfy constraint: 1-512 characters, neither : nor *.", in.LogStreamName)
	}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[in.LogGroupName]
	switch {
	case g == nil:
		return None{}, noGroup()
	case g.streams[in.LogStreamName] != nil:
		return None{}, fault.Coded(fault.Conflict, "ResourceAlreadyExistsException", "The specified log stream already exists")
	}
	g.crowd()
	g.streams[in.LogStreamName] = &stream{Created: time.Now().UnixMilli()}
	if err := x.saveStream(ctx, g, in.LogStreamName); err != nil {
		delete(g.streams, in.LogStreamName)
		return None{}, err
	}
	return None{}, nil
}

// DeleteLogStream removes a stream. Its records, which lie among others, are hidden
// until they expire.
func (s *Store) DeleteLogStream(ctx context.Context, in LogStreamInput) (None, error) {
	if err := s.settled(ctx); err != nil {
		return None{}, err
	}
	x := &s.index
	first, last := s.archive.span(in.LogGroupName)
	err := s.changeGroup(ctx, in.LogGroupName, func(g *group) error {
		if g.streams[in.LogStreamName] == nil {
			return noStream()
		}
		if g.Hidden == nil {
			g.Hidden = map[string]uint64{}
		}
		maps.DeleteFunc(g.Hidden, func(_ string, upTo uint64) bool { return upTo < first })
		g.Hidden[in.LogStreamName] = last
		return nil
	})
	if err != nil {
		return None{}, err
	}
	if err := x.streams.Purge(ctx, key(in.LogGroupName, in.LogStreamName)); err != nil {
		return None{}, fmt.Errorf("delete log stream: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if g := x.known[in.LogGroupName]; g != nil {
		delete(g.streams, in.LogStreamName)
	}
	return None{}, nil
}

// DescribeLogStreamsInput selects streams of a group.
type DescribeLogStreamsInput struct {
	LogGroupName        string `json:"logGroupName,omitempty"`
	LogGroupIdentifier  string `json:"logGroupIdentifier,omitempty"` // a name or an ARN
	LogStreamNamePrefix string `json:"logStreamNamePrefix,omitempty"`
	OrderBy             string `json:"orderBy,omitempty"` // LogStreamName, which "" is too, or LastEventTime
	Descending          bool   `json:"descending,omitempty"`
	NextToken           string `json:"nextToken,omitempty"`
	Limit               int    `json:"limit,omitempty"`
}

// LogStream describes a stream.
type LogStream struct {
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	UploadSequenceToken string `json:"uploadSequenceToken,omitempty"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"` // always 0, as CloudWatch has it
}

// DescribeLogStreamsOutput is one page.
type DescribeLogStreamsOutput struct {
	LogStreams []LogStream `json:"logStreams"`
	NextToken  string      `json:"nextToken,omitempty"`
}

// DescribeLogStreams lists the streams of a group.
func (s *Store) DescribeLogStreams(ctx context.Context, in DescribeLogStreamsInput) (DescribeLogStreamsOutput, error) {
	out := DescribeLogStreamsOutput{LogStreams: []LogStream{}}
	byTime := in.OrderBy == "LastEventTime"
	switch {
	case !byTime && in.OrderBy != "" && in.OrderBy != "LogStreamName":
		return out, invalid("Value '%s' at 'orderBy' is neither LogStreamName nor LastEventTime.", in.OrderBy)
	case byTime && in.LogStreamNamePrefix != "":
		return out, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	case in.Limit < 0 || in.Limit > 50:
		return out, invalid("Value '%d' at 'limit' is not between 1 and 50.", in.Limit)
	}
	if err := s.Flush(ctx); err != nil {
		return out, err
	}
	x := &s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	g := x.known[Named(in.LogGroupName, in.LogGroupIdentifier)]
	if g == nil {
		return out, noGroup()
	}
	var list []ordered
	for name, st := range g.streams {
		if strings.HasPrefix(name, in.LogStreamNamePrefix) {
			o := ordered{name: name}
			if byTime {
				o.at = st.Last
			}
			list = append(list, o)
		}
	}
	slices.SortFunc(list, ordered.compare)
	if in.Descending {
		slices.Reverse(list)
	}
	list, next, err := in.page(list)
	if err != nil {
		return out, err
	}
	out.NextToken = next
	for _, o := range list {
		st := g.streams[o.name]
		out.LogStreams = append(out.LogStreams, LogStream{
			LogStreamName: o.name, CreationTime: st.Created, FirstEventTimestamp: st.First, LastEventTimestamp: st.Last,
			LastIngestionTime: st.Came, UploadSequenceToken: sequenceToken, ARN: ARN(s.Region, g.Name) + ":log-stream:" + o.name,
		})
	}
	return out, nil
}

// Named is the group that a name or an identifier (a name or an ARN) names.
func Named(name, identifier string) string {
	if name != "" {
		return name
	}
	return GroupOf(identifier)
}

// ordered is a stream's place in a list.
type ordered struct {
	at   int64
	name string
}

func (o ordered) compare(p ordered) int {
	return cmp.Or(cmp.Compare(o.at, p.at), cmp.Compare(o.name, p.name))
}

// page cuts one out of the list. The token is the place of the last of the page
// before; a stream that gets a record meanwhile may be seen twice or not at all.
func (in DescribeLogStreamsInput) page(list []ordered) (_ []ordered, next string, err error) {
	if in.NextToken != "" {
		text, err := base64.RawURLEncoding.DecodeString(in.NextToken)
		at, name, ok := strings.Cut(string(text), " ")
		n, err2 := strconv.ParseInt(at, 10, 64)
		if err != nil || err2 != nil || !ok {
			return nil, "", invalid("The specified nextToken is invalid.")
		}
		last := ordered{n, name}
		list = slices.DeleteFunc(list, func(o ordered) bool {
			if in.Descending {
				return o.compare(last) >= 0
			}
			return o.compare(last) <= 0
		})
	}
	if limit := cmp.Or(in.Limit, 50); len(list) > limit {
		list = list[:limit]
		next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", list[limit-1].at, list[limit-1].name))
	}
	return list, next, nil
}
