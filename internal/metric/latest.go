package metric

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/wire"
)

// Latest returns what queries come to in the n periods before end, the oldest first,
// by their ids: NaN is a period without data. The periods end with end, wherever it
// is. What comes to no single time series is left out.
func (s *Store) Latest(ctx context.Context, queries []MetricDataQuery, end time.Time, n int) (map[string][]float64, error) {
	period := 0
	for _, m := range queries {
		if m.MetricStat != nil {
			period = max(period, m.MetricStat.Period)
		}
	}
	in := GetMetricDataInput{
		MetricDataQueries: queries, EndTime: wire.At(end), StartTime: wire.At(end.Add(-time.Duration(n*period) * time.Second)),
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	q := &query{store: s, in: in, states: map[string]*state{}, sliding: true}
	if err := q.prepare(); err != nil {
		return nil, err
	}
	out := map[string][]float64{}
	for _, m := range queries {
		if err := q.resolve(ctx, m.ID); err != nil {
			return nil, err
		}
		if v := q.states[m.ID].value; !v.scalar() && len(v.series) == 1 {
			out[m.ID] = v.series[0]
		}
	}
	return out, nil
}

// CheckQueries says what is wrong with queries before they are ever asked.
func CheckQueries(queries []MetricDataQuery) error {
	now := time.Now()
	in := GetMetricDataInput{MetricDataQueries: queries, StartTime: wire.At(now.Add(-time.Hour)), EndTime: wire.At(now)}
	if err := in.check(); err != nil {
		return err
	}
	q := &query{in: in, states: map[string]*state{}}
	return q.prepare()
}
