'use strict';
// Runs the JavaScript files of a service for whoever resolves its variables.
// Questions come on standard input and answers go to descriptor 3, a line of JSON
// each; the functions that a file is handed ask back the same way.
const fs = require('fs');
const path = require('path');
const Module = require('module');
const readline = require('readline');
const { pathToFileURL } = require('url');

const waiting = new Map(); // what we asked, by id
let asked = 0;

const send = (m) => fs.writeSync(3, JSON.stringify(m) + '\n');

class Reported extends Error {}

function ask(m) {
  return new Promise((resolve, reject) => {
    m.id = ++asked;
    waiting.set(m.id, { resolve, reject });
    send(m);
  });
}

const isFunction = (f) => typeof f === 'function' && !/^class\b/.test(Function.prototype.toString.call(f));

// load returns what a file exports.
async function load(file, code) {
  if (code) {
    const m = new Module(file);
    m.filename = file;
    m.paths = Module._nodeModulePaths(path.dirname(file));
    m._compile(code, file);
    return m.exports;
  }
  if (!file.endsWith('.mjs')) {
    try {
      return require(file);
    } catch (error) {
      if (error.code !== 'ERR_REQUIRE_ESM') throw error;
    }
  }
  return import(pathToFileURL(file).href);
}

const isModule = (x) => x && (x.__esModule || x[Symbol.toStringTag] === 'Module');

// value walks from what a file exports to the part that is wanted. One function on
// the way is called.
async function value({ file, code, path: steps = [], options }) {
  let out = await load(file, code);
  if (isModule(out) && !(steps.length && Object.hasOwn(out, steps[0])) && out.default !== undefined) out = out.default;
  const handed = {
    options: options || {},
    resolveVariable: (text) => ask({ kind: 'variable', text: String(text) }),
    resolveConfigurationProperty: (keys) => ask({ kind: 'property', path: keys.map(String) }),
  };
  let called = false;
  const settle = async () => {
    if (!called && isFunction(out)) {
      called = true;
      out = out(handed);
    }
    out = await out;
  };
  await settle();
  for (const step of steps) {
    if (typeof out === 'string') out = await ask({ kind: 'text', text: out });
    if (out == null || !Object.hasOwn(Object(out), step)) return undefined;
    out = out[step];
    await settle();
  }
  return out;
}

// where is the line of the file that an error names first.
function where(error, file) {
  const line = String(error && error.stack).split('\n').find((l) => l.includes(file));
  const m = line && line.slice(line.indexOf(file) + file.length).match(/^:(\d+)/);
  return m ? m[1] : '';
}

async function answer(q) {
  for (const [k, v] of Object.entries(q.env || {})) if (process.env[k] === undefined) process.env[k] = v;
  try {
    let out = await value(q);
    if (typeof out === 'function' || typeof out === 'symbol') throw new TypeError(`it has ${typeof out === 'symbol' ? 'a symbol' : 'a function'} where a value is wanted`);
    send({ id: q.id, kind: 'answer', value: out == null ? undefined : JSON.parse(JSON.stringify(out)) });
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    send({ id: q.id, kind: 'answer', error: text.split('\n')[0], line: where(error, q.file), reported: error instanceof Reported });
  }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const m = JSON.parse(line);
  if (m.kind !== 'answer') return void answer(m);
  const { resolve, reject } = waiting.get(m.id);
  waiting.delete(m.id);
  if (m.reported) reject(new Reported(m.error));
  else if (m.error) reject(new Error(m.error));
  else resolve(m.value === undefined ? null : m.value);
}).on('close', () => process.exit(0));
