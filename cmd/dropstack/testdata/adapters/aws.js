'use strict';
const adapter = require('aws-serverless-express');
const server = adapter.createServer(require('./app'), null, ['image/*', 'application/octet-stream', 'text/plain']);
exports.handler = (event, context) => adapter.proxy(server, event, context, 'PROMISE').promise;
