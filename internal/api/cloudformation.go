package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/fault"
)

// CloudFormation is AWS CloudFormation over the stacks.
func CloudFormation(s *cloudformation.Stacks) *Service {
	stack := func(name string) []Need { return on(s.ARN(name)) }
	named := func(in cloudformation.StackInput) []Need { return stack(in.StackName) }
	set := func(in cloudformation.ChangeSetInput) []Need { return changeSet(s, in.ChangeSetName, in.StackName) }
	return &Service{
		Scope: "cloudformation", Namespace: "http://cloudformation.amazonaws.com/doc/2010-05-15/",
		Operations: map[string]Operation{
			"CreateChangeSet": op(s.CreateChangeSet, func(in cloudformation.CreateChangeSetInput) []Need {
				list := askedStack(s, &in.Request)
				list[0].Conditions["cloudformation:ChangeSetName"] = []string{in.ChangeSetName}
				return list
			}),
			"DescribeChangeSet": op(s.DescribeChangeSet, set),
			"DeleteChangeSet":   op(s.DeleteChangeSet, set),
			"ExecuteChangeSet": op(s.ExecuteChangeSet, func(in cloudformation.ExecuteChangeSetInput) []Need {
				return changeSet(s, in.ChangeSetName, in.StackName)
			}),
			"ListChangeSets": op(s.ListChangeSets, func(in cloudformation.ListChangeSetsInput) []Need { return stack(in.StackName) }),

			"CreateStack": op(s.CreateStack, func(in cloudformation.CreateStackInput) []Need { return askedStack(s, &in.Request) }),
			"UpdateStack": op(s.UpdateStack, func(in cloudformation.UpdateStackInput) []Need { return askedStack(s, &in.Request) }),
			"DeleteStack": op(s.DeleteStack, func(in cloudformation.DeleteStackInput) []Need {
				return append(stack(in.StackName), passed(in.RoleARN)...)
			}),
			"CancelUpdateStack": op(s.CancelUpdateStack, named),
			"ContinueUpdateRollback": op(s.ContinueUpdateRollback, func(in cloudformation.ContinueUpdateRollbackInput) []Need {
				return append(stack(in.StackName), passed(in.RoleARN)...)
			}),
			"UpdateTerminationProtection": op(s.UpdateTerminationProtection, func(in cloudformation.UpdateTerminationProtectionInput) []Need {
				return stack(in.StackName)
			}),
			"SetStackPolicy": op(s.SetStackPolicy, func(in cloudformation.SetStackPolicyInput) []Need { return stack(in.StackName) }),
			"GetStackPolicy": op(s.GetStackPolicy, named),

			"DescribeStacks": op(s.DescribeStacks, func(in cloudformation.DescribeStacksInput) []Need {
				if in.StackName == "" {
					return on("*")
				}
				return stack(in.StackName)
			}),
			"DescribeStackEvents":    op(s.DescribeStackEvents, func(in cloudformation.DescribeStackEventsInput) []Need { return stack(in.StackName) }),
			"DescribeStackResource":  op(s.DescribeStackResource, func(in cloudformation.DescribeStackResourceInput) []Need { return stack(in.StackName) }),
			"DescribeStackResources": op(s.DescribeStackResources, func(in cloudformation.DescribeStackResourcesInput) []Need { return stack(in.StackName) }),
			"ListStackResources":     op(s.ListStackResources, func(in cloudformation.ListStackResourcesInput) []Need { return stack(in.StackName) }),
			"ListStacks":             op(s.ListStacks, nil),
			"ListExports":            op(s.ListExports, nil),
			"ListImports":            op(s.ListImports, nil),

			"GetTemplate": op(s.GetTemplate, func(in cloudformation.GetTemplateInput) []Need { return stack(in.StackName) }),
			"GetTemplateSummary": op(s.GetTemplateSummary, func(in cloudformation.TemplateInput) []Need {
				if in.StackName == "" {
					return on("*")
				}
				return stack(in.StackName)
			}),
			"ValidateTemplate": op(s.ValidateTemplate, nil),
		},
	}
}

// askedStack is what it takes to ask for a stack.
func askedStack(s *cloudformation.Stacks, r *cloudformation.Request) []Need {
	n := Need{Resource: s.ARN(r.StackName), Conditions: map[string][]string{}}
	if r.TemplateURL != "" {
		n.Conditions["cloudformation:TemplateUrl"] = []string{r.TemplateURL}
	}
	if r.RoleARN != "" {
		n.Conditions["cloudformation:RoleArn"] = []string{r.RoleARN}
	}
	for _, tag := range r.Tags {
		n.Conditions["aws:RequestTag/"+tag.Key] = []string{tag.Value}
		n.Conditions["aws:TagKeys"] = append(n.Conditions["aws:TagKeys"], tag.Key)
	}
	return append([]Need{n}, passed(r.RoleARN)...)
}

// passed is what it takes to hand a role to CloudFormation.
func passed(role string) []Need {
	if role == "" {
		return nil
	}
	return []Need{{Action: "iam:PassRole", Resource: role, Conditions: map[string][]string{"iam:PassedToService": {"cloudformation.amazonaws.com"}}}}
}

// changeSet is what it takes to use a change set: its stack's permission.
func changeSet(s *cloudformation.Stacks, name, stack string) []Need {
	n := Need{Resource: s.ARN(s.StackOf(name, stack)), Conditions: map[string][]string{"cloudformation:ChangeSetName": {name}}}
	return []Need{n}
}

// Answers takes what functions say of the custom resources that they make.
type Answers interface {
	Answer(token string, body []byte) error
}

// AnswersBucket is where functions send that, as they do at Amazon: a bucket by its
// name, that there is not.
const AnswersBucket = "cloudformation-custom-resource-response"

// maxAnswer is more than an answer may have, which its room decides.
const maxAnswer = 64 << 10

// answered takes the answer about a custom resource. Whoever has the URL may give
// it, as it would be with one that is signed.
func (s *Server) answered(w http.ResponseWriter, r *http.Request) bool {
	if s.Answers == nil || r.Method != http.MethodPut {
		return false
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	if rest, ok := strings.CutPrefix(path, AnswersBucket+"/"); ok {
		path = rest
	} else if !strings.HasPrefix(r.Host, AnswersBucket+".s3.") {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		err = fault.Coded(fault.TooLarge, "EntityTooLarge", "the answer of a custom resource is over %d bytes", maxAnswer)
	}
	if err == nil {
		err = s.Answers.Answer(path, body)
	}
	if err != nil {
		s.failObjects(&call{w: w, r: r, operation: "PutObject", service: objectsService}, err)
	}
	return true
}

// ECR answers the one question that the Serverless Framework has when it removes a
// service: there are no repositories.
func ECR() *Service {
	return &Service{Scope: "ecr", Prefix: "AmazonEC2ContainerRegistry_V20150921.", Operations: map[string]Operation{
		"DescribeRepositories": op(noRepositories, nil),
	}}
}

type describeRepositoriesInput struct {
	RegistryID      string   `json:"registryId,omitempty"`
	RepositoryNames []string `json:"repositoryNames,omitempty"`
}

type describeRepositoriesOutput struct {
	Repositories []struct{} `json:"repositories"`
}

func noRepositories(_ context.Context, in describeRepositoriesInput) (describeRepositoriesOutput, error) {
	if len(in.RepositoryNames) == 0 {
		return describeRepositoriesOutput{Repositories: []struct{}{}}, nil
	}
	return describeRepositoriesOutput{}, fault.Coded(fault.Invalid, "RepositoryNotFoundException",
		"The repository with name '%s' does not exist in the registry: functions run from zips here, and there are no images", in.RepositoryNames[0])
}
