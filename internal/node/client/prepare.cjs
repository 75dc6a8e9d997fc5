'use strict';
// Loads a function as its first instance will, at deploy: its compiled code goes
// into the compile cache, and a function that cannot start is known early.

const errors = require('./errors.cjs');

function prepare(load) {
  const fail = (err) => {
    process.stderr.write(JSON.stringify(errors.report(err)) + '\n', () => process.exit(1));
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', (reason, promise) => fail(new errors.UnhandledPromiseRejection(reason, promise)));
  process.on('beforeExit', () => fail(new errors.NodeJsExit()));
  const turn = () => new Promise(setImmediate); // unhandled rejections are told at its end
  Promise.resolve().then(load).then(turn).then(() => {
    const { flushCompileCache } = require('module');
    if (flushCompileCache) flushCompileCache();
    process.exit(0); // what the function started itself would go on for ever
  }).catch(fail);
}

module.exports = { prepare };
