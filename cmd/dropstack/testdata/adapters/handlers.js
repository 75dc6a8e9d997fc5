// The app as each adapter makes a function of it, the way its documentation does.
// Everything goes out as base64, so that any byte survives.
const app = require('./app')

exports.awsServerlessExpress = (() => {
  const adapter = require('aws-serverless-express')
  const server = adapter.createServer(app, null, ['*/*'])
  return (event, context) => { adapter.proxy(server, event, context) }
})()

exports.vendia = require('@vendia/serverless-express')({ app, binarySettings: { isBinary: () => true } })

exports.codegenie = require('@codegenie/serverless-express')({ app, binarySettings: { isBinary: () => true } })

exports.serverlessHttp = require('serverless-http')(app, { binary: ['*/*'] })
