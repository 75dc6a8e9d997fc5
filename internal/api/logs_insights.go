package api

import (
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
)

// queries are the operations of Logs Insights. A query asks for the right to read each
// of its groups; whoever has its ID may have its results, as on AWS.
func (l *Logs) queries() map[string]Operation {
	i := l.Insights
	return map[string]Operation{
		"StartQuery": op(i.StartQuery, func(in query.StartQueryInput) []Need {
			needs := []Need{}
			for _, name := range in.Names() {
				needs = append(needs, on(l.all(name))...)
			}
			if len(needs) == 0 {
				return on(l.all("*"))
			}
			return needs
		}).aboutData(),
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
