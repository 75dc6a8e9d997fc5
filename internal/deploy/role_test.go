package deploy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/spec"
)

// service writes a serverless.yml and reads it.
func service(t *testing.T, text string) (*spec.Service, error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "serverless.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return deploy.Load(t.Context(), path, spec.Options{})
}

func TestPoliciesAreRefusedAtTheirLines(t *testing.T) {
	_, err := service(t, `service: s
provider:
  name: aws
  runtime: nodejs22.x
  iam:
    role:
      managedPolicies: [arn:aws:iam::aws:policy/NobodyKnows]
      statements:
        - Effect: Allow
          Action: sns:Publish
          Resource: "*"
        - Effect: Maybe
          Action: sns:Publish
          Resource: "*"
functions:
  a: {handler: a.b}
  b:
    handler: a.b
    iamRoleStatements:
      - Effect: Allow
        Action: s3:GetObject
        Resource: arn:aws:s3:::b/*
        Condition:
          StringLikes:
            s3:prefix: x
  c: {handler: a.b, role: Own}
resources:
  Resources:
    Own:
      Type: AWS::IAM::Role
      Properties:
        AssumeRolePolicyDocument:
          Version: 2012-10-17
          Statement:
            - Effect: Allow
              Principal: {Service: lambda.amazonaws.com}
              Action: sts:AssumeRole
        Policies:
          - PolicyName: p
            PolicyDocument:
              Version: 2012-10-17
              Statement:
                - Effect: Allow
                  Action: s3:GetObject
                  Resource: b
`)
	e, ok := errors.AsType[*spec.Error](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	var lines []int
	for _, p := range e.Problems {
		lines = append(lines, p.Pos.Line)
		if !strings.Contains(p.Message, "role ") {
			t.Errorf("%s does not name the role", p)
		}
	}
	if diff := cmp.Diff([]int{24, 45, 7, 12}, lines, cmp.Transformer("sorted", func(l []int) map[int]bool {
		m := map[int]bool{}
		for _, n := range l {
			m[n] = true
		}
		return m
	})); diff != "" {
		t.Errorf("(-want +got)\n%s\n%v", diff, err)
	}
}

func TestRolesOfAService(t *testing.T) {
	svc, err := service(t, `service: s
provider:
  name: aws
  runtime: nodejs22.x
  iam: {role: {statements: [{Effect: Allow, Action: "sns:Publish", Resource: "*"}]}}
functions:
  a: {handler: a.b, vpc: {subnetIds: [other-dev-A], securityGroupIds: [other-dev-G]}}
  b: {handler: a.b, name: another-name}
  own: {handler: a.b, iamRoleStatements: [{Effect: Deny, Action: "*", Resource: "*"}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	r, err := deploy.Plan(svc, map[string]string{"a": "1", "b": "1", "own": "1"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, f := range r.Functions {
		names[f.Name] = f.Role
	}
	if diff := cmp.Diff(map[string]string{
		"s-dev-a": "arn:aws:iam::000000000000:role/s-dev-us-east-1-lambdaRole", "another-name": "arn:aws:iam::000000000000:role/s-dev-us-east-1-lambdaRole",
		"s-dev-own": "arn:aws:iam::000000000000:role/s-dev-own-us-east-1-lambdaRole",
	}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(r.Roles) != 2 {
		t.Fatalf("roles %+v", r.Roles)
	}
	const groups = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/"
	for i, want := range []struct {
		name     string
		inline   int
		logs     []string
		attached string
	}{
		{"s-dev-own-us-east-1-lambdaRole", 2, []string{groups + "s-dev*:*:*"}, ""},
		{"s-dev-us-east-1-lambdaRole", 2, []string{groups + "s-dev*:*:*", groups + "another-name:*:*"}, "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"},
	} {
		got := r.Roles[i]
		if got.Name != want.name || len(got.Inline) != want.inline || strings.Join(got.Attached, " ") != want.attached {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for _, group := range want.logs {
			if !strings.Contains(got.Inline["dev-s-lambda"], `"`+group+`"`) {
				t.Errorf("%s: %s may not be written by %s", got.Name, group, got.Inline["dev-s-lambda"])
			}
		}
	}
}
