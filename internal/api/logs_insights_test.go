package api_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/testkit"
)

// results are those of a query once it has ended.
func results(t *testing.T, c *cloudwatchlogs.Client, id *string) *cloudwatchlogs.GetQueryResultsOutput {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		out, err := c.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: id})
		if err != nil {
			t.Fatal(err)
		}
		if out.Status != types.QueryStatusRunning && out.Status != types.QueryStatusScheduled {
			return out
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the query does not end")
		}
	}
}

func TestTheOfficialClientAsksLogsInsights(t *testing.T) {
	streams := enginetest.Streams(t)
	store := &logs.Store{Dir: t.TempDir(), Streams: streams, State: streams, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	insights := &query.Insights{Source: store, Groups: store, State: streams, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() { insights.Close() })
	w := serve(t, &api.Server{Services: []*api.Service{(&api.Logs{Store: store, Insights: insights, Region: "us-east-1"}).Service()}})
	c := cloudwatchlogs.New(cloudwatchlogs.Options{HTTPClient: testkit.AWSClient(), BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.keys.Admin()), RetryMaxAttempts: 1})
	ctx, now := t.Context(), time.Now().Truncate(time.Second)
	for i := range 30 {
		store.Append(logs.Record{
			Time: now.Add(time.Duration(i-40) * time.Second), Group: "/aws/lambda/pay", Stream: "s", Request: fmt.Sprint("r", i%3),
			Message: fmt.Sprintf(`{"level":"%s","took":%d}`, []string{"info", "error"}[i%2], i),
		})
	}
	store.Append(logs.Record{Time: now.Add(-time.Minute), Group: "/aws/lambda/mail", Stream: "s", Message: "sent"})
	if err := store.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	ask := func(text string, groups ...string) *cloudwatchlogs.GetQueryResultsOutput {
		t.Helper()
		started, err := c.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupNames: groups, QueryString: &text, StartTime: aws.Int64(now.Add(-time.Hour).Unix()), EndTime: aws.Int64(now.Unix()),
		})
		if err != nil {
			t.Fatal(err)
		}
		return results(t, c, started.QueryId)
	}

	t.Run("statistics", func(t *testing.T) {
		out := ask("filter level = 'error' | stats count(*) as n, max(took) as worst by @requestId | sort @requestId", "/aws/lambda/pay")
		var got []string
		for _, row := range out.Results {
			line := ""
			for _, f := range row {
				line += aws.ToString(f.Field) + "=" + aws.ToString(f.Value) + " "
			}
			got = append(got, line)
		}
		if diff := cmp.Diff([]string{"@requestId=r0 n=5 worst=27 ", "@requestId=r1 n=5 worst=25 ", "@requestId=r2 n=5 worst=29 "}, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		if s := out.Statistics; out.Status != types.QueryStatusComplete || s.RecordsScanned < 15 || s.RecordsScanned > 30 || s.RecordsMatched != 15 || s.LogGroupsScanned != 1 || s.ResultCount != 3 || s.BytesScanned == 0 {
			t.Errorf("got %s, %+v", out.Status, s)
		}
	})
	t.Run("records, and each by its pointer", func(t *testing.T) {
		out := ask("fields @message | limit 2", "/aws/lambda/pay", "/aws/lambda/mail")
		if len(out.Results) != 2 || len(out.Results[0]) != 2 || aws.ToString(out.Results[0][1].Field) != "@ptr" {
			t.Fatalf("got %+v", out.Results)
		}
		record, err := c.GetLogRecord(ctx, &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: out.Results[0][1].Value})
		if err != nil {
			t.Fatal(err)
		}
		r := record.LogRecord
		if r["took"] != "29" || r["@message"] != `{"level":"error","took":29}` || r["@log"] != "000000000000:/aws/lambda/pay" || r["@logStream"] != "s" ||
			r["@timestamp"] != fmt.Sprint(now.Add(-11*time.Second).UnixMilli()) {
			t.Errorf("got %v", r)
		}
		var invalid *types.InvalidParameterException
		if _, err := c.GetLogRecord(ctx, &cloudwatchlogs.GetLogRecordInput{LogRecordPointer: aws.String("xyz")}); !errors.As(err, &invalid) {
			t.Errorf("no pointer: got %v", err)
		}
	})
	t.Run("pages", func(t *testing.T) {
		id, err := c.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupIdentifiers: []string{logs.ARN("us-east-1", "/aws/lambda/pay")}, QueryString: aws.String("fields took"),
			StartTime: aws.Int64(now.Add(-time.Hour).Unix()), EndTime: aws.Int64(now.Unix()), Limit: aws.Int32(25),
		})
		if err != nil {
			t.Fatal(err)
		}
		results(t, c, id.QueryId)
		in, rows, pages := &cloudwatchlogs.GetQueryResultsInput{QueryId: id.QueryId, MaxItems: aws.Int32(10)}, 0, 0
		for {
			out, err := c.GetQueryResults(ctx, in)
			if err != nil {
				t.Fatal(err)
			}
			rows, pages = rows+len(out.Results), pages+1
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if rows != 25 || pages != 3 {
			t.Errorf("got %d rows on %d pages, want 25 on 3", rows, pages)
		}
	})
	t.Run("what is no query", func(t *testing.T) {
		_, err := c.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupName: aws.String("/aws/lambda/pay"), QueryString: aws.String("fields @message\n| sort up down"), StartTime: aws.Int64(0), EndTime: aws.Int64(1),
		})
		var malformed *types.MalformedQueryException
		if !errors.As(err, &malformed) || malformed.QueryCompileError == nil {
			t.Fatalf("got %v", err)
		}
		e := malformed.QueryCompileError
		if aws.ToInt32(e.Location.StartCharOffset) != 26 || aws.ToInt32(e.Location.EndCharOffset) != 30 || !strings.Contains(aws.ToString(e.Message), `line 2, column 11, at "down"`) {
			t.Errorf("got %s %d-%d", aws.ToString(e.Message), aws.ToInt32(e.Location.StartCharOffset), aws.ToInt32(e.Location.EndCharOffset))
		}
		var missing *types.ResourceNotFoundException
		if _, err = c.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupName: aws.String("/none"), QueryString: aws.String("x"), StartTime: aws.Int64(0), EndTime: aws.Int64(1),
		}); !errors.As(err, &missing) {
			t.Errorf("no such group: got %v", err)
		}
		var invalid *types.InvalidParameterException
		if _, err = c.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{QueryString: aws.String("x"), StartTime: aws.Int64(0), EndTime: aws.Int64(1)}); !errors.As(err, &invalid) {
			t.Errorf("no group: got %v", err)
		}
		if _, err = c.GetQueryResults(ctx, &cloudwatchlogs.GetQueryResultsInput{QueryId: aws.String("none")}); !errors.As(err, &missing) {
			t.Errorf("no such query: got %v", err)
		}
	})
	t.Run("queries are listed", func(t *testing.T) {
		out, err := c.DescribeQueries(ctx, &cloudwatchlogs.DescribeQueriesInput{LogGroupName: aws.String("/aws/lambda/mail"), Status: types.QueryStatusComplete})
		if err != nil || len(out.Queries) != 1 || aws.ToString(out.Queries[0].QueryString) != "fields @message | limit 2" {
			t.Fatalf("got %+v, %v", out, err)
		}
		var invalid *types.InvalidParameterException
		if _, err := c.StopQuery(ctx, &cloudwatchlogs.StopQueryInput{QueryId: out.Queries[0].QueryId}); !errors.As(err, &invalid) {
			t.Errorf("stop what has ended: got %v", err)
		}
	})
	t.Run("fields", func(t *testing.T) {
		out, err := c.GetLogGroupFields(ctx, &cloudwatchlogs.GetLogGroupFieldsInput{LogGroupName: aws.String("/aws/lambda/pay")})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int32{}
		for _, f := range out.LogGroupFields {
			got[aws.ToString(f.Name)] = f.Percent
		}
		for _, name := range []string{"@timestamp", "@message", "@requestId", "level", "took"} {
			if got[name] != 100 {
				t.Errorf("%s: got %d %%, want 100", name, got[name])
			}
		}
	})
	t.Run("saved queries", func(t *testing.T) {
		put := &cloudwatchlogs.PutQueryDefinitionInput{Name: aws.String("errors"), QueryString: aws.String("error"), LogGroupNames: []string{"/aws/lambda/pay"}, ClientToken: aws.String("t")}
		made, err := c.PutQueryDefinition(ctx, put)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.PutQueryDefinition(ctx, put); err != nil || *again.QueryDefinitionId != *made.QueryDefinitionId {
			t.Errorf("with the same token: got %v, %v", again, err)
		}
		put.QueryDefinitionId, put.QueryString, put.ClientToken = made.QueryDefinitionId, aws.String("error | top {{n}} level"), nil
		put.Parameters = []types.QueryParameter{{Name: aws.String("n"), DefaultValue: aws.String("5")}}
		if _, err := c.PutQueryDefinition(ctx, put); err != nil {
			t.Fatal(err)
		}
		list, err := c.DescribeQueryDefinitions(ctx, &cloudwatchlogs.DescribeQueryDefinitionsInput{QueryDefinitionNamePrefix: aws.String("err")})
		if err != nil || len(list.QueryDefinitions) != 1 || aws.ToString(list.QueryDefinitions[0].QueryString) != *put.QueryString || aws.ToString(list.QueryDefinitions[0].Parameters[0].DefaultValue) != "5" {
			t.Fatalf("got %+v, %v", list, err)
		}
		var invalid *types.InvalidParameterException
		if _, err := c.PutQueryDefinition(ctx, &cloudwatchlogs.PutQueryDefinitionInput{Name: aws.String("x"), QueryString: aws.String("limit x")}); !errors.As(err, &invalid) {
			t.Errorf("no query: got %v", err)
		}
		if out, err := c.DeleteQueryDefinition(ctx, &cloudwatchlogs.DeleteQueryDefinitionInput{QueryDefinitionId: made.QueryDefinitionId}); err != nil || !out.Success {
			t.Errorf("got %v, %v", out, err)
		}
		var missing *types.ResourceNotFoundException
		if _, err := c.DeleteQueryDefinition(ctx, &cloudwatchlogs.DeleteQueryDefinitionInput{QueryDefinitionId: made.QueryDefinitionId}); !errors.As(err, &missing) {
			t.Errorf("deleted: got %v", err)
		}
	})
	t.Run("who may", func(t *testing.T) {
		other := cloudwatchlogs.New(cloudwatchlogs.Options{HTTPClient: testkit.AWSClient(), BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.function), RetryMaxAttempts: 1})
		_, err := other.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupNames: []string{"/aws/lambda/pay"}, QueryString: aws.String("x"), StartTime: aws.Int64(0), EndTime: aws.Int64(1),
		})
		if err == nil || !strings.Contains(err.Error(), "log-group:/aws/lambda/pay:*") {
			t.Errorf("got %v", err)
		}
		// a name that stands for several asks for each of them
		_, err = other.StartQuery(ctx, &cloudwatchlogs.StartQueryInput{
			LogGroupIdentifiers: []string{"/aws/lambda/m*"}, QueryString: aws.String("x"), StartTime: aws.Int64(0), EndTime: aws.Int64(1),
		})
		if err == nil || !strings.Contains(err.Error(), "log-group:/aws/lambda/mail:*") {
			t.Errorf("got %v", err)
		}
	})
}
