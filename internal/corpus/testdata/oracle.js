'use strict';
// Runs commands of the Serverless Framework's CLI, one after another in this
// process, whose modules are then loaded once. Questions come on standard input and
// answers go to descriptor 3, a line of JSON each: {dir, args, env} and {code,
// stdout, stderr}. The first argument is where the CLI's package is.
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const home = path.resolve(process.argv[2]);
const script = path.join(home, 'scripts/serverless.js');
const lib = (name) => require(path.join(home, 'lib', name));
const environment = { ...process.env };
let finished; // called when a command has ended

const deprecations = lib('utils/log-deprecation');
const summary = deprecations.printSummary;
deprecations.printSummary = async (...args) => {
  try {
    return await summary.apply(deprecations, args);
  } finally {
    finished();
  }
};

function capture(stream) {
  const write = stream.write;
  let text = '';
  stream.write = (chunk) => {
    text += chunk;
    return true;
  };
  return () => {
    stream.write = write;
    return text;
  };
}

function setEnvironment(env) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment, env);
}

// run has the CLI believe that it was started anew.
async function run({ dir, args, env }) {
  process.chdir(dir);
  process.argv = [process.argv[0], script, ...args];
  process.exitCode = 0;
  setEnvironment(env);
  lib('cli/resolve-input').clear();
  for (const file of Object.keys(require.cache)) if (file === script || file.startsWith(fs.realpathSync(dir) + path.sep)) delete require.cache[file];
  const out = capture(process.stdout);
  const err = capture(process.stderr);
  await new Promise((resolve) => {
    finished = resolve;
    require(script);
  });
  await new Promise(setImmediate);
  process.removeAllListeners('uncaughtException');
  return { stdout: out(), stderr: err(), code: process.exitCode || 0 };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answer = await run(JSON.parse(line));
    fs.writeSync(3, JSON.stringify(answer) + '\n');
  }
  process.exit(0);
})();
