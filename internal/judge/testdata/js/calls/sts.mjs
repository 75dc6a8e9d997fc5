import { IAM } from '@aws-sdk/client-iam';
import { S3 } from '@aws-sdk/client-s3';
import { STS } from '@aws-sdk/client-sts';

const policy = (...Statement) => JSON.stringify({ Version: '2012-10-17', Statement });
const trust = (AWS) => policy({ Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' });
const account = 'arn:aws:iam::000000000000:root';

export default async function ({ call, fails, same }) {
  const iam = new IAM({ maxAttempts: 1 }), sts = new STS({ maxAttempts: 1 }), s3 = new S3({ maxAttempts: 1, forcePathStyle: true });
  await call('who am I', () => sts.getCallerIdentity({}), (out) => same([out.Account, out.Arn], ['000000000000', account]));
  const { Role } = await iam.createRole({ RoleName: 'js-reader', AssumeRolePolicyDocument: trust(account) });
  await iam.putRolePolicy({ RoleName: 'js-reader', PolicyName: 'read', PolicyDocument: policy({ Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: '*' }) });
  const assume = { RoleArn: Role.Arn, RoleSessionName: 'job-7' };
  const { Credentials: c } = await call('assume role', () => sts.assumeRole({ ...assume, DurationSeconds: 900 }), (out) => {
    same(out.AssumedRoleUser.Arn, 'arn:aws:sts::000000000000:assumed-role/js-reader/job-7');
    const left = out.Credentials.Expiration - Date.now();
    if (left < 800e3 || left > 901e3) throw new Error(`it expires in ${left} ms`);
  });
  const of = (c) => ({ maxAttempts: 1, forcePathStyle: true, credentials: { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken } });
  await call('who is the session', () => new STS(of(c)).getCallerIdentity({}), (out) => same(out.Arn, 'arn:aws:sts::000000000000:assumed-role/js-reader/job-7'));
  await s3.createBucket({ Bucket: 'js-sts' });
  await s3.putObject({ Bucket: 'js-sts', Key: 'a/x', Body: 'data' });
  await call('the session reads', async () => (await new S3(of(c)).getObject({ Bucket: 'js-sts', Key: 'a/x' })).Body.transformToString(), (body) => same(body, 'data'));
  await fails('the session may not write', 'AccessDenied', () => new S3(of(c)).putObject({ Bucket: 'js-sts', Key: 'a/y', Body: 'x' }));
  await fails('without its token', 'InvalidClientTokenId', () => new STS({ ...of(c), credentials: { ...of(c).credentials, sessionToken: undefined } }).getCallerIdentity({}));
  await fails('with another token', 'InvalidClientTokenId', () => new STS(of({ ...c, SessionToken: `${c.SessionToken.slice(0, -8)}AAAAAAAA` })).getCallerIdentity({}));
  const { Credentials: narrow } = await call('assume role, narrowed', () => sts.assumeRole({ ...assume, Policy: policy({ Effect: 'Allow', Action: 's3:ListBucket', Resource: '*' }) }));
  await call('the narrowed session lists', () => new S3(of(narrow)).listObjectsV2({ Bucket: 'js-sts' }), (out) => same(out.Contents.map((o) => o.Key), ['a/x']));
  await fails('the narrowed session does not read', 'AccessDenied', () => new S3(of(narrow)).getObject({ Bucket: 'js-sts', Key: 'a/x' }));
  await fails('too long a session', 'ValidationError', () => sts.assumeRole({ ...assume, DurationSeconds: 100000 }));
  await fails('a policy that is none', 'MalformedPolicyDocumentException', () => sts.assumeRole({ ...assume, Policy: '{' }));
  await iam.updateAssumeRolePolicy({ RoleName: 'js-reader', PolicyDocument: policy({ Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' }) });
  await fails('a role that trusts others', 'AccessDenied', () => sts.assumeRole(assume));
  await call('the session outlives the trust, not the policy', async () => {
    await (await new S3(of(c)).getObject({ Bucket: 'js-sts', Key: 'a/x' })).Body.transformToString();
    await iam.deleteRolePolicy({ RoleName: 'js-reader', PolicyName: 'read' });
    return new S3(of(c)).getObject({ Bucket: 'js-sts', Key: 'a/x' }).then(() => 'read', (e) => e.name);
  }, (came) => same(came, 'AccessDenied'));
}
