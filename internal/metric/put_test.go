package metric_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

func datum(v float64, dims ...metric.Dimension) metric.MetricDatum {
	return metric.MetricDatum{MetricName: "m", Value: &v, Dimensions: dims}
}

func put(namespace string, list ...metric.MetricDatum) metric.PutMetricDataInput {
	return metric.PutMetricDataInput{Namespace: namespace, MetricData: list}
}

func sum(t *testing.T, s *metric.Store, namespace string, dims ...metric.Dimension) float64 {
	t.Helper()
	start, end, period := hour()
	out, err := s.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
		Namespace: namespace, MetricName: "m", Dimensions: dims, StartTime: start, EndTime: end, Period: period, Statistics: []string{"Sum"},
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, p := range out.Datapoints {
		total += *p.Sum
	}
	return total
}

// minute is a minute some time ago, and a datum in it.
var minute = time.Now().Add(-30 * time.Minute).Truncate(10 * time.Minute)

func in(offset time.Duration, d metric.MetricDatum) metric.MetricDatum {
	d.Timestamp = wire.At(minute.Add(offset))
	return d
}

func TestStatistics(t *testing.T) {
	s := open(t, t.TempDir())
	ten := make([]float64, 10)
	for i := range ten {
		ten[i] = float64(i + 1)
	}
	web := dim("Host", "web.1")
	list := []metric.MetricDatum{
		in(0, datum(1)), in(0, datum(1)), in(59*time.Second, datum(4)), // equal ones at one moment count all
		in(time.Minute, metric.MetricDatum{MetricName: "m", Values: ten}),
		in(2*time.Minute, metric.MetricDatum{MetricName: "m", Values: []float64{5, 10}, Counts: []float64{3, 1}}),
		in(3*time.Minute, metric.MetricDatum{MetricName: "m", StatisticValues: &metric.StatisticSet{SampleCount: 4, Sum: 20, Minimum: 2, Maximum: 9}}),
		in(4*time.Minute, datum(3, web)),
		in(4*time.Minute, metric.MetricDatum{MetricName: "m", Value: new(7.0), Unit: "Bytes"}),
		in(-3*time.Minute, datum(-8)), // comes late
	}
	if _, err := s.PutMetricData(t.Context(), put("n", list...)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		offset, length time.Duration
		dims           []metric.Dimension
		unit           string
		want           []any // count, sum, average, minimum, maximum, p90 or nothing
	}{
		"values at one moment":         {0, time.Minute, nil, "", []any{3.0, 6.0, 2.0, 1.0, 4.0, 4.0}},
		"a list of values":             {time.Minute, time.Minute, nil, "", []any{10.0, 55.0, 5.5, 1.0, 10.0, 9.0}},
		"values with counts":           {2 * time.Minute, time.Minute, nil, "", []any{4.0, 25.0, 6.25, 5.0, 10.0, 10.0}},
		"a statistic set":              {3 * time.Minute, time.Minute, nil, "", []any{4.0, 20.0, 5.0, 2.0, 9.0, nil}},
		"all periods together":         {0, 4 * time.Minute, nil, "", []any{21.0, 106.0, 106.0 / 21, 1.0, 10.0, nil}},
		"below zero, and late":         {-3 * time.Minute, time.Minute, nil, "", []any{1.0, -8.0, -8.0, -8.0, -8.0, -8.0}},
		"a dimension":                  {4 * time.Minute, time.Minute, []metric.Dimension{web}, "", []any{1.0, 3.0, 3.0, 3.0, 3.0, 3.0}},
		"a unit":                       {4 * time.Minute, time.Minute, nil, "Bytes", []any{1.0, 7.0, 7.0, 7.0, 7.0, 7.0}},
		"another unit":                 {4 * time.Minute, time.Minute, nil, "Count", nil},
		"another value of a dimension": {4 * time.Minute, time.Minute, []metric.Dimension{dim("Host", "web.2")}, "", nil},
		"nothing in time":              {5 * time.Minute, time.Minute, nil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := s.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
				Namespace: "n", MetricName: "m", Dimensions: c.dims, Unit: c.unit, Period: int(c.length.Seconds()),
				StartTime: wire.At(minute.Add(c.offset)), EndTime: wire.At(minute.Add(c.offset + c.length)),
				Statistics: []string{"SampleCount", "Sum", "Average", "Minimum", "Maximum"}, ExtendedStatistics: []string{"p90"},
			})
			if err != nil {
				t.Fatal(err)
			}
			var got []any
			for _, p := range out.Datapoints {
				got = append(got, *p.SampleCount, *p.Sum, *p.Average, *p.Minimum, *p.Maximum)
				if v, ok := p.ExtendedStatistics["p90"]; ok {
					got = append(got, v)
				} else {
					got = append(got, nil)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSecondsAreKeptIfAskedFor(t *testing.T) {
	s := open(t, t.TempDir())
	fine := datum(1)
	fine.StorageResolution = new(1)
	now := time.Now().Truncate(time.Minute).Add(-time.Minute)
	for _, offset := range []time.Duration{0, 10 * time.Second, 11 * time.Second} {
		fine.Timestamp = wire.At(now.Add(offset))
		if _, err := s.PutMetricData(t.Context(), put("n", fine)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := s.GetMetricStatistics(t.Context(), metric.GetMetricStatisticsInput{
		Namespace: "n", MetricName: "m", Period: 10, StartTime: wire.At(now), EndTime: wire.At(now.Add(time.Minute)), Statistics: []string{"Sum"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[time.Duration]float64{}
	for _, p := range out.Datapoints {
		got[p.Timestamp.Sub(now)] = *p.Sum
	}
	if diff := cmp.Diff(map[time.Duration]float64{0: 1, 10 * time.Second: 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPutIsChecked(t *testing.T) {
	s := open(t, t.TempDir())
	with := func(change func(*metric.MetricDatum)) metric.PutMetricDataInput {
		d := datum(1)
		change(&d)
		return put("n", datum(1), d)
	}
	const value, missing, both = "InvalidParameterValueException", "MissingRequiredParameterException", "InvalidParameterCombinationException"
	many := make([]metric.Dimension, 31)
	for i := range many {
		many[i] = dim(fmt.Sprint("d", i), "v")
	}
	for name, c := range map[string]struct {
		in   metric.PutMetricDataInput
		want string
	}{
		"no namespace":        {put("", datum(1)), missing},
		"a reserved one":      {put("AWS/Lambda", datum(1)), value},
		"one with a colon":    {put(":n", datum(1)), value},
		"no data":             {put("n"), missing},
		"over 1000 data":      {put("n", make([]metric.MetricDatum, 1001)...), value},
		"no name":             {with(func(d *metric.MetricDatum) { d.MetricName = "" }), missing},
		"no value":            {with(func(d *metric.MetricDatum) { d.Value = nil }), missing},
		"two kinds of value":  {with(func(d *metric.MetricDatum) { d.Values = []float64{1} }), both},
		"not a number":        {put("n", datum(math.NaN())), value},
		"an infinity":         {put("n", datum(math.Inf(-1))), value},
		"too great":           {put("n", datum(math.Ldexp(1, 361))), value},
		"counts without mate": {with(func(d *metric.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1} }), value},
		"a count of zero":     {with(func(d *metric.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1}, []float64{0} }), value},
		"151 values":          {with(func(d *metric.MetricDatum) { d.Value, d.Values = nil, make([]float64, 151) }), value},
		"an empty set": {with(func(d *metric.MetricDatum) {
			d.Value, d.StatisticValues = nil, &metric.StatisticSet{}
		}), value},
		"an unknown unit":          {with(func(d *metric.MetricDatum) { d.Unit = "Parsecs" }), value},
		"another resolution":       {with(func(d *metric.MetricDatum) { d.StorageResolution = new(5) }), value},
		"too old":                  {with(func(d *metric.MetricDatum) { d.Timestamp = wire.At(time.Now().Add(-15 * 24 * time.Hour)) }), value},
		"of the future":            {with(func(d *metric.MetricDatum) { d.Timestamp = wire.At(time.Now().Add(3 * time.Hour)) }), value},
		"31 dimensions":            {put("n", datum(1, many...)), value},
		"a dimension without name": {put("n", datum(1, dim("", "v"))), value},
		"an empty dimension":       {put("n", datum(1, dim("d", " "))), value},
		"a dimension twice":        {put("n", datum(1, dim("d", "v"), dim("d", "w"))), value},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.PutMetricData(t.Context(), c.in)
			code(t, err, fault.Invalid, c.want)
		})
	}
	if got := sum(t, s, "n"); got != 0 {
		t.Errorf("got the sum %v: a refused call has left something", got)
	}
}

func TestPutUpToTheBounds(t *testing.T) {
	s := open(t, t.TempDir())
	dims := make([]metric.Dimension, 30)
	for i := range dims {
		dims[i] = dim(fmt.Sprint("d.", i), "v")
	}
	d := datum(2, dims...)
	for _, at := range []time.Duration{-14*24*time.Hour + time.Minute, 0, 2*time.Hour - time.Minute, -time.Hour} {
		d.Timestamp = wire.At(time.Now().Add(at))
		if _, err := s.PutMetricData(t.Context(), put("n", d)); err != nil {
			t.Errorf("at %v: %v", at, err)
		}
	}
	if _, err := s.PutMetricData(t.Context(), put("o", datum(5))); err != nil { // though another is ahead of it
		t.Fatal(err)
	}
	if got := sum(t, s, "o"); got != 5 {
		t.Errorf("got the sum %v, want 5", got)
	}
}

func TestStatisticsAreChecked(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now()
	good := metric.GetMetricStatisticsInput{
		Namespace: "n", MetricName: "m", Period: 60, StartTime: wire.At(now.Add(-time.Hour)), EndTime: wire.At(now), Statistics: []string{"Sum"},
	}
	for name, c := range map[string]struct {
		change func(*metric.GetMetricStatisticsInput)
		want   string
	}{
		"no name":            {func(in *metric.GetMetricStatisticsInput) { in.MetricName = "" }, "MissingRequiredParameterException"},
		"no end":             {func(in *metric.GetMetricStatisticsInput) { in.EndTime = wire.Time{} }, "MissingRequiredParameterException"},
		"backwards":          {func(in *metric.GetMetricStatisticsInput) { in.EndTime = in.StartTime }, "InvalidParameterValueException"},
		"no statistic":       {func(in *metric.GetMetricStatisticsInput) { in.Statistics = nil }, "InvalidParameterCombinationException"},
		"unknown statistic":  {func(in *metric.GetMetricStatisticsInput) { in.Statistics = []string{"Median"} }, "InvalidParameterValueException"},
		"unknown percentile": {func(in *metric.GetMetricStatisticsInput) { in.ExtendedStatistics = []string{"p101"} }, "InvalidParameterValueException"},
		"odd period":         {func(in *metric.GetMetricStatisticsInput) { in.Period = 61 }, "InvalidParameterValueException"},
		"seconds long ago": {func(in *metric.GetMetricStatisticsInput) {
			in.Period, in.StartTime = 10, wire.At(now.Add(-4*time.Hour))
		}, "InvalidParameterValueException"},
		"minutes of last month": {func(in *metric.GetMetricStatisticsInput) { in.StartTime = wire.At(now.Add(-20 * 24 * time.Hour)) }, "InvalidParameterValueException"},
		"too many":              {func(in *metric.GetMetricStatisticsInput) { in.StartTime = wire.At(now.Add(-25 * time.Hour)) }, "InvalidParameterCombinationException"},
	} {
		t.Run(name, func(t *testing.T) {
			in := good
			c.change(&in)
			_, err := s.GetMetricStatistics(t.Context(), in)
			code(t, err, fault.Invalid, c.want)
		})
	}
	if _, err := s.GetMetricStatistics(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func TestTooManyMetrics(t *testing.T) {
	s := open(t, t.TempDir())
	list := make([]metric.MetricDatum, 1000)
	for n := range metric.MaxPerNamespace / 1000 {
		for i := range list {
			list[i] = datum(1, dim("id", fmt.Sprint(n, "/", i)))
		}
		if _, err := s.PutMetricData(t.Context(), put("n", list...)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.PutMetricData(t.Context(), put("n", datum(1, dim("id", "one more"))))
	code(t, err, fault.Invalid, "LimitExceededFault")
	if got := s.Dropped("namespace/n"); got != 1 {
		t.Errorf("got %d dropped, want 1", got)
	}
	for _, known := range []string{"0/0", "9/999"} {
		if _, err := s.PutMetricData(t.Context(), put("n", datum(1, dim("id", known)))); err != nil {
			t.Errorf("%s: %v", known, err)
		}
	}
	if _, err := s.PutMetricData(t.Context(), put("other", datum(1))); err != nil {
		t.Error(err)
	}
}
