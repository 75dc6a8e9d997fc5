package spec

import (
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
)

// alerts is custom.alerts, as serverless-plugin-aws-alerts reads it: definitions of
// alarms, those that all functions have, and the topics that are told. What comes of
// it are alarms as resources declare them, under the names that the plugin gives them.
type alerts struct {
	nameTemplate, prefixTemplate *node
	definitions                  map[string]definition
	global                       []*node
	topics                       map[string]string            // ARN by ok, alarm, insufficientData
	named                        map[string]map[string]string // likewise, by the name of a group of topics
	off                          bool                         // not in this stage
}

// definition is the keys of an alarm, later ones over earlier ones.
type definition map[string]*node

// defaults are the definitions that there are without saying so.
func defaultDefinitions() map[string]definition {
	of := func(metric, statistic, threshold string) definition {
		d := definition{}
		for key, value := range map[string]string{
			"namespace": "AWS/Lambda", "metric": metric, "statistic": statistic, "comparisonOperator": "GreaterThanOrEqualToThreshold",
		} {
			d[key] = plain(value, Pos{})
		}
		for key, value := range map[string]string{"threshold": threshold, "period": "60", "evaluationPeriods": "1", "datapointsToAlarm": "1"} {
			d[key] = &node{kind: number, text: value}
		}
		return d
	}
	return map[string]definition{
		"functionInvocations": of("Invocations", "Sum", "100"), "functionErrors": of("Errors", "Sum", "1"),
		"functionDuration": of("Duration", "Average", "500"), "functionThrottles": of("Throttles", "Sum", "1"),
	}
}

// definitionKeys are what a definition may say.
var definitionKeys = keys{
	"name": nil, "enabled": nil, "type": nil, "actionsEnabled": nil, "description": nil, "namespace": nil, "metric": nil, "threshold": nil,
	"statistic": nil, "period": nil, "evaluationPeriods": nil, "datapointsToAlarm": nil, "comparisonOperator": nil, "treatMissingData": nil,
	"evaluateLowSampleCountPercentile": nil, "pattern": nil, "dimensions": nil, "omitDefaultDimension": nil, "nameTemplate": nil,
	"prefixTemplate": nil, "okActions": nil, "alarmActions": nil, "insufficientDataActions": nil, "unit": nil,
}

// readAlerts reads custom.alerts once functions have names; alarms of functions are
// read with it.
func (r *reader) readAlerts(custom *node) {
	custom = r.vars.resolve(custom)
	if custom == nil || custom.kind != object {
		return
	}
	n := r.vars.resolve(custom.get("alerts"))
	if n == nil || n.kind == null {
		return
	}
	const what = "custom.alerts"
	a := &alerts{definitions: defaultDefinitions(), topics: map[string]string{}, named: map[string]map[string]string{}}
	var topics *node
	r.object(n, what, keys{
		"stages": func(v *node) { a.off = !slices.Contains(r.strings(v, what+".stages"), r.svc.Stage) },
		"topics": func(v *node) { topics = v }, "nameTemplate": set(&a.nameTemplate), "prefixTemplate": set(&a.prefixTemplate),
		"definitions": func(v *node) {
			if r.is(v, object, what+".definitions") {
				for _, f := range v.fields {
					if own := r.definition(f.value, what+".definitions."+f.key); own != nil {
						a.definitions[f.key] = overlaid(a.definitions[f.key], own)
					}
				}
			}
		},
		"alarms":   func(v *node) { a.global = append(a.global, r.items(v, what+".alarms")...) },
		"global":   func(v *node) { a.global = append(a.global, r.items(v, what+".global")...) },
		"function": func(v *node) { a.global = append(a.global, r.items(v, what+".function")...) },
		"dashboards": func(v *node) {
			r.warn(v.pos, "%s.dashboards is not made: the console has charts of every function", what)
		},
		"externalStack": func(v *node) {
			r.warn(v.pos, "%s.externalStack has no effect: the alarms are part of this stack, which has no limit of resources", what)
		},
	}, effects{})
	if a.off {
		return
	}
	if topics != nil && r.is(topics, object, what+".topics") {
		r.alertTopics(a, topics, what+".topics")
	}
	for i := range r.svc.Functions {
		r.functionAlarms(a, &r.svc.Functions[i])
	}
}

// items are those of a list; null ones are left out.
func (r *reader) items(n *node, what string) (list []*node) {
	r.each(n, what, func(v *node) { list = append(list, v) })
	return list
}

// definition is an object with the keys of an alarm; others are told.
func (r *reader) definition(n *node, what string) definition {
	if n = r.vars.resolve(n); n == nil || !r.is(n, object, what) {
		return nil
	}
	known := maps.Clone(definitionKeys)
	known["cloudFormation"] = func(*node) {}
	r.object(n, what, known, effects{})
	d := definition{}
	for _, f := range n.fields {
		if _, ok := known[f.key]; ok {
			d[f.key] = r.vars.resolve(f.value)
		}
	}
	return d
}

// overlaid is own over what was.
func overlaid(was, own definition) definition {
	d := maps.Clone(was)
	if d == nil {
		d = definition{}
	}
	maps.Copy(d, own)
	return d
}

// topicStates are whom topics are told of, and what the plugin calls their resources.
var topicStates = []string{"ok", "alarm", "insufficientData"}

func (r *reader) alertTopics(a *alerts, n *node, what string) {
	for _, f := range n.fields {
		if slices.Contains(topicStates, f.key) {
			a.topics[f.key] = r.alertTopic(f, "AwsAlerts"+upperFirst(f.key), what+"."+f.key)
			continue
		}
		group := r.vars.resolve(f.value)
		if !r.is(group, object, what+"."+f.key) {
			continue
		}
		a.named[f.key] = map[string]string{}
		for _, g := range group.fields {
			if !slices.Contains(topicStates, g.key) {
				r.fail(g.pos, "%s.%s.%s is none of %s", what, f.key, g.key, strings.Join(topicStates, ", "))
				continue
			}
			a.named[f.key][g.key] = r.alertTopic(g, "AwsAlerts"+upperFirst(f.key)+upperFirst(g.key), what+"."+f.key+"."+g.key)
		}
	}
}

// alertTopic is the ARN of a topic, which a plain name makes.
func (r *reader) alertTopic(f field, id, what string) string {
	n := r.vars.resolve(f.value)
	if n == nil || n.kind == null || n.kind == broken {
		return ""
	}
	var notifications *node
	topic := n
	if n.kind == object && !isIntrinsic(n) {
		topic = nil
		r.object(n, what, keys{"topic": set(&topic), "notifications": set(&notifications)}, effects{})
		if topic = r.vars.resolve(topic); topic == nil {
			r.fail(n.pos, "%s wants a topic", what)
			return ""
		}
	}
	name := r.value(topic, what)
	if name == "" || isIntrinsic(topic) || strings.HasPrefix(name, "arn:") {
		return name
	}
	if !topicName.MatchString(name) {
		r.fail(topic.pos, "%s: topic name %q: letters, digits, _ and - only", what, name)
		return ""
	}
	r.names[id] = topicResource(r.svc.Region, name)
	if t := r.useTopic(name, topic.pos); t != nil {
		t.Foreign = false
	}
	at := arn.Topic(r.svc.Region, name)
	if notifications = r.vars.resolve(notifications); notifications != nil {
		r.each(notifications, what+".notifications", func(v *node) {
			s := Subscription{Pos: v.pos, TopicARN: at}
			r.object(v, what+".notifications", keys{
				"protocol": func(v *node) { s.Protocol = strings.ToLower(r.str(v, what+".notifications.protocol")) },
				"endpoint": func(v *node) { s.Endpoint = r.value(v, what+".notifications.endpoint") },
			}, effects{})
			if s.Protocol == "" || s.Endpoint == "" {
				r.fail(v.pos, "%s.notifications wants a protocol and an endpoint", what)
				return
			}
			r.svc.Subscriptions = append(r.svc.Subscriptions, s)
		})
	}
	return at
}

func upperFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// functionAlarms makes the alarms of a function: those of all, with its own over
// them.
func (r *reader) functionAlarms(a *alerts, fn *Function) {
	type listed struct {
		definition
		pos Pos
	}
	found := map[string]listed{}
	var order []string
	for _, n := range append(slices.Clone(a.global), r.ownAlarms[fn.Key]...) {
		what := "an alarm of function " + fn.Key
		var name string
		var d definition
		if n.scalar() {
			name = n.text
			if a.definitions[name] == nil {
				r.fail(n.pos, "alarm %q is not defined; there are %s", name, strings.Join(slices.Sorted(maps.Keys(a.definitions)), ", "))
				continue
			}
			d = a.definitions[name]
		} else {
			own := r.definition(n, what)
			if name = r.str(own["name"], what+".name"); name == "" {
				if own != nil {
					r.fail(n.pos, "%s wants a name", what)
				}
				continue
			}
			d = overlaid(a.definitions[name], own)
		}
		id := logicalID(fn.Key) + logicalID(name) + "Alarm"
		if _, again := found[id]; !again {
			order = append(order, id)
		}
		found[id] = listed{overlaid(definition{"name": plain(name, n.pos)}, d), n.pos}
	}
	for _, id := range order {
		d := found[id]
		if v := d.definition["enabled"]; v != nil && !r.boolean(v, "enabled") {
			continue
		}
		r.defined(a, fn, id, d.pos, d.definition)
	}
}

// defined makes the alarm of a definition for a function.
func (r *reader) defined(a *alerts, fn *Function, id string, pos Pos, d definition) {
	what := "alarm " + d["name"].text + " of function " + fn.Key
	text := func(key string) string { return r.str(d[key], what+"."+key) }
	p := map[string]any{}
	put := func(property, key string) {
		if v := d[key]; v != nil && v.kind != null && v.kind != broken {
			p[property] = r.jsonOf(v, what+"."+key)
		}
	}
	put("AlarmDescription", "description")
	put("ActionsEnabled", "actionsEnabled")
	put("EvaluationPeriods", "evaluationPeriods")
	put("DatapointsToAlarm", "datapointsToAlarm")
	put("ComparisonOperator", "comparisonOperator")
	put("TreatMissingData", "treatMissingData")
	for state, property := range map[string]string{"ok": "OKActions", "alarm": "AlarmActions", "insufficientData": "InsufficientDataActions"} {
		if list := r.alarmActions(a, d, state, what); len(list) > 0 {
			p[property] = list
		}
	}
	namespace, metric := text("namespace"), text("metric")
	metricID := metric
	var dimensions any = []any{map[string]any{"Name": "FunctionName", "Value": fn.Name}}
	switch pattern := d["pattern"]; {
	case pattern != nil:
		namespace, metricID = r.svc.Stack(), upperFirst(metric)+fn.LogicalID()
		dimensions = []any{}
		filter := fn.LogicalID() + upperFirst(d["name"].text) + "LogMetricFilter"
		r.svc.MetricFilters = append(r.svc.MetricFilters,
			MetricFilter{Pos: pos, Name: filter + "ALERT", Group: "/aws/lambda/" + fn.Name, Pattern: text("pattern"), Namespace: namespace, Metric: metricID, Value: "1"},
			MetricFilter{Pos: pos, Name: filter + "OK", Group: "/aws/lambda/" + fn.Name, Namespace: namespace, Metric: metricID, Value: "0"})
	default:
		dimensions = r.dimensions(d, fn, what)
	}
	switch kind := text("type"); kind {
	case "", "static":
		p["Namespace"], p["MetricName"], p["Dimensions"] = namespace, metricID, dimensions
		put("Threshold", "threshold")
		put("Period", "period")
		put("Unit", "unit")
		if s := text("statistic"); slices.Contains([]string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"}, s) {
			p["Statistic"] = s
		} else {
			p["ExtendedStatistic"] = s
			put("EvaluateLowSampleCountPercentile", "evaluateLowSampleCountPercentile")
		}
	case "anomalyDetection":
		stat := map[string]any{
			"Metric": map[string]any{"Namespace": namespace, "MetricName": metricID, "Dimensions": dimensions},
			"Period": text("period"), "Stat": text("statistic"),
		}
		p["Metrics"] = []any{
			map[string]any{"Id": "m1", "ReturnData": true, "MetricStat": stat},
			map[string]any{"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, " + text("threshold") + ")", "Label": metricID + " (expected)", "ReturnData": true},
		}
		p["ThresholdMetricId"] = "ad1"
	default:
		r.fail(pos, "%s: type %q is none of static, anomalyDetection", what, kind)
		return
	}
	if v := d["cloudFormation"]; v != nil && r.is(v, object, what+".cloudFormation") {
		more, _ := r.jsonOf(v, what+".cloudFormation").(map[string]any)
		maps.Copy(p, more)
	}
	name, _ := p["AlarmName"].(string)
	if name == "" {
		name = r.alarmName(a, fn, id, metric, metricID, d)
	}
	r.names[id] = alarmResource(r.svc.Region, name)
	r.addAlarm(pos, name, p)
}

// alarmActions are the topics that a definition has told of a state.
func (r *reader) alarmActions(a *alerts, d definition, state, what string) (list []any) {
	if at := a.topics[state]; at != "" {
		list = append(list, at)
	}
	key := state + "Actions"
	v := d[key]
	if v == nil {
		return list
	}
	for _, group := range r.strings(v, what+"."+key) {
		at := a.named[group][state]
		if at == "" {
			r.fail(v.pos, "%s.%s: custom.alerts.topics has no %s.%s", what, key, group, state)
			continue
		}
		list = append(list, at)
	}
	return list
}

func (r *reader) dimensions(d definition, fn *Function, what string) any {
	list := []any{}
	omit := false
	if v := d["omitDefaultDimension"]; v != nil {
		omit = r.boolean(v, what+".omitDefaultDimension")
	}
	if v := d["dimensions"]; v != nil {
		r.each(v, what+".dimensions", func(v *node) {
			one, _ := r.jsonOf(v, what+".dimensions").(map[string]any)
			if omit || one["Name"] != "FunctionName" {
				list = append(list, one)
			}
		})
	}
	if !omit {
		list = append(list, map[string]any{"Name": "FunctionName", "Value": fn.Name})
	}
	return list
}

// alarmName is what the plugin calls an alarm; without a template, what CloudFormation
// would, but for the letters that it adds at random.
func (r *reader) alarmName(a *alerts, fn *Function, id, metric, metricID string, d definition) string {
	name, prefix := d["nameTemplate"], d["prefixTemplate"]
	if name == nil {
		name = r.vars.resolve(a.nameTemplate)
	}
	if prefix == nil {
		prefix = r.vars.resolve(a.prefixTemplate)
	}
	template := "$[functionName]-$[metricName]"
	switch {
	case name != nil:
		template = r.str(name, "nameTemplate")
	case prefix != nil:
		metric = d["name"].text
	default:
		return r.svc.Stack() + "-" + id
	}
	before := "$[stackName]"
	if prefix != nil {
		before = r.str(prefix, "prefixTemplate")
	}
	filled := strings.NewReplacer("$[functionName]", fn.Key, "$[functionId]", fn.LogicalID(), "$[metricName]", metric, "$[metricId]", metricID).Replace(template)
	if before = strings.ReplaceAll(before, "$[stackName]", r.svc.Stack()); before == "" {
		return filled
	}
	return before + "-" + filled
}
