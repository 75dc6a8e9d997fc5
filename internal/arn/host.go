package arn

import (
	"regexp"
	"strings"
)

// serviceHost is SERVICE.REGION.amazonaws.com, or without the region; before s3 and
// its older spelling s3-REGION there may be a bucket, whose name may have dots.
var serviceHost = func() *regexp.Regexp {
	const region = `[a-z]{2}(?:-[a-z]+)+-[0-9]+`
	return regexp.MustCompile(`^(?:[a-z0-9-]+(?:\.` + region + `)?|(?:[a-z0-9_.-]+\.)?s3(?:[.-]` + region + `|\.dualstack\.` + region + `)?)\.amazonaws\.com$`)
}()

// ServiceHost reports whether a host name is that of an AWS service, or of a bucket
// of S3. The hosts that Amazon gives to what customers have made there, such as
// databases, load balancers and machines, are none.
func ServiceHost(name string) bool {
	return strings.HasSuffix(name, ".amazonaws.com") && serviceHost.MatchString(name)
}
