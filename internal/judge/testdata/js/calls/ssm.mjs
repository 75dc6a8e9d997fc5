import { KMS } from '@aws-sdk/client-kms';
import { SSM, paginateGetParametersByPath } from '@aws-sdk/client-ssm';

export default async function ({ call, fails, same }) {
  const ssm = new SSM({ maxAttempts: 1 }), kms = new KMS({ maxAttempts: 1 });
  const Name = '/js/app/TOKEN';
  await call('put string', () => ssm.putParameter({ Name, Type: 'String', Value: 'first', AllowedPattern: '[a-z]+' }), (out) => same([out.Version, out.Tier], [1, 'Standard']));
  await fails('put what is there', 'ParameterAlreadyExists', () => ssm.putParameter({ Name, Type: 'String', Value: 'second' }));
  await fails('put against its pattern', 'ParameterPatternMismatchException', () => ssm.putParameter({ Name, Value: '2', Overwrite: true }));
  await call('put a version', () => ssm.putParameter({ Name, Value: 'second', Overwrite: true }), (out) => same(out.Version, 2));
  await call('get', () => ssm.getParameter({ Name }), ({ Parameter: p }) => {
    same([p.Name, p.Type, p.Value, p.Version, p.DataType, p.LastModifiedDate instanceof Date], [Name, 'String', 'second', 2, 'text', true]);
    same(p.ARN, 'arn:aws:ssm:us-east-1:000000000000:parameter/js/app/TOKEN');
  });
  await call('get by ARN', () => ssm.getParameter({ Name: 'arn:aws:ssm:us-east-1:000000000000:parameter/js/app/TOKEN' }), (out) => same(out.Parameter.Value, 'second'));
  await call('label', () => ssm.labelParameterVersion({ Name, ParameterVersion: 1, Labels: ['live', '1st'] }), (out) => same(out.InvalidLabels, ['1st']));
  await call('get by label', () => ssm.getParameter({ Name: `${Name}:live` }), (out) => same(out.Parameter.Value, 'first'));
  await call('move a label', () => ssm.labelParameterVersion({ Name, ParameterVersion: 2, Labels: ['live'] }));
  await call('history', () => ssm.getParameterHistory({ Name }), (out) => same(out.Parameters.map((p) => [p.Version, p.Value, p.Labels]), [[1, 'first', []], [2, 'second', ['live']]]));

  const { KeyMetadata } = await kms.createKey({ Description: 'of parameters' });
  await call('put secret under a key of mine', () => ssm.putParameter({ Name: '/js/app/db/PASSWORD', Type: 'SecureString', Value: 'hush', KeyId: KeyMetadata.Arn }));
  await call('get secret sealed', () => ssm.getParameter({ Name: '/js/app/db/PASSWORD' }), (out) => { if (out.Parameter.Value.includes('hush')) throw new Error('the value is not sealed'); });
  await call('get secret', () => ssm.getParameter({ Name: '/js/app/db/PASSWORD', WithDecryption: true }), (out) => same(out.Parameter.Value, 'hush'));
  await call('get by path and pages', async () => {
    const list = [];
    for await (const page of paginateGetParametersByPath({ client: ssm, pageSize: 1 }, { Path: '/js/app', Recursive: true, WithDecryption: true })) {
      if (page.Parameters.length > 1) throw new Error('a page is larger than was asked for');
      list.push(...page.Parameters.map((p) => `${p.Name}=${p.Value}`));
    }
    return list.sort();
  }, (list) => same(list, ['/js/app/TOKEN=second', '/js/app/db/PASSWORD=hush']));
  await call('get by path, one level', () => ssm.getParametersByPath({ Path: '/js/app' }), (out) => same(out.Parameters.map((p) => p.Name), [Name]));
  await call('describe by key', () => ssm.describeParameters({ ParameterFilters: [{ Key: 'KeyId', Values: [KeyMetadata.Arn] }] }), (out) => same(out.Parameters.map((p) => p.Name), ['/js/app/db/PASSWORD']));
  await kms.disableKey({ KeyId: KeyMetadata.KeyId });
  await fails('get secret of a disabled key', 'InvalidKeyId', () => ssm.getParameter({ Name: '/js/app/db/PASSWORD', WithDecryption: true }));
  await fails('a token that nobody gave', 'InvalidNextToken', () => ssm.describeParameters({ NextToken: 'made-up' }));
  await fails('a type that is none', 'ValidationException', () => ssm.putParameter({ Name: '/js/x', Type: 'Number', Value: '1' }));
  await call('delete', () => ssm.deleteParameter({ Name }));
  await fails('get what is gone', 'ParameterNotFound', () => ssm.getParameter({ Name }));
  await fails('delete what is gone', 'ParameterNotFound', () => ssm.deleteParameter({ Name }));
}
