'use strict';
// The loop: ask for an event, call the handler, answer.

const errors = require('./errors.cjs');
const log = require('./log.cjs');
const streams = require('./stream.cjs');
const { isAsync } = require('./handler.cjs');

const MANY = 'Invocation has already been reported as done. Cannot call complete more than once per invocation.';
const UNFINISHED = 'Response stream is not finished.';
const EXIT = 129; // of an uncaught exception; 128 is an unhandled rejection

class Runtime {
  constructor(wire) {
    this.wire = wire;
    this.handler = null;
    this.streaming = undefined;
    this.isAsync = false;
    this.returns = false;
    this.constants = {};
    this.loading = true;
    this.id = ''; // of the event that is not answered yet
    this.stream = null; // its response, if it is streamed
    this.dying = false;
    this.onIdle = null; // called when the event loop has run empty
    this.receive = this.receive.bind(this);
    this.next = this.next.bind(this);
  }

  // guard tells the platform of errors that nobody caught. It comes before the
  // handler is loaded.
  guard() {
    process.on('uncaughtException', (err) => this.die('Uncaught Exception', err, EXIT));
    process.on('unhandledRejection', (reason, promise) => {
      this.die('Unhandled Promise Rejection', new errors.UnhandledPromiseRejection(reason, promise), 128);
    });
    process.on('beforeExit', () => {
      if (this.loading && !this.dying) {
        process.stderr.write('Warning: Detected unsettled top-level await\n');
        process.exit(13); // as Node ends when its main module does this
      }
      const idle = this.onIdle;
      if (idle === null) return;
      setImmediate(() => {}); // else the process ends if idle leaves nothing to do at once
      idle();
    });
  }

  die(what, err, code) {
    log.failed(what, err);
    if (this.dying) return;
    this.dying = true;
    const exit = () => process.exit(code);
    const body = errors.report(err);
    this.wire.lost = exit;
    this.wire.hold(true);
    if (this.loading) {
      this.wire.send(this.wire.post('init/error', JSON.stringify(body), body.errorType), exit);
    } else if (this.stream !== null && streams.isOpen(this.stream)) {
      streams.fail(this.stream, err);
      const { waiting } = this.wire;
      if (waiting.length === 0) exit(); // answered before its end
      else waiting[waiting.length - 1] = exit;
    } else if (this.id !== '') {
      this.wire.send(this.wire.post(`invocation/${this.id}/error`, JSON.stringify(body), body.errorType), exit);
    } else {
      exit();
    }
  }

  // start asks for the first event.
  start(handler) {
    this.handler = handler;
    this.streaming = streams.mode(handler);
    this.isAsync = isAsync(handler);
    const env = process.env;
    // From nodejs24.x on, what a plain function returns is its answer.
    const major = /^AWS_Lambda_nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV);
    this.returns = major !== null && Number(major[1]) >= 24;
    this.constants = { // reading process.env for every event would cost more than the rest of the context
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    };
    this.trace = undefined;
    this.loading = false;
    this.next();
  }

  next() {
    if (this.dying) return;
    this.onIdle = null;
    this.wire.hold(true);
    this.wire.next(this.receive);
  }

  receive(status, headers, body) {
    if (this.dying) return;
    this.wire.hold(false);
    const id = headers['lambda-runtime-aws-request-id'];
    if (status !== 200 || !id) {
      this.die('Uncaught Exception', new Error(`the Runtime API answered the request for an event with ${status}: ${body}`), EXIT);
      return;
    }
    this.id = id;
    // In a promise of its own, an event cannot hand its asynchronous context
    // (AsyncLocalStorage.enterWith) on to the next one.
    Promise.resolve().then(() => this.invoke(headers, body));
  }

  invoke(headers, body) {
    log.current(this.id, headers['lambda-runtime-aws-tenant-id']);
    if (this.streaming !== undefined) {
      this.invokeStreaming(headers, body);
      return;
    }
    const flight = new Flight(this, this.id);
    this.onIdle = () => flight.silent();
    try {
      const context = this.describe(flight.context(), headers, body);
      const result = this.handler(context.event, context.context, flight.callback);
      if (isPromise(result)) {
        result.then(flight.resolved, flight.rejected).catch(flight.rejected);
      } else if (this.returns && result !== undefined) {
        flight.resolved(result);
      }
    } catch (err) {
      flight.callback(err);
    }
  }

  // describe adds what headers and environment say of an event to its context.
  describe(context, headers, body) {
    const event = JSON.parse(body);
    const trace = headers['lambda-runtime-trace-id'] || undefined;
    if (trace !== this.trace || process.env._X_AMZN_TRACE_ID !== trace) {
      this.trace = trace;
      if (trace === undefined) delete process.env._X_AMZN_TRACE_ID;
      else process.env._X_AMZN_TRACE_ID = trace;
    }
    const deadline = Number(headers['lambda-runtime-deadline-ms']);
    const { constants } = this;
    context.functionVersion = constants.functionVersion;
    context.functionName = constants.functionName;
    context.memoryLimitInMB = constants.memoryLimitInMB;
    context.logGroupName = constants.logGroupName;
    context.logStreamName = constants.logStreamName;
    context.clientContext = parse(headers['lambda-runtime-client-context'], 'ClientContext');
    context.identity = parse(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity');
    context.invokedFunctionArn = headers['lambda-runtime-invoked-function-arn'];
    context.awsRequestId = headers['lambda-runtime-aws-request-id'];
    context.tenantId = headers['lambda-runtime-aws-tenant-id'];
    context.getRemainingTimeInMillis = () => deadline - Date.now();
    return { event, context };
  }

  // answer sends a response. Alone, the request for the next event follows when
  // the handler's current turn is over: it may be about to end the process.
  answer(id, call, body, errorType, alone) {
    if (this.dying) return;
    const data = this.wire.post(`invocation/${id}/${call}`, body, errorType);
    this.id = '';
    this.onIdle = null;
    if (alone) {
      this.wire.send(data, undefined);
      this.wire.hold(true);
      setImmediate(this.next);
      return;
    }
    this.wire.hold(true);
    this.wire.send(data + this.wire.getNext, undefined, this.receive);
  }

  async invokeStreaming(headers, body) {
    const stream = new streams.ResponseStream(this.wire, this.id, this.streaming);
    this.stream = stream;
    let waits = true;
    let returned = false;
    let over = false;
    const finish = () => {
      over = true;
      this.onIdle = null;
      streams.whenClosed(stream, () => {
        this.id = '';
        this.stream = null;
        if (waits) this.onIdle = () => setImmediate(this.next);
        else setImmediate(this.next);
      });
    };
    const fail = (err) => {
      log.failed('Invoke Error', err);
      if (over) return;
      streams.fail(stream, err);
      finish();
    };
    // Nothing is left that could settle the handler or end its stream.
    this.onIdle = () => fail(returned ? UNFINISHED : new errors.NodeJsExit());
    try {
      const context = {
        get callbackWaitsForEmptyEventLoop() { return waits; },
        set callbackWaitsForEmptyEventLoop(value) { waits = value; },
      };
      const described = this.describe(context, headers, body);
      const result = this.handler(described.event, stream, context);
      if (!isPromise(result)) {
        fail('Streaming does not support non-async handlers.');
        return;
      }
      if (await result !== undefined) console.warn('Streaming handlers ignore return values.');
      returned = true;
      if (over) return;
      if (stream.destroyed && !stream.writableFinished) fail(UNFINISHED);
      else if (stream.writableEnded) finish();
      else stream.once('prefinish', finish); // somebody may still be piping into it
    } catch (err) {
      fail(err);
    }
  }
}

// Flight is an event that is not streamed, and the ways in which it can end.
class Flight {
  constructor(runtime, id) {
    this.runtime = runtime;
    this.id = id;
    this.waits = true; // for the event loop to run empty before a callback's answer
    this.settled = false; // further calls mean nothing
    this.completed = false; // has a response
    this.callback = this.first((err, result) => this.onCallback(err, result));
    const done = (err, result, alone) => {
      this.busy();
      if (err !== undefined && err !== null) this.fail(err, alone);
      else this.complete(result, alone);
    };
    const reason = (err) => (err === undefined || err === null ? 'handled' : err);
    this.done = this.first((err, result) => done(err, result, true));
    this.succeed = this.first((result) => done(null, result, true));
    this.failed = this.first((err) => done(reason(err), null, true));
    // An async handler is over when it settles: nothing of it is left to run.
    this.resolved = this.first((result) => done(null, result, false));
    this.rejected = this.first((err) => done(reason(err), null, false));
  }

  // first lets only the first of all calls through that does not throw.
  first(call) {
    return (...args) => {
      if (this.settled) return;
      call(...args);
      this.settled = true;
    };
  }

  context() {
    const flight = this;
    return {
      get callbackWaitsForEmptyEventLoop() { return flight.waits; },
      set callbackWaitsForEmptyEventLoop(value) { flight.waits = value; },
      succeed: this.succeed,
      fail: this.failed,
      done: this.done,
    };
  }

  onCallback(err, result) {
    this.busy();
    if (err !== undefined && err !== null) this.fail(err, true);
    else if (!this.waits) this.complete(result, true);
    else if (this.current()) {
      this.runtime.onIdle = () => {
        this.runtime.onIdle = null;
        setImmediate(() => this.complete(result, false));
      };
    }
  }

  // current is false of an event whose handler goes on after its answer.
  current() {
    return this.runtime.id === this.id;
  }

  // busy says that somebody has answered, or is about to.
  busy() {
    if (this.current()) this.runtime.onIdle = null;
  }

  // silent is called when the event loop has run empty and nobody has answered.
  silent() {
    this.completed = true;
    this.runtime.onIdle = null;
    if (this.runtime.isAsync) this.fail(new errors.NodeJsExit(), false);
    else this.runtime.answer(this.id, 'response', 'null', undefined, false);
  }

  complete(result, alone) {
    if (this.completed || !this.current()) {
      console.error(MANY);
      return;
    }
    this.completed = true;
    this.runtime.answer(this.id, 'response', serialise(result), undefined, alone);
  }

  fail(err, alone) {
    log.failed('Invoke Error', err);
    if (!this.current()) return; // the platform would refuse it
    const body = errors.report(err);
    this.runtime.answer(this.id, 'error', JSON.stringify(body), body.errorType, alone);
  }
}

function serialise(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch (_) { // circular, BigInt, a toJSON that throws
    throw new Error('Unable to stringify response body');
  }
  if (text === undefined) throw new TypeError('Wrong arguments'); // a function or a symbol
  return text;
}

function parse(text, what) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (err) {
    throw new Error(`Cannot parse ${what} as json: ${err}`);
  }
}

const isPromise = (value) => Boolean(value && value.then && typeof value.then === 'function');

module.exports = { Runtime };
