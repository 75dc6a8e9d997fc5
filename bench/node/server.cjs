// What Node alone does: a server that answers with what it is sent.
require('http').createServer((req, res) => {
  const parts = []
  req.on('data', (part) => parts.push(part))
  req.on('end', () => {
    res.setHeader('content-type', 'application/json')
    res.end(JSON.stringify(JSON.parse(Buffer.concat(parts).toString() || '{}')))
  })
}).listen(0, '127.0.0.1', function () { console.log(this.address().port) })
