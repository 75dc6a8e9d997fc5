package cloudformation

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/queue"
)

func TestPermissionsAreStatementsOfTheFunction(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"Topic": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Fn::GetAtt": ["F", "Arn"]}, "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com",
			"SourceArn": "arn:aws:sns:us-east-1:000000000000:t", "SourceAccount": "000000000000"}},
		"Account": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": 111122223333}},
		"URL": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Fn::Join": [":", [{"Fn::GetAtt": ["F", "Arn"]}, "live"]]}, "Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}},
		"ByURL": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "F"}, "Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": "true"}}
	}}`)
	own := arn.Function(arn.Region, "f")
	got := map[string][]statement{}
	for qualifier, text := range p.revision.Functions[0].Policies {
		var doc struct{ Statement []statement }
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		got[qualifier] = doc.Statement
	}
	want := map[string][]statement{
		"": {
			{Sid: p.made["Account"].Physical, Effect: "Allow", Principal: map[string]any{"AWS": "arn:aws:iam::111122223333:root"}, Action: "lambda:InvokeFunction", Resource: own},
			{
				Sid: p.made["Topic"].Physical, Effect: "Allow", Principal: map[string]any{"Service": "sns.amazonaws.com"}, Action: "lambda:InvokeFunction", Resource: own,
				Condition: map[string]map[string]string{"StringEquals": {"AWS:SourceAccount": "000000000000"}, "ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:000000000000:t"}},
			},
		},
		"live": {{
			Sid: p.made["URL"].Physical, Effect: "Allow", Principal: "*", Action: "lambda:InvokeFunctionUrl", Resource: own + ":live",
			Condition: map[string]map[string]string{"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := len(p.revision.Granted["f"]); got != 3 {
		t.Errorf("%d statements are noted as the stack's, want 3", got)
	}
}

func TestWhatBecomesOfEvents(t *testing.T) {
	p := planned(t, &ground{}, `{"Resources": {"F": `+fn("")+`,
		"C": {"Type": "AWS::Lambda::EventInvokeConfig", "Properties": {"FunctionName": {"Ref": "F"}, "Qualifier": "live", "MaximumEventAgeInSeconds": "3600", "MaximumRetryAttempts": 0,
			"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}, "OnFailure": {"Destination": "arn:aws:sns:us-east-1:000000000000:t"}}}},
		"M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"FunctionName": {"Fn::Join": [":", [{"Fn::GetAtt": ["F", "Arn"]}, "live"]]}, "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:q",
			"BatchSize": 5, "MaximumBatchingWindowInSeconds": 3, "Enabled": false, "FunctionResponseTypes": ["ReportBatchItemFailures"], "ScalingConfig": {"MaximumConcurrency": 2},
			"FilterCriteria": {"Filters": [{"Pattern": "{\"body\":{\"a\":[1]}}"}]}}}
	}}`)
	want := f(func(f *function.Function) {
		f.MaxEventAge, f.MaxRetries, f.OnSuccess, f.OnFailure = 3600, new(0), "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sns:us-east-1:000000000000:t"
	})
	if diff := cmp.Diff(want, p.revision.Functions[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	mapping := queue.Mapping{
		Stack: "shop-dev", ID: p.made["M"].Physical, Source: "arn:aws:sqs:us-east-1:000000000000:q", Function: "f:live", BatchSize: 5, Window: 3, Disabled: true,
		ReportFailures: true, MaxConcurrency: 2, Filters: []string{`{"body":{"a":[1]}}`},
	}
	if diff := cmp.Diff([]queue.Mapping{mapping}, p.revision.Mappings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFunctionURLs(t *testing.T) {
	const text = `{"Resources": {"F": %s, "U": {"Type": "AWS::Lambda::Url", "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["F", "Arn"]}, "Qualifier": "live", "AuthType": "AWS_IAM",
		"InvokeMode": "RESPONSE_STREAM", "Cors": {"AllowOrigins": ["https://a.example"], "AllowCredentials": true, "MaxAge": 60}}}}}`
	p := planned(t, &ground{}, fmt.Sprintf(text, fn("")))
	want := gateway.FunctionURL("shop-dev", "f", "live")
	want.Auth, want.Routes[0].Stream = gateway.AuthIAM, true
	want.CORS = &gateway.CORS{Origins: []string{"https://a.example"}, AllowCredentials: true, MaxAgeSeconds: 60}
	if diff := cmp.Diff([]gateway.API{want}, p.revision.APIs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got, want := p.made["U"].Attributes["FunctionUrl"], "https://"+gateway.URLHost(want.ID, arn.Region)+"/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
