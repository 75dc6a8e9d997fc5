package spec

import "github.com/dropstack/dropstack/internal/arn"

// Alarm is an AWS::CloudWatch::Alarm, of resources or as custom.alerts makes it.
type Alarm struct {
	Pos        Pos
	Properties map[string]any // as CloudFormation spells them; with an AlarmName
}

// nameAlarm makes an alarm known to Ref and Fn::GetAtt before it is read.
func (r *reader) nameAlarm(f field, n *node) {
	what := "resource " + f.key
	name := r.svc.Stack() + "-" + f.key
	if props := r.vars.resolve(n.get("Properties")); props != nil && props.kind == object {
		if v := r.vars.resolve(props.get("AlarmName")); v != nil && v.kind != null {
			name = r.value(v, what+".AlarmName")
		}
	}
	r.names[f.key] = alarmResource(r.svc.Region, name)
	r.later = append(r.later, func() {
		r.around(n, what, func(v *node) {
			if !r.is(v, object, what+".Properties") {
				return
			}
			properties, _ := r.jsonOf(v, what).(map[string]any)
			r.addAlarm(f.pos, name, properties)
		})
	})
}

func (r *reader) addAlarm(pos Pos, name string, properties map[string]any) {
	properties["AlarmName"] = name
	r.svc.Alarms = append(r.svc.Alarms, Alarm{pos, properties})
}

func alarmResource(region, name string) resource {
	a := arn.ARN{Partition: "aws", Service: "cloudwatch", Region: region, Account: arn.Account, Resource: "alarm:" + name}

	return resource{name, name, map[string]string{"Arn": a.String()}}
}
