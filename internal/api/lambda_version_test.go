package api_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/testkit"
)

// deployed is a real function room with one function, and AWS's client of it.
func deployed(t *testing.T) (*lambda.Client, func(description string)) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "abcd"), 0o755); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	i := &function.Invoker{
		Pool: &instance.Pool{Log: log}, Streams: enginetest.Streams(t), Log: log, ArtifactRoot: root,
		MountRoot: filepath.Join(root, "mounts"), Region: arn.Region,
	}
	t.Cleanup(func() { i.Pool.Close() })
	if err := i.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	deploy := func(value string) {
		retries, reserved := 1, 7
		err := i.Replace("s-dev", []function.Function{{
			Name: "f", ARN: arn.Function(arn.Region, "f"), Version: "$LATEST", Runtime: "provided.al2023", Handler: "h", Artifact: "abcd",
			MemoryMB: 128, Timeout: 3, Environment: map[string]string{"V": value}, Concurrency: &reserved,
			MaxRetries: &retries, MaxEventAge: 120, OnFailure: arn.Topic(arn.Region, "failed"),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	deploy("1")
	w := serve(t, &api.Server{Lambda: &api.Lambda{Invoker: i, Region: arn.Region}})
	admin := w.keys.Admin()
	return lambda.New(lambda.Options{
		Region: arn.Region, BaseEndpoint: &w.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(admin.AccessKeyID, admin.SecretAccessKey, ""),
	}), deploy
}

// code is the error code that AWS's client saw.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func TestVersionsAndAliasesByAWSsClient(t *testing.T) {
	c, deploy := deployed(t)
	ctx, f := t.Context(), aws.String("f")
	first, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f, Description: aws.String("the first")})
	if err != nil || *first.Version != "1" || *first.FunctionArn != arn.Function(arn.Region, "f")+":1" || *first.Description != "the first" || *first.CodeSha256 != "q80=" {
		t.Fatalf("publish: %+v, %v", first, err)
	}
	deploy("2")
	if second, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f}); err != nil || *second.Version != "2" {
		t.Fatalf("publish again: %+v, %v", second, err)
	}
	var seen []string
	pages := lambda.NewListVersionsByFunctionPaginator(c, &lambda.ListVersionsByFunctionInput{FunctionName: f, MaxItems: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Versions {
			seen = append(seen, *v.Version)
		}
	}
	if fmt.Sprint(seen) != "[$LATEST 1 2]" {
		t.Errorf("versions %v", seen)
	}
	weights := &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"2": 0.25}}
	a, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1"), RoutingConfig: weights})
	if err != nil || *a.AliasArn != arn.Function(arn.Region, "f")+":live" || a.RoutingConfig.AdditionalVersionWeights["2"] != 0.25 {
		t.Fatalf("create alias: %+v, %v", a, err)
	}
	u, err := c.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("2"), RoutingConfig: &types.AliasRoutingConfiguration{}})
	if err != nil || *u.FunctionVersion != "2" || u.RoutingConfig != nil {
		t.Errorf("update alias: %+v, %v", u, err)
	}
	if g, err := c.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: f, Name: aws.String("live")}); err != nil || *g.FunctionVersion != "2" {
		t.Errorf("get alias: %+v, %v", g, err)
	}
	if l, err := c.ListAliases(ctx, &lambda.ListAliasesInput{FunctionName: f}); err != nil || len(l.Aliases) != 1 {
		t.Errorf("list aliases: %+v, %v", l, err)
	}
	if g, err := c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: f, Qualifier: aws.String("live")}); err != nil || *g.Configuration.Version != "2" {
		t.Errorf("get function by alias: %+v, %v", g, err)
	}
	for what, call := range map[string]struct {
		do   func() error
		want string
	}{
		"delete a version in use": {func() error {
			_, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f, Qualifier: aws.String("2")})
			return err
		}, "ResourceConflictException"},
		"delete what is deployed": {func() error {
			_, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f})
			return err
		}, "InvalidParameterValueException"},
		"an alias twice": {func() error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("live"), FunctionVersion: aws.String("1")})
			return err
		}, "ResourceConflictException"},
		"an alias of nothing": {func() error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: f, Name: aws.String("new"), FunctionVersion: aws.String("9")})
			return err
		}, "ResourceNotFoundException"},
		"no such alias": {func() error {
			_, err := c.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: f, Name: aws.String("nobody")})
			return err
		}, "ResourceNotFoundException"},
		"no such function": {func() error {
			_, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: aws.String("nobody")})
			return err
		}, "ResourceNotFoundException"},
		"other code": {func() error {
			_, err := c.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: f, CodeSha256: aws.String("AAAA")})
			return err
		}, "InvalidParameterValueException"},
		"what a deployment decides": {func() error {
			_, err := c.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{FunctionName: f, ReservedConcurrentExecutions: aws.Int32(1)})
			return err
		}, "InvalidParameterValueException"},
		"no provisioned concurrency": {func() error {
			_, err := c.GetProvisionedConcurrencyConfig(ctx, &lambda.GetProvisionedConcurrencyConfigInput{FunctionName: f, Qualifier: aws.String("live")})
			return err
		}, "ProvisionedConcurrencyConfigNotFoundException"},
	} {
		if got := code(call.do()); got != call.want {
			t.Errorf("%s: got %s, want %s", what, got, call.want)
		}
	}
	if _, err := c.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: f, Name: aws.String("live")}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: f, Qualifier: aws.String("2")}); err != nil {
		t.Error(err)
	}
}

func TestConfigurationByAWSsClient(t *testing.T) {
	c, _ := deployed(t)
	ctx, f := t.Context(), aws.String("f")
	if out, err := c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: f}); err != nil || *out.Handler != "h" || out.State != types.StateActive {
		t.Errorf("configuration: %+v, %v", out, err)
	}
	if out, err := c.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: f}); err != nil || *out.ReservedConcurrentExecutions != 7 {
		t.Errorf("concurrency: %+v, %v", out, err)
	}
	out, err := c.GetFunctionEventInvokeConfig(ctx, &lambda.GetFunctionEventInvokeConfigInput{FunctionName: f})
	if err != nil || *out.MaximumRetryAttempts != 1 || *out.MaximumEventAgeInSeconds != 120 || *out.DestinationConfig.OnFailure.Destination != arn.Topic(arn.Region, "failed") {
		t.Errorf("event invoke config: %+v, %v", out, err)
	}
	if out, err := c.ListFunctionEventInvokeConfigs(ctx, &lambda.ListFunctionEventInvokeConfigsInput{FunctionName: f}); err != nil || len(out.FunctionEventInvokeConfigs) != 1 {
		t.Errorf("event invoke configs: %+v, %v", out, err)
	}
	if out, err := c.ListProvisionedConcurrencyConfigs(ctx, &lambda.ListProvisionedConcurrencyConfigsInput{FunctionName: f}); err != nil || len(out.ProvisionedConcurrencyConfigs) != 0 {
		t.Errorf("provisioned concurrency: %+v, %v", out, err)
	}
	if out, err := c.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{}); err != nil || out.AccountLimit.ConcurrentExecutions != 1000 || *out.AccountLimit.UnreservedConcurrentExecutions != 993 || out.AccountUsage.FunctionCount != 1 {
		t.Errorf("account settings: %+v, %v", out, err)
	}
}
