'use strict';
// Handlers that stream.

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  if (event.type) stream.setContentType(event.type);
  if (event.do === 'early') throw new RangeError(event.text);
  if (event.do === 'http') {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 418, headers: { 'x-said': event.text }, cookies: ['a=1', 'b=2'] });
  }
  stream.write('first,');
  await wait(5);
  if (event.do === 'break') throw new RangeError(event.text);
  if (event.do === 'exit') process.exit(7);
  if (event.do === 'open') return;
  for (let n = 0; n < (event.n || 0); n++) if (!stream.write('x'.repeat(1 << 20))) await new Promise((done) => stream.once('drain', done));
  stream.write(`second,${context.awsRequestId}`);
  stream.end();
  await stream.finished;
});
