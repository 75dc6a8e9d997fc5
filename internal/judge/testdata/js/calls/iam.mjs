import { IAM, paginateListUsers } from '@aws-sdk/client-iam';
import { SSM } from '@aws-sdk/client-ssm';

const policy = (...Statement) => JSON.stringify({ Version: '2012-10-17', Statement });

export default async function ({ call, fails, same }) {
  const iam = new IAM({ maxAttempts: 1 }), ssm = new SSM({ maxAttempts: 1 });
  const UserName = 'js-bob';
  await call('create user', () => iam.createUser({ UserName, Tags: [{ Key: 'team', Value: 'shop' }] }), (out) => same(out.User.Arn, 'arn:aws:iam::000000000000:user/js-bob'));
  await fails('create user twice', 'EntityAlreadyExistsException', () => iam.createUser({ UserName }));
  await call('list users by pages', async () => {
    await iam.createUser({ UserName: 'js-carol' });
    const found = [];
    for await (const page of paginateListUsers({ client: iam, pageSize: 1 }, {})) found.push(...page.Users.map((u) => u.UserName));
    return found.filter((name) => name.startsWith('js-'));
  }, (found) => same(found, ['js-bob', 'js-carol']));
  const { AccessKey } = await call('create access key', () => iam.createAccessKey({ UserName }));
  const bob = { maxAttempts: 1, credentials: { accessKeyId: AccessKey.AccessKeyId, secretAccessKey: AccessKey.SecretAccessKey } };
  const bobs = new SSM(bob);
  await ssm.putParameter({ Name: '/bob/x', Type: 'String', Value: 'his' });
  await ssm.putParameter({ Name: '/ann/x', Type: 'String', Value: 'hers' });
  await fails('denied without a policy', 'AccessDeniedException', () => bobs.getParameter({ Name: '/bob/x' }));
  const { Policy } = await call('create policy', () => iam.createPolicy({
    PolicyName: 'js-own', PolicyDocument: policy({ Effect: 'Allow', Action: 'ssm:GetParameter', Resource: 'arn:aws:ssm:us-east-1:000000000000:parameter/bob/*' }),
  }));
  await call('attach policy', () => iam.attachUserPolicy({ UserName, PolicyArn: Policy.Arn }));
  await call('allowed by the policy', () => bobs.getParameter({ Name: '/bob/x' }), (out) => same(out.Parameter.Value, 'his'));
  await fails('denied elsewhere', 'AccessDeniedException', () => bobs.getParameter({ Name: '/ann/x' }));
  await fails('denied to write', 'AccessDeniedException', () => bobs.putParameter({ Name: '/bob/x', Value: 'x', Overwrite: true }));
  await call('a denial wins', async () => {
    await iam.putUserPolicy({ UserName, PolicyName: 'no', PolicyDocument: policy({ Effect: 'Deny', Action: 'ssm:*', Resource: '*' }) });
    const denied = await bobs.getParameter({ Name: '/bob/x' }).catch((e) => e.message);
    await iam.deleteUserPolicy({ UserName, PolicyName: 'no' });
    return denied;
  }, (message) => { if (!/explicit deny/.test(message)) throw new Error(`the refusal says ${message}`); });
  await call('policy versions', async () => {
    await iam.createPolicyVersion({ PolicyArn: Policy.Arn, SetAsDefault: true, PolicyDocument: policy({ Effect: 'Allow', Action: 'ssm:GetParameter', Resource: '*' }) });
    return bobs.getParameter({ Name: '/ann/x' });
  }, (out) => same(out.Parameter.Value, 'hers'));
  await fails('delete what is attached', 'DeleteConflictException', () => iam.deletePolicy({ PolicyArn: Policy.Arn }));
  await call('group', async () => {
    await iam.createGroup({ GroupName: 'js-team' });
    await iam.putGroupPolicy({ GroupName: 'js-team', PolicyName: 'write', PolicyDocument: policy({ Effect: 'Allow', Action: 'ssm:PutParameter', Resource: '*' }) });
    await iam.addUserToGroup({ GroupName: 'js-team', UserName });
    return bobs.putParameter({ Name: '/bob/x', Value: 'changed', Overwrite: true });
  }, (out) => same(out.Version, 2));
  await call('simulate', () => iam.simulatePrincipalPolicy({ PolicySourceArn: 'arn:aws:iam::000000000000:user/js-bob', ActionNames: ['ssm:DeleteParameter', 'ssm:PutParameter'] }), (out) => {
    same(out.EvaluationResults.map((r) => [r.EvalActionName, r.EvalDecision]), [['ssm:DeleteParameter', 'implicitDeny'], ['ssm:PutParameter', 'allowed']]);
  });
  await call('disable the key', () => iam.updateAccessKey({ UserName, AccessKeyId: AccessKey.AccessKeyId, Status: 'Inactive' }));
  await fails('with a disabled key', 'UnrecognizedClientException', () => bobs.getParameter({ Name: '/bob/x' }));
  await fails('with a wrong secret', 'InvalidSignatureException', () => new SSM({ ...bob, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'x' } }).getParameter({ Name: '/bob/x' }));
  await fails('a policy that is none', 'MalformedPolicyDocumentException', () => iam.createPolicy({ PolicyName: 'js-broken', PolicyDocument: '{"Statement":{"Effect":"Allow"}}' }));
  await fails('a user who is nobody', 'NoSuchEntityException', () => iam.getUser({ UserName: 'js-nobody' }));
}
