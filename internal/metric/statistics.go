package metric

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// maxDatapoints is what GetMetricStatistics answers at most.
const maxDatapoints = 1440

// GetMetricStatistics returns statistics of one metric, a datapoint a period and
// unit that has data. Periods begin at StartTime.
func (s *Store) GetMetricStatistics(ctx context.Context, in GetMetricStatisticsInput) (GetMetricStatisticsOutput, error) {
	out := GetMetricStatisticsOutput{Label: in.MetricName, Datapoints: []Datapoint{}}
	if err := in.check(time.Now()); err != nil {
		return out, err
	}
	period := time.Duration(in.Period) * time.Second
	f := newFrame(aligned(in.StartTime.Time, min(period, time.Minute)), in.EndTime.Time, period)
	if f.n > maxDatapoints {
		return out, combination("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", f.n, maxDatapoints)
	}
	windows, err := s.gather(ctx, Metric{in.Namespace, in.MetricName, in.Dimensions}, in.Unit, f)
	if err != nil {
		return out, err
	}
	for unit, list := range windows {
		for i := range list {
			if w := &list[i]; w.count > 0 {
				out.Datapoints = append(out.Datapoints, in.datapoint(w, f.begin(i), unit))
			}
		}
	}
	slices.SortFunc(out.Datapoints, func(a, b Datapoint) int {
		if c := a.Timestamp.Compare(b.Timestamp.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Unit, b.Unit)
	})
	return out, nil
}

func (in GetMetricStatisticsInput) datapoint(w *window, at time.Time, unit string) Datapoint {
	p := Datapoint{Timestamp: wire.At(at), Unit: unit}
	for name, field := range map[string]**float64{
		"SampleCount": &p.SampleCount, "Average": &p.Average, "Sum": &p.Sum, "Minimum": &p.Minimum, "Maximum": &p.Maximum,
	} {
		if slices.Contains(in.Statistics, name) {
			of, _ := statistic(name)
			*field = new(of(w))
		}
	}
	for _, name := range in.ExtendedStatistics {
		of, _ := statistic(name)
		v := of(w)
		if v != v { // nobody knows
			continue
		}
		if p.ExtendedStatistics == nil {
			p.ExtendedStatistics = map[string]float64{}
		}
		p.ExtendedStatistics[name] = v
	}
	return p
}

func (in GetMetricStatisticsInput) check(now time.Time) error {
	switch {
	case in.Namespace == "":
		return missing("Namespace")
	case in.MetricName == "":
		return missing("MetricName")
	case in.StartTime.IsZero():
		return missing("StartTime")
	case in.EndTime.IsZero():
		return missing("EndTime")
	case in.Period == 0:
		return missing("Period")
	case !in.StartTime.Before(in.EndTime.Time):
		return invalid("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0:
		return combination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	case in.Unit != "" && !slices.Contains(units, in.Unit):
		return invalid("The parameter Unit must be a value in the set [ %s ].", strings.Join(units, ", "))
	case len(in.ExtendedStatistics) > 10:
		return invalid("The collection ExtendedStatistics must not have a size greater than 10.")
	}
	for _, name := range in.Statistics {
		if _, ok := statistic(name); !ok || name[0] == 'p' {
			return invalid("The parameter Statistics.member.1 must be a value in the set [ SampleCount, Average, Sum, Minimum, Maximum ], and is %q.", name)
		}
	}
	for _, name := range in.ExtendedStatistics {
		if _, ok := percentileOf(name); !ok {
			return invalid("The value %q for parameter ExtendedStatistics is not supported: percentiles are, from p0 to p100.", name)
		}
	}
	if err := checkDimensions(in.Dimensions); err != nil {
		return err
	}
	return checkPeriod(in.Period, now.Sub(in.StartTime.Time))
}

// checkPeriod allows for data of an age the periods that CloudWatch keeps them
// for.
func checkPeriod(period int, age time.Duration) error {
	const day = 24 * time.Hour
	multiple := 60
	switch {
	case age > 63*day:
		multiple = 3600
	case age > 15*day:
		multiple = 300
	case age <= 3*time.Hour && slices.Contains([]int{1, 5, 10, 20, 30}, period):
		return nil
	}
	if period <= 0 || period%multiple != 0 {
		return invalid("The parameter Period must be a multiple of %d for a start so long ago, and is %d.", multiple, period)
	}
	return nil
}
