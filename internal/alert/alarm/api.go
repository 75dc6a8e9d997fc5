package alarm

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

// Nothing is what calls answer that answer nothing.
type Nothing struct{}

func notFound(name string) error {
	return fault.Coded(fault.NotFound, "ResourceNotFound", "Alarm %s does not exist.", name)
}

// PutMetricAlarm makes an alarm, or makes it anew; its state stays.
func (a *Alarms) PutMetricAlarm(ctx context.Context, in Alarm) (Nothing, error) {
	if err := in.Check(); err != nil {
		return Nothing{}, err
	}
	if in.ActionsEnabled != nil && *in.ActionsEnabled {
		in.ActionsEnabled = nil // as it is unless said
	}
	return Nothing{}, a.edit(ctx, in.AlarmName, func(list []Alarm, i int) ([]Alarm, error) {
		if i < 0 {
			return append(list, in), nil
		}
		if in.Tags == nil {
			in.Tags = list[i].Tags
		}
		list[i] = in
		return list, nil
	})
}

// edit changes the alarms of the stack that has the named one; i is where it is, or -1.
func (a *Alarms) edit(ctx context.Context, name string, change func(list []Alarm, i int) ([]Alarm, error)) error {
	a.mu.Lock()
	stack := ""
	if w := a.alarms[name]; w != nil {
		stack = w.stack
	}
	a.mu.Unlock()
	return a.Editor.EditAlarms(ctx, stack, func(list []Alarm) ([]Alarm, error) {
		return change(list, slices.IndexFunc(list, func(al Alarm) bool { return al.AlarmName == name }))
	})
}

// NamesInput names alarms.
type NamesInput struct{ AlarmNames []string }

// DeleteAlarms removes alarms; all of them must be there.
func (a *Alarms) DeleteAlarms(ctx context.Context, in NamesInput) (Nothing, error) {
	return Nothing{}, a.all(ctx, in, func(list []Alarm, i int) []Alarm { return slices.Delete(list, i, i+1) })
}

// EnableAlarmActions has alarms tell again.
func (a *Alarms) EnableAlarmActions(ctx context.Context, in NamesInput) (Nothing, error) {
	return Nothing{}, a.all(ctx, in, func(list []Alarm, i int) []Alarm {
		list[i].ActionsEnabled = nil
		return list
	})
}

// DisableAlarmActions keeps alarms from telling.
func (a *Alarms) DisableAlarmActions(ctx context.Context, in NamesInput) (Nothing, error) {
	return Nothing{}, a.all(ctx, in, func(list []Alarm, i int) []Alarm {
		list[i].ActionsEnabled = new(bool)
		return list
	})
}

// all changes each of the named alarms.
func (a *Alarms) all(ctx context.Context, in NamesInput, change func(list []Alarm, i int) []Alarm) error {
	if len(in.AlarmNames) == 0 || len(in.AlarmNames) > 100 {
		return invalid("AlarmNames must have 1 to 100 names.")
	}
	a.mu.Lock()
	for _, name := range in.AlarmNames {
		if a.alarms[name] == nil {
			a.mu.Unlock()
			return notFound(name)
		}
	}
	a.mu.Unlock()
	for _, name := range in.AlarmNames {
		err := a.edit(ctx, name, func(list []Alarm, i int) ([]Alarm, error) {
			if i < 0 {
				return nil, notFound(name)
			}
			return change(list, i), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SetAlarmStateInput is a state that somebody wants an alarm to be in.
type SetAlarmStateInput struct {
	AlarmName       string
	StateValue      string
	StateReason     string
	StateReasonData string `json:",omitempty"`
}

// SetAlarmState puts an alarm into a state until it is evaluated next.
func (a *Alarms) SetAlarmState(ctx context.Context, in SetAlarmStateInput) (Nothing, error) {
	switch {
	case !slices.Contains([]string{OK, Ringing, Insufficient}, in.StateValue):
		return Nothing{}, invalid("StateValue %q is none of OK, ALARM, INSUFFICIENT_DATA.", in.StateValue)
	case in.StateReasonData != "" && !json.Valid([]byte(in.StateReasonData)):
		return Nothing{}, fault.Coded(fault.Invalid, "InvalidFormat", "StateReasonData is not JSON.")
	case len(in.StateReason) > 1023 || len(in.StateReasonData) > 4000:
		return Nothing{}, invalid("StateReason has at most 1023 characters, StateReasonData 4000.")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.alarms[in.AlarmName]
	if w == nil {
		return Nothing{}, notFound(in.AlarmName)
	}
	return Nothing{}, a.change(context.WithoutCancel(ctx), w, in.StateValue, in.StateReason, in.StateReasonData, nil)
}

// DescribeAlarmsInput selects alarms.
type DescribeAlarmsInput struct {
	ActionPrefix        string   `json:",omitempty"`
	AlarmNamePrefix     string   `json:",omitempty"`
	AlarmNames          []string `json:",omitempty"`
	AlarmTypes          []string `json:",omitempty"`
	ChildrenOfAlarmName string   `json:",omitempty"`
	ParentsOfAlarmName  string   `json:",omitempty"`
	StateValue          string   `json:",omitempty"`
	MaxRecords          int      `json:",omitempty"`
	NextToken           string   `json:",omitempty"`
}

// MetricAlarm is an alarm and how it is.
type MetricAlarm struct {
	Alarm
	AlarmArn                           string
	AlarmConfigurationUpdatedTimestamp wire.Time
	StateValue                         string
	StateReason                        string
	StateReasonData                    string `json:",omitempty"`
	StateUpdatedTimestamp              wire.Time
	StateTransitionedTimestamp         wire.Time
}

// DescribeAlarmsOutput is a page of alarms, by their names.
type DescribeAlarmsOutput struct {
	MetricAlarms    []MetricAlarm
	CompositeAlarms []Nothing
	NextToken       string `json:",omitempty"`
}

// DescribeAlarms lists alarms.
func (a *Alarms) DescribeAlarms(_ context.Context, in DescribeAlarmsInput) (DescribeAlarmsOutput, error) {
	out := DescribeAlarmsOutput{MetricAlarms: []MetricAlarm{}, CompositeAlarms: []Nothing{}}
	size, skip, err := page(in.MaxRecords, in.NextToken)
	if err != nil {
		return out, err
	}
	if len(in.AlarmTypes) > 0 && !slices.Contains(in.AlarmTypes, "MetricAlarm") || in.ChildrenOfAlarmName != "" || in.ParentsOfAlarmName != "" {
		return out, nil // there are no others
	}
	list := a.list(func(w *watched) bool {
		return (len(in.AlarmNames) == 0 || slices.Contains(in.AlarmNames, w.AlarmName)) && strings.HasPrefix(w.AlarmName, in.AlarmNamePrefix) &&
			(in.StateValue == "" || in.StateValue == w.state.Value) &&
			(in.ActionPrefix == "" || slices.ContainsFunc(slices.Concat(w.OKActions, w.AlarmActions, w.InsufficientDataActions), func(s string) bool { return strings.HasPrefix(s, in.ActionPrefix) }))
	})
	out.MetricAlarms = append(out.MetricAlarms, list[min(skip, len(list)):min(skip+size, len(list))]...)
	if skip+size < len(list) {
		out.NextToken = strconv.Itoa(skip + size)
	}
	return out, nil
}

// list is the alarms that are wanted, by their names.
func (a *Alarms) list(want func(*watched) bool) (list []MetricAlarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.alarms)) {
		if w := a.alarms[name]; want(w) {
			list = append(list, a.describe(w))
		}
	}
	return list
}

func (a *Alarms) describe(w *watched) MetricAlarm {
	m := MetricAlarm{
		Alarm: w.Alarm, AlarmArn: ARN(a.Region, w.AlarmName), AlarmConfigurationUpdatedTimestamp: wire.At(w.state.Configured),
		StateValue: w.state.Value, StateReason: w.state.Reason, StateReasonData: w.state.Data,
		StateUpdatedTimestamp: wire.At(w.state.Updated), StateTransitionedTimestamp: wire.At(w.state.Transitioned),
	}
	m.ActionsEnabled, m.Tags = new(w.enabled()), nil
	return m
}

// DescribeAlarmsForMetricInput names a metric.
type DescribeAlarmsForMetricInput struct {
	MetricName        string
	Namespace         string
	Dimensions        []metric.Dimension `json:",omitempty"`
	Statistic         string             `json:",omitempty"`
	ExtendedStatistic string             `json:",omitempty"`
	Period            int                `json:",omitempty"`
	Unit              string             `json:",omitempty"`
}

// MetricAlarms is some alarms.
type MetricAlarms struct{ MetricAlarms []MetricAlarm }

// DescribeAlarmsForMetric lists the alarms that watch a metric.
func (a *Alarms) DescribeAlarmsForMetric(_ context.Context, in DescribeAlarmsForMetricInput) (MetricAlarms, error) {
	if in.MetricName == "" || in.Namespace == "" {
		return MetricAlarms{}, fault.Coded(fault.Invalid, "MissingRequiredParameterException", "The parameters MetricName and Namespace are required.")
	}
	list := a.list(func(w *watched) bool {
		return w.MetricName == in.MetricName && w.Namespace == in.Namespace && sameDimensions(w.Dimensions, in.Dimensions) &&
			(in.Statistic == "" || in.Statistic == w.Statistic) && (in.ExtendedStatistic == "" || in.ExtendedStatistic == w.ExtendedStatistic) &&
			(in.Period == 0 || in.Period == w.Period) && (in.Unit == "" || in.Unit == w.Unit)
	})
	return MetricAlarms{append([]MetricAlarm{}, list...)}, nil
}

func sameDimensions(a, b []metric.Dimension) bool {
	as := func(list []metric.Dimension) map[string]string {
		m := map[string]string{}
		for _, d := range list {
			m[d.Name] = d.Value
		}
		return m
	}
	return maps.Equal(as(a), as(b))
}

func page(most int, token string) (size, skip int, err error) {
	if size = most; size == 0 {
		size = 50
	}
	if size < 1 || size > 100 {
		return 0, 0, invalid("MaxRecords must be between 1 and 100.")
	}
	if token != "" {
		if skip, err = strconv.Atoi(token); err != nil || skip < 0 {
			return 0, 0, fault.Coded(fault.Invalid, "InvalidNextToken", "The NextToken %q is not one of ours.", token)
		}
	}
	return size, skip, nil
}

// DescribeAlarmHistoryInput selects changes.
type DescribeAlarmHistoryInput struct {
	AlarmName          string    `json:",omitempty"`
	AlarmTypes         []string  `json:",omitempty"`
	AlarmContributorID string    `json:"AlarmContributorId,omitempty"`
	HistoryItemType    string    `json:",omitempty"`
	StartDate          wire.Time `json:",omitzero"`
	EndDate            wire.Time `json:",omitzero"`
	MaxRecords         int       `json:",omitempty"`
	NextToken          string    `json:",omitempty"`
	ScanBy             string    `json:",omitempty"`
}

// AlarmHistoryItem is a change of an alarm, or of its state.
type AlarmHistoryItem struct {
	AlarmName       string
	AlarmType       string
	Timestamp       wire.Time
	HistoryItemType string
	HistorySummary  string
	HistoryData     string `json:",omitempty"`
}

// DescribeAlarmHistoryOutput is a page of changes.
type DescribeAlarmHistoryOutput struct {
	AlarmHistoryItems []AlarmHistoryItem
	NextToken         string `json:",omitempty"`
}

// DescribeAlarmHistory lists the last changes of alarms, the newest first.
func (a *Alarms) DescribeAlarmHistory(_ context.Context, in DescribeAlarmHistoryInput) (DescribeAlarmHistoryOutput, error) {
	out := DescribeAlarmHistoryOutput{AlarmHistoryItems: []AlarmHistoryItem{}}
	size, skip, err := page(in.MaxRecords, in.NextToken)
	if err != nil {
		return out, err
	}
	var list []AlarmHistoryItem
	a.mu.Lock()
	for name, w := range a.alarms {
		if in.AlarmName != "" && in.AlarmName != name {
			continue
		}
		for _, it := range w.state.History {
			if in.HistoryItemType == "" || in.HistoryItemType == it.Type {
				list = append(list, AlarmHistoryItem{name, "MetricAlarm", wire.At(it.Time), it.Type, it.Summary, it.Data})
			}
		}
	}
	a.mu.Unlock()
	list = slices.DeleteFunc(list, func(it AlarmHistoryItem) bool { return !between(it.Timestamp.Time, in.StartDate.Time, in.EndDate.Time) })
	slices.SortStableFunc(list, func(x, y AlarmHistoryItem) int {
		return cmp.Or(y.Timestamp.Compare(x.Timestamp.Time), cmp.Compare(x.AlarmName, y.AlarmName))
	})
	if in.ScanBy == "TimestampAscending" {
		slices.Reverse(list)
	}
	out.AlarmHistoryItems = append(out.AlarmHistoryItems, list[min(skip, len(list)):min(skip+size, len(list))]...)
	if skip+size < len(list) {
		out.NextToken = strconv.Itoa(skip + size)
	}
	return out, nil
}

func between(t, start, end time.Time) bool {
	return (start.IsZero() || !t.Before(start)) && (end.IsZero() || !t.After(end))
}
