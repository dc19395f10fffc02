// SPDX-License-Identifier: MIT
'use strict';

// node.js PORT [--pipe]: an echo server on node:net, by data and write, or by pipe. The first is
// the faster one for small messages, the second for large ones.

const net = require('node:net');

const [port, mode] = process.argv.slice(2);
if (port === undefined || (mode !== undefined && mode !== '--pipe')) {
  console.error('usage: node.js PORT [--pipe]');
  process.exit(2);
}

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy());
  if (mode === '--pipe') socket.pipe(socket);
  else socket.on('data', (chunk) => socket.write(chunk));
});
server.listen(Number(port), '127.0.0.1', () => console.log(server.address().port));
