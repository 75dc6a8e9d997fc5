'use strict';
// From a handler's name to its function.

const fs = require('fs');
const path = require('path');
const errors = require('./errors.cjs');
const stream = require('./stream.cjs');

// load finds the handler "dir/module.nested.name" below root. It throws the
// errors that Lambda documents for initialisation.
async function load(root, name) {
  if (name.includes('..')) {
    throw new errors.MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const dir = name.slice(0, name.indexOf(base));
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match) throw new errors.MalformedHandlerName('Bad handler');
  const app = await loadModule(root, dir, match[1]);
  const within = (object) => match[2].split('.').reduce((value, key) => value && value[key], object);
  const handler = within(app) || within(app && app.default);
  if (!handler) throw new errors.HandlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new errors.HandlerNotFound(`${name} is not a function`);
  return handler;
}

async function loadModule(root, dir, module) {
  const without = process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA;
  if (without !== '1' && without !== 'true') global.awslambda = stream.awslambda;
  try {
    return await find(root, dir, module);
  } catch (err) {
    if (err instanceof SyntaxError) throw errors.caused(errors.UserCodeSyntaxError, err);
    if (err && err.code === 'MODULE_NOT_FOUND') throw errors.caused(errors.ImportModuleError, err);
    throw err;
  }
}

// find tries what Lambda tries, in its order: the name as it is, .js as the
// nearest package.json says, .mjs, .cjs, and whatever Node itself would find.
async function find(root, dir, module) {
  const file = path.resolve(root, dir, module);
  const isModule = fs.existsSync(file + '.js') && inModulePackage(path.dirname(file));
  const found = required(file) ||
    (!isModule && required(file + '.js')) ||
    (isModule && await imported(file + '.js')) ||
    await imported(file + '.mjs') ||
    required(file + '.cjs');
  if (found) return found;
  return require(require.resolve(module, { paths: [root, dir] }));
}

const required = (file) => (fs.existsSync(file) ? require(file) : undefined);

function imported(file) {
  return fs.existsSync(file) ? import(require('url').pathToFileURL(file).href) : undefined;
}

// inModulePackage reports whether a .js file in dir is an ES module.
function inModulePackage(dir) {
  for (;; dir = path.dirname(dir)) {
    if (path.basename(dir) === 'node_modules') return false;
    const file = path.join(dir, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
      } catch (err) {
        console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, err);
        return false;
      }
    }
    if (dir === path.dirname(dir)) return false;
  }
}

// isAsync reports whether a handler was written with async. One that was must
// settle; any other that stays silent answers null.
const isAsync = (handler) => Boolean(handler.constructor) && handler.constructor.name === 'AsyncFunction';

module.exports = { load, isAsync };
