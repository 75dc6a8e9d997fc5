import { CloudWatch } from '@aws-sdk/client-cloudwatch';

const hour = 3600e3;

export default async function ({ call, fails, same }) {
  const cloudwatch = new CloudWatch({ maxAttempts: 1 });
  const [StartTime, EndTime] = [new Date(Date.now() - hour), new Date(Date.now() + hour)];
  const dimensions = [{ Name: 'Host', Value: 'js' }];
  // long enough to be compressed
  const MetricData = Array.from({ length: 300 }, (_, i) => ({ MetricName: 'js', Dimensions: dimensions, Value: i, Unit: 'Count', Timestamp: new Date() }));
  await call('put metric data', () => cloudwatch.putMetricData({ Namespace: 'JS', MetricData }));
  const asked = { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions, StartTime, EndTime, Period: 7200 };
  await call('get metric statistics', () => cloudwatch.getMetricStatistics({ ...asked, Statistics: ['SampleCount', 'Maximum'] }), (out) => {
    same(out.Datapoints.map((p) => [p.SampleCount, p.Maximum, p.Unit, p.Timestamp instanceof Date]), [[300, 299, 'Count', true]]);
  });
  await call('get metric data', () => cloudwatch.getMetricData({
    StartTime, EndTime, MetricDataQueries: [
      { Id: 'm', MetricStat: { Metric: { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }, Period: 10800, Stat: 'Average' }, ReturnData: false },
      { Id: 'e', Expression: 'IF(m > 100, 1, 0)' },
    ],
  }), (out) => same(out.MetricDataResults.map((r) => [r.Id, r.Values, r.StatusCode]), [['e', [1], 'Complete']]));
  await call('list metrics', () => cloudwatch.listMetrics({ Namespace: 'JS' }), (out) => same(out.Metrics, [{ Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }]));
  await fails('unknown period', 'InvalidParameterValueException', () => cloudwatch.getMetricStatistics({ ...asked, Period: 61, Statistics: ['Sum'] }));
  await fails('no metric', 'MissingRequiredParameterException', () => cloudwatch.getMetricStatistics({ ...asked, MetricName: '', Statistics: ['Sum'] }));
  await call('metric maths over two metrics', () => cloudwatch.getMetricData({
    StartTime, EndTime, MetricDataQueries: [
      { Id: 'a', MetricStat: { Metric: { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }, Period: 10800, Stat: 'Sum' }, ReturnData: false },
      { Id: 'b', MetricStat: { Metric: { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }, Period: 10800, Stat: 'SampleCount' }, ReturnData: false },
      { Id: 'mean', Expression: '(a / b) * 2', Label: 'twice the mean' },
    ],
  }), (out) => same(out.MetricDataResults.map((r) => [r.Label, r.Values]), [['twice the mean', [299]]]));
  await fails('a namespace of AWS', 'InvalidParameterValueException', () => cloudwatch.putMetricData({ Namespace: 'AWS/Lambda', MetricData: [{ MetricName: 'x', Value: 1 }] }));
  await fails('an end before its start', 'InvalidParameterValueException', () => cloudwatch.getMetricStatistics({ ...asked, StartTime: EndTime, EndTime: StartTime, Statistics: ['Sum'] }));
}
