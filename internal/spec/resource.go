package spec

import (
	"regexp"
	"strings"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// resources reads a CloudFormation fragment, or a list of fragments.
func (r *reader) resources(n *node) {
	if n.kind == list {
		r.each(n, "resources", func(item *node) {
			if r.is(item, object, "an item of resources") {
				r.resources(item)
			}
		})
		return
	}
	r.object(n, "resources", keys{
		"Resources": func(v *node) {
			if r.is(v, object, "resources.Resources") {
				for _, f := range v.fields {
					r.resource(f)
				}
			}
		},
		"Description": nil, "AWSTemplateFormatVersion": nil,
	}, effects{})
}

func (r *reader) resource(f field) {
	n := r.vars.resolve(f.value)
	if !r.is(n, object, "resource "+f.key) {
		return
	}
	typ := r.vars.resolve(n.get("Type"))
	if typ == nil || !typ.scalar() {
		r.fail(f.pos, "resource %s has no Type", f.key)
		return
	}
	if _, twice := r.names[f.key]; twice {
		r.fail(f.pos, "resource %s is there twice", f.key)
		return
	}
	switch typ.text {
	case "AWS::SNS::Topic":
		r.topic(f, n)
	case "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy":
		r.later = append(r.later, func() { r.aboutTopic(typ.text, f, n) }) // it may refer to what is below it
	case "AWS::S3::Bucket":
		r.bucket(f, n)
	default:
		if r.nameNetwork(typ.text, f, n) || r.nameIAM(typ.text, f, n) {
			return
		}
		r.undone[f.key] = r.undeployedResource(f.key)
		r.warn(f.pos, "resource %s of type %s is not deployed", f.key, typ.text)
	}
}

// properties reads the one property of a resource that matters here.
func (r *reader) properties(f field, n *node, key string, harm effects) (value string, pos Pos) {
	pos = f.pos
	what := "resource " + f.key
	r.object(n, what, keys{
		"Type": nil, "DependsOn": nil, "DeletionPolicy": nil, "UpdateReplacePolicy": nil,
		"Properties": func(v *node) {
			r.object(v, what, keys{key: func(v *node) { value, pos = r.value(v, what+"."+key), v.pos }}, harm)
		},
	}, effects{})
	return value, pos
}

func (r *reader) bucket(f field, n *node) {
	name, pos := r.properties(f, n, "BucketName", effects{})
	if name == "" {
		name = strings.ToLower(r.svc.Stack() + "-" + f.key)
	}
	r.bucketName(name, pos)
	r.names[f.key] = bucketResource(name)
	r.svc.Buckets = append(r.svc.Buckets, Bucket{Pos: f.pos, LogicalID: f.key, Name: name, Declared: true})
}

func (r *reader) bucketName(name string, pos Pos) {
	if !bucketName.MatchString(name) || strings.Contains(name, "..") {
		r.fail(pos, "bucket %q: 3 to 63 lower-case letters, digits, - and ., with a letter or digit at both ends", name)
	}
}

// useBucket adds a bucket that only an event or an upload names.
func (r *reader) useBucket(name string, pos Pos) {
	for _, b := range r.svc.Buckets {
		if b.Name == name {
			return
		}
	}
	r.bucketName(name, pos)
	r.svc.Buckets = append(r.svc.Buckets, Bucket{Pos: pos, Name: name})
}
