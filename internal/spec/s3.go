package spec

import (
	"fmt"
	"regexp"
)

var s3Event = regexp.MustCompile(`^s3:[A-Za-z]+:(\*|[A-Za-z]+)$`)

// providerBuckets reads provider.s3: buckets by the keys that events name them by.
func (r *reader) providerBuckets(n *node) {
	if !r.is(n, object, "provider.s3") {
		return
	}
	for _, f := range n.fields {
		what, name := "provider.s3."+f.key, f.key
		var cors []BucketCORS
		r.object(f.value, what, keys{
			"name":              func(v *node) { name = r.value(v, what+".name") },
			"corsConfiguration": func(v *node) { cors = r.bucketCORS(v, what+".corsConfiguration") },
		}, effects{})
		r.buckets[f.key] = Bucket{Name: name, CORS: cors}
	}
}

// bucketOf reads the name of a bucket, or its key in provider.s3.
func (r *reader) bucketOf(n *node, what string) string {
	name := r.value(n, what)
	if own, ok := r.buckets[name]; ok {
		return own.Name
	}
	return name
}

func (r *reader) s3(n *node, what string) *S3Event {
	e := &S3Event{Event: "s3:ObjectCreated:*"}
	pos := n.pos
	if n.scalar() || isIntrinsic(n) {
		e.Bucket = r.bucketOf(n, what)
	} else {
		r.object(n, what, keys{
			"bucket":      func(v *node) { e.Bucket, pos = r.bucketOf(v, what+".bucket"), v.pos },
			"event":       func(v *node) { e.Event = r.s3Event(v, what+".event") },
			"rules":       func(v *node) { r.each(v, what+".rules", func(v *node) { r.s3Rule(e, v, what+".rules") }) },
			"existing":    func(v *node) { r.boolean(v, what+".existing") }, // none is made anew, and one that is not there is
			"forceDeploy": nil,
		}, effects{})
	}
	if e.Bucket == "" {
		if n.kind != object || n.get("bucket") == nil {
			r.fail(n.pos, "%s wants the name of a bucket", what)
		}
		return nil
	}
	r.useBucket(e.Bucket, pos)
	return e
}

func (r *reader) s3Event(n *node, what string) string {
	event := r.str(n, what)
	if !s3Event.MatchString(event) && n.kind != broken {
		r.fail(n.pos, "%s must be such as s3:ObjectCreated:*, not %q", what, event)
	}
	return event
}

func (r *reader) s3Rule(e *S3Event, n *node, what string) {
	set := func(into *string, key string) func(*node) {
		return func(v *node) {
			if *into != "" {
				r.fail(v.pos, "%s: a second %s; S3 takes one", what, key)
			}
			*into = r.value(v, fmt.Sprint(what, ".", key))
		}
	}
	r.object(n, what, keys{"prefix": set(&e.Prefix, "prefix"), "suffix": set(&e.Suffix, "suffix")}, effects{})
}
