package api_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/testkit"
)

func TestTheOfficialLogsClient(t *testing.T) {
	streams := enginetest.Streams(t)
	store := &logs.Store{Dir: t.TempDir(), Streams: streams, State: streams, Region: "us-east-1", Log: slog.New(slog.DiscardHandler)}
	if err := store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := serve(t, &api.Server{Services: []*api.Service{(&api.Logs{Store: store, Region: "us-east-1"}).Service()}})
	c := cloudwatchlogs.New(cloudwatchlogs.Options{HTTPClient: testkit.AWSClient(), BaseEndpoint: &w.url, Region: "us-east-1", Credentials: provider(w.keys.Admin()), RetryMaxAttempts: 1})
	ctx, group, stream := t.Context(), aws.String("/app"), aws.String("web")
	if _, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	var exists *types.ResourceAlreadyExistsException
	if _, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}); !errors.As(err, &exists) {
		t.Errorf("a group twice: got %v", err)
	}
	if _, err := c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(14)}); err != nil {
		t.Fatal(err)
	}
	var events []types.InputLogEvent
	for i := range 25 {
		events = append(events, types.InputLogEvent{Timestamp: aws.Int64(time.Now().UnixMilli()), Message: aws.String(fmt.Sprintf(`{"n":%d}`, i))})
	}
	if _, err := c.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events}); err != nil {
		t.Fatal(err)
	}
	// A second later than what was put: within a millisecond the two streams' order is open.
	store.Append(logs.Record{Time: time.Now().Add(time.Second), Group: "/app", Stream: "of a function", Message: "line", Request: "r"})

	pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: group, Limit: aws.Int32(10), FilterPattern: aws.String("{ $.n != 3 }"),
	})
	n, ids := 0, map[string]bool{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, e := range page.Events {
			ids[aws.ToString(e.EventId)] = true
		}
	}
	if n != 3 || len(ids) != 24 {
		t.Errorf("got %d events on %d pages, want 24 on 3", len(ids), n)
	}
	gets := cloudwatchlogs.NewGetLogEventsPaginator(c, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true), Limit: aws.Int32(10),
	}, func(o *cloudwatchlogs.GetLogEventsPaginatorOptions) { o.StopOnDuplicateToken = true })
	got := 0
	for gets.HasMorePages() {
		page, err := gets.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got += len(page.Events)
	}
	if got != 25 {
		t.Errorf("got %d events of the stream, want 25", got)
	}
	described, err := c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group, OrderBy: types.OrderByLastEventTime, Descending: aws.Bool(true)})
	if err != nil || len(described.LogStreams) != 2 || *described.LogStreams[0].LogStreamName != "of a function" {
		t.Errorf("streams: got %+v, %v", described, err)
	}
	groups, err := c.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/a")})
	if err != nil || len(groups.LogGroups) != 1 || *groups.LogGroups[0].RetentionInDays != 14 {
		t.Fatalf("groups: got %+v, %v", groups, err)
	}
	tags, err := c.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: groups.LogGroups[0].LogGroupArn})
	if err != nil || tags.Tags["a"] != "b" {
		t.Errorf("tags: got %+v, %v", tags, err)
	}
	if _, err := c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}); err != nil {
		t.Error(err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group}); !errors.As(err, &missing) {
		t.Errorf("a group that is gone: got %v", err)
	}
	for _, e := range w.trail.take() {
		if e.EventName == "PutLogEvents" || e.EventName == "FilterLogEvents" {
			t.Errorf("%s is recorded, though it is about data", e.EventName)
		}
	}
}
