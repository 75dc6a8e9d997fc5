import { EventBridge } from '@aws-sdk/client-eventbridge';

export default async function ({ call, fails, same }) {
  const events = new EventBridge({ maxAttempts: 1 });
  const Arn = `arn:aws:lambda:us-east-1:000000000000:function:${process.env.FUNCTION}`;
  const Name = 'js-rule';
  const { RuleArn } = await call('put rule', () => events.putRule({ Name, ScheduleExpression: 'cron(0 3 * * ? *)', State: 'DISABLED', Tags: [{ Key: 'team', Value: 'shop' }] }),
    (out) => same(out.RuleArn, 'arn:aws:events:us-east-1:000000000000:rule/js-rule'));
  await call('put targets', () => events.putTargets({ Rule: Name, Targets: [{ Id: 'a', Arn, Input: '{"from":"a"}' }, { Id: 'b', Arn }] }), (out) => same([out.FailedEntryCount, out.FailedEntries], [0, []]));
  await call('list targets', () => events.listTargetsByRule({ Rule: Name }), (out) => same(out.Targets.map((t) => [t.Id, t.Arn, t.Input]), [['a', Arn, '{"from":"a"}'], ['b', Arn, undefined]]));
  await call('rules by target', () => events.listRuleNamesByTarget({ TargetArn: Arn }), (out) => same(out.RuleNames, [Name]));
  await call('describe rule', () => events.describeRule({ Name }), (out) => same([out.ScheduleExpression, out.State, out.EventBusName], ['cron(0 3 * * ? *)', 'DISABLED', 'default']));
  await call('put rule again', async () => {
    await events.putRule({ Name, ScheduleExpression: 'rate(5 minutes)', State: 'DISABLED' });
    return events.listTargetsByRule({ Rule: Name });
  }, (out) => same(out.Targets.length, 2));
  await call('list rules by pages', async () => {
    await events.putRule({ Name: 'js-second', ScheduleExpression: 'rate(1 day)' });
    const names = [];
    let NextToken;
    do {
      const page = await events.listRules({ NamePrefix: 'js-', Limit: 1, NextToken });
      names.push(...page.Rules.map((r) => r.Name));
      NextToken = page.NextToken;
    } while (NextToken);
    return names;
  }, (names) => same(names, ['js-rule', 'js-second']));
  await call('tags', async () => {
    await events.tagResource({ ResourceARN: RuleArn, Tags: [{ Key: 'env', Value: 'dev' }] });
    await events.untagResource({ ResourceARN: RuleArn, TagKeys: ['team'] });
    return events.listTagsForResource({ ResourceARN: RuleArn });
  }, (out) => same(out.Tags, [{ Key: 'env', Value: 'dev' }]));
  await fails('a rule that is nowhere', 'ResourceNotFoundException', () => events.describeRule({ Name: 'js-none' }));
  await fails('a bus that is nowhere', 'ResourceNotFoundException', () => events.putRule({ Name: 'js-x', EventBusName: 'other', EventPattern: '{"source":["a"]}' }));
  await fails('a schedule that is none', 'ValidationException', () => events.putRule({ Name: 'js-x', ScheduleExpression: 'rate(1 fortnight)' }));
  await fails('delete with targets', 'ValidationException', () => events.deleteRule({ Name }));
  await call('the end', async () => {
    await events.removeTargets({ Rule: Name, Ids: ['a', 'b'] });
    await events.deleteRule({ Name });
    await events.deleteRule({ Name: 'js-second' });
    return events.listRules({ NamePrefix: 'js-' });
  }, (out) => same(out.Rules, []));
}
