// One Express app, which is served plainly and through every adapter.
const crypto = require('crypto')
const fs = require('fs')
const zlib = require('zlib')
const express = require('express')

const app = express()
const png = Buffer.from(
  '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccfc0f01f00050001ff5c1c5ad80000000049454e44ae426082', 'hex')

app.get('/', (req, res) => res.send('root'))
app.get('/cookies', (req, res) => {
  res.cookie('one', 'first value', { path: '/', httpOnly: true })
  res.cookie('two', '2', { expires: new Date(4102444800000), secure: true })
  res.append('Set-Cookie', 'three=3; SameSite=Lax')
  res.json({ got: req.headers.cookie || null })
})
app.get('/png', (req, res) => res.type('png').send(png))
app.get('/gzip', (req, res) => {
  res.set('Content-Encoding', 'gzip').type('text').send(zlib.gzipSync('compressed '.repeat(100)))
})
app.get('/redirect', (req, res) => res.redirect('/elsewhere?a=b&c=%20d'))
app.post('/see-other', (req, res) => res.redirect(303, '/png'))
app.get('/nothing', (req, res) => res.status(204).end())
app.delete('/thing/:id', (req, res) => res.status(204).end())
app.get('/cached', (req, res) => res.set('ETag', '"v1"').set('Cache-Control', 'max-age=60').send('cached'))
app.get('/query', (req, res) => res.json({ query: req.query, url: req.url }))
app.get('/nested/:a/deeper/:b', (req, res) => res.json({ params: req.params, path: req.path, original: req.originalUrl }))
app.get('/unicode', (req, res) => res.send('Grüße, 世界 👋'))
app.get('/many', (req, res) => {
  res.append('X-Many', 'a').append('X-Many', 'b').vary('Accept').vary('Origin')
  res.send({ saw: req.headers['x-seen'], agent: req.headers['user-agent'] })
})
app.get('/html', (req, res) => res.send('<h1>A page</h1>'))
app.get('/large', (req, res) => res.type('text').send('0123456789abcdef'.repeat(196608)))
app.get('/teapot', (req, res) => res.status(418).send('short and stout'))
app.get('/throws', () => { throw new Error('out of ideas') })
app.get('/rejects', (req, res, next) => Promise.reject(new Error('not today')).catch(next))
// Streams: the second part is sent when somebody has made the file.
app.get('/stream', (req, res) => {
  res.status(203).set('X-Streamed', 'yes').type('text').append('Set-Cookie', 'a=1').append('Set-Cookie', 'b=2')
  res.write('first ')
  const timer = setInterval(() => {
    if (!fs.existsSync(req.query.until)) return
    clearInterval(timer)
    res.end('second')
  }, 5)
})
app.post('/form', express.urlencoded({ extended: true }), (req, res) => res.json(req.body))
app.post('/json', express.json({ limit: '5mb' }), (req, res) => res.json({ got: req.body, type: req.headers['content-type'] }))
app.put('/bytes', express.raw({ type: '*/*', limit: '5mb' }), (req, res) => {
  const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0)
  res.set('X-Sha256', crypto.createHash('sha256').update(body).digest('hex'))
  res.type('application/octet-stream').send(body)
})
app.use((err, req, res, next) => res.status(500).json({ error: err.message }))

module.exports = app
