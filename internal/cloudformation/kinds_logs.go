package cloudformation

import (
	"context"
	"regexp"
	"slices"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

const logGroupType = "AWS::Logs::LogGroup"

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
	if in.has("DeletionProtectionEnabled") {
		g.Protected = new(in.flag("DeletionProtectionEnabled"))
	}
	in.known("ResourcePolicyDocument", "BearerTokenAuthenticationEnabled")
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.LogGroups = append(p.revision.LogGroups, g)
	return Identity{Physical: g.Name, Attributes: map[string]string{"Arn": logs.ARN(p.region, g.Name) + ":*"}}, nil
}

// eraseLogs deletes a log group with its records, unless an active revision has it:
// as declared there too, or as the group of a function.
func (c *change) eraseLogs(ctx context.Context, name string) error {
	for _, r := range c.Deployer.List() {
		declared := slices.ContainsFunc(r.LogGroups, func(g logs.Declared) bool { return g.Name == name })
		if declared || slices.ContainsFunc(r.Functions, func(f function.Function) bool { return "/aws/lambda/"+f.Name == name }) {
			return nil
		}
	}
	_, err := c.Logs.DeleteLogGroup(ctx, logs.LogGroupNameInput{LogGroupName: name})
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}

// logStream is AWS::Logs::LogStream: streams are made by what writes to them.
func logStream(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("LogGroupName")
	in.known("LogGroupName")
	return Identity{Physical: p.name(r, in.text("LogStreamName"), 512)}, in.done(p)
}
