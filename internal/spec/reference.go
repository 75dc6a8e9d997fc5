package spec

import (
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// resource is what Ref and Fn::GetAtt may ask of a logical id.
type resource struct {
	name string
	ref  string
	atts map[string]string
}

func functionResource(region, name string) resource {
	return resource{name, name, map[string]string{"Arn": arn.Function(region, name)}}
}

func topicResource(region, name string) resource {
	a := arn.Topic(region, name)
	return resource{name, a, map[string]string{"TopicArn": a, "TopicName": name, "Arn": a}}
}

func bucketResource(region, name string) resource {
	return resource{name, name, map[string]string{
		"Arn": arn.Bucket(name), "DomainName": name + ".s3.amazonaws.com", "RegionalDomainName": name + ".s3." + region + ".amazonaws.com",
	}}
}

// logicalID is how the Serverless Framework begins the logical ids of what has the
// key.
func logicalID(key string) string {
	id := strings.NewReplacer("-", "Dash", "_", "Underscore").Replace(key)
	return strings.ToUpper(id[:1]) + id[1:]
}

// LogicalID is what the Serverless Framework calls the function in a template.
func (f *Function) LogicalID() string { return logicalFunction(f.Key) }

func logicalFunction(key string) string { return logicalID(key) + "LambdaFunction" }

// value reads a string that may be made of CloudFormation's functions.
func (r *reader) value(n *node, what string) string {
	if n = r.pseudoParameters(r.vars.resolve(n)); n == nil || n.kind != object {
		return r.str(n, what)
	}
	if !r.spend(n) {
		return ""
	}
	if len(n.fields) != 1 {
		r.fail(n.pos, "%s must be a string or one of Ref, Fn::GetAtt, Fn::Sub, Fn::Join", what)
		return ""
	}
	f := n.fields[0]
	arg := r.vars.resolve(f.value)
	if arg.kind == broken {
		return ""
	}
	switch f.key {
	case "Ref":
		return r.ref(r.str(arg, what), arg.pos)
	case "Fn::GetAtt":
		parts := r.strings(arg, what)
		if len(parts) == 1 {
			parts = strings.SplitN(parts[0], ".", 2)
		}
		if len(parts) != 2 {
			r.fail(arg.pos, "%s: Fn::GetAtt wants a logical id and an attribute, such as [Topic, TopicArn]", what)
			return ""
		}
		return r.att(parts[0], parts[1], arg.pos)
	case "Fn::Sub":
		return r.substitute(arg, what)
	case "Fn::Join":
		return r.join(arg, what)
	case "Fn::ImportValue":
		return r.imported(arg, what)
	case "Fn::Base64":
		return r.base64(arg, what)
	case "Fn::ToJsonString":
		return r.text(r.jsonOf(arg, what), arg, what)
	}
	r.fail(f.pos, "%s: %s is not supported; known are Ref, Fn::GetAtt, Fn::Sub, Fn::Join, Fn::If, Fn::FindInMap, Fn::Select, Fn::Split, Fn::ImportValue, Fn::Base64 and Fn::ToJsonString", what, f.key)
	return ""
}

func (r *reader) ref(id string, pos Pos) string {
	switch id {
	case "AWS::Region":
		return r.svc.Region
	case "AWS::AccountId":
		return arn.Account
	case "AWS::Partition":
		return "aws"
	case "AWS::StackName":
		return r.svc.Stack()
	case "AWS::StackId":
		return arn.ARN{Partition: "aws", Service: "cloudformation", Region: r.svc.Region, Account: arn.Account, Resource: "stack/" + r.svc.Stack() + "/" + arn.UUID(r.svc.Stack())}.String()
	case "AWS::URLSuffix":
		return "amazonaws.com"
	}
	if value, ok := r.parameter(id, pos); ok {
		return value
	}
	res, ok := r.named(id, "")
	if !ok {
		r.fail(pos, "Ref %q is none of this service's functions, layers, topics, queues, buckets, buses, APIs, roles and networks", id)
	}
	return res.ref
}

func (r *reader) att(id, att string, pos Pos) string {
	res, ok := r.named(id, att)
	if !ok {
		r.fail(pos, "Fn::GetAtt %q is none of this service's functions, layers, topics, queues, buckets, buses, APIs, roles and networks", id)
		return ""
	}
	v, ok := res.atts[att]
	if !ok {
		r.fail(pos, "Fn::GetAtt: %s has no attribute %q here", id, att)
	}
	return v
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

func (r *reader) substitute(arg *node, what string) string {
	own := map[string]*node{}
	if arg.kind == list && len(arg.items) == 2 {
		for _, f := range r.vars.resolve(arg.items[1]).fields {
			own[f.key] = f.value
		}
		arg = r.vars.resolve(arg.items[0])
	}
	return placeholder.ReplaceAllStringFunc(r.str(arg, what), func(m string) string {
		id := strings.TrimSpace(m[2 : len(m)-1])
		if literal, ok := strings.CutPrefix(id, "!"); ok {
			return "${" + literal + "}"
		}
		if v := own[id]; v != nil {
			return r.value(v, what)
		}
		if id, att, ok := strings.Cut(id, "."); ok {
			return r.att(id, att, arg.pos)
		}
		return r.ref(id, arg.pos)
	})
}

func (r *reader) join(arg *node, what string) string {
	if arg.kind != list || len(arg.items) != 2 {
		r.fail(arg.pos, "%s: Fn::Join wants a separator and a list", what)
		return ""
	}
	var parts []string
	r.each(arg.items[1], what, func(n *node) { parts = append(parts, r.value(n, what)) })
	return strings.Join(parts, r.str(arg.items[0], what))
}
