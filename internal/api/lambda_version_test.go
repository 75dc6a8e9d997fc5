package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

// deployed is a house with one function, and AWS's client of it.
func deployed(t *testing.T) (*lambda.Client, func(description string)) {
	t.Helper()
	h := newHouse(t)
	code, sha := zipped(t, "bootstrap", "#!/bin/sh\n")
	if _, err := h.objects.Put(t.Context(), deploy.ArtifactBucket, deploy.ArtifactKey(sha), bytes.NewReader(code), -1, engine.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	deploy := func(value string) {
		retries, reserved := 1, 7
		_, err := h.deployer.Deploy(t.Context(), &deploy.Revision{Stack: "s-dev", Functions: []function.Function{{
			Stack: "s-dev", Name: "f", ARN: arn.Function(arn.Region, "f"), Version: "$LATEST", Runtime: "provided.al2023", Handler: "h", Artifact: sha,
			MemoryMB: 128, Timeout: 3, Environment: map[string]string{"V": value}, Concurrency: &reserved,
			MaxRetries: &retries, MaxEventAge: 120, OnFailure: arn.Topic(arn.Region, "failed"),
		}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	deploy("1")
	return h.lambda(h.keys.Admin()), deploy
}

// lambda is AWS's client.
func (h *house) lambda(c iam.Credentials) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
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
	if err != nil || *first.Version != "1" || *first.FunctionArn != arn.Function(arn.Region, "f")+":1" || *first.Description != "the first" || len(*first.CodeSha256) != 44 {
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
	if _, err := c.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: f, Name: aws.String("live"), RevisionId: a.RevisionId, Description: aws.String("x")}); code(err) != "PreconditionFailedException" {
		t.Errorf("update of an old revision: %v", err)
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
