package deploy_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/logs"
)

func TestPlanOfBucketsAndLogGroups(t *testing.T) {
	r := planned(t, loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023, logRetentionInDays: 14, tags: {team: shop}, logs: {httpApi: true}}
functions:
  f: {handler: f, events: [{httpApi: GET /}]}
  g: {handler: g, logRetentionInDays: 1}
resources:
  Resources:
    Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /shop, Tags: [{Key: kind, Value: own}]}}
    Plain: {Type: AWS::S3::Bucket, Properties: {BucketName: shop-plain}}
    Files:
      Type: AWS::S3::Bucket
      Properties:
        BucketName: shop-files
        CorsConfiguration: {CorsRules: [{AllowedMethods: [PUT], AllowedOrigins: ["*"]}]}
        NotificationConfiguration:
          LambdaConfigurations: [{Event: "s3:ObjectRemoved:*", Function: !GetAtt GLambdaFunction.Arn, Filter: {S3Key: {Rules: [{Name: suffix, Value: .jpg}]}}}]
    May:
      Type: AWS::S3::BucketPolicy
      Properties: {Bucket: !Ref Files, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: "*", Action: "s3:GetObject", Resource: !Sub "${Files.Arn}/*"}]}}
`))
	team := map[string]string{"team": "shop"}
	groups := []logs.Declared{
		{Name: "/aws/lambda/shop-dev-f", Retention: 14, Tags: team},
		{Name: "/aws/lambda/shop-dev-g", Retention: 1, Tags: team},
		{Name: "/aws/http-api/shop-dev", Retention: 14, Tags: team},
		{Name: "/shop", Tags: map[string]string{"team": "shop", "kind": "own"}},
	}
	if diff := cmp.Diff(groups, r.LogGroups); diff != "" {
		t.Errorf("log groups -want +got:\n%s", diff)
	}
	settings := []bucket.Settings{{
		Bucket: "shop-files", CORS: []bucket.CORSRule{{Methods: []string{"PUT"}, Origins: []string{"*"}}},
		Policy: `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop-files/*"}]}`,
	}}
	if diff := cmp.Diff(settings, r.BucketSettings); diff != "" {
		t.Errorf("settings of buckets -want +got:\n%s", diff)
	}
	notifications := []bucket.Notification{{Stack: "shop-dev", ID: "shop-files-0", Bucket: "shop-files", Event: "s3:ObjectRemoved:*", Suffix: ".jpg", Function: "shop-dev-g"}}
	if diff := cmp.Diff(notifications, r.Notifications); diff != "" {
		t.Errorf("notifications -want +got:\n%s", diff)
	}
}

func TestResourcesThatAreWrongAreToldWithTheirLine(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023, logRetentionInDays: 8}
functions:
  f:
    handler: f
    logRetentionInDays: 2
    events:
      - s3: {bucket: shop-files, event: "s3:ObjectPainted:*"}
resources:
  Resources:
    Log: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 4}}
    Files: {Type: AWS::S3::Bucket, Properties: {BucketName: shop-files}}
    May:
      Type: AWS::S3::BucketPolicy
      Properties:
        Bucket: !Ref Files
        PolicyDocument:
          Statement:
            - {Effect: Allow, Principal: "*", Action: x, Resource: y}
`)
	var got []string
	for _, p := range deploy.Check(svc) {
		p.Pos.File = filepath.Base(p.Pos.File)
		got = append(got, p.String())
	}
	const days = "[1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653]"
	want := []string{
		"serverless.yml:6: records are kept for one of " + days + " days, not for 2",
		"serverless.yml:2: records are kept for one of " + days + " days, not for 8",
		"serverless.yml:11: records are kept for one of " + days + " days, not for 4",
		`serverless.yml:19: the policy of bucket shop-files: Statement[0].Action: "x": an action is "*" or of the form service:Action`,
		`serverless.yml:8: "s3:ObjectPainted:*" is none of the events of buckets: ` + strings.Join(bucket.Events, ", "),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestALongerRetentionThanThereIsIsToldOf(t *testing.T) {
	svc := loaded(t, `service: shop
provider: {name: aws, runtime: provided.al2023}
functions:
  f: {handler: f, logRetentionInDays: 30}
  g: {handler: g, logRetentionInDays: 365}
`)
	before := len(svc.Warnings)
	if wrong := deploy.Check(svc); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	var got []string
	for _, w := range svc.Warnings[before:] {
		w.Pos.File = filepath.Base(w.Pos.File)
		got = append(got, w.String())
	}
	want := []string{"serverless.yml:5: records are kept for 30 days and within the room that logs have; not for 365"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
