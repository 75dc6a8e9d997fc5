package cloudformation

import (
	"strings"
	"unicode"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/wire"
)

// nativeStack is a stack that the deploy command has made, as a template's would be
// seen: others read its outputs.
func (s *Stacks) nativeStack(name string) Stack {
	id, _ := s.native(name)
	r, _ := s.Deployer.Active(name)
	return Stack{
		StackId: id, StackName: name, Description: "deployed by dropstack", CreationTime: wire.At(r.Created), StackStatus: creating + complete,
		Outputs: shownOutputs(r.Answering(s.URL)), DriftInformation: notChecked,
	}
}

// nativeEvents is all that is known of how such a stack came about.
func (s *Stacks) nativeEvents(id, name string) DescribeStackEventsOutput {
	r, _ := s.Deployer.Active(name)
	return DescribeStackEventsOutput{StackEvents: []StackEvent{{
		StackId: id, EventId: r.ID, StackName: name, LogicalResourceId: name, PhysicalResourceId: id, ResourceType: stackType,
		Timestamp: wire.At(r.Created), ResourceStatus: creating + complete, ResourceStatusReason: "deployed by dropstack, revision " + r.ID,
	}}}
}

// nativeResources are the parts of a revision, with logical ids that are made of
// their names.
func (s *Stacks) nativeResources(name string) []StackResource {
	id, _ := s.native(name)
	r, ok := s.Deployer.Active(name)
	if !ok {
		return nil
	}
	var list []StackResource
	add := func(kind, physical, logical, suffix string) {
		list = append(list, StackResource{
			StackId: id, StackName: name, LogicalResourceId: logicalOf(strings.TrimPrefix(logical, name+"-")) + suffix, PhysicalResourceId: physical,
			ResourceType: kind, Timestamp: wire.At(r.Created), ResourceStatus: creating + complete, DriftInformation: ResourceDrift{notChecked.StackDriftStatus},
		})
	}
	for _, f := range r.Functions {
		add("AWS::Lambda::Function", f.Name, f.Name, "LambdaFunction")
	}
	for _, role := range r.Roles {
		add("AWS::IAM::Role", role.Name, role.Name, "Role")
	}
	for _, a := range r.APIs {
		switch a.Kind {
		case gateway.REST:
			add("AWS::ApiGateway::RestApi", a.ID, "ApiGatewayRestApi", "")
		case gateway.HTTP:
			add("AWS::ApiGatewayV2::Api", a.ID, "HttpApi", "")
		}
	}
	s.nativeSources(r, add)
	return list
}

func (s *Stacks) nativeSources(r *deploy.Revision, add func(kind, physical, logical, suffix string)) {
	for _, t := range r.Topics {
		add("AWS::SNS::Topic", t.ARN, t.Name, "Topic")
	}
	for _, q := range r.Queues {
		add("AWS::SQS::Queue", q.Name, q.Name, "Queue")
	}
	for _, one := range r.Schedules {
		add("AWS::Events::Rule", one.Name, one.Name, "Rule")
	}
	for _, d := range r.Distributions {
		add("AWS::CloudFront::Distribution", d.ID, d.ID, "Distribution")
	}
	for _, acl := range r.WebACLs {
		add("AWS::WAFv2::WebACL", acl.ARN, acl.Name, "WebACL")
	}
	for _, bucket := range r.Buckets {
		add(bucketType, bucket, bucket, "Bucket")
	}
}

// logicalOf is a name as a logical id: letters and digits, each word with a capital.
func logicalOf(name string) string {
	var b strings.Builder
	capital := true
	for _, c := range name {
		switch {
		case c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c):
			capital = true
		case capital:
			b.WriteRune(unicode.ToUpper(c))
			capital = false
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
