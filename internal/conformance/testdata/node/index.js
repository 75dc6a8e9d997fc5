'use strict';
// A function that does what its event asks for: for our client and for AWS's.

const fs = require('fs');
const os = require('os');
const path = require('path');

let calls = 0;
let late = null;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const never = new Promise(() => {});

class Teapot extends Error {
  constructor(spout) {
    super('no coffee from ' + spout);
    this.name = 'Teapot';
    this.spout = spout;
  }
}

function describe(context) {
  const client = context.clientContext || {};
  const identity = context.identity || {};
  return {
    requestId: context.awsRequestId, arn: context.invokedFunctionArn,
    name: context.functionName, version: context.functionVersion, memory: context.memoryLimitInMB,
    group: context.logGroupName, stream: context.logStreamName,
    remaining: context.getRemainingTimeInMillis(), trace: process.env._X_AMZN_TRACE_ID, traceEnv: process.env._X_AMZN_TRACE_ID,
    identity: identity.cognitoIdentityId || '', pool: identity.cognitoIdentityPoolId || '',
    app: (client.client || {}).app_title || '', custom: client.custom || null,
  };
}

function remember(text) {
  const file = path.join(os.tmpdir(), 'memory');
  const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  fs.writeFileSync(file, text);
  return before;
}

const deeds = {
  context: (e, context) => describe(context),
  env: () => ({ ...process.env, cwd: process.cwd() }),
  calls: () => ({ pid: process.pid, calls }),
  tmp: (e) => remember(e.text),
  print: (e) => { process.stdout.write(e.text); return null; },
  warn: (e) => { process.stderr.write(e.text); return null; },
  console: (e) => { console[e.level](e.text); return null; },
  lines: () => { console.log('one\ntwo'); return null; },
  logged: () => { console.error('failed:', new Teapot('log')); return null; },
  big: (e) => 'x'.repeat(e.n),
  length: (e) => JSON.stringify(e).length,
  none: () => undefined,
  fail: (e) => { throw new Error(e.text); },
  typed: (e) => { throw new Teapot(e.text); },
  string: (e) => Promise.reject(e.text),
  uncaught: (e) => { setTimeout(() => { throw new Error(e.text); }, 1); return wait(1e6); },
  rejection: (e) => { Promise.reject(new Error(e.text)); return wait(1e6); },
  exit: (e) => process.exit(e.n),
  sleep: (e) => wait(e.n),
  never: () => never,
  unmarshallable: () => ({ n: BigInt(1) }),
  circular: () => { const a = {}; a.a = a; return a; },
  oom: () => { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)); },
  heap: () => { const all = []; for (;;) all.push({ all, text: String(all.length) }); },
  module: (e) => require(e.text),
};

exports.handler = async (event, context) => {
  calls++;
  const deed = event && deeds[event.do];
  return deed ? deed(event, context) : event;
};

// callbacks are the handlers of before async.
exports.callback = (event, context, callback) => {
  switch (event.do) {
    case 'fail': callback(new Error(event.text)); break;
    case 'string': callback(event.text); break;
    case 'throw': throw new TypeError(event.text);
    case 'silent': break;
    case 'succeed': context.succeed(event.text); break;
    case 'done': context.done(null, event.text); break;
    case 'contextfail': context.fail(new Error(event.text)); break;
    case 'waits': setTimeout(() => { late = event.text; }, 20); callback(null, { get late() { return late; } }); break;
    case 'leaves': context.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1e6); callback(null, 'left'); break;
    default: callback(null, event);
  }
};

exports.api = { v1: { get: async () => 'nested' } };
exports.text = 'no function';
