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

// No adapter streams on its own: the app listens on a socket, and what it answers
// is piped to the caller while it comes.
exports.streaming = (() => {
  const http = require('http')
  const path = require('path')
  const os = require('os')
  const socketPath = path.join(os.tmpdir(), 'app.sock')
  const listening = new Promise((resolve) => require('http').createServer(app).listen(socketPath, resolve))
  return awslambda.streamifyResponse(async (event, responseStream) => {
    await listening
    const query = event.rawQueryString ? '?' + event.rawQueryString : ''
    const { method } = event.requestContext.http
    const headers = event.cookies ? { ...event.headers, cookie: event.cookies.join('; ') } : event.headers
    const res = await new Promise((resolve, reject) => {
      const req = http.request({ socketPath, method, path: event.rawPath + query, headers }, resolve)
      req.on('error', reject)
      req.end(event.body && Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8'))
    })
    const { 'set-cookie': cookies = [], ...rest } = res.headers
    const out = awslambda.HttpResponseStream.from(responseStream, { statusCode: res.statusCode, headers: rest, cookies })
    await require('stream/promises').pipeline(res, out)
  })
})()
