package engine_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

func TestSettingsOfABucketAreSeenByTheOfficialClient(t *testing.T) {
	e := open(t, t.TempDir(), nil)
	client := s3Client(t, e, admin)
	if err := e.Objects.CreateBucket(t.Context(), "bbb"); err != nil {
		t.Fatal(err)
	}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::bbb/*"}]}`
	const cors = `<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin></CORSRule></CORSConfiguration>`
	if err := e.Objects.SetPolicy(t.Context(), "bbb", policy); err != nil {
		t.Fatal(err)
	}
	if err := e.Objects.SetCORS(t.Context(), "bbb", []byte(cors)); err != nil {
		t.Fatal(err)
	}
	bucket := aws.String("bbb")
	out, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket})
	if err != nil || aws.ToString(out.Policy) != policy {
		t.Errorf("the policy is %v, %v", out, err)
	}
	rules, err := client.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: bucket})
	if err != nil || len(rules.CORSRules) != 1 || !cmp.Equal(rules.CORSRules[0].AllowedOrigins, []string{"https://a.example"}) {
		t.Errorf("the rules are %v, %v", rules, err)
	}
	for range 2 { // what is gone already is no error
		if err := e.Objects.SetPolicy(t.Context(), "bbb", ""); err != nil {
			t.Error(err)
		}
		if err := e.Objects.SetCORS(t.Context(), "bbb", nil); err != nil {
			t.Error(err)
		}
	}
	if _, err := client.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: bucket}); err == nil {
		t.Error("the policy is still there")
	}
	if _, err := client.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: bucket}); err == nil {
		t.Error("the rules are still there")
	}
	if err := e.Objects.SetPolicy(t.Context(), "other", policy); err == nil {
		t.Error("a bucket that is not there has got a policy")
	}
}
