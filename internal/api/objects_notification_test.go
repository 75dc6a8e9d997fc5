package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
)

// editor keeps the revisions of two stacks in memory.
type editor map[string]*deploy.Revision

func (e editor) List() map[string]*deploy.Revision { return e }

func (e editor) Edit(_ context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error) {
	next := deploy.Revision{Stack: stack}
	if now := e[stack]; now != nil {
		next = *now
	}
	if err := change(&next); err != nil {
		return nil, err
	}
	e[stack] = &next
	return &next, nil
}

func TestNotificationsOfBuckets(t *testing.T) {
	fn := arn.Function("us-east-1", "f")
	stacks := editor{"s-dev": {
		Stack: "s-dev", Functions: []function.Function{{Name: "f", ARN: fn}},
		Notifications: []bucket.Notification{{Stack: "s-dev", ID: "declared", Bucket: "b", Event: "s3:ObjectRemoved:*", Function: fn}},
	}}
	objects := &api.Objects{Store: http.NotFoundHandler(), Notifications: &api.Notifications{
		Deployer: stacks,
		Exists: func(_ context.Context, name string) error {
			if name != "b" {
				return fault.Coded(fault.NotFound, "NoSuchBucket", "no bucket %s", name)
			}
			return nil
		},
	}}
	w := serve(t, &api.Server{Objects: objects})
	objects.Caller = w.keys
	client := client(w.url, w.keys.Admin()).S3()
	put := func(name string, c *types.NotificationConfiguration) error {
		_, err := client.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{Bucket: &name, NotificationConfiguration: c})
		return err
	}
	uploads := types.LambdaFunctionConfiguration{
		Id: aws.String("uploads"), LambdaFunctionArn: &fn, Events: []types.Event{"s3:ObjectCreated:Put", "s3:ObjectCreated:Copy"},
		Filter: &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{
			{Name: types.FilterRuleNamePrefix, Value: aws.String("in/")}, {Name: types.FilterRuleNameSuffix, Value: aws.String(".png")},
		}}},
	}
	if err := put("b", &types.NotificationConfiguration{LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{uploads}}); err != nil {
		t.Fatal(err)
	}
	want := []bucket.Notification{
		{Stack: "api", ID: "uploads", Bucket: "b", Event: "s3:ObjectCreated:Put", Prefix: "in/", Suffix: ".png", Function: fn},
		{Stack: "api", ID: "uploads", Bucket: "b", Event: "s3:ObjectCreated:Copy", Prefix: "in/", Suffix: ".png", Function: fn},
	}
	if diff := cmp.Diff(want, stacks["api"].Notifications); diff != "" {
		t.Errorf("-want +stored:\n%s", diff)
	}
	out, err := client.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("b")})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]types.LambdaFunctionConfiguration{}
	for _, c := range out.LambdaFunctionConfigurations {
		got[*c.Id] = c
	}
	declared := types.LambdaFunctionConfiguration{Id: aws.String("declared"), LambdaFunctionArn: &fn, Events: []types.Event{"s3:ObjectRemoved:*"}}
	wants := map[string]types.LambdaFunctionConfiguration{"declared": declared, "uploads": uploads}
	if diff := cmp.Diff(wants, got, cmpopts.IgnoreUnexported(types.LambdaFunctionConfiguration{}, types.NotificationConfigurationFilter{}, types.S3KeyFilter{}, types.FilterRule{}),
		cmp.Transformer("rule", func(n types.FilterRuleName) string { return strings.ToLower(string(n)) })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := put("b", &types.NotificationConfiguration{}); err != nil || len(stacks["api"].Notifications) != 0 || len(stacks["s-dev"].Notifications) != 1 {
		t.Errorf("an empty configuration: %v, left %+v", err, stacks["api"].Notifications)
	}
	nobody, other := arn.Function("us-east-1", "nobody"), uploads
	other.LambdaFunctionArn = &nobody
	for name, tt := range map[string]struct {
		bucket string
		c      types.NotificationConfiguration
		code   string
	}{
		"no bucket":   {"nowhere", types.NotificationConfiguration{}, "NoSuchBucket"},
		"no function": {"b", types.NotificationConfiguration{LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{other}}, "InvalidArgument"},
		"a topic": {"b", types.NotificationConfiguration{TopicConfigurations: []types.TopicConfiguration{
			{TopicArn: aws.String(arn.Topic("us-east-1", "t")), Events: []types.Event{"s3:ObjectCreated:*"}},
		}}, "NotImplemented"},
		"an id twice": {"b", types.NotificationConfiguration{LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{uploads, uploads}}, "InvalidArgument"},
	} {
		if err := put(tt.bucket, &tt.c); codeOf(err) != tt.code {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
	if len(stacks["api"].Notifications) != 0 {
		t.Errorf("what was refused was kept: %+v", stacks["api"].Notifications)
	}
}
