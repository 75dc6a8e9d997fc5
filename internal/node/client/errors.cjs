'use strict';
// Errors as Lambda words them: in answers {errorType, errorMessage, trace}, in
// the log with every property they carry.

const util = require('util');

class Named extends Error {}

// named makes a class of errors whose type is "Runtime." and a name.
function named(name) {
  const type = class extends Named {};
  Object.defineProperty(type, 'name', { value: name });
  Object.defineProperty(type.prototype, 'name', { value: 'Runtime.' + name, writable: true, configurable: true });
  return type;
}

const ImportModuleError = named('ImportModuleError');
const HandlerNotFound = named('HandlerNotFound');
const MalformedHandlerName = named('MalformedHandlerName');
const UserCodeSyntaxError = named('UserCodeSyntaxError');
const MalformedStreamingHandler = named('MalformedStreamingHandler');
const InvalidStreamingOperation = named('InvalidStreamingOperation');

class NodeJsExit extends named('NodeJsExit') {
  constructor() {
    super('The Lambda runtime client detected an unexpected Node.js exit code. ' +
      'This is most commonly caused by a Promise that was never settled. ' +
      'For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes');
  }
}

class UnhandledPromiseRejection extends named('UnhandledPromiseRejection') {
  constructor(reason, promise) {
    super(asError(reason) === reason ? String(reason) : asError(reason).message);
    this.reason = reason;
    this.promise = promise;
  }
}

// caused is an error of a class for one that loading threw. Its stack keeps the
// lines of the cause: they name the file that has to be mended.
function caused(Type, cause) {
  const err = new Type(String(cause));
  if (typeof cause.stack === 'string') {
    err.stack = err.name + ': ' + err.message + '\n' + cause.stack;
  }
  return err;
}

const printable = (s) => (s === undefined || s === null ? undefined : s.replace(/\x7F/g, '%7F'));

const looksLikeError = (e) => Boolean(e && e.name && e.message && e.stack &&
  typeof e.name === 'string' && typeof e.message === 'string' && typeof e.stack === 'string');

// report is the body that tells the platform, and by it the caller, of an error.
function report(error) {
  try {
    if (util.types.isNativeError(error) || looksLikeError(error)) {
      return {
        errorType: printable(error.name),
        errorMessage: printable(error.message),
        trace: printable(error.stack).split('\n'),
      };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch (_) {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

// logged is an error as text for the log; it begins with a tab.
function logged(error) {
  try {
    return '\t' + JSON.stringify(error, (_, value) => {
      if (!(value instanceof Error)) return value;
      const all = Object.assign({ errorType: value.name, errorMessage: value.message, code: value.code }, value);
      if (typeof value.stack === 'string') all.stack = value.stack.split('\n');
      return all;
    });
  } catch (_) { // circular, BigInt …
    return '\t' + JSON.stringify(report(error));
  }
}

function asError(value) {
  if (value instanceof Error) return value;
  try {
    return new Error(value);
  } catch (_) { // a symbol, an object without toString
    return new Error(util.inspect(value));
  }
}

module.exports = {
  ImportModuleError, HandlerNotFound, MalformedHandlerName, UserCodeSyntaxError,
  MalformedStreamingHandler, InvalidStreamingOperation, NodeJsExit, UnhandledPromiseRejection,
  caused, report, logged, asError,
};
