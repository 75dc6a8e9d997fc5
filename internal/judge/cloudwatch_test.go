package judge

import (
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

func cloudwatchCalls(s *sdk) {
	c := cloudwatch.NewFromConfig(s.config)
	from, to := aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
	host := []types.Dimension{{Name: aws.String("Host"), Value: aws.String("go")}}
	data := []types.MetricDatum{
		{MetricName: aws.String("sent"), Dimensions: host, Value: aws.Float64(10), Unit: types.StandardUnitBytes},
		{MetricName: aws.String("sent"), Dimensions: host, Unit: types.StandardUnitBytes, StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(2), Sum: aws.Float64(30), Minimum: aws.Float64(5), Maximum: aws.Float64(25)}},
	}
	call(s, "put", c.PutMetricData, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Go"), MetricData: data}, nil)
	asked := cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("Go"), MetricName: aws.String("sent"), Dimensions: host, StartTime: from, EndTime: to, Period: aws.Int32(7200),
		Statistics: []types.Statistic{types.StatisticSum, types.StatisticMinimum, types.StatisticMaximum, types.StatisticSampleCount, types.StatisticAverage},
	}
	call(s, "statistics", c.GetMetricStatistics, &asked, func(out *cloudwatch.GetMetricStatisticsOutput) error {
		sum, least, most, n := 0.0, 100.0, 0.0, 0.0
		for _, p := range out.Datapoints { // two, if a period ends just now
			sum, least, most, n = sum+*p.Sum, min(least, *p.Minimum), max(most, *p.Maximum), n+*p.SampleCount
		}
		return same([]float64{sum, least, most, n}, []float64{40, 5, 25, 3})
	})
	wrong := asked
	wrong.Period = aws.Int32(61)
	fails(s, "a period that is none", "InvalidParameterValue", c.GetMetricStatistics, &wrong)
	wrong = asked
	wrong.Statistics = nil
	fails(s, "no statistic", "InvalidParameterCombination", c.GetMetricStatistics, &wrong)
	fails(s, "a value that is none", "InvalidParameterValue", c.PutMetricData, &cloudwatch.PutMetricDataInput{Namespace: aws.String("Go"), MetricData: []types.MetricDatum{{MetricName: aws.String("x"), Value: aws.Float64(math.Inf(1))}}})
	call(s, "list", c.ListMetrics, &cloudwatch.ListMetricsInput{Namespace: aws.String("Go")}, func(out *cloudwatch.ListMetricsOutput) error { return same(len(out.Metrics), 1) })
	sum := func(id, stat string) types.MetricDataQuery {
		return types.MetricDataQuery{Id: aws.String(id), ReturnData: aws.Bool(false), MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: aws.String("Go"), MetricName: aws.String("sent"), Dimensions: host}, Period: aws.Int32(86400), Stat: aws.String(stat),
		}}
	}
	call(s, "maths", c.GetMetricData, &cloudwatch.GetMetricDataInput{StartTime: from, EndTime: to, MetricDataQueries: []types.MetricDataQuery{
		sum("total", "Sum"), sum("n", "SampleCount"), {Id: aws.String("mean"), Expression: aws.String("total / n * 3")},
	}}, func(out *cloudwatch.GetMetricDataOutput) error {
		return same([]any{len(out.MetricDataResults), out.MetricDataResults[0].Values}, []any{1, []float64{40}})
	})
	fails(s, "maths over nothing", "ValidationError", c.GetMetricData, &cloudwatch.GetMetricDataInput{StartTime: from, EndTime: to, MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("e"), Expression: aws.String("nothing + 1")}}})
	call(s, "a function runs", lambda.NewFromConfig(s.config).Invoke, &lambda.InvokeInput{FunctionName: &s.world.function, Payload: []byte(`{"fail":true}`)}, nil)
	s.eventually("its error is counted", func() (bool, error) {
		out, err := c.GetMetricStatistics(s.Context(), &cloudwatch.GetMetricStatisticsInput{
			Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"), Dimensions: []types.Dimension{{Name: aws.String("FunctionName"), Value: &s.world.function}},
			StartTime: from, EndTime: to, Period: aws.Int32(7200), Statistics: []types.Statistic{types.StatisticSum},
		})
		return err == nil && len(out.Datapoints) > 0 && *out.Datapoints[0].Sum >= 1, err
	})
}
