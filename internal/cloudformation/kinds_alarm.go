package cloudformation

import (
	"context"

	"github.com/dropstack/dropstack/internal/alert/alarm"
)

// cloudwatchAlarm is AWS::CloudWatch::Alarm.
func cloudwatchAlarm(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	name := p.name(r, in.text("AlarmName"), 255)
	properties := map[string]any{}
	for key, value := range r.Properties {
		in.known(key)
		properties[key] = value
	}
	properties["AlarmName"] = name
	a, err := alarm.Decode(properties)
	if err == nil {
		err = a.Check()
	}
	if err != nil {
		in.fail("AlarmName", "%s: %w", name, err)
	}
	if err := in.done(p); err != nil {
		return Identity{}, err
	}
	p.revision.Alarms = append(p.revision.Alarms, a)
	return Identity{Physical: name, Attributes: map[string]string{"Arn": alarm.ARN(p.region, name)}}, nil
}

// metricFilter is AWS::Logs::MetricFilter.
func metricFilter(_ context.Context, p *plan, r Resource) (Identity, error) {
	in := propertiesOf(r)
	in.need("LogGroupName", "MetricTransformations")
	name := p.name(r, in.text("FilterName"), 512)
	in.known("ApplyOnTransformedLogs", "FieldSelectionCriteria", "EmitSystemFieldDimensions") // records are as they were logged
	group, pattern := in.text("LogGroupName"), in.text("FilterPattern")
	for _, t := range in.each("MetricTransformations") {
		t.need("MetricName", "MetricNamespace", "MetricValue")
		f := alarm.Filter{
			Name: name, Group: group, Pattern: pattern, Namespace: t.text("MetricNamespace"), Metric: t.text("MetricName"), Value: t.text("MetricValue"), Unit: t.text("Unit"),
		}
		if t.has("DefaultValue") {
			f.Default = new(t.decimal("DefaultValue"))
		}
		for _, d := range t.each("Dimensions") {
			if f.Dimensions == nil {
				f.Dimensions = map[string]string{}
			}
			f.Dimensions[d.text("Key")] = d.text("Value")
		}
		if err := f.Check(); err != nil && len(in.wrong) == 0 {
			in.fail("MetricTransformations", "%w", err)
		}
		p.revision.MetricFilters = append(p.revision.MetricFilters, f)
	}
	return Identity{Physical: name}, in.done(p)
}
