package api

import (
	"context"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// queries are the operations of Logs Insights. A query asks for the right to read each
// of its groups; whoever has its ID may have its results, as on AWS.
func (l *Logs) queries() map[string]Operation {
	i := l.Insights
	return map[string]Operation{
		"StartQuery":      opBy(i.StartQuery, l.queried).aboutData(),
		"GetQueryResults": op(i.GetQueryResults, nil).aboutData(),
		"StopQuery":       op(i.StopQuery, nil).aboutData(),
		"DescribeQueries": op(i.DescribeQueries, nil),
		"GetLogRecord": op(i.GetLogRecord, func(in query.GetLogRecordInput) []Need {
			return on(l.all(query.GroupOfPointer(in.LogRecordPointer)))
		}).aboutData(),
		"GetLogGroupFields": op(i.GetLogGroupFields, func(in query.GetLogGroupFieldsInput) []Need {
			return on(l.all(logs.Named(in.LogGroupName, in.LogGroupIdentifier)))
		}).aboutData(),
		"PutQueryDefinition":       op(i.PutQueryDefinition, nil),
		"DescribeQueryDefinitions": op(i.DescribeQueryDefinitions, nil),
		"DeleteQueryDefinition":    op(i.DeleteQueryDefinition, nil),
	}
}

// queried asks for each of the groups that a query is about: those that a name with *
// stands for one by one, so that what is denied of one of them holds.
func (l *Logs) queried(ctx context.Context, in query.StartQueryInput) []Need {
	var needs []Need
	for _, name := range in.Names() {
		groups := l.Insights.Matching(ctx, name)
		for _, group := range append(groups, name) {
			needs = append(needs, on(l.all(group))...)
		}
	}
	if len(needs) == 0 {
		return on(l.all("*"))
	}
	return needs
}
