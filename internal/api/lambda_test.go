package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/iam"
)

// program builds the program that tests of instances run, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "probe-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "bootstrap")
	cmd := exec.Command("go", "build", "-o", out, "../instance/testdata/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if told, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, told)
	}
	doc, err := os.ReadFile(out)
	return string(doc), err
})

const role = "arn:aws:iam::000000000000:role/r"

func TestAFunctionByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	bootstrap, err := program()
	if err != nil {
		t.Fatal(err)
	}
	first, _ := zipped(t, "bootstrap", bootstrap)
	made, err := c.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: aws.String("made"), Role: aws.String(role), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"),
		Code: &types.FunctionCode{ZipFile: first}, Environment: &types.Environment{Variables: map[string]string{"PASSWORD": "planted"}},
		MemorySize: aws.Int32(256), Timeout: aws.Int32(10), Publish: true, Tags: map[string]string{"team": "a"}, Description: aws.String("d"),
		DeadLetterConfig: &types.DeadLetterConfig{TargetArn: aws.String(arn.Topic(arn.Region, "dead"))},
		LoggingConfig:    &types.LoggingConfig{LogFormat: types.LogFormatJson, ApplicationLogLevel: types.ApplicationLogLevelWarn},
		EphemeralStorage: &types.EphemeralStorage{Size: aws.Int32(512)}, KMSKeyArn: aws.String("arn:aws:kms:us-east-1:000000000000:key/k"),
	})
	if err != nil || *made.Version != "1" || *made.FunctionArn != arn.Function(arn.Region, "made")+":1" || *made.Role != role || made.State != types.StateActive || made.CodeSize != int64(len(first)) {
		t.Fatalf("create: %+v, %v", made, err)
	}
	for _, e := range h.trail.take() {
		doc, err := json.Marshal(e)
		if err != nil || strings.Contains(string(doc), "planted") || e.EventName != "CreateFunction" || e.RequestParameters["functionName"] != "made" {
			t.Errorf("recorded %s, %v", doc, err)
		}
	}
	f := aws.String("made")
	got, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: f})
	if err != nil || got.Configuration.Environment.Variables["PASSWORD"] != "planted" || got.Tags["team"] != "a" || !strings.HasPrefix(*got.Code.Location, "https://s3/dropstack-artifacts/") ||
		*got.Configuration.Version != "$LATEST" || *got.Configuration.LastModified == "" || *got.Configuration.RevisionId == "" || *got.Configuration.MemorySize != 256 ||
		got.Configuration.LoggingConfig.ApplicationLogLevel != types.ApplicationLogLevelWarn || *got.Configuration.DeadLetterConfig.TargetArn == "" {
		t.Fatalf("get: %+v, %v", got, err)
	}
	for _, qualifier := range []string{"", "1", "$LATEST"} {
		in := &lambda.InvokeInput{FunctionName: f, Payload: []byte(`{"mode":"env"}`)}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		out, err := c.Invoke(ctx, in)
		if err != nil || out.FunctionError != nil || !strings.Contains(string(out.Payload), "PASSWORD=planted") {
			t.Errorf("invoke %q: %s, %v", qualifier, out.Payload, err)
		}
	}
	if out, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: f, InvocationType: types.InvocationTypeDryRun}); err != nil || out.StatusCode != 204 {
		t.Errorf("dry run: %v", err)
	}
	old := *got.Configuration.RevisionId
	changed, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: f, Timeout: aws.Int32(20), RevisionId: &old, Environment: &types.Environment{Variables: map[string]string{"OTHER": "x"}},
	})
	if err != nil || *changed.Timeout != 20 || *changed.MemorySize != 256 || *changed.RevisionId == old || changed.Environment.Variables["PASSWORD"] != "" {
		t.Errorf("update configuration: %+v, %v", changed, err)
	}
	if _, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: f, Timeout: aws.Int32(30), RevisionId: &old}); code(err) != "PreconditionFailedException" {
		t.Errorf("update of an old revision: %v", err)
	}
	out, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: f, Payload: []byte(`{"mode":"env"}`)})
	if err != nil || strings.Contains(string(out.Payload), "planted") || !strings.Contains(string(out.Payload), "OTHER=x") {
		t.Errorf("invoke after the change: %s, %v", out.Payload, err)
	}
	other, sha := zipped(t, "bootstrap", bootstrap, "more", "m")
	if dry, err := c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: f, ZipFile: other, DryRun: true}); err != nil || dry.CodeSize != int64(len(other)) {
		t.Errorf("dry run of other code: %+v, %v", dry, err)
	}
	if now, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: f}); err != nil || now.CodeSize != int64(len(first)) {
		t.Errorf("a dry run has changed %+v, %v", now, err)
	}
	if _, err := h.objects.Put(ctx, "mine", "code.zip", bytes.NewReader(other), -1, engine.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	second, err := c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: f, S3Bucket: aws.String("mine"), S3Key: aws.String("code.zip"), Publish: true})
	if err != nil || *second.Version != "2" || second.CodeSize != int64(len(other)) {
		t.Errorf("other code: %+v, %v", second, err)
	}
	if _, err := h.objects.get("dropstack-artifacts", sha+".zip"); err != nil {
		t.Errorf("the code is no artifact: %v", err)
	}
	if settings, err := c.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{}); err != nil || settings.AccountUsage.FunctionCount != 1 || settings.AccountUsage.TotalCodeSize != int64(len(other)) {
		t.Errorf("settings: %+v, %v", settings, err)
	}
	if _, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: f}); code(err) != "ResourceNotFoundException" {
		t.Errorf("after the deletion: %v", err)
	}
}

// small makes a function that is never invoked.
func (h *house) small(t *testing.T, c *lambda.Client, name string) *string {
	t.Helper()
	code, _ := zipped(t, "bootstrap", "#!/bin/sh\n")
	_, err := c.CreateFunction(t.Context(), &lambda.CreateFunctionInput{
		FunctionName: &name, Role: aws.String(role), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Code: &types.FunctionCode{ZipFile: code},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &name
}

func TestWhatLambdaRefuses(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	f := h.small(t, c, "f")
	zip, _ := zipped(t, "bootstrap", "#!/bin/sh\n")
	create := func(change func(*lambda.CreateFunctionInput)) error {
		in := &lambda.CreateFunctionInput{
			FunctionName: aws.String("g"), Role: aws.String(role), Runtime: types.RuntimeProvidedal2023, Handler: aws.String("h"), Code: &types.FunctionCode{ZipFile: zip},
		}
		change(in)
		_, err := c.CreateFunction(ctx, in)
		return err
	}
	update := func(in lambda.UpdateFunctionConfigurationInput) error {
		in.FunctionName = f
		_, err := c.UpdateFunctionConfiguration(ctx, &in)
		return err
	}
	long := map[string]string{"LONG": strings.Repeat("x", 4096)}
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"the same name":   {create(func(in *lambda.CreateFunctionInput) { in.FunctionName = f }), "ResourceConflictException"},
		"a strange name":  {create(func(in *lambda.CreateFunctionInput) { in.FunctionName = aws.String("a.b") }), "InvalidParameterValueException"},
		"no zip":          {create(func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = []byte("no zip") }), "InvalidParameterValueException"},
		"no code":         {create(func(in *lambda.CreateFunctionInput) { in.Code.ZipFile = nil }), "InvalidParameterValueException"},
		"no such object":  {create(func(in *lambda.CreateFunctionInput) { in.Code = &types.FunctionCode{S3Bucket: f, S3Key: f} }), "InvalidParameterValueException"},
		"an image":        {create(func(in *lambda.CreateFunctionInput) { in.PackageType = types.PackageTypeImage }), "InvalidParameterValueException"},
		"another runtime": {create(func(in *lambda.CreateFunctionInput) { in.Runtime = types.RuntimePython312 }), "ValidationException"},
		"no role":         {create(func(in *lambda.CreateFunctionInput) { in.Role = aws.String("me") }), "InvalidParameterValueException"},
		"a layer that is not": {create(func(in *lambda.CreateFunctionInput) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:000000000000:layer:l:1"}
		}), "InvalidParameterValueException"},
		"a reserved variable": {create(func(in *lambda.CreateFunctionInput) {
			in.Environment = &types.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}), "ValidationException"},
		"half a network":       {create(func(in *lambda.CreateFunctionInput) { in.VpcConfig = &types.VpcConfig{SubnetIds: []string{"s"}} }), "InvalidParameterValueException"},
		"another architecture": {create(func(in *lambda.CreateFunctionInput) { in.Architectures = []types.Architecture{"other"} }), "InvalidParameterValueException"},
		"traces": {create(func(in *lambda.CreateFunctionInput) {
			in.TracingConfig = &types.TracingConfig{Mode: types.TracingModeActive}
		}), "InvalidParameterValueException"},
		"much memory":           {update(lambda.UpdateFunctionConfigurationInput{MemorySize: aws.Int32(20000)}), "ValidationException"},
		"a long environment":    {update(lambda.UpdateFunctionConfigurationInput{Environment: &types.Environment{Variables: long}}), "InvalidParameterValueException"},
		"a level without JSON":  {update(lambda.UpdateFunctionConfigurationInput{LoggingConfig: &types.LoggingConfig{ApplicationLogLevel: types.ApplicationLogLevelInfo}}), "InvalidParameterValueException"},
		"snapshots":             {update(lambda.UpdateFunctionConfigurationInput{SnapStart: &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}}), "InvalidParameterValueException"},
		"a network that is not": {update(lambda.UpdateFunctionConfigurationInput{VpcConfig: &types.VpcConfig{SubnetIds: []string{"s"}, SecurityGroupIds: []string{"g"}}}), "InvalidSubnetIDException"},
	} {
		if got := code(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %s", what, tt.err, tt.want)
		}
	}
	if list := h.invoker.List(); len(list) != 1 || list[0].MemoryMB != 128 || list[0].Timeout != 3 {
		t.Errorf("something changed: %+v", list)
	}
}

func TestConcurrencyAndEventsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	f := h.small(t, c, "f")
	if out, err := c.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(5)}); err != nil || *out.ReservedConcurrentExecutions != 5 {
		t.Errorf("put concurrency: %v", err)
	}
	if _, err := c.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(950)}); code(err) != "InvalidParameterValueException" {
		t.Errorf("too much concurrency: %v", err)
	}
	if out, err := c.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: f}); err != nil || *out.ReservedConcurrentExecutions != 5 {
		t.Errorf("concurrency: %+v, %v", out, err)
	}
	if _, err := c.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: f}); err != nil {
		t.Errorf("delete concurrency: %v", err)
	}
	if out, err := c.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: f}); err != nil || out.ReservedConcurrentExecutions != nil {
		t.Errorf("concurrency: %+v, %v", out, err)
	}
	dead := arn.Topic(arn.Region, "dead")
	put, err := c.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{
		FunctionName: f, MaximumRetryAttempts: aws.Int32(1), MaximumEventAgeInSeconds: aws.Int32(60),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &dead}},
	})
	if err != nil || *put.MaximumRetryAttempts != 1 || *put.DestinationConfig.OnFailure.Destination != dead || put.LastModified == nil {
		t.Errorf("put event config: %+v, %v", put, err)
	}
	up, err := c.UpdateFunctionEventInvokeConfig(ctx, &lambda.UpdateFunctionEventInvokeConfigInput{FunctionName: f, MaximumRetryAttempts: aws.Int32(0)})
	if err != nil || *up.MaximumRetryAttempts != 0 || *up.MaximumEventAgeInSeconds != 60 {
		t.Errorf("update event config: %+v, %v", up, err)
	}
	if _, err := c.PutFunctionEventInvokeConfig(ctx, &lambda.PutFunctionEventInvokeConfigInput{FunctionName: f, MaximumRetryAttempts: aws.Int32(3)}); code(err) != "ValidationException" {
		t.Errorf("three retries: %v", err)
	}
	if _, err := c.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: f}); err != nil {
		t.Errorf("delete event config: %v", err)
	}
	if _, err := c.DeleteFunctionEventInvokeConfig(ctx, &lambda.DeleteFunctionEventInvokeConfigInput{FunctionName: f}); code(err) != "ResourceNotFoundException" {
		t.Errorf("delete event config again: %v", err)
	}
	if _, err := c.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("live"), ProvisionedConcurrentExecutions: aws.Int32(1)}); code(err) != "InvalidParameterValueException" {
		t.Errorf("provisioned concurrency of another alias: %v", err)
	}
}

func TestPermissionsAndTagsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	f := h.small(t, c, "f")
	if _, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: f}); code(err) != "ResourceNotFoundException" {
		t.Errorf("no policy yet: %v", err)
	}
	add := func(id, principal string) (*lambda.AddPermissionOutput, error) {
		return c.AddPermission(ctx, &lambda.AddPermissionInput{
			FunctionName: f, StatementId: &id, Action: aws.String("lambda:InvokeFunction"), Principal: &principal, SourceArn: aws.String("arn:aws:s3:::b"), SourceAccount: aws.String(arn.Account),
		})
	}
	out, err := add("s3", "s3.amazonaws.com")
	if err != nil || !strings.Contains(*out.Statement, `"Principal":{"Service":"s3.amazonaws.com"}`) || !strings.Contains(*out.Statement, `"AWS:SourceArn":"arn:aws:s3:::b"`) {
		t.Errorf("add: %+v, %v", out, err)
	}
	if _, err := add("s3", "s3.amazonaws.com"); code(err) != "ResourceConflictException" {
		t.Errorf("add twice: %v", err)
	}
	if _, err := add("all", "nobody"); code(err) != "InvalidParameterValueException" {
		t.Errorf("a principal that is none: %v", err)
	}
	if _, err := add("account", arn.Account); err != nil {
		t.Errorf("an account: %v", err)
	}
	p, err := c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: f})
	if err != nil || strings.Count(*p.Policy, `"Sid"`) != 2 || *p.RevisionId == "" {
		t.Errorf("policy: %+v, %v", p, err)
	}
	if _, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("s3")}); err != nil {
		t.Errorf("remove: %v", err)
	}
	if _, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("s3")}); code(err) != "ResourceNotFoundException" {
		t.Errorf("remove again: %v", err)
	}
	name := aws.String(arn.Function(arn.Region, "f"))
	if _, err := c.TagResource(ctx, &lambda.TagResourceInput{Resource: name, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Errorf("tag: %v", err)
	}
	if _, err := c.UntagResource(ctx, &lambda.UntagResourceInput{Resource: name, TagKeys: []string{"a", "c"}}); err != nil {
		t.Errorf("untag: %v", err)
	}
	if tags, err := c.ListTags(ctx, &lambda.ListTagsInput{Resource: name}); err != nil || len(tags.Tags) != 1 || tags.Tags["b"] != "2" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
}

func TestALongPolicyIsRefused(t *testing.T) {
	h := newHouse(t)
	c := h.lambda(h.keys.Admin())
	f := h.small(t, c, "f")
	var last error
	for i := 0; i < 200 && last == nil; i++ {
		_, last = c.AddPermission(t.Context(), &lambda.AddPermissionInput{
			FunctionName: f, StatementId: aws.String(fmt.Sprint("s", i)), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("s3.amazonaws.com"),
		})
	}
	if code(last) != "PolicyLengthExceededException" {
		t.Errorf("got %v", last)
	}
}

func TestURLsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	f := h.small(t, c, "f")
	made, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{AllowOrigins: []string{"https://a.example"}}})
	if err != nil || !strings.HasSuffix(*made.FunctionUrl, ".lambda-url.us-east-1.on.localhost/") || made.Cors.AllowOrigins[0] != "https://a.example" || *made.CreationTime == "" {
		t.Fatalf("create: %+v, %v", made, err)
	}
	if _, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeNone}); code(err) != "ResourceConflictException" {
		t.Errorf("create again: %v", err)
	}
	up, err := c.UpdateFunctionUrlConfig(ctx, &lambda.UpdateFunctionUrlConfigInput{FunctionName: f, AuthType: types.FunctionUrlAuthTypeAwsIam, InvokeMode: types.InvokeModeResponseStream})
	if err != nil || up.AuthType != types.FunctionUrlAuthTypeAwsIam || up.InvokeMode != types.InvokeModeResponseStream || *up.FunctionUrl != *made.FunctionUrl || *up.CreationTime != *made.CreationTime {
		t.Errorf("update: %+v, %v", up, err)
	}
	if got, err := c.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: f}); err != nil || got.Cors.AllowOrigins[0] != "https://a.example" {
		t.Errorf("get: %+v, %v", got, err)
	}
	if list, err := c.ListFunctionUrlConfigs(ctx, &lambda.ListFunctionUrlConfigsInput{FunctionName: f}); err != nil || len(list.FunctionUrlConfigs) != 1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if _, err := c.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: f}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, err := c.GetFunctionUrlConfig(ctx, &lambda.GetFunctionUrlConfigInput{FunctionName: f}); code(err) != "ResourceNotFoundException" {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestLayersByAWSsClient(t *testing.T) {
	h := newHouse(t)
	c, ctx := h.lambda(h.keys.Admin()), t.Context()
	content, _ := zipped(t, "lib/x", "x")
	var versions []string
	for range 3 {
		v, err := c.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
			LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: content}, CompatibleRuntimes: []types.Runtime{types.RuntimeProvidedal2023}, LicenseInfo: aws.String("MIT"),
		})
		if err != nil || v.Content.CodeSize != int64(len(content)) || *v.CreatedDate == "" {
			t.Fatalf("publish: %+v, %v", v, err)
		}
		versions = append(versions, *v.LayerVersionArn)
	}
	if _, err := c.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(3)}); err != nil {
		t.Errorf("delete: %v", err)
	}
	next, err := c.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{LayerName: aws.String("l"), Content: &types.LayerVersionContentInput{ZipFile: content}})
	if err != nil || next.Version != 4 {
		t.Errorf("a number was given again: %+v, %v", next, err)
	}
	var numbers []int64
	pages := lambda.NewListLayerVersionsPaginator(c, &lambda.ListLayerVersionsInput{LayerName: aws.String("l"), MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.LayerVersions {
			numbers = append(numbers, v.Version)
		}
	}
	if !slices.Equal(numbers, []int64{4, 2, 1}) {
		t.Errorf("versions %v", numbers)
	}
	if list, err := c.ListLayers(ctx, &lambda.ListLayersInput{CompatibleRuntime: types.RuntimeProvidedal2023}); err != nil || len(list.Layers) != 1 || list.Layers[0].LatestMatchingVersion.Version != 2 {
		t.Errorf("layers: %+v, %v", list, err)
	}
	for what, get := range map[string]func() (string, error){
		"by number": func() (string, error) {
			v, err := c.GetLayerVersion(ctx, &lambda.GetLayerVersionInput{LayerName: aws.String("l"), VersionNumber: aws.Int64(1)})
			return aws.ToString(v.LicenseInfo), err
		},
		"by ARN": func() (string, error) {
			v, err := c.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: &versions[0]})
			return aws.ToString(v.LicenseInfo), err
		},
	} {
		if license, err := get(); err != nil || license != "MIT" {
			t.Errorf("%s: %s, %v", what, license, err)
		}
	}
	if _, err := c.GetLayerVersionByArn(ctx, &lambda.GetLayerVersionByArnInput{Arn: &versions[2]}); code(err) != "ResourceNotFoundException" {
		t.Errorf("a deleted version: %v", err)
	}
	f := h.small(t, c, "f")
	out, err := c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: f, Layers: versions[:1]})
	if err != nil || len(out.Layers) != 1 || *out.Layers[0].Arn != versions[0] {
		t.Errorf("use: %+v, %v", out, err)
	}
}

// A function whose role allows nothing may call what a resource policy lets it.
func TestAResourcePolicyLetsOthersInvoke(t *testing.T) {
	h := newHouse(t)
	admin, ctx := h.lambda(h.keys.Admin()), t.Context()
	f, other := h.small(t, admin, "f"), h.small(t, admin, "other")
	guest := arn.Function(arn.Region, "guest")
	mute := iam.DeclaredRole{Name: "mute"}
	if err := h.keys.Replace("guest-dev", iam.Declaration{Roles: []iam.DeclaredRole{mute}, Functions: map[string]string{guest: arn.Role("/", "mute")}}); err != nil {
		t.Fatal(err)
	}
	keys, err := h.keys.Instance(guest, arn.Role("/", "mute"), "i")
	if err != nil {
		t.Fatal(err)
	}
	c := h.lambda(keys)
	invoke := func(name *string, qualifier string) error {
		in := &lambda.InvokeInput{FunctionName: name, InvocationType: types.InvocationTypeDryRun}
		if qualifier != "" {
			in.Qualifier = &qualifier
		}
		_, err := c.Invoke(ctx, in)
		return err
	}
	if err := invoke(f, ""); code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "lambda:InvokeFunction on resource: "+arn.Function(arn.Region, "f")) {
		t.Errorf("before: %v", err)
	}
	add := func(qualifier *string) {
		t.Helper()
		_, err := admin.AddPermission(ctx, &lambda.AddPermissionInput{
			FunctionName: f, StatementId: aws.String("guest"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String(arn.Role("/", "mute")), Qualifier: qualifier,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := admin.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f}); err != nil {
		t.Fatal(err)
	}
	add(aws.String("1"))
	if err := invoke(f, ""); code(err) != "AccessDeniedException" {
		t.Errorf("the policy of a version speaks for the function: %v", err)
	}
	if err := invoke(f, "1"); err != nil {
		t.Errorf("the version: %v", err)
	}
	add(nil)
	for what, name := range map[string]*string{"by name": f, "by ARN": aws.String(arn.Function(arn.Region, "f"))} {
		if err := invoke(name, ""); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := invoke(other, ""); code(err) != "AccessDeniedException" {
		t.Errorf("another function: %v", err)
	}
	if _, err := admin.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: f, StatementId: aws.String("guest")}); err != nil {
		t.Fatal(err)
	}
	if err := invoke(f, ""); code(err) != "AccessDeniedException" {
		t.Errorf("afterwards: %v", err)
	}
}
