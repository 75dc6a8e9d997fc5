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
