// Package arn builds and parses Amazon Resource Names.
//
// Format: arn:partition:service:region:account:resource.
package arn

import (
	"fmt"
	"strings"
)

const (
	// Account is the account number of a single installation: tools insist on
	// twelve digits, and this is the number that local stacks have come to use.
	Account = "000000000000"
	// Region is the default region.
	Region = "us-east-1"
)

// ARN is a parsed resource name.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Parse reads a resource name; it does not check that the service exists.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[1] == "" || p[2] == "" || p[5] == "" {
		return ARN{}, fmt.Errorf("%q is not a resource name of the form arn:partition:service:region:account:resource", s)
	}
	return ARN{p[1], p[2], p[3], p[4], p[5]}, nil
}

// Function is the name of a function.
func Function(region, name string) string { return of("lambda", region, "function:"+name) }

// Topic is the name of a topic.
func Topic(region, name string) string { return of("sns", region, name) }

// Rule is the name of a schedule's rule.
func Rule(region, name string) string { return of("events", region, "rule/"+name) }

// Queue is the name of a queue.
func Queue(region, name string) string { return of("sqs", region, name) }

// Bucket is the name of a bucket, which has neither region nor account.
func Bucket(name string) string { return ARN{Partition: "aws", Service: "s3", Resource: name}.String() }

// Role is the name of a role; its path begins and ends with /.
func Role(path, name string) string { return of("iam", "", "role"+path+name) }

// Policy is the name of a managed policy; its path begins and ends with /.
func Policy(path, name string) string { return of("iam", "", "policy"+path+name) }

// Certificate is the name of a certificate that was imported.
func Certificate(region, id string) string { return of("acm", region, "certificate/"+id) }

func of(service, region, resource string) string {
	return ARN{"aws", service, region, Account, resource}.String()
}
