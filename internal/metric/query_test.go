package metric_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/metric"
	"github.com/dropstack/dropstack/internal/wire"
)

// tens has a metric m1 with 10, 20, nothing, 40 and a metric m2 with 1, 0, 3, 4 in
// four minutes.
func tens(t testing.TB) *metric.Store {
	t.Helper()
	s := open(t, t.TempDir())
	for i, v := range []float64{10, 20, -1, 40} {
		list := []metric.MetricDatum{in(time.Duration(i)*time.Minute, datum([]float64{1, 0, 3, 4}[i], dim("of", "m2")))}
		if v > 0 {
			list = append(list, in(time.Duration(i)*time.Minute, datum(v, dim("of", "m1"))))
		}
		if _, err := s.PutMetricData(t.Context(), put("n", list...)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func stat(id string) metric.MetricDataQuery {
	return metric.MetricDataQuery{ID: id, ReturnData: new(false), MetricStat: &metric.MetricStat{
		Metric: &metric.Metric{Namespace: "n", MetricName: "m", Dimensions: []metric.Dimension{dim("of", id)}}, Period: 60, Stat: "Sum",
	}}
}

func queries(list ...metric.MetricDataQuery) metric.GetMetricDataInput {
	return metric.GetMetricDataInput{
		MetricDataQueries: list, ScanBy: "TimestampAscending", StartTime: wire.At(minute), EndTime: wire.At(minute.Add(4 * time.Minute)),
	}
}

// tell writes results as id:minute=value,…
func tell(list []metric.MetricDataResult) string {
	var out []string
	for _, r := range list {
		var points []string
		for i, at := range r.Timestamps {
			points = append(points, fmt.Sprintf("%v=%.4g", at.Sub(minute).Minutes(), r.Values[i]))
		}
		out = append(out, r.ID+":"+strings.Join(points, ","))
	}
	return strings.Join(out, " ")
}

func TestExpressions(t *testing.T) {
	s := tens(t)
	for expression, want := range map[string]string{
		"m1":                                  "0=10,1=20,3=40",
		"m1 + m2":                             "0=11,1=20,3=44", // a number on both sides, or none
		"100 * m2/m1":                         "0=10,1=0,3=10",
		"m1 / m2":                             "0=10,3=10", // not by zero
		"-m2 + 2 * (m2 - 1) ^ 2":              "0=-1,1=2,2=5,3=14",
		"2 ^ 3 ^ 0 * m2":                      "0=2,1=0,2=6,3=8",
		"m1 - AVG(m1)":                        "0=-13.33,1=-3.333,3=16.67",
		"m2 / SUM(m2)":                        "0=0.125,1=0,2=0.375,3=0.5",
		"m2 - MIN(m2) + MAX(m2)":              "0=5,1=4,2=7,3=8",
		"SUM(METRICS())":                      "0=11,1=20,2=3,3=44",
		"SUM([m1, m2])":                       "0=11,1=20,2=3,3=44",
		"AVG(METRICS())":                      "0=5.5,1=10,2=3,3=22",
		`MAX(METRICS("m2"))`:                  "0=1,1=0,2=3,3=4",
		"MIN([m1, m2]) + 0":                   "0=1,1=0,2=3,3=4",
		"FILL(m1, 0)":                         "0=10,1=20,2=0,3=40",
		"FILL(m1, REPEAT)":                    "0=10,1=20,2=20,3=40",
		"FILL(m1, LINEAR)":                    "0=10,1=20,2=30,3=40",
		"FILL(m1, m2)":                        "0=10,1=20,2=3,3=40",
		"m1 / PERIOD(m1)":                     "0=0.1667,1=0.3333,3=0.6667",
		"RATE(m1) * 60":                       "1=10,3=10",
		"DIFF(m2)":                            "1=-1,2=3,3=1",
		"IF(m1 > 15, m1, 0)":                  "0=0,1=20,3=40",
		"IF(m2 >= 3 AND m2 != 4, m2)":         "2=3",
		"IF(m2 < 1 || m2 == 4, 1, 0)":         "0=0,1=1,2=0,3=1",
		"CEIL(m2 / 2) + FLOOR(m2 / 2)":        "0=1,1=0,2=3,3=4",
		"ABS(-m1)":                            "0=10,1=20,3=40",
		"IF(1 > 2, m1, m2)":                   "0=1,1=0,2=3,3=4",
		"1.5e1 * m2":                          "0=15,1=0,2=45,3=60",
		"e0 + 1":                              "0=3,1=1,2=7,3=9",
		"[m1, m2] * 2":                        "0=20,1=40,3=80 e:0=2,1=0,2=6,3=8",
		"SUM([m1, m2]) - m1 - FILL(m1 * 0,1)": "0=1,1=0,3=4",
	} {
		t.Run(expression, func(t *testing.T) {
			out, err := s.GetMetricData(t.Context(), queries(
				metric.MetricDataQuery{ID: "e", Expression: expression}, stat("m1"), stat("m2"),
				metric.MetricDataQuery{ID: "e0", Expression: "m2 * 2", ReturnData: new(false)},
			))
			if err != nil {
				t.Fatal(err)
			}
			if got, want := tell(out.MetricDataResults), "e:"+want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWrongQueries(t *testing.T) {
	s := tens(t)
	hours := stat("h")
	hours.MetricStat.Period = 300
	expression := func(text string) metric.GetMetricDataInput {
		return queries(metric.MetricDataQuery{ID: "e", Expression: text}, stat("m1"), stat("m2"), hours)
	}
	change := func(f func(*metric.MetricDataQuery)) metric.GetMetricDataInput {
		q := stat("m1")
		f(&q)
		return queries(q)
	}
	for name, c := range map[string]struct {
		in   metric.GetMetricDataInput
		says string
	}{
		"a function that there is not":  {expression("ANOMALY_DETECTION_BAND(m1, 2)"), "ANOMALY_DETECTION_BAND is not supported"},
		"a search":                      {expression("SEARCH('{n} m', 'Sum', 60)"), "SEARCH is not supported"},
		"an unknown id":                 {expression("m1 + m9"), `"m9"`},
		"no time series":                {expression("SUM(m1)"), "time series"},
		"different periods":             {expression("m1 + h"), "different periods"},
		"itself":                        {expression("m1 + e"), "itself"},
		"an open parenthesis":           {expression("(m1 + m2"), "parenthesis"},
		"an open call":                  {expression("SUM(m1"), "not closed"},
		"two things":                    {expression("m1 m2"), `"m2"`},
		"an operator as a function":     {expression("AND(m1)"), "AND"},
		"nothing after an operator":     {expression("m1 +"), "too early"},
		"depth":                         {expression(strings.Repeat("(", 2000) + "m1"), "nested"},
		"an empty array":                {expression("SUM([])"), "empty"},
		"METRICS that finds nothing":    {expression(`SUM(METRICS("x"))`), "finds no metric"},
		"a text":                        {expression("'m1'"), "text"},
		"an id twice":                   {queries(stat("m1"), stat("m1")), "duplicate"},
		"an id in capitals":             {queries(stat("M1")), "M1"},
		"neither metric nor expression": {queries(metric.MetricDataQuery{ID: "e"}), "either"},
		"an unknown statistic":          {change(func(q *metric.MetricDataQuery) { q.MetricStat.Stat = "tm99" }), "tm99"},
		"no period":                     {change(func(q *metric.MetricDataQuery) { q.MetricStat.Period = 0 }), "multiple of 60"},
		"no metric":                     {change(func(q *metric.MetricDataQuery) { q.MetricStat.Metric = nil }), "MetricName"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.GetMetricData(t.Context(), c.in)
			code(t, err, fault.Invalid, "ValidationError")
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want it to say %q", err, c.says)
			}
		})
	}
	in := queries(stat("m1"))
	in.NextToken = "tomorrow"
	_, err := s.GetMetricData(t.Context(), in)
	code(t, err, fault.Invalid, "InvalidNextToken")
}

func TestPagesOfData(t *testing.T) {
	s := tens(t)
	one, two := stat("m1"), stat("m2")
	one.ReturnData, two.ReturnData, two.Label = nil, new(true), "second"
	in := queries(one, two)
	in.ScanBy, in.MaxDatapoints = "", 2
	var got []string
	for {
		out, err := s.GetMetricData(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		page := tell(out.MetricDataResults)
		for _, r := range out.MetricDataResults {
			page += " " + r.Label + " " + r.StatusCode
		}
		got = append(got, page)
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
	}
	want := []string{
		"m1:3=40,1=20 m2: m PartialData second PartialData",
		"m1:0=10 m2:3=4 m Complete second PartialData",
		"m1: m2:2=3,1=0 m Complete second PartialData",
		"m1: m2:0=1 m Complete second Complete",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestListMetrics(t *testing.T) {
	s := open(t, t.TempDir())
	for _, in := range []metric.PutMetricDataInput{
		put("a", datum(1), datum(1, dim("Host", "x")), datum(1, dim("Host", "y"), dim("Disk", "0"))),
		put("b", metric.MetricDatum{MetricName: "o", StatisticValues: &metric.StatisticSet{SampleCount: 2, Sum: 2, Minimum: 1, Maximum: 1}}),
		put("b", metric.MetricDatum{MetricName: "old", Value: new(1.0), Timestamp: wire.At(time.Now().Add(-4 * time.Hour))}),
	} {
		if _, err := s.PutMetricData(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	(&metric.Functions{Store: s}).Ran(metric.Run{Function: "f", Version: "2", Qualifier: "live", ErrorType: "E"})
	filter := func(name, value string) []metric.DimensionFilter {
		return []metric.DimensionFilter{{Name: name, Value: value}}
	}
	for name, c := range map[string]struct {
		in   metric.ListMetricsInput
		want []string
	}{
		"of a namespace":          {metric.ListMetricsInput{Namespace: "a"}, []string{"a/m", "a/m Disk=0 Host=y", "a/m Host=x"}},
		"by name":                 {metric.ListMetricsInput{MetricName: "o"}, []string{"b/o"}},
		"by dimension":            {metric.ListMetricsInput{Dimensions: filter("Host", "")}, []string{"a/m Disk=0 Host=y", "a/m Host=x"}},
		"by a dimension's value":  {metric.ListMetricsInput{Dimensions: filter("Host", "x")}, []string{"a/m Host=x"}},
		"recently active":         {metric.ListMetricsInput{Namespace: "b", RecentlyActive: "PT3H"}, []string{"b/o"}},
		"of two weeks":            {metric.ListMetricsInput{Namespace: "b"}, []string{"b/o", "b/old"}},
		"nothing":                 {metric.ListMetricsInput{Namespace: "c"}, nil},
		"of functions, by name":   {metric.ListMetricsInput{Namespace: "AWS/Lambda", MetricName: "Errors", Dimensions: filter("ExecutedVersion", "")}, []string{"AWS/Lambda/Errors FunctionName=f Resource=f:live ExecutedVersion=2"}},
		"of a function and alias": {metric.ListMetricsInput{MetricName: "Duration", Dimensions: filter("Resource", "f:live")}, []string{"AWS/Lambda/Duration FunctionName=f Resource=f:live", "AWS/Lambda/Duration FunctionName=f Resource=f:live ExecutedVersion=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := s.ListMetrics(t.Context(), c.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range out.Metrics {
				line := m.Namespace + "/" + m.MetricName
				for _, d := range m.Dimensions {
					line += " " + d.Name + "=" + d.Value
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPagesOfMetrics(t *testing.T) {
	s := open(t, t.TempDir())
	list := make([]metric.MetricDatum, 1000)
	for i := range list {
		list[i] = datum(1, dim("id", fmt.Sprint(i)))
	}
	if _, err := s.PutMetricData(t.Context(), put("n", append(list, datum(1))[1:]...)); err != nil {
		t.Fatal(err)
	}
	seen, sizes := map[string]bool{}, []int{}
	var in metric.ListMetricsInput
	for {
		out, err := s.ListMetrics(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(out.Metrics))
		for _, m := range out.Metrics {
			seen[fmt.Sprint(m)] = true
		}
		if in.NextToken = out.NextToken; in.NextToken == "" {
			break
		}
	}
	if diff := cmp.Diff([]int{500, 500}, sizes); diff != "" || len(seen) != 1000 {
		t.Errorf("got %d metrics in pages %s", len(seen), diff)
	}
}

func FuzzExpression(f *testing.F) {
	for _, seed := range []string{
		"m1+m2*-3^2", "IF(m1 > 2 AND m2 <= 1e3, FILL(METRICS(), REPEAT), RATE([m1,m2]))", "SUM(METRICS('m'))/PERIOD(m1)", "((", "FILL(m1,[m1,m2])", "e", "AND(", "1.2.3",
	} {
		f.Add(seed)
	}
	s := tens(f)
	f.Fuzz(func(t *testing.T, expression string) {
		out, err := s.GetMetricData(t.Context(), queries(metric.MetricDataQuery{ID: "e", Expression: expression}, stat("m1"), stat("m2")))
		if err != nil && fault.CodeOf(err) != "ValidationError" {
			t.Errorf("%q: %v", expression, err)
		}
		for _, r := range out.MetricDataResults {
			if len(r.Timestamps) != len(r.Values) || r.ID != "e" {
				t.Errorf("%q: got %+v", expression, r)
			}
		}
	})
}
