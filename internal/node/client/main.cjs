'use strict';
// The entry of the Lambda runtime client. It is started as
//
//	node [flags] main.cjs                      serve the function that the environment describes
//	node [flags] main.cjs --prepare [HANDLER]  load it once, fill the compile cache, exit 0 or 1
//
// and, with DROPSTACK_PREBOOT=1, before it is known which function that will be.

const { Wire } = require('./wire.cjs');
const { Runtime } = require('./runtime.cjs');
const { load } = require('./handler.cjs');
const log = require('./log.cjs');

function useCompileCache() {
  const dir = process.env.DROPSTACK_COMPILE_CACHE;
  const { enableCompileCache } = require('module');
  if (dir && enableCompileCache) enableCompileCache(dir);
}

// loadHandler finds the function of the environment.
function loadHandler(name) {
  const root = process.env.LAMBDA_TASK_ROOT || process.cwd();
  const handler = name || process.env._HANDLER;
  if (!handler) throw new Error('No handler specified');
  return load(root, handler);
}

async function serve(wire) {
  useCompileCache();
  log.patch(process.env);
  const runtime = new Runtime(wire);
  runtime.guard();
  try {
    runtime.start(await loadHandler(''));
  } catch (err) {
    runtime.die('Uncaught Exception', err, 129);
  }
}

function main() {
  if (process.argv[2] === '--prepare') {
    useCompileCache();
    log.patch(process.env);
    require('./prepare.cjs').prepare(() => loadHandler(process.argv[3]));
    return;
  }
  const address = process.env.AWS_LAMBDA_RUNTIME_API;
  if (!address) {
    process.stderr.write('AWS_LAMBDA_RUNTIME_API is not set: this program is started by the platform\n');
    process.exit(1);
  }
  const wire = new Wire(address, (err) => {
    process.stderr.write(`Runtime API at ${address}: ${err.message}\n`);
    process.exit(1);
  });
  if (process.env.DROPSTACK_PREBOOT === '1') {
    require('./preboot.cjs').wait(wire, () => serve(wire));
    return;
  }
  wire.connect(); // the handler loads meanwhile
  serve(wire);
}

main();
