package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

func (h *house) apis(c iam.Credentials) *apigateway.Client {
	return apigateway.New(apigateway.Options{Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(c)})
}

// notes is a stack that a template deployed.
func notes(description string) *deploy.Revision {
	return &deploy.Revision{
		Stack: "notes-dev", Service: "notes", Stage: "dev", Region: arn.Region, Owner: deploy.OwnerCloudFormation,
		APIs: []gateway.API{{
			Stack: "notes-dev", ID: "abcdefghij", Kind: gateway.REST, Name: "dev-notes", Stage: "dev", Description: description,
			Authorizers: []gateway.Authorizer{{Name: "door", Kind: gateway.AuthorizerToken, Function: "door", Identity: []string{"method.request.header.Authorization"}, TTL: 60}},
			Routes: []gateway.Route{
				{Method: "GET", Path: "/notes/{id}", Function: "notes"},
				{Method: "POST", Path: "/notes", Function: "notes:live", Authorizer: "door", KeyRequired: true},
			},
		}},
		APIKeys: []gateway.APIKey{{Stack: "notes-dev", ID: "key0000001", Name: "reader", Value: "planted-0123456789abcdef"}},
	}
}

func replaces(path, value string) types.PatchOperation {
	return types.PatchOperation{Op: types.OpReplace, Path: &path, Value: &value}
}

// What the framework's command sets of a stage is there after the stack has been
// deployed again, until it is set otherwise.
func TestStageSettingsOutliveATemplate(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.apis(h.keys.Admin()), t.Context()
	if _, err := h.deployer.Deploy(ctx, notes("first")); err != nil {
		t.Fatal(err)
	}
	stage := &apigateway.UpdateStageInput{RestApiId: aws.String("abcdefghij"), StageName: aws.String("dev"), PatchOperations: []types.PatchOperation{
		replaces("/accessLogSettings/destinationArn", "arn:aws:logs:us-east-1:000000000000:log-group:/aws/api-gateway/notes-dev"),
		replaces("/accessLogSettings/format", "$context.requestId"),
		replaces("/*/*/logging/dataTrace", "true"), replaces("/*/*/logging/loglevel", "INFO"), replaces("/*/*/metrics/enabled", "true"),
		replaces("/*/*/throttling/rateLimit", "7.5"), replaces("/tracingEnabled", "true"), replaces("/variables/colour", "green"),
	}}
	set, err := c.UpdateStage(ctx, stage)
	if err != nil {
		t.Fatal(err)
	}
	tagged := arn.ARN{Partition: "aws", Service: "apigateway", Region: arn.Region, Resource: "/restapis/abcdefghij/stages/dev"}.String()
	if _, err := c.TagResource(ctx, &apigateway.TagResourceInput{ResourceArn: &tagged, Tags: map[string]string{"team": "paper"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.deployer.Deploy(ctx, notes("second")); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetStage(ctx, &apigateway.GetStageInput{RestApiId: stage.RestApiId, StageName: stage.StageName})
	if err != nil {
		t.Fatal(err)
	}
	want := types.MethodSetting{LoggingLevel: aws.String("INFO"), DataTraceEnabled: true, MetricsEnabled: true, ThrottlingRateLimit: 7.5, ThrottlingBurstLimit: 5000}
	if diff := cmp.Diff(want, got.MethodSettings["*/*"], cmpopts.IgnoreUnexported(types.MethodSetting{})); diff != "" {
		t.Error(diff)
	}
	if log := got.AccessLogSettings; log == nil || *log.Format != "$context.requestId" || !strings.HasSuffix(*log.DestinationArn, "/notes-dev") {
		t.Errorf("access logs after another deployment: %+v", log)
	}
	if !got.TracingEnabled || got.Variables["colour"] != "green" || got.Tags["team"] != "paper" || *got.DeploymentId == *set.DeploymentId {
		t.Errorf("after another deployment: %+v", got)
	}
	active, _ := h.deployer.Active("notes-dev")
	if api := active.APIs[0]; api.Description != "second" || api.AccessLog == nil || api.AccessLog.Group != "/aws/api-gateway/notes-dev" || api.Throttle.Rate != 7.5 || api.Variables["colour"] != "green" {
		t.Errorf("what the gateway is told: %+v", api)
	}
	if _, err := c.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: stage.RestApiId, StageName: stage.StageName, PatchOperations: []types.PatchOperation{
		{Op: types.OpRemove, Path: aws.String("/accessLogSettings")},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.deployer.Deploy(ctx, notes("third")); err != nil {
		t.Fatal(err)
	}
	if active, _ = h.deployer.Active("notes-dev"); active.APIs[0].AccessLog != nil {
		t.Errorf("access logs that were removed: %+v", active.APIs[0].AccessLog)
	}
}

func TestPatchesThatAreRefused(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.apis(h.keys.Admin()), t.Context()
	if _, err := h.deployer.Deploy(ctx, notes("d")); err != nil {
		t.Fatal(err)
	}
	before, _ := h.deployer.Active("notes-dev")
	for name, c2 := range map[string]struct {
		path, value, says string
	}{
		"a path that is not known":         {"/colour", "x", "/colour"},
		"a format without a destination":   {"/accessLogSettings/format", "x", "destinationArn"},
		"a stream in place of a log group": {"/accessLogSettings/destinationArn", "arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-x", "format"},
		"a level that is none":             {"/*/*/logging/loglevel", "DEBUG", "OFF, ERROR or INFO"},
		"a switch that is none":            {"/tracingEnabled", "perhaps", "true or false"},
		"a rate that is none":              {"/*/*/throttling/rateLimit", "-1", "negative"},
		"a rate of one method":             {"/~1notes/GET/throttling/rateLimit", "1", "/*/*/throttling/rateLimit"},
		"a cache":                          {"/cacheClusterEnabled", "true", "cacheClusterEnabled"},
		"a variable's name":                {"/variables/a-b", "x", "a-b"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: aws.String("abcdefghij"), StageName: aws.String("dev"), PatchOperations: []types.PatchOperation{
				replaces("/description", "never"), replaces(c2.path, c2.value),
			}})
			if code(err) != "BadRequestException" || !strings.Contains(err.Error(), c2.says) {
				t.Errorf("got %v, want BadRequestException that says %q", err, c2.says)
			}
		})
	}
	if after, _ := h.deployer.Active("notes-dev"); after.ID != before.ID {
		t.Error("a patch that was refused made a revision")
	}
}

func TestResourcesAreATree(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.apis(h.keys.Admin()), t.Context()
	if _, err := h.deployer.Deploy(ctx, notes("d")); err != nil {
		t.Fatal(err)
	}
	api, err := c.GetRestApi(ctx, &apigateway.GetRestApiInput{RestApiId: aws.String("abcdefghij")})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.GetResources(ctx, &apigateway.GetResourcesInput{RestApiId: api.Id, Embed: []string{"methods"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	byID := map[string]string{}
	for _, r := range out.Items {
		byID[*r.Id] = *r.Path
		line := *r.Path + " below " + byID[aws.ToString(r.ParentId)]
		for name, m := range r.ResourceMethods {
			line += fmt.Sprintf(" %s %s %v %s", name, aws.ToString(m.AuthorizationType), aws.ToBool(m.ApiKeyRequired), aws.ToString(m.MethodIntegration.Uri))
		}
		got = append(got, line)
	}
	const call = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:notes"
	want := []string{"/ below ", "/notes below / POST CUSTOM true " + call + ":live/invocations", "/notes/{id} below /notes GET NONE false " + call + "/invocations"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if byID[*api.RootResourceId] != "/" {
		t.Errorf("root resource %s is none of %v", *api.RootResourceId, byID)
	}
	authorizers, err := c.GetAuthorizers(ctx, &apigateway.GetAuthorizersInput{RestApiId: api.Id})
	if err != nil || len(authorizers.Items) != 1 || *authorizers.Items[0].Name != "door" || *authorizers.Items[0].Id == "" {
		t.Errorf("authorizers: %+v, %v", authorizers, err)
	}
}

// A policy names paths; what a key opens is neither recorded nor shown unasked.
func TestTheControlOfAPIsIsAuthorisedAndRecorded(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	if _, err := h.deployer.Deploy(ctx, notes("d")); err != nil {
		t.Fatal(err)
	}
	reads := iam.DeclaredRole{Name: "reads", Inline: map[string]string{
		"read": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"apigateway:GET","Resource":"arn:aws:apigateway:us-east-1::/restapis/*"}]}`,
	}}
	function := arn.Function(arn.Region, "reader")
	if err := h.keys.Replace("r-dev", iam.Declaration{Roles: []iam.DeclaredRole{reads}, Functions: map[string]string{function: arn.Role("/", reads.Name)}}); err != nil {
		t.Fatal(err)
	}
	keys, err := h.keys.Instance(function, "", "i-2")
	if err != nil {
		t.Fatal(err)
	}
	reader, id := h.apis(keys), aws.String("abcdefghij")
	if _, err := reader.GetStages(ctx, &apigateway.GetStagesInput{RestApiId: id}); err != nil {
		t.Errorf("what the policy allows: %v", err)
	}
	h.trail.take()
	for name, err := range map[string]error{
		"all APIs":    second(reader.GetRestApis(ctx, nil)),
		"a change":    second(reader.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: id, StageName: aws.String("dev")})),
		"another key": second(reader.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: aws.String("key0000001"), IncludeValue: aws.Bool(true)})),
	} {
		if code(err) != "AccessDeniedException" {
			t.Errorf("%s: %v, want AccessDeniedException", name, err)
		}
	}
	if records := h.trail.take(); len(records) != 3 || records[0].EventSource != "apigateway.amazonaws.com" || records[0].ErrorCode != "AccessDeniedException" {
		t.Errorf("recorded: %+v", records)
	}

	admin := h.apis(h.keys.Admin())
	got, err := admin.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: aws.String("key0000001")})
	if err != nil || got.Value != nil {
		t.Errorf("a key, without asking for its value: %+v, %v", got, err)
	}
	got, err = admin.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: aws.String("key0000001"), IncludeValue: aws.Bool(true)})
	if err != nil || *got.Value != "planted-0123456789abcdef" {
		t.Errorf("a key: %+v, %v", got, err)
	}
	made, err := admin.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("made"), Value: aws.String("planted-fedcba9876543210"), Enabled: true})
	if err != nil || *made.Value != "planted-fedcba9876543210" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if _, err := admin.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("twice"), Value: made.Value}); code(err) != "ConflictException" {
		t.Errorf("the same value again: %v, want ConflictException", err)
	}
	records := h.trail.take()
	if text := fmt.Sprintf("%+v", records); strings.Contains(text, "planted") || !strings.Contains(text, "CreateApiKey") {
		t.Errorf("recorded: %s", text)
	}
}

func second[T any](_ T, err error) error { return err }
