package api

import (
	"github.com/dropstack/dropstack/internal/alert/alarm"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/metric"
)

// CloudWatch is Amazon CloudWatch: its metrics and its alarms.
type CloudWatch struct {
	Store  *metric.Store
	Alarms *alarm.Alarms
	Region string
}

// named needs the operation on alarms.
func (c *CloudWatch) named(in alarm.NamesInput) []Need {
	arns := make([]string, len(in.AlarmNames))
	for i, name := range in.AlarmNames {
		arns[i] = alarm.ARN(c.Region, name)
	}
	return on(arns...)
}

// putting needs the operation on the alarm, and what its actions do: it will do them
// on behalf of who puts it.
func (c *CloudWatch) putting(in alarm.Alarm) []Need {
	needs := on(alarm.ARN(c.Region, in.AlarmName))
	for _, list := range [][]string{in.OKActions, in.AlarmActions, in.InsufficientDataActions} {
		for _, action := range list {
			switch a, err := arn.Parse(action); {
			case err != nil: // it will be refused
			case a.Service == "sns":
				needs = append(needs, Need{Action: "sns:Publish", Resource: action})
			case a.Service == "lambda":
				needs = append(needs, Need{Action: "lambda:InvokeFunction", Resource: action})
			}
		}
	}
	return needs
}

// Service is the service "monitoring". Its clients speak CBOR (the SDK for Go), JSON
// 1.0 (the command line, the SDK for JavaScript) or Query (older ones), and are told
// errors by the names of Query whatever they speak.
func (c *CloudWatch) Service() *Service {
	return &Service{
		Scope: "monitoring", Prefix: "GraniteServiceVersion20100801.", Action: "cloudwatch", Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/",
		QueryCodes: map[string]string{
			"InvalidParameterValueException": "InvalidParameterValue", "InvalidParameterCombinationException": "InvalidParameterCombination",
			"MissingRequiredParameterException": "MissingParameter", "LimitExceededFault": "LimitExceeded", "InternalFailure": "InternalServiceError",
			"ThrottlingException": "Throttling",
		},
		Operations: map[string]Operation{
			"PutMetricData": op(c.Store.PutMetricData, func(in metric.PutMetricDataInput) []Need {
				return []Need{{Conditions: map[string][]string{"cloudwatch:namespace": {in.Namespace}}}}
			}).aboutData(),
			"GetMetricData":       op(c.Store.GetMetricData, nil).aboutData(),
			"GetMetricStatistics": op(c.Store.GetMetricStatistics, nil).aboutData(),
			"ListMetrics":         op(c.Store.ListMetrics, nil),

			"PutMetricAlarm":          op(c.Alarms.PutMetricAlarm, c.putting),
			"DescribeAlarms":          op(c.Alarms.DescribeAlarms, nil),
			"DescribeAlarmsForMetric": op(c.Alarms.DescribeAlarmsForMetric, nil),
			"DescribeAlarmHistory":    op(c.Alarms.DescribeAlarmHistory, nil),
			"DeleteAlarms":            op(c.Alarms.DeleteAlarms, c.named),
			"EnableAlarmActions":      op(c.Alarms.EnableAlarmActions, c.named),
			"DisableAlarmActions":     op(c.Alarms.DisableAlarmActions, c.named),
			"SetAlarmState": op(c.Alarms.SetAlarmState, func(in alarm.SetAlarmStateInput) []Need {
				return on(alarm.ARN(c.Region, in.AlarmName))
			}),
		},
	}
}
