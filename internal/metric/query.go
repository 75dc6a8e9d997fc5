package metric

import (
	"context"
	"errors"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

const (
	maxQueries = 500
	maxPage    = 100_800
	// maxPoints bounds the work of one call: periods of all its queries together.
	maxPoints = 1_000_000
)

var validID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

func invalidQuery(format string, args ...any) error {
	return fault.Coded(fault.Invalid, "ValidationError", format, args...)
}

// GetMetricData returns time series: statistics of metrics, and what expressions
// make of them. Periods begin at multiples of the period.
func (s *Store) GetMetricData(ctx context.Context, in GetMetricDataInput) (GetMetricDataOutput, error) {
	out := GetMetricDataOutput{MetricDataResults: []MetricDataResult{}}
	if err := in.check(); err != nil {
		return out, err
	}
	skip, err := position(in.NextToken)
	if err != nil {
		return out, err
	}
	q := &query{store: s, in: in, states: map[string]*state{}}
	if err := q.prepare(); err != nil {
		return out, err
	}
	for _, m := range in.MetricDataQueries {
		if err := q.resolve(ctx, m.ID); err != nil {
			return out, err
		}
	}
	for _, m := range in.MetricDataQueries {
		if m.ReturnData == nil || *m.ReturnData {
			results, err := q.results(m)
			if err != nil {
				return out, err
			}
			out.MetricDataResults = append(out.MetricDataResults, results...)
		}
	}
	out.cut(skip, in.MaxDatapoints)
	return out, nil
}

func position(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	skip, err := strconv.Atoi(token)
	if err != nil || skip < 0 {
		return 0, invalidToken()
	}
	return skip, nil
}

// cut leaves a page of all datapoints, counted through the results.
func (out *GetMetricDataOutput) cut(skip, size int) {
	if size == 0 {
		size = maxPage
	}
	seen, end := 0, skip+size
	for i := range out.MetricDataResults {
		r := &out.MetricDataResults[i]
		n := len(r.Values)
		from, to := min(max(skip-seen, 0), n), min(max(end-seen, 0), n)
		r.StatusCode = "Complete"
		if seen+n > end {
			r.StatusCode = "PartialData"
			out.NextToken = strconv.Itoa(end)
		}
		seen += n
		r.Timestamps, r.Values = r.Timestamps[from:to], r.Values[from:to]
	}
}

// query is a GetMetricData under way.
type query struct {
	store  *Store
	in     GetMetricDataInput
	states map[string]*state // by id

	sliding bool // periods begin at StartTime, not at multiples of the period
}

// state is what is known of one query of the call.
type state struct {
	MetricDataQuery
	tree    *node // of an expression
	period  time.Duration
	value   value
	busy    bool // it is being resolved: who needs it now is in a circle
	settled bool
}

// prepare reads the expressions and finds everything's period.
func (q *query) prepare() error {
	for _, m := range q.in.MetricDataQueries {
		if q.states[m.ID] != nil {
			return invalidQuery("The value for Id is a duplicate in the request: %s.", m.ID)
		}
		st := &state{MetricDataQuery: m}
		q.states[m.ID] = st
		if m.MetricStat != nil {
			st.period = time.Duration(m.MetricStat.Period) * time.Second
			continue
		}
		var err error
		if st.tree, err = parse(m.Expression); err != nil {
			return inExpression(m.ID, err)
		}
	}
	points := 0
	for _, m := range q.in.MetricDataQueries {
		if st := q.states[m.ID]; st.tree == nil {
			if points += q.frame(st.period).n; points > maxPoints {
				return invalidQuery("The request is for over %d datapoints: ask for longer periods or less time.", maxPoints)
			}
		}
	}
	return nil
}

func inExpression(id string, err error) error {
	return invalidQuery("Error in expression '%s': %w", id, err)
}

func (q *query) frame(period time.Duration) frame {
	if q.sliding {
		return newFrame(q.in.StartTime.Time, q.in.EndTime.Time, period)
	}
	return newFrame(aligned(q.in.StartTime.Time, period), q.in.EndTime.Time, period)
}

// resolve computes a query, after what it refers to.
func (q *query) resolve(ctx context.Context, id string) error {
	st := q.states[id]
	switch {
	case st == nil || st.settled:
		return nil // evaluate says that it is unknown
	case st.busy:
		return inExpression(id, errors.New("it refers to itself"))
	}
	st.busy = true
	defer func() { st.busy, st.settled = false, true }()
	if st.tree == nil {
		return q.measure(ctx, st)
	}
	needs := map[string]bool{}
	st.tree.references(func(id string) { needs[id] = true })
	st.tree.metrics(func(part string) {
		for _, m := range q.in.MetricDataQueries {
			if m.MetricStat != nil && strings.Contains(m.ID, part) {
				needs[m.ID] = true
			}
		}
	})
	sc := &scope{ctx: ctx, values: map[string]value{}}
	for need := range needs {
		if err := q.resolve(ctx, need); err != nil {
			return err
		}
		other := q.states[need]
		if other == nil {
			continue
		}
		if st.period != 0 && other.period != 0 && st.period != other.period {
			return inExpression(id, errors.New("the metrics have different periods; give all the same"))
		}
		st.period = max(st.period, other.period)
		sc.values[need] = other.value
	}
	for _, m := range q.in.MetricDataQueries {
		if other := q.states[m.ID]; needs[m.ID] && other.tree == nil {
			sc.metrics = append(sc.metrics, named{m.ID, other.value.series[0]})
		}
	}
	if st.period != 0 {
		sc.n, sc.seconds = q.frame(st.period).n, st.period.Seconds()
	}
	var err error
	if st.value, err = sc.evaluate(st.tree); err != nil {
		return inExpression(id, err)
	}
	return nil
}

// measure reads a metric's statistic.
func (q *query) measure(ctx context.Context, st *state) error {
	of, _ := statistic(st.MetricStat.Stat)
	f := q.frame(st.period)
	byUnit, err := q.store.gather(ctx, *st.MetricStat.Metric, st.MetricStat.Unit, f)
	if err != nil {
		return err
	}
	all := make([]window, f.n)
	for _, list := range byUnit {
		for i := range list {
			all[i].merge(&list[i])
		}
	}
	series := make([]float64, f.n)
	for i := range all {
		series[i] = math.NaN()
		if all[i].count > 0 {
			series[i] = of(&all[i])
		}
	}
	st.value = single(series)
	return nil
}

// merge adds another window's values.
func (w *window) merge(o *window) {
	if o.count == 0 {
		return
	}
	if w.count == 0 {
		*w = *o
		return
	}
	w.min, w.max = min(w.min, o.min), max(w.max, o.max)
	w.count, w.sum, w.vague = w.count+o.count, w.sum+o.sum, w.vague || o.vague
	w.values = append(w.values, o.values...)
}

// results are the time series of a query, in the order that the call wants.
func (q *query) results(m MetricDataQuery) ([]MetricDataResult, error) {
	st := q.states[m.ID]
	if st.value.scalar() {
		return nil, inExpression(m.ID, errors.New("it does not come to a time series: set ReturnData to false, or use a metric"))
	}
	label := m.Label
	switch {
	case label != "":
	case m.MetricStat != nil:
		label = m.MetricStat.Metric.MetricName
	default:
		label = m.ID
	}
	f := q.frame(st.period)
	var list []MetricDataResult
	for _, series := range st.value.series {
		r := MetricDataResult{ID: m.ID, Label: label, Timestamps: []wire.Time{}, Values: []float64{}}
		for i, v := range series {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				r.Timestamps, r.Values = append(r.Timestamps, wire.At(f.begin(i))), append(r.Values, v)
			}
		}
		if q.in.ScanBy != "TimestampAscending" {
			slices.Reverse(r.Timestamps)
			slices.Reverse(r.Values)
		}
		list = append(list, r)
	}
	return list, nil
}

func (in GetMetricDataInput) check() error {
	switch {
	case len(in.MetricDataQueries) == 0:
		return missing("MetricDataQueries")
	case len(in.MetricDataQueries) > maxQueries:
		return invalidQuery("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case in.StartTime.IsZero():
		return missing("StartTime")
	case in.EndTime.IsZero():
		return missing("EndTime")
	case !in.StartTime.Before(in.EndTime.Time):
		return invalidQuery("The parameter StartTime must be less than the parameter EndTime.")
	case in.MaxDatapoints < 0 || in.MaxDatapoints > maxPage:
		return invalidQuery("The parameter MaxDatapoints must be between 1 and %d.", maxPage)
	case !slices.Contains([]string{"", "TimestampAscending", "TimestampDescending"}, in.ScanBy):
		return invalidQuery("The parameter ScanBy must be TimestampAscending or TimestampDescending.")
	}
	for i, m := range in.MetricDataQueries {
		if err := m.check(i+1, in.StartTime.Time); err != nil {
			return err
		}
	}
	return nil
}

func (m MetricDataQuery) check(n int, start time.Time) error {
	switch {
	case !validID.MatchString(m.ID) || len(m.ID) > 255:
		return invalidQuery("The value %q for MetricDataQueries.member.%d.Id is not matching the expected pattern %s.", m.ID, n, validID)
	case (m.MetricStat == nil) == (m.Expression == ""):
		return invalidQuery("MetricDataQueries.member.%d must have either MetricStat or Expression.", n)
	case m.MetricStat == nil:
		return nil
	}
	stat := m.MetricStat
	switch {
	case stat.Metric == nil || stat.Metric.Namespace == "" || stat.Metric.MetricName == "":
		return invalidQuery("MetricDataQueries.member.%d.MetricStat.Metric must have a Namespace and a MetricName.", n)
	case stat.Unit != "" && !slices.Contains(units, stat.Unit):
		return invalidQuery("MetricDataQueries.member.%d.MetricStat.Unit %q is no unit.", n, stat.Unit)
	}
	if _, ok := statistic(stat.Stat); !ok {
		return invalidQuery("The value %q for MetricDataQueries.member.%d.MetricStat.Stat is not supported: use SampleCount, Average, Sum, Minimum, Maximum or a percentile such as p99.", stat.Stat, n)
	}
	if err := checkDimensions(stat.Metric.Dimensions); err != nil {
		return invalidQuery("%w", err)
	}
	if err := checkPeriod(stat.Period, time.Since(start)); err != nil {
		return invalidQuery("MetricDataQueries.member.%d: %w", n, err)
	}
	return nil
}
