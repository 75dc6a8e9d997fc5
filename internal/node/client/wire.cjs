'use strict';
// The Runtime API over one raw connection. Node's http module costs more per
// event than the rest of the client together, so requests are written as one
// string and answers are parsed here. Answers come in the order of the requests,
// which lets an answer and the request for the next event share one write.

const net = require('net');

const BASE = '/2018-06-01/runtime/';
const MAX_HEAD = 1 << 20;
const EMPTY = Buffer.alloc(0);

// Parser states.
const HEAD = 0; // up to the blank line
const LENGTH = 1; // a body of known length
const SIZE = 2; // the size line of a chunk
const CHUNK = 3; // a chunk and its line end
const TRAILER = 4; // lines up to a blank one

class Wire {
  // address is "host:port" as in AWS_LAMBDA_RUNTIME_API. lost is called with an
  // Error when the connection ends while an answer is owed.
  constructor(address, lost) {
    const colon = address.lastIndexOf(':');
    this.host = address;
    this.hostname = colon < 0 ? address : address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.port = colon < 0 ? 80 : Number(address.slice(colon + 1));
    this.lost = lost;
    this.tail = ' HTTP/1.1\r\nHost: ' + address + '\r\n';
    this.getNext = 'GET ' + BASE + 'invocation/next' + this.tail + '\r\n';
    this.waiting = []; // callbacks of requests that are not answered yet, oldest first
    this.socket = null;
    this.held = false;
    this.buffer = Buffer.allocUnsafeSlow(64 << 10);
    this.reset();
  }

  reset() {
    this.state = HEAD;
    this.left = EMPTY; // input that does not make a whole line or head yet
    this.parts = []; // of a body that came in pieces
    this.missing = 0; // bytes until the end of the body or chunk
    this.status = 0;
    this.headers = null;
  }

  connect() {
    if (this.socket !== null) return;
    this.reset();
    const socket = net.connect({
      host: this.hostname,
      port: this.port,
      onread: { buffer: this.buffer, callback: (n, buf) => this.read(n, buf) },
    });
    this.socket = socket;
    socket.setNoDelay(true);
    let cause = null;
    socket.on('error', (err) => { cause = err; });
    socket.on('close', () => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (this.waiting.length > 0) this.lost(cause || new Error('the connection was closed'));
      else this.look();
    });
    if (this.held) socket.ref(); else socket.unref();
  }

  // look ends the process when nobody listens any more. Nothing is owed, so nobody
  // would notice: what a handler has left running could go on for ever.
  look() {
    const probe = net.connect({ host: this.hostname, port: this.port });
    probe.unref();
    probe.on('connect', () => probe.destroy());
    probe.on('error', (err) => {
      if (err.code === 'ECONNREFUSED') this.lost(err);
    });
  }

  // hold says whether the connection keeps the process alive: it does while we
  // wait for an event, and must not while a handler works, whose event loop has
  // to be seen to run empty.
  hold(held) {
    this.held = held;
    if (this.socket === null) return;
    if (held) this.socket.ref(); else this.socket.unref();
  }

  // send writes one or two requests; then says that data holds a second one.
  send(data, answered, then) {
    this.waiting.push(answered);
    if (then !== undefined) this.waiting.push(then);
    this.connect();
    this.socket.write(data);
  }

  // connected is the open connection, for the chunks of a streamed response.
  connected() {
    this.connect();
    return this.socket;
  }

  get(path, answered) {
    this.send('GET ' + path + this.tail + '\r\n', answered);
  }

  next(answered) {
    this.send(this.getNext, answered);
  }

  // post is the text of a request with a JSON body.
  post(call, body, errorType) {
    return 'POST ' + BASE + call + this.tail +
      'Content-Type: application/json\r\n' +
      (errorType ? 'Lambda-Runtime-Function-Error-Type: ' + headerValue(errorType) + '\r\n' : '') +
      'Content-Length: ' + Buffer.byteLength(body) + '\r\n\r\n' + body;
  }

  // stream is the head of a response whose body follows in chunks.
  stream(id, contentType) {
    return 'POST ' + BASE + 'invocation/' + id + '/response' + this.tail +
      'Content-Type: ' + headerValue(contentType) + '\r\n' +
      'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
      'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n' +
      'Transfer-Encoding: chunked\r\n\r\n';
  }

  read(n, buf) {
    let data = buf.subarray(0, n);
    if (this.left.length > 0) {
      data = Buffer.concat([this.left, data]);
      this.left = EMPTY;
    }
    let at = 0;
    while (at < data.length) {
      const to = this.step(data, at);
      if (to < 0) { // needs more; the buffer will be written over
        if (data.length - at > MAX_HEAD) {
          this.socket.destroy(new Error('the answer has no end of its head'));
          return true;
        }
        this.left = Buffer.from(data.subarray(at));
        return true;
      }
      at = to;
    }
    return true;
  }

  // step takes one piece of an answer and returns where the next begins, or -1.
  step(data, at) {
    switch (this.state) {
      case HEAD: return this.head(data, at);
      case LENGTH: return this.body(data, at);
      case CHUNK: return this.chunk(data, at);
      default: return this.line(data, at);
    }
  }

  head(data, at) {
    const end = data.indexOf('\r\n\r\n', at);
    if (end < 0) return -1;
    const lines = data.toString('utf8', at, end).split('\r\n');
    this.status = Number(lines[0].slice(9, 12));
    if (this.status >= 100 && this.status < 200) return end + 4; // an interim answer
    const headers = this.headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    if (/chunked/i.test(headers['transfer-encoding'])) {
      this.state = SIZE;
      return end + 4;
    }
    const length = Number(headers['content-length'] || 0);
    if (end + 4 + length <= data.length) { // nearly always: no copy of the body
      this.finish(data.toString('utf8', end + 4, end + 4 + length));
      return end + 4 + length;
    }
    this.missing = length;
    this.state = LENGTH;
    return end + 4;
  }

  body(data, at) {
    const take = Math.min(this.missing, data.length - at);
    this.parts.push(Buffer.from(data.subarray(at, at + take)));
    this.missing -= take;
    if (this.missing === 0) this.finish(Buffer.concat(this.parts).toString());
    return at + take;
  }

  chunk(data, at) {
    if (this.missing > 0) {
      const take = Math.min(this.missing, data.length - at);
      this.parts.push(Buffer.from(data.subarray(at, at + take)));
      this.missing -= take;
      return at + take;
    }
    if (data.length - at < 2) return -1;
    this.state = SIZE;
    return at + 2;
  }

  line(data, at) {
    const end = data.indexOf('\r\n', at);
    if (end < 0) return -1;
    if (this.state === SIZE) {
      this.missing = parseInt(data.toString('latin1', at, end), 16);
      this.state = this.missing > 0 ? CHUNK : TRAILER;
    } else if (end === at) {
      this.finish(Buffer.concat(this.parts).toString());
    }
    return end + 2;
  }

  finish(body) {
    const { status, headers } = this;
    this.state = HEAD;
    this.parts = [];
    this.missing = 0;
    const last = headers.connection !== undefined && /close/i.test(headers.connection);
    const answered = this.waiting.shift();
    if (last && this.waiting.length === 0) {
      const socket = this.socket;
      this.socket = null; // the next request opens another
      socket.end();
    }
    if (answered) answered(status, headers, body);
  }
}

// headerValue keeps what users name their errors from ending the header.
function headerValue(s) {
  return String(s).replace(/[^\x20-\x7e]/g, '?').slice(0, 1024);
}

module.exports = { Wire, headerValue };
