package api

import (
	"strconv"

	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
)

// SSM is AWS Systems Manager, as far as it is Parameter Store.
func SSM(p *secret.Parameters) *Service {
	each := func(names []string) []Need {
		list := []Need{}
		for _, name := range names {
			list = append(list, parameter(p, name))
		}
		return list
	}
	one := func(name string) []Need { return []Need{parameter(p, name)} }
	return &Service{Scope: "ssm", Prefix: "AmazonSSM.", Operations: map[string]Operation{
		"PutParameter": op(p.PutParameter, func(in secret.PutParameterInput) []Need {
			n := parameter(p, in.Name)
			n.Conditions["ssm:Overwrite"] = []string{strconv.FormatBool(in.Overwrite)}
			for _, tag := range in.Tags {
				n.Conditions["aws:RequestTag/"+tag.Key] = []string{tag.Value}
				n.Conditions["aws:TagKeys"] = append(n.Conditions["aws:TagKeys"], tag.Key)
			}
			return []Need{n}
		}),
		"GetParameter":  op(p.GetParameter, func(in secret.GetParameterInput) []Need { return one(in.Name) }),
		"GetParameters": op(p.GetParameters, func(in secret.GetParametersInput) []Need { return each(in.Names) }),
		"GetParametersByPath": op(p.GetParametersByPath, func(in secret.GetParametersByPathInput) []Need {
			n := parameter(p, in.Path)
			n.Conditions["ssm:Recursive"] = []string{strconv.FormatBool(in.Recursive)}
			return []Need{n}
		}),
		"DeleteParameter":         op(p.DeleteParameter, func(in secret.DeleteParameterInput) []Need { return one(in.Name) }),
		"DeleteParameters":        op(p.DeleteParameters, func(in secret.DeleteParametersInput) []Need { return each(in.Names) }),
		"DescribeParameters":      op(p.DescribeParameters, nil),
		"GetParameterHistory":     op(p.GetParameterHistory, func(in secret.GetParameterHistoryInput) []Need { return one(in.Name) }),
		"LabelParameterVersion":   op(p.LabelParameterVersion, func(in secret.LabelParameterVersionInput) []Need { return one(in.Name) }),
		"UnlabelParameterVersion": op(p.UnlabelParameterVersion, func(in secret.UnlabelParameterVersionInput) []Need { return one(in.Name) }),
		"AddTagsToResource":       op(p.AddTagsToResource, func(in secret.AddTagsToResourceInput) []Need { return one(in.ResourceId) }),
		"RemoveTagsFromResource":  op(p.RemoveTagsFromResource, func(in secret.RemoveTagsFromResourceInput) []Need { return one(in.ResourceId) }),
		"ListTagsForResource":     op(p.ListTagsForResource, func(in secret.ListTagsForResourceInput) []Need { return one(in.ResourceId) }),
	}}
}

// parameter is what a parameter's own tags let a policy ask.
func parameter(p *secret.Parameters, name string) Need {
	n := Need{Resource: p.ARN(name), Conditions: map[string][]string{}}
	for key, value := range p.Tags(name) {
		n.Conditions["aws:ResourceTag/"+key] = []string{value}
		n.Conditions["ssm:resourceTag/"+key] = []string{value}
	}
	return n
}

// KMS is AWS Key Management Service. The policy of the key counts in every
// decision, so the keys ask themselves.
func KMS(k *kms.Keys) *Service {
	return &Service{Scope: "kms", Prefix: "TrentService.", Operations: map[string]Operation{
		"CreateKey":                       op(k.CreateKey, decidedByRoom),
		"DescribeKey":                     op(k.DescribeKey, decidedByRoom),
		"ListKeys":                        op(k.ListKeys, decidedByRoom),
		"EnableKey":                       op(k.EnableKey, decidedByRoom),
		"DisableKey":                      op(k.DisableKey, decidedByRoom),
		"UpdateKeyDescription":            op(k.UpdateKeyDescription, decidedByRoom),
		"CreateAlias":                     op(k.CreateAlias, decidedByRoom),
		"UpdateAlias":                     op(k.UpdateAlias, decidedByRoom),
		"DeleteAlias":                     op(k.DeleteAlias, decidedByRoom),
		"ListAliases":                     op(k.ListAliases, decidedByRoom),
		"Encrypt":                         op(k.Encrypt, decidedByRoom),
		"Decrypt":                         op(k.Decrypt, decidedByRoom),
		"ReEncrypt":                       op(k.ReEncrypt, decidedByRoom),
		"GenerateDataKey":                 op(k.GenerateDataKey, decidedByRoom),
		"GenerateDataKeyWithoutPlaintext": op(k.GenerateDataKeyWithoutPlaintext, decidedByRoom),
		"GenerateRandom":                  op(k.GenerateRandom, decidedByRoom),
		"GenerateMac":                     op(k.GenerateMac, decidedByRoom),
		"VerifyMac":                       op(k.VerifyMac, decidedByRoom),
		"Sign":                            op(k.Sign, decidedByRoom),
		"Verify":                          op(k.Verify, decidedByRoom),
		"GetPublicKey":                    op(k.GetPublicKey, decidedByRoom),
		"EnableKeyRotation":               op(k.EnableKeyRotation, decidedByRoom),
		"DisableKeyRotation":              op(k.DisableKeyRotation, decidedByRoom),
		"GetKeyRotationStatus":            op(k.GetKeyRotationStatus, decidedByRoom),
		"RotateKeyOnDemand":               op(k.RotateKeyOnDemand, decidedByRoom),
		"ListKeyRotations":                op(k.ListKeyRotations, decidedByRoom),
		"ScheduleKeyDeletion":             op(k.ScheduleKeyDeletion, decidedByRoom),
		"CancelKeyDeletion":               op(k.CancelKeyDeletion, decidedByRoom),
		"GetKeyPolicy":                    op(k.GetKeyPolicy, decidedByRoom),
		"PutKeyPolicy":                    op(k.PutKeyPolicy, decidedByRoom),
		"ListKeyPolicies":                 op(k.ListKeyPolicies, decidedByRoom),
		"CreateGrant":                     op(k.CreateGrant, decidedByRoom),
		"ListGrants":                      op(k.ListGrants, decidedByRoom),
		"RevokeGrant":                     op(k.RevokeGrant, decidedByRoom),
		"RetireGrant":                     op(k.RetireGrant, decidedByRoom),
		"TagResource":                     op(k.TagResource, decidedByRoom),
		"UntagResource":                   op(k.UntagResource, decidedByRoom),
		"ListResourceTags":                op(k.ListResourceTags, decidedByRoom),
	}}
}
