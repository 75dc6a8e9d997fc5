'use strict';
// console.* as Lambda prints it: one line per call, with time, request and level.

const util = require('util');
const errors = require('./errors.cjs');

// Libraries read the request from here.
const REQUEST = Symbol.for('aws.lambda.runtime.requestId');
const TENANT = Symbol.for('aws.lambda.runtime.tenantId');

// A level's mask is what its frames carry in the telemetry pipe.
const LEVELS = {
  TRACE: { name: 'TRACE', priority: 1, mask: 0b00100 },
  DEBUG: { name: 'DEBUG', priority: 2, mask: 0b01000 },
  INFO: { name: 'INFO', priority: 3, mask: 0b01100 },
  WARN: { name: 'WARN', priority: 4, mask: 0b10000 },
  ERROR: { name: 'ERROR', priority: 5, mask: 0b10100 },
  FATAL: { name: 'FATAL', priority: 6, mask: 0b11000 },
};

function current(id, tenant) {
  global[REQUEST] = id;
  global[TENANT] = tenant;
}

const text = (time, level, params) =>
  time.toISOString() + '\t' + global[REQUEST] + '\t' + level.name + '\t' + util.format(...params);

const typeOf = (err) => (err.constructor && err.constructor.name) || 'UnknownError';

function spread(_, value) {
  if (!(value instanceof Error)) return value;
  return Object.assign({
    errorType: typeOf(value),
    errorMessage: value.message,
    stackTrace: typeof value.stack === 'string' ? value.stack.split('\n') : value.stack,
  }, value);
}

function json(time, level, params) {
  const line = { timestamp: time.toISOString(), level: level.name, requestId: global[REQUEST] };
  if (global[TENANT] !== undefined && global[TENANT] !== null) line.tenantId = global[TENANT];
  if (params.length === 1) {
    line.message = params[0];
    try {
      return JSON.stringify(line, spread);
    } catch (_) { // circular, BigInt …
      line.message = util.format(params[0]);
      return JSON.stringify(line);
    }
  }
  line.message = util.format(...params);
  const err = params.find((p) => p instanceof Error);
  if (err) {
    line.errorType = typeOf(err);
    line.errorMessage = err.message;
    line.stackTrace = typeof err.stack === 'string' ? err.stack.split('\n') : [];
  }
  return JSON.stringify(line);
}

// toStdout keeps a message in one line: the platform reads lines.
const toStdout = (format) => (level, params) => {
  process.stdout.write(format(new Date(), level, params).replace(/\n/g, '\r') + '\n');
};

// toPipe writes frames to the descriptor that _LAMBDA_TELEMETRY_LOG_FD names:
// four bytes of type and level, the message's length, the time in microseconds,
// big endian, and the message, which may have many lines.
const toPipe = (format, fd, type, end) => (level, params) => {
  const time = new Date();
  const message = Buffer.from(format(time, level, params) + end);
  const frame = Buffer.alloc(16 + message.length);
  frame.writeUInt32BE((type | level.mask) >>> 0, 0);
  frame.writeUInt32BE(message.length, 4);
  frame.writeBigInt64BE(BigInt(time.valueOf()) * BigInt(1000), 8);
  message.copy(frame, 16);
  require('fs').writeSync(fd, frame);
};

let failure = () => {};

// patch replaces the methods of console, as the environment says.
function patch(env) {
  const inJSON = String(env.AWS_LAMBDA_LOG_FORMAT).toUpperCase() === 'JSON';
  const least = LEVELS[String(env.AWS_LAMBDA_LOG_LEVEL).toUpperCase()] || LEVELS.TRACE;
  const format = inJSON ? json : text;
  let write = toStdout(format);
  if (env._LAMBDA_TELEMETRY_LOG_FD !== undefined) {
    const fd = parseInt(env._LAMBDA_TELEMETRY_LOG_FD, 10);
    delete process.env._LAMBDA_TELEMETRY_LOG_FD; // ours alone
    write = inJSON ? toPipe(format, fd, 0xa55a0002, '') : toPipe(format, fd, 0xa55a0003, '\n');
  }
  const at = (level) => {
    if (level.priority < least.priority) return () => {};
    // Called with nothing, it prints "undefined": the message is a parameter.
    return (message, ...params) => write(level, [message, ...params]);
  };
  console.trace = at(LEVELS.TRACE);
  console.debug = at(LEVELS.DEBUG);
  console.info = at(LEVELS.INFO);
  console.log = console.info;
  console.warn = at(LEVELS.WARN);
  console.error = at(LEVELS.ERROR);
  console.fatal = at(LEVELS.FATAL);
  failure = inJSON
    ? (_, err) => console.error(errors.asError(err))
    : (what, err) => console.error(what, errors.logged(errors.asError(err)));
}

module.exports = { patch, current, failed: (what, err) => failure(what, err) };
