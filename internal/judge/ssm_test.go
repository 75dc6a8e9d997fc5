package judge

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func ssmCalls(s *sdk) {
	c, keys := ssm.NewFromConfig(s.config), kms.NewFromConfig(s.config)
	name, long := aws.String("/go/app/URL"), strings.Repeat("x", 5000) // more than a standard one holds
	call(s, "put", c.PutParameter, &ssm.PutParameterInput{Name: name, Type: types.ParameterTypeString, Value: aws.String("one"), Description: aws.String("where")},
		func(out *ssm.PutParameterOutput) error { return same(out.Version, int64(1)) })
	fails(s, "put what is there", "ParameterAlreadyExists", c.PutParameter, &ssm.PutParameterInput{Name: name, Type: types.ParameterTypeString, Value: aws.String("two")})
	call(s, "put a version", c.PutParameter, &ssm.PutParameterInput{Name: name, Value: aws.String("two"), Overwrite: aws.Bool(true)},
		func(out *ssm.PutParameterOutput) error { return same(out.Version, int64(2)) })
	call(s, "get a version", c.GetParameter, &ssm.GetParameterInput{Name: aws.String("/go/app/URL:1")}, func(out *ssm.GetParameterOutput) error {
		return same([]string{*out.Parameter.Value, *out.Parameter.Selector}, []string{"one", ":1"})
	})
	fails(s, "get a version that is none", "ParameterVersionNotFound", c.GetParameter, &ssm.GetParameterInput{Name: aws.String("/go/app/URL:7")})
	call(s, "put a list", c.PutParameter, &ssm.PutParameterInput{Name: aws.String("/go/app/HOSTS"), Type: types.ParameterTypeStringList, Value: aws.String("a,b")}, nil)
	call(s, "put an advanced one", c.PutParameter, &ssm.PutParameterInput{
		Name: aws.String("/go/app/LONG"), Type: types.ParameterTypeString, Value: aws.String(long), Tier: types.ParameterTierIntelligentTiering,
	}, func(out *ssm.PutParameterOutput) error { return same(out.Tier, types.ParameterTierAdvanced) })
	fails(s, "too long for a standard one", "ValidationException", c.PutParameter, &ssm.PutParameterInput{Name: aws.String("/go/x"), Type: types.ParameterTypeString, Value: aws.String(long)})
	fails(s, "too many levels", "HierarchyLevelLimitExceededException", c.PutParameter, &ssm.PutParameterInput{
		Name: aws.String("/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16"), Type: types.ParameterTypeString, Value: aws.String("x"),
	})
	key := call(s, "a key for secrets", keys.CreateKey, &kms.CreateKeyInput{}, nil).KeyMetadata
	call(s, "put a secret", c.PutParameter, &ssm.PutParameterInput{Name: aws.String("/go/app/PASSWORD"), Type: types.ParameterTypeSecureString, Value: aws.String("hush"), KeyId: key.KeyId}, nil)
	fails(s, "a key that is none", "InvalidKeyId", c.PutParameter, &ssm.PutParameterInput{Name: aws.String("/go/y"), Type: types.ParameterTypeSecureString, Value: aws.String("x"), KeyId: aws.String("alias/go-none")})
	call(s, "get several", c.GetParameters, &ssm.GetParametersInput{Names: []string{"/go/app/PASSWORD", "/go/app/HOSTS", "/go/none"}, WithDecryption: aws.Bool(true)}, func(out *ssm.GetParametersOutput) error {
		got := map[string]string{}
		for _, p := range out.Parameters {
			got[*p.Name] = *p.Value
		}
		if err := same(got, map[string]string{"/go/app/PASSWORD": "hush", "/go/app/HOSTS": "a,b"}); err != nil {
			return err
		}
		return same(out.InvalidParameters, []string{"/go/none"})
	})
	names, pages := []string{}, ssm.NewDescribeParametersPaginator(c, &ssm.DescribeParametersInput{
		MaxResults: aws.Int32(2), ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Path"), Option: aws.String("Recursive"), Values: []string{"/go"}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.Context())
		if err != nil {
			s.judge("describe by pages", false, err)
		}
		for _, p := range page.Parameters {
			names = append(names, *p.Name)
		}
	}
	s.judge("describe by pages", false, same(len(names), 4))
	call(s, "tag", c.AddTagsToResource, &ssm.AddTagsToResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: name, Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}}, nil)
	call(s, "describe by tag", c.DescribeParameters, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("tag:team"), Values: []string{"shop"}}}},
		func(out *ssm.DescribeParametersOutput) error { return same(len(out.Parameters), 1) })
	fails(s, "describe by a filter that is none", "InvalidFilterKey", c.DescribeParameters, &ssm.DescribeParametersInput{ParameterFilters: []types.ParameterStringFilter{{Key: aws.String("Colour"), Values: []string{"red"}}}})
	fails(s, "tag nothing", "InvalidResourceId", c.ListTagsForResource, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String("/go/none")})
	call(s, "delete several", c.DeleteParameters, &ssm.DeleteParametersInput{Names: []string{"/go/app/URL", "/go/none"}}, func(out *ssm.DeleteParametersOutput) error {
		return same([][]string{out.DeletedParameters, out.InvalidParameters}, [][]string{{"/go/app/URL"}, {"/go/none"}})
	})
	fails(s, "get what is gone", "ParameterNotFound", c.GetParameter, &ssm.GetParameterInput{Name: name})
}
