package iam_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/google/go-cmp/cmp"
)

func TestKeyPolicies(t *testing.T) {
	a := fresh(t)
	must(t, a.CreateUser, iam.CreateUserInput{UserName: "alice"})
	must(t, a.PutUserPolicy, iam.PutUserPolicyInput{UserName: "alice", PolicyName: "p", PolicyDocument: document("Allow", "kms:Decrypt", "*")})
	alice, root := as(t, a, newKey(t, a, "alice")), as(t, a, a.Admin())
	const key = "arn:aws:kms:us-east-1:000000000000:key/k"
	statement := func(principal, action, condition string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"` + action + `","Resource":"*"` + condition + `}}`
	}
	via := map[string][]string{"kms:ViaService": {"ssm.us-east-1.amazonaws.com"}, "kms:CallerAccount": {arn.Account}}
	service := statement("*", "kms:*", `,"Condition":{"StringEquals":{"kms:ViaService":"ssm.us-east-1.amazonaws.com","kms:CallerAccount":"000000000000"},"Bool":{"aws:ViaAWSService":"true"}}`)
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"the account, and the caller's policy allows":       {a.AuthorizeKey(alice, "kms:Decrypt", key, statement(arnOf("root"), "kms:*", ""), nil), true},
		"the account, but the caller's policy does not":     {a.AuthorizeKey(alice, "kms:Encrypt", key, statement(arnOf("root"), "kms:*", ""), nil), false},
		"the caller by name":                                {a.AuthorizeKey(alice, "kms:Encrypt", key, statement(arnOf("user/alice"), "kms:*", ""), nil), true},
		"somebody else by name":                             {a.AuthorizeKey(alice, "kms:Decrypt", key, statement(arnOf("user/bob"), "kms:*", ""), nil), false},
		"root, of whom the key's policy says nothing":       {a.AuthorizeKey(root, "kms:Decrypt", key, statement(arnOf("user/bob"), "kms:*", ""), nil), false},
		"root, by its account":                              {a.AuthorizeKey(root, "kms:Decrypt", key, statement(arn.Account, "kms:*", ""), nil), true},
		"through a service":                                 {a.AuthorizeKey(alice, "kms:Encrypt", key, service, via), true},
		"not through the service":                           {a.AuthorizeKey(alice, "kms:Encrypt", key, service, nil), false},
		"no key's policy, and the caller's policy allows":   {a.AuthorizeKey(alice, "kms:Decrypt", "*", "", nil), true},
		"no key's policy, but the caller's policy does not": {a.AuthorizeKey(alice, "kms:CreateKey", "*", "", nil), false},
	} {
		if (tt.err == nil) != tt.want || tt.err != nil && fault.KindOf(tt.err) != fault.Denied {
			t.Errorf("%s: got %v, want allowed %v", name, tt.err, tt.want)
		}
	}
	if err := a.CheckKeyPolicy(document("Allow", "kms:*", "*")); fault.CodeOf(err) != "MalformedPolicyDocument" {
		t.Errorf("a key policy without principals: got %v", err)
	}
	who := as(t, a, deployed(t, a, "s", function))
	if diff := cmp.Diff([]string{"arn:aws:sts::" + arn.Account + ":assumed-role/f/f", arnOf("role/function/f")}, a.Callers(who)); diff != "" {
		t.Error(diff)
	}
	if got := a.Callers(t.Context()); len(got) != 0 {
		t.Errorf("nobody answers to %v", got)
	}
}
