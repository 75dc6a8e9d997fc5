package arn_test

import (
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
)

func TestServiceHost(t *testing.T) {
	for name, want := range map[string]bool{
		"ssm.us-east-1.amazonaws.com":                     true,
		"ssm-fips.us-gov-west-1.amazonaws.com":            true,
		"sts.amazonaws.com":                               true,
		"s3.amazonaws.com":                                true,
		"s3.eu-west-1.amazonaws.com":                      true,
		"s3-eu-west-1.amazonaws.com":                      true,
		"s3.dualstack.eu-west-1.amazonaws.com":            true,
		"shots.s3.amazonaws.com":                          true,
		"shots.s3-eu-west-1.amazonaws.com":                true,
		"shots.s3.eu-west-1.amazonaws.com":                true,
		"shots.s3.dualstack.eu-west-1.amazonaws.com":      true,
		"shots.example.com.s3.eu-west-1.amazonaws.com":    true,
		"amazonaws.com":                                   false,
		".amazonaws.com":                                  false,
		"ssm.us-east-1.amazonaws.com.example.org":         false,
		"ssm.us-east-1.example-amazonaws.com":             false,
		"www.example.org":                                 false,
		"ec2-192-0-2-1.eu-west-1.compute.amazonaws.com":   false,
		"ec2-192-0-2-1.compute-1.amazonaws.com":           false,
		"db.c0ffee.us-east-1.rds.amazonaws.com":           false,
		"web-1.us-east-1.elb.amazonaws.com":               false,
		"web-1.elb.us-east-1.amazonaws.com":               false,
		"abc123.execute-api.us-east-1.amazonaws.com":      false,
		"search-x.us-east-1.es.amazonaws.com":             false,
		"vpce-1.ssm.us-east-1.vpce.amazonaws.com":         false,
		"fs-1.efs.us-east-1.amazonaws.com":                false,
		"000000000000.dkr.ecr.us-east-1.amazonaws.com":    false,
		"shots.s3.us-east-1.evil.us-east-1.amazonaws.com": false,
	} {
		if got := arn.ServiceHost(name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
