import { CloudWatchLogs, paginateGetLogEvents } from '@aws-sdk/client-cloudwatch-logs';
import { Lambda } from '@aws-sdk/client-lambda';

export default async function ({ call, fails, same, until }) {
  const logs = new CloudWatchLogs({ maxAttempts: 1 });
  const [logGroupName, logStreamName] = ['/js', 'stream'];
  await call('create group', () => logs.createLogGroup({ logGroupName }));
  await fails('create group twice', 'ResourceAlreadyExistsException', () => logs.createLogGroup({ logGroupName }));
  await call('create stream', () => logs.createLogStream({ logGroupName, logStreamName }));
  const logEvents = ['one', 'two', 'three', '{"level":"error","ms":120}', '{"level":"info","ms":7}'].map((message) => ({ message, timestamp: Date.now() }));
  await call('put events', () => logs.putLogEvents({ logGroupName, logStreamName, logEvents }), (out) => same(out.rejectedLogEventsInfo, undefined));
  await call('get events by pages', async () => {
    const list = [];
    for await (const page of paginateGetLogEvents({ client: logs, pageSize: 2, stopOnSameToken: true }, { logGroupName, logStreamName, startFromHead: true })) {
      list.push(...page.events.map((e) => e.message));
    }
    return list;
  }, (list) => same(list.slice(0, 3), ['one', 'two', 'three']));
  const messages = (out) => out.events.map((e) => e.message);
  await call('filter events by either term', () => logs.filterLogEvents({ logGroupName, filterPattern: '?one ?three' }), (out) => same(messages(out), ['one', 'three']));
  await call('filter events by fields', () => logs.filterLogEvents({ logGroupName, filterPattern: '{ $.level = "error" && $.ms > 100 }' }), (out) => same(messages(out), ['{"level":"error","ms":120}']));
  await fails('filter nowhere', 'ResourceNotFoundException', () => logs.filterLogEvents({ logGroupName: '/nowhere' }));
  await fails('filter by nonsense', 'InvalidParameterException', () => logs.filterLogEvents({ logGroupName, filterPattern: '{ $.level = ' }));
  await fails('put events nowhere', 'ResourceNotFoundException', () => logs.putLogEvents({ logGroupName, logStreamName: 'none', logEvents }));
  await call('what a function printed', async () => {
    const FunctionName = process.env.FUNCTION;
    await new Lambda({}).invoke({ FunctionName, Payload: '{}' });
    const asked = { logGroupName: `/aws/lambda/${FunctionName}`, filterPattern: '"REPORT RequestId"' };
    return until(async () => {
      try {
        return (await logs.filterLogEvents(asked)).events[0];
      } catch (e) {
        if (e.name !== 'ResourceNotFoundException') throw e; // the first line makes the group
      }
    });
  }, (event) => { if (!event.message.includes('Billed Duration')) throw new Error(`the report is ${event.message}`); });
  await call('delete group', () => logs.deleteLogGroup({ logGroupName }));
  await fails('delete group twice', 'ResourceNotFoundException', () => logs.deleteLogGroup({ logGroupName }));
}
