package api

import "github.com/dropstack/dropstack/internal/deploy"

// CodeDeploy is the part of CodeDeploy that hooks of shifts, and those who watch
// them, call.
func CodeDeploy(d *deploy.Deployer) *Service {
	deployment := func(in deploy.DeploymentInput) []Need { return on(d.DeploymentGroupARN(in.DeploymentId)) }
	return &Service{Scope: "codedeploy", Prefix: "CodeDeploy_20141006.", Operations: map[string]Operation{
		"GetDeployment":  op(d.GetDeployment, deployment),
		"StopDeployment": op(d.StopDeployment, deployment),
		"ListDeployments": op(d.ListDeployments, func(in deploy.ListDeploymentsInput) []Need {
			if in.ApplicationName == "" {
				return on("*")
			}
			return on(deploy.GroupARN(d.Region, in.ApplicationName, in.DeploymentGroupName))
		}),
		"PutLifecycleEventHookExecutionStatus": op(d.PutLifecycleEventHookExecutionStatus, func(in deploy.PutLifecycleEventHookExecutionStatusInput) []Need {
			return on(d.DeploymentGroupARN(in.DeploymentId))
		}),
	}}
}
