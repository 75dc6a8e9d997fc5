// Package alarm is CloudWatch's alarms: a statistic, or an expression over some, is
// compared with a threshold, period by period, and when enough of the latest periods
// are beyond it the alarm tells topics and functions.
//
// What is an alarm is part of a stack's revision, those that the API makes of the
// reserved stack's. What state it is in is ours, and stored when it changes, before
// anybody is told, in a KV bucket of the durable engine:
//
//	alarms  KEY   the state, the last changes, and who is still to be told
//
// After a crash who may not have been told is told again.
package alarm

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
)

// The states of an alarm.
const (
	OK           = "OK"
	Ringing      = "ALARM"
	Insufficient = "INSUFFICIENT_DATA"
)

// Alarm is what PutMetricAlarm takes, and a revision has.
type Alarm struct {
	AlarmName                        string
	AlarmDescription                 string                   `json:",omitempty"`
	ActionsEnabled                   *bool                    `json:",omitempty"` // nil: true
	OKActions                        []string                 `json:",omitempty"` // ARNs of topics and functions
	AlarmActions                     []string                 `json:",omitempty"`
	InsufficientDataActions          []string                 `json:",omitempty"`
	MetricName                       string                   `json:",omitempty"`
	Namespace                        string                   `json:",omitempty"`
	Statistic                        string                   `json:",omitempty"`
	ExtendedStatistic                string                   `json:",omitempty"`
	Dimensions                       []metric.Dimension       `json:",omitempty"`
	Period                           int                      `json:",omitempty"` // seconds
	Unit                             string                   `json:",omitempty"`
	EvaluationPeriods                int                      `json:",omitempty"` // N
	DatapointsToAlarm                int                      `json:",omitempty"` // M of N; 0: N
	Threshold                        *float64                 `json:",omitempty"`
	ThresholdMetricID                string                   `json:"ThresholdMetricId,omitempty"`
	ComparisonOperator               string                   `json:",omitempty"`
	TreatMissingData                 string                   `json:",omitempty"` // "": missing
	EvaluateLowSampleCountPercentile string                   `json:",omitempty"`
	Metrics                          []metric.MetricDataQuery `json:",omitempty"`
	Tags                             []Tag                    `json:",omitempty"`
}

// Tag is a tag.
type Tag struct{ Key, Value string }

// How a value is beyond the threshold.
const (
	above      = "GreaterThanThreshold"
	notBelow   = "GreaterThanOrEqualToThreshold"
	below      = "LessThanThreshold"
	notAbove   = "LessThanOrEqualToThreshold"
	outside    = "LessThanLowerOrGreaterThanUpperThreshold"
	belowBand  = "LessThanLowerThreshold"
	aboveUpper = "GreaterThanUpperThreshold"
)

var (
	plainly = []string{above, notBelow, below, notAbove}
	banded  = []string{outside, belowBand, aboveUpper}
)

// What a period without data is.
const (
	missing      = "missing"
	breaching    = "breaching"
	notBreaching = "notBreaching"
	ignore       = "ignore"
)

const (
	maxName    = 255
	maxActions = 5
	day        = 24 * 60 * 60
)

func invalid(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationError", format, args...)
}

// ARN is the ARN of an alarm.
func ARN(region, name string) string {
	return arn.ARN{Partition: "aws", Service: "cloudwatch", Region: region, Account: arn.Account, Resource: "alarm:" + name}.String()
}

// Name is the name in an alarm's ARN, or the name itself.
func Name(nameOrARN string) string {
	if a, err := arn.Parse(nameOrARN); err == nil && a.Service == "cloudwatch" {
		return strings.TrimPrefix(a.Resource, "alarm:")
	}
	return nameOrARN
}

// enabled says whether anybody is told.
func (a *Alarm) enabled() bool { return a.ActionsEnabled == nil || *a.ActionsEnabled }

// needed is M, of EvaluationPeriods.
func (a *Alarm) needed() int { return cmp.Or(a.DatapointsToAlarm, a.EvaluationPeriods) }

func (a *Alarm) statistic() string { return cmp.Or(a.Statistic, a.ExtendedStatistic) }

// actions are those of a state.
func (a *Alarm) actions(state string) []string {
	switch state {
	case OK:
		return a.OKActions
	case Ringing:
		return a.AlarmActions
	}
	return a.InsufficientDataActions
}

var bandExpression = regexp.MustCompile(`^\s*ANOMALY_DETECTION_BAND\(\s*([a-z][a-zA-Z0-9_]*)\s*(?:,\s*([0-9.]+)\s*)?\)\s*$`)

// band is what an expression says of what is expected: the metric, and how many
// deviations are usual.
func band(expression string) (id string, width float64, ok bool) {
	m := bandExpression.FindStringSubmatch(expression)
	if m == nil {
		return "", 0, false
	}
	width = 2
	if m[2] != "" {
		var err error
		if width, err = strconv.ParseFloat(m[2], 64); err != nil || width <= 0 {
			return "", 0, false
		}
	}
	return m[1], width, true
}

// queries are what is asked of the metrics, and the id of the one that is compared.
func (a *Alarm) queries() (list []metric.MetricDataQuery, id string) {
	if len(a.Metrics) == 0 {
		return []metric.MetricDataQuery{{ID: "m1", MetricStat: &metric.MetricStat{
			Metric: &metric.Metric{Namespace: a.Namespace, MetricName: a.MetricName, Dimensions: a.Dimensions},
			Period: a.Period, Stat: a.statistic(), Unit: a.Unit,
		}}}, "m1"
	}
	for _, m := range a.Metrics {
		if m.ID == a.ThresholdMetricID {
			continue // the band is worked out from what it is about
		}
		if m.ReturnData == nil || *m.ReturnData {
			id = m.ID
		}
		list = append(list, m)
	}
	return list, id
}

// period is the length of a period, in seconds.
func (a *Alarm) period() (longest int) {
	list, _ := a.queries()
	for _, m := range list {
		if m.MetricStat != nil {
			longest = max(longest, m.MetricStat.Period)
		}
	}
	return longest
}

// Check says what is wrong with an alarm, in the words that AWS has for it.
func (a *Alarm) Check() error {
	switch {
	case a.AlarmName == "" || len(a.AlarmName) > maxName:
		return invalid("AlarmName must have 1 to %d characters, not %d.", maxName, len(a.AlarmName))
	case len(a.AlarmDescription) > 1024:
		return invalid("AlarmDescription must have at most 1024 characters.")
	case a.EvaluationPeriods < 1:
		return invalid("EvaluationPeriods must be at least 1.")
	case a.DatapointsToAlarm < 0 || a.DatapointsToAlarm > a.EvaluationPeriods:
		return invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods, which is %d.", a.EvaluationPeriods)
	case !slices.Contains([]string{"", missing, breaching, notBreaching, ignore}, a.TreatMissingData):
		return invalid("TreatMissingData %q is none of breaching, notBreaching, ignore, missing.", a.TreatMissingData)
	case !slices.Contains([]string{"", "evaluate", "ignore"}, a.EvaluateLowSampleCountPercentile):
		return invalid("EvaluateLowSampleCountPercentile %q is none of evaluate, ignore.", a.EvaluateLowSampleCountPercentile)
	}
	for _, list := range [][]string{a.OKActions, a.AlarmActions, a.InsufficientDataActions} {
		if len(list) > maxActions {
			return invalid("An alarm has at most %d actions of a kind.", maxActions)
		}
		for _, action := range list {
			if at, err := arn.Parse(action); err != nil || at.Service != "sns" && at.Service != "lambda" {
				return invalid("The action %q is not the ARN of a topic or a function; others are not done here.", action)
			}
		}
	}
	if err := a.checkMetric(); err != nil {
		return err
	}
	if err := a.checkThreshold(); err != nil {
		return err
	}
	if total := a.period() * a.EvaluationPeriods; total > 7*day || total > day && a.period() < 3600 {
		return invalid("EvaluationPeriods times Period must not be more than a day, or a week for periods of an hour and more.")
	}
	return nil
}

func (a *Alarm) checkMetric() error {
	single := a.MetricName != "" || a.Namespace != "" || a.Statistic != "" || a.ExtendedStatistic != ""
	switch {
	case single && len(a.Metrics) > 0:
		return invalid("An alarm has a MetricName with its Statistic and Period, or Metrics: not both.")
	case len(a.Metrics) > 0:
		returned := 0
		for _, m := range a.Metrics {
			if m.ID != a.ThresholdMetricID && (m.ReturnData == nil || *m.ReturnData) {
				returned++
			}
		}
		if returned != 1 {
			return invalid("Exactly one of Metrics must return data, besides the one that ThresholdMetricId names; here %d do.", returned)
		}
	case a.MetricName == "" || a.Namespace == "":
		return invalid("An alarm needs a MetricName and a Namespace, or Metrics.")
	case (a.Statistic == "") == (a.ExtendedStatistic == ""):
		return invalid("An alarm needs a Statistic or an ExtendedStatistic: one of them.")
	}
	list, _ := a.queries()
	if err := metric.CheckQueries(list); err != nil {
		return invalid("%w", err)
	}
	if a.period() == 0 {
		return invalid("At least one of Metrics must be a metric: an expression alone has no period.")
	}
	return nil
}

func (a *Alarm) checkThreshold() error {
	if a.ThresholdMetricID == "" {
		switch {
		case a.Threshold == nil:
			return invalid("An alarm needs a Threshold, or a ThresholdMetricId.")
		case !slices.Contains(plainly, a.ComparisonOperator):
			return invalid("ComparisonOperator %q is none of %s.", a.ComparisonOperator, strings.Join(plainly, ", "))
		}
		return nil
	}
	i := slices.IndexFunc(a.Metrics, func(m metric.MetricDataQuery) bool { return m.ID == a.ThresholdMetricID })
	if i < 0 {
		return invalid("ThresholdMetricId %q is the Id of none of Metrics.", a.ThresholdMetricID)
	}
	_, id := a.queries()
	of, _, ok := band(a.Metrics[i].Expression)
	switch {
	case !ok:
		return invalid("The expression of %s must be ANOMALY_DETECTION_BAND(id, deviations), not %q.", a.ThresholdMetricID, a.Metrics[i].Expression)
	case of != id:
		return invalid("ANOMALY_DETECTION_BAND is of %s, and what is compared is %s: they must be the same.", of, id)
	case a.Threshold != nil:
		return invalid("An alarm has a Threshold or a ThresholdMetricId: not both.")
	case !slices.Contains(banded, a.ComparisonOperator):
		return invalid("ComparisonOperator %q is none of %s.", a.ComparisonOperator, strings.Join(banded, ", "))
	}
	return nil
}
