package policy_test

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam/policy"
	"github.com/google/go-cmp/cmp"
)

// whole makes a document of one statement.
func whole(statement string) string {
	return "{\"Version\":\"2012-10-17\",\n \"Statement\":" + statement + "}"
}

func TestParseRefuses(t *testing.T) {
	const rest = `"Effect":"Allow","Resource":"*"`
	for _, tt := range []struct {
		name string
		kind policy.Kind
		text string
		want []string // words of the error
	}{
		{"nothing", 0, "", []string{"line 1, column 1", "ends too early"}},
		{"half a document", 0, `{"Statement":[`, []string{"ends too early"}},
		{"no JSON", 0, `{"Statement":[{'Effect':"Allow"}]}`, []string{"not JSON", "column"}},
		{"something behind it", 0, whole(`{"Action":"*",`+rest+`}`) + "{}", []string{"line 2", "something follows"}},
		{"a list", 0, `[]`, []string{"must be an object"}},
		{"bytes that are no text", 0, "{\"Version\":\"\xff\"}", []string{"UTF-8"}},
		{"too large", 0, strings.Repeat(" ", policy.MaxSize+1), []string{"131072"}},
		{"too deep", 0, whole(strings.Repeat("[", 20)), []string{"deeper"}},
		{"an unknown element", 0, `{"Version":"2012-10-17","Statment":[]}`, []string{"Statment", "no such element"}},
		{"an unknown version", 0, `{"Version":"2020-01-01","Statement":[]}`, []string{"Version", "2012-10-17"}},
		{"an Id that is no string", 0, `{"Id":1,"Statement":[]}`, []string{"Id: must be a string"}},
		{"no statement", 0, `{"Version":"2012-10-17"}`, []string{"no Statement"}},
		{"an empty list of statements", 0, whole(`[]`), []string{"line 2", "Statement: must be a statement"}},
		{"a statement that is none", 0, whole(`["x"]`), []string{"Statement[0]: must be an object"}},
		{"an unknown element of a statement", 0, whole(`[{"Actions":"*",` + rest + `}]`), []string{"Statement[0].Actions", "line 2, column 26", "no such element"}},
		{"an element in the wrong case", 0, whole(`{"action":"*",` + rest + `}`), []string{"Statement.action"}},
		{"an element twice", 0, whole(`{"Action":"*","Action":"s3:*",` + rest + `}`), []string{"Statement.Action: given twice"}},
		{"no effect", 0, whole(`{"Action":"*","Resource":"*"}`), []string{"no Effect"}},
		{"another effect", 0, whole(`{"Action":"*","Resource":"*","Effect":"allow"}`), []string{`"Allow" or "Deny"`}},
		{"no action", 0, whole(`{` + rest + `}`), []string{"neither Action nor NotAction"}},
		{"both actions", 0, whole(`{"Action":"*","NotAction":"s3:*",` + rest + `}`), []string{"NotAction: stands beside Action"}},
		{"an empty list of actions", 0, whole(`{"Action":[],` + rest + `}`), []string{"Action: must not be empty"}},
		{"an action that is a number", 0, whole(`{"Action":["a:b",1],` + rest + `}`), []string{"Statement.Action[1]: must be a string"}},
		{"an action without a service", 0, whole(`{"Action":"GetObject",` + rest + `}`), []string{"service:Action"}},
		{"a service with a wildcard", 0, whole(`{"Action":"s*:Get",` + rest + `}`), []string{"without wildcards"}},
		{"a variable in an action", 0, whole(`{"Action":"s3:${aws:username}",` + rest + `}`), []string{"letters, digits"}},
		{"no resource", 0, whole(`{"Effect":"Allow","Action":"*"}`), []string{"neither Resource nor NotResource"}},
		{"both resources", 0, whole(`{"Action":"*","NotResource":"*",` + rest + `}`), []string{"NotResource: stands beside Resource"}},
		{"a resource that is no ARN", 0, whole(`{"Effect":"Allow","Action":"*","Resource":["*","bucket"]}`), []string{"Statement.Resource[1]", `"bucket"`, "ARN"}},
		{"half an ARN", 0, whole(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3"}`), []string{"arn:partition:service"}},
		{"an open variable", 0, whole(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username"}`), []string{"not closed"}},
		{"an unknown variable", 0, whole(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:name}"}`), []string{"${aws:name}", "no variable"}},
		{"a variable of many values", 0, whole(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:TagKeys}"}`), []string{"many values"}},
		{"a default without quotes", 0, whole(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username, x}"}`), []string{"single quotes"}},
		{"a statement id twice", 0, whole(`[{"Sid":"a","Action":"*",` + rest + `},{"Sid":"a","Action":"*",` + rest + `}]`), []string{"Statement[1].Sid", "unique"}},
		{"a statement id of words", 0, whole(`{"Sid":"a b","Action":"*",` + rest + `}`), []string{"letters and digits"}},
		{"a principal in an identity's policy", 0, whole(`{"Principal":"*","Action":"*",` + rest + `}`), []string{"Statement.Principal", "no principal"}},
		{"no principal", policy.Resource, whole(`{"Action":"*",` + rest + `}`), []string{"neither Principal"}},
		{"a principal that is a name", policy.Resource, whole(`{"Principal":"bob","Action":"*",` + rest + `}`), []string{`must be "*" or an object`}},
		{"an unknown type of principal", policy.Resource, whole(`{"Principal":{"Aws":"*"},"Action":"*",` + rest + `}`), []string{`"Aws"`, "CanonicalUser"}},
		{"a principal with a wildcard", policy.Resource, whole(`{"Principal":{"AWS":"arn:aws:iam::000000000000:user/*"},"Action":"*",` + rest + `}`), []string{"stand alone"}},
		{"a principal of another service", policy.Resource, whole(`{"Principal":{"AWS":"arn:aws:s3:::b"},"Action":"*",` + rest + `}`), []string{"Principal.AWS", "is no principal"}},
		{"a group as principal", policy.Resource, whole(`{"Principal":{"AWS":"arn:aws:iam::000000000000:group/g"},"Action":"*",` + rest + `}`), []string{"user/NAME"}},
		{"a service that is none", policy.Resource, whole(`{"Principal":{"Service":"lambda"},"Action":"*",` + rest + `}`), []string{"lambda.amazonaws.com"}},
		{"a canonical user that is none", policy.Resource, whole(`{"Principal":{"CanonicalUser":"x"},"Action":"*",` + rest + `}`), []string{"64 hexadecimal digits"}},
		{"a federation", policy.Resource, whole(`{"Principal":{"Federated":"x"},"Action":"*",` + rest + `}`), []string{"Federated"}},
		{"NotPrincipal that allows", policy.Resource, whole(`{"NotPrincipal":"*","Action":"*",` + rest + `}`), []string{"beside Deny"}},
		{"a resource in a trust policy", policy.Trust, whole(`{"Principal":"*","Action":"sts:AssumeRole",` + rest + `}`), []string{"Statement.Resource", "no resource"}},
		{"another service's action in a trust policy", policy.Trust, whole(`{"Principal":"*","Action":"s3:*","Effect":"Allow"}`), []string{"sts: actions only"}},
		{"a condition that is a list", 0, whole(`{"Action":"*","Condition":[],` + rest + `}`), []string{"Condition: must be an object"}},
		{"an unknown operator", 0, whole(`{"Action":"*","Condition":{"StringIs":{"aws:username":"a"}},` + rest + `}`), []string{"Condition.StringIs", "no condition operator"}},
		{"an unknown quantifier", 0, whole(`{"Action":"*","Condition":{"ForSome:StringEquals":{"aws:username":"a"}},` + rest + `}`), []string{"ForAnyValue or ForAllValues"}},
		{"Null with IfExists", 0, whole(`{"Action":"*","Condition":{"NullIfExists":{"aws:username":"true"}},` + rest + `}`), []string{"Null stands alone"}},
		{"an operator without keys", 0, whole(`{"Action":"*","Condition":{"Bool":{}},` + rest + `}`), []string{"condition keys and their values"}},
		{"an unknown key", 0, whole(`{"Action":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}},` + rest + `}`), []string{"Condition.Bool.aws:MultiFactorAuthPresent", "no condition key that is known"}},
		{"a tag without a name", 0, whole(`{"Action":"*","Condition":{"Bool":{"aws:PrincipalTag/":"true"}},` + rest + `}`), []string{"aws:PrincipalTag/"}},
		{"a value that is an object", 0, whole(`{"Action":"*","Condition":{"Bool":{"aws:SecureTransport":{}}},` + rest + `}`), []string{"must be a string"}},
		{"a value that is null", 0, whole(`{"Action":"*","Condition":{"Bool":{"aws:SecureTransport":null}},` + rest + `}`), []string{"must be a string"}},
		{"no boolean", 0, whole(`{"Action":"*","Condition":{"Bool":{"aws:SecureTransport":"yes"}},` + rest + `}`), []string{`"yes" is not true or false`}},
		{"no number", 0, whole(`{"Action":"*","Condition":{"NumericEquals":{"s3:max-keys":"0x1"}},` + rest + `}`), []string{"not a number"}},
		{"no date", 0, whole(`{"Action":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"tomorrow"}},` + rest + `}`), []string{"not a date"}},
		{"no address", 0, whole(`{"Action":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/33"}},` + rest + `}`), []string{"not an address"}},
		{"no base64", 0, whole(`{"Action":"*","Condition":{"BinaryEquals":{"aws:username":"?"}},` + rest + `}`), []string{"not base64"}},
		{"no ARN", 0, whole(`{"Action":"*","Condition":{"ArnLike":{"aws:SourceArn":"drops"}},` + rest + `}`), []string{"must be an ARN"}},
		{"a variable in a number", 0, whole(`{"Action":"*","Condition":{"NumericEquals":{"s3:max-keys":"${aws:username}"}},` + rest + `}`), []string{"takes no variables"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse(tt.kind, tt.text)
			if fault.CodeOf(err) != "MalformedPolicyDocument" || fault.KindOf(err) != fault.Invalid {
				t.Fatalf("got %v, want MalformedPolicyDocument", err)
			}
			for _, words := range tt.want {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("got %q, want it to say %q", err, words)
				}
			}
		})
	}
}

func TestParseAccepts(t *testing.T) {
	for name, tt := range map[string]struct {
		kind policy.Kind
		text string
	}{
		"one statement without a list": {policy.Identity, whole(`{"Effect":"Allow","Action":"*","Resource":"*"}`)},
		"everything":                   {policy.Identity, whole(`{"Effect":"Allow","Action":"*:*","Resource":"arn:aws:*:*:*:*"}`)},
		"operators in another case":    {policy.Identity, whole(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"foranyvalue:stringlikeifexists":{"AWS:TAGKEYS":"a"}}}`)},
		"a key's default policy":       {policy.Resource, whole(`{"Sid":"Enable IAM User Permissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"}`)},
		"a function's trust policy":    {policy.Trust, whole(`{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com","edgelambda.amazonaws.com"]},"Action":"sts:AssumeRole"}`)},
		"a distribution's identity":    {policy.Resource, whole(`[{"Effect":"Allow","Principal":{"CanonicalUser":"` + strings.Repeat("0f", 32) + `"},"Action":"s3:GetObject","Resource":"*"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"},"Action":"s3:GetObject","Resource":"*"}]`)},
		"an empty Condition":           {policy.Identity, whole(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}`)},
	} {
		d, err := policy.Parse(tt.kind, tt.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d.String() != tt.text {
			t.Errorf("%s: the document is not kept as it was written", name)
		}
	}
}

func TestContextKeys(t *testing.T) {
	d, err := policy.Parse(policy.Identity, whole(`[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}/*","Condition":{"StringLike":{"s3:prefix":"${aws:PrincipalTag/team}/*"}}},
		{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:securetransport":"false"},"Null":{"AWS:UserName":"true"}}}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"aws:PrincipalTag/team", "aws:securetransport", "s3:prefix"}
	got := d.ContextKeys()
	if len(got) == 4 { // the first spelling of a name may be either
		got = append(got[:0:0], got...)
	}
	var rest []string
	for _, key := range got {
		if !strings.EqualFold(key, "aws:username") {
			rest = append(rest, key)
		}
	}
	if diff := cmp.Diff(want, rest); diff != "" || len(got) != 4 {
		t.Errorf("got %v\n%s", got, diff)
	}
}

func TestDecisionsNameTheStatement(t *testing.T) {
	d, err := policy.Parse(policy.Identity, "{\"Version\":\"2012-10-17\",\"Statement\":[\n  {\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},\n  {\"Sid\":\"NoDrops\",\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}")
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Source{ID: "p", Type: "user", Document: &d}
	got := policy.Decide(policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::a/b", Keys: policy.Map{}}, policy.Policies{Identity: []policy.Source{s}})
	want := policy.Match{Source: s, Index: 1, Sid: "NoDrops", Deny: true, Start: policy.Position{Line: 3, Column: 3}, End: policy.Position{Line: 3, Column: 67}}
	if got.By == nil || *got.By != want {
		t.Errorf("got %+v, want %+v", got.By, want)
	}
}

// FuzzParse has every kind read anything; what is accepted is decided by.
func FuzzParse(f *testing.F) {
	f.Add(whole(`{"Effect":"Allow","Action":["s3:Get*"],"Resource":"arn:aws:s3:::${aws:username, 'x'}/*","Condition":{"ForAnyValue:StringLike":{"aws:TagKeys":["a*","?"]}}}`), "s3:GetObject", "arn:aws:s3:::a/b", "a")
	f.Add(whole(`{"Effect":"Deny","NotPrincipal":{"AWS":["000000000000"]},"NotAction":"*","NotResource":"*"}`), "a:b", "*", "")
	f.Add(whole(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"::/0"},"DateLessThan":{"aws:CurrentTime":"2026"},"Null":{"aws:username":true}}}`), "sts:AssumeRole", "arn:::::", "2026-01-01")
	f.Add(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericLessThan":{"s3:max-keys":1e3},"BinaryEquals":{"aws:username":"AA=="},"ArnLike":{"aws:SourceArn":"${aws:PrincipalArn}"}}}}`, "*", "arn:aws:s3:::*", "\xff")
	f.Fuzz(func(t *testing.T, text, action, resource, value string) {
		for kind := policy.Identity; kind <= policy.Trust; kind++ {
			d, err := policy.Parse(kind, text)
			if err != nil {
				if fault.CodeOf(err) != "MalformedPolicyDocument" {
					t.Fatalf("got %v", err)
				}
				continue
			}
			keys := policy.Map{}
			for _, key := range d.ContextKeys() {
				keys[strings.ToLower(key)] = []string{value}
			}
			r := policy.Request{Action: action, Resource: resource, Caller: callers["alice"].caller, Keys: keys}
			p := policy.Policies{Identity: []policy.Source{{Document: &d}}}
			if kind != policy.Identity {
				p = policy.Policies{Resource: p.Identity, Required: true}
			}
			got := policy.Decide(r, p)
			matched := false
			for _, why := range policy.Explain(r, p) {
				matched = matched || why.Matches && why.Deny
			}
			if matched != (got.Outcome == policy.ExplicitDeny) {
				t.Errorf("Decide says %s, Explain a Deny that matches: %v", got.Outcome, matched)
			}
		}
	})
}

// BenchmarkDecide is a caller with ten statements, of which the last allows.
func BenchmarkDecide(b *testing.B) {
	var list []string
	for i := range 9 {
		list = append(list, `{"Effect":"Allow","Action":["sns:Publish","sns:Get*"],"Resource":"arn:aws:sns:*:000000000000:topic-`+string(rune('a'+i))+`*"}`)
	}
	list = append(list, `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`)
	d, err := policy.Parse(policy.Identity, whole("["+strings.Join(list, ",")+"]"))
	if err != nil {
		b.Fatal(err)
	}
	r := policy.Request{
		Action: "s3:GetObject", Resource: "arn:aws:s3:::home/alice/2026/a.png", Caller: callers["alice"].caller,
		Keys: policy.Map{"aws:username": {"alice"}, "aws:sourceip": {"10.2.3.4"}},
	}
	p := policy.Policies{Identity: []policy.Source{{ID: "p", Document: &d}}}
	b.ReportAllocs()
	for b.Loop() {
		if got := policy.Decide(r, p); got.Outcome != policy.Allow {
			b.Fatal(got.Outcome)
		}
	}
}
