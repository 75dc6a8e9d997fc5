package cloudformation

import (
	"context"
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/logs"
)

var groupName = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// logGroup is AWS::Logs::LogGroup.
func logGroup(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	g := logs.Declared{Name: p.name(r, in.text("LogGroupName"), 512), Retention: in.numberOr("RetentionInDays", 1, 3653, 0), Tags: in.tags("Tags")}
	if !groupName.MatchString(g.Name) {
		in.fail("LogGroupName", "%q must be 1 to 512 letters, digits and . - _ / #", g.Name)
	}
	if g.Retention != 0 && !slices.Contains(logs.Retentions, g.Retention) {
		in.fail("RetentionInDays", "%d is none of %v", g.Retention, logs.Retentions)
	}
	in.choice("LogGroupClass", "STANDARD", "INFREQUENT_ACCESS")
	in.idle("records lie on the platform's disk as they are; encrypt the disk", "KmsKeyId")
	in.idle("records are kept as they are written", "DataProtectionPolicy", "FieldIndexPolicies")
	in.known("DeletionProtectionEnabled", "ResourcePolicyDocument", "BearerTokenAuthenticationEnabled") // records outlive the stack anyway
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.LogGroups = append(p.revision.LogGroups, g)
	return Identity{Physical: g.Name, Attributes: map[string]string{"Arn": logs.ARN(p.region, g.Name) + ":*"}}, nil
}

// logStream is AWS::Logs::LogStream: streams are made by what writes to them.
func logStream(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("LogGroupName")
	in.known("LogGroupName")
	return Identity{Physical: p.name(r, in.text("LogStreamName"), 512)}, in.done(p)
}
