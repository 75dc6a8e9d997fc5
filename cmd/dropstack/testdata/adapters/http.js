'use strict';
exports.handler = require('serverless-http')(require('./app'), { binary: ['image/*', 'application/octet-stream'] });
