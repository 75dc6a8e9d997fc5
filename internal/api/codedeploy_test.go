package api_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/testkit"
)

func (h *house) codedeploy(c iam.Credentials) *codedeploy.Client {
	return codedeploy.New(codedeploy.Options{
		Region: arn.Region, BaseEndpoint: &h.url, HTTPClient: testkit.AWSClient(), RetryMaxAttempts: 1, Credentials: provider(c),
	})
}

// shifting deploys a stack twice whose function has hooks, and runs the shift.
func (h *house) shifting(t *testing.T) {
	t.Helper()
	program, sha := zipped(t, "bootstrap", "#!/bin/sh\n")
	if _, err := h.objects.Put(t.Context(), deploy.ArtifactBucket, deploy.ArtifactKey(sha), bytes.NewReader(program), int64(len(program)), engine.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"one", "two"} {
		r := &deploy.Revision{Stack: "s-dev", Service: "s", Stage: "dev", Region: arn.Region}
		for _, name := range []string{"s-dev-f", "s-dev-hook"} {
			r.Functions = append(r.Functions, function.Function{
				Stack: "s-dev", Name: name, ARN: arn.Function(arn.Region, name), Version: function.Latest, Runtime: "provided.al2023", Handler: "bootstrap",
				Artifact: sha, MemoryMB: 128, Timeout: 3, Environment: map[string]string{"WORD": word},
			})
		}
		r.Functions[0].Shift = &function.Shift{Alias: "live", Type: "Canary10Percent5Minutes", Before: "s-dev-hook"}
		if _, err := h.deployer.Deploy(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.deployer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestShiftsByAWSsClient(t *testing.T) {
	h := newHouse(t)
	h.shifting(t)
	c, ctx := h.codedeploy(h.keys.Admin()), t.Context()
	list, err := c.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{
		ApplicationName: aws.String("s-dev"), DeploymentGroupName: aws.String("s-dev-f"), IncludeOnlyStatuses: []types.DeploymentStatus{types.DeploymentStatusInProgress},
	})
	if err != nil || len(list.Deployments) != 1 {
		t.Fatalf("list: %+v, %v", list, err)
	}
	id := &list.Deployments[0]
	got, err := c.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: id})
	if err != nil {
		t.Fatal(err)
	}
	info := got.DeploymentInfo
	if info.Status != types.DeploymentStatusInProgress || *info.ApplicationName != "s-dev" || *info.DeploymentGroupName != "s-dev-f" ||
		*info.DeploymentConfigName != "CodeDeployDefault.LambdaCanary10Percent5Minutes" || info.ComputePlatform != types.ComputePlatformLambda ||
		info.CreateTime.IsZero() || info.CompleteTime != nil || info.ErrorInformation != nil {
		t.Errorf("get: %+v", info)
	}
	report := &codedeploy.PutLifecycleEventHookExecutionStatusInput{DeploymentId: id, LifecycleEventHookExecutionId: aws.String("another"), Status: types.LifecycleEventStatusSucceeded}
	if _, err := c.PutLifecycleEventHookExecutionStatus(ctx, report); code(err) != "InvalidLifecycleEventHookExecutionIdException" && code(err) != "LifecycleEventAlreadyCompletedException" {
		t.Errorf("a report of another execution: %v", err)
	}
	_, err = h.codedeploy(h.function).PutLifecycleEventHookExecutionStatus(ctx, report)
	if code(err) != "AccessDeniedException" {
		t.Errorf("a function that may not: %v", err)
	}
	for name, tt := range map[string]struct{ id, want string }{
		"no id":        {"", "DeploymentIdRequiredException"},
		"no such id":   {"x", "InvalidDeploymentIdException"},
		"no such move": {"d-ABCDEFGHI", "DeploymentDoesNotExistException"},
	} {
		if _, err := c.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &tt.id}); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
	stopped, err := c.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: id})
	if err != nil || stopped.Status != types.StopStatusSucceeded {
		t.Errorf("stop: %+v, %v", stopped, err)
	}
	if _, err := c.StopDeployment(ctx, &codedeploy.StopDeploymentInput{DeploymentId: id}); code(err) != "DeploymentAlreadyCompletedException" {
		t.Errorf("stop again: %v", err)
	}
	got, err = c.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: id})
	if err != nil || got.DeploymentInfo.Status != types.DeploymentStatusStopped || got.DeploymentInfo.CompleteTime == nil ||
		got.DeploymentInfo.ErrorInformation.Code != types.ErrorCodeManualStop {
		t.Errorf("after it was stopped: %+v, %v", got, err)
	}
	all, err := c.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{})
	if err != nil || !slices.Equal(all.Deployments, []string{*id}) {
		t.Errorf("list all: %+v, %v", all, err)
	}
	if _, err := c.ListDeployments(ctx, &codedeploy.ListDeploymentsInput{ApplicationName: aws.String("x"), DeploymentGroupName: aws.String("y")}); code(err) != "ApplicationDoesNotExistException" {
		t.Errorf("of an application that is not there: %v", err)
	}
	f, err := h.invoker.Get("s-dev-f:live")
	if err != nil || f.Environment["WORD"] != "one" {
		t.Errorf("callers have %v, %v", f.Environment, err)
	}
}
