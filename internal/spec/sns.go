package spec

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

var topicName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}$`)

// sns reads an event of a topic. A plain name makes the topic, an ARN is one that
// is there or will be.
func (r *reader) sns(n *node, what string) *SNSEvent {
	var target, name string
	var display *Attribute
	e := &SNSEvent{}
	pos := n.pos
	if n.scalar() || isIntrinsic(n) {
		target = r.value(n, what)
	} else {
		r.object(n, what, keys{
			"arn":       func(v *node) { target, pos = r.value(v, what+".arn"), v.pos },
			"topicName": func(v *node) { name, pos = r.value(v, what+".topicName"), v.pos },
			"displayName": func(v *node) {
				display = &Attribute{v.pos, "DisplayName", r.str(v, what+".displayName")}
			},
			"filterPolicy": func(v *node) {
				if r.is(v, object, what+".filterPolicy") {
					e.add(v.pos, "FilterPolicy", r.text(r.plainValue(v), v, what))
				}
			},
			"filterPolicyScope": func(v *node) { e.add(v.pos, "FilterPolicyScope", r.str(v, what+".filterPolicyScope")) },
			"redrivePolicy":     func(v *node) { e.redrive(r, v, what+".redrivePolicy") },
		}, effects{})
	}
	if target == "" && name == "" {
		if n.scalar() || n.get("arn") == nil && n.get("topicName") == nil && !isIntrinsic(n) {
			r.fail(n.pos, "%s wants the name or the arn of a topic", what)
		}
		return nil
	}
	e.Topic, e.ARN = name, target
	foreign := false
	if a, err := arn.Parse(target); err == nil && a.Service == "sns" {
		e.Topic, foreign = a.Resource, true
	} else if strings.HasPrefix(target, "arn:") || (name != "" && target != "") {
		r.fail(pos, "%s: %q is not the ARN of a topic", what, target)
		return nil
	} else if name == "" {
		e.Topic = target
	}
	if e.ARN == e.Topic || e.ARN == "" {
		e.ARN = arn.Topic(r.svc.Region, e.Topic)
	}
	if t := r.useTopic(e.Topic, pos); t != nil {
		t.Foreign = t.Foreign && foreign
		if display != nil && !t.Declared {
			t.Attributes = append(t.Attributes, *display)
		}
	}
	return e
}

func (e *SNSEvent) add(pos Pos, name, value string) {
	e.Attributes = append(e.Attributes, Attribute{pos, name, value})
}

// redrive reads where messages go that could not be delivered: an ARN, or what
// refers to one, as the Serverless Framework writes it.
func (e *SNSEvent) redrive(r *reader, n *node, what string) {
	to := func(v *node, target string) {
		e.add(n.pos, "RedrivePolicy", r.text(map[string]any{"deadLetterTargetArn": target}, v, what))
	}
	r.object(n, what, keys{
		"deadLetterTargetArn": func(v *node) { to(v, r.value(v, what)) },
		"deadLetterTargetRef": func(v *node) { to(v, r.att(r.str(v, what+".deadLetterTargetRef"), "Arn", v.pos)) },
		"deadLetterTargetImport": func(v *node) {
			r.object(v, what+".deadLetterTargetImport", keys{
				"arn": func(v *node) { to(v, r.imported(v, what+".deadLetterTargetImport.arn")) },
				"url": nil, // a queue is known by its ARN
			}, effects{})
		},
	}, effects{})
}

// text is a value as JSON.
func (r *reader) text(v any, n *node, what string) string {
	doc, err := json.Marshal(v)
	if err != nil {
		r.fail(n.pos, "%s cannot be written as JSON: %v", what, err)
	}
	return string(doc)
}

// jsonOf is a value in which CloudFormation's functions are worked out. A string
// of JSON is taken as it is.
func (r *reader) jsonOf(n *node, what string) any {
	if n = r.vars.resolve(n); !r.spend(n) {
		return nil
	}
	switch {
	case isIntrinsic(n):
		return r.value(n, what)
	case n.kind == list:
		out := []any{}
		for _, item := range n.items {
			out = append(out, r.jsonOf(item, what))
		}
		return out
	case n.kind == object:
		out := map[string]any{}
		for _, f := range n.fields {
			out[f.key] = r.jsonOf(f.value, what)
		}
		return out
	}
	return r.plainValue(n)
}

// attribute reads an attribute that is JSON: a map, or the text of one.
func (r *reader) attribute(to *[]Attribute, name, what string) func(*node) {
	return func(v *node) {
		value := v.text
		if v.kind != text {
			value = r.text(r.jsonOf(v, what+"."+name), v, what)
		}
		*to = append(*to, Attribute{v.pos, name, value})
	}
}

// word reads an attribute that is a word.
func (r *reader) word(to *[]Attribute, name, what string) func(*node) {
	return func(v *node) { *to = append(*to, Attribute{v.pos, name, r.value(v, what+"."+name)}) }
}

// around are the parts of a resource that say nothing of its properties.
func (r *reader) around(n *node, what string, properties func(*node)) {
	r.object(n, what, keys{
		"Type": nil, "DependsOn": nil, "Condition": nil, "DeletionPolicy": nil, "UpdateReplacePolicy": nil, "Metadata": nil,
		"Properties": properties,
	}, effects{})
}

// topic reads a resource of type AWS::SNS::Topic.
func (r *reader) topic(f field, n *node) {
	t := Topic{Pos: f.pos, LogicalID: f.key, Declared: true}
	what, pos := "resource "+f.key, f.pos
	var subs []*node
	const fifo = "messages would come in any order, and twice"
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"TopicName":        func(v *node) { t.Name, pos = r.value(v, what+".TopicName"), v.pos },
			"DisplayName":      r.word(&t.Attributes, "DisplayName", what),
			"KmsMasterKeyId":   r.word(&t.Attributes, "KmsMasterKeyId", what),
			"SignatureVersion": r.word(&t.Attributes, "SignatureVersion", what),
			"TracingConfig":    r.word(&t.Attributes, "TracingConfig", what),
			"DeliveryPolicy":   r.attribute(&t.Attributes, "DeliveryPolicy", what),
			"Subscription":     func(v *node) { r.each(v, what+".Subscription", func(v *node) { subs = append(subs, v) }) },
			"Tags":             func(v *node) { t.Tags = r.topicTags(v, what+".Tags") },
			"FifoTopic": func(v *node) {
				if r.boolean(v, what+".FifoTopic") {
					r.fail(v.pos, "%s.FifoTopic is not supported yet: %s", what, fifo)
				}
			},
			"ContentBasedDeduplication": nil,
		}, effects{"ArchivePolicy": "nothing would be archived", "DataProtectionPolicy": "messages would not be looked into"})
	})
	if t.Name == "" {
		t.Name = r.svc.Stack() + "-" + f.key
	}
	if !topicName.MatchString(t.Name) {
		r.fail(pos, "topic %q: 1 to 256 letters, digits, _ and -", t.Name)
	}
	res := topicResource(r.svc.Region, t.Name)
	r.names[f.key] = res
	r.svc.Topics = append(r.svc.Topics, t)
	for _, v := range subs {
		r.later = append(r.later, func() {
			s := Subscription{Pos: v.pos, TopicARN: res.ref}
			r.object(v, what+".Subscription", keys{
				"Protocol": func(v *node) { s.Protocol = r.str(v, what+".Subscription.Protocol") },
				"Endpoint": func(v *node) { s.Endpoint = r.value(v, what+".Subscription.Endpoint") },
			}, effects{})
			r.svc.Subscriptions = append(r.svc.Subscriptions, s)
		})
	}
}

// topicTags reads a list of {Key, Value}.
func (r *reader) topicTags(n *node, what string) map[string]string {
	tags := map[string]string{}
	r.each(n, what, func(v *node) {
		var key, value string
		r.object(v, what, keys{
			"Key":   func(v *node) { key = r.str(v, what+".Key") },
			"Value": func(v *node) { value = r.value(v, what+".Value") },
		}, effects{})
		tags[key] = value
	})
	return tags
}

// aboutTopic reads what refers to topics.
func (r *reader) aboutTopic(typ string, f field, n *node) {
	what := "resource " + f.key
	if typ == "AWS::SNS::TopicPolicy" {
		r.topicPolicy(n, what)
		return
	}
	s := Subscription{Pos: f.pos}
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"TopicArn":            func(v *node) { s.TopicARN = r.value(v, what+".TopicArn") },
			"Protocol":            func(v *node) { s.Protocol = r.str(v, what+".Protocol") },
			"Endpoint":            func(v *node) { s.Endpoint = r.value(v, what+".Endpoint") },
			"FilterPolicy":        func(v *node) { r.filter(&s.Attributes, v, what) },
			"FilterPolicyScope":   r.word(&s.Attributes, "FilterPolicyScope", what),
			"RawMessageDelivery":  r.word(&s.Attributes, "RawMessageDelivery", what),
			"RedrivePolicy":       r.attribute(&s.Attributes, "RedrivePolicy", what),
			"DeliveryPolicy":      r.attribute(&s.Attributes, "DeliveryPolicy", what),
			"SubscriptionRoleArn": r.word(&s.Attributes, "SubscriptionRoleArn", what),
			"Region":              nil,
		}, effects{"ReplayPolicy": "nothing would be replayed"})
	})
	for _, missing := range []struct{ key, value string }{{"TopicArn", s.TopicARN}, {"Protocol", s.Protocol}, {"Endpoint", s.Endpoint}} {
		if missing.value == "" {
			r.fail(f.pos, "%s has no %s", what, missing.key)
			return
		}
	}
	r.svc.Subscriptions = append(r.svc.Subscriptions, s)
}

// filter reads a filter policy, in which a lone Ref is a name like any other.
func (r *reader) filter(to *[]Attribute, v *node, what string) {
	value := v.text
	if v.kind != text {
		value = r.text(r.plainValue(v), v, what)
	}
	*to = append(*to, Attribute{v.pos, "FilterPolicy", value})
}

// topicPolicy reads a policy for topics of this service.
func (r *reader) topicPolicy(n *node, what string) {
	var policy *node
	var arns []string
	var places []Pos
	r.around(n, what, func(v *node) {
		r.object(v, what, keys{
			"PolicyDocument": func(v *node) { policy = v },
			"Topics": func(v *node) {
				r.each(v, what+".Topics", func(v *node) {
					arns, places = append(arns, r.value(v, what+".Topics")), append(places, v.pos)
				})
			},
		}, effects{})
	})
	if policy == nil || len(arns) == 0 {
		r.fail(n.pos, "%s wants a PolicyDocument and Topics", what)
		return
	}
	doc := r.text(r.jsonOf(policy, what+".PolicyDocument"), policy, what)
	for i, topic := range arns {
		found := false
		for k := range r.svc.Topics {
			t := &r.svc.Topics[k]
			if arn.Topic(r.svc.Region, t.Name) == topic && !t.Foreign {
				t.Attributes, found = append(t.Attributes, Attribute{policy.pos, "Policy", doc}), true
			}
		}
		if !found && topic != "" {
			r.fail(places[i], "%s: %q is none of this service's topics", what, topic)
		}
	}
}

// useTopic adds a topic that only an event names, and returns it.
func (r *reader) useTopic(name string, pos Pos) *Topic {
	if !topicName.MatchString(name) {
		r.fail(pos, "topic %q: 1 to 256 letters, digits, _ and -", name)
		return nil
	}
	for i := range r.svc.Topics {
		if r.svc.Topics[i].Name == name {
			return &r.svc.Topics[i]
		}
	}
	r.svc.Topics = append(r.svc.Topics, Topic{Pos: pos, Name: name, Foreign: true})
	return &r.svc.Topics[len(r.svc.Topics)-1]
}
