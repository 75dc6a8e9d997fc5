package api

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/logs"
)

// Logs is the part of CloudWatch Logs that reads.
type Logs struct {
	Store interface {
		Filter(ctx context.Context, f logs.Filter) ([]logs.Record, uint64, error)
	}
	Region string
}

// Service is the service "logs".
func (l *Logs) Service() *Service {
	return &Service{Scope: "logs", Prefix: "Logs_20140328.", Operations: map[string]Operation{
		"FilterLogEvents": op(l.filter, func(in FilterLogEventsInput) []Need { return on(logGroupARN(l.Region, in.LogGroupName)) }),
	}}
}

// logGroupARN names a log group in policies.
func logGroupARN(region, group string) string {
	return arn.ARN{Partition: "aws", Service: "logs", Region: region, Account: arn.Account, Resource: "log-group:" + group + ":*"}.String()
}

// FilterLogEventsInput selects events; times are milliseconds since 1970. The
// pattern is a plain substring, with or without quotation marks.
type FilterLogEventsInput struct {
	LogGroupName        string `json:"logGroupName"`
	LogStreamNamePrefix string `json:"logStreamNamePrefix,omitempty"`
	StartTime           int64  `json:"startTime,omitempty"`
	EndTime             int64  `json:"endTime,omitempty"`
	FilterPattern       string `json:"filterPattern,omitempty"`
	NextToken           string `json:"nextToken,omitempty"`
	Limit               int    `json:"limit,omitempty"`
	Interleaved         bool   `json:"interleaved,omitempty"` // always so here
}

// LogEvent is one record.
type LogEvent struct {
	EventID       string `json:"eventId"`
	Timestamp     int64  `json:"timestamp"`
	IngestionTime int64  `json:"ingestionTime"`
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
	Request       string `json:"requestId,omitempty"`
}

// FilterLogEventsOutput is one page; NextToken is empty on the last.
type FilterLogEventsOutput struct {
	Events    []LogEvent `json:"events"`
	NextToken string     `json:"nextToken,omitempty"`
}

func (l *Logs) filter(ctx context.Context, in FilterLogEventsInput) (FilterLogEventsOutput, error) {
	out := FilterLogEventsOutput{Events: []LogEvent{}}
	if in.LogGroupName == "" {
		return out, fault.Coded(fault.Invalid, "InvalidParameterException", "logGroupName is missing")
	}
	f := logs.Filter{Group: in.LogGroupName, Stream: in.LogStreamNamePrefix, Match: unquote(in.FilterPattern), Limit: in.Limit}
	if f.Limit <= 0 || f.Limit > 10_000 {
		f.Limit = 10_000
	}
	if in.StartTime > 0 {
		f.Start = time.UnixMilli(in.StartTime)
	}
	if in.EndTime > 0 {
		f.End = time.UnixMilli(in.EndTime)
	}
	if in.NextToken != "" {
		after, err := strconv.ParseUint(in.NextToken, 10, 64)
		if err != nil {
			return out, fault.Coded(fault.Invalid, "InvalidParameterException", "nextToken %q is not one that this endpoint gave", in.NextToken)
		}
		f.After = after
	}
	records, next, err := l.Store.Filter(ctx, f)
	if err != nil {
		return out, err
	}
	for _, r := range records {
		ms := r.Time.UnixMilli()
		out.Events = append(out.Events, LogEvent{
			EventID: eventID(r), Timestamp: ms, IngestionTime: ms,
			LogStreamName: r.Stream, Message: r.Message, Request: r.Request,
		})
	}
	if next != 0 {
		out.NextToken = strconv.FormatUint(next, 10)
	}
	return out, nil
}

// eventID is the same whenever the record is read, so that a reader who asks
// again can tell what is new.
func eventID(r logs.Record) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.Stream + "\x00" + r.Message))
	return fmt.Sprintf("%019d%016x", r.Time.UnixNano(), h.Sum64())
}

func unquote(pattern string) string {
	if s, err := strconv.Unquote(pattern); err == nil {
		return s
	}
	return pattern
}
