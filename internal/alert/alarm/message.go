package alarm

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/metric"
)

// What topics and functions are told has the shapes that CloudWatch has for it.

const stamp = "2006-01-02T15:04:05.000-0700"

func stamped(t time.Time) string { return t.UTC().Format(stamp) }

// pair is a dimension as messages have it.
type pair struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

func pairs(list []metric.Dimension) []pair {
	out := []pair{}
	for _, d := range list {
		out = append(out, pair{d.Value, d.Name})
	}
	return out
}

// message is what topics are told.
type message struct {
	AlarmName                          string
	AlarmDescription                   *string
	AWSAccountID                       string `json:"AWSAccountId"`
	AlarmConfigurationUpdatedTimestamp string
	NewStateValue                      string
	NewStateReason                     string
	StateChangeTime                    string
	Region                             string
	AlarmArn                           string
	OldStateValue                      string
	OKActions                          []string
	AlarmActions                       []string
	InsufficientDataActions            []string
	Trigger                            map[string]any
}

// trigger is what the alarm watches.
func (a *Alarm) trigger() map[string]any {
	t := map[string]any{
		"Period": a.period(), "EvaluationPeriods": a.EvaluationPeriods, "ComparisonOperator": a.ComparisonOperator,
		"TreatMissingData": cmp.Or(a.TreatMissingData, missing), "EvaluateLowSampleCountPercentile": a.EvaluateLowSampleCountPercentile,
	}
	if a.DatapointsToAlarm > 0 {
		t["DatapointsToAlarm"] = a.DatapointsToAlarm
	}
	if a.Threshold != nil {
		t["Threshold"] = *a.Threshold
	}
	if a.ThresholdMetricID != "" {
		t["ThresholdMetricId"] = a.ThresholdMetricID
	}
	if len(a.Metrics) == 0 {
		t["MetricName"], t["Namespace"], t["Dimensions"], t["Unit"] = a.MetricName, a.Namespace, pairs(a.Dimensions), nil
		if a.Unit != "" {
			t["Unit"] = a.Unit
		}
		if a.Statistic != "" {
			t["StatisticType"], t["Statistic"] = "Statistic", spelt(a.Statistic)
		} else {
			t["StatisticType"], t["ExtendedStatistic"] = "ExtendedStatistic", a.ExtendedStatistic
		}
		return t
	}
	var list []map[string]any
	for _, m := range a.Metrics {
		q := map[string]any{"Id": m.ID, "ReturnData": m.ReturnData == nil || *m.ReturnData}
		if m.Label != "" {
			q["Label"] = m.Label
		}
		if m.Expression != "" {
			q["Expression"] = m.Expression
		} else {
			q["MetricStat"] = map[string]any{"Period": m.MetricStat.Period, "Stat": m.MetricStat.Stat, "Metric": map[string]any{
				"MetricName": m.MetricStat.Metric.MetricName, "Namespace": m.MetricStat.Metric.Namespace, "Dimensions": pairs(m.MetricStat.Metric.Dimensions),
			}}
		}
		list = append(list, q)
	}
	t["Metrics"] = list
	return t
}

// spelt is a statistic as messages have it.
func spelt(statistic string) string {
	if statistic == "SampleCount" {
		return "SAMPLE_COUNT"
	}
	return strings.ToUpper(statistic)
}

// owe is what is to be told, and to whom.
func (a *Alarms) owe(w *watched, was, next state, action string) (owed, error) {
	at, err := arn.Parse(action)
	if err != nil {
		return owed{}, err
	}
	if at.Service == "lambda" {
		doc, err := json.Marshal(a.event(w, was, next))
		return owed{Action: action, Message: string(doc)}, err
	}
	m := message{
		AlarmName: w.AlarmName, AWSAccountID: arn.Account, AlarmConfigurationUpdatedTimestamp: stamped(next.Configured),
		NewStateValue: next.Value, NewStateReason: next.Reason, StateChangeTime: stamped(next.Updated), Region: a.Region, AlarmArn: ARN(a.Region, w.AlarmName),
		OldStateValue: was.Value, OKActions: some(w.OKActions), AlarmActions: some(w.AlarmActions), InsufficientDataActions: some(w.InsufficientDataActions),
		Trigger: w.trigger(),
	}
	if w.AlarmDescription != "" {
		m.AlarmDescription = &w.AlarmDescription
	}
	doc, err := json.Marshal(m)
	subject := fmt.Sprintf("%s: %q in %s", next.Value, w.AlarmName, a.Region)
	return owed{Action: action, Subject: printable(subject), Message: string(doc)}, err
}

// printable is a subject as topics take it: at most 100 characters of ASCII.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 100)]
}

func some(list []string) []string { return append([]string{}, list...) }

// event is what functions are told.
func (a *Alarms) event(w *watched, was, next state) map[string]any {
	told := func(s state) map[string]any {
		m := map[string]any{"value": s.Value, "reason": s.Reason, "timestamp": stamped(s.Updated)}
		if s.Data != "" {
			m["reasonData"] = s.Data
		}
		return m
	}
	var metrics []map[string]any
	list, _ := w.queries()
	if w.ThresholdMetricID != "" {
		list = w.Metrics
	}
	for i, m := range list {
		q := map[string]any{"id": m.ID, "returnData": m.ReturnData == nil || *m.ReturnData}
		if len(w.Metrics) == 0 {
			q["id"] = fmt.Sprintf("%s-%d", key(w.AlarmName)[:8], i)
		}
		if m.Expression != "" {
			q["expression"] = m.Expression
		} else {
			dimensions := map[string]string{}
			for _, d := range m.MetricStat.Metric.Dimensions {
				dimensions[d.Name] = d.Value
			}
			q["metricStat"] = map[string]any{"period": m.MetricStat.Period, "stat": m.MetricStat.Stat, "metric": map[string]any{
				"namespace": m.MetricStat.Metric.Namespace, "name": m.MetricStat.Metric.MetricName, "dimensions": dimensions,
			}}
		}
		metrics = append(metrics, q)
	}
	configuration := map[string]any{"metrics": metrics}
	if w.AlarmDescription != "" {
		configuration["description"] = w.AlarmDescription
	}
	return map[string]any{
		"source": "aws.cloudwatch", "alarmArn": ARN(a.Region, w.AlarmName), "accountId": arn.Account, "time": stamped(next.Updated), "region": a.Region,
		"alarmData": map[string]any{
			"alarmName": w.AlarmName, "state": told(next), "previousState": told(was), "configuration": configuration,
		},
	}
}

// act does what is owed.
func (a *Alarms) act(ctx context.Context, o owed) error {
	if o.Subject == "" {
		return a.Invoke(ctx, o.Action, o.ID, []byte(o.Message))
	}
	return a.Publish(ctx, o.Action, o.Subject, o.Message)
}

// data is the reason for programs.
func data(a *Alarm, d decision, end time.Time) string {
	m := map[string]any{
		"version": "1.0", "queryDate": stamped(end), "period": a.period(), "recentDatapoints": []float64{},
	}
	if len(a.Metrics) == 0 {
		m["statistic"] = a.statistic()
	}
	if a.Threshold != nil {
		m["threshold"] = *a.Threshold
	}
	var values []float64
	var evaluated []map[string]any
	for _, p := range d.recent {
		values = append([]float64{p.value}, values...)
		evaluated = append(evaluated, map[string]any{"timestamp": stamped(p.begin), "value": p.value})
	}
	if len(values) > 0 {
		m["recentDatapoints"], m["evaluatedDatapoints"], m["startDate"] = values, evaluated, stamped(d.recent[len(d.recent)-1].begin)
	}
	doc, err := json.Marshal(m)
	if err != nil {
		return "" // a value that JSON does not have
	}
	return string(doc)
}

// historyData is a change for programs.
func historyData(was, next state) string {
	told := func(s state) map[string]any {
		m := map[string]any{"stateValue": s.Value, "stateReason": s.Reason}
		if s.Data != "" {
			m["stateReasonData"] = json.RawMessage(s.Data)
		}
		return m
	}
	doc, err := json.Marshal(map[string]any{"version": "1.0", "oldState": told(was), "newState": told(next)})
	if err != nil {
		return ""
	}
	return string(doc)
}
