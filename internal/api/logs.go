package api

import (
	"maps"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/logs/tail"
)

// Logs is Amazon CloudWatch Logs over the store of log records.
type Logs struct {
	Store    *logs.Store
	Insights *query.Insights
	Tail     *tail.Hub
	Region   string
}

// Service is the service "logs". Reading and writing records is about data.
func (l *Logs) Service() *Service {
	s := l.Store
	group := func(in logs.LogGroupNameInput) []Need { return on(l.all(in.LogGroupName)) }
	stream := func(in logs.LogStreamInput) []Need { return on(l.stream(in.LogGroupName, in.LogStreamName)) }
	operations := map[string]Operation{
		"CreateLogGroup":        op(s.CreateLogGroup, func(in logs.CreateLogGroupInput) []Need { return on(l.all(in.LogGroupName)) }),
		"DeleteLogGroup":        op(s.DeleteLogGroup, group),
		"DescribeLogGroups":     op(s.DescribeLogGroups, func(logs.DescribeLogGroupsInput) []Need { return on(logs.ARN(l.Region, "*")) }),
		"PutRetentionPolicy":    op(s.PutRetentionPolicy, func(in logs.PutRetentionPolicyInput) []Need { return on(l.all(in.LogGroupName)) }),
		"DeleteRetentionPolicy": op(s.DeleteRetentionPolicy, group),
		"CreateLogStream":       op(s.CreateLogStream, stream),
		"DeleteLogStream":       op(s.DeleteLogStream, stream),
		"DescribeLogStreams": op(s.DescribeLogStreams, func(in logs.DescribeLogStreamsInput) []Need {
			return on(l.all(logs.Named(in.LogGroupName, in.LogGroupIdentifier)))
		}),
		"PutLogEvents": op(s.PutLogEvents, func(in logs.PutLogEventsInput) []Need { return on(l.stream(in.LogGroupName, in.LogStreamName)) }).aboutData(),
		"GetLogEvents": op(s.GetLogEvents, func(in logs.GetLogEventsInput) []Need {
			return on(l.stream(logs.Named(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName))
		}).aboutData(),
		"FilterLogEvents": op(s.FilterLogEvents, func(in logs.FilterLogEventsInput) []Need {
			return on(l.all(logs.Named(in.LogGroupName, in.LogGroupIdentifier)))
		}).aboutData(),
		"StartLiveTail":       op(l.Tail.StartLiveTail, l.tailed).aboutData(),
		"TagResource":         op(s.TagResource, func(in logs.TagResourceInput) []Need { return on(l.bare(in.ResourceARN)) }),
		"UntagResource":       op(s.UntagResource, func(in logs.UntagResourceInput) []Need { return on(l.bare(in.ResourceARN)) }),
		"ListTagsForResource": op(s.ListTagsForResource, func(in logs.ListTagsForResourceInput) []Need { return on(l.bare(in.ResourceARN)) }),
	}
	maps.Copy(operations, l.queries())
	return &Service{Scope: "logs", Prefix: "Logs_20140328.", Operations: operations}
}

// all is a log group and everything in it, as policies have it.
func (l *Logs) all(group string) string { return logs.ARN(l.Region, group) + ":*" }

// bare is a log group by itself, which tags belong to.
func (l *Logs) bare(resource string) string { return logs.ARN(l.Region, logs.GroupOf(resource)) }

func (l *Logs) stream(group, stream string) string {
	return logs.ARN(l.Region, group) + ":log-stream:" + stream
}
