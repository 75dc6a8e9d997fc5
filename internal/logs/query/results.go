package query

import (
	"context"
	"strconv"

	"github.com/dropstack/dropstack/internal/fault"
)

// GetQueryResultsInput names a query. Results come in pages of MaxItems.
type GetQueryResultsInput struct {
	QueryID   string `json:"queryId"`
	MaxItems  int    `json:"maxItems,omitempty"`
	NextToken string `json:"nextToken,omitempty"`
}

// ResultField is a value of a row.
type ResultField struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

// QueryStatistics is what was done to answer a query.
type QueryStatistics struct {
	RecordsMatched          float64 `json:"recordsMatched"`
	RecordsScanned          float64 `json:"recordsScanned"`
	BytesScanned            float64 `json:"bytesScanned"`
	LogGroupsScanned        float64 `json:"logGroupsScanned"`
	EstimatedRecordsSkipped float64 `json:"estimatedRecordsSkipped"`
	EstimatedBytesSkipped   float64 `json:"estimatedBytesSkipped"`
	ResultCount             float64 `json:"resultCount"`
}

// GetQueryResultsOutput is what has been found so far, or all. A row lacks the fields
// that its record has not.
type GetQueryResultsOutput struct {
	QueryLanguage string          `json:"queryLanguage"`
	Results       [][]ResultField `json:"results"`
	Statistics    QueryStatistics `json:"statistics"`
	Status        string          `json:"status"`
	NextToken     string          `json:"nextToken,omitempty"`
}

// GetQueryResults returns the rows of a query. While it runs, asking has those found
// so far made ready for the next time.
func (s *Insights) GetQueryResults(_ context.Context, in GetQueryResultsInput) (GetQueryResultsOutput, error) {
	w, err := s.find(in.QueryID)
	if err != nil {
		return GetQueryResultsOutput{}, err
	}
	w.polled.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return GetQueryResultsOutput{}, noQuery(in.QueryID)
	}
	if in.MaxItems < 0 || in.MaxItems > MaxRows {
		return GetQueryResultsOutput{}, invalid("Value '%d' at 'maxItems' is not between 1 and %d.", in.MaxItems, MaxRows)
	}
	r := w.result
	rows, next, err := cut(r.Rows, in.MaxItems, MaxRows, in.NextToken)
	if err != nil {
		return GetQueryResultsOutput{}, err
	}
	out := GetQueryResultsOutput{
		QueryLanguage: Language, Results: make([][]ResultField, len(rows)), Status: w.status, NextToken: next,
		Statistics: QueryStatistics{
			RecordsMatched: float64(r.Statistics.RecordsMatched), RecordsScanned: float64(r.Statistics.RecordsScanned),
			BytesScanned: float64(r.Statistics.BytesScanned), LogGroupsScanned: float64(r.Statistics.Groups), ResultCount: float64(len(r.Rows)),
		},
	}
	for i, row := range rows {
		out.Results[i] = []ResultField{}
		for j, v := range row {
			if v.kind != Null {
				out.Results[i] = append(out.Results[i], ResultField{r.Columns[j], v.String()})
			}
		}
	}
	return out, nil
}

// pageOf cuts a page out of a list to describe.
func pageOf[T any](list []T, limit int, token string) ([]T, string, error) {
	const most = 1000
	if limit < 0 || limit > most {
		return []T{}, "", invalid("Value '%d' at 'maxResults' is not between 1 and %d.", limit, most)
	}
	return cut(list, limit, most, token)
}

// cut is the page that a token names, and the token of the next.
func cut[T any](list []T, limit, most int, token string) (page []T, next string, err error) {
	at := 0
	if token != "" {
		if at, err = strconv.Atoi(token); err != nil || at < 0 || at > len(list) {
			return []T{}, "", invalid("The specified nextToken is invalid.")
		}
	}
	if limit == 0 {
		limit = most
	}
	end := min(at+limit, len(list))
	if end < len(list) {
		next = strconv.Itoa(end)
	}
	return append([]T{}, list[at:end]...), next, nil
}

// GetLogRecordInput is the pointer of a record, its @ptr in results.
type GetLogRecordInput struct {
	LogRecordPointer string `json:"logRecordPointer"`
	Unmask           bool   `json:"unmask,omitempty"`
}

// GetLogRecordOutput is all fields of a record.
type GetLogRecordOutput struct {
	LogRecord map[string]string `json:"logRecord"`
}

// GetLogRecord returns the record that a pointer names.
func (s *Insights) GetLogRecord(ctx context.Context, in GetLogRecordInput) (GetLogRecordOutput, error) {
	record, err := Record(ctx, s.Source, in.LogRecordPointer)
	if err == nil && record == nil {
		err = fault.Coded(fault.NotFound, "ResourceNotFoundException", "The record is kept no more.")
	}
	return GetLogRecordOutput{record}, err
}
