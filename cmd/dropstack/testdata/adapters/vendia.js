'use strict';
exports.handler = require('@vendia/serverless-express')({
  app: require('./app'), binarySettings: { contentTypes: ['image/*', 'application/octet-stream'] },
});
