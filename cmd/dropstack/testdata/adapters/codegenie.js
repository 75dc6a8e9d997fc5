'use strict';
exports.handler = require('@codegenie/serverless-express')({
  app: require('./app'), binarySettings: { contentTypes: ['image/*', 'application/octet-stream'] },
});
