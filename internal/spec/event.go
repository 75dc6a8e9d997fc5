package spec

import "strings"

// event reads one item of a function's events: a map of one key, the kind. Kinds
// that need no details, all of them foreign to us, are also a mere word. payload is
// the version of the events of httpApi.
func (r *reader) event(fn *Function, n *node, payload string) {
	if n.kind == text {
		r.foreign(fn, n.text, n.pos)
		return
	}
	if n.kind != object || len(n.fields) != 1 {
		r.fail(n.pos, `an event is a map with one key, its kind, such as "- httpApi: GET /drops"`)
		return
	}
	f := n.fields[0]
	v := r.vars.resolve(f.value)
	if v.kind == broken {
		return
	}
	e := Event{Pos: f.pos}
	what := "functions." + fn.Key + "." + f.key
	there := false
	switch f.key {
	case "http":
		e.HTTP = r.http(v, what)
		there = e.HTTP != nil
	case "httpApi":
		if e.HTTPAPI = r.httpAPI(v, what); e.HTTPAPI != nil {
			e.HTTPAPI.Payload, there = payload, true
		}
	case "sns":
		e.SNS = r.sns(v, what)
		there = e.SNS != nil
	case "sqs":
		e.SQS = r.sqs(v, what)
		there = e.SQS != nil
	case "schedule":
		e.Schedule = r.schedule(v, what)
		there = e.Schedule != nil
	case "eventBridge", "cloudwatchEvent":
		e.Rule = r.eventRule(v, f.key, what)
		there = e.Rule != nil
	case "stream":
		if e.Access = r.accessStream(v, what); e.Access == nil {
			r.foreign(fn, f.key, f.pos)
		}
		there = e.Access != nil
	case "s3":
		e.S3 = r.s3(v, what)
		there = e.S3 != nil
	default:
		r.foreign(fn, f.key, f.pos)
	}
	if there {
		fn.Events = append(fn.Events, e)
	}
}

// foreignEvents are kinds of event that nothing here sends, and what to do instead.
var foreignEvents = map[string]string{
	"stream":               "there are no streams of DynamoDB and Kinesis here but of what the edge answers, arn:aws:kinesis:REGION:ACCOUNT:stream/edge-access; publish to a topic (sns) or a queue (sqs)",
	"kafka":                "the platform does not poll Kafka; let a consumer of your own invoke the function",
	"msk":                  "the platform does not poll Kafka; let a consumer of your own invoke the function",
	"activemq":             "the platform does not poll ActiveMQ; let a consumer of your own invoke the function, or use a queue (sqs)",
	"rabbitmq":             "the platform does not poll RabbitMQ; let a consumer of your own invoke the function, or use a queue (sqs)",
	"websocket":            "WebSockets are not served yet; use httpApi, or a function URL that streams its response",
	"alb":                  "there are no load balancers here; use http or httpApi",
	"cognitoUserPool":      "there are no user pools here; sign users in at a provider of OpenID Connect, and check its tokens with an authorizer of type jwt",
	"cloudwatchLog":        "records of a log are not sent to functions yet; search them with `aws logs filter-log-events`",
	"iot":                  "there is no MQTT broker here; let a client of your own invoke the function, or publish to a topic (sns)",
	"iotFleetProvisioning": "there is no fleet of devices here",
	"alexaSkill":           "serve the skill with httpApi, and check Alexa's signature in the function",
	"alexaSmartHome":       "serve the skill with httpApi, and check Alexa's signature in the function",
	"cloudFront":           "functions are not run at the edge; use httpApi behind custom.dropstack.distributions",
	"documentDb":           "changes of a database are not sent here; publish to a topic (sns) where they are made",
}

// foreign refuses an event that would never come.
func (r *reader) foreign(fn *Function, kind string, pos Pos) {
	if advice := foreignEvents[kind]; advice != "" {
		r.fail(pos, "events of kind %s are not supported: function %s would never be called by them: %s", kind, fn.Key, advice)
		return
	}
	r.warn(pos, "events of kind %s are not known: function %s will not be called by them", kind, fn.Key)
}

// isIntrinsic tells {Ref: X} and {Fn::…: …} from other maps.
func isIntrinsic(n *node) bool {
	return n.kind == object && len(n.fields) == 1 && (n.fields[0].key == "Ref" || strings.HasPrefix(n.fields[0].key, "Fn::"))
}
