package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/secret"
	"github.com/dropstack/dropstack/internal/secret/kms"
	"github.com/dropstack/dropstack/internal/secret/kms/kmstest"
)

const future = `[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2999-12-02T21:34:33.000Z"}}]`

func TestErrorsAreThoseThatClientsKnow(t *testing.T) {
	w := newWorld(t)
	ctx := w.ctx
	w.put(t, secret.PutParameterInput{Name: "/a/plain", Value: "x"})
	w.put(t, secret.PutParameterInput{Name: "/a/advanced", Value: "x", Tier: "Advanced"})
	w.put(t, secret.PutParameterInput{Name: "/a/secret", Value: "x", Type: "SecureString"})
	off := must[kms.CreateKeyOutput](t)(w.keys.CreateKey(kmstest.Root(t.Context()), kms.CreateKeyInput{Policy: everybody})).KeyMetadata.KeyId
	w.put(t, secret.PutParameterInput{Name: "/a/off", Value: "x", Type: "SecureString", KeyId: off})
	must[kms.None](t)(w.keys.DisableKey(kmstest.Root(t.Context()), kms.KeyInput{KeyId: off}))
	mine := must[kms.CreateKeyOutput](t)(w.keys.CreateKey(kmstest.Root(t.Context()), kms.CreateKeyInput{})).KeyMetadata.KeyId

	put := func(in secret.PutParameterInput) string { return code(w.PutParameter(ctx, in)) }
	typed := func(name, value string) secret.PutParameterInput {
		return secret.PutParameterInput{Name: name, Value: value, Type: "String"}
	}
	advanced := func(policies string) string {
		return put(secret.PutParameterInput{Name: "/n", Value: "x", Type: "String", Tier: "Advanced", Policies: policies})
	}
	path := func(in secret.GetParametersByPathInput) string { return code(w.GetParametersByPath(ctx, in)) }
	filtered := func(f ...secret.ParameterFilter) string {
		return code(w.DescribeParameters(ctx, secret.DescribeParametersInput{ParameterFilters: f}))
	}
	label := func(name string, version *int64, labels ...string) string {
		return code(w.LabelParameterVersion(ctx, secret.LabelParameterVersionInput{Name: name, ParameterVersion: version, Labels: labels}))
	}
	tag := func(kind, name string, tags ...secret.Tag) string {
		return code(w.AddTagsToResource(ctx, secret.AddTagsToResourceInput{ResourceType: kind, ResourceId: name, Tags: tags}))
	}
	for name, c := range map[string]struct{ got, want string }{
		"put: no name":                      {put(typed("", "x")), "ValidationException"},
		"put: space in the name":            {put(typed("/a b", "x")), "ValidationException"},
		"put: selector in the name":         {put(typed("/a:1", "x")), "ValidationException"},
		"put: hierarchy without slash":      {put(typed("a/b", "x")), "ValidationException"},
		"put: empty level":                  {put(typed("/a//b", "x")), "ValidationException"},
		"put: slash at the end":             {put(typed("/a/", "x")), "ValidationException"},
		"put: reserved hierarchy":           {put(typed("/aws/service/x", "x")), "AccessDeniedException"},
		"put: reserved name":                {put(typed("AwsThing", "x")), "ValidationException"},
		"put: reserved hierarchy of ssm":    {put(typed("/SSM/x", "x")), "ValidationException"},
		"put: 16 levels":                    {put(typed(strings.Repeat("/a", 16), "x")), "HierarchyLevelLimitExceededException"},
		"put: long name":                    {put(typed("/"+long(1011), "x")), "ValidationException"},
		"put: no value":                     {put(typed("/n", "")), "ValidationException"},
		"put: nested parameter":             {put(typed("/n", "a {{ssm:other}} b")), "ValidationException"},
		"put: no text":                      {put(typed("/n", "\xff")), "ValidationException"},
		"put: 4 KB and one in standard":     {put(typed("/n", long(4097))), "ValidationException"},
		"put: 8 KB and one in advanced":     {put(secret.PutParameterInput{Name: "/n", Value: long(8193), Type: "String", Tier: "Advanced"}), "ValidationException"},
		"put: 8 KB and one, any tier":       {put(secret.PutParameterInput{Name: "/n", Value: long(8193), Type: "String", Tier: "Intelligent-Tiering"}), "ValidationException"},
		"put: no type":                      {put(secret.PutParameterInput{Name: "/n", Value: "x"}), "ValidationException"},
		"put: unknown type":                 {put(secret.PutParameterInput{Name: "/n", Value: "x", Type: "Number"}), "ValidationException"},
		"put: unknown tier":                 {put(secret.PutParameterInput{Name: "/n", Value: "x", Type: "String", Tier: "Gold"}), "ValidationException"},
		"put: machine image":                {put(secret.PutParameterInput{Name: "/n", Value: "ami-1", Type: "String", DataType: "aws:ec2:image"}), "ValidationException"},
		"put: unknown data type":            {put(secret.PutParameterInput{Name: "/n", Value: "x", Type: "String", DataType: "TEXT"}), "ValidationException"},
		"put: long description":             {put(secret.PutParameterInput{Name: "/n", Value: "x", Type: "String", Description: long(1025)}), "ValidationException"},
		"put: exists":                       {put(typed("/a/plain", "y")), "ParameterAlreadyExists"},
		"put: another type":                 {put(secret.PutParameterInput{Name: "/a/plain", Value: "y", Type: "SecureString", Overwrite: true}), "HierarchyTypeMismatchException"},
		"put: back to standard":             {put(secret.PutParameterInput{Name: "/a/advanced", Value: "y", Tier: "Standard", Overwrite: true}), "ValidationException"},
		"put: tags and overwrite":           {put(secret.PutParameterInput{Name: "/a/plain", Value: "y", Overwrite: true, Tags: []secret.Tag{{Key: "a"}}}), "ValidationException"},
		"put: reserved tag":                 {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", Tags: []secret.Tag{{Key: "AWS:a"}}}), "ValidationException"},
		"put: too many tags":                {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", Tags: tags(51)}), "TooManyTagsError"},
		"put: pattern is none":              {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", AllowedPattern: "("}), "InvalidAllowedPatternException"},
		"put: pattern looks around":         {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", AllowedPattern: "(?=a)b"}), "InvalidAllowedPatternException"},
		"put: long pattern":                 {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", AllowedPattern: long(1025)}), "ValidationException"},
		"put: pattern does not match":       {put(secret.PutParameterInput{Name: "/n", Value: "a1", Type: "String", AllowedPattern: `\d+`}), "ParameterPatternMismatchException"},
		"put: key of a String":              {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", KeyId: "alias/aws/ssm"}), "ValidationException"},
		"put: unknown key":                  {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString", KeyId: "alias/none"}), "InvalidKeyId"},
		"put: nonsense for a key":           {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString", KeyId: "arn:x"}), "InvalidKeyId"},
		"put: disabled key":                 {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString", KeyId: off}), "InvalidKeyId"},
		"put: disabled key, advanced":       {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString", KeyId: off, Tier: "Advanced"}), "InvalidKeyId"},
		"put: key of others":                {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString", KeyId: mine}), "AccessDeniedException"},
		"put: nobody":                       {code(w.PutParameter(t.Context(), secret.PutParameterInput{Name: "/n", Value: "y", Type: "SecureString"})), "AccessDeniedException"},
		"put: policies in standard":         {put(secret.PutParameterInput{Name: "/n", Value: "y", Type: "String", Tier: "Standard", Policies: future}), "ValidationException"},
		"put: policies are no list":         {advanced(`{}`), "ValidationException"},
		"put: policies with another member": {advanced(`[{"Kind":"x"}]`), "ValidationException"},
		"put: policy of unknown type":       {advanced(`[{"Type":"X","Version":"1.0"}]`), "InvalidPolicyTypeException"},
		"put: policy that notifies":         {advanced(`[{"Type":"NoChangeNotification","Version":"1.0","Attributes":{"After":"20","Unit":"Days"}}]`), "InvalidPolicyTypeException"},
		"put: policy of unknown version":    {advanced(`[{"Type":"Expiration","Version":"2.0"}]`), "InvalidPolicyAttributeException"},
		"put: policy without time":          {advanced(`[{"Type":"Expiration","Version":"1.0"}]`), "InvalidPolicyAttributeException"},
		"put: policy of the past":           {advanced(strings.Replace(future, "2999", "1999", 1)), "InvalidPolicyAttributeException"},
		"put: two policies that expire":     {advanced(`[` + strings.Trim(future, "[]") + `,` + strings.Trim(future, "[]") + `]`), "IncompatiblePolicyException"},
		"put: many policies":                {advanced(`[` + strings.Repeat(`{"Type":"Expiration","Version":"1.0"},`, 10) + `{"Type":"Expiration","Version":"1.0"}]`), "PoliciesLimitExceededException"},

		"get: unknown":                  {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/none"})), "ParameterNotFound"},
		"get: no name":                  {code(w.GetParameter(ctx, secret.GetParameterInput{})), "ValidationException"},
		"get: unknown version":          {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:2"})), "ParameterVersionNotFound"},
		"get: version 0":                {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:0"})), "ParameterVersionNotFound"},
		"get: huge version":             {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:99999999999999999999"})), "ParameterVersionNotFound"},
		"get: unknown label":            {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:prod"})), "ParameterVersionNotFound"},
		"get: nothing behind a colon":   {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:"})), "ValidationException"},
		"get: two colons":               {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/plain:1:2"})), "ValidationException"},
		"get: ARN of another region":    {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "arn:aws:ssm:eu-west-1:" + account + ":parameter/a/plain"})), "ParameterNotFound"},
		"get: ARN of another kind":      {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "arn:aws:ssm:us-east-1:" + account + ":document/x"})), "ValidationException"},
		"get: ARN of another partition": {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "arn:aws-cn:ssm:us-east-1:" + account + ":parameter/a/plain"})), "ValidationException"},
		"get: ARN with two slashes":     {code(w.GetParameter(ctx, secret.GetParameterInput{Name: prefix + "/a/plain"})), "ValidationException"},
		"get: disabled key":             {code(w.GetParameter(ctx, secret.GetParameterInput{Name: "/a/off", WithDecryption: true})), "InvalidKeyId"},
		"get: nobody decrypts":          {code(w.GetParameter(t.Context(), secret.GetParameterInput{Name: "/a/secret", WithDecryption: true})), "AccessDeniedException"},
		"get several: none":             {code(w.GetParameters(ctx, secret.GetParametersInput{})), "ValidationException"},
		"get several: eleven":           {code(w.GetParameters(ctx, secret.GetParametersInput{Names: make([]string, 11)})), "ValidationException"},
		"get several: disabled key":     {code(w.GetParameters(ctx, secret.GetParametersInput{Names: []string{"/a/off"}, WithDecryption: true})), "InvalidKeyId"},

		"by path: no slash":         {path(secret.GetParametersByPathInput{Path: "a"}), "ValidationException"},
		"by path: space":            {path(secret.GetParametersByPathInput{Path: "/a b"}), "ValidationException"},
		"by path: eleven results":   {path(secret.GetParametersByPathInput{Path: "/a", MaxResults: ptr(11)}), "ValidationException"},
		"by path: no results":       {path(secret.GetParametersByPathInput{Path: "/a", MaxResults: ptr(0)}), "ValidationException"},
		"by path: token":            {path(secret.GetParametersByPathInput{Path: "/a", NextToken: "x"}), "InvalidNextToken"},
		"by path: filter by name":   {path(secret.GetParametersByPathInput{Path: "/a", ParameterFilters: []secret.ParameterFilter{{Key: "Name", Values: []string{"a"}}}}), "InvalidFilterKey"},
		"by path: option of label":  {path(secret.GetParametersByPathInput{Path: "/a", ParameterFilters: []secret.ParameterFilter{{Key: "Label", Option: "BeginsWith", Values: []string{"a"}}}}), "InvalidFilterOption"},
		"by path: filter, no value": {path(secret.GetParametersByPathInput{Path: "/a", ParameterFilters: []secret.ParameterFilter{{Key: "Type"}}}), "InvalidFilterValue"},
		"by path: disabled key":     {path(secret.GetParametersByPathInput{Path: "/a", WithDecryption: true}), "InvalidKeyId"},

		"describe: unknown key":       {filtered(secret.ParameterFilter{Key: "Colour", Values: []string{"a"}}), "InvalidFilterKey"},
		"describe: label":             {filtered(secret.ParameterFilter{Key: "Label", Values: []string{"a"}}), "InvalidFilterKey"},
		"describe: key twice":         {filtered(secret.ParameterFilter{Key: "Name", Values: []string{"a"}}, secret.ParameterFilter{Key: "Name", Values: []string{"b"}}), "InvalidFilterKey"},
		"describe: option of path":    {filtered(secret.ParameterFilter{Key: "Path", Option: "Equals", Values: []string{"/a"}}), "InvalidFilterOption"},
		"describe: option of type":    {filtered(secret.ParameterFilter{Key: "Type", Option: "Contains", Values: []string{"a"}}), "InvalidFilterOption"},
		"describe: unknown type":      {filtered(secret.ParameterFilter{Key: "Type", Values: []string{"Number"}}), "InvalidFilterValue"},
		"describe: path, no slash":    {filtered(secret.ParameterFilter{Key: "Path", Values: []string{"a"}}), "InvalidFilterValue"},
		"describe: empty value":       {filtered(secret.ParameterFilter{Key: "Name", Values: []string{""}}), "InvalidFilterValue"},
		"describe: many values":       {filtered(secret.ParameterFilter{Key: "Name", Values: strings.Split(long(51), "")}), "InvalidFilterValue"},
		"describe: both filters":      {code(w.DescribeParameters(ctx, secret.DescribeParametersInput{Filters: []secret.OldFilter{{Key: "Name", Values: []string{"a"}}}, ParameterFilters: []secret.ParameterFilter{{Key: "Name", Values: []string{"a"}}}})), "ValidationException"},
		"describe: old filter by tag": {code(w.DescribeParameters(ctx, secret.DescribeParametersInput{Filters: []secret.OldFilter{{Key: "tag:a", Values: []string{"a"}}}})), "InvalidFilterKey"},
		"describe: 51 results":        {code(w.DescribeParameters(ctx, secret.DescribeParametersInput{MaxResults: ptr(51)})), "ValidationException"},
		"describe: token":             {code(w.DescribeParameters(ctx, secret.DescribeParametersInput{NextToken: "AAAA"})), "InvalidNextToken"},
		"history: unknown":            {code(w.GetParameterHistory(ctx, secret.GetParameterHistoryInput{Name: "/none"})), "ParameterNotFound"},
		"history: version":            {code(w.GetParameterHistory(ctx, secret.GetParameterHistoryInput{Name: "/a/plain:1"})), "ValidationException"},
		"history: token":              {code(w.GetParameterHistory(ctx, secret.GetParameterHistoryInput{Name: "/a/plain", NextToken: "!"})), "InvalidNextToken"},
		"history: 51 results":         {code(w.GetParameterHistory(ctx, secret.GetParameterHistoryInput{Name: "/a/plain", MaxResults: ptr(51)})), "ValidationException"},
		"history: disabled key":       {code(w.GetParameterHistory(ctx, secret.GetParameterHistoryInput{Name: "/a/off", WithDecryption: true})), "InvalidKeyId"},

		"delete: unknown":          {code(w.DeleteParameter(ctx, secret.DeleteParameterInput{Name: "/none"})), "ParameterNotFound"},
		"delete several: none":     {code(w.DeleteParameters(ctx, secret.DeleteParametersInput{})), "ValidationException"},
		"label: unknown":           {label("/none", nil, "a"), "ParameterNotFound"},
		"label: unknown version":   {label("/a/plain", ptr(int64(7)), "a"), "ParameterVersionNotFound"},
		"label: none":              {label("/a/plain", nil), "ValidationException"},
		"label: eleven":            {label("/a/plain", nil, strings.Split(long(11), "")...), "ValidationException"},
		"label: long":              {label("/a/plain", nil, long(101)), "ValidationException"},
		"unlabel: no version":      {code(w.UnlabelParameterVersion(ctx, secret.UnlabelParameterVersionInput{Name: "/a/plain", Labels: []string{"a"}})), "ValidationException"},
		"unlabel: unknown version": {code(w.UnlabelParameterVersion(ctx, secret.UnlabelParameterVersionInput{Name: "/a/plain", ParameterVersion: ptr(int64(7)), Labels: []string{"a"}})), "ParameterVersionNotFound"},
		"unlabel: unknown":         {code(w.UnlabelParameterVersion(ctx, secret.UnlabelParameterVersionInput{Name: "/none", ParameterVersion: ptr(int64(1)), Labels: []string{"a"}})), "ParameterNotFound"},

		"tag: another kind":      {tag("Document", "/a/plain", tags(1)...), "InvalidResourceType"},
		"tag: unknown parameter": {tag("Parameter", "/none", tags(1)...), "InvalidResourceId"},
		"tag: no tag":            {tag("Parameter", "/a/plain"), "ValidationException"},
		"tag: too many":          {tag("Parameter", "/a/plain", tags(51)...), "TooManyTagsError"},
		"tag: long name":         {tag("Parameter", "/a/plain", secret.Tag{Key: long(129)}), "ValidationException"},
		"tag: long value":        {tag("Parameter", "/a/plain", secret.Tag{Key: "a", Value: long(257)}), "ValidationException"},
		"untag: unknown":         {code(w.RemoveTagsFromResource(ctx, secret.RemoveTagsFromResourceInput{ResourceType: "Parameter", ResourceId: "/none"})), "InvalidResourceId"},
		"tags: another kind":     {code(w.ListTagsForResource(ctx, secret.ListTagsForResourceInput{ResourceType: "X", ResourceId: "/a/plain"})), "InvalidResourceType"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %s, want %s", name, c.got, c.want)
		}
	}
	if got := w.described(t); len(got) != 4 {
		t.Errorf("refused parameters are there: %v", got)
	}
}

// everybody is a key policy that lets everybody do everything.
const everybody = `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}`

func tags(n int) []secret.Tag {
	var list []secret.Tag
	for i := range n {
		list = append(list, secret.Tag{Key: fmt.Sprint(i), Value: "x"})
	}
	return list
}
