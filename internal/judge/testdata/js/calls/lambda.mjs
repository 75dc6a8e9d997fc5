import { Lambda, waitUntilFunctionActiveV2 } from '@aws-sdk/client-lambda';
import { IAM } from '@aws-sdk/client-iam';
import { S3 } from '@aws-sdk/client-s3';

const text = (payload) => Buffer.from(payload).toString();

// Each is a zip with the file index.mjs in it that answers with its name.
const zips = { one: zipOf('one'), two: zipOf('two') };

// zipOf makes a zip of one file that is stored as it is.
function zipOf(answer) {
  const data = Buffer.from(`export const handler = async () => ${JSON.stringify(answer)};\n`), name = Buffer.from('index.mjs');
  const common = Buffer.alloc(26); // version, flags, method, time, date, CRC, sizes, lengths
  common.writeUInt16LE(20, 0);
  common.writeUInt32LE(crc32(data), 10);
  common.writeUInt32LE(data.length, 14);
  common.writeUInt32LE(data.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, Buffer.alloc(14), name]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), end]);
}

function crc32(data) {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

export default async function (bench) {
  const lambda = new Lambda({ maxAttempts: 1 });
  await invocations(lambda, bench);
  await life(lambda, bench);
}

async function invocations(lambda, { call, fails, same }) {
  const FunctionName = process.env.FUNCTION;
  await call('invoke', () => lambda.invoke({ FunctionName, Payload: '{"a":1}', LogType: 'Tail' }), (out) => {
    same(text(out.Payload), '{"a":1}');
    same(out.StatusCode, 200);
    if (!Buffer.from(out.LogResult, 'base64').toString().includes('echoing')) throw new Error('the log lacks what was printed');
  });
  await call('invoke failing', () => lambda.invoke({ FunctionName, Payload: '{"fail":true}' }), (out) => {
    same(out.FunctionError, 'Unhandled');
    same(JSON.parse(text(out.Payload)).errorMessage, 'asked to');
  });
  await call('invoke event', () => lambda.invoke({ FunctionName, InvocationType: 'Event', Payload: '{}' }), (out) => same(out.StatusCode, 202));
  await call('dry run', () => lambda.invoke({ FunctionName, InvocationType: 'DryRun' }), (out) => same(out.StatusCode, 204));
  await call('invoke streaming', async () => {
    const { EventStream } = await lambda.invokeWithResponseStream({ FunctionName, Payload: '{"a":1}' });
    let body = '';
    for await (const event of EventStream) if (event.PayloadChunk) body += text(event.PayloadChunk.Payload);
    return body;
  }, (body) => same(body, '{"a":1}'));
  await call('list functions', () => lambda.listFunctions({}), (out) => same(out.Functions.map((f) => f.FunctionName), [FunctionName]));
  await fails('invoke nobody', 'ResourceNotFoundException', () => lambda.invoke({ FunctionName: 'nobody' }));
  await fails('invoke by no JSON', 'InvalidRequestContentException', () => lambda.invoke({ FunctionName, Payload: '{' }));
}

async function life(lambda, { call, fails, same }) {
  const FunctionName = 'js-made';
  const { Role } = await new IAM({}).createRole({ RoleName: 'js-lambda', AssumeRolePolicyDocument: JSON.stringify({
    Version: '2012-10-17', Statement: { Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' }, Action: 'sts:AssumeRole' },
  }) });
  const made = { FunctionName, Role: Role.Arn, Runtime: 'nodejs20.x', Handler: 'index.handler' };
  await fails('create of no zip', 'InvalidParameterValueException', () => lambda.createFunction({ ...made, Code: { ZipFile: Buffer.from('no zip') } }));
  await fails('create with no role', 'InvalidParameterValueException', () => lambda.createFunction({ ...made, Role: 'arn:aws:iam::000000000000:role/none', Code: { ZipFile: zips.one } }));
  await call('create', () => lambda.createFunction({ ...made, Code: { ZipFile: zips.one }, Environment: { Variables: { MODE: 'dev' } } }), (out) => same([out.Version, out.Timeout, out.MemorySize, out.Environment.Variables], ['$LATEST', 3, 128, { MODE: 'dev' }]));
  await fails('create twice', 'ResourceConflictException', () => lambda.createFunction({ ...made, Code: { ZipFile: zips.one } }));
  await call('wait until active', () => waitUntilFunctionActiveV2({ client: lambda, maxWaitTime: 20 }, { FunctionName }), (out) => same(out.state, 'SUCCESS'));
  await call('invoke what was made', () => lambda.invoke({ FunctionName }), (out) => same(text(out.Payload), '"one"'));
  await call('publish', () => lambda.publishVersion({ FunctionName }), (out) => same(out.Version, '1'));
  await call('code from a bucket', async () => {
    const s3 = new S3({ forcePathStyle: true });
    await s3.createBucket({ Bucket: 'js-code' });
    await s3.putObject({ Bucket: 'js-code', Key: 'two.zip', Body: zips.two });
    await lambda.updateFunctionCode({ FunctionName, S3Bucket: 'js-code', S3Key: 'two.zip' });
    return lambda.invoke({ FunctionName });
  }, (out) => same(text(out.Payload), '"two"'));
  await call('the version stays', () => lambda.invoke({ FunctionName, Qualifier: '1' }), (out) => same([text(out.Payload), out.ExecutedVersion], ['"one"', '1']));
  await call('an alias moves', async () => {
    await lambda.createAlias({ FunctionName, Name: 'live', FunctionVersion: '1' });
    const { Version } = await lambda.publishVersion({ FunctionName });
    await lambda.updateAlias({ FunctionName, Name: 'live', FunctionVersion: Version });
    return lambda.invoke({ FunctionName: `${FunctionName}:live` });
  }, (out) => same([text(out.Payload), out.ExecutedVersion], ['"two"', '2']));
  await call('weights', () => lambda.updateAlias({ FunctionName, Name: 'live', RoutingConfig: { AdditionalVersionWeights: { 1: 0.25 } } }), (out) => same(out.RoutingConfig, { AdditionalVersionWeights: { 1: 0.25 } }));
  await fails('delete a version in use', 'ResourceConflictException', () => lambda.deleteFunction({ FunctionName, Qualifier: '2' }));
  await fails('an alias of no version', 'ResourceNotFoundException', () => lambda.createAlias({ FunctionName, Name: 'next', FunctionVersion: '9' }));
  await call('configure', () => lambda.updateFunctionConfiguration({ FunctionName, Timeout: 9, MemorySize: 256, Description: 'js' }), (out) => same([out.Timeout, out.MemorySize, out.Description, out.LastUpdateStatus], [9, 256, 'js', 'Successful']));
  await fails('too much memory', 'ValidationException', () => lambda.updateFunctionConfiguration({ FunctionName, MemorySize: 20000 }));
  await call('tags', async () => {
    const { Configuration } = await lambda.getFunction({ FunctionName });
    await lambda.tagResource({ Resource: Configuration.FunctionArn, Tags: { team: 'shop' } });
    return lambda.listTags({ Resource: Configuration.FunctionArn });
  }, (out) => same(out.Tags, { team: 'shop' }));
  await call('concurrency', async () => {
    await lambda.putFunctionConcurrency({ FunctionName, ReservedConcurrentExecutions: 0 });
    return lambda.getFunctionConcurrency({ FunctionName });
  }, (out) => same(out.ReservedConcurrentExecutions, 0));
  await fails('invoke what is shut', 'TooManyRequestsException', () => lambda.invoke({ FunctionName }));
  await call('delete', () => lambda.deleteFunction({ FunctionName }));
  await fails('get what is gone', 'ResourceNotFoundException', () => lambda.getFunction({ FunctionName }));
}
