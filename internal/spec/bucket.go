package spec

import (
	"regexp"
	"slices"
	"strings"
)

// Bucket is an AWS::S3::Bucket, or a bucket that an event names.
type Bucket struct {
	Pos       Pos
	LogicalID string
	Name      string
	Declared  bool
	Policy    Policy       // without a Document: none
	CORS      []BucketCORS `json:",omitempty"`
}

// BucketCORS says which pages of other origins may ask a bucket for what.
type BucketCORS struct {
	ID                                string
	Methods, Origins, Headers, Expose []string
	MaxAge                            *int // seconds
}

// Notification is a LambdaConfiguration of an AWS::S3::Bucket.
type Notification struct {
	Pos                           Pos
	Bucket, Event, Prefix, Suffix string
	Function                      string // name or name:qualifier
}

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// bucket reads an AWS::S3::Bucket: its name now, and what names functions later.
func (r *reader) bucket(f field, n *node) {
	what := "resource " + f.key
	b := Bucket{Pos: f.pos, LogicalID: f.key, Name: strings.ToLower(r.svc.Stack() + "-" + f.key), Declared: true}
	pos := f.pos
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"BucketName":        func(v *node) { b.Name, pos = r.value(v, what+".BucketName"), v.pos },
			"CorsConfiguration": func(v *node) { b.CORS = r.bucketCORS(v, what+".CorsConfiguration") },
			"NotificationConfiguration": func(v *node) {
				r.later = append(r.later, func() { r.notifications(b.Name, v, what+".NotificationConfiguration") })
			},
		}, effects{})
	})
	r.bucketName(b.Name, pos)
	r.names[f.key] = bucketResource(r.svc.Region, b.Name)
	r.svc.Buckets = append(r.svc.Buckets, b)
}

func (r *reader) bucketCORS(n *node, what string) (rules []BucketCORS) {
	r.object(n, what, keys{"CorsRules": func(v *node) {
		what := what + ".CorsRules"
		r.each(v, what, func(v *node) {
			var c BucketCORS
			words := func(into *[]string, key string) func(*node) {
				return func(v *node) { *into = r.strings(v, what+"."+key) }
			}
			r.object(v, what, keys{
				"Id":             func(v *node) { c.ID = r.str(v, what+".Id") },
				"AllowedMethods": words(&c.Methods, "AllowedMethods"), "AllowedOrigins": words(&c.Origins, "AllowedOrigins"),
				"AllowedHeaders": words(&c.Headers, "AllowedHeaders"), "ExposedHeaders": words(&c.Expose, "ExposedHeaders"),
				"MaxAge": func(v *node) { c.MaxAge = new(r.integer(v, what+".MaxAge", 0, 1<<31-1)) },
			}, effects{})
			if v.kind == object && (len(c.Methods) == 0 || len(c.Origins) == 0) {
				r.fail(v.pos, "%s: a rule wants AllowedMethods and AllowedOrigins", what)
			}
			rules = append(rules, c)
		})
	}}, effects{})
	return rules
}

// notifications reads which functions are told of what changes in a bucket.
func (r *reader) notifications(bucket string, n *node, what string) {
	const elsewhere = "a bucket's events go to functions here; let one pass them on"
	r.object(n, what, keys{"LambdaConfigurations": func(v *node) {
		what := what + ".LambdaConfigurations"
		r.each(v, what, func(v *node) { r.notification(Notification{Pos: v.pos, Bucket: bucket}, v, what) })
	}}, effects{"TopicConfigurations": elsewhere, "QueueConfigurations": elsewhere, "EventBridgeConfiguration": elsewhere})
}

func (r *reader) notification(to Notification, n *node, what string) {
	r.object(n, what, keys{
		"Event": func(v *node) { to.Event = r.s3Event(v, what+".Event") },
		"Function": func(v *node) {
			target := r.value(v, what+".Function")
			var ok bool
			if to.Function, ok = functionOf(target); !ok && target != "" {
				r.fail(v.pos, "%s.Function: %q is not the ARN of a function of this account", what, target)
			}
		},
		"Filter": func(v *node) {
			r.object(v, what+".Filter", keys{"S3Key": func(v *node) {
				r.object(v, what+".Filter.S3Key", keys{"Rules": func(v *node) {
					r.each(v, what+".Filter.S3Key.Rules", func(v *node) { r.keyRule(&to, v, what+".Filter.S3Key.Rules") })
				}}, effects{})
			}}, effects{})
		},
	}, effects{})
	if n.kind == object && (n.get("Event") == nil || n.get("Function") == nil) {
		r.fail(n.pos, "%s wants an Event and a Function", what)
		return
	}
	r.svc.Notifications = append(r.svc.Notifications, to)
}

func (r *reader) keyRule(to *Notification, n *node, what string) {
	var name, value string
	r.object(n, what, keys{
		"Name":  func(v *node) { name = r.choice(v, what+".Name", "prefix", "suffix") },
		"Value": func(v *node) { value = r.value(v, what+".Value") },
	}, effects{})
	if name == "suffix" {
		to.Suffix = value
	} else {
		to.Prefix = value
	}
}

// bucketPolicy reads an AWS::S3::BucketPolicy for a bucket of this service.
func (r *reader) bucketPolicy(f field, n *node) {
	what := "resource " + f.key
	var policy, bucket *node
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{"PolicyDocument": set(&policy), "Bucket": set(&bucket)}, effects{})
	})
	if policy == nil || bucket == nil {
		r.fail(f.pos, "%s wants a PolicyDocument and a Bucket", what)
		return
	}
	name := r.value(bucket, what+".Bucket")
	i := slices.IndexFunc(r.svc.Buckets, func(b Bucket) bool { return b.Name == name })
	if i >= 0 {
		r.svc.Buckets[i].Policy = r.document(policy, f.key, what+".PolicyDocument")
	} else if name != "" {
		r.fail(bucket.pos, "%s: %q is none of this service's buckets", what, name)
	}
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
	b := Bucket{Pos: pos, Name: name}
	for _, said := range r.buckets {
		if said.Name == name {
			b.CORS = said.CORS
		}
	}
	r.svc.Buckets = append(r.svc.Buckets, b)
}
