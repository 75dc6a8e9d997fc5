package iam_test

import (
	"slices"
	"testing"

	"github.com/dropstack/dropstack/internal/iam"
	"github.com/google/go-cmp/cmp"
)

func TestSimulatePrincipalPolicy(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "home", PolicyDocument: "{\"Version\":\"2012-10-17\",\"Statement\":[\n{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::home/${aws:username}/*\"},\n{\"Effect\":\"Deny\",\"Action\":\"s3:PutObject\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}}}]}"})
	must(t, a.AttachUserPolicy, iam.AttachUserPolicyInput{UserName: "alice", PolicyArn: "arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess"})
	out := must(t, a.SimulatePrincipalPolicy, iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: arnOf("user/alice"), ActionNames: []string{"s3:PutObject", "sns:ListTopics"},
		ResourceArns:   []string{"arn:aws:s3:::home/alice/a", "arn:aws:s3:::home/bob/a"},
		ContextEntries: []iam.ContextEntry{{ContextKeyName: "AWS:SecureTransport", ContextKeyType: "boolean", ContextKeyValues: []string{"true"}}},
	})
	var got []string
	for _, r := range out.EvaluationResults {
		got = append(got, r.EvalActionName+" "+r.EvalResourceName+" "+r.EvalDecision)
	}
	want := []string{
		"s3:PutObject arn:aws:s3:::home/alice/a allowed", "s3:PutObject arn:aws:s3:::home/bob/a implicitDeny",
		"sns:ListTopics arn:aws:s3:::home/alice/a allowed", "sns:ListTopics arn:aws:s3:::home/bob/a allowed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := out.EvaluationResults[0]
	matched := []iam.Statement{{SourcePolicyId: "home", SourcePolicyType: "user", StartPosition: iam.Position{Line: 2, Column: 1}, EndPosition: iam.Position{Line: 2, Column: 84}}}
	if diff := cmp.Diff(matched, first.MatchedStatements); diff != "" || len(first.MissingContextValues) != 0 {
		t.Errorf("%s, missing %v", diff, first.MissingContextValues)
	}
	if s := out.EvaluationResults[2].MatchedStatements; len(s) != 1 || s[0].SourcePolicyType != "aws-managed" {
		t.Errorf("got %+v", s)
	}
	denied := must(t, a.SimulatePrincipalPolicy, iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: arnOf("user/alice"), ActionNames: []string{"s3:PutObject"}, ResourceArns: []string{"arn:aws:s3:::home/alice/a"},
		ContextEntries: []iam.ContextEntry{{ContextKeyName: "aws:SecureTransport", ContextKeyValues: []string{"false"}}},
	}).EvaluationResults[0]
	if denied.EvalDecision != "explicitDeny" || len(denied.MatchedStatements) != 1 || denied.MatchedStatements[0].StartPosition.Line != 3 {
		t.Errorf("got %+v", denied)
	}
	lacking := must(t, a.SimulatePrincipalPolicy, iam.SimulatePrincipalPolicyInput{PolicySourceArn: arnOf("user/alice"), ActionNames: []string{"s3:PutObject"}}).EvaluationResults[0]
	if lacking.EvalResourceName != "*" || !slices.Equal(lacking.MissingContextValues, []string{"aws:SecureTransport"}) {
		t.Errorf("got %+v", lacking)
	}
	keys := must(t, a.GetContextKeysForPrincipalPolicy, iam.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: arnOf("user/alice")}).ContextKeyNames
	if !slices.Equal(keys, []string{"aws:SecureTransport", "aws:username"}) {
		t.Errorf("got %v", keys)
	}
	refused(t, a.SimulatePrincipalPolicy, iam.SimulatePrincipalPolicyInput{PolicySourceArn: arnOf("user/bob"), ActionNames: []string{"a:b"}}, "NoSuchEntity")
	refused(t, a.SimulatePrincipalPolicy, iam.SimulatePrincipalPolicyInput{PolicySourceArn: arnOf("user/alice")}, "ValidationError")
}

func TestSimulateCustomPolicy(t *testing.T) {
	a := fresh(t)
	in := iam.SimulateCustomPolicyInput{
		PolicyInputList: []string{document("Allow", "s3:Get*", "*"), document("Deny", "*", "arn:aws:s3:::secret/*")},
		ActionNames:     []string{"s3:GetObject", "s3:PutObject"}, ResourceArns: []string{"arn:aws:s3:::a/b", "arn:aws:s3:::secret/b"},
		Paging: iam.Paging{MaxItems: new(3)},
	}
	out := must(t, a.SimulateCustomPolicy, in)
	var got []string
	for _, r := range out.EvaluationResults {
		got = append(got, r.EvalDecision)
	}
	if !slices.Equal(got, []string{"allowed", "explicitDeny", "implicitDeny"}) || !out.IsTruncated {
		t.Errorf("got %v, %+v", got, out.Page)
	}
	in.Marker = out.Marker
	if rest := must(t, a.SimulateCustomPolicy, in).EvaluationResults; len(rest) != 1 || rest[0].EvalDecision != "explicitDeny" || rest[0].MatchedStatements[0].SourcePolicyId != "PolicyInputList.2" {
		t.Errorf("got %+v", rest)
	}
	shared := must(t, a.SimulateCustomPolicy, iam.SimulateCustomPolicyInput{
		ActionNames: []string{"sns:Publish"}, ResourceArns: []string{"arn:aws:sns:us-east-1:000000000000:t"},
		ResourcePolicy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*"}}`,
	}).EvaluationResults[0]
	if shared.EvalDecision != "allowed" || shared.MatchedStatements[0].SourcePolicyType != "resource" {
		t.Errorf("got %+v", shared)
	}
	refused(t, a.SimulateCustomPolicy, iam.SimulateCustomPolicyInput{PolicyInputList: []string{"{}"}, ActionNames: []string{"a:b"}}, "InvalidInput")
	refused(t, a.SimulateCustomPolicy, iam.SimulateCustomPolicyInput{ActionNames: make([]string, 20000)}, "ValidationError")
	keys := must(t, a.GetContextKeysForCustomPolicy, iam.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{document("Allow", "s3:*", "arn:aws:s3:::${aws:userid}/*")}}).ContextKeyNames
	if !slices.Equal(keys, []string{"aws:userid"}) {
		t.Errorf("got %v", keys)
	}
}
