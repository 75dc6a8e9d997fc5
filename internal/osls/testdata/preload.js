// Versions 3 of the command read no endpoint from their environment, but the SDK
// that they bring has a configuration of its own: node --require FILE.
if (/(osls|serverless)/.test(process.argv[1] || '')) {
  process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
  const AWS = require('module').createRequire(require('fs').realpathSync(process.argv[1]))('aws-sdk');
  AWS.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
}
