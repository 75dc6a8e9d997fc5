'use strict';
// Streamed responses: awslambda for handlers, and the stream they write.

const { Writable } = require('stream');
const errors = require('./errors.cjs');
const { headerValue } = require('./wire.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const NULS = Buffer.alloc(8);

const awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (options && typeof options.highWaterMark === 'number') {
      handler[HIGH_WATER_MARK] = Math.floor(options.highWaterMark);
    }
    return handler;
  },
  HttpResponseStream: class HttpResponseStream {
    // from makes stream begin with the prelude {statusCode, headers, cookies}.
    static from(stream, prelude) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      const text = JSON.stringify(prelude);
      stream._onBeforeFirstWrite = (write) => {
        write(text);
        write(NULS);
      };
      return stream;
    }
  },
};

// mode is what streamifyResponse, or a library that knows its symbols, made of a
// handler: undefined if it does not stream.
function mode(handler) {
  const kind = handler[STREAMING];
  if (kind === undefined || kind === null || kind === false) return undefined;
  if (kind !== 'response') throw new errors.MalformedStreamingHandler('Only response streaming is supported.');
  const mark = parseInt(handler[HIGH_WATER_MARK], 10);
  return { highWaterMark: Number.isNaN(mark) ? undefined : mark };
}

// ResponseStream writes the response of one invocation in chunks. Nothing is
// sent before the first write, so that the content type can still be set.
class ResponseStream extends Writable {
  constructor(wire, id, options) {
    super({ highWaterMark: options.highWaterMark, decodeStrings: true });
    this._wire = wire;
    this._id = id;
    this._type = 'application/octet-stream';
    this._begun = false; // written to, or more
    this._sent = false; // the head is on its way
    this._closed = false; // the end is on its way
    this._trailers = '';
    this._onClosed = null;
    this._onBeforeFirstWrite = undefined;
    this.on('error', () => {}); // whoever pipes into us learns of it from the pipeline
  }

  setContentType(type) {
    if (this._begun) throw new errors.InvalidStreamingOperation('Cannot set content-type, too late.');
    this._type = type;
  }

  write(chunk, encoding, callback) {
    this._begun = true;
    if (typeof chunk !== 'string' && !Buffer.isBuffer(chunk) && !(chunk && chunk.constructor === Uint8Array)) {
      chunk = JSON.stringify(chunk);
    }
    return super.write(chunk, encoding, callback);
  }

  _write(chunk, _, callback) {
    this._flush([chunk], callback);
  }

  _writev(chunks, callback) {
    this._flush(chunks.map((c) => c.chunk), callback);
  }

  _final(callback) {
    this._finish(callback);
  }

  _destroy(err, callback) {
    if (this._onClosed !== null) this._finish(() => {}); // the platform waits for the end
    callback(err);
  }

  // _flush sends the parts as one chunk, with all that has to go before it.
  _flush(parts, callback) {
    const socket = this._begin();
    const all = this._prelude().concat(parts);
    const size = all.reduce((sum, part) => sum + part.length, 0);
    socket.cork();
    if (size > 0) {
      socket.write(size.toString(16) + '\r\n');
      for (const part of all) socket.write(part);
    }
    socket.write(size > 0 ? '\r\n' : '', () => callback());
    socket.uncork();
  }

  _prelude() {
    const before = this._onBeforeFirstWrite;
    this._onBeforeFirstWrite = undefined;
    const parts = [];
    if (typeof before === 'function') before((part) => parts.push(Buffer.from(part)));
    return parts;
  }

  _begin() {
    this._begun = true;
    if (!this._sent) {
      this._sent = true;
      this._wire.send(this._wire.stream(this._id, this._type), undefined);
    }
    return this._wire.connected();
  }

  // _finish sends the end, once.
  _finish(callback) {
    if (this._closed) return callback();
    this._closed = true;
    const prelude = this._prelude();
    const socket = this._begin();
    socket.cork();
    if (prelude.length > 0) {
      const all = Buffer.concat(prelude);
      socket.write(all.length.toString(16) + '\r\n');
      socket.write(all);
      socket.write('\r\n');
    }
    socket.write('0\r\n' + this._trailers + '\r\n', () => callback());
    socket.uncork();
    const closed = this._onClosed;
    this._onClosed = null;
    if (closed !== null) closed();
  }
}

// These are not methods: handlers are given the stream.

// fail ends a stream with an error in its trailers. What was written before is
// sent; a stream that has ended stays as it is.
function fail(stream, error) {
  const body = errors.report(error);
  if (!stream.writableEnded) {
    stream._trailers = 'Lambda-Runtime-Function-Error-Type: ' + headerValue(body.errorType) + '\r\n' +
      'Lambda-Runtime-Function-Error-Body: ' + Buffer.from(JSON.stringify(body)).toString('base64') + '\r\n';
  }
  if (stream.destroyed) stream._finish(() => {});
  else if (!stream.writableEnded) stream.end();
}

// whenClosed calls back when the end of the stream is on its way.
function whenClosed(stream, callback) {
  if (stream._closed) callback();
  else stream._onClosed = callback;
}

// isOpen reports whether a part of the response is sent and its end is not.
const isOpen = (stream) => stream._sent && !stream._closed;

module.exports = { awslambda, mode, ResponseStream, fail, whenClosed, isOpen };
