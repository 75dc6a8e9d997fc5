'use strict';
const { pipeline } = require('stream/promises');

// The second chunk leaves once the caller, who is asked at ?gate=, says so.
async function* chunks(gate) {
  yield 'first';
  const said = await fetch(gate);
  yield await said.text();
}

exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, {
    statusCode: 202, headers: { 'Content-Type': 'text/event-stream', 'X-A': 'ü' }, cookies: ['a=1', 'b=2; Path=/'],
  });
  await pipeline(chunks(event.queryStringParameters.gate), out);
});
