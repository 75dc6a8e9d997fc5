import { lookup } from 'node:dns/promises';
import { GetObjectCommand, PutObjectCommand, S3, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { Lambda } from '@aws-sdk/client-lambda';
import { CloudWatchLogs } from '@aws-sdk/client-cloudwatch-logs';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';

// namedByHost is an endpoint below which buckets are host names, where the machine
// resolves names below localhost; elsewhere paths name them.
async function namedByHost() {
  const { port } = new URL(process.env.AWS_ENDPOINT_URL);
  try {
    await lookup('js-bucket.localhost');
    return { endpoint: `http://localhost:${port}` };
  } catch {
    return { forcePathStyle: true };
  }
}

export default async function ({ call, fails, same, until }) {
  const s3 = new S3({ maxAttempts: 1, ...await namedByHost() });
  const Bucket = 'js-bucket';
  await call('create bucket', () => s3.createBucket({ Bucket }));
  await fails('create bucket twice', 'BucketAlreadyOwnedByYou', () => s3.createBucket({ Bucket }));
  await call('list buckets', () => s3.listBuckets({}), (out) => { if (!out.Buckets.some((b) => b.Name === Bucket)) throw new Error('it is not among them'); });
  await call('put object', () => s3.putObject({ Bucket, Key: 'a/grüße 1+2.txt', Body: 'hello', ContentType: 'text/plain', Metadata: { team: 'shop' }, CacheControl: 'max-age=60' }), (out) => same(out.ETag, '"5d41402abc4b2a76b9719d911017c592"'));
  await call('get object', async () => {
    const out = await s3.getObject({ Bucket, Key: 'a/grüße 1+2.txt' });
    return [await out.Body.transformToString(), out.ContentType, out.Metadata, out.CacheControl];
  }, (got) => same(got, ['hello', 'text/plain', { team: 'shop' }, 'max-age=60']));
  await call('get range', async () => (await s3.getObject({ Bucket, Key: 'a/grüße 1+2.txt', Range: 'bytes=1-3' })).Body.transformToString(), (body) => same(body, 'ell'));
  await call('head object', () => s3.headObject({ Bucket, Key: 'a/grüße 1+2.txt' }), (out) => same([out.ContentLength, out.LastModified instanceof Date], [5, true]));
  await call('get not modified', () => s3.getObject({ Bucket, Key: 'a/grüße 1+2.txt', IfNoneMatch: '"5d41402abc4b2a76b9719d911017c592"' }).catch((e) => e.$metadata.httpStatusCode), (status) => same(status, 304));
  await fails('get if another', 'PreconditionFailed', () => s3.getObject({ Bucket, Key: 'a/grüße 1+2.txt', IfMatch: '"5d41402abc4b2a76b9719d911017c593"' }));
  await fails('get range beyond the end', 'InvalidRange', () => s3.getObject({ Bucket, Key: 'a/grüße 1+2.txt', Range: 'bytes=100-' }));
  await call('copy object', () => s3.copyObject({ Bucket, Key: 'b/copy', CopySource: `${Bucket}/${encodeURIComponent('a/grüße 1+2.txt')}` }), (out) => same(out.CopyObjectResult.ETag, '"5d41402abc4b2a76b9719d911017c592"'));
  await call('list by pages', async () => {
    for (const n of [1, 2, 3]) await s3.putObject({ Bucket, Key: `n/${n}`, Body: '' });
    const keys = [];
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket })) keys.push(...page.Contents.map((o) => o.Key));
    return keys;
  }, (keys) => same(keys, ['a/grüße 1+2.txt', 'b/copy', 'n/1', 'n/2', 'n/3']));
  await call('list folders', () => s3.listObjectsV2({ Bucket, Delimiter: '/' }), (out) => same(out.CommonPrefixes.map((p) => p.Prefix), ['a/', 'b/', 'n/']));
  await call('tag object', async () => {
    await s3.putObjectTagging({ Bucket, Key: 'b/copy', Tagging: { TagSet: [{ Key: 'kind', Value: 'copy' }] } });
    return s3.getObjectTagging({ Bucket, Key: 'b/copy' });
  }, (out) => same(out.TagSet, [{ Key: 'kind', Value: 'copy' }]));

  const part = Buffer.alloc(5 << 20, 'p');
  await call('upload in parts', () => new Upload({ client: s3, partSize: 5 << 20, params: { Bucket, Key: 'large', Body: Buffer.concat([part, part, Buffer.from('end')]) } }).done(), (out) => { if (!out.ETag.endsWith('-3"')) throw new Error(`ETag ${out.ETag}`); });
  await call('get its end', async () => (await s3.getObject({ Bucket, Key: 'large', Range: 'bytes=-5' })).Body.transformToString(), (body) => same(body, 'ppend'));
  await call('abort an upload', async () => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: 'never' });
    await s3.uploadPart({ Bucket, Key: 'never', UploadId, PartNumber: 1, Body: 'x' });
    const before = (await s3.listParts({ Bucket, Key: 'never', UploadId })).Parts.length;
    await s3.abortMultipartUpload({ Bucket, Key: 'never', UploadId });
    const { Uploads = [] } = await s3.listMultipartUploads({ Bucket });
    return [before, Uploads.length];
  }, (counts) => same(counts, [1, 0]));
  await fails('complete what is not there', 'NoSuchUpload', () => s3.completeMultipartUpload({ Bucket, Key: 'never', UploadId: 'made-up', MultipartUpload: { Parts: [{ PartNumber: 1, ETag: '"5d41402abc4b2a76b9719d911017c592"' }] } }));

  // a URL's bucket is in its path: fetch resolves no names below localhost
  const byPath = new S3({ maxAttempts: 1, forcePathStyle: true });
  await call('put by a signed URL', async () => (await fetch(await getSignedUrl(byPath, new PutObjectCommand({ Bucket, Key: 'signed' })), { method: 'PUT', body: 'by anybody' })).status, (status) => same(status, 200));
  const url = await getSignedUrl(byPath, new GetObjectCommand({ Bucket, Key: 'signed', ResponseContentDisposition: 'attachment; filename=x.txt' }), { expiresIn: 60 });
  await call('get by a signed URL', async () => {
    const answer = await fetch(url);
    return [await answer.text(), answer.headers.get('content-disposition')];
  }, (got) => same(got, ['by anybody', 'attachment; filename=x.txt']));
  await call('a signed URL of another key is refused', async () => {
    const answer = await fetch(url.replace('/signed?', '/large?'));
    return [answer.status, (await answer.text()).match(/<Code>(.*?)</)[1]];
  }, (got) => same(got, [403, 'SignatureDoesNotMatch']));

  await call('an object calls a function', async () => {
    const FunctionName = process.env.FUNCTION;
    const { FunctionArn } = await new Lambda({}).getFunctionConfiguration({ FunctionName });
    await new Lambda({}).addPermission({ FunctionName, StatementId: 'js-bucket', Action: 'lambda:InvokeFunction', Principal: 's3.amazonaws.com', SourceArn: `arn:aws:s3:::${Bucket}` });
    await s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration: { LambdaFunctionConfigurations: [
      { Id: 'in', LambdaFunctionArn: FunctionArn, Events: ['s3:ObjectCreated:*'], Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'in/' }] } } },
    ] } });
    await s3.putObject({ Bucket, Key: 'in/order.json', Body: '{}' });
    const logs = new CloudWatchLogs({});
    return until(async () => {
      const { events } = await logs.filterLogEvents({ logGroupName: `/aws/lambda/${FunctionName}`, filterPattern: '"in/order.json"' });
      return events[0];
    });
  }, (event) => { if (!event.message.includes('ObjectCreated:Put')) throw new Error(`it printed ${event.message}`); });
  await call('notifications', () => s3.getBucketNotificationConfiguration({ Bucket }), (out) => same(out.LambdaFunctionConfigurations.map((c) => [c.Id, c.Events]), [['in', ['s3:ObjectCreated:*']]]));
  await fails('notify nobody', 'InvalidArgument', () => s3.putBucketNotificationConfiguration({ Bucket, NotificationConfiguration: { LambdaFunctionConfigurations: [
    { LambdaFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:nobody', Events: ['s3:ObjectCreated:*'] }] } }));

  await fails('get what is not there', 'NoSuchKey', () => s3.getObject({ Bucket, Key: 'none' }));
  await fails('head what is not there', 'NotFound', () => s3.headObject({ Bucket, Key: 'none' }));
  await fails('list nowhere', 'NoSuchBucket', () => s3.listObjectsV2({ Bucket: 'js-none' }));
  await fails('delete what is not empty', 'BucketNotEmpty', () => s3.deleteBucket({ Bucket }));
  await call('delete everything', async () => {
    const { Contents } = await s3.listObjectsV2({ Bucket });
    const { Deleted } = await s3.deleteObjects({ Bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } });
    await s3.deleteBucket({ Bucket });
    return Deleted.length === Contents.length;
  }, (all) => same(all, true));
  await fails('head what is gone', 'NotFound', () => s3.headBucket({ Bucket }));
}
