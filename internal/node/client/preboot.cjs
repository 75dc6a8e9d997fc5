'use strict';
// A process that waits, fully started, to be told which function it is.

// What handlers need most: loaded now it costs a waiting process some memory,
// loaded later it costs a cold start its time.
const COMMON = ['assert', 'async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'events', 'fs', 'http', 'https',
  'module', 'os', 'path', 'perf_hooks', 'querystring', 'stream', 'string_decoder', 'timers', 'tls', 'url', 'util', 'zlib'];

function wait(wire, serve) {
  for (const name of COMMON) require(name);
  import('fs').then(() => { // starts the loader of ES modules
    const lost = wire.lost;
    wire.lost = () => process.exit(0); // the platform went away
    wire.hold(true);
    wire.get('/dropstack/start', (status, _, body) => {
      wire.lost = lost;
      wire.hold(false);
      try {
        if (status !== 200) throw new Error(`the platform answered ${status}: ${body}`);
        become(JSON.parse(body));
      } catch (err) {
        process.stderr.write(`become a function: ${err.message}\n`);
        process.exit(1);
      }
      Promise.resolve().then(serve); // out of the connection's asynchronous context
    });
  });
}

// become turns the process into the function {env, cwd, uid, gid, args}.
function become(spec) {
  if (spec.env === null || typeof spec.env !== 'object') throw new Error('the answer has no env');
  for (const name of Object.keys(process.env)) {
    if (!(name in spec.env)) delete process.env[name];
  }
  for (const name of Object.keys(spec.env)) {
    if (name !== 'TZ') process.env[name] = spec.env[name];
  }
  if (spec.env.TZ !== undefined) process.env.TZ = spec.env.TZ; // V8 reads the zone again
  require('module')._initPaths(); // NODE_PATH
  if (spec.cwd) process.chdir(spec.cwd);
  if (spec.gid !== undefined) {
    process.setgroups([spec.gid]);
    process.setgid(spec.gid);
  }
  if (spec.uid !== undefined) process.setuid(spec.uid);
  process.argv.splice(2, process.argv.length, ...(spec.args || []));
}

module.exports = { wait };
