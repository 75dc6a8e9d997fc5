package api_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/testkit"
)

// history is an endpoint over an audit log of five calls.
func history(t *testing.T) *cloudtrail.Client {
	t.Helper()
	key, err := audit.SigningKey([]byte("root"))
	if err != nil {
		t.Fatal(err)
	}
	log := &audit.Log{Dir: t.TempDir(), Key: key, Log: slog.New(slog.DiscardHandler)}
	if err := log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	for i := range 5 {
		e := audit.Event{
			EventSource: "ssm.amazonaws.com", EventName: "GetParameter", ReadOnly: true, EventID: fmt.Sprint("event-", i),
			UserIdentity: audit.UserIdentity{Type: "IAMUser", UserName: []string{"alice", "bob"}[i%2]},
			Resources:    []audit.Resource{{ARN: "arn:aws:ssm:us-east-1:000000000000:parameter/a", Type: "AWS::SSM::Parameter"}},
		}
		if err := log.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	w := serve(t, &api.Server{Services: []*api.Service{(&api.CloudTrail{Trail: log}).Service()}})
	admin := w.keys.Admin()
	return cloudtrail.New(cloudtrail.Options{
		HTTPClient: testkit.AWSClient(),
		Region:     "us-east-1", BaseEndpoint: aws.String(w.url), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(admin.AccessKeyID, admin.SecretAccessKey, ""),
	})
}

func TestLookupEventsWithTheSDK(t *testing.T) {
	client := history(t)
	var got []string
	pages := cloudtrail.NewLookupEventsPaginator(client, &cloudtrail.LookupEventsInput{
		MaxResults:       aws.Int32(2),
		LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: aws.String("alice")}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			got = append(got, *e.EventId)
			if e.EventTime.IsZero() || *e.ReadOnly != "true" || *e.Resources[0].ResourceType != "AWS::SSM::Parameter" || !strings.Contains(*e.CloudTrailEvent, `"eventVersion":"1.11"`) {
				t.Errorf("got %+v", e)
			}
		}
	}
	if want := "event-4 event-2 event-0"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err := client.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)})
	if _, ok := errors.AsType[*types.InvalidMaxResultsException](err); !ok {
		t.Errorf("51 results: got %v", err)
	}
	_, err = client.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{NextToken: aws.String("?")})
	if _, ok := errors.AsType[*types.InvalidNextTokenException](err); !ok {
		t.Errorf("a token of nobody's: got %v", err)
	}
}

// The AWS CLI names operations with a namespace.
func TestTargetsWithANamespace(t *testing.T) {
	client := history(t)
	out, err := client.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{}, cloudtrail.WithAPIOptions(
		smithyhttp.SetHeaderValue("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"),
	))
	if err != nil || len(out.Events) != 5 {
		t.Errorf("got %+v, %v", out, err)
	}
}
