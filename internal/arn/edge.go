package arn

import (
	"regexp"
	"strings"
)

// DistributionID is the id of a distribution that a template declares: "E" and 13
// letters and digits, as AWS makes them.
func DistributionID(stack, logicalID string) string {
	return "E" + strings.ToUpper(ID(13, stack, "distribution", logicalID))
}

// Distribution is the name of a distribution.
func Distribution(id string) string { return of("cloudfront", "", "distribution/"+id) }

// DistributionDomain is a distribution's host name of its own.
func DistributionDomain(id string) string {
	if !label.MatchString(id) && !distributionID.MatchString(id) {
		id = "d" + ID(13, "distribution domain", id) // no name of a host, or one that differs from another's by case
	}
	return strings.ToLower(id) + ".cloudfront.localhost"
}

var (
	label          = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	distributionID = regexp.MustCompile(`^E[A-Z0-9]{13}$`)
)

// Firewall is the name of a thing of WAFv2: kind is webacl, ipset or
// regexpatternset, scope REGIONAL or CLOUDFRONT.
func Firewall(region, scope, kind, name, id string) string {
	where := "regional"
	if scope == "CLOUDFRONT" {
		region, where = "us-east-1", "global"
	}
	return of("wafv2", region, where+"/"+kind+"/"+name+"/"+id)
}
