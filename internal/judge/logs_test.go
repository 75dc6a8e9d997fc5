package judge

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func logsCalls(s *sdk) {
	c := cloudwatchlogs.NewFromConfig(s.config)
	group, stream, now := aws.String("/go/app"), aws.String("web/1"), time.Now().UnixMilli()
	call(s, "create group", c.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}, nil)
	fails(s, "a group with no name", "InvalidParameterException", c.CreateLogGroup, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("a b")})
	call(s, "retention", c.PutRetentionPolicy, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(14)}, nil)
	arn := call(s, "describe group", c.DescribeLogGroups, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: group}, func(out *cloudwatchlogs.DescribeLogGroupsOutput) error {
		return same([]any{len(out.LogGroups), *out.LogGroups[0].RetentionInDays}, []any{1, int32(14)})
	}).LogGroups[0].LogGroupArn
	call(s, "tag", c.TagResource, &cloudwatchlogs.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"team": "x", "env": "dev"}}, nil)
	call(s, "untag", c.UntagResource, &cloudwatchlogs.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team"}}, nil)
	call(s, "tags", c.ListTagsForResource, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: arn}, func(out *cloudwatchlogs.ListTagsForResourceOutput) error {
		return same(out.Tags, map[string]string{"env": "dev"})
	})
	call(s, "no retention", c.DeleteRetentionPolicy, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: group}, nil)
	call(s, "create stream", c.CreateLogStream, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}, nil)
	fails(s, "create stream twice", "ResourceAlreadyExistsException", c.CreateLogStream, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream})
	lines := []types.InputLogEvent{}
	for _, text := range []string{"127.0.0.1 GET 200", "127.0.0.1 GET 404", "10.0.0.1 PUT 404"} {
		lines = append(lines, types.InputLogEvent{Message: aws.String(text), Timestamp: aws.Int64(now)})
	}
	call(s, "put events", c.PutLogEvents, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: lines}, nil)
	old := []types.InputLogEvent{{Message: aws.String("old"), Timestamp: aws.Int64(1)}}
	call(s, "put what is too old", c.PutLogEvents, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: old}, func(out *cloudwatchlogs.PutLogEventsOutput) error {
		return same(*out.RejectedLogEventsInfo.TooOldLogEventEndIndex, int32(1))
	})
	backwards := []types.InputLogEvent{{Message: aws.String("late"), Timestamp: aws.Int64(now)}, {Message: aws.String("early"), Timestamp: aws.Int64(now - 1000)}}
	fails(s, "put events out of order", "InvalidParameterException", c.PutLogEvents, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: backwards})
	call(s, "filter by columns", c.FilterLogEvents, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String(`[ip = 127*, method, status = 404]`)}, func(out *cloudwatchlogs.FilterLogEventsOutput) error {
		return same([]any{len(out.Events), *out.Events[0].Message}, []any{1, "127.0.0.1 GET 404"})
	})
	call(s, "filter out a term", c.FilterLogEvents, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String(`404 -PUT`)}, func(out *cloudwatchlogs.FilterLogEventsOutput) error {
		return same(len(out.Events), 1)
	})
	found, pages := []string{}, cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, Limit: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.Context())
		if err != nil {
			s.judge("filter by pages", false, err)
		}
		for _, e := range page.Events {
			found = append(found, *e.Message)
		}
	}
	s.judge("filter by pages", false, same(len(found), 3))
	fails(s, "get events of nothing", "ResourceNotFoundException", c.GetLogEvents, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: aws.String("none")})
	call(s, "delete stream", c.DeleteLogStream, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: stream}, nil)
	fails(s, "delete stream twice", "ResourceNotFoundException", c.DeleteLogStream, &cloudwatchlogs.DeleteLogStreamInput{LogGroupName: group, LogStreamName: stream})
	call(s, "delete group", c.DeleteLogGroup, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}, nil)
	fails(s, "streams of what is gone", "ResourceNotFoundException", c.DescribeLogStreams, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group})
}
