import http from 'node:http';
import https from 'node:https';
import { SNS } from '@aws-sdk/client-sns';
import MessageValidator from 'sns-validator';

// receiver is a web server that hands on what it gets, one after the other.
function receiver() {
  const got = [], waiting = [];
  const server = http.createServer((req, res) => {
    let body = '';
    req.on('data', (part) => { body += part; });
    req.on('end', () => {
      res.end();
      const waits = waiting.shift();
      if (waits) waits(body); else got.push(body);
    });
  });
  const next = () => got.length ? Promise.resolve(got.shift()) : new Promise((take) => waiting.push(take));
  return new Promise((ready) => server.listen(0, '127.0.0.1', () => ready({ server, next, url: `http://127.0.0.1:${server.address().port}/` })));
}

// validated has the official validator check a message. It insists on https at
// amazonaws.com, so the certificate is fetched from where the message says under
// such a name; the signature does not cover that name.
function validated(body) {
  const message = JSON.parse(body);
  const at = message.SigningCertURL;
  message.SigningCertURL = 'https://sns.us-east-1.amazonaws.com/' + at.split('/').pop();
  const original = https.get;
  https.get = (_, done) => http.get(at, done);
  return new Promise((resolve, reject) => {
    new MessageValidator().validate(message, (err) => {
      https.get = original;
      if (err) reject(err); else resolve(message);
    });
  });
}

export default async function ({ call, fails, same }) {
  const sns = new SNS({ maxAttempts: 1 });
  for (const version of ['1', '2']) {
    const { TopicArn } = await call(`create topic ${version}`, () => sns.createTopic({ Name: `js-${version}`, Attributes: { SignatureVersion: version } }));
    const to = await receiver();
    await call(`subscribe http ${version}`, () => sns.subscribe({ TopicArn, Protocol: 'http', Endpoint: to.url }), (out) => same(out.SubscriptionArn, 'pending confirmation'));
    const ask = await call(`validate confirmation ${version}`, async () => validated(await to.next()), (m) => same(m.Type, 'SubscriptionConfirmation'));
    const { SubscriptionArn } = await call(`confirm ${version}`, () => sns.confirmSubscription({ TopicArn, Token: ask.Token }));
    await call(`publish ${version}`, () => sns.publish({ TopicArn, Message: 'grüße\n<&>', Subject: 's', MessageAttributes: { n: { DataType: 'Number', StringValue: '1' } } }));
    const note = await call(`validate notification ${version}`, async () => validated(await to.next()), (m) => {
      same([m.Type, m.Message, m.Subject, m.SignatureVersion], ['Notification', 'grüße\n<&>', 's', version]);
      same(m.MessageAttributes, { n: { Type: 'Number', Value: '1' } });
    });
    await call(`unsubscribe by link ${version}`, async () => (await fetch(note.UnsubscribeURL)).status, (status) => same(status, 200));
    // this validator takes the signature of such a message for one of a notification, against SNS's documentation
    await call(`told of the end ${version}`, async () => JSON.parse(await to.next()), (m) => same(m.Type, 'UnsubscribeConfirmation'));
    await fails(`attributes of what left ${version}`, 'NotFoundException', () => sns.getSubscriptionAttributes({ SubscriptionArn }));
    await call(`delete topic ${version}`, () => sns.deleteTopic({ TopicArn }));
    to.server.close();
    to.server.closeAllConnections();
  }
  await fails('publish to nothing', 'NotFoundException', () => sns.publish({ TopicArn: 'arn:aws:sns:us-east-1:000000000000:nothing', Message: 'm' }));
  await fails('bad filter policy', 'InvalidParameterException', async () => {
    const { TopicArn } = await sns.createTopic({ Name: 'js-3' });
    await sns.subscribe({ TopicArn, Protocol: 'lambda', Endpoint: 'arn:aws:lambda:us-east-1:000000000000:function:x', Attributes: { FilterPolicy: '{"a":[{"like":1}]}' } });
  });
}
