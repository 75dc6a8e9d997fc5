import { CloudWatch } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogs, paginateGetLogEvents } from '@aws-sdk/client-cloudwatch-logs';

const hour = 3600e3;

export default async function ({ call, fails, same }) {
  const cloudwatch = new CloudWatch({ maxAttempts: 1 });
  const [StartTime, EndTime] = [new Date(Date.now() - hour), new Date(Date.now() + hour)];
  const dimensions = [{ Name: 'Host', Value: 'js' }];
  // long enough to be compressed
  const MetricData = Array.from({ length: 300 }, (_, i) => ({ MetricName: 'js', Dimensions: dimensions, Value: i, Unit: 'Count', Timestamp: new Date() }));
  await call('cloudwatch put metric data', () => cloudwatch.putMetricData({ Namespace: 'JS', MetricData }));
  const asked = { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions, StartTime, EndTime, Period: 7200 };
  await call('cloudwatch get metric statistics', () => cloudwatch.getMetricStatistics({ ...asked, Statistics: ['SampleCount', 'Maximum'] }), (out) => {
    same(out.Datapoints.map((p) => [p.SampleCount, p.Maximum, p.Unit, p.Timestamp instanceof Date]), [[300, 299, 'Count', true]]);
  });
  await call('cloudwatch get metric data', () => cloudwatch.getMetricData({
    StartTime, EndTime, MetricDataQueries: [
      { Id: 'm', MetricStat: { Metric: { Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }, Period: 10800, Stat: 'Average' }, ReturnData: false },
      { Id: 'e', Expression: 'IF(m > 100, 1, 0)' },
    ],
  }), (out) => same(out.MetricDataResults.map((r) => [r.Id, r.Values, r.StatusCode]), [['e', [1], 'Complete']]));
  await call('cloudwatch list metrics', () => cloudwatch.listMetrics({ Namespace: 'JS' }), (out) => same(out.Metrics, [{ Namespace: 'JS', MetricName: 'js', Dimensions: dimensions }]));
  await fails('cloudwatch unknown period', 'InvalidParameterValueException', () => cloudwatch.getMetricStatistics({ ...asked, Period: 61, Statistics: ['Sum'] }));
  await fails('cloudwatch no metric', 'MissingRequiredParameterException', () => cloudwatch.getMetricStatistics({ ...asked, MetricName: '', Statistics: ['Sum'] }));

  const logs = new CloudWatchLogs({ maxAttempts: 1 });
  const [logGroupName, logStreamName] = ['/js', 'stream'];
  await call('logs create group', () => logs.createLogGroup({ logGroupName }));
  await fails('logs create group twice', 'ResourceAlreadyExistsException', () => logs.createLogGroup({ logGroupName }));
  await call('logs create stream', () => logs.createLogStream({ logGroupName, logStreamName }));
  const logEvents = ['one', 'two', 'three'].map((message) => ({ message, timestamp: Date.now() }));
  await call('logs put events', () => logs.putLogEvents({ logGroupName, logStreamName, logEvents }), (out) => same(out.rejectedLogEventsInfo, undefined));
  await call('logs get events by pages', async () => {
    const list = [];
    for await (const page of paginateGetLogEvents({ client: logs, pageSize: 2, stopOnSameToken: true }, { logGroupName, logStreamName, startFromHead: true })) {
      list.push(...page.events.map((e) => e.message));
    }
    return list;
  }, (list) => same(list, ['one', 'two', 'three']));
  await call('logs filter events', () => logs.filterLogEvents({ logGroupName, filterPattern: '?one ?three' }), (out) => same(out.events.map((e) => e.message), ['one', 'three']));
  await fails('logs filter nowhere', 'ResourceNotFoundException', () => logs.filterLogEvents({ logGroupName: '/nowhere' }));
  await call('logs delete group', () => logs.deleteLogGroup({ logGroupName }));
}
