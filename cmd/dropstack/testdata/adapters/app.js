// One Express application. It runs behind every adapter and, for comparison, as a
// server of its own: what it answers must not depend on that.
'use strict';
const express = require('express');
const cookies = require('cookie-parser');
const compression = require('compression');

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

const app = express();
app.use(cookies());
app.get('/cookies', (req, res) => {
  res.cookie('a', '1', { path: '/' });
  res.cookie('b', 'x, y; z', { httpOnly: true, expires: new Date(86400000) });
  res.append('Set-Cookie', 'c=3; Path=/c').json(req.cookies);
});
app.get('/png', (req, res) => res.type('png').send(png));
app.post('/bytes', express.raw({ type: () => true, limit: '5mb' }), (req, res) =>
  res.type('application/octet-stream').set('X-Length', String(req.body.length)).send(req.body));
app.get('/gzip', compression({ threshold: 0 }), (req, res) => res.type('text').send('compress me '.repeat(100)));
app.get('/redirect', (req, res) => res.redirect('/elsewhere?x=1&y=%20'));
app.get('/redirect/301', (req, res) => res.redirect(301, 'https://example.com/ü'));
app.get('/204', (req, res) => res.status(204).set('X-A', '1').end());
app.delete('/thing/:id', (req, res) => res.sendStatus(204));
app.get('/etag', (req, res) => res.set('Cache-Control', 'no-cache').send('tagged'));
app.get('/query', (req, res) => res.json({ query: req.query, url: req.url, path: req.path }));
app.get('/nested/:a/and/:b/*', (req, res) => res.json({ params: req.params, originalUrl: req.originalUrl }));
app.post('/form', express.urlencoded({ extended: true }), (req, res) => res.json(req.body));
app.post('/json', express.json({ limit: '5mb' }), (req, res) => res.status(201).json(req.body));
app.put('/method', (req, res) => res.send(req.method));
app.patch('/method', (req, res) => res.send(req.method));
app.get('/unicode', (req, res) => res.send('Grüße, 世界 🎈'));
app.get('/headers', (req, res) => res.set('X-Many', ['1', '2']).vary('Accept').json({
  a: req.get('x-a'), many: req.get('x-many'), accept: req.get('accept'), type: req.get('content-type') || null,
}));
app.get('/negotiate', (req, res) => res.format({ json: () => res.json({ a: 1 }), html: () => res.send('<p>a</p>') }));
app.get('/large', (req, res) => res.type('text').send('0123456789abcdef'.repeat(3 << 16)));
app.get('/throw', () => { throw new Error('thrown'); });
app.get('/next', (req, res, next) => next(Object.assign(new Error('passed on'), { status: 418 })));
app.get('/', (req, res) => res.send('root'));
app.use((err, req, res, next) => res.status(err.status || 500).json({ error: err.message }));
module.exports = app;
