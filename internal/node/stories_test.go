package node_test

// iso is the time that begins a line of the log.
const iso = `(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t`

// never is a promise that nothing will settle.
const never = `new Promise(() => {})`

var returning = []story{
	{name: "async handler", files: `exports.handler = async (e) => ({ got: e.a });`, events: []string{`{"a":[1,"ü€😀"]}`}, want: `{"got":[1,"ü€😀"]}`},
	{name: "async handler without a value", files: `exports.handler = async () => {};`, want: `null`},
	{name: "async handler that waits", files: `exports.handler = async () => { await new Promise((r) => setTimeout(r, 5)); return 'late'; };`, want: `"late"`},
	{name: "plain function that returns a promise", files: `exports.handler = () => Promise.resolve(7);`, want: `7`},
	{name: "thenable that is no promise", files: `exports.handler = () => ({ then: (ok) => { ok('then'); return Promise.resolve(); } });`, want: `"then"`},
	{name: "callback", files: `exports.handler = (e, c, cb) => cb(null, { ok: true });`, want: `{"ok":true}`},
	{name: "callback later", files: `exports.handler = (e, c, cb) => { setTimeout(() => cb(null, 'later'), 5); };`, want: `"later"`},
	{name: "callback without a value", files: `exports.handler = (e, c, cb) => cb();`, want: `null`},
	{name: "callback waits for the event loop", files: `let n = 0; exports.handler = (e, c, cb) => { setTimeout(() => { n++; }, 20); cb(null, { get n() { return n; } }); };`, want: `{"n":1}`},
	{name: "callback that does not wait", files: `let n = 0; exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => { n++; }, 1e6); cb(null, n); };`, events: []string{`{}`, `{}`}, want: `0`},
	{name: "only the first callback counts", files: `exports.handler = (e, c, cb) => { cb(null, 1); cb(null, 2); cb(new Error('3')); };`, want: `1`},
	{name: "an error thrown after the callback is void", files: `exports.handler = (e, c, cb) => { cb(null, 1); throw new Error('late'); };`, want: `1`},
	{name: "sync return value is ignored", files: `exports.handler = () => 'lost';`, want: `null`},
	{name: "sync return value since nodejs24.x", files: `exports.handler = () => ({ sync: 1 });`, env: map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}, want: `{"sync":1}`},
	{name: "callback since nodejs24.x", files: `exports.handler = (e, c, cb) => { setTimeout(() => cb(null, 'cb'), 1); };`, env: map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x"}, want: `"cb"`},
	{name: "sync return value before", files: `exports.handler = () => ({ sync: 1 });`, env: map[string]string{"AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}, want: `null`},
	{name: "error after a silent end is logged", files: `let late; exports.handler = (e, c) => { if (e.late) { late.fail(new Error('stale')); return Promise.resolve('fresh'); } late = c; };`, events: []string{`{}`, `{"late":true}`}, want: `"fresh"`, log: `Invoke Error \t\{"errorType":"Error","errorMessage":"stale"`},
	{name: "silent handler answers null when its work is done", files: `exports.handler = () => { setTimeout(() => console.log('worked'), 10); };`, want: `null`, log: `\tINFO\tworked\n`},
	{name: "silent handler is called again", files: `let n = 0; exports.handler = (e, c, cb) => { if (++n === 3) cb(null, n); };`, events: []string{`{}`, `{}`, `{}`}, want: `3`},
	{name: "plain function whose promise never settles answers null", files: `exports.handler = () => ` + never + `;`, want: `null`},
	{name: "answer after a silent end is reported", files: `let late; exports.handler = (e, c) => { if (e.late) { late.succeed('stale'); return Promise.resolve('fresh'); } late = c; };`, events: []string{`{}`, `{"late":true}`}, want: `"fresh"`, log: `ERROR\tInvocation has already been reported as done. Cannot call complete more than once per invocation.`},
	{name: "succeed", files: `exports.handler = (e, c) => c.succeed({ s: 1 });`, want: `{"s":1}`},
	{name: "done", files: `exports.handler = (e, c) => { setTimeout(() => c.done(null, 'd'), 1); };`, want: `"d"`},
	{name: "succeed does not wait for the event loop", files: `exports.handler = (e, c) => { setInterval(() => {}, 1e6); c.succeed(1); };`, events: []string{`{}`, `{}`}, want: `1`},
	{name: "buffers and dates as JSON", files: `exports.handler = async () => [Buffer.from('a'), new Date(0), undefined, NaN];`, want: `[{"type":"Buffer","data":[97]},"1970-01-01T00:00:00.000Z",null,null]`},
	{name: "large event and response", files: `exports.handler = async (e) => e.s.length + 'x'.repeat(3e6).length;`, events: []string{`{"s":"` + megabytes + `"}`}, want: `6000000`},
	{name: "large response", files: `exports.handler = async () => 'é'.repeat(1e6);`, want: `"` + accents + `"`},
	{name: "event that is no object", files: `exports.handler = async (e) => typeof e;`, events: []string{`"text"`}, want: `"string"`},
	{name: "handler may be a class method", files: `class A { async handler() { return this === undefined || this.constructor.name; } } module.exports = new A();`, want: `"Runtime"`},
	{name: "asynchronous context ends with its event", files: `const { AsyncLocalStorage } = require('async_hooks'); const s = new AsyncLocalStorage(); exports.handler = async () => { const before = s.getStore(); s.enterWith('mine'); return before || 'none'; };`, events: []string{`{}`, `{}`, `{}`}, want: `"none"`, since: 14},
}

var describing = []story{
	{
		name:  "what the environment says",
		files: `exports.handler = async (e, c) => [c.functionName, c.functionVersion, c.memoryLimitInMB, c.logGroupName, c.logStreamName];`,
		want:  `["hello","7","256","/aws/lambda/hello","2026/01/02/[7]abc"]`,
	},
	{
		name:   "what the headers say",
		files:  `exports.handler = async (e, c) => [c.awsRequestId, c.invokedFunctionArn, c.clientContext.custom.k, c.identity.cognitoIdentityId];`,
		header: map[string]string{"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:000000000000:function:hello:live", "Lambda-Runtime-Client-Context": `{"custom":{"k":"vé"}}`, "Lambda-Runtime-Cognito-Identity": `{"cognitoIdentityId":"id"}`},
		want:   `["request-1","arn:aws:lambda:eu-west-1:000000000000:function:hello:live","vé","id"]`,
	},
	{name: "absent client context", files: `exports.handler = async (e, c) => [typeof c.clientContext, typeof c.identity];`, want: `["undefined","undefined"]`},
	{name: "client context that is no JSON", files: `exports.handler = async () => 1;`, header: map[string]string{"Lambda-Runtime-Client-Context": "{"}, call: "error", errorType: "Error", message: "Cannot parse ClientContext as json: SyntaxError*"},
	{name: "remaining time", files: `exports.handler = async (e, c) => { const ms = c.getRemainingTimeInMillis(); return ms === 32503680000000 - Date.now() || ms > 1e12; };`, header: map[string]string{"Lambda-Runtime-Deadline-Ms": "32503680000000"}, want: `true`},
	{name: "keys of the context", files: `exports.handler = async (e, c) => Object.keys(c).join();`, want: `"callbackWaitsForEmptyEventLoop,succeed,fail,done,functionVersion,functionName,memoryLimitInMB,logGroupName,logStreamName,clientContext,identity,invokedFunctionArn,awsRequestId,tenantId,getRemainingTimeInMillis"`},
	{name: "trace of each event", files: `exports.handler = async () => process.env._X_AMZN_TRACE_ID;`, header: map[string]string{"Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793"}, want: `"Root=1-5759e988-bd862e3fe1be46a994272793"`},
	{name: "no trace", files: `exports.handler = async () => '_X_AMZN_TRACE_ID' in process.env;`, env: map[string]string{"_X_AMZN_TRACE_ID": "old"}, want: `false`},
	{name: "flags as Lambda gives them", files: `exports.handler = async () => [typeof gc, process.execArgv.join(' '), require('http').maxHeaderSize];`, want: `["function","--expose-gc --max-http-header-size=81920 --max-semi-space-size=12 --max-old-space-size=231",81920]`},
	{name: "request for libraries", files: `exports.handler = async () => global[Symbol.for('aws.lambda.runtime.requestId')];`, want: `"request-1"`},
}

var modules = []story{
	{name: "nested directory", files: "-- src/api/index.js --\nexports.handler = async () => 'nested';", handler: "src/api/index.handler", want: `"nested"`},
	{name: "nested function", files: `exports.api = { v1: { get: async () => 'get' } };`, handler: "index.api.v1.get", want: `"get"`},
	{name: "dot slash", files: `exports.handler = async () => 'dot';`, handler: "./index.handler", want: `"dot"`},
	{name: "mjs with top-level await", files: "-- index.mjs --\nconst v = await Promise.resolve('tla');\nexport const handler = async () => v;", want: `"tla"`, since: 14},
	{name: "mjs", files: "-- index.mjs --\nimport os from 'os';\nexport const handler = async () => typeof os.EOL;", want: `"string"`},
	{name: "default export", files: "-- index.mjs --\nexport default async () => 'default';", handler: "index.default", want: `"default"`},
	{name: "handler in a default export", files: "-- index.mjs --\nexport default { handler: async () => 'inside' };", want: `"inside"`},
	{name: "type module", files: "-- package.json --\n{\"type\":\"module\"}\n-- index.js --\nexport const handler = async () => typeof require;", want: `"undefined"`},
	{name: "type module of a parent directory", files: "-- package.json --\n{\"type\":\"module\"}\n-- a/b/index.js --\nexport const handler = async () => import.meta.url.endsWith('/a/b/index.js');", handler: "a/b/index.handler", want: `true`},
	{name: "nearest package says CommonJS", files: "-- package.json --\n{\"type\":\"module\"}\n-- a/package.json --\n{}\n-- a/index.js --\nexports.handler = async () => typeof require;", handler: "a/index.handler", want: `"function"`},
	{name: "cjs in a module package", files: "-- package.json --\n{\"type\":\"module\"}\n-- index.cjs --\nexports.handler = async () => 'cjs';", want: `"cjs"`},
	{name: "js before mjs", files: "-- index.js --\nexports.handler = async () => 'js';\n-- index.mjs --\nexport const handler = async () => 'mjs';", want: `"js"`},
	{name: "mjs before cjs", files: "-- index.cjs --\nexports.handler = async () => 'cjs';\n-- index.mjs --\nexport const handler = async () => 'mjs';", want: `"mjs"`},
	{name: "name with special characters", files: "-- a#b%20c/index.mjs --\nexport const handler = async () => 'odd';", handler: "a#b%20c/index.handler", want: `"odd"`},
	{name: "package in node_modules", files: "-- node_modules/lib/index.js --\nexports.run = async () => 'lib';", handler: "lib.run", want: `"lib"`},
	{name: "dependencies", files: "-- node_modules/dep/package.json --\n{\"main\":\"m.js\"}\n-- node_modules/dep/m.js --\nmodule.exports = 'dep';\n-- index.js --\nexports.handler = async () => require('dep');", want: `"dep"`},
	{name: "working directory", files: `exports.handler = async () => process.cwd() === require('fs').realpathSync(process.env.LAMBDA_TASK_ROOT);`, want: `true`},
	{name: "require main is not the handler", files: `exports.handler = async () => require.main === module;`, want: `false`},
}

var failing = []story{
	{
		name: "rejection", files: "exports.handler = async () => { throw new RangeError('out'); };", call: "error",
		errorType: "RangeError", message: "out", trace: `^RangeError: out\n    at .*index\.js:1`,
		log: iso + `request-1\tERROR\tInvoke Error \t\{"errorType":"RangeError","errorMessage":"out","stack":\["RangeError: out","    at [^\n]*\]\}$`,
	},
	{name: "next event after an error", files: `exports.handler = async (e) => { if (e.fail) throw new Error('x'); return 'fine'; };`, events: []string{`{"fail":1}`, `{}`}, want: `"fine"`},
	{name: "sync throw", files: `exports.handler = () => { throw new TypeError('sync'); };`, call: "error", errorType: "TypeError", message: "sync"},
	{name: "callback with an error", files: `exports.handler = (e, c, cb) => cb(new Error('cb'));`, call: "error", errorType: "Error", message: "cb"},
	{name: "callback with a string", files: `exports.handler = (e, c, cb) => cb('text');`, call: "error", errorType: "string", message: "text", log: `Invoke Error \t\{"errorType":"Error","errorMessage":"text"`},
	{name: "fail", files: `exports.handler = (e, c) => c.fail(new Error('failed'));`, call: "error", errorType: "Error", message: "failed"},
	{name: "fail without a reason", files: `exports.handler = (e, c) => c.fail();`, call: "error", errorType: "string", message: "handled"},
	{name: "rejection without a reason", files: `exports.handler = async () => { throw undefined; };`, call: "error", errorType: "string", message: "handled"},
	{name: "done with an error", files: `exports.handler = (e, c) => c.done(new Error('done'), 1);`, call: "error", errorType: "Error", message: "done"},
	{name: "thrown object", files: `exports.handler = async () => { throw { a: 1 }; };`, call: "error", errorType: "object", message: "[object Object]"},
	{name: "thrown number", files: `exports.handler = async () => { throw 42; };`, call: "error", errorType: "number", message: "42"},
	{name: "thrown symbol", files: `exports.handler = async () => { throw Symbol('s'); };`, call: "error", errorType: "symbol", message: "Symbol(s)"},
	{name: "thrown object that looks like an error", files: `exports.handler = async () => { throw { name: 'Odd', message: 'm', stack: 'a\nb' }; };`, call: "error", errorType: "Odd", message: "m", trace: `^a\nb$`},
	{name: "named error with properties", files: `class NotFound extends Error { constructor(m) { super(m); this.name = 'NotFound'; this.status = 404; this.code = 'E_NF'; } } exports.handler = async () => { throw new NotFound('nf'); };`, call: "error", errorType: "NotFound", message: "nf", log: `"errorType":"NotFound","errorMessage":"nf","code":"E_NF","name":"NotFound","status":404,"stack":\[`},
	{name: "circular error", files: `exports.handler = async () => { const e = new Error('c'); e.self = e; throw e; };`, call: "error", errorType: "Error", message: "c", log: `"errorMessage":"c","trace":\[`},
	{name: "error without a stack", files: `exports.handler = async () => { const e = new Error('x'); e.stack = undefined; throw e; };`, call: "error", errorType: "handled", message: "callback called with Error argument*"},
	{name: "error type that would break the header", files: `exports.handler = async () => { const e = new Error('x'); e.name = 'A\u007fB'; throw e; };`, call: "error", errorType: "A%7FB", message: "x"},
	{name: "BigInt response", files: `exports.handler = async () => BigInt(1);`, call: "error", errorType: "Error", message: "Unable to stringify response body"},
	{name: "circular response", files: `exports.handler = (e, c) => { const a = {}; a.a = a; c.callbackWaitsForEmptyEventLoop = false; c.succeed(a); };`, call: "error", errorType: "Error", message: "Unable to stringify response body"},
	{name: "event that is no JSON", files: `exports.handler = async () => 1;`, events: []string{`{`}, call: "error", errorType: "SyntaxError", message: "*"},
	{name: "async handler that never settles", files: `exports.handler = async () => { await ` + never + `; };`, call: "error", errorType: "Runtime.NodeJsExit", message: "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes"},
	{name: "next event after one that never settled", files: `exports.handler = async (e) => { if (e.hang) await ` + never + `; return 2; };`, events: []string{`{"hang":1}`, `{}`}, want: `2`},
}

var ending = []story{
	{
		name: "unhandled rejection", files: `exports.handler = async () => { Promise.reject(new Error('lost')); await new Promise((r) => setTimeout(r, 1e6)); };`, call: "error", exit: 128,
		errorType: "Runtime.UnhandledPromiseRejection", message: "Error: lost", trace: `^Runtime.UnhandledPromiseRejection: Error: lost\n`,
		log: `request-1\tERROR\tUnhandled Promise Rejection \t\{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","reason":\{"errorType":"Error","errorMessage":"lost","stack":\[[^\n]*"promise":\{\},"stack":\[`,
	},
	{name: "unhandled rejection of a string", files: `exports.handler = (e, c, cb) => { Promise.reject('text'); setTimeout(cb, 1e6); };`, call: "error", exit: 128, errorType: "Runtime.UnhandledPromiseRejection", message: "text"},
	{name: "uncaught exception", files: `exports.handler = async () => { setTimeout(() => { throw new Error('out'); }, 1); await new Promise((r) => setTimeout(r, 1e6)); };`, call: "error", exit: 129, errorType: "Error", message: "out", log: `request-1\tERROR\tUncaught Exception \t\{"errorType":"Error","errorMessage":"out"`},
	{name: "response of a callback that is no JSON", files: `exports.handler = (e, c, cb) => cb(null, BigInt(1));`, call: "error", exit: 129, errorType: "Error", message: "Unable to stringify response body"},
	{name: "exit", files: `exports.handler = async () => process.exit(3);`, call: "exit", exit: 3},
	{name: "exit right after an answer", files: `exports.handler = (e, c) => { c.succeed('bye'); process.exit(4); };`, want: `"bye"`, exit: 4},
	{name: "SIGTERM ends the process", files: `exports.handler = async () => { process.kill(process.pid, 'SIGTERM'); await new Promise((r) => setTimeout(r, 1e6)); };`, call: "exit", exit: -1},
}

var starting = []story{
	{name: "missing module", files: `exports.x = 1;`, handler: "other.handler", call: "init/error", exit: 129, errorType: "Runtime.ImportModuleError", message: "Error: Cannot find module 'other'\nRequire stack:\n*", log: iso + `undefined\tERROR\tUncaught Exception \t\{"errorType":"Runtime.ImportModuleError"`},
	{name: "missing dependency", files: `require('absent'); exports.handler = async () => 1;`, call: "init/error", exit: 129, errorType: "Runtime.ImportModuleError", message: "Error: Cannot find module 'absent'\nRequire stack:\n*", trace: `index\.js`},
	{name: "missing dependency of a module", files: "-- index.mjs --\nimport 'absent';\nexport const handler = 1;", call: "init/error", exit: 129, errorType: "Error", message: "Cannot find package 'absent' imported from*"},
	{name: "missing handler", files: `exports.other = 1;`, call: "init/error", exit: 129, errorType: "Runtime.HandlerNotFound", message: "index.handler is undefined or not exported"},
	{name: "handler that is no function", files: `exports.handler = 'text';`, call: "init/error", exit: 129, errorType: "Runtime.HandlerNotFound", message: "index.handler is not a function"},
	{name: "syntax error", files: "exports.handler = async () => {\n  let = ;\n};", call: "init/error", exit: 129, errorType: "Runtime.UserCodeSyntaxError", message: "SyntaxError: *", trace: `^Runtime.UserCodeSyntaxError: SyntaxError: [^\n]*\n.*index\.js:2\n`},
	{name: "syntax error in a module", files: "-- index.mjs --\nexport const handler = ;", call: "init/error", exit: 129, errorType: "Runtime.UserCodeSyntaxError", message: "SyntaxError: *"},
	{name: "handler name without a dot", files: `exports.handler = 1;`, handler: "index", call: "init/error", exit: 129, errorType: "Runtime.MalformedHandlerName", message: "Bad handler"},
	{name: "handler name that climbs", files: `exports.handler = 1;`, handler: "../index.handler", call: "init/error", exit: 129, errorType: "Runtime.MalformedHandlerName", message: "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names."},
	{name: "init that throws", files: `throw new Error('init');`, call: "init/error", exit: 129, errorType: "Error", message: "init", trace: `index\.js:1`},
	{name: "init that throws null", files: `throw null;`, call: "init/error", exit: 129, errorType: "handled", message: "callback called*"},
	{name: "module whose init rejects", files: "-- index.mjs --\nawait Promise.reject(new TypeError('tla'));", call: "init/error", exit: 129, errorType: "TypeError", message: "tla", since: 14},
	{name: "init with an unhandled rejection", files: "-- index.mjs --\nPromise.reject(new Error('init'));\nawait new Promise((r) => setTimeout(r, 1e6));", call: "init/error", exit: 128, errorType: "Runtime.UnhandledPromiseRejection", message: "Error: init", since: 14},
	{name: "init that never settles", files: "-- index.mjs --\nawait " + never + ";", call: "exit", exit: 13, stderr: "unsettled top-level await", since: 14},
	{name: "init that exits", files: `process.exit(5);`, call: "exit", exit: 5},
	{name: "streaming of a wrong kind", files: `exports.handler = async () => 1; exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';`, call: "init/error", exit: 129, errorType: "Runtime.MalformedStreamingHandler", message: "Only response streaming is supported."},
}

var asJSON = map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON"}

var logging = []story{
	{name: "levels", files: `exports.handler = async () => { console.log('a'); console.info('b'); console.warn('c'); console.error('d'); console.debug('e'); console.trace('f'); console.fatal('g'); };`, log: iso + `request-1\tINFO\ta\n.*INFO\tb\n.*WARN\tc\n.*ERROR\td\n.*DEBUG\te\n.*TRACE\tf\n.*FATAL\tg\n`},
	{name: "formats", files: `exports.handler = async () => { console.log('%s is %d', 'x', 5, { a: 1 }); };`, log: `INFO\tx is 5 \{ a: 1 \}\n`},
	{name: "many lines are one", files: `exports.handler = async () => { console.log('one\ntwo\n'); };`, log: `INFO\tone\rtwo\r\n`},
	{name: "nothing", files: `exports.handler = async () => { console.log(); };`, log: `INFO\tundefined\n`},
	{name: "before the first event", files: `console.log('init'); exports.handler = async () => {};`, log: iso + `undefined\tINFO\tinit\n`},
	{name: "raw standard output", files: `exports.handler = async () => { process.stdout.write('raw\nline\n'); };`, log: `^raw\nline\n$`},
	{name: "level filter", files: `exports.handler = async () => { console.info('no'); console.warn('yes'); };`, env: map[string]string{"AWS_LAMBDA_LOG_LEVEL": "warn"}, log: `WARN\tyes`, without: `INFO`},
	{name: "JSON", files: `exports.handler = async () => { console.log('hi'); };`, env: asJSON, log: `^\{"timestamp":"[^"]*Z","level":"INFO","requestId":"request-1","message":"hi"\}\n$`},
	{name: "JSON of an object", files: `exports.handler = async () => { console.warn({ a: [1] }); };`, env: asJSON, log: `"level":"WARN","requestId":"request-1","message":\{"a":\[1\]\}\}\n$`},
	{name: "JSON of an error", files: `exports.handler = async () => { console.error(new TypeError('t')); };`, env: asJSON, log: `"message":\{"errorType":"TypeError","errorMessage":"t","stackTrace":\["TypeError: t",`},
	{name: "JSON of text and an error", files: `exports.handler = async () => { console.error('oops', new TypeError('t')); };`, env: asJSON, log: `"message":"oops TypeError: t\\n[^\n]*","errorType":"TypeError","errorMessage":"t","stackTrace":\["TypeError: t"`},
	{name: "JSON of what has none", files: `exports.handler = async () => { const a = {}; a.a = a; console.log(a); };`, env: asJSON, log: `"message":"<ref \*1>`, since: 14},
	{name: "JSON of a failed invocation", files: `exports.handler = async () => { throw new Error('j'); };`, env: asJSON, call: "error", errorType: "Error", message: "j", log: `"level":"ERROR","requestId":"request-1","message":\{"errorType":"Error","errorMessage":"j","stackTrace":\[`},
	{name: "JSON level filter", files: `exports.handler = async () => { console.debug('no'); console.log('yes'); };`, env: map[string]string{"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}, log: `"yes"`, without: `DEBUG`},
	{name: "telemetry pipe", files: `exports.handler = async () => { console.log('one\ntwo'); return process.env._LAMBDA_TELEMETRY_LOG_FD; };`, env: map[string]string{"_LAMBDA_TELEMETRY_LOG_FD": "1"}, want: `null`, log: `(?s)^\xa5?\x{FFFD}?.{3,40}request-1\tINFO\tone\ntwo\n$`},
}

const httpType = "application/vnd.awslambda.http-integration-response"

var streaming = []story{
	{name: "stream", files: `exports.handler = awslambda.streamifyResponse(async (e, s, c) => { s.setContentType('text/plain'); s.write('a'); s.write(Buffer.from('b')); s.end('c' + c.awsRequestId); });`, want: `abcrequest-1`, contentType: "text/plain"},
	{name: "stream default type", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.end(new Uint8Array([65])); });`, want: `A`, contentType: "application/octet-stream"},
	{name: "stream HTTP response", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s = awslambda.HttpResponseStream.from(s, { statusCode: 201, cookies: ['a=b'] }); s.write('body'); s.end(); });`, want: `{"statusCode":201,"cookies":["a=b"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00body", contentType: httpType},
	{name: "stream HTTP response without a body", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { awslambda.HttpResponseStream.from(s, { statusCode: 204 }).end(); });`, want: `{"statusCode":204}` + "\x00\x00\x00\x00\x00\x00\x00\x00", contentType: httpType},
	{name: "stream of objects", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write({ a: 1 }); s.end(); });`, want: `{"a":1}`},
	{name: "stream nothing", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.end(); });`, want: ``, call: "response"},
	{name: "stream by pipeline", files: `const { Readable, pipeline } = require('stream'); const { promisify } = require('util'); exports.handler = awslambda.streamifyResponse(async (e, s) => { await promisify(pipeline)(Readable.from(['x', 'y', 'z']), s); });`, want: `xyz`},
	{name: "stream by pipe after the return", files: `const { Readable } = require('stream'); exports.handler = awslambda.streamifyResponse(async (e, s) => { Readable.from(['x', 'y']).pipe(s); });`, want: `xy`},
	{name: "stream with back-pressure", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { let n = 0; for (let i = 0; i < 64; i++) { if (!s.write('x'.repeat(1 << 16))) { n++; await new Promise((r) => s.once('drain', r)); } } s.end(String(n > 0)); }, { highWaterMark: 1024 }); exports.size = async () => 1;`, want: fourMegabytes + `true`},
	{name: "stream twice", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.end('n' + e.n); });`, events: []string{`{"n":1}`, `{"n":2}`}, want: `n2`},
	{name: "stream without waiting for the event loop", files: `exports.handler = awslambda.streamifyResponse(async (e, s, c) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1e6); s.end('on'); });`, events: []string{`{}`, `{}`}, want: `on`},
	{name: "stream that fails first", files: `exports.handler = awslambda.streamifyResponse(async () => { throw new TypeError('early'); });`, want: ``, errorType: "TypeError", message: "early", log: `ERROR\tInvoke Error \t`},
	{name: "stream that fails in the middle", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('half'); throw new RangeError('mid'); });`, want: `half`, errorType: "RangeError", message: "mid"},
	{name: "stream whose source fails", files: `const { Readable, pipeline } = require('stream'); const { promisify } = require('util'); exports.handler = awslambda.streamifyResponse(async (e, s) => { async function* g() { yield 'half'; throw new Error('source'); } await promisify(pipeline)(Readable.from(g()), s); });`, want: `half`, errorType: "Error", message: "source"},
	{name: "stream that is never ended", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('half'); });`, want: `half`, errorType: "string", message: "Response stream is not finished."},
	{name: "stream that never settles", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('half'); await ` + never + `; });`, want: `half`, errorType: "Runtime.NodeJsExit", message: "The Lambda runtime client*"},
	{name: "stream by a plain function", files: `exports.handler = awslambda.streamifyResponse((e, s) => { s.end('x'); });`, want: `x`, log: `Streaming does not support non-async handlers.`},
	{name: "stream with a return value", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.end('x'); return 'y'; });`, want: `x`, log: `WARN\tStreaming handlers ignore return values.`},
	{name: "stream and uncaught exception", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('half'); setTimeout(() => { throw new Error('crash'); }, 1); await new Promise((r) => setTimeout(r, 1e6)); });`, want: `half`, errorType: "Error", message: "crash", exit: 129},
	{name: "stream content type too late", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { s.write('x'); s.setContentType('a/b'); });`, want: `x`, errorType: "Runtime.InvalidStreamingOperation", message: "Cannot set content-type, too late."},
	{name: "stream after an error", files: `exports.handler = awslambda.streamifyResponse(async (e, s) => { if (e.fail) throw new Error('x'); s.end('fine'); });`, events: []string{`{"fail":1}`, `{}`}, want: `fine`},
	{name: "no global", files: `exports.handler = async () => typeof awslambda;`, env: map[string]string{"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"}, want: `"undefined"`},
}
