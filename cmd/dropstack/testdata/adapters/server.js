// The application without any adapter; it prints its port.
'use strict';
const server = require('./app').listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume(); // it goes with whoever started it
